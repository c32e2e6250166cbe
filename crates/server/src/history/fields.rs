//! `GET /fields`, `GET /fields/{name}/values`: what can be asked for.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use tocsin_search::{Context, parse_in};
use tocsin_store::{Agg, Filter, SearchRequest};
use utoipa::{IntoParams, ToSchema};

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::history::Leave;
use crate::limits::QUERY_BYTES_MAX;
use crate::query::{Params, given, limit, now, span};

/// Completion that takes longer than this stops with what it has.
const VALUES_TIME_MAX: Duration = Duration::from_millis(300);
/// The most values of one answer.
const VALUES_MAX: usize = 1000;
/// Values when the request does not say.
const VALUES_DEFAULT: usize = 10;
/// Values of a list that are looked at for each one wanted: those of one event that do not start
/// as asked for are left out.
const VALUES_AHEAD: usize = 4;

/// The fields.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldList {
    fields: Vec<Field>,
    /// Events stored.
    events: u64,
}

/// A field that events have.
#[derive(Debug, Serialize, ToSchema)]
struct Field {
    /// Dotted ECS name.
    name: String,
    /// `keyword`, `wildcard`, `text`, `long`, `ip`, `date`, `flattened`, `object`, or `dynamic`.
    #[schema(value_type = String)]
    kind: &'static str,
    /// Events that have it.
    events: u64,
    /// Their part of all events, 0 to 1.
    coverage: f64,
}

/// The fields that stored events have.
#[utoipa::path(
    get,
    path = "/fields",
    tag = "events",
    operation_id = "list_fields",
    responses((status = 200, description = "All fields by name", body = FieldList))
)]
pub async fn list(State(app): State<Shared>) -> Result<Json<FieldList>, ApiError> {
    let store = app.handle.store.clone();
    blocking(move || {
        let events = store.stats()?.documents;
        let fields = store.fields()?.into_iter().map(|field| Field {
            coverage: field.documents as f64 / events.max(1) as f64,
            name: field.name,
            kind: field.kind,
            events: field.documents,
        });
        Ok(Json(FieldList { fields: fields.collect(), events }))
    })
    .await
}

/// Which values.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ValueParams {
    /// What the values start with.
    prefix: Option<String>,
    /// Only of events that match this query.
    q: Option<String>,
    /// Of the last …: `15m`, `24h`, `7d`.
    last: Option<String>,
    /// At or after this time, RFC 3339.
    from: Option<String>,
    /// Before this time, RFC 3339.
    to: Option<String>,
    /// Values, at most 1000; default 10.
    limit: Option<String>,
}

/// The most frequent values.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValueList {
    values: Vec<FieldValue>,
    /// There was no time to look at all events.
    partial: bool,
}

/// A value.
#[derive(Debug, Serialize, ToSchema)]
struct FieldValue {
    /// The value.
    #[schema(value_type = Object)]
    value: JsonValue,
    /// Events that have it.
    events: u64,
}

/// The most frequent values of a field: for completion, and to see what there is.
#[utoipa::path(
    get,
    path = "/fields/{name}/values",
    tag = "events",
    operation_id = "list_field_values",
    params(("name" = String, Path, description = "Dotted ECS name"), ValueParams),
    responses(
        (status = 200, description = "The most frequent values", body = ValueList),
        (status = 400, description = "The field has no values to count", body = ErrorAnswer),
    )
)]
pub async fn values(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Params(params): Params<ValueParams>,
) -> Result<Json<ValueList>, ApiError> {
    let now = now();
    let text = given(&params.q).unwrap_or("");
    if text.len() > QUERY_BYTES_MAX {
        return Err(ApiError::bad_request(format!("q is longer than {QUERY_BYTES_MAX} bytes")));
    }
    let mut filter = parse_in(text, Context { now, fields: None })?;
    let prefix = given(&params.prefix).unwrap_or("").to_owned();
    if !prefix.is_empty() {
        filter = filter.and(Filter::Prefix { field: name.clone(), value: prefix.clone() });
    }
    let (from, to) = span(&params.last, &params.from, &params.to, now)?;
    let wanted = limit(&params.limit, VALUES_DEFAULT, VALUES_MAX)?.max(1);
    let size = if prefix.is_empty() { wanted } else { wanted * VALUES_AHEAD };
    let (leave, cancel) = Leave::new();
    let request = SearchRequest {
        may_miss: true,
        filter,
        from,
        to,
        limit: 0,
        aggs: [("values".to_owned(), Agg::terms(name, size))].into(),
        timeout: Some(VALUES_TIME_MAX),
        cancel: Some(cancel),
        ..SearchRequest::default()
    };
    let store = app.handle.store.clone();
    let found = blocking(move || {
        let found = store.search(&request)?;
        let buckets = found.aggs.get("values").map(|agg| agg.buckets()).unwrap_or_default();
        let starts = |value: &JsonValue| match value {
            JsonValue::String(text) => text.starts_with(&prefix),
            other => other.to_string().starts_with(&prefix),
        };
        let values = buckets
            .iter()
            .filter(|bucket| starts(&bucket.key))
            .take(wanted)
            .map(|bucket| FieldValue { value: bucket.key.clone(), events: bucket.doc_count });
        Ok(Json(ValueList { values: values.collect(), partial: found.partial }))
    })
    .await;
    drop(leave);
    found
}
