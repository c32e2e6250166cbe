//! `GET /search/export`: everything that a search finds as one file, written while it is read.
//!
//! In: a query. Out: NDJSON, or CSV whose cells no spreadsheet takes for formulas. Holds one page
//! of events at a time, however many there are. A file that cannot be finished is broken off, so
//! that nobody takes it for whole.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use serde::Deserialize;
use serde_json::Value as JsonValue;
use tocsin_model::csv;
use tocsin_store::{EventStore, Order, SearchRequest};
use tokio::sync::mpsc;
use utoipa::IntoParams;

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::history::Leave;
use crate::history::search::{SearchBody, read};
use crate::limits::{EVENTS_MAX, EXPORT_FIELDS_MAX, EXPORTS_MAX};
use crate::query::{Params, given, now};

/// Pages that are written before the client has taken them.
const PAGES_AHEAD: usize = 2;
/// What to write.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    /// A query in KQL; empty is every event.
    q: Option<String>,
    /// Of the last …: `15m`, `24h`, `7d`.
    last: Option<String>,
    /// At or after this time, RFC 3339.
    from: Option<String>,
    /// Before this time, RFC 3339.
    to: Option<String>,
    /// `asc` or `desc` (default), by time.
    order: Option<String>,
    /// `ndjson` (default) or `csv`.
    format: Option<String>,
    /// Columns of CSV, comma-separated; when left away every field that stored events have.
    fields: Option<String>,
}

/// How events are written.
enum Form {
    Ndjson,
    /// With these columns.
    Csv(Vec<String>),
}

/// Every event that matches, as a file.
#[utoipa::path(
    get,
    path = "/search/export",
    tag = "events",
    operation_id = "export_search",
    params(ExportParams),
    responses(
        (status = 200, description = "The file; broken off where it cannot be finished",
            content_type = "application/x-ndjson"),
        (status = 400, description = "Something is wrong; for `q` with the place", body = ErrorAnswer),
        (status = 503, description = "Too many exports at once", body = ErrorAnswer),
    )
)]
pub async fn export(
    State(app): State<Shared>,
    Params(params): Params<ExportParams>,
) -> Result<Response, ApiError> {
    let Ok(permit) = app.exports.clone().try_acquire_owned() else {
        let message = format!("{EXPORTS_MAX} exports are written already; wait for one to end");
        return Err(ApiError::busy(message));
    };
    let csv = match given(&params.format) {
        None | Some("ndjson") => false,
        Some("csv") => true,
        Some(other) => {
            let message = format!("format must be ndjson or csv, not {other:?}");
            return Err(ApiError::bad_request(message));
        }
    };
    let now = now();
    let fields = params.fields.clone();
    let (leave, cancel) = Leave::new();
    let asked =
        read(&SearchBody::of(params.q, params.last, params.from, params.to, params.order), now)?;
    let mut request = SearchRequest {
        limit: EVENTS_MAX,
        timeout: None,
        // What is missing would not be seen in a file.
        may_miss: false,
        cancel: Some(cancel),
        ..asked
    };
    if request.sort.order == Order::Asc {
        // Else it would go on with what comes in meanwhile.
        request.to.get_or_insert(now);
    }
    let store = app.handle.store.clone();
    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    let form = blocking(move || {
        let form = if csv { Form::Csv(columns(&*store, given(&fields))?) } else { Form::Ndjson };
        // What is wrong with the first page is still an answer.
        let first = store.search(&request)?;
        let header = form.header();
        let kind = form.kind();
        tokio::task::spawn_blocking(move || {
            let _held = permit;
            write(&*store, &mut request, first, &form, header, &sender);
        });
        Ok(kind)
    })
    .await?;
    let pages = stream::unfold((receiver, leave), |(mut receiver, leave)| async move {
        let page: Result<Bytes, io::Error> = receiver.recv().await?;
        Some((page, (receiver, leave)))
    });
    let (kind, ending) = form;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let stamp: String = now.to_string().chars().take_while(|c| *c != '.').collect();
    let name = stamp.trim_end_matches('Z').replace(':', "-");
    let attached = format!("attachment; filename=\"tocsin-{name}.{ending}\"");
    if let Ok(value) = HeaderValue::from_str(&attached) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok((headers, Body::from_stream(pages)).into_response())
}

/// Columns as they are asked for, the time first; or every field there is.
fn columns(store: &dyn EventStore, asked: Option<&str>) -> Result<Vec<String>, ApiError> {
    let named: Vec<String> = match asked {
        Some(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        None => {
            let fields = store.fields()?.into_iter().filter(|field| field.documents > 0);
            fields.map(|field| field.name).collect()
        }
    };
    if asked.is_some() && named.len() > EXPORT_FIELDS_MAX {
        return Err(ApiError::bad_request(format!("fields: at most {EXPORT_FIELDS_MAX}")));
    }
    let time = "@timestamp".to_owned();
    let rest = named.into_iter().filter(|name| !name.is_empty() && *name != time);
    Ok(std::iter::once(time.clone()).chain(rest).collect())
}

/// Page by page, until there are no more or nobody takes them.
fn write(
    store: &dyn EventStore,
    request: &mut SearchRequest,
    first: tocsin_store::SearchResponse,
    form: &Form,
    header: String,
    sender: &mpsc::Sender<Result<Bytes, io::Error>>,
) {
    let mut text = header;
    let mut page = first;
    loop {
        if page.partial {
            let _ = sender.blocking_send(Err(io::Error::other("the search was ended")));
            return;
        }
        for event in &page.hits {
            form.line(event, &mut text);
        }
        let sent = sender.blocking_send(Ok(Bytes::from(std::mem::take(&mut text))));
        let Some(next) = page.next.filter(|_| sent.is_ok()) else { return };
        request.cursor = Some(next);
        page = match store.search(request) {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!("an export is broken off: {error}");
                let _ = sender.blocking_send(Err(io::Error::other(error.to_string())));
                return;
            }
        };
    }
}

impl Form {
    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Self::Ndjson => ("application/x-ndjson", "ndjson"),
            Self::Csv(_) => ("text/csv; charset=utf-8", "csv"),
        }
    }

    fn header(&self) -> String {
        let mut out = String::new();
        if let Self::Csv(columns) = self {
            csv::row(columns.iter().map(String::as_str), &mut out);
        }
        out
    }

    fn line(&self, event: &JsonValue, out: &mut String) {
        match self {
            Self::Ndjson => {
                out.push_str(&event.to_string());
                out.push('\n');
            }
            Self::Csv(columns) => {
                let cells: Vec<String> = columns.iter().map(|name| text_of(event, name)).collect();
                csv::row(cells.iter().map(String::as_str), out);
            }
        }
    }
}

/// The values of a field; several are separated by `; `.
fn text_of(event: &JsonValue, name: &str) -> String {
    let text = |value: &JsonValue| match value {
        JsonValue::Null => String::new(),
        JsonValue::String(text) => text.clone(),
        other => other.to_string(),
    };
    match name.split('.').try_fold(event, |value, part| value.get(part)) {
        // What has fields of its own has columns of its own.
        None | Some(JsonValue::Object(_)) => String::new(),
        Some(JsonValue::Array(items)) => items.iter().map(text).collect::<Vec<_>>().join("; "),
        Some(one) => text(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_dotted_names() {
        let event = serde_json::json!({"a": {"b": ["x", 1]}, "c": null});
        for (name, expected) in [("a.b", "x; 1"), ("a", ""), ("c", ""), ("d.e", "")] {
            assert_eq!(text_of(&event, name), expected, "{name}");
        }
    }
}
