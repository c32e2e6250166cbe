//! Text → words: what "occurs as a word" means, for the index and for [`Matcher`](crate::Matcher)
//! alike.
//!
//! A word is a run of letters and digits of any script, lower case; a dot between two digits
//! belongs to it (`192.0.2.1`, `8.9p1`), and three or more pairs of hexadecimal digits with
//! colons between are one word (clock times, hardware addresses). Everything else separates.

use std::borrow::Cow;

/// Longer words are cut to this many bytes, in texts and in questions alike.
pub(crate) const WORD_BYTES_MAX: usize = 255;

/// Text beyond this many bytes of a field or raw line is kept but not searched by word.
pub(crate) const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Calls `each` with each word, lower case, in order.
pub(crate) fn for_each_word(text: &str, mut each: impl FnMut(&str)) {
    let text = cut(text, TEXT_BYTES_MAX);
    let mut buffer = String::new();
    let mut rest = text;
    while let Some(word) = next_word(&mut rest) {
        each(lower(word, &mut buffer));
    }
}

/// The words of a text.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for_each_word(text, |word| all.push(word.to_owned()));
    all
}

/// Takes the next word off `rest`, as written.
pub(crate) fn next_word<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let start = rest.find(char::is_alphanumeric)?;
    let from = &rest[start..];
    let len = word_len(from);
    *rest = &from[len..];
    Some(&from[..len])
}

/// Bytes of the word that `text` starts with.
fn word_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut len = run_len(text);
    if len == 2
        && let Some(pairs) = pairs_len(bytes)
    {
        return pairs;
    }
    while bytes.get(len) == Some(&b'.')
        && bytes[len - 1].is_ascii_digit()
        && bytes.get(len + 1).is_some_and(u8::is_ascii_digit)
    {
        len += 1 + run_len(&text[len + 1..]);
    }
    len
}

/// Bytes of the run of letters and digits that `text` starts with.
fn run_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ascii = bytes.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(bytes.len());
    if bytes.get(ascii).is_none_or(u8::is_ascii) {
        return ascii;
    }
    text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len())
}

/// Bytes of the pairs that the text starts with, when there are three or more.
fn pairs_len(bytes: &[u8]) -> Option<usize> {
    let is_pair = |at: usize| {
        let pair = bytes.get(at..at + 2)?;
        let ends = bytes.get(at + 2).is_none_or(|b| b.is_ascii() && !b.is_ascii_alphanumeric());
        (pair.iter().all(u8::is_ascii_hexdigit) && ends).then_some(())
    };
    is_pair(0)?;
    let mut len = 2;
    while bytes.get(len) == Some(&b':') && is_pair(len + 1).is_some() {
        len += 3;
    }
    (len >= 8).then_some(len)
}

/// The raw line without the priority, version and time that it begins with (RFC 5424 6.2, RFC 3164
/// 4.1): they are fields, nobody looks for them by word, and each time would be a word that no
/// other line has.
pub(crate) fn without_head(line: &str) -> &str {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let bytes = line.as_bytes();
    let mut at = 0;
    if bytes.first() == Some(&b'<') {
        let priority = digits(&bytes[1..]);
        if !(1..=3).contains(&priority) || bytes.get(1 + priority) != Some(&b'>') {
            return line;
        }
        at = 2 + priority;
        let version = digits(&bytes[at..]);
        if (1..=2).contains(&version) && bytes.get(at + version) == Some(&b' ') {
            at += version + 1;
        }
    }
    match time_len(&bytes[at..]) {
        Some(len) => &line[at + len..],
        None => line,
    }
}

