//! [`Stored`]: how an [`Event`](crate::Event) keeps a value, as small as it goes.

use crate::value::{List, Value};

/// How a value is kept: text by its place in the event's buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stored {
    Null,
    Bool(bool),
    Int(Bits),
    UInt(Bits),
    Float(Bits),
    Str { start: u32, len: u32 },
    List { start: u32, len: u32 },
    Object,
}

/// A number, in halves: so a [`Stored`] takes 12 bytes and not 16, and an event has dozens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bits {
    high: u32,
    low: u32,
}

impl Bits {
    pub(crate) fn of(bits: u64) -> Self {
        Self { high: (bits >> 32) as u32, low: bits as u32 }
    }

    pub(crate) fn get(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low)
    }
}

impl Stored {
    pub(crate) fn view<'a>(&self, text: &'a str, items: &'a [Stored]) -> Value<'a> {
        match *self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Int(bits) => Value::Int(bits.get() as i64),
            Self::UInt(bits) => Value::UInt(bits.get()),
            Self::Float(bits) => Value::Float(f64::from_bits(bits.get())),
            Self::Str { start, len } => {
                Value::Str(text.get(start as usize..(start + len) as usize).unwrap_or(""))
            }
            Self::List { start, len } => Value::List(List {
                text,
                items: items.get(start as usize..(start + len) as usize).unwrap_or(&[]),
                all: items,
            }),
            Self::Object => Value::Object,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_small_and_numbers_come_back() {
        assert_eq!(size_of::<Stored>(), 12);
        for bits in [0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX, (-3_i64) as u64] {
            assert_eq!(Bits::of(bits).get(), bits);
        }
        let float = Stored::Float(Bits::of((-0.5_f64).to_bits()));
        assert!(matches!(float.view("", &[]), Value::Float(number) if number == -0.5));
        let int = Stored::Int(Bits::of(i64::MIN as u64));
        assert!(matches!(int.view("", &[]), Value::Int(i64::MIN)));
    }
}
