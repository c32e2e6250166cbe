//! [`Value`]: what a field of an event holds, borrowed from the event.

use std::borrow::Cow;

use crate::stored::Stored;

/// A field's value, borrowed from its [`crate::Event`].
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// JSON null: present, but nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number, kept exactly.
    Int(i64),
    /// A whole number above `i64::MAX`, kept exactly.
    UInt(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(&'a str),
    /// Several values (a JSON array; nested arrays are flattened).
    List(List<'a>),
    /// A JSON object was here; its members are fields of their own (`a.b`). Only says that the
    /// field exists.
    Object,
}

/// The elements of a [`Value::List`].
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    pub(crate) text: &'a str,
    pub(crate) items: &'a [Stored],
    pub(crate) all: &'a [Stored],
}

impl<'a> List<'a> {
    /// The elements in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Value<'a>> {
        self.items.iter().map(move |stored| stored.view(self.text, self.all))
    }

    /// The element at a place.
    pub fn get(self, place: usize) -> Option<Value<'a>> {
        self.items.get(place).map(|stored| stored.view(self.text, self.all))
    }

    /// Number of elements.
    pub fn len(self) -> usize {
        self.items.len()
    }

    /// Whether there is no element.
    pub fn is_empty(self) -> bool {
        self.items.is_empty()
    }
}

impl<'a> Value<'a> {
    /// The text, when this is text.
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar as the text Sigma compares with: numbers in decimal, booleans `true`/`false`.
    /// `None` for null, lists and objects.
    pub fn to_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Str(text) => Some(Cow::Borrowed(text)),
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            Self::Int(number) => Some(Cow::Owned(number.to_string())),
            Self::UInt(number) => Some(Cow::Owned(number.to_string())),
            Self::Float(number) => Some(Cow::Owned(number.to_string())),
            Self::Null | Self::List(_) | Self::Object => None,
        }
    }

    /// The scalar itself, or the list's elements: what "any element" conditions walk over.
    pub fn for_each_scalar(self, mut each: impl FnMut(Value<'a>)) {
        match self {
            Self::List(list) => list.iter().for_each(each),
            other => each(other),
        }
    }

    /// As JSON.
    pub fn to_json(self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null => Json::Null,
            Self::Bool(flag) => Json::Bool(flag),
            Self::Int(number) => number.into(),
            Self::UInt(number) => number.into(),
            Self::Float(number) => {
                serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number)
            }
            Self::Str(text) => Json::String(text.to_owned()),
            Self::List(list) => Json::Array(list.iter().map(Value::to_json).collect()),
            Self::Object => Json::Object(serde_json::Map::new()),
        }
    }
}

/// A value that owns its text, for building events from outside the parsers.
#[derive(Debug, Clone, PartialEq)]
pub enum OwnedValue {
    /// JSON null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// Several values.
    List(Vec<OwnedValue>),
}

impl From<&str> for OwnedValue {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<i64> for OwnedValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}
