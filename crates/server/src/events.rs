//! `GET /events`, `GET /events/{id}`: what was collected.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use tocsin_model::EventId;
use tocsin_search::{Context, parse_in};
use tocsin_store::SearchRequest;
use utoipa::{IntoParams, ToSchema};

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{EVENTS_MAX, PAGE_DEFAULT, QUERY_BYTES_MAX, SEARCH_TIME_MAX};
use crate::query::{Params, given, limit, now, span};

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchParams {
    /// A query in KQL; empty is every event.
    #[param(example = "event.outcome: failure and source.ip: 192.0.2.0/24")]
    q: Option<String>,
    /// Of the last …: `15m`, `24h`, `7d`.
    last: Option<String>,
    /// At or after this time, RFC 3339.
    from: Option<String>,
    /// Before this time, RFC 3339.
    to: Option<String>,
    /// Events on one page, at most 1000; default 50.
    limit: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventList {
    /// The events as nested ECS.
    #[schema(value_type = Vec<Object>)]
    events: Vec<JsonValue>,
    /// How many match in all.
    total: u64,
    /// `cursor` of the next page; null on the last.
    next: Option<String>,
    /// The time limit came first, or archived days could not be read: something is missing.
    partial: bool,
    /// Why archived days could not be read; null when they could.
    missing: Option<String>,
    /// Archived days were looked through, which takes longer.
    archived: bool,
    /// How long the search took, milliseconds.
    took_ms: u64,
}

/// Events that match a query, the newest first.
#[utoipa::path(
    get,
    path = "/events",
    tag = "events",
    operation_id = "search_events",
    params(SearchParams),
    responses(
        (status = 200, description = "A page of events", body = EventList),
        (status = 400, description = "A parameter is wrong; for `q` with the place", body = ErrorAnswer),
    )
)]
pub async fn search(
    State(app): State<Shared>,
    Params(params): Params<SearchParams>,
) -> Result<Json<EventList>, ApiError> {
    let request = read(&params)?;
    let store = app.handle.store.clone();
    blocking(move || {
        let found = store.search(&request)?;
        Ok(Json(EventList {
            events: found.hits,
            total: found.total,
            next: found.next,
            partial: found.partial,
            archived: found.archived,
            missing: found.missing,
            took_ms: u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX),
        }))
    })
    .await
}

/// One event.
#[utoipa::path(
    get,
    path = "/events/{id}",
    tag = "events",
    operation_id = "get_event",
    params(("id" = String, Path, description = "32 hexadecimal digits (`event.id`)")),
    responses(
        (status = 200, description = "The event as nested ECS", body = Object),
        (status = 400, description = "Not an id", body = ErrorAnswer),
        (status = 404, description = "No such event", body = ErrorAnswer),
    )
)]
pub async fn one(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<JsonValue>, ApiError> {
    let Some(event) = EventId::parse(&id) else {
        return Err(ApiError::bad_request("an event id is 32 hexadecimal digits"));
    };
    let store = app.handle.store.clone();
    blocking(move || match store.get(event)? {
        Some(event) => Ok(Json(event)),
        None => Err(ApiError::not_found(format!(
            "no event has the id {event}; events are deleted after store.retention_days"
        ))),
    })
    .await
}

fn read(params: &SearchParams) -> Result<SearchRequest, ApiError> {
    let now = now();
    let text = given(&params.q).unwrap_or("");
    if text.len() > QUERY_BYTES_MAX {
        return Err(ApiError::bad_request(format!("q is longer than {QUERY_BYTES_MAX} bytes")));
    }
    let filter = parse_in(text, Context { now, fields: None })?;
    let (from, to) = span(&params.last, &params.from, &params.to, now)?;
    Ok(SearchRequest {
        may_miss: true,
        filter,
        from,
        to,
        limit: limit(&params.limit, PAGE_DEFAULT, EVENTS_MAX)?,
        cursor: given(&params.cursor).map(str::to_owned),
        timeout: Some(SEARCH_TIME_MAX),
        ..SearchRequest::default()
    })
}
