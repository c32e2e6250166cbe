//! What looks like Elasticsearch to those who search one: `_search`, `_msearch`, `_count`,
//! scrolls, points in time, documents by id, `_field_caps`, `_mapping`, `_cat/indices`. The indices are `logs-tocsin` (events) and
//! `alerts-tocsin` (alerts), and whatever patterns match them. What is not known is refused by
//! name.

mod answer;
mod body;
mod scroll;

pub use scroll::get as document;

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use self::answer::{Failure, cat_row, field_caps, mapping, search_answer};
use self::body::read_search;
use self::scroll::Place;
use crate::app::{Shared, blocking};
use crate::body::Unpacked;
use crate::error::ApiError;
use crate::history::Leave;
use crate::history::documents::{self, Index, indices};
use crate::limits::SEARCH_TIME_MAX;
use crate::query::now;

/// Newer clients talk only to who sends this.
const PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");
/// The most searches of one `_msearch`.
const SEARCHES_MAX: usize = 100;

/// Parameters of a search in the address; those without a meaning here are read over.
#[derive(Debug, Default, Deserialize)]
pub struct Params {
    q: Option<String>,
    size: Option<String>,
    from: Option<String>,
    sort: Option<String>,
    format: Option<String>,
    fields: Option<String>,
    v: Option<String>,
    scroll: Option<String>,
    scroll_id: Option<String>,
    ignore_unavailable: Option<String>,
    rest_total_hits_as_int: Option<String>,
    #[serde(rename = "_source")]
    source: Option<String>,
    #[serde(rename = "_source_includes")]
    source_includes: Option<String>,
    #[serde(rename = "_source_excludes")]
    source_excludes: Option<String>,
}

/// The addresses.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/_search", post(search_all).get(search_all))
        .route("/{index}/_search", post(search).get(search))
        .route("/_search/scroll", post(scroll::scroll).get(scroll::scroll).delete(scroll::close))
        .route("/{index}/_pit", post(scroll::open))
        .route("/_pit", delete(scroll::close))
        .route("/_mget", post(scroll::mget_all).get(scroll::mget_all))
        .route("/{index}/_mget", post(scroll::mget).get(scroll::mget))
        .route("/_count", post(count_all).get(count_all))
        .route("/{index}/_count", post(count).get(count))
        .route("/_msearch", post(msearch_all).get(msearch_all))
        .route("/{index}/_msearch", post(msearch).get(msearch))
        .route("/_field_caps", post(caps_all).get(caps_all))
        .route("/{index}/_field_caps", post(caps).get(caps))
        .route("/_mapping", get(mappings_all))
        .route("/{index}/_mapping", get(mappings))
        .route("/_cat/indices", get(cat_all))
        .route("/_cat/indices/{index}", get(cat))
}

type Answer = Result<JsonValue, Failure>;

fn sent(answer: Answer) -> Response {
    let mut response = match answer {
        Ok(body) => Json(body).into_response(),
        Err(failure) => {
            let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, Json(failure.body())).into_response()
        }
    };
    response.headers_mut().insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    response
}

async fn search_all(state: State<Shared>, query: Query<Params>, body: Unpacked) -> Response {
    search(state, Path(String::new()), query, body).await
}

async fn search(
    State(app): State<Shared>,
    Path(index): Path<String>,
    Query(params): Query<Params>,
    body: Unpacked,
) -> Response {
    sent(one(&app, &index, &params, &body.0, false).await)
}

async fn count_all(state: State<Shared>, query: Query<Params>, body: Unpacked) -> Response {
    count(state, Path(String::new()), query, body).await
}

async fn count(
    State(app): State<Shared>,
    Path(index): Path<String>,
    Query(params): Query<Params>,
    body: Unpacked,
) -> Response {
    sent(one(&app, &index, &params, &body.0, true).await)
}

/// One search or count.
async fn one(app: &Shared, index: &str, params: &Params, body: &[u8], counts: bool) -> Answer {
    let body = body_of(body)?;
    run(app, index, params, &body, counts).await
}

