//! [`Pattern`]: wildcards and regular expressions over one value.

use memchr::memmem;

use crate::error::{Result, StoreError};

/// The most memory that a compiled regular expression may take, in bytes.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// Matches a whole value or not.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Wildcard(Wildcard),
    Regex(regex::Regex),
}

impl Pattern {
    /// Reads a wildcard: `*`, `?`, `\`.
    pub(crate) fn wildcard(pattern: &str) -> Self {
        Self::Wildcard(Wildcard::parse(pattern))
    }

    /// Compiles a regular expression that must match the whole value.
    pub(crate) fn regex(field: &str, pattern: &str, any_case: bool) -> Result<Self> {
        let build = |pattern: &str| {
            regex::RegexBuilder::new(pattern)
                .case_insensitive(any_case)
                .dot_matches_new_line(true)
                .size_limit(REGEX_BYTES_MAX)
                .build()
        };
        // Alone first, so that a stray `)` cannot leave the group that anchors it.
        let compiled = build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z")));
        compiled.map(Self::Regex).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or("").trim_start_matches("error: ");
            StoreError::BadRequest(format!("{field}: regular expression /{pattern}/: {reason}"))
        })
    }

    /// Whether the whole value matches.
    pub(crate) fn matches(&self, value: &str) -> bool {
        match self {
            Self::Wildcard(wildcard) => wildcard.matches(value),
            Self::Regex(regex) => regex.is_match(value),
        }
    }

    /// Text that every match starts with.
    pub(crate) fn prefix(&self) -> &str {
        match self {
            Self::Wildcard(wildcard) => wildcard.prefix(),
            Self::Regex(_) => "",
        }
    }
}

/// Whether a text matches a wildcard pattern as [`Filter::Wildcard`](crate::Filter::Wildcard)
/// takes it.
pub fn wildcard_matches(pattern: &str, text: &str) -> bool {
    Wildcard::parse(pattern).matches(text)
}

/// A wildcard pattern, cut at its `*`.
#[derive(Debug, Clone)]
pub(crate) struct Wildcard {
    pieces: Vec<Piece>,
}

/// Text without `*`.
#[derive(Debug, Clone)]
struct Piece {
    /// `None` is `?`.
    chars: Vec<Option<char>>,
    /// The text when there is no `?`, ready to be found.
    finder: Option<memmem::Finder<'static>>,
    /// The text before the first `?`.
    literal: String,
}

impl Piece {
    fn new(chars: Vec<Option<char>>) -> Self {
        let literal: String = chars.iter().map_while(|c| *c).collect();
        let plain = chars.iter().all(Option::is_some);
        let finder = plain.then(|| memmem::Finder::new(literal.as_bytes()).into_owned());
        Self { chars, finder, literal }
    }

    /// Length in bytes of the match at the start of `text`.
    fn at_start(&self, text: &str) -> Option<usize> {
        if self.finder.is_some() {
            return text.starts_with(&self.literal).then_some(self.literal.len());
        }
        let mut rest = text.chars();
        for wanted in &self.chars {
            let found = rest.next()?;
            if wanted.is_some_and(|wanted| wanted != found) {
                return None;
            }
        }
        Some(text.len() - rest.as_str().len())
    }

    /// Whether `text` ends with a match.
    fn at_end(&self, text: &str) -> bool {
        if self.finder.is_some() {
            return text.ends_with(&self.literal);
        }
        let mut rest = text.chars().rev();
        self.chars.iter().rev().all(|wanted| {
            rest.next().is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
        })
    }

    /// Length in bytes of the shortest start of `text` that ends with a match.
    fn find(&self, text: &str) -> Option<usize> {
        if let Some(finder) = &self.finder {
            return finder.find(text.as_bytes()).map(|at| at + self.literal.len());
        }
        let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        starts.into_iter().find_map(|at| self.at_start(&text[at..]).map(|len| at + len))
    }
}

impl Wildcard {
    pub(crate) fn parse(pattern: &str) -> Self {
        let mut pieces = Vec::new();
        let mut piece = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' => pieces.push(Piece::new(std::mem::take(&mut piece))),
                '?' => piece.push(None),
                '\\' => piece.push(Some(chars.next().unwrap_or('\\'))),
                other => piece.push(Some(other)),
            }
        }
        pieces.push(Piece::new(piece));
        Self { pieces }
    }

    pub(crate) fn prefix(&self) -> &str {
        self.pieces.first().map_or("", |piece| &piece.literal)
    }

    pub(crate) fn matches(&self, value: &str) -> bool {
        let (Some(first), Some(last)) = (self.pieces.first(), self.pieces.last()) else {
            return false;
        };
        let Some(mut at) = first.at_start(value) else { return false };
        if self.pieces.len() == 1 {
            return at == value.len();
        }
        for piece in &self.pieces[1..self.pieces.len() - 1] {
            match piece.find(&value[at..]) {
                Some(len) => at += len,
                None => return false,
            }
        }
        last.at_end(&value[at..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_match_whole_values() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*", "abc", true),
            ("a*", "ba", false),
            ("*c", "abc", true),
            ("*b*", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "é", true),
            ("*?x*", "x", false),
            ("*?x*", "éx", true),
            (r"a\*c", "a*c", true),
            (r"a\*c", "abc", false),
            (r"a\\", r"a\", true),
            ("a\\", r"a\", true),
            ("*ab*ab*", "abab", true),
            ("*ab*ab", "ab", false),
        ];
        for (pattern, value, expected) in cases {
            assert_eq!(Wildcard::parse(pattern).matches(value), expected, "{pattern} {value}");
        }
        assert_eq!(Wildcard::parse("ab?d*").prefix(), "ab");
    }

    proptest! {
        #[test]
        fn wildcards_agree_with_regular_expressions(
            pattern in r"[ab*?é]{0,8}", value in r"[abé]{0,10}"
        ) {
            let mut regex = String::from(r"\A(?s:");
            for c in pattern.chars() {
                match c {
                    '*' => regex.push_str(".*"),
                    '?' => regex.push('.'),
                    c => regex.push(c),
                }
            }
            regex.push_str(r")\z");
            let expected = regex::Regex::new(&regex).unwrap().is_match(&value);
            prop_assert_eq!(Wildcard::parse(&pattern).matches(&value), expected);
        }
    }

    #[test]
    fn a_bad_expression_names_field_and_reason() {
        let error = Pattern::regex("url.path", "a(", false).unwrap_err().to_string();
        assert!(error.starts_with("url.path: regular expression /a(/"), "{error}");
        assert!(Pattern::regex("x", &"(a{1000}){1000}".repeat(4), false).is_err());
    }
}
