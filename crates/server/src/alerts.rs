//! `GET /alerts`, `GET /alerts/{id}`: what was detected.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use tocsin_catalog::{AlertOrder, AlertQuery, Without};
use tocsin_model::{Alert, AlertId, Severity};
use utoipa::{IntoParams, ToSchema};

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{ALERTS_MAX, PAGE_DEFAULT, QUERY_BYTES_MAX};
use crate::query::{Params, disposition, given, limit, now, severity, span, status, words};

pub mod facets;
pub mod why;

/// How far into the list a page may begin.
const SKIP_MAX: usize = 10_000_000;
/// Values that one question leaves out.
const NOTS_MAX: usize = 50;

/// Which alerts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// One or more of `informational`, `low`, `medium`, `high`, `critical`, with commas.
    #[param(example = "high,critical")]
    severity: Option<String>,
    /// This severity or worse.
    min_severity: Option<String>,
    /// One or more of `new`, `acknowledged`, `closed`, with commas.
    status: Option<String>,
    /// One or more of `true_positive`, `benign_true_positive`, `false_positive`, `duplicate`,
    /// `test`, with commas.
    disposition: Option<String>,
    /// Worked on by this person; `-` is nobody.
    owner: Option<String>,
    /// Id or title of a rule.
    rule: Option<String>,
    /// Text that occurs in title, reason or a value of the alert, in any letter case.
    q: Option<String>,
    /// Raised in the last …: `15m`, `24h`, `7d`.
    last: Option<String>,
    /// Raised at or after this time, RFC 3339.
    from: Option<String>,
    /// Raised before this time, RFC 3339.
    to: Option<String>,
    /// `true`: only alerts about what was read back from before Tocsin watched; `false`: none of
    /// them.
    historical: Option<String>,
    /// Only those that the exception with this number hid. Without it those that none hid.
    exception: Option<String>,
    /// Those of the incident with this number; 0: of none.
    incident: Option<String>,
    /// These, by id, with commas; at most 1000.
    id: Option<String>,
    /// With this source address; `-` is none.
    source: Option<String>,
    /// With this user; `-` is none.
    user: Option<String>,
    /// With this host; `-` is none.
    host: Option<String>,
    /// What must not be, `name:value` a line, with names `rule`, `source`, `user`, `host`; at
    /// most 50.
    #[param(example = "source:192.0.2.1")]
    not: Option<String>,
    /// Of rules with this ATT&CK tactic.
    tactic: Option<String>,
    /// Leave out so many before the page.
    skip: Option<String>,
    /// `false`: without contributing events and matches, which are most of an alert.
    lines: Option<String>,
    /// Of `GET /alerts/facets` only: `rule`, `source`, `user`, `host`, `incident` or
    /// `rule_source`; without it no groups.
    group: Option<String>,
    /// `newest` (default), `oldest`, `last_seen` or `severity`.
    order: Option<String>,
    /// Alerts on one page, at most 1000; default 50.
    limit: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertList {
    /// The alerts as nested ECS.
    #[schema(value_type = Vec<Object>)]
    alerts: Vec<JsonValue>,
    /// How many match in all.
    total: u64,
    /// How many would match by severity, if no severity were asked for; every severity is there.
    #[schema(value_type = BTreeMap<String, u64>)]
    by_severity: BTreeMap<Severity, u64>,
    /// `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// Alerts, the newest first.
#[utoipa::path(
    get,
    path = "/alerts",
    tag = "alerts",
    operation_id = "list_alerts",
    params(ListParams),
    responses(
        (status = 200, description = "A page of alerts", body = AlertList),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
    )
)]
pub async fn list(
    State(app): State<Shared>,
    Params(params): Params<ListParams>,
) -> Result<Json<AlertList>, ApiError> {
    let query = read(&params)?;
    let lines = flag("lines", &params.lines)?.unwrap_or(true);
    let catalog = app.handle.catalog.clone();
    blocking(move || {
        let mut page = catalog.alerts(&query)?;
        for alert in page.alerts.iter_mut().filter(|_| !lines) {
            alert.events.clear();
            alert.matches.clear();
        }
        let alerts = page.alerts.iter().map(Alert::to_json).collect();
        let by_severity = catalog.severity_counts(&query)?;
        Ok(Json(AlertList { alerts, total: page.total, by_severity, next: page.next }))
    })
    .await
}

