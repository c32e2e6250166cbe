//! Writing and taking apart JSON objects without reading their values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object, in order, each with its value as it was written.
#[derive(Debug, Default)]
pub(crate) struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Of the text of an object; `None` when it is none.
    pub(crate) fn of(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Whether the object has a member of this name, or one inside it (`host.name` as
    /// `"host.name"` or below `"host"`).
    pub(crate) fn has(&self, name: &str) -> bool {
        let first = name.split('.').next().unwrap_or(name);
        self.0.iter().any(|(key, _)| {
            key == name
                || key == first
                || key.strip_prefix(first).is_some_and(|r| r.starts_with('.'))
        })
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

/// A key that borrows where it can.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members<'de>, M::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            members.push((key, value));
        }
        Ok(Members(members))
    }
}

/// Writes one JSON object.
#[derive(Debug)]
pub(crate) struct ObjectWriter {
    text: String,
}

impl ObjectWriter {
    pub(crate) fn new() -> Self {
        Self { text: String::from("{") }
    }

    /// A member whose value is JSON already.
    pub(crate) fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.text.push_str(json);
    }

    /// A member that is a text.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        quote(value, &mut self.text);
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        quote(key, &mut self.text);
        self.text.push(':');
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// Appends a JSON text.
pub(crate) fn quote(text: &str, out: &mut String) {
    // Text always serializes.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Nanoseconds since 1970 as JSON: an RFC 3339 text.
pub(crate) fn time(nanos: i64) -> String {
    tocsin_model::Timestamp(nanos).to_string()
}
