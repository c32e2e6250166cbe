//! [`Pattern`]: a Sigma string made ready for comparing. Tokens in; yes or no, and where, out.
//!
//! A pattern that ignores case is folded when it is made and must be given folded text.

use std::fmt;

use memchr::memmem;

use crate::fold::fold_char;
use crate::rule::value::{DASHES, Token};

/// What a text must look like, whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Pattern {
    /// This text.
    Exact(Box<str>),
    /// Starts with it.
    Prefix(Box<str>),
    /// Ends with it.
    Suffix(Box<str>),
    /// Has it somewhere.
    Contains(Box<str>),
    /// Anything, even nothing.
    Anything,
    /// Pieces with `*` between them, the first at the start and the last at the end; at least
    /// one. Either may be empty.
    Glob(Box<[Piece]>),
}

/// What stands between two `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Piece {
    /// Plain text.
    Literal(Box<str>),
    /// Text with `?` or dashes in it.
    Mixed(Box<[Element]>),
}

/// A character of a [`Piece::Mixed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Element {
    /// This one.
    Char(char),
    /// Any one.
    Any,
    /// Any that starts an option.
    Dash,
}

impl Pattern {
    /// Makes a pattern; without `cased` it is folded.
    pub(crate) fn new(tokens: &[Token], cased: bool) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut current: Vec<Element> = Vec::new();
        for token in tokens {
            match *token {
                Token::Char(c) => {
                    current.push(Element::Char(if cased { c } else { fold_char(c) }));
                }
                Token::Any => current.push(Element::Any),
                Token::Dash => current.push(Element::Dash),
                // Two stars in a row, or a star that only adds to another, mean one.
                Token::Star if current.is_empty() && !pieces.is_empty() => {}
                Token::Star => pieces.push(Piece::new(std::mem::take(&mut current))),
            }
        }
        pieces.push(Piece::new(current));
        Self::from_pieces(pieces)
    }

    fn from_pieces(mut pieces: Vec<Piece>) -> Self {
        let empty = |piece: &Piece| matches!(piece, Piece::Literal(text) if text.is_empty());
        let literal = |piece: &mut Piece| match piece {
            Piece::Literal(text) => Some(std::mem::take(text)),
            Piece::Mixed(_) => None,
        };
        let open: Vec<bool> = pieces.iter().map(empty).collect();
        let simple = match (&mut pieces[..], &open[..]) {
            ([whole], _) => literal(whole).map(Self::Exact),
            ([_, _], [true, true]) => Some(Self::Anything),
            ([_, tail], [true, false]) => literal(tail).map(Self::Suffix),
            ([head, _], [false, true]) => literal(head).map(Self::Prefix),
            ([_, middle, _], [true, false, true]) => literal(middle).map(Self::Contains),
            _ => None,
        };
        simple.unwrap_or_else(|| Self::Glob(pieces.into_boxed_slice()))
    }

    /// The same pattern found anywhere in a text, for keywords.
    pub(crate) fn anywhere(tokens: &[Token], cased: bool) -> Self {
        let mut open = Vec::with_capacity(tokens.len() + 2);
        open.push(Token::Star);
        open.extend_from_slice(tokens);
        open.push(Token::Star);
        Self::new(&open, cased)
    }

    /// Whether the whole text is as the pattern wants.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(want) => text == &**want,
            Self::Prefix(want) => text.starts_with(&**want),
            Self::Suffix(want) => text.ends_with(&**want),
            Self::Contains(want) => memmem::find(text.as_bytes(), want.as_bytes()).is_some(),
            Self::Anything => true,
            Self::Glob(pieces) => glob(pieces, text).is_some(),
        }
    }

    /// Where in a matching text the pattern's own characters stand: from the first to the last.
    pub(crate) fn find(&self, text: &str) -> Option<(usize, usize)> {
        match self {
            Self::Exact(want) => (text == &**want).then_some((0, text.len())),
            Self::Prefix(want) => text.starts_with(&**want).then_some((0, want.len())),
            Self::Suffix(want) => {
                text.ends_with(&**want).then(|| (text.len() - want.len(), text.len()))
            }
            Self::Contains(want) => text.find(&**want).map(|at| (at, at + want.len())),
            Self::Anything => Some((0, text.len())),
            Self::Glob(pieces) => glob(pieces, text),
        }
    }

    /// The longest plain text that every matching text has in it.
    pub(crate) fn required(&self) -> Option<String> {
        match self {
            Self::Exact(text) | Self::Prefix(text) | Self::Suffix(text) | Self::Contains(text) => {
                Some(text.to_string())
            }
            Self::Anything => None,
            Self::Glob(pieces) => {
                let runs = pieces.iter().flat_map(Piece::runs);
                runs.max_by_key(String::len).filter(|run| !run.is_empty())
            }
        }
    }
}

impl Piece {
    fn new(elements: Vec<Element>) -> Self {
        let plain: Option<String> = elements
            .iter()
            .map(|element| if let Element::Char(c) = element { Some(*c) } else { None })
            .collect();
        match plain {
            Some(text) => Self::Literal(text.into_boxed_str()),
            None => Self::Mixed(elements.into_boxed_slice()),
        }
    }

    fn runs(&self) -> Vec<String> {
        match self {
            Self::Literal(text) => vec![text.to_string()],
            Self::Mixed(elements) => elements
                .split(|element| !matches!(element, Element::Char(_)))
                .map(|run| {
                    run.iter()
                        .filter_map(|element| match element {
                            Element::Char(c) => Some(*c),
                            _ => None,
                        })
                        .collect()
                })
                .collect(),
        }
    }