/// One alert.
#[utoipa::path(
    get,
    path = "/alerts/{id}",
    tag = "alerts",
    operation_id = "get_alert",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "The alert as nested ECS", body = Object),
        (status = 404, description = "No such alert", body = ErrorAnswer),
    )
)]
pub async fn one(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<JsonValue>, ApiError> {
    let catalog = app.handle.catalog.clone();
    blocking(move || match catalog.alert(&AlertId(id.clone()))? {
        Some(alert) => Ok(Json(alert.to_json())),
        None => Err(ApiError::not_found(format!("no alert has the id {id:?}"))),
    })
    .await
}

/// The query that parameters mean.
pub fn read(params: &ListParams) -> Result<AlertQuery, ApiError> {
    let (from, to) = span(&params.last, &params.from, &params.to, now())?;
    let text = given(&params.q).map(str::trim);
    if text.is_some_and(|text| text.len() > QUERY_BYTES_MAX) {
        return Err(ApiError::bad_request(format!("q is longer than {QUERY_BYTES_MAX} bytes")));
    }
    let historical = flag("historical", &params.historical)?;
    let exception = given(&params.exception).map(str::parse).transpose();
    let exception = exception
        .map_err(|_| ApiError::bad_request("exception must be the number of an exception"))?;
    let incident = given(&params.incident).map(str::parse).transpose();
    let incident = incident
        .map_err(|_| ApiError::bad_request("incident must be the number of an incident"))?;
    let mut least = words("min_severity", &params.min_severity, severity)?;
    if least.len() > 1 {
        return Err(ApiError::bad_request("min_severity takes one severity"));
    }
    Ok(AlertQuery {
        severity_in: words("severity", &params.severity, severity)?,
        min_severity: least.pop(),
        status_in: words("status", &params.status, status)?,
        disposition_in: words("disposition", &params.disposition, disposition)?,
        owner: or_none(&params.owner),
        rule: given(&params.rule).map(str::to_owned),
        text: text.map(str::to_owned),
        from,
        to,
        historical,
        exception,
        incident,
        ids: ids(&params.id)?,
        source: or_none(&params.source),
        user: or_none(&params.user),
        host: or_none(&params.host),
        not: nots(given(&params.not).unwrap_or(""))?,
        tactic: given(&params.tactic).map(str::to_owned),
        skip: limit(&params.skip, 0, SKIP_MAX)?,
        limit: limit(&params.limit, PAGE_DEFAULT, ALERTS_MAX)?,
        cursor: given(&params.cursor).map(str::to_owned),
        order: order(given(&params.order).unwrap_or("newest"))?,
        ..AlertQuery::default()
    })
}

fn flag(name: &str, value: &Option<String>) -> Result<Option<bool>, ApiError> {
    match given(value) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => {
            Err(ApiError::bad_request(format!("{name} must be true or false, not {other:?}")))
        }
    }
}

/// A value to ask for; `-` is the absence of one.
fn or_none(value: &Option<String>) -> Option<String> {
    given(value).map(|value| if value == "-" { "" } else { value }.to_owned())
}

/// What must not be.
fn nots(text: &str) -> Result<Vec<(Without, String)>, ApiError> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    if lines.len() > NOTS_MAX {
        return Err(ApiError::bad_request(format!("not takes at most {NOTS_MAX} lines")));
    }
    let read = |line: &&str| {
        let (name, value) = line.split_once(':')?;
        let value = if value == "-" { "" } else { value };
        Some((Without::of_word(name)?, value.to_owned()))
    };
    lines
        .iter()
        .map(|line| {
            read(line).ok_or_else(|| {
                ApiError::bad_request(format!(
                    "not takes rule:, source:, user: or host: with a value, not {line:?}"
                ))
            })
        })
        .collect()
}

fn ids(value: &Option<String>) -> Result<Vec<String>, ApiError> {
    let ids: Vec<String> = given(value).unwrap_or("").split(',').map(str::to_owned).collect();
    if ids.len() > ALERTS_MAX {
        return Err(ApiError::bad_request(format!("id takes at most {ALERTS_MAX} ids")));
    }
    Ok(ids.into_iter().filter(|id| !id.is_empty()).collect())
}

fn order(word: &str) -> Result<AlertOrder, ApiError> {
    match word {
        "newest" => Ok(AlertOrder::Newest),
        "oldest" => Ok(AlertOrder::Oldest),
        "last_seen" => Ok(AlertOrder::LastSeen),
        "severity" => Ok(AlertOrder::Severity),
        _ => Err(ApiError::bad_request(format!(
            "order must be newest, oldest, last_seen or severity, not {word:?}"
        ))),
    }
}
