//! Pieces of query text: quoted strings and bare words, as they were written.

/// A character of a bare literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ch {
    /// As written.
    Plain(char),
    /// After a backslash: means only itself.
    Escaped(char),
    /// `*`.
    Star,
}

impl Ch {
    fn is_space(self) -> bool {
        matches!(self, Self::Plain(c) if c.is_whitespace())
    }

    fn char(self) -> Option<char> {
        match self {
            Self::Plain(c) | Self::Escaped(c) => Some(c),
            Self::Star => None,
        }
    }
}

/// A value as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    Quoted(String),
    Bare(Vec<Ch>),
}

/// Without spaces at its ends.
pub(crate) fn trim(mut chars: Vec<Ch>) -> Vec<Ch> {
    while chars.last().is_some_and(|c| c.is_space()) {
        chars.pop();
    }
    let spaces = chars.iter().take_while(|c| c.is_space()).count();
    chars.drain(..spaces);
    chars
}

/// The text, when there is no `*`.
pub(crate) fn text(chars: &[Ch]) -> Option<String> {
    chars.iter().map(|c| c.char()).collect()
}

/// Whether it is `*` and nothing else.
pub(crate) fn is_star(chars: &[Ch]) -> bool {
    !chars.is_empty() && chars.iter().all(|c| *c == Ch::Star)
}

/// The parts between spaces.
pub(crate) fn split_spaces(chars: &[Ch]) -> impl Iterator<Item = &[Ch]> {
    chars.split(|c| c.is_space()).filter(|part| !part.is_empty())
}

/// The parts that are words with `*` in them: between characters that are neither letters, digits
/// nor `*`, but a dot among digits belongs to its word.
pub(crate) fn split_words(chars: &[Ch]) -> Vec<&[Ch]> {
    let digit_or_star = |at: Option<usize>| {
        let c = at.and_then(|at| chars.get(at));
        c.is_some_and(|c| c.char().is_none_or(|c| c.is_ascii_digit()))
    };
    let separates = |at: usize| match chars[at].char() {
        None => false,
        Some('.') => !digit_or_star(at.checked_sub(1)) || !digit_or_star(Some(at + 1)),
        Some(c) => !c.is_alphanumeric(),
    };
    let mut parts = Vec::new();
    let mut start = 0;
    for at in 0..=chars.len() {
        if at == chars.len() || separates(at) {
            if start < at {
                parts.push(&chars[start..at]);
            }
            start = at + 1;
        }
    }
    parts
}

/// As a pattern of [`tocsin_store::Filter::Wildcard`].
pub(crate) fn pattern(chars: &[Ch]) -> String {
    let mut pattern = String::new();
    for c in chars {
        match c.char() {
            None => pattern.push('*'),
            Some(c) => {
                if matches!(c, '*' | '?' | '\\') {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
        }
    }
    pattern
}

/// The text before a `*` that ends it, when there is no other.
pub(crate) fn prefix(chars: &[Ch]) -> Option<String> {
    match chars {
        [start @ .., Ch::Star] => text(start),
        _ => None,
    }
}