/// A body as JSON; none is an empty one.
fn body_of(body: &[u8]) -> Result<JsonValue, Failure> {
    match body.trim_ascii() {
        [] => Ok(json!({})),
        bytes => serde_json::from_slice(bytes)
            .map_err(|error| Failure::bad(format!("the body is no JSON: {error}"))),
    }
}

async fn run(app: &Shared, index: &str, params: &Params, body: &JsonValue, counts: bool) -> Answer {
    let pit = body.get("pit").and_then(|pit| pit.get("id")).and_then(JsonValue::as_str);
    let place = match pit {
        Some(id) => Some(Place::read(id)?),
        None => params.scroll.as_ref().map(|_| {
            let mut body = body.clone();
            if let (Some(size), Some(object)) = (&params.size, body.as_object_mut()) {
                object.entry("size").or_insert_with(|| json!(size.parse::<u64>().ok()));
            }
            Place::first(index, body)
        }),
    };
    let index = match (&place, pit) {
        (Some(place), Some(_)) => place.index().to_owned(),
        _ => index.to_owned(),
    };
    let scrolls = pit.is_none() && place.is_some();
    run_at(app, &index, params, body, (counts, scrolls, place)).await
}

/// The same from a place on, where there is one.
async fn run_at(
    app: &Shared,
    index: &str,
    params: &Params,
    body: &JsonValue,
    (counts, scrolls, place): (bool, bool, Option<Place>),
) -> Answer {
    let known;
    let index = if params.ignore_unavailable.as_deref() == Some("true") {
        known = index.split(',').filter(|name| indices(name).is_ok()).collect::<Vec<_>>().join(",");
        // A name of nothing is not everything.
        if known.is_empty() && !index.is_empty() { "-" } else { known.as_str() }
    } else {
        index
    };
    let index = indices(index).map_err(|name| Failure::no_index(&name))?;
    let kind = index.unwrap_or(Index::Events);
    let mut asked = read_search(body, params, kind, now())?;
    if counts {
        asked.request.limit = 0;
    }
    if let Some(place) = &place {
        place.narrow(&mut asked, kind);
        asked.pit = (!scrolls).then(|| place.id());
    }
    let Some(index) = index else {
        return Ok(search_answer(&Default::default(), &asked, counts));
    };
    let (leave, cancel) = Leave::new();
    asked.request.cancel = Some(cancel);
    let wanted = asked.request.timeout.unwrap_or(Duration::MAX);
    asked.request.timeout = Some(wanted.min(SEARCH_TIME_MAX));
    let handle = app.handle.clone();
    let found = blocking(move || {
        let found = documents::search(&handle, index, &asked.request)?;
        let answer = search_answer(&found, &asked, counts);
        Ok(match place {
            Some(place) if scrolls => place.went_on(answer, &found),
            _ => answer,
        })
    });
    let found = found.await.map_err(|error: ApiError| Failure::of(&error))?;
    drop(leave);
    Ok(found)
}

async fn msearch_all(state: State<Shared>, headers: HeaderMap, body: Unpacked) -> Response {
    msearch(state, Path(String::new()), headers, body).await
}

/// Lines in pairs: where, and what.
async fn msearch(
    State(app): State<Shared>,
    Path(index): Path<String>,
    _headers: HeaderMap,
    body: Unpacked,
) -> Response {
    let text = String::from_utf8_lossy(&body.0);
    let lines: Vec<&str> = text.lines().collect();
    let pairs: Vec<&[&str]> =
        lines.chunks(2).filter(|pair| !pair[0].is_empty() || pair.len() > 1).collect();
    if pairs.len() > SEARCHES_MAX {
        return sent(Err(Failure::bad(format!("more than {SEARCHES_MAX} searches at once"))));
    }
    let mut responses = Vec::new();
    let started = std::time::Instant::now();
    for pair in pairs {
        let answer = one_of_many(&app, &index, pair).await;
        responses.push(match answer {
            Ok(mut body) => {
                if let Some(object) = body.as_object_mut() {
                    object.insert("status".to_owned(), json!(200));
                }
                body
            }
            Err(failure) => failure.body(),
        });
    }
    let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    sent(Ok(json!({ "took": took, "responses": responses })))
}

