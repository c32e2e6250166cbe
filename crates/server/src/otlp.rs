//! OTLP logs over HTTP (`/v1/logs`) and gRPC.
//!
//! In: export requests, protobuf or JSON. Out: their answer once the records are safe in the
//! journal: which were refused, and why; failures as `google.rpc.Status`, of which 429 and 503
//! (gRPC: UNAVAILABLE) make the sender try again.

pub mod grpc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use serde_json::json;
use tocsin_collect::wire::{Taken, otlp};

use crate::app::Shared;
use crate::body::{self, Packing};
use crate::error::ApiError;
use crate::origin::{self, Origin};

/// Name of this input in counters.
pub const INPUT: &str = "otlp:http";
const PROTOBUF: &str = "application/x-protobuf";

/// The addresses.
pub fn routes() -> Router<Shared> {
    Router::new().route("/v1/logs", post(logs)).route("/otlp/v1/logs", post(logs))
}

async fn logs(State(app): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let json = kind.is_some_and(|kind| kind.contains("json"));
    match take(app, &parts, body, json).await {
        Ok(Taken { refused, reasons, .. }) => {
            let reason = reasons.first().map_or("", String::as_str);
            if !json {
                return ([(CONTENT_TYPE, PROTOBUF)], otlp::response(refused, reason))
                    .into_response();
            }
            let partial =
                json!({"rejectedLogRecords": refused.to_string(), "errorMessage": reason});
            let answer = match refused {
                0 => json!({}),
                _ => json!({"partialSuccess": partial}),
            };
            axum::Json(answer).into_response()
        }
        Err(error) => in_their_words(error, json),
    }
}

async fn take(
    app: Shared,
    parts: &Parts,
    body: axum::body::Body,
    json: bool,
) -> Result<Taken, ApiError> {
    let origin = Origin::of(&app, parts, INPUT)?;
    let packing = Packing::of(&parts.headers)?;
    let limits = app.handle.config.collect.ingest.clone();
    let decode = move |body: &Bytes| match json {
        true => otlp::decode_json(body, &limits),
        false => otlp::decode_protobuf(body, &limits),
    };
    let (taken, room) = body::receive(&app, &parts.headers, body, packing, decode).await?;
    let mut taken = taken.map_err(ApiError::bad_request)?;
    origin::to_the_end(async move {
        let events = std::mem::take(&mut taken.events);
        origin.store(&app, events.into_iter().map(|event| (None, event)), taken.refused).await?;
        drop(room);
        Ok(taken)
    })
    .await
}

/// A failure as the protocol tells it.
fn in_their_words(error: ApiError, json: bool) -> Response {
    let (status, code) = (error.status(), code(error.status()));
    let message = error.message().to_owned();
    let mut response = error.told_as(status, &json!({"code": code, "message": message}));
    if !json {
        *response.body_mut() = otlp::status(code, &message).into();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(PROTOBUF));
        headers.remove(axum::http::header::CONTENT_LENGTH);
    }
    response
}

/// The code of gRPC that says the same.
fn code(status: StatusCode) -> u32 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::BAD_REQUEST => 3,
        StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::NOT_FOUND => 12,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::REQUEST_TIMEOUT => 14,
        _ => 13,
    }
}
