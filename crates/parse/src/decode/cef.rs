//! Common Event Format and Log Event Extended Format: a header parted by `|`, then pairs.

use super::Raw;

/// The header of CEF after `CEF:`.
const CEF_HEADER: [&str; 7] = [
    "version",
    "device_vendor",
    "device_product",
    "device_version",
    "event_class_id",
    "name",
    "severity",
];
/// The header of LEEF after `LEEF:`.
const LEEF_HEADER: [&str; 5] = ["version", "vendor", "product", "product_version", "event_id"];

/// Takes `…CEF:0|vendor|product|version|class|name|severity|k=v k=v` apart.
pub(crate) fn cef(text: &str, raw: &mut Raw<'_, '_>) {
    // `CEF: 0|…` looks like a tag and its message to syslog.
    let bare = text.starts_with("0|") || text.starts_with("1|");
    let Some(start) = text.find("CEF:").map(|at| at + 4).or(bare.then_some(0)) else { return };
    let mut rest = &text[start..];
    for name in CEF_HEADER {
        let (value, after) = header(rest);
        raw.text(name, &unescaped(value));
        let Some(after) = after else { return };
        rest = after;
    }
    extension(rest, raw);
}

/// Takes `…LEEF:2.0|vendor|product|version|id|^|k=v^k=v` apart; without a separator in the
/// header tabs part the pairs, or bars when there are no tabs.
pub(crate) fn leef(text: &str, raw: &mut Raw<'_, '_>) {
    let Some(start) = text.find("LEEF:") else { return };
    let mut rest = &text[start + 5..];
    let second = rest.starts_with('2');
    for name in LEEF_HEADER {
        let (value, after) = header(rest);
        raw.text(name, &unescaped(value));
        let Some(after) = after else { return };
        rest = after;
    }
    let mut separator = '\t';
    if second
        && let Some((given, after)) = rest.split_once('|')
        && let Some(given) = separator_of(given)
    {
        separator = given;
        rest = after;
    }
    // Some write the header's bar between the pairs too.
    if separator == '\t' && !rest.contains('\t') && rest.contains('|') {
        separator = '|';
    }
    for pair in rest.split(separator) {
        if let Some((key, value)) = pair.split_once('=')
            && is_key(key.trim())
        {
            raw.text(key.trim(), value.trim_end());
        }
    }
}

/// `^`, `x5E` or `0x5E`.
fn separator_of(given: &str) -> Option<char> {
    let mut characters = given.chars();
    match (characters.next(), characters.next()) {
        (None, _) => Some('\t'),
        (Some(one), None) => Some(one),
        _ => {
            let hex = given.trim_start_matches('0').strip_prefix(['x', 'X'])?;
            u8::from_str_radix(hex, 16).ok().map(char::from)
        }
    }
}

/// One part of the header; `\|` belongs to it.
fn header(text: &str) -> (&str, Option<&str>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'|', b'\\', rest)) {
        at += found;
        if bytes[at] == b'|' {
            return (&text[..at], Some(&text[at + 1..]));
        }
        at += 2;
    }
    (text, None)
}

fn unescaped(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some(other @ ('\\' | '|' | '=' | '"')) => plain.push(other),
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
            (other, false) => plain.push(other),
        }
    }
    plain.into()
}

/// `key=value key=value`, where values may hold blanks: a value ends before the next key.
fn extension(text: &str, raw: &mut Raw<'_, '_>) {
    let bytes = text.as_bytes();
    let mut open: Option<(&str, usize)> = None;
    // Where the word begins that the byte before `at` belongs to.
    let (mut word, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b' ' | b'\t' => word = at + 1,
            b'=' if is_key(text.get(word..at).unwrap_or("")) => {
                if let Some((name, value)) = open {
                    raw.text(name, &unescaped(text.get(value..word).unwrap_or("").trim()));
                }
                open = text.get(word..at).map(|name| (name, at + 1));
                word = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if let Some((name, value)) = open {
        raw.text(name, &unescaped(text.get(value..).unwrap_or("").trim()));
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 128
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte))
}
