//! Text → words: what "occurs as a word" means, for the index and for [`Matcher`](crate::Matcher)
//! alike.
//!
//! A word is a run of letters and digits of any script, lower case. Everything else separates.

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

fn word_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ascii = bytes.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(bytes.len());
    if bytes.get(ascii).is_none_or(u8::is_ascii) {
        return ascii;
    }
    text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len())
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
            ("sshd[1]: from 192.0.2.1", &["sshd", "1", "from", "192", "0", "2", "1"]),
            ("pam_unix(sshd:auth)", &["pam", "unix", "sshd", "auth"]),
            ("Grüße aus Köln, ПРИВЕТ", &["grüße", "aus", "köln", "привет"]),
            ("a\0b\u{7f}c", &["a", "b", "c"]),
            ("日本語 text", &["日本語", "text"]),
        ];
        for (text, expected) in cases {
            assert_eq!(&words(text), expected, "{text:?}");
        }
        assert_eq!(words(&"x".repeat(1000))[0].len(), WORD_BYTES_MAX);
        assert_eq!(words(&"É".repeat(200))[0].len(), WORD_BYTES_MAX - 1);
    }
}
