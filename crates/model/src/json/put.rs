//! Single values as JSON text, appended to bytes. Never fails, never allocates but for the output.

use crate::event::EventId;
use crate::time::Timestamp;
use crate::value::Value;

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// So many bytes are looked at together.
const CHUNK: usize = 16;
/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;

/// Whether a byte stands for itself in a JSON string.
fn plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// A text with its quotes and escapes.
pub(super) fn text(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    out.push(b'"');
    loop {
        let len = plain_len(rest);
        let (before, after) = rest.split_at(len);
        out.extend_from_slice(before);
        let Some((byte, after)) = after.split_first() else { break };
        escaped(*byte, out);
        rest = after;
    }
    out.push(b'"');
}

/// How many bytes stand for themselves before the first that does not.
fn plain_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    for chunk in bytes.chunks_exact(CHUNK) {
        // No early exit, so that all bytes are compared at once.
        if !chunk.iter().fold(true, |all, byte| all & plain(*byte)) {
            break;
        }
        len += CHUNK;
    }
    len + bytes[len..].iter().position(|byte| !plain(*byte)).unwrap_or(bytes.len() - len)
}

fn escaped(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.extend([byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)]));
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Any value; a list's objects are empty ones.
pub(super) fn value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Object => out.extend_from_slice(b"null"),
        Value::Bool(flag) => serialized(&flag, out),
        Value::Int(number) => serialized(&number, out),
        Value::UInt(number) => serialized(&number, out),
        Value::Float(number) => serialized(&number, out),
        Value::Str(string) => text(string, out),
        Value::List(list) => {
            out.push(b'[');
            for (place, item) in list.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                match item {
                    Value::Object => out.extend_from_slice(b"{}"),
                    item => self::value(item, out),
                }
            }
            out.push(b']');
        }
    }
}

/// What serde writes.
pub(super) fn serialized(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(out, value);
}

/// An id as its `Display` says it, in quotes.
pub(super) fn id(id: EventId, out: &mut Vec<u8>) {
    let mut text = [b'"'; 34];
    let number = u128::from(id.stream) << 64 | u128::from(id.offset);
    for (place, byte) in text[1..33].iter_mut().enumerate() {
        *byte = DIGITS[(number >> (124 - 4 * place)) as usize & 15];
    }
    out.extend_from_slice(&text);
}

/// Writes times, of which many share a second.
#[derive(Debug, Default)]
pub(super) struct Times {
    second: i64,
    /// The second's text up to its fraction; empty when no second was written yet.
    text: String,
}

impl Times {
    /// A time as its `Display` says it, in quotes.
    pub(super) fn write(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        let (second, nanos) = (time.0.div_euclid(SECOND), time.0.rem_euclid(SECOND));
        if self.second != second || self.text.is_empty() {
            let whole = second.checked_mul(SECOND).map(|nanos| Timestamp(nanos).to_string());
            let Some(text) = whole.as_deref().and_then(|whole| whole.strip_suffix('Z')) else {
                return serialized(&time, out);
            };
            self.second = second;
            self.text.clear();
            self.text.push_str(text);
        }
        out.push(b'"');
        out.extend_from_slice(self.text.as_bytes());
        if nanos > 0 {
            let mut digits = [b'0'; 9];
            let mut left = nanos;
            for digit in digits.iter_mut().rev() {
                *digit = DIGITS[(left % 10) as usize];
                left /= 10;
            }
            let len = 9 - digits.iter().rev().take_while(|digit| **digit == b'0').count();
            out.push(b'.');
            out.extend_from_slice(&digits[..len]);
        }
        out.extend_from_slice(b"Z\"");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn says_what_serde_says(
            string in any::<String>(),
            low in prop::collection::vec(0u8..0x80, 0..40),
            nanos in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -3_000_000_000i64..3_000_000_000],
            (stream, offset) in any::<(u64, u64)>(),
        ) {
            let low = String::from_utf8(low).unwrap();
            let mut times = Times::default();
            for string in [string, low] {
                let mut out = Vec::new();
                text(&string, &mut out);
                prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&string).unwrap());
            }
            for nanos in [nanos, nanos / 1000 * 1000, nanos / SECOND * SECOND] {
                let mut out = Vec::new();
                times.write(Timestamp(nanos), &mut out);
                let said = serde_json::to_string(&Timestamp(nanos)).unwrap();
                prop_assert_eq!(String::from_utf8(out).unwrap(), said);
            }
            let mut out = Vec::new();
            id(EventId { stream, offset }, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), format!("\"{stream:016x}{offset:016x}\""));
        }
    }
}
