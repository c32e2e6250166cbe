//! OTLP logs over gRPC: the one call there is, `LogsService/Export`.
//!
//! In: HTTP/2 requests with one message each. Out: the call's answer and, in trailers, how it
//! ended. Everything else of gRPC (streams, reflection) is answered with UNIMPLEMENTED.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use tocsin_collect::wire::{Taken, otlp};
use tokio::runtime;

use super::code;
use crate::app::{Shared, blocking};
use crate::body::{self, Packing, Room};
use crate::error::ApiError;
use crate::origin::{self, Origin};

/// Name of this input in counters.
pub const INPUT: &str = "otlp:grpc";
/// The call.
const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// Bytes before a message: whether it is packed, and its length.
const PREFIX_BYTES: usize = 5;
const KIND: &str = "application/grpc";

/// The calls.
pub fn routes() -> Router<Shared> {
    let unknown = async || ended(12, "this is a service for logs: LogsService/Export", None);
    Router::new().route(EXPORT, post(export)).fallback(unknown)
}

async fn export(State(app): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match take(app, &parts, body).await {
        Ok(taken) => {
            let reason = taken.reasons.first().map_or("", String::as_str);
            ended(0, "", Some(otlp::response(taken.refused, reason)))
        }
        Err(error) => ended(code(error.status()), error.message(), None),
    }
}

async fn take(app: Shared, parts: &Parts, body: Body) -> Result<Taken, ApiError> {
    let origin = Origin::of(&app, parts, INPUT)?;
    let word = parts.headers.get("grpc-encoding").map(|word| word.to_str().unwrap_or("?"));
    let packing = Packing::of_word(word.unwrap_or_default()).ok_or_else(|| {
        let message = "grpc-encoding must be gzip, deflate, zstd, snappy or identity";
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    })?;
    let limits = app.handle.config.collect.ingest.clone();
    let message = |body: &Bytes| message_of(body);
    let (message, mut room) =
        body::receive(&app, &parts.headers, body, Packing::Plain, message).await?;
    let (packed, message) = message
        .ok_or_else(|| ApiError::bad_request("the call must bring exactly one message, whole"))?;
    let packing = if packed { packing } else { Packing::Plain };
    let stages = runtime::Handle::current();
    let (mut taken, room): (Taken, Room) = blocking(move || {
        let message = body::unpack(message, packing, &limits, &mut room, &stages)?;
        let taken = otlp::decode_protobuf(&message, &limits).map_err(ApiError::bad_request)?;
        Ok((taken, room))
    })
    .await?;
    origin::to_the_end(async move {
        let events = std::mem::take(&mut taken.events);
        origin.store(&app, events.into_iter().map(|event| (None, event)), taken.refused).await?;
        drop(room);
        Ok(taken)
    })
    .await
}

/// The message of a call, and whether it is packed.
fn message_of(body: &Bytes) -> Option<(bool, Bytes)> {
    let (prefix, rest) = body.split_at_checked(PREFIX_BYTES)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    (usize::try_from(length).ok()? == rest.len() && prefix[0] <= 1)
        .then(|| (prefix[0] == 1, body.slice(PREFIX_BYTES..)))
}

/// The end of a call: its message, if there is one, and how it went.
fn ended(code: u32, message: &str, answer: Option<Vec<u8>>) -> Response {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    // Trailers are plain text; what is not has to be left out.
    let plain: String = message.chars().filter(|c| matches!(c, ' '..='~') && *c != '%').collect();
    if let Ok(text) = HeaderValue::from_str(&plain)
        && !plain.is_empty()
    {
        trailers.insert("grpc-message", text);
    }
    let mut bytes = BytesMut::new();
    if let Some(answer) = &answer {
        bytes.put_u8(0);
        bytes.put_u32(u32::try_from(answer.len()).unwrap_or_default());
        bytes.put_slice(answer);
    }
    // A call that failed has no message, and says so at once.
    let mut response = Response::new(match answer {
        Some(_) => {
            let trailers = trailers.clone();
            Body::new(Full::new(bytes.freeze()).with_trailers(async move { Some(Ok(trailers)) }))
        }
        None => Body::empty(),
    });
    if answer.is_none() {
        response.headers_mut().extend(trailers);
    }
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, HeaderValue::from_static(KIND));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_whole_message_is_taken() {
        let table: [(&[u8], Option<(bool, &[u8])>); 6] = [
            (b"\0\0\0\0\x02ab", Some((false, b"ab"))),
            (b"\x01\0\0\0\0", Some((true, b""))),
            (b"\0\0\0\0\x02a", None),
            (b"\0\0\0\0\x01ab", None),
            (b"\x02\0\0\0\0", None),
            (b"\0\0", None),
        ];
        for (body, expected) in table {
            let message = message_of(&Bytes::from_static(body));
            assert_eq!(message.as_ref().map(|(packed, bytes)| (*packed, &bytes[..])), expected);
        }
    }
}
