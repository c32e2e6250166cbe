//! `/backtests`: rules over stored history, in the background.
//!
//! In: which rules, which span. Out: how far it is, and at the end the report. One runs at a
//! time; the last ones stay to be read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value as JsonValue, json};
use tocsin_engine::backtest::{self, Chosen, Request, SAMPLES_MAX, Watch, Which};
use tocsin_engine::content::{Choice, Content};
use tocsin_model::Timestamp;
use tocsin_search::{Context, parse_in};
use utoipa::ToSchema;

use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::query::{now, span};

/// Backtests kept, the running one among them.
const KEPT_MAX: usize = 20;
/// Samples of a rule when the request does not say.
const SAMPLES_DEFAULT: usize = 5;
/// The longest rule given as text, bytes.
const TEXT_BYTES_MAX: usize = 256 * 1024;

/// All backtests of this process.
static JOBS: LazyLock<Jobs> = LazyLock::new(Jobs::default);

#[derive(Default)]
struct Jobs {
    next: AtomicU64,
    all: Mutex<VecDeque<Arc<Job>>>,
}

struct Job {
    id: u64,
    /// The server that it runs in: tests have several in one process.
    of: usize,
    about: String,
    started: Timestamp,
    watch: Watch,
    done: Mutex<Option<Result<JsonValue, String>>>,
}

/// Which rules over which history.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BacktestBody {
    /// Id, name or title of a rule.
    rule: Option<String>,
    /// Rules as YAML text, not yet in force.
    text: Option<String>,
    /// With `text`: the rule in force, by id or name, that it would replace. The report then has
    /// `before`, the same for that rule, and `difference`: alerts that are new and that are gone.
    against: Option<String>,
    /// Also what exceptions hide.
    ignore_exceptions: bool,
    /// Every rule.
    all_rules: bool,
    /// Only events that match this query.
    q: String,
    /// Of the last …: `24h`, `30d`.
    last: Option<String>,
    /// At or after this time, RFC 3339.
    from: Option<String>,
    /// Before this time, RFC 3339.
    to: Option<String>,
    /// Alerts shown of each rule, at most 100; default 5.
    samples: Option<usize>,
}

/// A backtest.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backtest {
    /// Its number.
    id: u64,
    /// What is tested.
    about: String,
    /// `running`, `done`, `cancelled` or `failed`.
    #[schema(value_type = String)]
    state: &'static str,
    /// When it was started.
    #[schema(value_type = String)]
    started: Timestamp,
    /// Events gone through.
    events_done: u64,
    /// Events to go through.
    events_total: u64,
    /// What was found; null while it runs.
    #[schema(value_type = Object)]
    report: Option<JsonValue>,
    /// Why it failed.
    error: Option<String>,
}

/// All of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct BacktestList {
    backtests: Vec<Backtest>,
}

impl Job {
    fn done(&self) -> MutexGuard<'_, Option<Result<JsonValue, String>>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, whole: bool) -> Backtest {
        let done = self.done();
        let (state, error) = match done.as_ref() {
            None => ("running", None),
            Some(Err(error)) => ("failed", Some(error.clone())),
            Some(Ok(report)) if report["cancelled"] == json!(true) => ("cancelled", None),
            Some(Ok(_)) => ("done", None),
        };
        let report = done.as_ref().and_then(|done| done.as_ref().ok());
        Backtest {
            id: self.id,
            about: self.about.clone(),
            state,
            started: self.started,
            events_done: self.watch.done.load(Ordering::Relaxed),
            events_total: self.watch.total.load(Ordering::Relaxed),
            report: report.filter(|_| whole).cloned(),
            error,
        }
    }
}

fn place(app: &Shared) -> usize {
    Arc::as_ptr(app) as usize
}

fn jobs() -> MutexGuard<'static, VecDeque<Arc<Job>>> {
    JOBS.all.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(app: &Shared, id: &str) -> Result<Arc<Job>, ApiError> {
    let number: Option<u64> = id.parse().ok();
    let found = jobs().iter().find(|job| Some(job.id) == number && job.of == place(app)).cloned();
    found.ok_or_else(|| ApiError::not_found(format!("there is no backtest {id:?} any more")))
}

