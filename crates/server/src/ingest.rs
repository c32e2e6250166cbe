//! `POST /ingest`: events over HTTP.
//!
//! Answers only after what it accepted is safe in the journal. A body is read into memory up to
//! the configured size, packed or not, and all bodies together up to a limit ([`Memory`]); who
//! comes when that is full waits a little, then is told to come back. What has reached the
//! journal is counted, whether the client waits for the answer or not.

use std::cell::Cell;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use serde::Serialize;
use tocsin_collect::{DropReason, IngestBody, IngestLimits, JournalEntry, Warning, decode_ingest};
use tocsin_engine::doubt::{Doubter, Parser, known_format};
use tocsin_model::{Position, Record};
use tokio::runtime;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::{App, Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{BODY_BYTES_FIRST, BODY_IDLE_MAX, DRAIN_BYTES_MAX, DRAIN_TIME_MAX};
use crate::memory::{Held, Memory};
use crate::query::now;

/// Name of this input in counters.
pub const INPUT: &str = "http";

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

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
/// `{"format":"auth","raw":"the line"}` (a hint or the name of a source). May be packed with gzip.
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
        (status = 408, description = "Nothing of the body came for too long", body = ErrorAnswer),
        (status = 413, description = "The body is too large", body = ErrorAnswer),
        (status = 415, description = "The body is packed with something else than gzip", body = ErrorAnswer),
        (status = 429, description = "Events arrive faster than they are stored; Retry-After says when to come back", body = ErrorAnswer),
        (status = 503, description = "The disk refuses, or Tocsin stops; come back after Retry-After", body = ErrorAnswer),
    )
)]
pub async fn ingest(
    State(app): State<Shared>,
    peer: Option<Extension<Peer>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let limits = app.handle.config.collect.ingest.clone();
    let packed = is_packed(&parts.headers)?;
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(str::to_owned);
    let length = declared_length(&parts.headers);
    if length.is_some_and(|length| length > limits.body_bytes_max) {
        drain(body).await;
        return Err(too_large(&limits));
    }
    let peer = peer.map(|Extension(Peer(address))| address.ip());
    let in_force = app.handle.in_force.load_full();
    let mut room = Room { memory: app.ingest_memory.clone(), held: Held::default(), taken: 0 };
    let body = read(body, &limits, &mut room).await?;
    let stages = runtime::Handle::current();
    let (decoded, room) = blocking(move || {
        let body = if packed { unpack(&body, &limits, &mut room, &stages)? } else { body };
        Ok((decode(kind.as_deref(), &body, &limits, &in_force.parser, peer), room))
    })
    .await?;
    // Goes on when the client is gone: what the journal has is counted.
    let taking = tokio::spawn(async move {
        let answer = take(&app, decoded, peer).await;
        drop(room);
        answer
    });
    match taking.await {
        Ok(answer) => answer,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(ApiError::busy("tocsin is stopping")),
    }
}

/// The memory of one request.
struct Room {
    memory: Memory,
    held: Held,
    /// By bodies that are there whole, bytes.
    taken: usize,
}

impl Room {
    /// Makes room in `whole` for `more` bytes.
    async fn reserve(
        &mut self,
        whole: &mut Vec<u8>,
        more: usize,
        max: usize,
    ) -> Result<(), ApiError> {
        let needed = whole.len() + more;
        if needed <= whole.capacity() {
            return Ok(());
        }
        let size = needed.max(2 * whole.capacity()).max(BODY_BYTES_FIRST).min(max.max(needed));
        if !self.memory.grow(&mut self.held, self.taken + size).await {
            return Err(ApiError::busy("too many batches at the same time; come back later"));
        }
        whole.reserve_exact(size - whole.len());
        Ok(())
    }
}

