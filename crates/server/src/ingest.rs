//! `POST /ingest`: events over HTTP.
//!
//! Answers only after what it accepted is safe in the journal. A body is read into memory up to
//! the configured size, packed or not, and all bodies together up to
//! [`INGEST_MEMORY_KIB_MAX`]; who comes when that is full waits a little, then is told to come
//! back.

use std::io::Read;
use std::net::SocketAddr;
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
use tocsin_collect::{DropReason, IngestBody, IngestLimits, JournalEntry, decode_ingest};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::{App, Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{DRAIN_BYTES_MAX, DRAIN_TIME_MAX, INGEST_MEMORY_KIB_MAX, INGEST_WAIT_MAX};
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
}

/// An event that was not taken.
#[derive(Debug, Serialize, ToSchema)]
struct RefusedEvent {
    /// Its place in the batch, from 0.
    index: usize,
    /// Why.
    reason: String,
}

/// Takes a batch: `{"events":[…]}`, an array, JSON objects one a line, or plain log lines. An
/// event is an object (ECS or the usual flat names), a line as a JSON text, or
/// `{"format":"auth","raw":"the line"}`. May be packed with gzip.
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
        (status = 400, description = "No event was accepted; nothing of the batch was taken", body = IngestAnswer),
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
    // A packed body is held twice, and says nothing of its unpacked size.
    let most = if packed { 2 * limits.body_bytes_max } else { limits.body_bytes_max };
    let memory = reserve(&app, length.filter(|_| !packed).unwrap_or(most)).await?;
    let body = read(body, &limits).await?;
    let decoded = blocking(move || {
        let body = if packed { unpack(&body, &limits)? } else { body };
        Ok(decode_ingest(kind.as_deref(), &body, &limits))
    })
    .await?;
    let answer = take(&app, decoded, peer.map(|Extension(peer)| peer)).await;
    drop(memory);
    answer
}

/// Puts what was understood into the journal and answers.
async fn take(app: &App, body: IngestBody, peer: Option<Peer>) -> Result<Response, ApiError> {
    let received = now();
    let input: Arc<str> = Arc::from(INPUT);
    let entries: Vec<JournalEntry> = body
        .entries
        .into_iter()
        .map(|entry| JournalEntry {
            input: input.clone(),
            hint: entry.hint,
            peer: peer.map(|Peer(address)| address.ip()),
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
    let answer = IngestAnswer {
        accepted,
        refused: refused.map(|one| RefusedEvent { index: one.index, reason: one.reason }).collect(),
        refused_total: body.refused_count,
    };
    Ok((status, Json(answer)).into_response())
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

async fn reserve(app: &App, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
    // More than there is at all would wait for ever.
    let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(INGEST_MEMORY_KIB_MAX);
    let permit = app.ingest_memory.clone().acquire_many_owned(kib);
    match timeout(INGEST_WAIT_MAX, permit).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(ApiError::busy("too many batches at the same time; come back later")),
    }
}

async fn read(body: Body, limits: &IngestLimits) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            ApiError::bad_request(format!("the body ended before it was complete: {error}"))
        })?;
        if whole.len() + chunk.len() > limits.body_bytes_max {
            drain(Body::from_stream(chunks)).await;
            return Err(too_large(limits));
        }
        whole.extend_from_slice(&chunk);
    }
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

fn unpack(packed: &[u8], limits: &IngestLimits) -> Result<Bytes, ApiError> {
    let mut whole = Vec::new();
    let more_than_enough = limits.body_bytes_max as u64 + 1;
    let mut reader = MultiGzDecoder::new(packed).take(more_than_enough);
    reader.read_to_end(&mut whole).map_err(|error| {
        ApiError::bad_request(format!("the body is not what gzip writes: {error}"))
    })?;
    if whole.len() > limits.body_bytes_max {
        return Err(too_large(limits));
    }
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
