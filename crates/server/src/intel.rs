//! `/intel`: feeds of indicators, indicators of one's own, looking for them in history.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tocsin_engine::Handle;
use tocsin_engine::intel::hunt::HuntStatus;
use tocsin_engine::intel::{FeedStatus, Kind, Order, found_in, given};
use tocsin_model::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::query::Params;
use crate::triage::json;

/// A feed of indicators.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedView {
    /// Its name; `own` is what people added.
    name: String,
    /// `plain`, `csv`, `json`, `misp`, `stix`, `taxii`, `own`.
    format: String,
    /// Where it comes from.
    source: String,
    /// Indicators in force.
    indicators: usize,
    /// How many of each kind.
    by_kind: BTreeMap<String, usize>,
    /// Memory that they take, bytes.
    bytes: usize,
    /// When it was last fetched with success.
    #[schema(value_type = Option<String>, format = DateTime)]
    fetched: Option<Timestamp>,
    /// Fetches since the start.
    fetches: u64,
    /// Of those, failed.
    failures: u64,
    /// Things in it that are no indicator, by reason.
    refused: BTreeMap<String, u64>,
    /// Why the last fetch failed; what was there before stays in force.
    problem: Option<String>,
}

impl From<FeedStatus> for FeedView {
    fn from(status: FeedStatus) -> Self {
        let FeedStatus {
            name,
            format,
            source,
            indicators,
            by_kind,
            bytes,
            fetched,
            fetches,
            failures,
            refused,
            problem,
        } = status;
        Self {
            name,
            format,
            source,
            indicators,
            by_kind,
            bytes,
            fetched,
            fetches,
            failures,
            refused,
            problem,
        }
    }
}

/// All feeds.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntelView {
    feeds: Vec<FeedView>,
    /// Indicators in all.
    indicators: usize,
    /// Memory that they take, bytes.
    bytes: usize,
}

/// An indicator.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndicatorView {
    /// Name of its feed.
    feed: String,
    /// `address`, `network`, `domain`, `url`, `hash`, `email`.
    kind: &'static str,
    value: String,
    /// 0 to 100.
    confidence: u8,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
    /// What it is about.
    about: String,
}

/// Indicators that warn of a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndicatorList {
    indicators: Vec<IndicatorView>,
}

/// Which indicator.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ValueParams {
    /// An address, domain, URL, hash or e-mail address.
    #[param(required = true)]
    value: Option<String>,
}

/// An indicator to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorBody {
    /// An address, network, domain, URL, hash or e-mail address.
    #[schema(example = "203.0.113.66")]
    value: String,
    /// What it is; by its looks when left away.
    kind: Option<String>,
    /// 0 to 100; 80 when left away.
    confidence: Option<u8>,
    /// Days until it is over; never when left away.
    expires_days: Option<u32>,
    /// What it is about.
    #[serde(default)]
    about: String,
}

/// What changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntelChange {
    /// How many were added or removed.
    changed: usize,
}

/// A look into history.
#[derive(Debug, Serialize, ToSchema)]
pub struct HuntView {
    id: u64,
    /// What is looked for.
    about: String,
    #[schema(value_type = String, format = DateTime)]
    started: Timestamp,
    /// Null while it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended: Option<Timestamp>,
    /// Events looked at.
    events: u64,
    /// Events that hold one of the indicators and were stored without it.
    matched: u64,
    /// Alerts raised.
    alerts: u64,
    /// Ids of some of them.
    ids: Vec<String>,
    /// Why it failed.
    problem: Option<String>,
}

impl From<HuntStatus> for HuntView {
    fn from(status: HuntStatus) -> Self {
        let HuntStatus { id, about, started, ended, found, problem } = status;
        let (events, matched, alerts, ids) = (found.events, found.matched, found.alerts, found.ids);
        Self { id, about, started, ended, events, matched, alerts, ids, problem }
    }
}

/// The looks into history of this run.
#[derive(Debug, Serialize, ToSchema)]
pub struct HuntList {
    /// The newest first.
    hunts: Vec<HuntView>,
}

/// How the feeds of a running engine are doing.
pub fn feeds(handle: &Handle) -> Vec<FeedView> {
    handle.intel.status().into_iter().map(FeedView::from).collect()
}

/// The feeds of indicators.
#[utoipa::path(
    get,
    path = "/intel",
    tag = "state",
    operation_id = "get_intel",
    responses((status = 200, description = "How each feed is doing", body = IntelView))
)]
pub async fn about(State(app): State<Shared>) -> Json<IntelView> {
    let feeds = feeds(&app.handle);
    let indicators = feeds.iter().map(|feed| feed.indicators).sum();
    let bytes = feeds.iter().map(|feed| feed.bytes).sum();
    Json(IntelView { feeds, indicators, bytes })
}