/// Bytes of the time and the blank behind it that a line begins with.
fn time_len(bytes: &[u8]) -> Option<usize> {
    let like = |bytes: &[u8], pattern: &[u8]| {
        let is = |(byte, like): (&u8, &u8)| match like {
            b'9' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            b'T' => matches!(byte, b'T' | b' '),
            // A day of one digit.
            b'_' => byte.is_ascii_digit() || *byte == b' ',
            other => byte == other,
        };
        bytes.len() >= pattern.len() && bytes.iter().zip(pattern).all(is)
    };
    let (short, long) = (b"aaa _9 99:99:99", b"9999-99-99T99:99:99");
    let mut at = if like(bytes, long) {
        long.len()
    } else if like(bytes, short) {
        short.len()
    } else {
        return None;
    };
    if matches!(bytes.get(at), Some(b'.' | b',')) {
        at += 1 + bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    }
    let zone: &[u8] = match bytes.get(at) {
        Some(b'Z') => b"Z",
        Some(b'+' | b'-') if like(&bytes[at + 1..], b"99:99") => b"+99:99",
        Some(b'+' | b'-') if like(&bytes[at + 1..], b"9999") => b"+9999",
        _ => b"",
    };
    at += zone.len();
    (bytes.get(at) == Some(&b' ')).then_some(at + 1)
}

/// Where the JSON object begins that the line ends with.
fn object_start(line: &str) -> Option<usize> {
    if line.starts_with('{') {
        return Some(0);
    }
    line.ends_with('}').then(|| line.find(" {\"")).flatten().map(|at| at + 1)
}

/// Whether a raw line is searched in other parts than as it stands behind its head.
pub(crate) fn has_object(line: &str) -> bool {
    object_start(without_head(cut(line, TEXT_BYTES_MAX))).is_some()
}

/// The parts of a raw line that are searched by word, each a text of its own: the values of the
/// JSON object that it is or ends with, and what is before that but for the head.
pub(crate) fn for_each_text<'a>(line: &'a str, mut each: impl FnMut(&'a str)) {
    let line = without_head(cut(line, TEXT_BYTES_MAX));
    let (text, line) = line.split_at(object_start(line).unwrap_or(line.len()));
    if !text.is_empty() {
        each(text);
    }
    let bytes = line.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        let start = at;
        if bytes[at] != b'"' {
            // Numbers and words up to what ends them; nothing for punctuation.
            let end = |b: &u8| matches!(b, b'"' | b',' | b':' | b'{' | b'}' | b'[' | b']');
            at += bytes[at..].iter().position(end).unwrap_or(bytes.len() - at).max(1);
            if at > start + 1 || bytes[start].is_ascii_alphanumeric() {
                each(&line[start..at]);
            }
            continue;
        }
        at += 1;
        while at < bytes.len() && bytes[at] != b'"' {
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
        let end = at.min(bytes.len());
        at += 1;
        let after = bytes.get(at..).unwrap_or_default();
        let is_key = after.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b':');
        // A backslash before the end may leave half a character: then there is no text here.
        if !is_key && let Some(value) = line.get(start + 1..end).filter(|value| !value.is_empty()) {
            each(value);
        }
    }
}

/// The word in lower case, cut to [`WORD_BYTES_MAX`].
pub(crate) fn lower<'a>(word: &'a str, buffer: &'a mut String) -> &'a str {
    if word.len() <= WORD_BYTES_MAX
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    {
        return word;
    }
    buffer.clear();
    if word.is_ascii() {
        buffer.push_str(cut(word, WORD_BYTES_MAX));
        buffer.make_ascii_lowercase();
    } else {
        buffer.extend(word.chars().flat_map(char::to_lowercase));
        buffer.truncate(cut(buffer, WORD_BYTES_MAX).len());
    }
    buffer
}

