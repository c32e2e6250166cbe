//! `PATCH /alerts/{id}`, `POST /alerts/change`, `GET /alerts/{id}/activity`: what people do to
//! alerts. Every change is shown live to all pages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use tocsin_catalog::{Activity, AlertChange, Before};
use tocsin_engine::Live;
use tocsin_model::AlertId;
use utoipa::ToSchema;

use crate::accounts::{doer, secrets};
use crate::alerts::{ListParams, read};
use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{TRIAGE_BODY_BYTES_MAX, UNDO_ALERTS_MAX, UNDO_TIME_MAX, UNDOS_MAX};
use crate::query;

/// Who it was, where nobody says.
pub const SOMEBODY: &str = "somebody";

/// What is wanted of an alert; what is left away stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// `new`, `acknowledged` or `closed`.
    status: Option<String>,
    /// Why it is closed, which closes it: `true_positive`, `benign_true_positive`,
    /// `false_positive`, `duplicate` or `test`.
    disposition: Option<String>,
    /// Who works on it; an empty text is nobody.
    owner: Option<String>,
    /// Tags to add.
    #[serde(default)]
    add_tags: Vec<String>,
    /// Tags to take off.
    #[serde(default)]
    remove_tags: Vec<String>,
    /// Words for those who read it later.
    comment: Option<String>,
    /// The version that was seen (`tocsin.alert.version`). When a person changed the alert since,
    /// nothing is changed.
    version: Option<u64>,
    /// Who does it.
    by: Option<String>,
}

/// A change of many alerts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkChange {
    /// Which alerts: parameters of `GET /alerts`, all as text. Empty is all alerts.
    #[schema(value_type = Object)]
    query: ListParams,
    /// What is wanted of them; without a version.
    change: Change,
}

/// How many were changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    /// Alerts that are different now.
    changed: u64,
    /// For `POST /alerts/undo`, within ten minutes; null when there is nothing to take back, or
    /// too much.
    undo: Option<String>,
}

/// What is to be taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// `undo` of the answer to the change.
    undo: String,
    /// Who does it.
    by: Option<String>,
}

/// How many are again what they were.
#[derive(Debug, Serialize, ToSchema)]
pub struct Undone {
    /// Alerts restored.
    restored: u64,
    /// Alerts that somebody changed since, left alone.
    left: u64,
}

/// Changes of many alerts that can be taken back. Kept in memory, the newest few.
#[derive(Default)]
pub struct Undos(Mutex<VecDeque<(String, Instant, Vec<Before>)>>);

impl Undos {
    /// Keeps what alerts were; the word to ask for it.
    fn keep(&self, before: Vec<Before>) -> Option<String> {
        if before.is_empty() || before.len() > UNDO_ALERTS_MAX {
            return None;
        }
        let word = secrets::random().ok()?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((word.clone(), Instant::now(), before));
        while kept.len() > UNDOS_MAX {
            kept.pop_front();
        }
        Some(word)
    }

    /// What is kept under a word, once.
    fn take(&self, word: &str) -> Option<Vec<Before>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, at, _)| at.elapsed() < UNDO_TIME_MAX);
        let place = kept.iter().position(|(kept, ..)| kept == word)?;
        kept.remove(place).map(|(.., before)| before)
    }
}

/// What people did to an alert.
#[derive(Debug, Serialize, ToSchema)]
pub struct History {
    /// Oldest first: time, who, the alert's version after it, steps (what, from, to), comment.
    #[schema(value_type = Vec<Object>)]
    activity: Vec<Activity>,
}

