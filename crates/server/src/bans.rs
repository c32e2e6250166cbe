//! `/bans`: addresses that are kept out, were or would have been; making and lifting bans.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tocsin_catalog::BanStep;
use tocsin_engine::respond::{Ban, BanState, RespondError, Target, Wish};
use tocsin_model::Timestamp;
use tocsin_search::parse_time_range;
use utoipa::{IntoParams, ToSchema};

use crate::accounts::doer;
use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{ALERTS_MAX, PAGE_DEFAULT};
use crate::query::{Params, given, limit, now};
use crate::triage::{SOMEBODY, json};

/// A ban to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BanBody {
    /// Whom: an address.
    #[schema(example = "192.0.2.66")]
    #[serde(default)]
    address: String,
    /// Or a user, who is disabled (`respond.user_script`).
    user: Option<String>,
    /// For how long (`1h`, `7d`); as a rule would when left away.
    lasts: Option<String>,
    /// Why.
    reason: String,
    /// The alert that it is about.
    alert: Option<String>,
    /// Block it although somebody logged in well from there before.
    #[serde(default)]
    confirm: bool,
    /// Who does it.
    by: Option<String>,
}

/// A ban.
#[derive(Debug, Serialize, ToSchema)]
pub struct BanView {
    id: u64,
    /// The address; of a disabled user `user` and the name.
    address: String,
    /// Name of the user, of a ban that disables one.
    user: Option<String>,
    /// `planned` (a dry run would), `wanted`, `active`, `refused`, `failed`, `unwanted`, `lifted`
    /// or `expired`.
    state: &'static str,
    /// What there is to say about the state: why it was refused, why it failed.
    note: Option<String>,
    reason: String,
    by: String,
    /// Id of the alert that it is about.
    alert: Option<String>,
    /// Id of the rule that made it; null when a person did.
    rule: Option<String>,
    rule_title: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    changed: Timestamp,
}

/// The bans.
#[derive(Debug, Serialize, ToSchema)]
pub struct BanList {
    /// `off`, `dry_run` or `enforce`.
    mode: &'static str,
    /// The newest first.
    bans: Vec<BanView>,
    /// `before` of the next page; null on the last.
    next: Option<u64>,
}

/// Something that happened to a ban.
#[derive(Debug, Serialize, ToSchema)]
pub struct BanActivity {
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    who: String,
    state: &'static str,
    note: Option<String>,
}

/// Which bans.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// States, comma-separated, or `all`; those not over when left away.
    state: Option<String>,
    /// Only those with a lower number.
    before: Option<String>,
    /// At most so many; default 50.
    limit: Option<String>,
}

/// Who lifts one, and why.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LiftParams {
    /// Who does it.
    by: Option<String>,
    /// Why.
    reason: Option<String>,
}

impl From<Ban> for BanView {
    fn from(ban: Ban) -> Self {
        let (rule, rule_title) = ban.what.rule.unzip();
        Self {
            id: ban.id,
            address: ban.what.target.to_string(),
            user: match ban.what.target {
                Target::User(name) => Some(name),
                Target::Address(_) => None,
            },
            state: ban.what.state.as_str(),
            note: ban.what.note,
            reason: ban.what.reason,
            by: ban.what.by,
            alert: ban.what.alert_id,
            rule,
            rule_title,
            created: ban.created,
            expires: ban.what.expires,
            changed: ban.changed,
        }
    }
}

impl From<BanStep> for BanActivity {
    fn from(step: BanStep) -> Self {
        Self { time: step.time, who: step.who, state: step.state.as_str(), note: step.note }
    }
}

impl From<RespondError> for ApiError {
    fn from(error: RespondError) -> Self {
        let message = error.to_string();
        match error {
            RespondError::Bad(_) => Self::bad_request(message),
            RespondError::Refused { .. } => Self::new(StatusCode::CONFLICT, message),
            RespondError::Firewall(_) => Self::new(StatusCode::BAD_GATEWAY, message),
            RespondError::Catalog(error) => error.into(),
        }
    }
}

/// Bans, the newest first.
#[utoipa::path(
    get,
    path = "/bans",
    tag = "response",
    operation_id = "list_bans",
    params(ListParams),
    responses((status = 200, description = "The bans", body = BanList))
)]
pub async fn list(
    State(app): State<Shared>,
    Params(params): Params<ListParams>,
) -> Result<Json<BanList>, ApiError> {
    let states = match given(&params.state) {
        None => BanState::HELD.to_vec(),
        Some("all") => Vec::new(),
        Some(words) => words.split(',').map(state).collect::<Result<_, _>>()?,
    };
    let before = match given(&params.before) {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            ApiError::bad_request(format!("before must be the number of a ban, not {text:?}"))
        })?),
    };
    let wanted = limit(&params.limit, PAGE_DEFAULT, ALERTS_MAX)?;
    let mode = app.handle.responder.config().mode.as_str();
    blocking(move || {
        let bans = app.handle.catalog.bans(&states, before, wanted)?;
        let next = if bans.len() == wanted { bans.last().map(|ban| ban.id) } else { None };
        Ok(Json(BanList { mode, bans: bans.into_iter().map(BanView::from).collect(), next }))
    })
    .await
}

