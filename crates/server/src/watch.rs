//! `/silence`: sources that send and those that should; `/risk`: addresses, users and hosts by
//! what their alerts add up to.

use std::slice;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use tocsin_catalog::{Catalog, CatalogError};
use tocsin_engine::watch::{self, Condition, EntityKind, Risk, Sending};
use tocsin_model::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{ALERTS_MAX, PAGE_DEFAULT, SILENT_LISTED_MAX};
use crate::query::{Params, given, limit, now};
use crate::triage::json;

/// Sources with their rhythm.
#[derive(Debug, Serialize, ToSchema)]
pub struct SilenceList {
    /// Silent ones first, then by host and source; at most a minute old.
    sources: Vec<SourceView>,
}

/// A source: the events of one dataset of one host.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// `event.dataset`.
    source: String,
    /// `host.name`; empty where its events name none.
    host: String,
    /// The input that it comes by.
    input: String,
    /// `silent`, `sending`, `learning` (its rhythm is not known yet), `irregular` (it pauses for
    /// so long that silence means nothing) or `ignored`.
    condition: String,
    /// When it was first heard.
    #[schema(value_type = Option<String>, format = DateTime)]
    first: Option<Timestamp>,
    /// When it was last heard.
    #[schema(value_type = Option<String>, format = DateTime)]
    last: Option<Timestamp>,
    events: u64,
    /// Its longest usual pause at this hour of the week, seconds.
    usual_seconds: u64,
    /// The silence that raises an alert, seconds; null while none does.
    limit_seconds: Option<u64>,
    /// Id of the alert about its silence.
    alert: Option<String>,
}

impl From<Sending> for SourceView {
    fn from(sending: Sending) -> Self {
        let Sending { source, condition, usual_seconds, limit_seconds } = sending;
        let condition = serde_json::to_value(condition).unwrap_or_default();
        Self {
            source: source.dataset,
            host: source.host,
            input: source.input,
            condition: condition.as_str().unwrap_or_default().to_owned(),
            first: source.first,
            last: source.last,
            events: source.events,
            usual_seconds,
            limit_seconds,
            alert: source.alert.map(|id| id.0),
        }
    }
}

/// Sources that fell silent, for `/status`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SilentStatus {
    /// How many there are.
    pub total: usize,
    /// The first of them, 20 at most; `/silence` has all.
    pub sources: Vec<SilentView>,
}

/// A source that fell silent, and what cannot be detected without it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SilentView {
    /// `event.dataset`.
    source: String,
    /// `host.name`; empty where its events name none.
    host: String,
    /// When it was last heard.
    #[schema(value_type = Option<String>, format = DateTime)]
    last: Option<Timestamp>,
    /// Id of the alert about it.
    alert: Option<String>,
    /// Titles of the rules that are blind without it.
    blind: Vec<String>,
}

/// Sources that are silent now; at most a minute old.
///
/// # Errors
/// When the catalog cannot be read.
pub fn silent(catalog: &Catalog) -> Result<SilentStatus, CatalogError> {
    let mut all = watch::sending(catalog)?;
    all.retain(|sending| sending.condition == Condition::Silent);
    let view = |Sending { source, .. }: Sending| {
        let told = source.alert.as_ref().map(|id| catalog.alert(id)).transpose()?.flatten();
        let told = told.map(|alert| alert.to_json()).unwrap_or_default();
        let rules = told.pointer("/tocsin/silence/rules");
        // One alone is written as a text.
        let named =
            rules.map(|rules| rules.as_array().map_or(slice::from_ref(rules), Vec::as_slice));
        let named = named.unwrap_or_default().iter().filter_map(JsonValue::as_str);
        Ok(SilentView {
            source: source.dataset,
            host: source.host,
            last: source.last,
            alert: source.alert.map(|id| id.0),
            blind: named.map(str::to_owned).collect(),
        })
    };
    let total = all.len();
    let sources = all.into_iter().take(SILENT_LISTED_MAX).map(view).collect::<Result<_, _>>()?;
    Ok(SilentStatus { total, sources })
}

/// A source to forget.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetBody {
    /// Its `event.dataset`.
    source: String,
    /// Its host; empty where its events name none.
    #[serde(default)]
    host: String,
}

/// How many were.
#[derive(Debug, Serialize, ToSchema)]
pub struct Forgotten {
    forgotten: u64,
}

