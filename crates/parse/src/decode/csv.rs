//! Columns parted by one character, with values in double quotes where they hold it.

use super::Raw;

/// Takes columns apart and names them in order; a column named `-` is left out.
pub(crate) fn csv(text: &str, separator: u8, columns: &[String], raw: &mut Raw<'_, '_>) {
    let mut rest = text;
    let separator = char::from(separator);
    for name in columns {
        let (value, after) = column(rest, separator);
        if name != "-" && !value.is_empty() {
            if value.contains("\"\"") {
                raw.text(name, &value.replace("\"\"", "\""));
            } else {
                raw.text(name, value);
            }
        }
        match after {
            Some(after) => rest = after,
            None => return,
        }
    }
}

/// The first column, without its quotes, and what follows the separator.
fn column(text: &str, separator: char) -> (&str, Option<&str>) {
    if let Some(inside) = text.strip_prefix('"')
        && let Some(end) = closing(inside)
    {
        let after = inside[end + 1..].split_once(separator).map(|(_, after)| after);
        return (&inside[..end], after);
    }
    match text.split_once(separator) {
        Some((value, after)) => (value.trim(), Some(after)),
        None => (text.trim(), None),
    }
}

/// Where the quote that ends a value stands; doubled quotes are part of it.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'"', &bytes[at..]) {
        at += found;
        if bytes.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
    None
}
