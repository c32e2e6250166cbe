//! Pairs of key and value: `a=1 b="two words" c=`.

use memchr::memchr2;

use super::Raw;

/// Longest key, in bytes; what is longer is no key.
const KEY_BYTES_MAX: usize = 128;

/// Takes pairs apart. Words without `assign` are passed over. Values may stand in double or
/// single quotes, in which a backslash keeps a quote from ending them.
pub(crate) fn kv(text: &str, pair: u8, assign: u8, raw: &mut Raw<'_, '_>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let blank = |byte: &u8| *byte == pair || byte.is_ascii_whitespace();
        at += bytes[at..].iter().take_while(|byte| blank(byte)).count();
        let Some(found) = memchr2(assign, pair, &bytes[at..]) else { break };
        let key = text.get(at..at + found).unwrap_or("").trim();
        if bytes[at + found] == pair {
            at += found + 1;
            continue;
        }
        at += found + 1;
        if !pair.is_ascii_whitespace() {
            at += bytes[at..].iter().take_while(|byte| **byte == b' ').count();
        }
        let (value, end) = value(text, at, pair);
        if is_key(key) {
            raw.text(key, value);
        }
        at = end;
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= KEY_BYTES_MAX
        && !key.bytes().any(|byte| byte.is_ascii_control() || b"\"'<>(){}".contains(&byte))
}

/// The value that begins at `at`, without its quotes, and where the text goes on.
fn value(text: &str, at: usize, pair: u8) -> (&str, usize) {
    let bytes = text.as_bytes();
    if let Some(quote @ (b'"' | b'\'')) = bytes.get(at).copied()
        && let Some(end) = closing(bytes, at + 1, quote)
    {
        return (text.get(at + 1..end).unwrap_or(""), end + 1);
    }
    let end = memchr::memchr(pair, &bytes[at..]).map_or(bytes.len(), |found| at + found);
    (text.get(at..end).unwrap_or("").trim_end(), end)
}

/// Where the quote that ends a value stands.
fn closing(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start;
    while let Some(found) = memchr2(quote, b'\\', bytes.get(at..)?) {
        at += found;
        if bytes[at] == quote {
            return Some(at);
        }
        at += 2;
    }
    None
}