/// Sources that send, with their rhythm, and those that fell silent.
#[utoipa::path(
    get,
    path = "/silence",
    tag = "state",
    operation_id = "list_silence",
    responses((status = 200, description = "The sources", body = SilenceList))
)]
pub async fn silence(State(app): State<Shared>) -> Result<Json<SilenceList>, ApiError> {
    blocking(move || {
        let sources = watch::sending(&app.handle.catalog)?;
        let mut sources: Vec<SourceView> = sources.into_iter().map(SourceView::from).collect();
        sources.sort_by_key(|source| source.condition != "silent");
        Ok(Json(SilenceList { sources }))
    })
    .await
}

/// Forgets a source that will not send again; one that does is learned anew.
#[utoipa::path(
    post,
    path = "/silence/forget",
    tag = "state",
    operation_id = "forget_source",
    request_body = ForgetBody,
    responses(
        (status = 200, description = "It is forgotten within a minute", body = Forgotten),
        (status = 404, description = "No such source", body = ErrorAnswer),
        (status = 415, description = "The body is not JSON", body = ErrorAnswer),
    )
)]
pub async fn forget(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Forgotten>, ApiError> {
    let ForgetBody { source, host } = json(&headers, &body)?;
    blocking(move || match watch::forget(&app.handle.catalog, &source, &host)? {
        0 => Err(ApiError::not_found(format!("no source {source:?} of host {host:?} is known"))),
        forgotten => Ok(Json(Forgotten { forgotten })),
    })
    .await
}

/// Whose risk.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RiskParams {
    /// `address`, `user` or `host`; all when left away.
    kind: Option<String>,
    /// At most so many, up to 1000; default 50.
    limit: Option<String>,
}

/// Entities by their risk.
#[derive(Debug, Serialize, ToSchema)]
pub struct RiskList {
    /// The highest first: kind, entity, score, alerts, rules (title and points now), last.
    #[schema(value_type = Vec<Object>)]
    entities: Vec<Risk>,
    /// How many there are.
    total: u64,
    /// The score that raises an alert.
    threshold: f64,
    /// Hours after which points are worth half.
    half_life_hours: u32,
}

/// Addresses, users and hosts by what their alerts add up to.
#[utoipa::path(
    get,
    path = "/risk",
    tag = "alerts",
    operation_id = "list_risk",
    params(RiskParams),
    responses(
        (status = 200, description = "The entities", body = RiskList),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
    )
)]
pub async fn risks(
    State(app): State<Shared>,
    Params(params): Params<RiskParams>,
) -> Result<Json<RiskList>, ApiError> {
    let kind = given(&params.kind).map(kind_of).transpose()?;
    let count = limit(&params.limit, PAGE_DEFAULT, ALERTS_MAX)?;
    blocking(move || {
        let config = &app.handle.config.risk;
        let (entities, total) = watch::risks(&app.handle.catalog, config, kind, now(), count)?;
        let (threshold, half_life_hours) = (config.threshold, config.half_life_hours);
        Ok(Json(RiskList { entities, total, threshold, half_life_hours }))
    })
    .await
}

/// The risk of one address, user or host, with every alert that adds to it.
#[utoipa::path(
    get,
    path = "/risk/{kind}/{entity}",
    tag = "alerts",
    operation_id = "get_risk",
    params(
        ("kind" = String, Path, description = "`address`, `user` or `host`"),
        ("entity" = String, Path, description = "Which"),
    ),
    responses(
        (status = 200, description = "As in the list, with parts: alert_id, rule_id, title, time, \
            points, now (points now), harmless (the disposition because of which it adds none)",
            body = Object),
        (status = 404, description = "No such kind, or no alert is about it", body = ErrorAnswer),
    )
)]
pub async fn risk(
    State(app): State<Shared>,
    Path((kind, entity)): Path<(String, String)>,
) -> Result<Json<Risk>, ApiError> {
    let unknown = || ApiError::not_found(format!("{kind:?} is none of address, user, host"));
    let kind = EntityKind::of_word(&kind).ok_or_else(unknown)?;
    blocking(move || {
        let config = &app.handle.config.risk;
        let known = watch::risk_of(&app.handle.catalog, config, kind, &entity, now())?;
        let missing = || ApiError::not_found(format!("no alert is about {entity:?}"));
        known.map(Json).ok_or_else(missing)
    })
    .await
}

fn kind_of(word: &str) -> Result<EntityKind, ApiError> {
    EntityKind::of_word(word).ok_or_else(|| {
        ApiError::bad_request(format!("kind must be address, user or host, not {word:?}"))
    })
}
