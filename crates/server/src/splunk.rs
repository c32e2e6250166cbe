//! Splunk's HTTP event collector: `/services/collector/…`.
//!
//! In: events and raw text of senders that know Splunk. Out: the collector's own answers, given
//! once the events are safe in the journal, so an acknowledgement that is asked for later is
//! always true.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value as Json_, json};
use tocsin_collect::wire::Taken;
use tocsin_collect::wire::splunk::{self, About, Wrong};

use crate::app::Shared;
use crate::body::{self, Packing};
use crate::error::ApiError;
use crate::origin::{self, Origin};

/// Name of this input in counters.
pub const INPUT: &str = "splunk_hec";
/// The header that asks for acknowledgements; also the parameter `channel`.
const CHANNEL: &str = "x-splunk-request-channel";
/// Most acknowledgements asked for at once.
const ACKS_MAX: usize = 100_000;

/// The addresses.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/services/collector", any(answer))
        .route("/services/collector/{*rest}", any(answer))
}

async fn answer(State(app): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches("/services/collector").trim_matches('/');
    let path = path.trim_end_matches("/1.0").to_owned();
    let token = parts.headers.contains_key(AUTHORIZATION);
    let answer = match (&parts.method, path.as_str()) {
        (&Method::GET, "health") => {
            Ok((StatusCode::OK, Json(json!({"text": "HEC is healthy", "code": 17})))
                .into_response())
        }
        (&Method::POST, "" | "event") => take(app, &parts, body, false).await,
        (&Method::POST, "raw") => take(app, &parts, body, true).await,
        (_, "ack") => acks(app, &parts, body).await,
        // Docker asks so whether anybody is there.
        (&Method::OPTIONS, _) => Ok(StatusCode::OK.into_response()),
        (_, "" | "event" | "raw") => {
            Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "events are sent with POST"))
        }
        _ => Err(ApiError::not_found("the collector has no such address")),
    };
    answer.unwrap_or_else(|error| in_their_words(error, token))
}

async fn take(app: Shared, parts: &Parts, body: Body, raw: bool) -> Result<Response, ApiError> {
    let origin = Origin::of(&app, parts, INPUT)?;
    let packing = Packing::of(&parts.headers)?;
    let limits = app.handle.config.collect.ingest.clone();
    let about = about(parts);
    let decode = move |body: &Bytes| match raw {
        false => splunk::decode_events(body, &about, &limits),
        true => {
            let taken = splunk::decode_raw(body, &about, &limits);
            let empty = taken.events.is_empty() && taken.refused == 0;
            (taken, empty.then_some((0, Wrong::NoData)))
        }
    };
    let ((taken, wrong), room) = body::receive(&app, &parts.headers, body, packing, decode).await?;
    let channel = parts.headers.contains_key(CHANNEL)
        || parts.uri.query().is_some_and(|query| query.contains("channel="));
    origin::to_the_end(async move {
        let Taken { events, refused, .. } = taken;
        let refused = refused + usize::from(wrong.is_some_and(|(_, wrong)| wrong != Wrong::NoData));
        origin.store(&app, events.into_iter().map(|event| (None, event)), refused).await?;
        drop(room);
        if let Some((number, wrong)) = wrong {
            let (code, text) = wrong.code();
            let body = json!({"text": text, "code": code, "invalid-event-number": number});
            return Ok((StatusCode::BAD_REQUEST, Json(body)).into_response());
        }
        let mut body = json!({"text": "Success", "code": 0});
        if channel {
            body["ackId"] = json!(app.acknowledged.fetch_add(1, Ordering::Relaxed));
        }
        Ok(Json(body).into_response())
    })
    .await
}

/// Which requests are safe: all that were answered.
async fn acks(app: Shared, parts: &Parts, body: Body) -> Result<Response, ApiError> {
    Origin::of(&app, parts, INPUT)?;
    let decode = |body: &Bytes| serde_json::from_slice::<Json_>(body).ok();
    let (asked, _) = body::receive(&app, &parts.headers, body, Packing::Plain, decode).await?;
    let asked = asked.as_ref().and_then(|asked| asked.get("acks")?.as_array());
    let asked = asked.ok_or_else(|| ApiError::bad_request("acks must be a list of numbers"))?;
    let given = app.acknowledged.load(Ordering::Relaxed);
    let numbers = asked.iter().take(ACKS_MAX).filter_map(Json_::as_u64);
    let acks: serde_json::Map<String, Json_> =
        numbers.map(|number| (number.to_string(), (number < given).into())).collect();
    Ok(Json(json!({"acks": acks})).into_response())
}

/// What the address says of all events of a request.
fn about(parts: &Parts) -> About {
    let mut about = About::default();
    for pair in parts.uri.query().into_iter().flat_map(|query| query.split('&')) {
        let Some((key, value)) = pair.split_once('=') else { continue };
        let value = Some(decode_percent(value)).filter(|value| !value.is_empty());
        match key {
            "host" => about.host = value,
            "source" => about.source = value,
            "sourcetype" => about.source_type = value,
            "index" => about.index = value,
            _ => {}
        }
    }
    about
}

/// Undoes `%2F` and `+`; what is no such thing stays.
fn decode_percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(if first == b'+' { b' ' } else { first }));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A failure in the form of the collector.
fn in_their_words(error: ApiError, token: bool) -> Response {
    let (status, code, text) = match error.status() {
        StatusCode::UNAUTHORIZED if token => (StatusCode::FORBIDDEN, 4, "Invalid token".to_owned()),
        StatusCode::UNAUTHORIZED => (StatusCode::UNAUTHORIZED, 2, "Token is required".to_owned()),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            (StatusCode::SERVICE_UNAVAILABLE, 9, format!("Server is busy: {}", error.message()))
        }
        StatusCode::PAYLOAD_TOO_LARGE => (error.status(), 27, error.message().to_owned()),
        StatusCode::NOT_FOUND => (error.status(), 404, error.message().to_owned()),
        status => (status, 6, error.message().to_owned()),
    };
    error.told_as(status, &json!({"text": text, "code": code}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_unpacked() {
        let table = [("a%2Fb+c", "a/b c"), ("%", "%"), ("%zz%4", "%zz%4"), ("%C3%A9", "é")];
        for (text, expected) in table {
            assert_eq!(decode_percent(text), expected);
        }
    }
}
