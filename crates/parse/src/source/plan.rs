//! [`Plan`]: a definition compiled, immutable, shared between threads.

use ahash::AHashMap;
use tocsin_model::FieldId;
use tocsin_model::value::OwnedValue;

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
}

impl Test {
    /// Of a constant's text: `*`, `x*`, `*x`, `*x*` or the text itself.
    pub(crate) fn of_text(text: &str) -> Self {
        let (head, tail) = (text.strip_prefix('*'), text.strip_suffix('*'));
        match (head, tail) {
            (Some(""), _) => Self::Present,
            (Some(rest), Some(_)) => {
                Self::Contains(rest.trim_end_matches('*').to_ascii_lowercase())
            }
            (Some(rest), None) => Self::Ends(rest.to_ascii_lowercase()),
            (None, Some(rest)) => Self::Starts(rest.to_ascii_lowercase()),
            (None, None) => Self::Is(text.to_ascii_lowercase(), text.parse().ok()),
        }
    }

    /// Whether a text fits.
    pub(crate) fn text(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        match self {
            Self::Absent => false,
            Self::Present => true,
            Self::Is(word, _) => text.eq_ignore_ascii_case(word),
            Self::Starts(word) => bytes
                .get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes())),
            Self::Ends(word) => bytes
                .len()
                .checked_sub(word.len())
                .is_some_and(|start| bytes[start..].eq_ignore_ascii_case(word.as_bytes())),
            Self::Contains(word) => contains_ignore_case(bytes, word.as_bytes()),
        }
    }
}

/// Whether `text` holds the lower-case `word`, ASCII case ignored.
fn contains_ignore_case(text: &[u8], word: &[u8]) -> bool {
    let Some(first) = word.first() else { return true };
    let (low, high) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(low, high, rest)) {
        at += found;
        match text.get(at..at + word.len()) {
            Some(part) if part.eq_ignore_ascii_case(word) => return true,
            Some(_) => at += 1,
            None => return false,
        }
    }
    false
}
