//! Which of its own keys a JSON object of a request has, and what they make of it: a batch, a raw
//! line, an event, or a mistake.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Longest `format` that is taken as a hint, in bytes.
const HINT_BYTES_MAX: usize = 64;
/// Names that others give to the list of a batch.
const WRAPPERS: &[&str] =
    &["records", "logs", "entries", "items", "batch", "messages", "lines", "data", "values"];
/// Longest name that is compared with those, in bytes.
const WRAPPER_BYTES_MAX: usize = 12;

/// The keys of an object that matter to a request.
#[derive(Default)]
pub(super) struct Shape<'a> {
    pub events: Option<&'a RawValue>,
    format: Option<&'a RawValue>,
    raw: Option<&'a RawValue>,
    /// The first other key.
    pub other: Option<String>,
    members: usize,
}

/// What an object with `format` or `raw` is.
pub(super) enum Told {
    /// A raw line; `left_out` is a further field, which says more than is read.
    Line { raw: String, hint: Option<String>, left_out: Option<String> },
    /// An event, with what is odd about its format.
    Event(Option<String>),
    /// Nothing.
    Refused(String),
}

impl<'a> Shape<'a> {
    /// Of an object that may be a batch.
    pub(super) fn of_batch(json: &'a str) -> Option<Self> {
        let may_be = json.starts_with('{') && json.contains("\"events\"");
        may_be
            .then(|| serde_json::from_str(json).ok())
            .flatten()
            .filter(|shape: &Self| shape.events.is_some())
    }

    /// Of an object that may hold a raw line.
    pub(super) fn of_line(json: &'a str) -> Option<Self> {
        let may_be = json.contains("\"raw\"") || json.contains("\"format\"");
        may_be.then(|| serde_json::from_str(json).ok()).flatten()
    }

    /// What the object is, by its `format` and `raw`.
    pub(super) fn told(&self, known: super::KnownFormat<'_>) -> Told {
        let other = self.other.clone().or(self.events.map(|_| "events".to_owned()));
        let check = |format: &str| {
            let hint = format.trim().to_ascii_lowercase();
            if hint.len() > HINT_BYTES_MAX {
                return Err(format!("format has {} bytes, more than {HINT_BYTES_MAX}", hint.len()));
            }
            if hint.is_empty() { Ok(None) } else { known(&hint).map(|()| Some(hint)) }
        };
        let alone = other.is_none();
        match (text(self.format), text(self.raw)) {
            (Some(format), Some(raw)) => match check(&format) {
                Ok(_) if raw.trim().is_empty() => {
                    Told::Refused("raw is empty; it must hold the log line".into())
                }
                Ok(hint) => Told::Line {
                    raw: raw.trim_end_matches(['\r', '\n']).to_owned(),
                    hint,
                    left_out: other,
                },
                Err(why) if alone => Told::Refused(why),
                Err(why) => Told::Event(Some(format!("{why}; the event is read as JSON"))),
            },
            (Some(format), None) => {
                let followed = matches!(check(&format), Ok(Some(_)));
                match self.raw {
                    Some(_) if alone || followed => not_a_text(self.raw),
                    None if alone => Told::Refused(
                        "format says how raw is to be read, and there is no raw with the log line"
                            .into(),
                    ),
                    None if followed => Told::Event(Some(
                        "format says how raw is to be read, and there is no raw; the event is read as JSON"
                            .into(),
                    )),
                    _ => Told::Event(None),
                }
            }
            (None, None) if alone && self.raw.is_some() => not_a_text(self.raw),
            (None, Some(_)) => Told::Event(self.format.map(|wrong| {
                let kind = kind(wrong.get());
                format!("format must be a text, not {kind}; the event is read as JSON")
            })),
            (None, None) => Told::Event(None),
        }
    }
}

fn not_a_text(raw: Option<&RawValue>) -> Told {
    let kind = raw.map_or("nothing", |raw| kind(raw.get()));
    Told::Refused(format!("raw must be a text, the log line, not {kind}"))
}

/// A JSON text.
fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    value.and_then(|value| serde_json::from_str(value.get()).ok())
}

/// What a JSON value is, in words.
pub(super) fn kind(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Whether a text is one object with a list `events`.
pub(super) fn has_events(json: &str) -> bool {
    Shape::of_batch(json)
        .and_then(|shape| shape.events)
        .is_some_and(|events| events.get().starts_with('['))
}

/// The key of an object that holds nothing but a list under a name that was meant to be `events`.
pub(super) fn is_wrapper(json: &str) -> Option<String> {
    let key = json.strip_prefix('{')?.trim_start().strip_prefix('"')?;
    let (key, rest) = key.split_once('"')?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('[')?;
    let word = key.to_ascii_lowercase();
    let near = word.len() <= WRAPPER_BYTES_MAX && distance(&word, "events") <= 2;
    let other = WRAPPERS.contains(&word.as_str()) && rest.trim_start().starts_with('{');
    if !near && !other {
        return None;
    }
    let shape: Shape<'_> = serde_json::from_str(json).ok()?;
    (shape.members == 1).then(|| key.to_owned())
}

/// How many letters must be changed, added or taken to make one word of another.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.bytes().enumerate() {
        let mut before = line;
        let mut left = line + 1;
        for (place, b) in to.bytes().enumerate() {
            let above = row.get(place + 1).copied().unwrap_or(usize::MAX);
            let best = (before + usize::from(a != b)).min(above + 1).min(left + 1);
            if let Some(cell) = row.get_mut(place) {
                *cell = left;
            }
            (before, left) = (above, best);
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

impl<'de> Deserialize<'de> for Shape<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members)
    }
}

