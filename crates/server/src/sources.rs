//! `/sources`: what is collected and as what it is understood; what came and was not; and lines
//! read for a try.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value as JsonValue, json};
use tocsin_model::{Event, Position, Record, Timestamp};
use tocsin_search::elastic::{parse_aggs, render_aggs};
use tocsin_store::SearchRequest;
use utoipa::ToSchema;

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::SEARCH_TIME_MAX;
use crate::query::now;

/// Figures of sources are of so much time, hours.
const HOURS: i64 = 24;
/// Spans of the line of events.
const SPANS: i64 = 48;
/// Sources that are told of.
const SOURCES_MAX: usize = 500;
/// What takes the place of a source that there is none of.
const UNPARSED: &str = "unparsed";
/// Lines read for a try at once.
const TRY_LINES_MAX: usize = 100;
/// The most bytes of them.
const TRY_BYTES_MAX: usize = 256 * 1024;

/// What is understood.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceList {
    /// Those that had events in the last 24 hours first.
    sources: Vec<Source>,
    /// Start of the first span of `series`.
    #[schema(value_type = String)]
    from: Timestamp,
    /// Length of a span, seconds.
    span_seconds: i64,
}

/// Something whose lines are understood.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Source {
    /// `event.dataset` of its events.
    name: String,
    pack: String,
    about: String,
    /// What to switch on at the vendor.
    setup: String,
    /// Where its log usually is.
    paths: Vec<String>,
    /// Events of the last 24 hours.
    events: u64,
    /// Events by span of time.
    series: Vec<u64>,
    /// Time of the last event.
    last_event: Option<String>,
    /// Inputs that its events came by.
    inputs: Vec<String>,
    /// Hosts that its events are of.
    hosts: u64,
    /// Events of it that a rule could not have used: the line was taken but not understood.
    unparsed: u64,
}

/// What is understood, and how much of it came.
#[utoipa::path(
    get,
    path = "/sources",
    tag = "state",
    operation_id = "list_sources",
    responses((status = 200, description = "All sources", body = SourceList))
)]
pub async fn list(State(app): State<Shared>) -> Result<Json<SourceList>, ApiError> {
    blocking(move || {
        let to = now();
        let span_seconds = HOURS * 3600 / SPANS;
        let width = span_seconds * 1_000_000_000;
        // On the grid that the histogram is on.
        let from = Timestamp((to.0 - HOURS * 3_600_000_000_000).div_euclid(width) * width);
        let mut by_name: BTreeMap<String, Source> = BTreeMap::new();
        for (name, counted) in counted(&app, from, span_seconds)? {
            by_name.insert(name, counted);
        }
        let (shapes, _) = app.handle.progress.shapes();
        for shape in shapes {
            let entry = by_name.entry(shape.source.clone()).or_default();
            entry.unparsed += shape.count;
        }
        let in_force = app.handle.in_force.load();
        for meta in in_force.parser.sources() {
            let entry = by_name.entry(meta.name.clone()).or_default();
            entry.pack.clone_from(&meta.pack);
            entry.about.clone_from(&meta.about);
            entry.setup.clone_from(&meta.setup);
            entry.paths.clone_from(&meta.paths);
        }
        let named = by_name.into_iter().map(|(name, source)| Source { name, ..source });
        let mut sources: Vec<Source> = named.collect();
        sources.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.name.cmp(&b.name)));
        Ok(Json(SourceList { sources, from, span_seconds }))
    })
    .await
}

/// Events by dataset, from the store.
fn counted(
    app: &Shared,
    from: Timestamp,
    span_seconds: i64,
) -> Result<Vec<(String, Source)>, ApiError> {
    let asked = json!({ "datasets": {
        "terms": { "field": "event.dataset", "size": SOURCES_MAX },
        "aggs": {
            "time": { "date_histogram": {
                "field": "@timestamp", "fixed_interval": format!("{span_seconds}s") } },
            "inputs": { "terms": { "field": "tocsin.input", "size": 10 } },
            "hosts": { "cardinality": { "field": "host.name" } },
        },
    } });
    let (aggs, names) =
        parse_aggs(&asked, now()).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let request = SearchRequest {
        from: Some(from),
        limit: 0,
        aggs,
        timeout: Some(SEARCH_TIME_MAX),
        ..SearchRequest::default()
    };
    let found = app.handle.store.search(&request)?;
    let rendered = render_aggs(&found.aggs, &names);
    let mut all = Vec::new();
    for bucket in buckets(rendered.get("datasets")) {
        let Some(name) = bucket["key"].as_str() else { continue };
        let last = last_event(app, name, from)?;
        all.push((name.to_owned(), source_of(bucket, from, span_seconds, last)));
    }
    Ok(all)
}

fn buckets(agg: Option<&JsonValue>) -> &[JsonValue] {
    agg.and_then(|agg| agg["buckets"].as_array()).map_or(&[], Vec::as_slice)
}

