//! `/api/openapi.json` and `/docs`, a page that shows it. The page is three small files of our
//! own: it works without any other host and under the same strict policy as the rest.

use std::sync::Arc;

use axum::Json;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::OpenApi;

use crate::error::ApiError;

const HTML: &str = include_str!("../assets/docs.html");
const SCRIPT: &str = include_str!("../assets/docs.js");
const STYLE: &str = include_str!("../assets/docs.css");

/// The description.
pub async fn openapi(document: Arc<OpenApi>) -> Json<Arc<OpenApi>> {
    Json(document)
}

/// The page.
pub async fn html() -> Response {
    answer("text/html; charset=utf-8", HTML)
}

/// The page's script and style.
pub async fn file(Path(name): Path<String>) -> Result<Response, ApiError> {
    match name.as_str() {
        "docs.js" => Ok(answer("text/javascript; charset=utf-8", SCRIPT)),
        "docs.css" => Ok(answer("text/css; charset=utf-8", STYLE)),
        _ => Err(ApiError::not_found("there is no such file")),
    }
}

fn answer(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response()
}
