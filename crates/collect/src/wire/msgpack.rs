//! Reads MessagePack, as JSON.
//!
//! In: bytes that hold one value after the other. Out: where each ends, and its JSON. Never goes
//! deeper than a limit, never reads a byte twice to find an end.

use super::object::quote;

/// How deep values may stand in each other; what is deeper is written as null.
const DEPTH_MAX: usize = 32;

/// The bytes are no MessagePack, or end in the middle of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not messagepack of the form that was expected")]
pub struct Broken;

/// The head of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Nil,
    /// Yes or no.
    Bool(bool),
    /// A number below zero.
    Negative(i64),
    /// Any other whole number.
    Number(u64),
    /// A fraction.
    Float(f64),
    /// Text, or what is called so.
    Text(&'a [u8]),
    /// Bytes.
    Binary(&'a [u8]),
    /// So many values follow.
    Array(u32),
    /// So many pairs of values follow.
    Map(u32),
    /// An extension: its type and bytes.
    Extension(i8, &'a [u8]),
}

/// Reads values one after the other; of lists and maps only the head, their values follow.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// From the start of bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Broken)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<u64, Broken> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn count(&mut self, bytes: usize) -> Result<u32, Broken> {
        u32::try_from(self.number(bytes)?).map_err(|_| Broken)
    }

    fn bytes(&mut self, size: usize) -> Result<&'a [u8], Broken> {
        let length = self.count(size)? as usize;
        self.take(length)
    }

    fn extension(&mut self, length: usize) -> Result<Value<'a>, Broken> {
        let kind = self.take(1)?[0] as i8;
        Ok(Value::Extension(kind, self.take(length)?))
    }

    /// The next value, or its head.
    ///
    /// # Errors
    /// When it is none, or not all there.
    pub fn value(&mut self) -> Result<Value<'a>, Broken> {
        let first = self.take(1)?[0];
        Ok(match first {
            0x00..=0x7f => Value::Number(first.into()),
            0x80..=0x8f => Value::Map(u32::from(first & 15)),
            0x90..=0x9f => Value::Array(u32::from(first & 15)),
            0xa0..=0xbf => Value::Text(self.take(usize::from(first & 31))?),
            0xc0 => Value::Nil,
            0xc1 => return Err(Broken),
            0xc2 | 0xc3 => Value::Bool(first == 0xc3),
            0xc4..=0xc6 => Value::Binary(self.bytes(1 << (first - 0xc4))?),
            0xc7..=0xc9 => {
                let length = self.count(1 << (first - 0xc7))? as usize;
                self.extension(length)?
            }
            0xca => Value::Float(f64::from(f32::from_bits(self.count(4)?))),
            0xcb => Value::Float(f64::from_bits(self.number(8)?)),
            0xcc..=0xcf => Value::Number(self.number(1 << (first - 0xcc))?),
            0xd0..=0xd3 => {
                let size = 1_usize << (first - 0xd0);
                let spare = 64 - 8 * size as u32;
                let signed = ((self.number(size)? << spare) as i64) >> spare;
                u64::try_from(signed).map_or(Value::Negative(signed), Value::Number)
            }
            0xd4..=0xd8 => self.extension(1 << (first - 0xd4))?,
            0xd9..=0xdb => Value::Text(self.bytes(1 << (first - 0xd9))?),
            0xdc | 0xdd => Value::Array(self.count(2 << (first - 0xdc))?),
            0xde | 0xdf => Value::Map(self.count(2 << (first - 0xde))?),
            0xe0..=0xff => Value::Negative(i64::from(first as i8)),
        })
    }

    /// Passes over a whole value.
    ///
    /// # Errors
    /// When it is none, or not all there.
    pub fn skip(&mut self) -> Result<(), Broken> {
        let mut skimmer = Skimmer::default();
        let end = skimmer.end(self.rest)?.ok_or(Broken)?;
        self.take(end).map(|_| ())
    }

    /// Appends the next value as JSON.
    ///
    /// # Errors
    /// When it is none, or not all there.
    pub fn json(&mut self, out: &mut String) -> Result<(), Broken> {
        self.json_at(out, 0)
    }

    fn json_at(&mut self, out: &mut String, depth: usize) -> Result<(), Broken> {
        if depth > DEPTH_MAX {
            out.push_str("null");
            return self.skip();
        }
        match self.value()? {
            Value::Nil => out.push_str("null"),
            Value::Bool(yes) => out.push_str(if yes { "true" } else { "false" }),
            Value::Negative(number) => out.push_str(&number.to_string()),
            Value::Number(number) => out.push_str(&number.to_string()),
            Value::Float(number) => out.push_str(&serde_json::Value::from(number).to_string()),
            Value::Text(text) | Value::Binary(text) => {
                quote(&String::from_utf8_lossy(text), out);
            }
            Value::Extension(_, bytes) => match event_time(bytes) {
                Some(time) => quote(&super::object::time(time), out),
                None => out.push_str("null"),
            },
            Value::Array(count) => {
                out.push('[');
                for at in 0..count {
                    if at > 0 {
                        out.push(',');
                    }
                    self.json_at(out, depth + 1)?;
                }
                out.push(']');
            }
            Value::Map(count) => {
                out.push('{');
                for at in 0..count {
                    if at > 0 {
                        out.push(',');
                    }
                    quote(&self.key()?, out);
                    out.push(':');
                    self.json_at(out, depth + 1)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// The next value as the key of a map.
    ///
    /// # Errors
    /// When it is none, or not all there.
    pub fn key(&mut self) -> Result<String, Broken> {
        let mut ahead = self.clone();
        if let Value::Text(text) | Value::Binary(text) = ahead.value()? {
            *self = ahead;
            return Ok(String::from_utf8_lossy(text).into_owned());
        }
        let mut key = String::new();
        self.json_at(&mut key, DEPTH_MAX)?;
        Ok(key)
    }
}

/// Fluent's time: seconds and nanoseconds.
pub(super) fn event_time(bytes: &[u8]) -> Option<i64> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    let both = u64::from_be_bytes(bytes);
    Some((both >> 32) as i64 * 1_000_000_000 + (both & 0xffff_ffff) as i64)
}

/// Finds where a value ends as its bytes come in, going on where it stopped.
#[derive(Debug, Default)]
pub struct Skimmer {
    /// Bytes already passed over.
    done: usize,
    /// Values that have to come yet; before the first one there is none.
    pending: Option<u64>,
}

impl Skimmer {
    /// Where the value ends that `bytes` begin with; `None` when not all of it is there. Called
    /// again, `bytes` must be the same with more behind them.
    ///
    /// # Errors
    /// When it is none.
    pub fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        let mut pending = self.pending.unwrap_or(1);
        while pending > 0 {
            let rest = bytes.get(self.done..).unwrap_or_default();
            if rest.first() == Some(&0xc1) {
                return Err(Broken);
            }
            let mut reader = Reader::new(rest);
            let Ok(value) = reader.value() else {
                self.pending = Some(pending);
                return Ok(None);
            };
            self.done += rest.len() - reader.rest().len();
            pending -= 1;
            pending += match value {
                Value::Array(count) => u64::from(count),
                Value::Map(count) => 2 * u64::from(count),
                _ => 0,
            };
        }
        let end = self.done;
        *self = Self::default();
        Ok(Some(end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let table: &[(&[u8], &str)] = &[
            (b"\x00", "0"),
            (b"\x7f", "127"),
            (b"\xff", "-1"),
            (b"\xcc\xff", "255"),
            (b"\xcd\x01\x00", "256"),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (b"\xd0\x80", "-128"),
            (b"\xd1\xff\xfe", "-2"),
            (b"\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807"),
            (b"\xca\x3f\xc0\x00\x00", "1.5"),
            (b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "null"),
            (b"\xc0", "null"),
            (b"\xc3", "true"),
            (b"\xa2a\"", "\"a\\\"\""),
            (b"\xd9\x01x", "\"x\""),
            (b"\xda\x00\x01x", "\"x\""),
            (b"\xc4\x02\xff!", "\"\u{fffd}!\""),
            (b"\x92\x01\x90", "[1,[]]"),
            (b"\xdc\x00\x01\x02", "[2]"),
            (b"\x82\xa1a\x01\x02\x80", "{\"a\":1,\"2\":{}}"),
            (b"\xde\x00\x00", "{}"),
            (b"\xd7\x00\x69\x1f\xaf\xc6\x0e\xe6\xb2\x80", "\"2025-11-21T00:18:14.25Z\""),
            (b"\xd4\x05x", "null"),
            (b"\xc7\x00\x01", "null"),
        ];
        for (bytes, expected) in table {
            let (mut out, mut reader) = (String::new(), Reader::new(bytes));
            reader.json(&mut out).unwrap();
            assert_eq!((out.as_str(), reader.rest()), (*expected, &b""[..]), "{bytes:x?}");
            assert_eq!(Skimmer::default().end(bytes), Ok(Some(bytes.len())));
            let cut = &bytes[..bytes.len() - 1];
            assert_eq!(Skimmer::default().end(cut), Ok(None), "{bytes:x?}");
        }
        assert_eq!(Skimmer::default().end(b"\x91\xc1"), Err(Broken));
        let deep = [vec![0x91; 100_000], vec![1]].concat();
        let mut out = String::new();
        Reader::new(&deep).json(&mut out).unwrap();
        assert!(out.contains("[null]"));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..60), cut in 0_usize..60) {
            let mut out = String::new();
            let read = Reader::new(&bytes).json(&mut out).is_ok();
            if read {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{}", out);
            }
            let whole = Skimmer::default().end(&bytes);
            prop_assert_eq!(whole.is_ok_and(|end| end.is_some()), read);
            let mut skimmer = Skimmer::default();
            let first = skimmer.end(&bytes[..cut.min(bytes.len())]);
            if first == Ok(None) {
                prop_assert_eq!(skimmer.end(&bytes), whole);
            }
        }
    }
}
