//! [`Plan`]: a definition compiled, immutable, shared between threads.

use ahash::AHashMap;
use tocsin_model::FieldId;
use tocsin_model::value::OwnedValue;

use super::dispatch::Dispatch;
use super::sink::Target;
use crate::grok::Pattern;

/// The most variables (`_name`) of one definition.
pub(crate) const TEMPS_MAX: usize = 32;

/// A compiled source.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// `pack.source`.
    pub dataset: String,
    /// `pack`.
    pub module: String,
    pub decode: Option<Decoder>,
    pub messages: Vec<Table>,
    pub fields: Vec<FieldRule>,
    /// Fields that hold the time, and whether it is UTC when it names no zone.
    pub time: Vec<(FieldId, bool)>,
    pub lookups: Vec<LookupPlan>,
    pub whens: Vec<WhenPlan>,
    /// Which of them may hold.
    pub dispatch: Option<Dispatch>,
    /// Constants for fields that nothing else has set.
    pub defaults: Vec<Assign>,
    pub temps: usize,
}

/// What is done to take a body apart.
#[derive(Debug)]
pub(crate) struct Decoder {
    pub kind: DecoderKind,
    /// The text taken apart; `None` for the body, which happens before the messages.
    pub from: Option<Read>,
    pub under: String,
    pub drop_raw: bool,
}

/// The kinds of decoders.
#[derive(Debug)]
pub(crate) enum DecoderKind {
    Json,
    Kv { pair: u8, assign: u8 },
    Csv { separator: u8, columns: Vec<String>, header: String },
    Cef,
    Leef,
    Audit,
    WindowsXml,
}

/// A value that conditions look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    Temp(usize),
    Field(FieldId),
}

/// Values put together, each with what stands before it.
pub(crate) type Joined = Vec<(char, Read)>;

/// Where a constant goes.
#[derive(Debug, Clone)]
pub(crate) struct Assign {
    pub to: Read,
    /// `None` removes the field.
    pub value: Option<OwnedValue>,
}

/// The messages that look at one text, found by its first byte.
#[derive(Debug)]
pub(crate) struct Table {
    /// The text; `None` for the body.
    pub on: Option<Read>,
    pub lines: Vec<Line>,
    /// For each first byte the lines that may fit, in order.
    pub by_first: Vec<Box<[u16]>>,
    /// The lines that may fit an empty text.
    pub empty: Box<[u16]>,
}

/// One pattern of a message.
#[derive(Debug)]
pub(crate) struct Line {
    pub pattern: Pattern,
    pub targets: Vec<Target>,
    pub assigns: std::sync::Arc<[Assign]>,
}

/// A field and the raw fields it may be read from.
#[derive(Debug)]
pub(crate) struct FieldRule {
    pub target: Target,
    pub from: Vec<FieldId>,
}

/// A table from value to value.
#[derive(Debug)]
pub(crate) struct LookupPlan {
    pub from: Read,
    pub to: Read,
    /// By lower-case text.
    pub table: AHashMap<String, OwnedValue>,
    pub default: Option<OwnedValue>,
}

/// A pattern and where its captures go.
pub(crate) type Grok = (Pattern, Vec<Target>);

/// What is done under a condition.
#[derive(Debug)]
pub(crate) struct WhenPlan {
    pub conditions: Vec<(Read, Vec<Test>)>,
    pub assigns: Vec<Assign>,
    pub copies: Vec<(Target, Vec<Joined>)>,
    pub groks: Vec<(Read, Vec<Grok>)>,
}

/// A test of one value; text is compared without ASCII case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    Absent,
    Present,
    Is(String, Option<i64>),
    Starts(String),
    Ends(String),
    Contains(String),
    /// A beginning, what comes after it in this order, an end.
    Parts(String, Vec<String>, String),
}