/// Blocks an address, or disables a user. What a guard rail protects is answered with 409 and why.
#[utoipa::path(
    post,
    path = "/bans",
    tag = "response",
    operation_id = "add_ban",
    request_body = BanBody,
    responses(
        (status = 201, description = "The ban, in force; planned in a dry run", body = BanView),
        (status = 400, description = "The ban makes no sense", body = ErrorAnswer),
        (status = 409, description = "A guard rail forbids it", body = ErrorAnswer),
        (status = 415, description = "The body is not JSON", body = ErrorAnswer),
        (status = 502, description = "The firewall could not", body = ErrorAnswer),
    )
)]
pub async fn add(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<BanView>), ApiError> {
    let body = json::<BanBody>(&headers, &body)?;
    let target = match given(&body.user) {
        Some(name) if body.address.is_empty() => Target::User(name.to_owned()),
        Some(_) => return Err(ApiError::bad_request("give an address or a user, not both")),
        None => Target::Address(body.address.trim().parse().map_err(|_| {
            ApiError::bad_request(format!("address: {:?} is none, like 192.0.2.1", body.address))
        })?),
    };
    let lasts = match given(&body.lasts) {
        None => None,
        Some(text) => {
            let now = now();
            let range = parse_time_range(text, now).map_err(ApiError::bad_request)?;
            let from = range.from.filter(|_| range.to.is_none()).ok_or_else(|| {
                ApiError::bad_request(format!("lasts: a span like 1h or 7d, not {text:?}"))
            })?;
            Some(now.since(from))
        }
    };
    let by = doer(body.by.filter(|by| !by.is_empty())).unwrap_or_else(|| SOMEBODY.to_owned());
    let wish = Wish {
        target,
        lasts,
        reason: body.reason,
        by,
        alert_id: body.alert.filter(|id| !id.is_empty()),
        despite_login: body.confirm,
    };
    let ban = app.handle.responder.block(&wish).await?;
    Ok((StatusCode::CREATED, Json(ban.into())))
}

/// Lifts a ban; the address is let in again.
#[utoipa::path(
    delete,
    path = "/bans/{id}",
    tag = "response",
    operation_id = "lift_ban",
    params(("id" = u64, Path, description = "Its number"), LiftParams),
    responses(
        (status = 200, description = "The ban, lifted", body = BanView),
        (status = 404, description = "No such ban in force", body = ErrorAnswer),
        (status = 502, description = "The firewall could not; it is tried again", body = ErrorAnswer),
    )
)]
pub async fn lift(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Params(params): Params<LiftParams>,
) -> Result<Json<BanView>, ApiError> {
    let who = doer(given(&params.by).map(str::to_owned));
    let who = who.as_deref().unwrap_or(SOMEBODY);
    let why = given(&params.reason).unwrap_or("");
    let lifted = match id.parse() {
        Ok(number) => app.handle.responder.lift(number, who, why).await?,
        Err(_) => None,
    };
    let none = || ApiError::not_found(format!("no ban in force has the number {id:?}"));
    lifted.map(|ban| Json(ban.into())).ok_or_else(none)
}

/// Everything that happened to a ban, the oldest first.
#[utoipa::path(
    get,
    path = "/bans/{id}/activity",
    tag = "response",
    operation_id = "ban_activity",
    params(("id" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "What happened", body = Vec<BanActivity>),
        (status = 404, description = "No such ban", body = ErrorAnswer),
    )
)]
pub async fn activity(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Vec<BanActivity>>, ApiError> {
    blocking(move || {
        let steps = match id.parse() {
            Ok(number) => app.handle.catalog.ban_activity(number)?,
            Err(_) => Vec::new(),
        };
        if steps.is_empty() {
            return Err(ApiError::not_found(format!("no ban has the number {id:?}")));
        }
        Ok(Json(steps.into_iter().map(BanActivity::from).collect()))
    })
    .await
}

fn state(word: &str) -> Result<BanState, ApiError> {
    BanState::of_word(word.trim()).ok_or_else(|| {
        let words: Vec<&str> = BanState::ALL.into_iter().map(BanState::as_str).collect();
        ApiError::bad_request(format!("state: unknown {word:?}, use {} or all", words.join(", ")))
    })
}