/// Changes an alert: acknowledge, close, open again, assign, tag, comment.
#[utoipa::path(
    patch,
    path = "/alerts/{id}",
    tag = "alerts",
    operation_id = "change_alert",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    request_body = Change,
    responses(
        (status = 200, description = "The alert as it is now, nested ECS", body = Object),
        (status = 400, description = "The change makes no sense", body = ErrorAnswer),
        (status = 404, description = "No such alert", body = ErrorAnswer),
        (status = 409, description = "Somebody changed it since; the message says who", body = ErrorAnswer),
        (status = 415, description = "The body is not JSON", body = ErrorAnswer),
    )
)]
pub async fn change(
    State(app): State<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<JsonValue>, ApiError> {
    let wanted: Change = json(&headers, &body)?;
    let version = wanted.version;
    let (who, change) = wanted.into_parts()?;
    blocking(move || {
        let catalog = &app.handle.catalog;
        match catalog.change_alert(&AlertId(id.clone()), &change, &who, version)? {
            Some(alert) => {
                let answer = Json(alert.to_json());
                // Nobody looking is fine.
                let _ = app.handle.live.send(Live::Alert(Arc::new(alert)));
                Ok(answer)
            }
            None => Err(ApiError::not_found(format!("no alert has the id {id:?}"))),
        }
    })
    .await
}

/// Changes every alert that a query finds.
#[utoipa::path(
    post,
    path = "/alerts/change",
    tag = "alerts",
    operation_id = "change_alerts",
    request_body = BulkChange,
    responses(
        (status = 200, description = "How many were changed", body = Changed),
        (status = 400, description = "The query or the change makes no sense", body = ErrorAnswer),
        (status = 415, description = "The body is not JSON", body = ErrorAnswer),
    )
)]
pub async fn change_many(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Changed>, ApiError> {
    let BulkChange { query, change } = json(&headers, &body)?;
    if change.version.is_some() {
        return Err(ApiError::bad_request("a change of many alerts takes no version"));
    }
    let query = read(&query)?;
    let (who, change) = change.into_parts()?;
    blocking(move || {
        let live = &app.handle.live;
        let mut before = Vec::new();
        let changed = app.handle.catalog.change_alerts(&query, &change, &who, |alert, was| {
            let _ = live.send(Live::Alert(Arc::new(alert)));
            if before.len() <= UNDO_ALERTS_MAX {
                before.push(was);
            }
        })?;
        Ok(Json(Changed { changed, undo: app.undos.keep(before) }))
    })
    .await
}

/// Takes a change of many alerts back. What somebody changed since stays as it is; comments stay.
#[utoipa::path(
    post,
    path = "/alerts/undo",
    tag = "alerts",
    operation_id = "undo_alerts",
    request_body = Undo,
    responses(
        (status = 200, description = "How many were restored", body = Undone),
        (status = 404, description = "Taken back already, or too long ago", body = ErrorAnswer),
        (status = 415, description = "The body is not JSON", body = ErrorAnswer),
    )
)]
pub async fn undo(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Undone>, ApiError> {
    let Undo { undo, by } = json(&headers, &body)?;
    let who = doer(by.filter(|who| !who.is_empty())).unwrap_or_else(|| SOMEBODY.to_owned());
    blocking(move || {
        let Some(before) = app.undos.take(&undo) else {
            let message = "there is nothing to take back: it was done already, or too long ago";
            return Err(ApiError::not_found(message.to_owned()));
        };
        let live = &app.handle.live;
        let restored = app.handle.catalog.restore_alerts(&before, &who, |alert| {
            let _ = live.send(Live::Alert(Arc::new(alert)));
        })?;
        Ok(Json(Undone { restored, left: before.len() as u64 - restored }))
    })
    .await
}

/// What people did to an alert, oldest first.
#[utoipa::path(
    get,
    path = "/alerts/{id}/activity",
    tag = "alerts",
    operation_id = "alert_activity",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "The history", body = History),
        (status = 404, description = "No such alert", body = ErrorAnswer),
    )
)]
pub async fn activity(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<History>, ApiError> {
    blocking(move || {
        let (catalog, of) = (&app.handle.catalog, AlertId(id.clone()));
        if catalog.alert(&of)?.is_none() {
            return Err(ApiError::not_found(format!("no alert has the id {id:?}")));
        }
        Ok(Json(History { activity: catalog.activity(&of)? }))
    })
    .await
}

impl Change {
    /// Who wants what.
    fn into_parts(self) -> Result<(String, AlertChange), ApiError> {
        let status = self.status.map(|word| query::status(&word)).transpose();
        let status = status.map_err(|error| ApiError::bad_request(format!("status: {error}")))?;
        let disposition = self.disposition.map(|word| query::disposition(&word)).transpose();
        let disposition = disposition.map_err(ApiError::bad_request)?;
        let change = AlertChange {
            status,
            disposition,
            owner: self.owner,
            add_tags: self.add_tags,
            remove_tags: self.remove_tags,
            comment: self.comment,
        };
        let who = doer(self.by.filter(|who| !who.is_empty()));
        let who = who.unwrap_or_else(|| SOMEBODY.to_owned());
        Ok((who, change))
    }
}

/// A JSON body. Only what says that it is JSON, so that no form of another site can be one.
pub fn json<'b, T: Deserialize<'b>>(headers: &HeaderMap, body: &'b [u8]) -> Result<T, ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    if kind.split(';').next().unwrap_or("").trim() != "application/json" {
        let message = "the body must be JSON, with content-type: application/json";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    if body.len() > TRIAGE_BODY_BYTES_MAX {
        let message = format!("the body has over {TRIAGE_BODY_BYTES_MAX} bytes");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body is not as described: {error}")))
}
