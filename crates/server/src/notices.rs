//! `/notices`: deliveries that were given up, another try of them, and a test of a channel.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tocsin_catalog::OutboxItem;
use tocsin_model::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{ALERTS_MAX, PAGE_DEFAULT};
use crate::query::{Params, given, limit};
use crate::triage::json;

/// Which deliveries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeadParams {
    /// Of this channel.
    channel: Option<String>,
    /// At most so many, up to 1000; default 50.
    limit: Option<String>,
}

/// Deliveries that were given up.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadList {
    /// The newest first.
    notices: Vec<DeadNotice>,
    /// How many there are.
    total: u64,
}

/// A delivery that was given up.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadNotice {
    key: String,
    channel: String,
    /// `raised` or `escalated`.
    kind: String,
    /// Id of the alert.
    alert: String,
    title: String,
    /// Tries that were made.
    attempts: u32,
    /// The service's last answer.
    answer: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    given_up: Timestamp,
}

/// What to try again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBody {
    /// Of this channel only.
    channel: Option<String>,
    /// Only these; empty is all.
    keys: Vec<String>,
}

/// How many wait again.
#[derive(Debug, Serialize, ToSchema)]
pub struct Retried {
    retried: u64,
}

/// Nothing is to be said yet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestBody {}

/// What a service answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestAnswer {
    /// Whether it took the notice.
    delivered: bool,
    /// Its answer, or why there is none.
    answer: String,
}

impl From<OutboxItem> for DeadNotice {
    fn from(item: OutboxItem) -> Self {
        let OutboxItem { key, notice, attempts, last_error, updated, .. } = item;
        Self {
            key,
            channel: notice.channel,
            kind: notice.kind.as_str().to_owned(),
            alert: notice.alert.id.0,
            title: notice.alert.rule.title,
            attempts,
            answer: last_error,
            given_up: updated,
        }
    }
}

/// Deliveries that were given up: the service refused them, or could not be reached for too long.
#[utoipa::path(
    get,
    path = "/notices/dead",
    tag = "alerts",
    operation_id = "list_dead_notices",
    params(DeadParams),
    responses((status = 200, description = "The deliveries", body = DeadList))
)]
pub async fn dead(
    State(app): State<Shared>,
    Params(params): Params<DeadParams>,
) -> Result<Json<DeadList>, ApiError> {
    let limit = limit(&params.limit, PAGE_DEFAULT, ALERTS_MAX)?;
    blocking(move || {
        let channel = given(&params.channel);
        let (items, total) = app.handle.catalog.outbox_dead_list(channel, limit)?;
        let notices = items.into_iter().map(DeadNotice::from).collect();
        Ok(Json(DeadList { notices, total }))
    })
    .await
}

/// Tries deliveries again that were given up.
#[utoipa::path(
    post,
    path = "/notices/retry",
    tag = "alerts",
    operation_id = "retry_notices",
    request_body = RetryBody,
    responses(
        (status = 200, description = "How many wait again", body = Retried),
        (status = 400, description = "The body is wrong", body = ErrorAnswer),
        (status = 415, description = "The body is not JSON", body = ErrorAnswer),
    )
)]
pub async fn retry(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Retried>, ApiError> {
    let RetryBody { channel, keys } = json(&headers, &body)?;
    blocking(move || {
        let notifier = &app.handle.notifier;
        if let Some(name) = &channel
            && !notifier.channels().any(|known| known == name)
        {
            return Err(ApiError::bad_request(format!("there is no channel {name:?}")));
        }
        let retried = app.handle.catalog.outbox_retry(channel.as_deref(), &keys)?;
        notifier.notify();
        Ok(Json(Retried { retried }))
    })
    .await
}

/// Sends a test notice to a channel and gives the service's real answer.
#[utoipa::path(
    post,
    path = "/channels/{name}/test",
    tag = "alerts",
    operation_id = "test_channel",
    params(("name" = String, Path, description = "The channel's name in the configuration")),
    request_body = TestBody,
    responses(
        (status = 200, description = "What the service answered, good or bad", body = TestAnswer),
        (status = 404, description = "No such channel", body = ErrorAnswer),
        (status = 415, description = "No form of another site may ask for it: say \
            content-type: application/json", body = ErrorAnswer),
    )
)]
pub async fn test(
    State(app): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<TestAnswer>, ApiError> {
    let TestBody {} = json(&headers, if body.is_empty() { b"{}" } else { &body })?;
    let notifier = app.handle.notifier.clone();
    if !notifier.channels().any(|known| known == name) {
        let known: Vec<&str> = notifier.channels().collect();
        let message = format!("there is no channel {name:?}, there are: {}", known.join(", "));
        return Err(ApiError::new(StatusCode::NOT_FOUND, message));
    }
    Ok(Json(match notifier.test(&name).await {
        Ok(answer) => TestAnswer { delivered: true, answer },
        Err(error) => TestAnswer { delivered: false, answer: error.to_string() },
    }))
}