fn source_of(
    bucket: &JsonValue,
    from: Timestamp,
    span_seconds: i64,
    last_event: Option<String>,
) -> Source {
    let mut series = vec![0; usize::try_from(SPANS + 1).unwrap_or(0)];
    for span in buckets(bucket.get("time")) {
        let at = span["key"].as_i64().unwrap_or(0) - from.0 / 1_000_000;
        let slot = usize::try_from(at / (span_seconds * 1000)).ok();
        if let Some(slot) = slot.and_then(|slot| series.get_mut(slot)) {
            *slot += span["doc_count"].as_u64().unwrap_or(0);
        }
    }
    let inputs = buckets(bucket.get("inputs")).iter();
    Source {
        events: bucket["doc_count"].as_u64().unwrap_or(0),
        series,
        last_event,
        inputs: inputs.filter_map(|input| input["key"].as_str().map(str::to_owned)).collect(),
        hosts: bucket["hosts"]["value"].as_u64().unwrap_or(0),
        ..Source::default()
    }
}

fn last_event(app: &Shared, name: &str, from: Timestamp) -> Result<Option<String>, ApiError> {
    let request = SearchRequest {
        filter: tocsin_store::Filter::term("event.dataset", name),
        from: Some(from),
        limit: 1,
        timeout: Some(SEARCH_TIME_MAX),
        ..SearchRequest::default()
    };
    let hits = app.handle.store.search(&request)?.hits;
    let time = hits.first().and_then(|hit| hit["@timestamp"].as_str());
    Ok(time.map(str::to_owned))
}

/// Lines to read for a try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParseBody {
    /// Lines, one event each; at most 100.
    lines: Vec<String>,
    /// Read them as this source (`openssh.sshd`) or kind; found by the line when left out.
    #[serde(default)]
    source: Option<String>,
}

/// Lines as they were read.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParsedList {
    parsed: Vec<ParsedLine>,
}

/// A line as it was read.
#[derive(Debug, Serialize, ToSchema)]
struct ParsedLine {
    /// The event as nested ECS.
    #[schema(value_type = Object)]
    event: JsonValue,
    /// What was around the message: `rfc5424`, `json`, …
    frame: String,
    /// The source that read it; null when none did.
    source: Option<String>,
    /// Why this source.
    why: String,
}

/// Reads lines as they would be read if they came in; nothing is stored.
#[utoipa::path(
    post,
    path = "/sources/parse",
    tag = "state",
    operation_id = "parse_lines",
    request_body = ParseBody,
    responses(
        (status = 200, description = "The events that they become", body = ParsedList),
        (status = 400, description = "Too much, or no such source", body = ErrorAnswer),
    )
)]
pub async fn parse(State(app): State<Shared>, body: Bytes) -> Result<Json<ParsedList>, ApiError> {
    let body: ParseBody = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body: {error}")))?;
    let bytes: usize = body.lines.iter().map(String::len).sum();
    if body.lines.len() > TRY_LINES_MAX || bytes > TRY_BYTES_MAX {
        let message = format!("at most {TRY_LINES_MAX} lines of {TRY_BYTES_MAX} bytes together");
        return Err(ApiError::bad_request(message));
    }
    let in_force = app.handle.in_force.load_full();
    if let Some(name) = body.source.as_deref().filter(|name| !in_force.parser.knows(name)) {
        return Err(ApiError::bad_request(format!("there is no source {name:?}")));
    }
    blocking(move || {
        let mut worker = in_force.parser.worker();
        let received = now();
        let hint: Option<Arc<str>> = body.source.as_deref().map(Arc::from);
        let mut event = Event::default();
        let mut parsed = Vec::new();
        for (number, line) in (0..).zip(&body.lines) {
            let record = Record {
                input: "try".into(),
                position: Position { stream: 0, offset: number, next: number + 1 },
                received,
                bytes: Bytes::copy_from_slice(line.as_bytes()),
                hint: hint.clone(),
                peer: None,
                path: None,
            };
            let explained = worker.parse_explained(&record, &mut event);
            let source = explained.source;
            parsed.push(ParsedLine {
                event: event.to_json(),
                frame: explained.frame,
                source: Some(source).filter(|source| source != UNPARSED),
                why: explained.why,
            });
        }
        Ok(Json(ParsedList { parsed }))
    })
    .await
}

/// What came and was not understood.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unparsed {
    /// Lines that look alike, the most frequent first.
    shapes: Vec<UnparsedShape>,
    /// Lines since the start that are no longer listed, because there were too many shapes.
    forgotten: u64,
}

/// Lines that look alike and were not understood since the start.
#[derive(Debug, Serialize, ToSchema)]
struct UnparsedShape {
    /// The input they came by.
    input: String,
    /// The source that took them without knowing the message, or `unparsed`.
    source: String,
    /// The line with `0` for numbers and `*` for what is quoted.
    shape: String,
    count: u64,
    /// Arrival of the first.
    first: String,
    /// Arrival of the last.
    last: String,
    /// Some of them, as they came; try a source on these.
    samples: Vec<String>,
}

/// What came and was not understood, by input and shape.
#[utoipa::path(
    get,
    path = "/sources/unparsed",
    tag = "state",
    operation_id = "list_unparsed",
    responses((status = 200, description = "Lines by shape", body = Unparsed))
)]
pub async fn unparsed(State(app): State<Shared>) -> Json<Unparsed> {
    let (shapes, forgotten) = app.handle.progress.shapes();
    let shapes = shapes.into_iter().map(|known| UnparsedShape {
        input: known.input,
        source: known.source,
        shape: known.shape,
        count: known.count,
        first: known.first.to_string(),
        last: known.last.to_string(),
        samples: known.samples,
    });
    Json(Unparsed { shapes: shapes.collect(), forgotten })
}
