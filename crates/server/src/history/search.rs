//! `POST /search`: events and aggregates.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue};
use tocsin_search::elastic::{field_name, parse_aggs, render_aggs};
use tocsin_search::{Context, parse_in};
use tocsin_store::{Order, SearchRequest, Sort};
use utoipa::ToSchema;

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::history::Leave;
use crate::limits::{EVENTS_MAX, PAGE_DEFAULT, QUERY_BYTES_MAX, SEARCH_TIME_MAX};
use crate::query::{now, span};

/// A search.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SearchBody {
    /// A query in KQL; empty is every event.
    #[schema(example = "event.outcome: failure and source.ip: 192.0.2.0/24")]
    q: String,
    /// Of the last …: `15m`, `24h`, `7d`.
    last: Option<String>,
    /// At or after this time, RFC 3339.
    from: Option<String>,
    /// Before this time, RFC 3339.
    to: Option<String>,
    /// Events on one page, at most 1000; default 50, 0 for aggregates only.
    limit: Option<usize>,
    /// Field to sort by; default `@timestamp`.
    sort: Option<String>,
    /// `asc` or `desc` (default).
    order: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Only these fields of the events.
    fields: Vec<String>,
    /// Aggregates as Elasticsearch writes them: date_histogram, terms, cardinality, range, stats,
    /// percentiles, filters and others, nested.
    #[schema(value_type = Object)]
    aggs: Option<JsonValue>,
    /// Stop after so long with what there is, milliseconds; at most 10 s.
    timeout_ms: Option<u64>,
}

impl SearchBody {
    /// Only which events.
    pub(super) fn of(
        q: Option<String>,
        last: Option<String>,
        from: Option<String>,
        to: Option<String>,
        order: Option<String>,
    ) -> Self {
        Self { q: q.unwrap_or_default(), last, from, to, order, ..Self::default() }
    }
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Found {
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
    /// How long it took, milliseconds.
    took_ms: u64,
    /// Results by name, as Elasticsearch writes them.
    #[schema(value_type = Object)]
    aggregations: Map<String, JsonValue>,
}

/// Events that match, and numbers about them. Ends when the client leaves.
#[utoipa::path(
    post,
    path = "/search",
    tag = "events",
    operation_id = "search",
    request_body = SearchBody,
    responses(
        (status = 200, description = "A page of events and aggregates", body = Found),
        (status = 400, description = "Something is wrong; for `q` with the place", body = ErrorAnswer),
    )
)]
pub async fn search(State(app): State<Shared>, body: Bytes) -> Result<Json<Found>, ApiError> {
    let body: SearchBody = match body.trim_ascii() {
        [] => SearchBody::default(),
        bytes => serde_json::from_slice(bytes)
            .map_err(|error| ApiError::bad_request(format!("the body: {error}")))?,
    };
    let now = now();
    let (aggs, asked) = match &body.aggs {
        Some(aggs) => {
            parse_aggs(aggs, now).map_err(|error| ApiError::bad_request(error.to_string()))?
        }
        None => Default::default(),
    };
    let (leave, cancel) = Leave::new();
    let request = SearchRequest { aggs, cancel: Some(cancel), ..read(&body, now)? };
    let fields = body.fields;
    let store = app.handle.store.clone();
    let found = blocking(move || {
        let found = store.search(&request)?;
        Ok(Json(Found {
            events: found.hits.into_iter().map(|hit| narrowed(hit, &fields)).collect(),
            total: found.total,
            next: found.next,
            partial: found.partial,
            archived: found.archived,
            missing: found.missing,
            took_ms: u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX),
            aggregations: render_aggs(&found.aggs, &asked),
        }))
    })
    .await;
    drop(leave);
    found
}

pub(super) fn read(
    body: &SearchBody,
    now: tocsin_model::Timestamp,
) -> Result<SearchRequest, ApiError> {
    if body.q.len() > QUERY_BYTES_MAX {
        return Err(ApiError::bad_request(format!("q is longer than {QUERY_BYTES_MAX} bytes")));
    }
    let filter = parse_in(&body.q, Context { now, fields: None })?;
    let (from, to) = span(&body.last, &body.from, &body.to, now)?;
    let limit = body.limit.unwrap_or(PAGE_DEFAULT);
    if limit > EVENTS_MAX {
        return Err(ApiError::bad_request(format!("limit must be 0 to {EVENTS_MAX}")));
    }
    let order = match body.order.as_deref() {
        None | Some("desc") => Order::Desc,
        Some("asc") => Order::Asc,
        Some(other) => {
            let message = format!("order must be asc or desc, not {other:?}");
            return Err(ApiError::bad_request(message));
        }
    };
    let field = body.sort.as_deref().map_or("@timestamp", field_name).to_owned();
    let timeout = body.timeout_ms.map_or(SEARCH_TIME_MAX, Duration::from_millis);
    Ok(SearchRequest {
        may_miss: true,
        filter,
        from,
        to,
        limit,
        sort: Sort { field, order },
        cursor: body.cursor.clone().filter(|cursor| !cursor.is_empty()),
        aggs: BTreeMap::new(),
        timeout: Some(timeout.min(SEARCH_TIME_MAX)),
        cancel: None,
    })
}

/// Only some fields of an event, by their dotted names; all when none are named.
fn narrowed(event: JsonValue, fields: &[String]) -> JsonValue {
    if fields.is_empty() {
        return event;
    }
    let mut kept = Map::new();
    for field in fields {
        let value = field.split('.').try_fold(&event, |value, part| value.get(part));
        if let Some(value) = value {
            tocsin_model::event::insert_nested(&mut kept, field, value.clone());
        }
    }
    JsonValue::Object(kept)
}
