//! Splunk's HTTP event collector: JSON events one after the other, or raw text.
//!
//! In: the body. Out: events; what stands beside an event (time, host, source, source type,
//! fields) is put into it where it does not say so itself.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Taken;
use super::object::{Members, ObjectWriter, time};
use crate::config::IngestLimits;

/// What is told about events of a request: in the event itself, or for all of them in the
/// address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The host that wrote it.
    pub host: Option<String>,
    /// Where it comes from, mostly a path.
    pub source: Option<String>,
    /// What kind it is.
    pub source_type: Option<String>,
    /// Where the sender wants it.
    pub index: Option<String>,
}

/// Why a body is refused, as the HEC numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// There is nothing in it.
    NoData,
    /// It is no JSON of the right form.
    Format,
    /// An event has no `event`.
    EventMissing,
    /// An event is empty.
    EventBlank,
}

impl Wrong {
    /// Number and text of the answer.
    pub fn code(self) -> (u8, &'static str) {
        match self {
            Self::NoData => (5, "No data"),
            Self::Format => (6, "Invalid data format"),
            Self::EventMissing => (12, "Event field is required"),
            Self::EventBlank => (13, "Event field cannot be blank"),
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    host: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sourcetype: Option<Cow<'a, str>>,
    #[serde(borrow)]
    index: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
}

/// Reads a body of `/services/collector/event`.
///
/// # Errors
/// What is wrong with the event of that number; those before it are taken, as Splunk does it.
pub fn decode_events(
    body: &[u8],
    about: &About,
    limits: &IngestLimits,
) -> (Taken, Option<(usize, Wrong)>) {
    let mut taken = Taken::default();
    let text = String::from_utf8_lossy(body);
    let mut number = 0;
    // Some send a list.
    let values = serde_json::Deserializer::from_str(&text).into_iter::<&RawValue>();
    for value in values {
        let Ok(value) = value else { return (taken, Some((number, Wrong::Format))) };
        let list = value.get().starts_with('[');
        let parsed = match list {
            true => serde_json::from_str::<Vec<&RawValue>>(value.get()).unwrap_or_default(),
            false => vec![value],
        };
        for event in parsed {
            if let Err(wrong) = one(event.get(), about, limits, &mut taken) {
                return (taken, Some((number, wrong)));
            }
            number += 1;
        }
    }
    let empty = (number == 0).then_some((0, Wrong::NoData));
    (taken, empty)
}

fn one(json: &str, about: &About, limits: &IngestLimits, taken: &mut Taken) -> Result<(), Wrong> {
    let envelope: Envelope<'_> = serde_json::from_str(json).map_err(|_| Wrong::Format)?;
    let event = envelope.event.ok_or(Wrong::EventMissing)?.get();
    if event == "null" {
        return Err(Wrong::EventMissing);
    }
    let inner = Members::of(event).unwrap_or_default();
    let mut out = ObjectWriter::new();
    if let Some(at) = envelope.time.and_then(|at| seconds(at.get()))
        && !["@timestamp", "timestamp", "time", "_time"].iter().any(|name| inner.has(name))
    {
        out.text("@timestamp", &time(at));
    }
    if event.starts_with('"') {
        let line: Cow<'_, str> = serde_json::from_str(event).map_err(|_| Wrong::Format)?;
        if line.trim().is_empty() {
            return Err(Wrong::EventBlank);
        }
        out.text("message", line.trim_end_matches(['\r', '\n']));
    } else if event.starts_with('{') {
        if inner.0.is_empty() {
            return Err(Wrong::EventBlank);
        }
        inner.0.iter().for_each(|(key, value)| out.raw(key, value.get()));
    } else {
        out.raw("message", event);
    }
    let said = |own: &Option<Cow<'_, str>>, of_all: &Option<String>| {
        own.as_deref().map(str::to_owned).or_else(|| of_all.clone())
    };
    let own = About {
        host: said(&envelope.host, &about.host),
        source: said(&envelope.source, &about.source),
        source_type: said(&envelope.sourcetype, &about.source_type),
        index: said(&envelope.index, &about.index),
    };
    own.write(&inner, &mut out);
    let fields = envelope.fields.and_then(|fields| Members::of(fields.get()));
    for (key, value) in fields.unwrap_or_default().0 {
        if !inner.has(&key) && key != "message" {
            out.raw(&key, value.get());
        }
    }
    taken.push(out.finish(), limits);
    Ok(())
}

/// Reads a body of `/services/collector/raw`: each line is an event.
pub fn decode_raw(body: &[u8], about: &About, limits: &IngestLimits) -> Taken {
    let mut taken = Taken::default();
    let inner = Members::default();
    for line in String::from_utf8_lossy(body).lines().filter(|line| !line.trim().is_empty()) {
        let mut out = ObjectWriter::new();
        out.text("message", line);
        about.write(&inner, &mut out);
        taken.push(out.finish(), limits);
    }
    taken
}

impl About {
    /// Writes what the event itself does not say.
    fn write(&self, inner: &Members<'_>, out: &mut ObjectWriter) {
        let host = ["host", "hostname", "host.name"].iter().any(|name| inner.has(name));
        if let Some(value) = self.host.as_deref().filter(|value| !host && !value.is_empty()) {
            out.text("host.name", value);
        }
        if let Some(value) = &self.source
            && value.starts_with('/')
            && !inner.has("log")
        {
            out.text("log.file.path", value);
        }
        if !inner.has("splunk") {
            let rest = [("source", &self.source), ("sourcetype", &self.source_type)];
            for (name, value) in rest.into_iter().chain([("index", &self.index)]) {
                if let Some(value) = value {
                    out.text(&format!("splunk.{name}"), value);
                }
            }
        }
    }
}

/// Seconds since 1970, as a number or a text, in nanoseconds.
fn seconds(json: &str) -> Option<i64> {
    let text = json.trim_matches('"');
    super::nanos_of_seconds(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show((taken, wrong): (Taken, Option<(usize, Wrong)>)) -> (Vec<String>, Option<(usize, u8)>) {
        let text = |bytes: &bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        (taken.events.iter().map(text).collect(), wrong.map(|(at, wrong)| (at, wrong.code().0)))
    }

    #[test]
    fn events_get_what_stands_beside_them() {
        let about = About { host: Some("h0".into()), ..About::default() };
        let table: &[(&str, &[&str], Option<(usize, u8)>)] = &[
            (
                r#"{"time":1763683910.25,"host":"gate","source":"/var/log/auth.log","sourcetype":"linux_secure","index":"main","event":"Failed password\n","fields":{"env":"prod"}}"#,
                &[
                    r#"{"@timestamp":"2025-11-21T00:11:50.25Z","message":"Failed password","host.name":"gate","log.file.path":"/var/log/auth.log","splunk.source":"/var/log/auth.log","splunk.sourcetype":"linux_secure","splunk.index":"main","env":"prod"}"#,
                ],
                None,
            ),
            (
                "{\"time\":\"1763683910\",\"event\":{\"user\":\"bob\",\"host\":\"x\"}} {\"event\":{\"time\":5}}",
                &[
                    r#"{"@timestamp":"2025-11-21T00:11:50Z","user":"bob","host":"x"}"#,
                    r#"{"time":5,"host.name":"h0"}"#,
                ],
                None,
            ),
            (
                r#"[{"event":"a"},{"event":7}]"#,
                &[r#"{"message":"a","host.name":"h0"}"#, r#"{"message":7,"host.name":"h0"}"#],
                None,
            ),
            ("", &[], Some((0, 5))),
            (
                "{\"event\":\"a\"}{\"host\":\"b\"}",
                &[r#"{"message":"a","host.name":"h0"}"#],
                Some((1, 12)),
            ),
            (r#"{"event":""}"#, &[], Some((0, 13))),
            (r#"{"event":{}}"#, &[], Some((0, 13))),
            ("{\"event\":\"a\"} nonsense", &[r#"{"message":"a","host.name":"h0"}"#], Some((1, 6))),
            (r#"{"event":"a","host":5}"#, &[], Some((0, 6))),
        ];
        for (body, events, wrong) in table {
            let decoded = decode_events(body.as_bytes(), &about, &IngestLimits::default());
            let (shown, said) = show(decoded);
            assert_eq!(
                (shown, said),
                (events.iter().map(|e| (*e).to_owned()).collect(), *wrong),
                "{body}"
            );
        }
        let raw = decode_raw(b"one\r\n\ntwo", &about, &IngestLimits::default());
        assert_eq!(raw.events.len(), 2);
        assert_eq!(&raw.events[1][..], br#"{"message":"two","host.name":"h0"}"#);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(body in r#"[\[\]{}"a-z:,0-9 ]{0,80}"#) {
            decode_events(body.as_bytes(), &About::default(), &IngestLimits::default());
            let like = format!(r#"{{"event":{body},"time":{body},"fields":{body}}}"#);
            decode_events(like.as_bytes(), &About::default(), &IngestLimits::default());
        }
    }
}
