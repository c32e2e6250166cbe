//! Decodes the body of `POST /ingest`.
//!
//! In: bytes as sent. Out: the events in it, each as the bytes of a record with the sender's
//! hint, and those refused with the reason. Never fails as a whole on one bad event, never
//! interprets an event's fields beyond `format` and `raw`, never takes more than linear time.

mod shape;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use self::shape::{Shape, Told, is_wrapper};
use crate::config::IngestLimits;

/// How many refused events are described one by one; further ones are only counted.
pub const REFUSED_SHOWN_MAX: usize = 100;

/// How many warnings are given in full; further ones are only counted.
pub const WARNINGS_SHOWN_MAX: usize = 100;

/// Says why a `format` (trimmed, lower case) is not known, for the sender.
pub type KnownFormat<'a> = &'a dyn Fn(&str) -> Result<(), String>;

/// What a request body holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestBody {
    /// The events, in the order sent.
    pub entries: Vec<IngestEntry>,
    /// Those that cannot be taken: the first [`REFUSED_SHOWN_MAX`] of them.
    pub refused: Vec<Refused>,
    /// How many could not be taken.
    pub refused_count: usize,
    /// What in accepted events was probably meant otherwise: the first [`WARNINGS_SHOWN_MAX`].
    pub warnings: Vec<Warning>,
    /// How many warnings there are.
    pub warnings_count: usize,
}

impl IngestBody {
    /// Adds a warning about the event at a place.
    pub fn warn(&mut self, index: usize, field: Option<String>, message: String) {
        self.warnings_count += 1;
        if self.warnings.len() < WARNINGS_SHOWN_MAX {
            self.warnings.push(Warning { index, field, message });
        }
    }
}

/// One event of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestEntry {
    /// Its place in the request, counted from 0 over accepted and refused ones.
    pub index: usize,
    /// A raw line, or the JSON of an object.
    pub bytes: Bytes,
    /// The sender's hint (`auth`, `nginx`, …); `json` for objects; `None` for plain lines.
    pub hint: Option<Arc<str>>,
}

/// One event that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the request, counted from 0 over accepted and refused ones.
    pub index: usize,
    /// Why, for the sender.
    pub reason: String,
}

/// Something in an accepted event that was probably meant otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The event's place in the request, counted as in [`Refused`].
    pub index: usize,
    /// The field, when it is about one.
    pub field: Option<String>,
    /// What is wrong, and what becomes of the event.
    pub message: String,
}

/// What a body may be, for those who sent something else.
const EXPECTED: &str = "send {\"events\":[…]}, a list, or one JSON object a line as application/json, or plain log lines as text/plain";

/// Decodes a request body: `{"events": […]}`, an array, one object, objects one after the other
/// (NDJSON), or plain lines. An event is an object, a line as a JSON string, or
/// `{"format": "auth", "raw": "the line"}` with a format that `known` knows.
///
/// Lines that are not JSON are refused when `content_type` promises JSON or something that has no
/// lines, and are taken as log lines otherwise.
pub fn decode_ingest(
    content_type: Option<&str>,
    body: &[u8],
    limits: &IngestLimits,
    known: KnownFormat<'_>,
) -> IngestBody {
    let media = content_type.unwrap_or_default().to_ascii_lowercase();
    let media = media.split(';').next().unwrap_or_default().trim();
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let json_hint = Arc::from("json");
    let mut sink = Sink { limits, known, body: IngestBody::default(), json_hint };
    if body.len() > limits.body_bytes_max {
        let (size, max) = (body.len(), limits.body_bytes_max);
        sink.refuse(format!("the body has {size} bytes, more than {max}; send smaller batches"));
    } else if body.trim_ascii().is_empty() {
        sink.refuse(format!("the body is empty; {EXPECTED}"));
    } else if media == "text/plain" && !is_batch(body) {
        sink.lines(body);
    } else {
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let like_json = matches!(first, Some(b'{' | b'[' | b'"'));
        let declared = media.contains("json") || has_no_lines(media);
        if !like_json && has_no_lines(media) {
            sink.refuse(format!("a body of type {media} cannot be read; {EXPECTED}"));
        } else if declared || like_json {
            // An odd byte in one event must not cost the others.
            sink.json(&String::from_utf8_lossy(body), declared);
        } else {
            sink.lines(body);
        }
    }
    sink.body
}

