//! Keeps one client from taking all: a cap on requests worked on at the same time, a time limit
//! on each, and a panic that ends a request ends nothing else.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::ApiError;
use crate::limits::REQUEST_TIME_MAX;

/// Refuses a request when too many are worked on already. The permit is given back when the
/// answer's head is there, so open streams take none.
pub async fn at_once(
    State(slots): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Response {
    match slots.try_acquire() {
        Ok(_permit) => next.run(request).await,
        Err(_) => ApiError::busy("too many requests at the same time; try again").into_response(),
    }
}

/// Ends a request that takes too long or panics.
pub async fn in_time(request: Request, next: Next) -> Response {
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    match timeout(REQUEST_TIME_MAX, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            tracing::error!(message = ?panic_text(&*panic), "a request panicked");
            let message = "this request hit a fault in Tocsin; the log says more under its id";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
        }
        Err(_) => {
            let seconds = REQUEST_TIME_MAX.as_secs();
            let message = format!("not done within {seconds} s; ask for less, or try again");
            ApiError::busy(message).into_response()
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_owned(),
        (None, None) => "no message".to_owned(),
    }
}
