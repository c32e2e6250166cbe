//! Bytes → text without losing a byte: what is no UTF-8 is written as `\xNN`.

use std::borrow::Cow;
use std::fmt::Write;

/// Bytes at the end of a record that are line ends or padding.
const LINE_ENDS: &[char] = &['\n', '\r', '\0'];

/// The record's text, for `event.original`: line ends at its end removed, every byte that is no
/// UTF-8 as `\xNN`.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text.trim_end_matches(LINE_ENDS)),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len() + 32);
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                for byte in chunk.invalid() {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "\\x{byte:02x}");
                }
            }
            text.truncate(text.trim_end_matches(LINE_ENDS).len());
            Cow::Owned(text)
        }
    }
}

/// Where `part` lies in `whole`, when it is a slice of it.
pub(crate) fn offset_in(part: &str, whole: &str) -> Option<usize> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (start + part.len() <= whole.len()).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_kept() {
        let table: &[(&[u8], &str)] = &[
            (b"plain\r\n", "plain"),
            (b"a\0b\0\0", "a\0b"),
            (b"caf\xc3\xa9 \xff\xfe\n", "café \\xff\\xfe"),
            (b"\x16\x03\x01 \xe2\x82", "\x16\x03\x01 \\xe2\\x82"),
            (b"", ""),
        ];
        for (bytes, expected) in table {
            assert_eq!(text_of(bytes), *expected);
        }
    }
}
