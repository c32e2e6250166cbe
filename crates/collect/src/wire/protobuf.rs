//! Reads protobuf messages field by field, borrowing from the bytes.
//!
//! In: an encoded message. Out: its fields in order. Knows the wire format only; what a field
//! means is said by who asks. Unknown fields are passed over, as protobuf has it.

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    /// A variable-length number: integers, booleans, enumerations.
    Number(u64),
    /// Eight bytes: fixed64, sfixed64, double.
    Fixed64(u64),
    /// Four bytes: fixed32, sfixed32, float.
    Fixed32(u32),
    /// Text, bytes, a message, or packed numbers.
    Bytes(&'a [u8]),
}

/// The message ends in the middle of a field, or is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a protobuf message of that kind")]
pub struct Broken;

/// The fields of a message, each with its number.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Of an encoded message.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Broken)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Broken)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Broken)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn field(&mut self) -> Result<(u32, Field<'a>), Broken> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| Broken)?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => {
                let bytes = self.bytes(8)?.try_into().map_err(|_| Broken)?;
                Field::Fixed64(u64::from_le_bytes(bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Broken)?;
                Field::Bytes(self.bytes(length)?)
            }
            5 => {
                let bytes = self.bytes(4)?.try_into().map_err(|_| Broken)?;
                Field::Fixed32(u32::from_le_bytes(bytes))
            }
            // Groups have been out of use since before any of these protocols.
            _ => return Err(Broken),
        };
        if number == 0 { Err(Broken) } else { Ok((number, field)) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Writes messages, for tests and for the few answers there are.
#[derive(Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// A number field.
    pub fn number(mut self, number: u32, value: u64) -> Self {
        self.varint(u64::from(number) << 3);
        self.varint(value);
        self
    }

    /// Text, bytes or a message.
    pub fn put(mut self, number: u32, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.varint(u64::from(number) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Eight bytes.
    pub fn fixed64(mut self, number: u32, value: u64) -> Self {
        self.varint(u64::from(number) << 3 | 1);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(Fields::new(&bytes).count() <= bytes.len());
        }

        #[test]
        fn what_was_written_is_read(a in any::<u64>(), b in any::<u64>(), text in ".{0,300}") {
            let written = Writer::default().number(1, a).put(500, &text).fixed64(3, b).bytes;
            let read: Vec<_> = Fields::new(&written).collect::<Result<_, _>>().unwrap();
            let expected =
                [(1, Field::Number(a)), (500, Field::Bytes(text.as_bytes())), (3, Field::Fixed64(b))];
            prop_assert_eq!(read, expected);
            let cut = &written[..written.len() - 1];
            prop_assert!(Fields::new(cut).any(|field| field.is_err()));
        }
    }
}