/// Whether a media type is of bodies in which a line is no log line.
fn has_no_lines(media: &str) -> bool {
    let kinds = ["multipart/", "image/", "audio/", "video/", "font/"];
    let words = ["xml", "html", "protobuf", "msgpack", "cbor", "zip", "pdf"];
    kinds.iter().any(|kind| media.starts_with(kind))
        || words.iter().any(|word| media.ends_with(word))
}

/// Whether a body that is declared as text is a whole `{"events": […]}` all the same.
fn is_batch(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.starts_with(b"{")
        && std::str::from_utf8(body)
            .is_ok_and(|text| text.contains("\"events\"") && shape::has_events(text))
}

/// Collects events within the limits.
struct Sink<'a> {
    limits: &'a IngestLimits,
    known: KnownFormat<'a>,
    body: IngestBody,
    json_hint: Arc<str>,
}

impl Sink<'_> {
    /// JSON values one after the other. From the first broken one on, each line stands for
    /// itself, so that one bad line costs only itself.
    fn json(&mut self, text: &str, declared: bool) {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        let mut good = 0;
        while let Some(Ok(value)) = values.next() {
            good = values.byte_offset();
            self.value(value.get());
        }
        let rest = text[good..].trim_start();
        for line in rest.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match serde_json::from_str::<&RawValue>(line) {
                Ok(value) => self.value(value.get()),
                Err(_) if !declared && !line.starts_with('{') => self.line(line.as_bytes()),
                Err(error) => self.refuse(format!("not valid JSON: {error}")),
            }
        }
    }

    fn lines(&mut self, body: &[u8]) {
        let trim = |line: &'_ [u8]| line.strip_suffix(b"\r").unwrap_or(line).len();
        for line in body.split(|byte| *byte == b'\n') {
            let line = &line[..trim(line)];
            if !line.is_empty() {
                self.line(line);
            }
        }
    }

    /// One whole JSON value of the body: a batch or an event.
    fn value(&mut self, json: &str) {
        if json.starts_with('[') {
            match serde_json::from_str::<Vec<&RawValue>>(json) {
                Ok(events) => events.iter().for_each(|event| self.event(event.get())),
                Err(error) => self.refuse(format!("not valid JSON: {error}")),
            }
        } else if let Some(shape) = Shape::of_batch(json) {
            self.batch(&shape, json);
        } else if let Some(word) = is_wrapper(json) {
            self.refuse(format!("{word:?} holds a list, did you mean \"events\"?"));
        } else {
            self.event(json);
        }
    }

    /// An object with `events` in it.
    fn batch(&mut self, shape: &Shape<'_>, json: &str) {
        let Some(events) = shape.events.map(RawValue::get) else { return self.event(json) };
        match (serde_json::from_str::<Vec<&RawValue>>(events), &shape.other) {
            (Ok(list), other) => {
                if let Some(other) = other {
                    let message = "only the list in events is read of a batch; what stands beside it belongs into each event";
                    let index = self.next_index();
                    self.body.warn(index, Some(other.clone()), message.to_owned());
                }
                list.iter().for_each(|event| self.event(event.get()));
            }
            // An event may have a field of that name.
            (Err(_), Some(_)) => self.event(json),
            (Err(_), None) => {
                let kind = shape::kind(events);
                self.refuse(format!("events must be a list of events, not {kind}"));
            }
        }
    }

    fn event(&mut self, json: &str) {
        match json.as_bytes().first() {
            Some(b'{') => self.object(json),
            Some(b'"') => match serde_json::from_str::<Cow<'_, str>>(json) {
                Ok(line) => self.line(line.as_bytes()),
                Err(error) => self.refuse(format!("not valid JSON: {error}")),
            },
            Some(b'[') => self.refuse("an event must be an object or a text, not a list".into()),
            _ => {
                let shown: String = json.chars().take(20).collect();
                self.refuse(format!("an event must be an object or a text, not {shown}"));
            }
        }
    }

    fn object(&mut self, json: &str) {
        if json[1..].trim_start() == "}" {
            return self.refuse("the event has no fields".into());
        }
        let Some(shape) = Shape::of_line(json) else {
            return self.push(json.as_bytes(), Some(self.json_hint.clone()));
        };
        let index = self.next_index();
        match shape.told(self.known) {
            Told::Line { raw, hint, left_out } => {
                self.push(raw.as_bytes(), hint.map(Arc::from));
                if let Some(field) = left_out {
                    let message = "only format and raw are read of an event that has both; what stands beside them is left out";
                    self.warn(index, field, message.to_owned());
                }
            }
            Told::Event(doubt) => {
                self.push(json.as_bytes(), Some(self.json_hint.clone()));
                if let Some(message) = doubt {
                    self.warn(index, "format".to_owned(), message);
                }
            }
            Told::Refused(reason) => self.refuse(reason),
        }
    }

    /// Warns about an event, unless it was refused.
    fn warn(&mut self, index: usize, field: String, message: String) {
        if self.body.entries.last().is_some_and(|entry| entry.index == index) {
            self.body.warn(index, Some(field), message);
        }
    }

    fn line(&mut self, line: &[u8]) {
        if line.trim_ascii().is_empty() {
            self.refuse("the line is empty".into());
        } else {
            self.push(line, None);
        }
    }

    fn push(&mut self, bytes: &[u8], hint: Option<Arc<str>>) {
        let (events_max, bytes_max) = (self.limits.events_max, self.limits.event_bytes_max);
        if self.body.entries.len() >= events_max {
            self.refuse(format!("over {events_max} events in one request; send smaller batches"));
        } else if bytes.len() > bytes_max {
            let size = bytes.len();
            self.refuse(format!("the event has {size} bytes, more than {bytes_max}"));
        } else {
            let (index, bytes) = (self.next_index(), Bytes::copy_from_slice(bytes));
            self.body.entries.push(IngestEntry { index, bytes, hint });
        }
    }

    fn next_index(&self) -> usize {
        self.body.entries.len() + self.body.refused_count
    }

    fn refuse(&mut self, reason: String) {
        let index = self.next_index();
        self.body.refused_count += 1;
        if self.body.refused.len() < REFUSED_SHOWN_MAX {
            self.body.refused.push(Refused { index, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn known(format: &str) -> Result<(), String> {
        let known = ["auth", "nginx", "ssh", "syslog"].contains(&format);
        if known { Ok(()) } else { Err(format!("unknown format {format:?}")) }
    }

    /// What a body decodes to: `hint|bytes` for events, `!index reason` for refused ones.
    fn decode(content_type: &str, body: &[u8]) -> Vec<String> {
        let limits = IngestLimits { body_bytes_max: 400, events_max: 4, event_bytes_max: 60 };
        let decoded = decode_ingest(Some(content_type), body, &limits, &known);
        let event = |entry: &IngestEntry| {
            let hint = entry.hint.as_deref().unwrap_or("-");
            format!("{hint}|{}", String::from_utf8_lossy(&entry.bytes))
        };
        let refused = |refused: &Refused| format!("!{} {}", refused.index, refused.reason);
        assert_eq!(decoded.refused.len(), decoded.refused_count);
        decoded.entries.iter().map(event).chain(decoded.refused.iter().map(refused)).collect()
    }

    #[test]
    fn every_shape_of_batch_is_taken() {
        let table: &[(&str, &str, &[&str])] = &[
            ("application/json", r#"{"events":[{"a":1},"x y"]}"#, &[r#"json|{"a":1}"#, "-|x y"]),
            (
                "application/json; charset=utf-8",
                r#"[{"a":1}, {"b":2.50}]"#,
                &[r#"json|{"a":1}"#, r#"json|{"b":2.50}"#],
            ),
            ("application/json", "{\n \"a\": 1\n}", &["json|{\n \"a\": 1\n}"]),
            (
                "application/x-ndjson",
                "{\"a\":1}\r\n\r\n{\"b\":2}\n",
                &[r#"json|{"a":1}"#, r#"json|{"b":2}"#],
            ),
            ("", r#"{"format":"AUTH","raw":"Nov 21 \"x\"\n"}"#, &["auth|Nov 21 \"x\""]),
            ("", r#"{"format":"","raw":"x"}"#, &["-|x"]),
            ("", r#"{"raw":"x","user":"u"}"#, &[r#"json|{"raw":"x","user":"u"}"#]),
            ("", r#"{"format":7,"raw":"x"}"#, &[r#"json|{"format":7,"raw":"x"}"#]),
            ("", r#"{"format":"json","user":"u"}"#, &[r#"json|{"format":"json","user":"u"}"#]),
            ("", r#"{"events":3,"b":1}"#, &[r#"json|{"events":3,"b":1}"#]),
            ("", r#"{"events":[]}"#, &[]),
            (
                "application/x-www-form-urlencoded",
                "a line\r\n\nanother\n",
                &["-|a line", "-|another"],
            ),
            ("text/plain", "[x] line\n{\"a\":1}", &["-|[x] line", r#"-|{"a":1}"#]),
            (
                "",
                "[Wed Oct 11] [error] one\n[Wed Oct 11] two",
                &["-|[Wed Oct 11] [error] one", "-|[Wed Oct 11] two"],
            ),
            ("", "\u{feff}{\"a\":1}{\"b\":2}", &[r#"json|{"a":1}"#, r#"json|{"b":2}"#]),
            ("text/plain", " {\"events\":[{\"a\":1}]}\n", &[r#"json|{"a":1}"#]),
            ("text/plain", "{\"events\":5}", &[r#"-|{"events":5}"#]),
            ("application/xml", "{\"a\":1}\n{\"b\":2}", &[r#"json|{"a":1}"#, r#"json|{"b":2}"#]),
        ];
        for (content_type, body, expected) in table {
            assert_eq!(decode(content_type, body.as_bytes()), *expected, "{body}");
        }
    }

    #[test]
    fn one_bad_event_costs_only_itself_and_the_sender_learns_why() {
        let table: [(&str, &[&str]); 8] = [
            (
                "{\"a\":1}\n{\"b\":\n{\"c\":3}",
                &[
                    r#"json|{"a":1}"#,
                    r#"json|{"c":3}"#,
                    "!1 not valid JSON: EOF while parsing a value at line 1 column 5",
                ],
            ),
            (
                r#"[{"a":1},7,null,[1],{}]"#,
                &[
                    r#"json|{"a":1}"#,
                    "!1 an event must be an object or a text, not 7",
                    "!2 an event must be an object or a text, not null",
                    "!3 an event must be an object or a text, not a list",
                    "!4 the event has no fields",
                ],
            ),
            (
                r#"["",{"format":"auth","raw":"\n"}]"#,
                &["!0 the line is empty", "!1 raw is empty; it must hold the log line"],
            ),
            (
                r#"["1","2","3","4","5"]"#,
                &[
                    "-|1",
                    "-|2",
                    "-|3",
                    "-|4",
                    "!4 over 4 events in one request; send smaller batches",
                ],
            ),
            (
                r#"["0123456789012345678901234567890123456789012345678901234567890"]"#,
                &["!0 the event has 61 bytes, more than 60"],
            ),
            ("not json", &["!0 not valid JSON: expected ident at line 1 column 2"]),
            ("[1,\n", &["!0 not valid JSON: EOF while parsing a value at line 1 column 3"]),
            (
                "{\"a\":1}\nplain",
                &[r#"json|{"a":1}"#, "!1 not valid JSON: expected value at line 1 column 1"],
            ),
        ];
        for (body, expected) in table {
            assert_eq!(decode("application/json", body.as_bytes()), expected, "{body}");
        }
        let odd = decode("application/x-ndjson", b"{\"a\":\"\xff\"}\n{\"b\":2}");
        assert_eq!(odd, ["json|{\"a\":\"\u{fffd}\"}", "json|{\"b\":2}"]);
        assert_eq!(decode("text/plain", &[b'x'; 401]).len(), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(
            content_type in prop_oneof![Just("application/json"), Just(""), Just("text/plain")],
            body in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                "[\\[\\]{}\",:a1\n]{0,80}".prop_map(String::into_bytes),
            ],
        ) {
            decode(content_type, &body);
        }

        #[test]
        fn what_a_client_sends_arrives_whatever_the_shape(
            lines in proptest::collection::vec("[a-z\"\\\\é]{1,12}", 1..4),
        ) {
            let objects: Vec<_> = lines
                .iter()
                .map(|line| serde_json::json!({ "format": "auth", "raw": line }).to_string())
                .collect();
            let expected: Vec<_> = lines.iter().map(|line| format!("auth|{line}")).collect();
            for body in [objects.join("\n"), format!("[{}]", objects.join(",")),
                format!("{{\"events\":[{}]}}", objects.join(","))] {
                prop_assert_eq!(&decode("application/json", body.as_bytes()), &expected);
            }
        }
    }
}