/// Reads the members of an object.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Shape<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Shape<'de>, M::Error> {
        let mut shape = Shape::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            shape.members += 1;
            let value: &RawValue = map.next_value()?;
            let there = Some(value).filter(|value| value.get() != "null");
            match key.as_ref() {
                "events" => shape.events = Some(value),
                "format" => shape.format = there,
                "raw" => shape.raw = there,
                _ if shape.other.is_none() => shape.other = Some(key.into_owned()),
                _ => {}
            }
        }
        Ok(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    #[test]
    fn wrappers_are_told_from_events() {
        let table = [
            (r#"{"event":[{"a":1}]}"#, Some("event")),
            (r#"{ "Events" : [] }"#, Some("Events")),
            (r#"{"evnets":["line"]}"#, Some("evnets")),
            (r#"{"Records":[{"a":1}]}"#, Some("Records")),
            (r#"{"data":["a"]}"#, None),
            (r#"{"event":{"action":"x"}}"#, None),
            (r#"{"event":[{"a":1}],"user":"x"}"#, None),
            (r#"{"vents_of_all_kinds":[1]}"#, None),
            (r#"{"tags":["a"]}"#, None),
            ("[1]", None),
            (r#"{"event":["#, None),
        ];
        for (json, expected) in table {
            assert_eq!(is_wrapper(json).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn words_are_as_far_apart_as_letters_differ() {
        let table = [("events", 0), ("event", 1), ("evnets", 2), ("", 6), ("x", 6), ("eventss", 1)];
        for (word, expected) in table {
            assert_eq!(distance(word, "events"), expected, "{word}");
        }
    }

    fn auth_only(format: &str) -> Result<(), String> {
        if format == "auth" { Ok(()) } else { Err(format!("unknown format {format:?}")) }
    }

    #[test]
    fn mistakes_are_refused_or_told() {
        let table: &[(&str, &str, &str)] = &[
            ("", r#"{"event":[{"a":1}]}"#, "!0 \"event\" holds a list, did you mean \"events\"?"),
            ("", r#"{"events":{}}"#, "!0 events must be a list of events, not an object"),
            ("", r#"{"events":null}"#, "!0 events must be a list of events, not null"),
            ("", r#"{"events":[{"a":1}],"b":2}"#, r#"json|{"a":1} ?0 b only the list"#),
            ("", r#"{"format":"nosuch","raw":"x"}"#, "!0 unknown format \"nosuch\""),
            ("", r#"{"format":"png","raw":"x","b":1}"#, "json|*png* ?0 format unknown format"),
            ("", r#"{"format":"auth","raw":"x","b":1}"#, "auth|x ?0 b only format and raw"),
            (
                "",
                r#"{"format":"auth"}"#,
                "!0 format says how raw is to be read, and there is no raw",
            ),
            ("", r#"{"format":"auth","b":1}"#, "json|*auth* ?0 format format says"),
            ("", r#"{"format":"png","b":1}"#, "json|*png*"),
            (
                "",
                r#"{"format":"auth","raw":5}"#,
                "!0 raw must be a text, the log line, not a number",
            ),
            ("", r#"{"format":"auth","raw":5,"b":1}"#, "!0 raw must be a text"),
            ("", r#"{"format":"auth","raw":null}"#, "!0 format says how"),
            ("", r#"{"raw":{}}"#, "!0 raw must be a text, the log line, not an object"),
            ("", r#"{"raw":{},"b":1}"#, "json|*b*"),
            (
                "",
                r#"{"format":[],"raw":"x"}"#,
                "json|*x* ?0 format format must be a text, not a list",
            ),
            ("", r#"{"format":"","raw":"x"}"#, "-|x"),
            ("", r#"{"raw":"x"}"#, "json|*x*"),
            ("", " \n", "!0 the body is empty; send"),
            ("text/plain", "", "!0 the body is empty; send"),
            ("application/xml", "<a/>", "!0 a body of type application/xml cannot be read; send"),
            ("multipart/form-data; boundary=x", "--x", "!0 a body of type multipart/form-data"),
        ];
        for (content_type, body, expected) in table {
            let limits = IngestLimits::default();
            let decoded = decode_ingest(Some(content_type), body.as_bytes(), &limits, &auth_only);
            let mut said = String::new();
            for IngestEntry { bytes, hint, .. } in &decoded.entries {
                let hint = hint.as_deref().unwrap_or("-");
                said.push_str(&format!("{hint}|{} ", String::from_utf8_lossy(bytes)));
            }
            for Warning { index, field, message } in &decoded.warnings {
                said.push_str(&format!("?{index} {} {message}", field.as_deref().unwrap_or("-")));
            }
            for Refused { index, reason } in &decoded.refused {
                said.push_str(&format!("!{index} {reason}"));
            }
            let mut from = 0;
            for part in expected.split('*') {
                let at = said[from..].find(part).unwrap_or_else(|| panic!("{body}: {said}"));
                from += at + part.len();
            }
        }
    }
}
