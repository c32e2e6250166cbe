//! Decodes the body of `POST /ingest`.
//!
//! In: bytes as sent. Out: the events in it, each as the bytes of a record with the sender's
//! hint, and those refused with the reason. Never fails as a whole on one bad event, never
//! interprets an event's fields beyond `format` and `raw`.

use std::sync::Arc;

use bytes::Bytes;

use crate::config::IngestLimits;

/// What a request body holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestBody {
    /// The events, in the order sent.
    pub entries: Vec<IngestEntry>,
    /// Those that cannot be taken.
    pub refused: Vec<Refused>,
}

/// One event of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestEntry {
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

/// Decodes a request body.
pub fn decode_ingest(
    _content_type: Option<&str>,
    _body: &[u8],
    _limits: &IngestLimits,
) -> IngestBody {
    IngestBody::default()
}