async fn one_of_many(app: &Shared, index: &str, pair: &[&str]) -> Answer {
    let read = |line: &str| match line.trim() {
        "" => Ok(json!({})),
        line => serde_json::from_str::<JsonValue>(line)
            .map_err(|error| Failure::bad(format!("a line is no JSON: {error}"))),
    };
    let [head, body] = pair else {
        return Err(Failure::bad("a search is two lines: where, and what".to_owned()));
    };
    let head = read(head)?;
    let names = match head.get("index") {
        Some(JsonValue::String(name)) => name.clone(),
        Some(JsonValue::Array(names)) => {
            names.iter().filter_map(JsonValue::as_str).collect::<Vec<_>>().join(",")
        }
        _ => index.to_owned(),
    };
    let lenient = head.get("ignore_unavailable").and_then(JsonValue::as_bool).unwrap_or(false);
    let ignore_unavailable = lenient.then(|| "true".to_owned());
    let params = Params { ignore_unavailable, ..Params::default() };
    run(app, &names, &params, &read(body)?, false).await
}

async fn caps_all(state: State<Shared>, query: Query<Params>) -> Response {
    caps(state, Path(String::new()), query).await
}

async fn caps(
    State(app): State<Shared>,
    Path(index): Path<String>,
    Query(params): Query<Params>,
) -> Response {
    sent(
        fields_of(&app, &index, move |index, fields| {
            field_caps(index, fields, params.fields.as_deref().unwrap_or("*"))
        })
        .await,
    )
}

async fn mappings_all(state: State<Shared>) -> Response {
    mappings(state, Path(String::new())).await
}

async fn mappings(State(app): State<Shared>, Path(index): Path<String>) -> Response {
    sent(fields_of(&app, &index, mapping).await)
}

async fn fields_of(
    app: &Shared,
    index: &str,
    render: impl FnOnce(Index, &[tocsin_store::FieldInfo]) -> JsonValue + Send + 'static,
) -> Answer {
    let Some(index) = indices(index).map_err(|name| Failure::no_index(&name))? else {
        return Ok(json!({ "indices": [], "fields": {} }));
    };
    let store = app.handle.store.clone();
    let done = blocking(move || Ok(render(index, &store.fields()?))).await;
    done.map_err(|error| Failure::of(&error))
}

async fn cat_all(state: State<Shared>, query: Query<Params>) -> Response {
    cat(state, Path(String::new()), query).await
}

async fn cat(
    State(app): State<Shared>,
    Path(index): Path<String>,
    Query(params): Query<Params>,
) -> Response {
    let pattern = if index.is_empty() { "*".to_owned() } else { index };
    let handle = app.handle.clone();
    let rows = blocking(move || {
        let stats = handle.store.stats()?;
        let alerts = handle.catalog.alert_counts(None, None)?.total;
        let mut rows = Vec::new();
        for (index, documents, bytes) in
            [(Index::Events, stats.documents, stats.disk_bytes), (Index::Alerts, alerts, 0)]
        {
            if tocsin_store::wildcard_matches(&pattern, index.name()) {
                rows.push(cat_row(index, documents, bytes));
            }
        }
        Ok(rows)
    });
    let rows = match rows.await {
        Ok(rows) => rows,
        Err(error) => return sent(Err(Failure::of(&error))),
    };
    if params.format.as_deref() == Some("json") {
        return sent(Ok(JsonValue::Array(rows)));
    }
    let columns = [
        "health",
        "status",
        "index",
        "uuid",
        "pri",
        "rep",
        "docs.count",
        "docs.deleted",
        "store.size",
        "pri.store.size",
    ];
    let mut text = String::new();
    if params.v.as_deref().is_some_and(|v| v != "false") {
        text.push_str(&columns.join(" "));
        text.push('\n');
    }
    for row in rows {
        let cells = columns.iter().map(|column| row[*column].as_str().unwrap_or("-"));
        text.push_str(&cells.collect::<Vec<_>>().join(" "));
        text.push('\n');
    }
    let mut response = text.into_response();
    response.headers_mut().insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    response
}
