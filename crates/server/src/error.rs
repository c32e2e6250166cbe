//! [`ApiError`]: every refusal and failure, as JSON
//! `{"error":{"message":"…","request_id":"…"}}`.
//!
//! Handlers return it; [`answer_errors`] puts the request's id in and gives the same form to
//! refusals of the framework. Says nothing about the inside of the machine beyond the message.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde::Serialize;
use tocsin_catalog::CatalogError;
use tocsin_collect::JournalError;
use tocsin_search::QueryError;
use tocsin_store::StoreError;
use utoipa::ToSchema;

use crate::limits::RETRY_AFTER_S;

/// The header that names a request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most of a refusal by the framework that is passed on, bytes.
const FOREIGN_MESSAGE_BYTES_MAX: usize = 2048;

/// A refusal or failure.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: StatusCode,
    message: String,
    place: Option<(usize, usize)>,
    details: Option<Box<serde_json::Value>>,
    retry_after_s: Option<u32>,
}

impl ApiError {
    /// The request is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// Any status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), place: None, details: None, retry_after_s: None }
    }

    /// Says more, for programs.
    #[must_use]
    pub fn with_details(mut self, details: &impl Serialize) -> Self {
        self.details = serde_json::to_value(details).ok().map(Box::new);
        self
    }

    /// Asks the client to come back later.
    #[must_use]
    pub fn retry(mut self) -> Self {
        self.retry_after_s = Some(RETRY_AFTER_S);
        self
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, in words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// As another protocol says it: that body, with what this error asks of the client.
    pub fn told_as(self, status: StatusCode, body: &serde_json::Value) -> Response {
        let mut response = (status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// Too much at the same time.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message).retry()
    }
}

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        let status = match &error {
            CatalogError::BadRequest(_) => StatusCode::BAD_REQUEST,
            CatalogError::Conflict { .. } => StatusCode::CONFLICT,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let answer = Self::new(status, error.to_string());
        if error.is_retryable() { answer.retry() } else { answer }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::BadRequest(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let answer = Self::new(status, error.to_string());
        if error.is_retryable() { answer.retry() } else { answer }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let place = Some((error.start, error.end));
        Self { place, ..Self::bad_request(error.message) }
    }
}

impl From<JournalError> for ApiError {
    fn from(error: JournalError) -> Self {
        let message = error.to_string();
        match error {
            JournalError::Full { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, message).retry(),
            JournalError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, message),
            _ => Self::busy(message),
        }
    }
}

/// A failure, as JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorAnswer {
    /// What is wrong.
    pub error: ErrorDetail,
}

/// What is wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// In words, with the remedy.
    pub message: String,
    /// The request's name in the log; also in the header `x-request-id`.
    pub request_id: String,
    /// Start of the wrong part of the query `q`, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    /// End of the wrong part of the query `q`, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<usize>,
    /// What there is to know beside, where the answer says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<serde_json::Value>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Names the request, and writes every failure in the one form.
pub async fn answer_errors(request: Request, next: Next) -> Response {
    let id = crate::request_id::next();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let status = response.status();
    if status.is_server_error() {
        tracing::warn!(request_id = id, %method, ?path, status = status.as_u16(), "request failed");
    }
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = write(error, &id);
    } else if status.is_client_error() || status.is_server_error() {
        response = rewrite(response, &id).await;
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn write(error: ApiError, id: &str) -> Response {
    let detail = ErrorDetail {
        message: error.message,
        request_id: id.to_owned(),
        start: error.place.map(|place| place.0),
        end: error.place.map(|place| place.1),
        details: error.details.map(|details| *details),
    };
    let mut response = (error.status, Json(ErrorAnswer { error: detail })).into_response();
    if let Some(seconds) = error.retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A failure that the framework wrote: its text becomes the message. Failures that have a type
/// of their own (JSON, the page) stay.
async fn rewrite(response: Response, id: &str) -> Response {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| !kind.starts_with("text/plain")) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text = http_body_util::Limited::new(body, FOREIGN_MESSAGE_BYTES_MAX).collect().await;
    let text = text.map(|body| body.to_bytes()).unwrap_or_default();
    let message = match String::from_utf8_lossy(&text).trim() {
        "" => parts.status.canonical_reason().unwrap_or("refused").to_lowercase(),
        text => text.to_owned(),
    };
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    let mut answer = write(ApiError::new(parts.status, message), id);
    // What the framework said beside (`Allow`) still holds.
    for (name, value) in &parts.headers {
        answer.headers_mut().insert(name, value.clone());
    }
    let (parts, body) = answer.into_parts();
    Response::from_parts(parts, Body::new(body))
}
