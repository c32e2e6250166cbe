//! `GET /alerts`, `GET /alerts/{id}`: what was detected.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use tocsin_catalog::{AlertOrder, AlertQuery};
use tocsin_model::{Alert, AlertId, Severity};
use utoipa::{IntoParams, ToSchema};

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{ALERTS_MAX, PAGE_DEFAULT, QUERY_BYTES_MAX};
use crate::query::{Params, disposition, given, limit, now, severity, span, status, words};

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
    /// Those of the incident with this number.
    incident: Option<String>,
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
    let catalog = app.handle.catalog.clone();
    blocking(move || {
        let page = catalog.alerts(&query)?;
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
    let historical = match given(&params.historical) {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(other) => {
            let message = format!("historical must be true or false, not {other:?}");
            return Err(ApiError::bad_request(message));
        }
    };
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
        owner: given(&params.owner).map(|owner| if owner == "-" { "" } else { owner }.to_owned()),
        rule: given(&params.rule).map(str::to_owned),
        text: text.map(str::to_owned),
        from,
        to,
        historical,
        exception,
        incident,
        limit: limit(&params.limit, PAGE_DEFAULT, ALERTS_MAX)?,
        cursor: given(&params.cursor).map(str::to_owned),
        order: order(given(&params.order).unwrap_or("newest"))?,
        ..AlertQuery::default()
    })
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