/// Who warns of a value.
#[utoipa::path(
    get,
    path = "/intel/indicators",
    tag = "state",
    operation_id = "look_up_indicator",
    params(ValueParams),
    responses(
        (status = 200, description = "The indicators that an event with it would match",
         body = IndicatorList),
        (status = 400, description = "No value of the kinds there are", body = ErrorAnswer),
    )
)]
pub async fn look_up(
    State(app): State<Shared>,
    Params(params): Params<ValueParams>,
) -> Result<Json<IndicatorList>, ApiError> {
    let value = params.value.unwrap_or_default();
    let found = found_in(&app.handle.intel.current(), &value).map_err(ApiError::bad_request)?;
    let view = |one: tocsin_engine::intel::Match| IndicatorView {
        feed: one.feed.to_string(),
        kind: one.indicator.kind.as_str(),
        value: one.indicator.value,
        confidence: one.indicator.confidence,
        expires: one.indicator.expires,
        about: one.indicator.about,
    };
    Ok(Json(IndicatorList { indicators: found.into_iter().map(view).collect() }))
}

/// Adds an indicator of one's own; it is also looked for in stored history.
#[utoipa::path(
    post,
    path = "/intel/indicators",
    tag = "response",
    operation_id = "add_indicator",
    request_body = IndicatorBody,
    responses(
        (status = 201, description = "It is in force within a second", body = IntelChange),
        (status = 400, description = "It makes no sense", body = ErrorAnswer),
    )
)]
pub async fn add(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<IntelChange>), ApiError> {
    let body: IndicatorBody = json(&headers, &body)?;
    let kind =
        match &body.kind {
            Some(word) => Some(Kind::parse(word).ok_or_else(|| {
                ApiError::bad_request(format!("{word:?} is no kind of indicator"))
            })?),
            None => None,
        };
    let confidence = body.confidence.unwrap_or(80);
    let indicator = given(&body.value, kind, confidence, body.expires_days, &body.about)
        .map_err(ApiError::bad_request)?;
    let changed = change(&app, move |intel| intel.add(&[indicator])).await?;
    Ok((StatusCode::CREATED, changed))
}

/// Takes an indicator of one's own back.
#[utoipa::path(
    delete,
    path = "/intel/indicators",
    tag = "response",
    operation_id = "remove_indicator",
    params(ValueParams),
    responses(
        (status = 200, description = "It is no longer in force", body = IntelChange),
        (status = 404, description = "Nobody added it", body = ErrorAnswer),
    )
)]
pub async fn remove(
    State(app): State<Shared>,
    Params(params): Params<ValueParams>,
) -> Result<Json<IntelChange>, ApiError> {
    let value = params.value.unwrap_or_default();
    let changed = change(&app, move |intel| intel.remove(&value)).await?;
    match changed.changed {
        0 => Err(ApiError::not_found("nobody added such an indicator; those of feeds stay")),
        _ => Ok(changed),
    }
}

async fn change(
    app: &Shared,
    work: impl FnOnce(&tocsin_engine::intel::IntelBook) -> Result<usize, String> + Send + 'static,
) -> Result<Json<IntelChange>, ApiError> {
    let intel = app.handle.intel.clone();
    let changed = blocking(move || work(&intel).map_err(ApiError::bad_request)).await?;
    Ok(Json(IntelChange { changed }))
}

/// Fetches a feed now.
#[utoipa::path(
    post,
    path = "/intel/feeds/{name}/fetch",
    tag = "response",
    operation_id = "fetch_feed",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 202, description = "It is fetched", body = IntelChange),
        (status = 404, description = "No such feed", body = ErrorAnswer),
    )
)]
pub async fn fetch(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<IntelChange>), ApiError> {
    match app.handle.intel.fetch_soon(&name) {
        true => Ok((StatusCode::ACCEPTED, Json(IntelChange { changed: 1 }))),
        false => Err(ApiError::not_found(format!("no feed is called {name:?}"))),
    }
}

/// The looks into history of this run.
#[utoipa::path(
    get,
    path = "/intel/hunts",
    tag = "state",
    operation_id = "list_hunts",
    responses((status = 200, description = "How far each is", body = HuntList))
)]
pub async fn hunts(State(app): State<Shared>) -> Json<HuntList> {
    Json(HuntList { hunts: app.handle.hunts.list().into_iter().map(HuntView::from).collect() })
}

/// Looks for all indicators in force in stored history.
#[utoipa::path(
    post,
    path = "/intel/hunts",
    tag = "response",
    operation_id = "start_hunt",
    responses(
        (status = 202, description = "It is started, or waits for those before it",
         body = HuntList),
        (status = 409, description = "Too many wait", body = ErrorAnswer),
    )
)]
pub async fn hunt(State(app): State<Shared>) -> Result<(StatusCode, Json<HuntList>), ApiError> {
    let intel = &app.handle.intel;
    let order =
        Order { intel: (*intel.current()).clone(), about: "all indicators in force".to_owned() };
    if !intel.order(order) {
        let message = "too many hunts wait; try again when one has ended";
        return Err(ApiError::new(StatusCode::CONFLICT, message.to_owned()));
    }
    Ok((StatusCode::ACCEPTED, hunts(State(app)).await))
}