impl Test {
    /// Of a constant's text: the text itself, or with `*` for anything anywhere in it.
    pub(crate) fn of_text(text: &str) -> Self {
        let number = text.parse().ok();
        let text = text.to_ascii_lowercase();
        let mut parts: Vec<&str> = text.split('*').collect();
        let (Some(last), Some(first)) = (parts.pop(), parts.first().copied()) else {
            return Self::Is(text, number);
        };
        let middle: Vec<&str> = parts.into_iter().skip(1).filter(|part| !part.is_empty()).collect();
        match (first, middle.as_slice(), last) {
            ("", [], "") => Self::Present,
            (first, [], "") => Self::Starts(first.to_owned()),
            ("", [], last) => Self::Ends(last.to_owned()),
            ("", [word], "") => Self::Contains((*word).to_owned()),
            (first, middle, last) => Self::Parts(
                first.to_owned(),
                middle.iter().map(|part| (*part).to_owned()).collect(),
                last.to_owned(),
            ),
        }
    }

    /// Whether it has to look for something in all of a text.
    pub(crate) fn looks_through(&self) -> bool {
        matches!(self, Self::Contains(_) | Self::Parts(..))
    }

    /// Whether a text fits.
    pub(crate) fn text(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match self {
            Self::Absent => false,
            Self::Present => true,
            Self::Is(word, _) => text.eq_ignore_ascii_case(word),
            Self::Starts(word) => after_start(bytes, word).is_some(),
            Self::Ends(word) => before_end(bytes, word).is_some(),
            Self::Contains(word) => find_ignore_case(bytes, word.as_bytes()).is_some(),
            Self::Parts(first, middle, last) => {
                let Some(mut rest) =
                    after_start(bytes, first).and_then(|rest| before_end(rest, last))
                else {
                    return false;
                };
                // The earliest place of each part leaves the most for the next.
                for part in middle {
                    let Some(at) = find_ignore_case(rest, part.as_bytes()) else { return false };
                    rest = rest.get(at + part.len()..).unwrap_or_default();
                }
                true
            }
        }
    }
}

/// What follows the beginning `word`, ASCII case ignored.
fn after_start<'a>(text: &'a [u8], word: &str) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word.as_bytes()).then_some(rest)
}

/// What comes before the end `word`, ASCII case ignored.
fn before_end<'a>(text: &'a [u8], word: &str) -> Option<&'a [u8]> {
    let (rest, end) = text.split_at_checked(text.len().checked_sub(word.len())?)?;
    end.eq_ignore_ascii_case(word.as_bytes()).then_some(rest)
}

/// Where `text` holds the lower-case `word` first, ASCII case ignored.
fn find_ignore_case(text: &[u8], word: &[u8]) -> Option<usize> {
    let Some(first) = word.first() else { return Some(0) };
    let (low, high) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(low, high, rest)) {
        at += found;
        if text.get(at..at + word.len())?.eq_ignore_ascii_case(word) {
            return Some(at);
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Test;

    #[test]
    fn stars_stand_for_anything_anywhere() {
        for (pattern, fits, fits_not) in [
            ("*", &["", "x"][..], &[][..]),
            ("**", &["", "x"], &[]),
            ("a", &["a", "A"], &["", "ab"]),
            ("a*", &["a", "Ab"], &["ba", ""]),
            ("*a", &["a", "bA"], &["ab", ""]),
            ("*a*", &["a", "bAc"], &["b", ""]),
            ("**a**", &["a", "bAc"], &["b", ""]),
            ("a*a", &["aa", "a-a"], &["a", "ab"]),
            ("*\\*", &["A\\b", "\\"], &["ab"]),
            (
                "access to*is not*",
                &["Access to x is not allowed"],
                &["access to x", "is not access to"],
            ),
            ("sip*:*@*", &["sips:bob@x", "sip:@"], &["sip:bob", "sip@:"]),
            ("*b*a*b", &["bab", "abab", "b--a--b"], &["bab-", "ab", "bb"]),
        ] {
            let test = Test::of_text(pattern);
            for text in fits {
                assert!(test.text(text), "{pattern} fits {text}");
            }
            for text in fits_not {
                assert!(!test.text(text), "{pattern} does not fit {text}");
            }
        }
    }
}
