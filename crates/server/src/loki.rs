//! Loki's push: `/loki/api/v1/push`, as Promtail, Alloy and Fluent Bit send it.
//!
//! In: streams of lines. Out: 204 once they are safe in the journal; 429 makes the sender wait.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use tocsin_collect::wire::loki;

use crate::app::Shared;
use crate::body::{self, Packing};
use crate::error::ApiError;
use crate::origin::{self, Origin};

/// Name of this input in counters.
pub const INPUT: &str = "loki";

/// The addresses.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/loki/api/v1/push", post(push))
        .route("/api/prom/push", post(push))
        .route("/ready", get(async || "ready\n"))
}

async fn push(State(app): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let origin = Origin::of(&app, &parts, INPUT)?;
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let json = kind.is_some_and(|kind| kind.contains("json"));
    let packing = match Packing::of(&parts.headers)? {
        // The protobuf form is always packed, and not all say so.
        Packing::Plain if !json => Packing::Snappy,
        packing => packing,
    };
    let limits = app.handle.config.collect.ingest.clone();
    let decode = move |body: &Bytes| match json {
        true => loki::decode_json(body, &limits),
        false => loki::decode_protobuf(body, &limits),
    };
    let (taken, room) = body::receive(&app, &parts.headers, body, packing, decode).await?;
    let taken = taken.map_err(ApiError::bad_request)?;
    origin::to_the_end(async move {
        let (accepted, refused) = (taken.events.len(), taken.refused);
        origin.store(&app, taken.events.into_iter().map(|event| (None, event)), refused).await?;
        drop(room);
        match taken.reasons.into_iter().next() {
            Some(reason) if accepted == 0 => Err(ApiError::bad_request(reason)),
            _ => Ok(StatusCode::NO_CONTENT.into_response()),
        }
    })
    .await
}
