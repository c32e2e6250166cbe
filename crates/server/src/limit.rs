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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::http::Request as HttpRequest;
    use axum::middleware::{from_fn, from_fn_with_state};
    use axum::routing::get;
    use tokio::sync::Notify;
    use tower::ServiceExt;

    use super::*;

    async fn status(routes: &Router, path: &str) -> u16 {
        let request = HttpRequest::get(path).body(Body::empty()).unwrap();
        routes.clone().oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn a_panic_ends_its_request_only() {
        async fn fault() -> &'static str {
            panic!("a fault")
        }
        async fn deep() -> Result<(), ApiError> {
            crate::app::blocking(|| panic!("a fault below")).await
        }
        let routes = Router::new().route("/fault", get(fault)).route("/deep", get(deep));
        let routes = routes.route("/well", get(async || "well")).layer(from_fn(in_time));
        for (path, wanted) in [("/fault", 500), ("/deep", 500), ("/well", 200)] {
            assert_eq!(status(&routes, path).await, wanted, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_ended() {
        let routes = Router::new().route(
            "/",
            get(async || {
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }),
        );
        assert_eq!(status(&routes.layer(from_fn(in_time)), "/").await, 503);
    }

    #[tokio::test]
    async fn more_than_the_cap_are_refused_and_later_ones_are_not() {
        let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begun, wait) = (started.clone(), go.clone());
        let handler = async move || {
            begun.notify_one();
            wait.notified().await;
        };
        let slots = Arc::new(Semaphore::new(1));
        let routes =
            Router::new().route("/", get(handler)).layer(from_fn_with_state(slots, at_once));
        let first = tokio::spawn({
            let routes = routes.clone();
            async move { status(&routes, "/").await }
        });
        started.notified().await;
        assert_eq!(status(&routes, "/").await, 503);
        go.notify_one();
        assert_eq!(first.await.unwrap(), 200);
        go.notify_one();
        assert_eq!(status(&routes, "/").await, 200);
    }
}