    /// Length of the match at the start of `text`.
    fn at_start(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(want) => text.starts_with(&**want).then_some(want.len()),
            Self::Mixed(elements) => {
                let mut chars = text.chars();
                let all =
                    elements.iter().all(|element| chars.next().is_some_and(|c| element.is(c)));
                all.then(|| text.len() - chars.as_str().len())
            }
        }
    }

    /// Length of the match at the end of `text`.
    fn at_end(&self, text: &str) -> Option<usize> {
        match self {
            Self::Literal(want) => text.ends_with(&**want).then_some(want.len()),
            Self::Mixed(elements) => {
                let mut chars = text.chars();
                let all = elements
                    .iter()
                    .rev()
                    .all(|element| chars.next_back().is_some_and(|c| element.is(c)));
                all.then(|| text.len() - chars.as_str().len())
            }
        }
    }

    /// The first match in `text`: start and length.
    fn find(&self, text: &str) -> Option<(usize, usize)> {
        match self {
            Self::Literal(want) => {
                memmem::find(text.as_bytes(), want.as_bytes()).map(|at| (at, want.len()))
            }
            Self::Mixed(_) => text
                .char_indices()
                .map(|(at, _)| at)
                .find_map(|at| self.at_start(&text[at..]).map(|len| (at, len))),
        }
    }
}

impl Element {
    fn is(self, c: char) -> bool {
        match self {
            Self::Char(want) => want == c,
            Self::Any => true,
            Self::Dash => DASHES.contains(&c),
        }
    }
}

/// Taking every middle piece as early as possible leaves most room for the later ones, so no
/// step is ever taken back.
fn glob(pieces: &[Piece], text: &str) -> Option<(usize, usize)> {
    let (first, rest) = pieces.split_first()?;
    let head = first.at_start(text)?;
    let Some((last, middle)) = rest.split_last() else {
        return (head == text.len()).then_some((0, text.len()));
    };
    let mut at = head;
    let mut span: Option<(usize, usize)> = (head > 0).then_some((0, head));
    for piece in middle {
        let (skipped, len) = piece.find(&text[at..])?;
        let start = at + skipped;
        at = start + len;
        span = Some((span.map_or(start, |span| span.0), at));
    }
    let tail = last.at_end(&text[at..])?;
    if tail > 0 {
        span = Some((span.map_or(text.len() - tail, |span| span.0), text.len()));
    }
    Some(span.unwrap_or((0, text.len())))
}

/// As a Sigma value, for people.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::Prefix(text) => write!(f, "{text}*"),
            Self::Suffix(text) => write!(f, "*{text}"),
            Self::Contains(text) => write!(f, "*{text}*"),
            Self::Anything => f.write_str("*"),
            Self::Glob(pieces) => {
                for (place, piece) in pieces.iter().enumerate() {
                    if place > 0 {
                        f.write_str("*")?;
                    }
                    match piece {
                        Piece::Literal(text) => f.write_str(text)?,
                        Piece::Mixed(elements) => {
                            for element in elements {
                                match element {
                                    Element::Char(c) => write!(f, "{c}")?,
                                    Element::Any => f.write_str("?")?,
                                    Element::Dash => f.write_str("-")?,
                                }
                            }
                        }
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;
    use crate::rule::value::{parse, windash};

    fn check(rule: &str, text: &str) -> bool {
        Pattern::new(&parse(rule), false).matches(&fold(text))
    }

    #[test]
    fn whole_values_are_compared() {
        let table = [
            ("cmd.exe", "CMD.EXE", true),
            ("cmd.exe", r"C:\cmd.exe", false),
            (r"*\cmd.exe", r"C:\cmd.exe", true),
            ("a*b", "a\nb", true),
            ("a?b", "a\nb", true),
            ("a?b", "aäb", true),
            ("a?b", "ab", false),
            ("a*b", "aXbc", false),
            ("a*ab", "ab", false),
            ("*a*a", "a", false),
            ("**", "", true),
            ("", "", true),
            ("", "x", false),
            ("?*?", "x", false),
            ("?*?", "xy", true),
            ("*x?", "axb", true),
            ("*aab*", "aaab", true),
            ("*a?c*", "aabc", true),
        ];
        for (rule, text, expected) in table {
            assert_eq!(check(rule, text), expected, "{rule} {text:?}");
        }
    }

    #[test]
    fn dashes_stand_for_each_other() {
        let mut tokens = parse("* /enc *");
        windash(&mut tokens);
        let pattern = Pattern::new(&tokens, false);
        for text in ["x -enc y", "x /enc y", "x –enc y", "x ―enc y"] {
            assert!(pattern.matches(text), "{text}");
        }
        assert!(!pattern.matches("x +enc y"));
        assert_eq!(pattern.required().as_deref(), Some("enc "));
    }

    #[test]
    fn found_is_the_part_the_rule_names() {
        let table = [
            ("*b*", "abc", Some((1, 2))),
            ("*b*d*", "abcde", Some((1, 4))),
            ("a*", "abc", Some((0, 1))),
            ("*", "abc", Some((0, 3))),
            ("*c", "abc", Some((2, 3))),
            ("x", "abc", None),
        ];
        for (rule, text, expected) in table {
            assert_eq!(Pattern::new(&parse(rule), false).find(text), expected, "{rule}");
        }
    }
}
