//! Elasticsearch `_bulk`: an action line, then the document's line.
//!
//! In: the body. Out: what becomes of each action, in order, each with the status Elasticsearch
//! would give it. Documents stay as they were sent.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;

use crate::config::IngestLimits;

/// Most actions of one body that are looked at; the rest of the body is refused as a whole.
const ITEMS_TIMES_MAX: usize = 2;

/// One action of a bulk body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// `index`, `create`, `update` or `delete`.
    pub action: &'static str,
    /// Where the sender wants it: an index or data stream; empty when neither the action nor the
    /// address names one.
    pub index: String,
    /// The document's id, when the sender gives one.
    pub id: Option<String>,
    /// The document, or the refusal: its type as Elasticsearch names it, and why.
    pub document: Result<Bytes, Refusal>,
}

/// Why a document was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status of the item.
    pub status: u16,
    /// Elasticsearch's word for it.
    pub kind: &'static str,
    /// In words.
    pub reason: String,
}

impl Refusal {
    fn new(status: u16, kind: &'static str, reason: impl Into<String>) -> Self {
        Self { status, kind, reason: reason.into() }
    }
}

#[derive(Default, Deserialize)]
struct Target<'a> {
    #[serde(rename = "_index", borrow, default)]
    index: Option<Cow<'a, str>>,
    #[serde(rename = "_id", borrow, default)]
    id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action<'a> {
    Index(#[serde(borrow)] Option<Target<'a>>),
    Create(#[serde(borrow)] Option<Target<'a>>),
    Update(#[serde(borrow)] Option<Target<'a>>),
    Delete(#[serde(borrow)] Option<Target<'a>>),
}

/// Reads a bulk body; `index` is the one that the address names.
///
/// # Errors
/// When a line that has to be an action is none: then nothing of the body is taken, as
/// Elasticsearch does it.
pub fn decode_bulk(
    body: &[u8],
    index: Option<&str>,
    limits: &IngestLimits,
) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    let mut taken = 0;
    let lines = body.split(|byte| *byte == b'\n').map(|line| line.trim_ascii());
    let mut lines = lines.enumerate().filter(|(_, line)| !line.is_empty());
    while let Some((number, line)) = lines.next() {
        let line = String::from_utf8_lossy(line);
        let action: Action<'_> = serde_json::from_str(&line)
            .map_err(|error| format!("Malformed action/metadata line [{}]: {error}", number + 1))?;
        if items.len() >= limits.events_max.saturating_mul(ITEMS_TIMES_MAX) {
            return Err(format!("over {} actions; send smaller batches", items.len()));
        }
        let (action, target) = match action {
            Action::Index(target) => ("index", target),
            Action::Create(target) => ("create", target),
            Action::Update(target) => ("update", target),
            Action::Delete(target) => ("delete", target),
        };
        let target = target.unwrap_or_default();
        let document = match action {
            "delete" => Err(unsupported(action)),
            "update" => {
                lines.next();
                Err(unsupported(action))
            }
            _ => match lines.next() {
                Some(_) if taken >= limits.events_max => {
                    let max = limits.events_max;
                    let reason = format!("over {max} documents; send smaller batches");
                    Err(Refusal::new(413, "content_too_long_exception", reason))
                }
                Some((_, source)) => document(source, limits),
                None => return Err("The bulk request must end with the document's line".into()),
            },
        };
        taken += usize::from(document.is_ok());
        items.push(Item {
            action,
            index: target.index.as_deref().or(index).unwrap_or_default().to_owned(),
            id: target.id.map(Cow::into_owned),
            document,
        });
    }
    Ok(items)
}

/// Reads one document, as sent to `_doc` or as a line of a bulk body.
///
/// # Errors
/// When it is no JSON object with fields, or too large.
pub fn document(source: &[u8], limits: &IngestLimits) -> Result<Bytes, Refusal> {
    let wrong = |reason: String| Refusal::new(400, "document_parsing_exception", reason);
    let max = limits.event_bytes_max;
    if source.len() > max {
        let size = source.len();
        let reason = format!("the document has {size} bytes, more than {max}");
        return Err(Refusal::new(413, "content_too_long_exception", reason));
    }
    let text = String::from_utf8_lossy(source);
    if !text.starts_with('{') {
        return Err(wrong("a document must be a JSON object".into()));
    }
    serde_json::from_str::<serde::de::IgnoredAny>(&text)
        .map_err(|error| wrong(format!("not valid JSON: {error}")))?;
    if text[1..].trim_start() == "}" {
        return Err(wrong("the document has no fields".into()));
    }
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}

fn unsupported(action: &str) -> Refusal {
    let reason = format!("events are only added: {action} is not possible; use create or index");
    Refusal::new(400, "illegal_argument_exception", reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(body: &str, index: Option<&str>) -> Result<Vec<String>, String> {
        let limits = IngestLimits { events_max: 3, event_bytes_max: 20, ..IngestLimits::default() };
        let show = |item: &Item| {
            let Item { action, index, id, document } = item;
            let id = id.as_deref().unwrap_or("-");
            match document {
                Ok(bytes) => format!("{action} {index} {id} {}", String::from_utf8_lossy(bytes)),
                Err(no) => format!("{action} {index} {id} !{} {}", no.status, no.reason),
            }
        };
        Ok(decode_bulk(body.as_bytes(), index, &limits)?.iter().map(show).collect())
    }

    #[test]
    fn actions_get_what_elasticsearch_would_say() {
        let table: &[(&str, &[&str])] = &[
            (
                "{\"create\":{\"_index\":\"logs\"}}\n{\"a\":1}\n{\"index\":{\"_id\":\"7\"}}\r\n{\"b\":2}\r\n",
                &[r#"create logs - {"a":1}"#, r#"index at 7 {"b":2}"#],
            ),
            ("{\"index\":{}}\n{\"a\":1}", &[r#"index at - {"a":1}"#]),
            (
                "{\"index\":{\"_type\":\"_doc\",\"pipeline\":\"x\"}}\n{\"a\":1}\n",
                &[r#"index at - {"a":1}"#],
            ),
            (
                "{\"index\":{}}\n{\"a\":\n{\"index\":{}}\n[1]\n{\"index\":{}}\n{ }\n{\"index\":{}}\n{\"a\":1}\n",
                &[
                    "index at - !400 not valid JSON: EOF while parsing a value at line 1 column 5",
                    "index at - !400 a document must be a JSON object",
                    "index at - !400 the document has no fields",
                    r#"index at - {"a":1}"#,
                ],
            ),
            (
                "{\"delete\":{\"_id\":\"1\"}}\n{\"update\":{\"_id\":\"2\"}}\n{\"doc\":{}}\n",
                &[
                    "delete at 1 !400 events are only added: delete is not possible; use create or index",
                    "update at 2 !400 events are only added: update is not possible; use create or index",
                ],
            ),
            (
                "{\"index\":{}}\n{\"a\":\"0123456789012345\"}\n",
                &["index at - !413 the document has 24 bytes, more than 20"],
            ),
            ("\n\n", &[]),
        ];
        for (body, expected) in table {
            assert_eq!(show(body, Some("at")).unwrap(), *expected, "{body}");
        }
        for body in ["not json\n", "{\"index\":{}}\n{\"a\":1}\nx\n", "{\"index\":{}}\n", "{}\n{}"] {
            assert!(show(body, None).is_err(), "{body}");
        }
        let many = "{\"index\":{}}\n{\"a\":1}\n".repeat(4);
        let shown = show(&many, None).unwrap();
        assert!(shown[3].contains("!413 over 3 documents"), "{shown:?}");
        assert!(show(&"{\"delete\":{}}\n".repeat(7), None).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in "[{}\"_:a-z\n]{0,80}") {
            let _ = show(&body, None);
        }
    }
}