/// The first bytes of a text, whole characters only.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Wildcards and prefixes are compared with words in lower case.
pub(crate) fn lower_pattern(pattern: &str) -> Cow<'_, str> {
    if pattern.chars().all(|c| !c.is_uppercase()) {
        Cow::Borrowed(pattern)
    } else {
        Cow::Owned(pattern.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            (" .-", &[]),
            ("Failed password for ROOT", &["failed", "password", "for", "root"]),
            ("sshd[1]: from 192.0.2.1.", &["sshd", "1", "from", "192.0.2.1"]),
            ("10.1.2.3:443/x.1", &["10.1.2.3", "443", "x", "1"]),
            ("a.b 1.b a.1 8.9p1 é1.2", &["a", "b", "1", "b", "a", "1", "8.9p1", "é1.2"]),
            ("[21/Nov/2026:10:30:05 +0000]", &["21", "nov", "2026", "10:30:05", "0000"]),
            ("52:54:00:AB:cd:ef 12:34", &["52:54:00:ab:cd:ef", "12", "34"]),
            ("12:34:56é 12:34:567", &["12", "34", "56é", "12", "34", "567"]),
            ("pam_unix(sshd:auth)", &["pam", "unix", "sshd", "auth"]),
            ("Grüße aus Köln, ПРИВЕТ", &["grüße", "aus", "köln", "привет"]),
            ("a\0b\u{7f}c", &["a", "b", "c"]),
            ("日本語 text", &["日本語", "text"]),
        ];
        for (text, expected) in cases {
            assert_eq!(&words(text), expected, "{text:?}");
        }
        let json =
            r#"{"user":"Bob \"x\"", "n":[12,null], "o": {"k":true,"e":""},"ip":"192.0.2.1"}"#;
        let mut texts = Vec::new();
        for_each_text(json, |text| texts.push(text));
        assert_eq!(texts, [r#"Bob \"x\""#, "12", "null", "true", "192.0.2.1"]);
        for broken in ["{", "{\"", "{\"a", "{\"a\\", "{\"a\":\"é\\", "{é", "{\"a\": x"] {
            for_each_text(broken, |text| assert!(!text.is_empty()));
        }
        let cases: &[(&str, &[&str])] = &[
            ("<14>1 2026-01-15T00:00:00.000Z ws093 nxlog - x", &["ws093 nxlog - x"]),
            ("<4>Jan  5 00:00:00 fw kernel: x", &["fw kernel: x"]),
            ("2026-01-15T00:00:00.123456+01:00 web sshd[1]: x", &["web sshd[1]: x"]),
            ("2026-01-15 00:00:00,123 INFO x", &["INFO x"]),
            ("2026-01-15T00:00:00+0100 x", &["x"]),
            // None of these begins with a head.
            ("<14>1 x", &["<14>1 x"]),
            ("<1234>Jan  5 00:00:00 x", &["<1234>Jan  5 00:00:00 x"]),
            ("2026-01-15T00:00:00.000Zx y", &["2026-01-15T00:00:00.000Zx y"]),
            ("2026-01-15T00:00:00", &["2026-01-15T00:00:00"]),
            (
                "10.0.0.1 - - [15/Jan/2026:00:00:01 +0000]",
                &["10.0.0.1 - - [15/Jan/2026:00:00:01 +0000]"],
            ),
            ("<é>1 2026-01-15T00:00:00Z é", &["<é>1 2026-01-15T00:00:00Z é"]),
            // What the head leaves.
            ("<14>1 2026-01-15T00:00:00Z ", &[]),
            (
                "<14>1 2026-01-15T00:00:00Z h a - - - {\"k\":\"v\",\"n\":1}",
                &["h a - - - ", "v", "1"],
            ),
            ("Jan 15 00:00:00 {\"k\":\"v\"}", &["v"]),
            ("login of {\"k\":\"v\"} failed", &["login of {\"k\":\"v\"} failed"]),
            ("x {}", &["x {}"]),
        ];
        for (line, expected) in cases {
            let mut texts = Vec::new();
            for_each_text(line, |text| texts.push(text));
            assert_eq!(&texts, expected, "{line}");
            assert_eq!(has_object(line), texts.len() > 1 || texts == ["v"], "{line}");
        }
        assert_eq!(words(&"x".repeat(1000))[0].len(), WORD_BYTES_MAX);
        assert_eq!(words(&"É".repeat(200))[0].len(), WORD_BYTES_MAX - 1);
    }
}
