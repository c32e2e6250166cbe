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

/// The parts between characters that are neither letters, digits nor `*`.
pub(crate) fn split_words(chars: &[Ch]) -> impl Iterator<Item = &[Ch]> {
    let separates = |c: &Ch| c.char().is_some_and(|c| !c.is_alphanumeric());
    chars.split(separates).filter(|part| !part.is_empty())
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
