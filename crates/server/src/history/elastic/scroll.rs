//! Reading on: scrolls and points in time, and documents by id. Nothing of them is kept here: what
//! the client gives back says where it is, and nothing needs to be closed.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue, json};
use tocsin_model::{EventId, Timestamp};
use tocsin_search::elastic::{HitForm, Source, render_hit};
use tocsin_store::{Bound, Filter, SearchRequest, SearchResponse};

use crate::app::{App, Shared, blocking};
use crate::body::Unpacked;
use crate::history::documents::{self, Index, indices};
use crate::history::elastic::answer::Failure;
use crate::history::elastic::body::Asked;
use crate::history::elastic::{Answer, Params, body_of, run_at, sent};
use crate::query::now;

/// The most documents of one `_mget`.
const DOCUMENTS_MAX: usize = 10_000;

/// Where a reader is, as the client keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Place {
    /// Names of indices.
    index: String,
    /// Events that came later are not given.
    until: i64,
    /// Of a scroll: what is asked.
    #[serde(default, skip_serializing_if = "JsonValue::is_null")]
    body: JsonValue,
    /// Of a scroll: the place after the last page; `None` behind the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl Place {
    /// The place before the first page.
    pub(super) fn first(index: &str, body: JsonValue) -> Self {
        Self { index: index.to_owned(), until: now().0, body, cursor: None }
    }

    /// What the client keeps.
    pub(super) fn id(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads it back.
    pub(super) fn read(id: &str) -> Result<Self, Failure> {
        let bytes = URL_SAFE_NO_PAD.decode(id).ok();
        let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        place.ok_or_else(|| Failure::bad("no id that was given here; start again".to_owned()))
    }

    /// The names of indices.
    pub(super) fn index(&self) -> &str {
        &self.index
    }

    /// Leaves out what came later, and goes on where the last page ended.
    pub(super) fn narrow(&self, asked: &mut Asked, index: Index) {
        if index == Index::Events {
            let filter = Filter::Range {
                field: "event.ingested".to_owned(),
                lower: Bound::Unbounded,
                upper: Bound::Included(Timestamp(self.until).to_string()),
            };
            let request = &mut asked.request;
            request.filter = std::mem::replace(&mut request.filter, Filter::All).and(filter);
        }
        if self.cursor.is_some() {
            asked.request.cursor.clone_from(&self.cursor);
        }
    }

    /// The answer with the place behind this page.
    pub(super) fn went_on(mut self, mut answer: JsonValue, found: &SearchResponse) -> JsonValue {
        self.cursor.clone_from(&found.next);
        if self.cursor.is_none() {
            // Nothing is left: the next page is empty.
            self.body = json!({ "query": { "match_none": {} } });
        }
        answer["_scroll_id"] = json!(self.id());
        answer
    }
}

/// The next page of a scroll.
pub(super) async fn scroll(
    State(app): State<Shared>,
    Query(params): Query<Params>,
    body: Unpacked,
) -> Response {
    sent(next_page(&app, &params, &body.0).await)
}

async fn next_page(app: &Shared, params: &Params, body: &[u8]) -> Answer {
    let body = body_of(body)?;
    let id = body.get("scroll_id").and_then(JsonValue::as_str).or(params.scroll_id.as_deref());
    let Some(id) = id else {
        return Err(Failure::bad("needs a scroll_id".to_owned()));
    };
    let place = Place::read(id)?;
    let (index, body) = (place.index.clone(), place.body.clone());
    run_at(app, &index, &Params::default(), &body, (false, true, Some(place))).await
}

/// Nothing is kept that would have to be closed.
pub(super) async fn close() -> Response {
    sent(Ok(json!({ "succeeded": true, "num_freed": 1 })))
}

/// A point in time.
pub(super) async fn open(Path(index): Path<String>) -> Response {
    let known = indices(&index).map_err(|name| Failure::no_index(&name));
    sent(known.map(|_| json!({ "id": Place::first(&index, JsonValue::Null).id() })))
}

/// Documents by id: `{"docs": [{"_index": …, "_id": …}]}` or `{"ids": […]}`.
pub(super) async fn mget_all(state: State<Shared>, body: Unpacked) -> Response {
    mget(state, Path(String::new()), body).await
}

pub(super) async fn mget(
    State(app): State<Shared>,
    Path(index): Path<String>,
    body: Unpacked,
) -> Response {
    sent(many(&app, &index, &body.0).await)
}

async fn many(app: &Shared, index: &str, body: &[u8]) -> Answer {
    let body = body_of(body)?;
    let mut wanted = Vec::new();
    for one in body.get("ids").and_then(JsonValue::as_array).into_iter().flatten() {
        wanted.push((index.to_owned(), one.as_str().unwrap_or_default().to_owned()));
    }
    for one in body.get("docs").and_then(JsonValue::as_array).into_iter().flatten() {
        let text = |key: &str| one.get(key).and_then(JsonValue::as_str);
        let index = text("_index").unwrap_or(index).to_owned();
        wanted.push((index, text("_id").unwrap_or_default().to_owned()));
    }
    if wanted.len() > DOCUMENTS_MAX {
        return Err(Failure::bad(format!("more than {DOCUMENTS_MAX} documents at once")));
    }
    let mut docs = Vec::with_capacity(wanted.len());
    for (index, id) in wanted {
        docs.push(document(app, &index, &id).await?);
    }
    Ok(json!({ "docs": docs }))
}

/// `GET /{index}/_doc/{id}`: the status and the answer.
pub async fn get(app: &Arc<App>, index: &str, id: &str) -> (u16, JsonValue) {
    match document(app, index, id).await {
        Ok(one) if one["found"] == true => (200, one),
        Ok(one) => (404, one),
        Err(failure) => (failure.status, failure.body()),
    }
}

async fn document(app: &Arc<App>, index: &str, id: &str) -> Answer {
    let Some(kind) = indices(index).map_err(|name| Failure::no_index(&name))? else {
        return Err(Failure::no_index(index));
    };
    let absent = json!({ "_index": kind.name(), "_id": id, "found": false });
    let Some(event) = EventId::parse(id) else { return Ok(absent) };
    let (handle, id) = (app.handle.clone(), id.to_owned());
    let found = blocking(move || match kind {
        Index::Events => Ok(handle.store.get(event)?),
        Index::Alerts => {
            let filter = Filter::Terms { field: "event.id".to_owned(), values: vec![id] };
            let request = SearchRequest { filter, limit: 1, ..SearchRequest::default() };
            Ok(documents::search(&handle, kind, &request)?.hits.into_iter().next())
        }
    });
    let found = found.await.map_err(|error| Failure::of(&error))?;
    Ok(found.map_or(absent, |hit| {
        let form =
            HitForm { index: kind.name().to_owned(), source: Source::All, ..HitForm::default() };
        let mut one = render_hit(&hit, &form);
        if let Some(object) = one.as_object_mut() {
            object.remove("_score");
            let versions = [("found", json!(true)), ("_version", json!(1)), ("_seq_no", json!(0))];
            object.extend(
                versions
                    .map(|(key, value)| (key.to_owned(), value))
                    .into_iter()
                    .collect::<Map<_, _>>(),
            );
            object.insert("_primary_term".to_owned(), json!(1));
        }
        one
    }))
}
