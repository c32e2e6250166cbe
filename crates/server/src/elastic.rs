//! What looks like Elasticsearch to those who send to one: `_bulk`, `_doc`, and as much of the
//! rest as shippers want to see before they send.
//!
//! In: bulk bodies of Beats, Logstash, Fluent Bit, Vector, rsyslog and Elasticsearch's own
//! clients, at the root or below `/elasticsearch`. Out: events, and for each its own status, once
//! it is safe in the journal. Templates, pipelines and policies that shippers want to install are
//! accepted and not needed. Never answers a search, only gives documents by id.

mod answer;
mod handshake;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use serde_json::json;
use tocsin_collect::IngestLimits;
use tocsin_collect::wire::elastic::{self, Item};

use self::answer::BulkAnswer;
pub use self::handshake::{about, is_client};
use crate::app::{App, Shared};
use crate::body::{self, Packing};
use crate::error::ApiError;
use crate::origin::{self, Origin};

/// Name of this input in counters.
pub const INPUT: &str = "elasticsearch";
/// Where all of it answers, too.
const PREFIX: &str = "/elasticsearch";
/// Newer clients talk only to who sends this.
const PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");
/// The type that answers have for clients that ask for this version.
const COMPATIBLE_7: &str = "application/vnd.elasticsearch+json;compatible-with=7";
const COMPATIBLE_8: &str = "application/vnd.elasticsearch+json;compatible-with=8";
const COMPATIBLE_9: &str = "application/vnd.elasticsearch+json;compatible-with=9";

/// The addresses. Those at the root are named one by one, since the page is there, too.
pub fn routes() -> Router<Shared> {
    let mut routes = Router::new();
    for path in ["/_bulk", "/{index}/_bulk", "/{index}/_doc", "/{index}/_doc/{id}"] {
        routes = routes.route(path, any(answer));
    }
    for path in ["/{index}/_create/{id}", "/{index}/{kind}/_bulk", PREFIX] {
        routes = routes.route(path, any(answer));
    }
    for first in handshake::FIRST_PARTS {
        routes = routes.route(&format!("/{first}"), any(answer));
        routes = routes.route(&format!("/{first}/{{*rest}}"), any(answer));
    }
    routes
        .route(&format!("{PREFIX}/"), any(answer))
        .route(&format!("{PREFIX}/{{*rest}}"), any(answer))
}

/// Answers a request as Elasticsearch would.
async fn answer(State(app): State<Shared>, request: Request) -> Response {
    let kind = answer_type(&request);
    let mut response = match dispatch(app, request).await {
        Ok(response) => response,
        Err(error) => in_their_words(error),
    };
    response.headers_mut().insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    if let Some(kind) = kind
        && response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json")
    {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

async fn dispatch(app: Shared, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let path = path.strip_prefix(PREFIX).unwrap_or(path).to_owned();
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    let sends = matches!(parts.method, Method::POST | Method::PUT);
    let origin = Origin::of(&app, &parts, INPUT)?;
    let packing = Packing::of(&parts.headers)?;
    let limits = app.handle.config.collect.ingest.clone();
    match words.as_slice() {
        ["_bulk"] if sends => bulk(app, origin, &parts, body, packing, (limits, None)).await,
        [index, "_bulk"] | [index, _, "_bulk"] if sends => {
            let index = Some((*index).to_owned());
            bulk(app, origin, &parts, body, packing, (limits, index)).await
        }
        [index, "_doc" | "_create"] | [index, "_doc" | "_create", _] if sends => {
            let (index, id) = ((*index).to_owned(), words.get(2).map(|id| (*id).to_owned()));
            one(app, origin, &parts, body, packing, (limits, index, id)).await
        }
        [index, "_doc", id] if matches!(parts.method, Method::GET | Method::HEAD) => {
            let (status, body) = crate::history::elastic::document(&app, index, id).await;
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            Ok((status, axum::Json(body)).into_response())
        }
        words => Ok(handshake::answer(&parts.method, words)),
    }
}

async fn bulk(
    app: Shared,
    origin: Origin,
    parts: &Parts,
    body: axum::body::Body,
    packing: Packing,
    (limits, index): (IngestLimits, Option<String>),
) -> Result<Response, ApiError> {
    let brief = parts.uri.query().is_some_and(|query| query.contains("filter_path="));
    let decode = move |body: &Bytes| elastic::decode_bulk(body, index.as_deref(), &limits);
    let (items, room) = body::receive(&app, &parts.headers, body, packing, decode).await?;
    let items = items.map_err(ApiError::bad_request)?;
    origin::to_the_end(async move {
        store(&app, &origin, &items).await?;
        drop(room);
        Ok(axum::Json(BulkAnswer { items: &items, brief }).into_response())
    })
    .await
}

async fn one(
    app: Shared,
    origin: Origin,
    parts: &Parts,
    body: axum::body::Body,
    packing: Packing,
    (limits, index, id): (IngestLimits, String, Option<String>),
) -> Result<Response, ApiError> {
    let decode = move |body: &Bytes| elastic::document(body.trim_ascii(), &limits);
    let (document, room) = body::receive(&app, &parts.headers, body, packing, decode).await?;
    let items = [Item { action: "index", index, id, document }];
    origin::to_the_end(async move {
        store(&app, &origin, &items).await?;
        drop(room);
        let [item] = &items;
        let (status, body) = answer::one(item);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Ok((status, axum::Json(body)).into_response())
    })
    .await
}

/// Puts the documents that can be taken into the journal.
async fn store(app: &Arc<App>, origin: &Origin, items: &[Item]) -> Result<(), ApiError> {
    let events = items.iter().filter_map(|item| item.document.as_ref().ok());
    let refused = items.iter().filter(|item| item.document.is_err()).count();
    origin.store(app, events.map(|event| (None, event.clone())), refused).await
}

/// A failure in the form of Elasticsearch.
fn in_their_words(error: ApiError) -> Response {
    let status = match error.status() {
        // What makes shippers wait and send again.
        StatusCode::SERVICE_UNAVAILABLE => StatusCode::TOO_MANY_REQUESTS,
        status => status,
    };
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS => "es_rejected_execution_exception",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "security_exception",
        StatusCode::PAYLOAD_TOO_LARGE => "content_too_long_exception",
        _ => "illegal_argument_exception",
    };
    let cause = json!({"type": kind, "reason": error.message()});
    let body = json!({
        "error": {"root_cause": [cause], "type": kind, "reason": error.message()},
        "status": status.as_u16(),
    });
    let mut response = error.told_as(status, &body);
    if status == StatusCode::UNAUTHORIZED {
        let ask = HeaderValue::from_static("Basic realm=\"tocsin\", charset=\"UTF-8\"");
        response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, ask);
    }
    response
}

/// The type of the answer, where a client asks for one of Elasticsearch's own.
fn answer_type(request: &Request) -> Option<&'static str> {
    let asked = request.headers().get(axum::http::header::ACCEPT)?.to_str().ok()?;
    let ours = asked.contains("application/vnd.elasticsearch+json");
    let version = asked.rsplit("compatible-with=").next()?.trim();
    match (ours, version.chars().next()) {
        (true, Some('7')) => Some(COMPATIBLE_7),
        (true, Some('8')) => Some(COMPATIBLE_8),
        (true, _) => Some(COMPATIBLE_9),
        _ => None,
    }
}
