//! [`Filter`]: which events are meant, as a tree. Built by `search` from query text, by the
//! server from parameters.

use serde::{Deserialize, Serialize};

/// Stands for "message and raw line" where a filter wants a field.
pub const ANY_TEXT: &str = "_text";

/// Which events are meant. Values are text as people write them; the field's kind decides how
/// they compare:
///
/// - keyword and wildcard fields: exact, case counts; numbers and booleans by their text
/// - numbers: by value; addresses: by value (`::ffff:192.0.2.1` is `192.0.2.1`; a value with `/`
///   is a network); dates: RFC 3339, by instant
/// - text fields (`message`, `error.message`, and the raw line: of one that is JSON, the
///   values): by word, case does not count
/// - fields that the dictionary does not know: by text, and by value where both are numbers
///
/// A list matches when any element does. Null and the empty list match nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Every event.
    All,
    /// The field has this value.
    Term {
        /// Dotted ECS name.
        field: String,
        /// Value as text.
        value: String,
    },
    /// The field has one of these values.
    Terms {
        /// Dotted ECS name.
        field: String,
        /// Values as text.
        values: Vec<String>,
    },
    /// The field is between the bounds: numbers, addresses and dates by value, text by bytes.
    Range {
        /// Dotted ECS name.
        field: String,
        /// Lower bound.
        lower: Bound,
        /// Upper bound.
        upper: Bound,
    },
    /// The field has a value that is not null.
    Exists {
        /// Dotted ECS name.
        field: String,
    },
    /// The value starts with this (in text fields: a word does).
    Prefix {
        /// Dotted ECS name or [`ANY_TEXT`].
        field: String,
        /// The start.
        value: String,
    },
    /// The whole value matches: `*` is any text, `?` any character, `\` takes the next character
    /// as it is (in text fields: a word matches).
    Wildcard {
        /// Dotted ECS name or [`ANY_TEXT`].
        field: String,
        /// The pattern.
        pattern: String,
    },
    /// The whole value matches the regular expression, as in Elasticsearch (in text fields: a
    /// word does).
    Regex {
        /// Dotted ECS name or [`ANY_TEXT`].
        field: String,
        /// The expression, syntax of the `regex` crate.
        pattern: String,
    },
    /// The address is in the network.
    Cidr {
        /// Dotted ECS name.
        field: String,
        /// `192.0.2.0/24`, `2001:db8::/32` or a single address.
        network: String,
    },
    /// Words occur.
    Words {
        /// A text field; `None` is message and raw line.
        field: Option<String>,
        /// The words.
        text: String,
        /// How many of them.
        mode: WordsMode,
    },
    /// All of these; empty is every event.
    And(Vec<Filter>),
    /// Any of these; empty is no event.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
}

/// End of a range.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Open.
    #[default]
    Unbounded,
    /// The value itself is in.
    Included(String),
    /// The value itself is out.
    Excluded(String),
}

/// How the words of [`Filter::Words`] combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordsMode {
    /// One of them is enough. What stands together without a space between is one of them.
    Any,
    /// All of them, anywhere. What stands together without a space between is one of them.
    All,
    /// All of them, one after the other.
    Phrase,
}

impl Filter {
    /// The field has this value.
    pub fn term(field: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Term { field: field.into(), value: value.into() }
    }

    /// The field has a value.
    pub fn exists(field: impl Into<String>) -> Self {
        Self::Exists { field: field.into() }
    }

    /// Both; [`Filter::All`] disappears.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, other) => other,
            (one, Self::All) => one,
            (Self::And(mut all), other) => {
                all.push(other);
                Self::And(all)
            }
            (one, other) => Self::And(vec![one, other]),
        }
    }
}
