//! `POST /ingest`: events over HTTP.
//!
//! Answers only after what it accepted is safe in the journal. What has reached the journal is
//! counted, whether the client waits for the answer or not.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use tocsin_collect::{IngestBody, IngestLimits, Warning, decode_ingest};
use tocsin_engine::doubt::{Doubter, Parser, known_format};
use tocsin_model::{Position, Record};
use utoipa::ToSchema;

use crate::app::{App, Shared};
use crate::body::{self, Packing};
use crate::error::{ApiError, ErrorAnswer};
use crate::origin::{self, Origin};
use crate::query::now;

/// Name of this input in counters.
pub const INPUT: &str = "http";

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct IngestAnswer {
    /// Events that are safe now.
    accepted: usize,
    /// Events that were not taken, the first hundred of them.
    refused: Vec<RefusedEvent>,
    /// How many were not taken.
    refused_total: usize,
    /// What in accepted events was probably meant otherwise, the first hundred.
    warnings: Vec<IngestWarning>,
    /// How many warnings there are.
    warnings_total: usize,
}

/// An event that was not taken.
#[derive(Debug, Serialize, ToSchema)]
struct RefusedEvent {
    /// Its place in the batch, from 0.
    index: usize,
    /// Why.
    reason: String,
}

/// Something in an event that was taken which was probably meant otherwise.
#[derive(Debug, Serialize, ToSchema)]
struct IngestWarning {
    /// The event's place in the batch, from 0.
    index: usize,
    /// The field as it was sent; null when it is about the event as a whole.
    field: Option<String>,
    /// What is wrong with it, and what becomes of the event.
    message: String,
}

/// Takes a batch: `{"events":[…]}`, an array, JSON objects one a line, or plain log lines. An
/// event is an object (ECS or the usual flat names), a line as a JSON text, or
/// `{"format":"auth","raw":"the line"}` (a hint or the name of a source). May be packed with gzip,
/// deflate, zstd or snappy.
///
/// What can be stored is accepted. What in it was probably meant otherwise (a time or an address
/// that is none, a time more than a day ahead or before 2000, a line that its format does not
/// have) is told in `warnings`; what is no event is refused.
#[utoipa::path(
    post,
    path = "/ingest",
    tag = "events",
    request_body(
        content(
            (Object = "application/json", example = json!({"events": [
                {"format": "auth", "raw": "Nov 21 00:11:50 vm sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2"},
                {"src_ip": "192.0.2.1", "event_type": "login_failed", "user": "root"}
            ]})),
            (String = "application/x-ndjson"),
            (String = "text/plain")
        ),
        description = "The batch, at most collect.ingest.body_bytes_max bytes, packed or not"
    ),
    responses(
        (status = 200, description = "At least one event was accepted, or there was none", body = IngestAnswer),
        (status = 400, description = "No event was accepted, or the body was empty or no batch; nothing of it was taken", body = IngestAnswer),
        (status = 401, description = "Tokens are configured, and none of them came", body = ErrorAnswer),
        (status = 408, description = "Nothing of the body came for too long", body = ErrorAnswer),
        (status = 413, description = "The body is too large", body = ErrorAnswer),
        (status = 415, description = "The body is packed with something else than gzip, deflate, zstd or snappy", body = ErrorAnswer),
        (status = 429, description = "Events arrive faster than they are stored; Retry-After says when to come back", body = ErrorAnswer),
        (status = 503, description = "The disk refuses, or Tocsin stops; come back after Retry-After", body = ErrorAnswer),
    )
)]
pub async fn ingest(State(app): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let origin = Origin::of(&app, &parts, INPUT)?;
    let limits = app.handle.config.collect.ingest.clone();
    let packing = Packing::of(&parts.headers)?;
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(str::to_owned);
    let in_force = app.handle.in_force.load_full();
    let peer = origin.peer;
    let decode = move |body: &Bytes| decode(kind.as_deref(), body, &limits, &in_force.parser, peer);
    let (decoded, room) = body::receive(&app, &parts.headers, body, packing, decode).await?;
    // Goes on when the client is gone: what the journal has is counted.
    origin::to_the_end(async move {
        let answer = take(&app, decoded, &origin).await;
        drop(room);
        answer
    })
    .await
}

/// Puts what was understood into the journal and answers.
async fn take(app: &App, body: IngestBody, origin: &Origin) -> Result<Response, ApiError> {
    let accepted = body.entries.len();
    let entries = body.entries.into_iter().map(|entry| (entry.hint, entry.bytes));
    origin.store(app, entries, body.refused_count).await?;
    let all_refused = accepted == 0 && body.refused_count > 0;
    let status = if all_refused { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let refused = body.refused.into_iter();
    let warning = |Warning { index, field, message }| IngestWarning { index, field, message };
    let answer = IngestAnswer {
        accepted,
        refused: refused.map(|one| RefusedEvent { index: one.index, reason: one.reason }).collect(),
        refused_total: body.refused_count,
        warnings: body.warnings.into_iter().map(warning).collect(),
        warnings_total: body.warnings_count,
    };
    Ok((status, Json(answer)).into_response())
}

/// Decodes a body, and doubts what was accepted of it.
fn decode(
    kind: Option<&str>,
    body: &[u8],
    limits: &IngestLimits,
    parser: &Parser,
    peer: Option<IpAddr>,
) -> IngestBody {
    // All that is known is named once in an answer.
    let listed = Cell::new(false);
    let known =
        |format: &str| known_format(parser, format, listed.get()).inspect_err(|_| listed.set(true));
    let mut body = decode_ingest(kind, body, limits, &known);
    let mut doubter = Doubter::new(parser);
    let (input, received) = (Arc::<str>::from(INPUT), now());
    let entries = std::mem::take(&mut body.entries);
    for entry in &entries {
        let record = Record {
            input: input.clone(),
            position: Position { stream: 0, offset: 0, next: 0 },
            received,
            bytes: entry.bytes.clone(),
            hint: entry.hint.clone(),
            peer,
            path: None,
        };
        for doubt in doubter.doubts(&record) {
            body.warn(entry.index, doubt.field, doubt.message);
        }
    }
    body.entries = entries;
    body.warnings.sort_by_key(|warning| warning.index);
    body
}