/// Puts what was understood into the journal and answers.
async fn take(app: &App, body: IngestBody, peer: Option<IpAddr>) -> Result<Response, ApiError> {
    let received = now();
    let input: Arc<str> = Arc::from(INPUT);
    let entries: Vec<JournalEntry> = body
        .entries
        .into_iter()
        .map(|entry| JournalEntry {
            input: input.clone(),
            hint: entry.hint,
            peer,
            received,
            bytes: entry.bytes,
        })
        .collect();
    let accepted = entries.len();
    let bytes: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
    let counters = app.handle.inputs.input(INPUT);
    if accepted > 0 {
        app.handle.journal.append(entries).await?;
        counters.received(accepted as u64, bytes as u64, received);
    }
    if body.refused_count > 0 {
        counters.dropped(DropReason::Refused, body.refused_count as u64);
    }
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

fn is_packed(headers: &HeaderMap) -> Result<bool, ApiError> {
    let mut packed = false;
    for value in headers.get_all(CONTENT_ENCODING) {
        for word in value.to_str().unwrap_or("?").split(',') {
            match word.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" if !packed => packed = true,
                _ => {
                    let message = "the body may be packed with gzip, once, and with nothing else";
                    return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
                }
            }
        }
    }
    Ok(packed)
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read(body: Body, limits: &IngestLimits, room: &mut Room) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut whole = Vec::new();
    loop {
        let Ok(chunk) = timeout(BODY_IDLE_MAX, chunks.next()).await else {
            let seconds = BODY_IDLE_MAX.as_secs();
            let message = format!("nothing of the body came for {seconds} s; send it in one go");
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, message));
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|error| {
            ApiError::bad_request(format!("the body ended before it was complete: {error}"))
        })?;
        if whole.len() + chunk.len() > limits.body_bytes_max {
            drain(Body::from_stream(chunks)).await;
            return Err(too_large(limits));
        }
        room.reserve(&mut whole, chunk.len(), limits.body_bytes_max).await?;
        whole.extend_from_slice(&chunk);
    }
    room.taken += whole.capacity();
    Ok(Bytes::from(whole))
}

/// Reads on for a while: closing a connection with unread bytes would take the answer away from
/// the sender.
async fn drain(body: Body) {
    let mut chunks = body.into_data_stream();
    let reading = async {
        let mut left = DRAIN_BYTES_MAX;
        while let Some(Ok(chunk)) = chunks.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    // Whoever is still sending then sees the connection closed.
    let _ = timeout(DRAIN_TIME_MAX, reading).await;
}

/// Unpacks, on a thread that may wait for memory.
fn unpack(
    packed: &[u8],
    limits: &IngestLimits,
    room: &mut Room,
    stages: &runtime::Handle,
) -> Result<Bytes, ApiError> {
    let mut whole = Vec::new();
    let mut part = vec![0; BODY_BYTES_FIRST];
    let mut reader = MultiGzDecoder::new(packed);
    loop {
        let count = reader.read(&mut part).map_err(|error| {
            ApiError::bad_request(format!("the body is not what gzip writes: {error}"))
        })?;
        let Some(new) = part.get(..count).filter(|new| !new.is_empty()) else { break };
        if whole.len() + count > limits.body_bytes_max {
            return Err(too_large(limits));
        }
        stages.block_on(room.reserve(&mut whole, count, limits.body_bytes_max))?;
        whole.extend_from_slice(new);
    }
    room.taken += whole.capacity();
    Ok(Bytes::from(whole))
}

fn too_large(limits: &IngestLimits) -> ApiError {
    let max = limits.body_bytes_max;
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "the body is larger than {max} bytes (unpacked); send smaller batches, or raise collect.ingest.body_bytes_max"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;

    use super::*;
    use crate::limits::INGEST_MEMORY_KIB_MAX;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let limits = IngestLimits::default();
        let memory = Memory::new(INGEST_MEMORY_KIB_MAX, BODY_IDLE_MAX);
        for parts in [0, 1, 5] {
            let slow = || {
                stream::iter(0..parts).then(async |_| {
                    tokio::time::sleep(BODY_IDLE_MAX / 2).await;
                    Ok::<_, Infallible>("part")
                })
            };
            let mut room = Room { memory: memory.clone(), held: Held::default(), taken: 0 };
            let whole = read(Body::from_stream(slow()), &limits, &mut room).await.unwrap();
            assert_eq!(whole.len(), 4 * parts, "slow is not stopped");
            let body = Body::from_stream(slow().chain(stream::pending()));
            let error = read(body, &limits, &mut room).await.unwrap_err();
            assert_eq!(error.into_response().status(), StatusCode::REQUEST_TIMEOUT);
        }
    }
}