/// Starts a backtest.
#[utoipa::path(
    post,
    path = "/backtests",
    tag = "events",
    operation_id = "start_backtest",
    request_body = BacktestBody,
    responses(
        (status = 202, description = "It runs; ask for it by its id", body = Backtest),
        (status = 400, description = "Something is wrong", body = ErrorAnswer),
        (status = 409, description = "Another one is running", body = ErrorAnswer),
    )
)]
pub async fn start(
    State(app): State<Shared>,
    body: Bytes,
) -> Result<(StatusCode, Json<Backtest>), ApiError> {
    let body: BacktestBody = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body: {error}")))?;
    let (which, about) = which(&body)?;
    let now = now();
    let filter = parse_in(&body.q, Context { now, fields: None })?;
    let (from, to) = span(&body.last, &body.from, &body.to, now)?;
    let samples = body.samples.unwrap_or(SAMPLES_DEFAULT).min(SAMPLES_MAX);
    let against = body.against.clone().map(Which::Named);
    if against.is_some() && body.text.is_none() {
        return Err(ApiError::bad_request("against: what to compare with it is missing: text"));
    }
    let request = Request { filter, from, to, samples, gentle: false };
    let config = app.handle.config.clone();
    let chosen = blocking(move || {
        let content = Content::load(&config.content, &config.detect, &Choice::default());
        let chosen = backtest::choose(&content, &which).map_err(ApiError::bad_request)?;
        let before = against.map(|which| backtest::choose(&content, &which));
        Ok((chosen, before.transpose().map_err(ApiError::bad_request)?))
    })
    .await?;
    let job = enter(&app, about, now)?;
    let shown = job.show(false);
    let handle = app.handle.clone();
    let heeding = |chosen: Chosen| match body.ignore_exceptions {
        true => chosen,
        false => chosen.but_for(handle.exceptions.current(), now),
    };
    let (chosen, before) = (heeding(chosen.0), chosen.1.map(heeding));
    tokio::task::spawn_blocking(move || {
        let (store, alerts, watch) = (&*handle.store, &handle.config.alerts, &job.watch);
        let ran = match before {
            None => backtest::run(store, &chosen, alerts, &request, watch).map(|one| json!(one)),
            Some(before) => backtest::compare(store, &before, &chosen, alerts, &request, watch)
                .map(|both| json!(both)),
        };
        *job.done() = Some(ran.map_err(|error| error.to_string()));
    });
    Ok((StatusCode::ACCEPTED, Json(shown)))
}

/// Enters a new backtest when none is running.
fn enter(app: &Shared, about: String, now: Timestamp) -> Result<Arc<Job>, ApiError> {
    let mut all = jobs();
    let of = place(app);
    if let Some(running) = all.iter().find(|job| job.of == of && job.done().is_none()) {
        let message = format!("backtest {} is still running; wait or cancel it", running.id);
        return Err(ApiError::new(StatusCode::CONFLICT, message));
    }
    let job = Arc::new(Job {
        id: JOBS.next.fetch_add(1, Ordering::Relaxed) + 1,
        of,
        about,
        started: now,
        watch: Watch::default(),
        done: Mutex::new(None),
    });
    if all.len() >= KEPT_MAX {
        all.pop_front();
    }
    all.push_back(job.clone());
    Ok(job)
}

fn which(body: &BacktestBody) -> Result<(Which, String), ApiError> {
    match (&body.rule, &body.text, body.all_rules) {
        (Some(rule), None, false) => Ok((Which::Named(rule.clone()), rule.clone())),
        (None, Some(text), false) if text.len() <= TEXT_BYTES_MAX => {
            Ok((Which::Text(text.clone()), "a rule given as text".to_owned()))
        }
        (None, Some(_), false) => {
            Err(ApiError::bad_request(format!("text is longer than {TEXT_BYTES_MAX} bytes")))
        }
        (None, None, true) => Ok((Which::All, "all rules".to_owned())),
        _ => Err(ApiError::bad_request("give one of rule, text and all_rules")),
    }
}

/// The backtests of this run, the newest first.
#[utoipa::path(
    get,
    path = "/backtests",
    tag = "events",
    operation_id = "list_backtests",
    responses((status = 200, description = "Without their reports", body = BacktestList))
)]
pub async fn list(State(app): State<Shared>) -> Json<BacktestList> {
    let of = place(&app);
    let all = jobs();
    let own = all.iter().rev().filter(|job| job.of == of);
    Json(BacktestList { backtests: own.map(|job| job.show(false)).collect() })
}

/// One backtest.
#[utoipa::path(
    get,
    path = "/backtests/{id}",
    tag = "events",
    operation_id = "get_backtest",
    params(("id" = String, Path, description = "Its number")),
    responses(
        (status = 200, description = "How far it is, or its report", body = Backtest),
        (status = 404, description = "No such backtest", body = ErrorAnswer),
    )
)]
pub async fn one(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Backtest>, ApiError> {
    Ok(Json(find(&app, &id)?.show(true)))
}

/// Ends a backtest early; what was found by then is reported.
#[utoipa::path(
    delete,
    path = "/backtests/{id}",
    tag = "events",
    operation_id = "cancel_backtest",
    params(("id" = String, Path, description = "Its number")),
    responses(
        (status = 200, description = "It ends", body = Backtest),
        (status = 404, description = "No such backtest", body = ErrorAnswer),
    )
)]
pub async fn cancel(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Backtest>, ApiError> {
    let job = find(&app, &id)?;
    job.watch.cancel.store(true, Ordering::Relaxed);
    Ok(Json(job.show(false)))
}
