//! `GET /incidents`, `GET /incidents/{id}`: alerts that belong together, with their timeline; and
//! `GET /rules/noise`: how each rule's alerts were closed.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use tocsin_catalog::{AlertQuery, Incident, Noise, TimelineLine};
use tocsin_model::{AlertStatus, Timestamp};
use utoipa::{IntoParams, ToSchema};

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{ALERTS_MAX, PAGE_DEFAULT};
use crate::query::{Params, given, limit, now, severity, span, words};

/// Over what span noise is told when the request does not say.
const NOISE_LAST: &str = "30d";
/// How far into the list a page may begin.
const SKIP_MAX: usize = 100_000;

/// Which incidents.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IncidentParams {
    /// `open`: with an alert that is not closed. Without it all.
    status: Option<String>,
    /// With an alert of one of these severities.
    severity: Option<String>,
    /// With an alert of this rule, by id or title.
    rule: Option<String>,
    /// With an alert in which this text occurs.
    q: Option<String>,
    /// With an alert raised in the last …: `24h`, `7d`.
    last: Option<String>,
    /// With an alert raised at or after this time, RFC 3339.
    from: Option<String>,
    /// With an alert raised before this time, RFC 3339.
    to: Option<String>,
    /// Leave out so many.
    skip: Option<String>,
    /// At most so many, up to 1000; default 50.
    limit: Option<String>,
}

/// Incidents.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentList {
    /// The one seen last first: id, title, severity, status (`open` or `closed`), first_seen,
    /// last_seen, alerts, events, rules (rule_id, title, severity, alerts), entities (field and
    /// value).
    #[schema(value_type = Vec<Object>)]
    incidents: Vec<Incident>,
    /// How many there are.
    total: u64,
}

/// An incident with what happened in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentAnswer {
    /// As in the list.
    #[schema(value_type = Object)]
    incident: Incident,
    /// Oldest first; alerts of one rule in a row are one line: time, last_seen, rule_id, title,
    /// severity, reason, alerts, events, ids.
    #[schema(value_type = Vec<Object>)]
    timeline: Vec<TimelineLine>,
}

/// Over what span.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoiseParams {
    /// Alerts of the last …: `24h`, `30d` (default).
    last: Option<String>,
}

/// How noisy rules are.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoiseList {
    /// Not before.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// The noisiest first: rule_id, title, alerts, open, closed (by disposition), hidden, score.
    #[schema(value_type = Vec<Object>)]
    rules: Vec<Noise>,
}

/// Incidents, the one seen last first. Their alerts are `GET /alerts?incident=`, and
/// `POST /alerts/change` with that query changes them all.
#[utoipa::path(
    get,
    path = "/incidents",
    tag = "alerts",
    operation_id = "list_incidents",
    params(IncidentParams),
    responses(
        (status = 200, description = "A page of incidents", body = IncidentList),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
    )
)]
pub async fn list(
    State(app): State<Shared>,
    Params(params): Params<IncidentParams>,
) -> Result<Json<IncidentList>, ApiError> {
    let (from, to) = span(&params.last, &params.from, &params.to, now())?;
    let status_in = match given(&params.status) {
        None => Vec::new(),
        Some("open") => vec![AlertStatus::New, AlertStatus::Acknowledged],
        Some(other) => {
            let message = format!("status must be open or left away, not {other:?}");
            return Err(ApiError::bad_request(message));
        }
    };
    let query = AlertQuery {
        status_in,
        severity_in: words("severity", &params.severity, severity)?,
        rule: given(&params.rule).map(str::to_owned),
        text: given(&params.q).map(|text| text.trim().to_owned()),
        from,
        to,
        ..AlertQuery::default()
    };
    let count = limit(&params.limit, PAGE_DEFAULT, ALERTS_MAX)?;
    let skip = limit(&params.skip, 0, SKIP_MAX)?;
    blocking(move || {
        let (incidents, total) = app.handle.catalog.incidents(&query, skip, count)?;
        Ok(Json(IncidentList { incidents, total }))
    })
    .await
}

/// One incident with its timeline.
#[utoipa::path(
    get,
    path = "/incidents/{id}",
    tag = "alerts",
    operation_id = "get_incident",
    params(("id" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "The incident", body = IncidentAnswer),
        (status = 404, description = "No such incident", body = ErrorAnswer),
    )
)]
pub async fn one(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<IncidentAnswer>, ApiError> {
    blocking(move || {
        let catalog = &app.handle.catalog;
        let number = id.parse::<u64>().ok();
        let found = number.map(|number| catalog.incident(number)).transpose()?.flatten();
        let Some(incident) = found else {
            return Err(ApiError::not_found(format!("no incident has the number {id:?}")));
        };
        let timeline = catalog.timeline(incident.id)?;
        Ok(Json(IncidentAnswer { incident, timeline }))
    })
    .await
}

/// How often each rule raised an alert, how they were closed, and how noisy that makes it.
#[utoipa::path(
    get,
    path = "/rules/noise",
    tag = "state",
    operation_id = "rule_noise",
    params(NoiseParams),
    responses(
        (status = 200, description = "By rule", body = NoiseList),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
    )
)]
pub async fn noise(
    State(app): State<Shared>,
    Params(params): Params<NoiseParams>,
) -> Result<Json<NoiseList>, ApiError> {
    let last = given(&params.last).unwrap_or(NOISE_LAST).to_owned();
    let (from, _) = span(&Some(last), &None, &None, now())?;
    blocking(move || {
        let rules = app.handle.catalog.noise(from.unwrap_or(Timestamp(i64::MIN)))?;
        Ok(Json(NoiseList { from, rules }))
    })
    .await
}
