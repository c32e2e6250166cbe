//! `/rules/foresight`: how often each rule that is off would have raised an alert in the last 30
//! days, so that somebody can decide to switch it on.
//!
//! In: the rules that are off, stored history. Out: their alerts by rule. Worked out in the
//! background, one run for all of them, when somebody asks; kept by rule and day. The run rests as
//! long as it works, and takes fewer days when 30 hold too many events. Stores nothing, tells
//! nobody.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tocsin_engine::Content;
use tocsin_engine::backtest::{self, Request, Watch, Which};
use tocsin_model::{RuleMeta, Timestamp};
use tocsin_store::{Filter, SearchRequest};
use utoipa::ToSchema;

use crate::app::{App, Shared, blocking};
use crate::error::ApiError;
use crate::limits::SEARCH_TIME_MAX;
use crate::query::now;
use crate::rules::is_off;

/// Days looked back, the most first; the first with few enough events is taken.
const DAYS: [u32; 5] = [30, 14, 7, 3, 1];
/// Events that one run goes through at most, if a day has no more.
const EVENTS_MAX: u64 = 5_000_000;
const DAY: i64 = 86_400 * 1_000_000_000;

/// What is known and what is being worked out.
#[derive(Default)]
pub struct Foresight(Mutex<Known>);

#[derive(Default)]
struct Known {
    known: HashMap<Key, Foreseen>,
    running: Option<Arc<Watch>>,
    error: Option<String>,
}

/// A rule as its file has it, on a day.
type Key = (String, u64, i64);

/// What a rule that is off would have raised.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Foreseen {
    rule_id: String,
    /// Alerts that it would have raised, allow-list and exceptions applied.
    alerts: u64,
    /// How often it matched.
    findings: u64,
    /// Over so many days.
    days: u32,
    /// By day (UTC), days without left out.
    #[schema(value_type = Vec<Object>)]
    by_day: Vec<backtest::Day>,
}

/// What rules that are off would have raised.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForesightAnswer {
    /// `running`, or `done` when every rule that is off is in `rules`.
    #[schema(value_type = String)]
    state: &'static str,
    /// Events gone through.
    events_done: u64,
    /// Events to go through; 0 while that is not known.
    events_total: u64,
    /// Rules that are off.
    off: usize,
    /// Those that are worked out.
    rules: Vec<Foreseen>,
    /// Why the last run failed.
    error: Option<String>,
}

impl Foresight {
    fn state(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What each rule that is off would have raised in the last 30 days. Asking starts working it out;
/// ask again until `state` is `done`.
#[utoipa::path(
    get,
    path = "/rules/foresight",
    tag = "state",
    operation_id = "rule_foresight",
    responses((status = 200, description = "By rule, as far as it is known", body = ForesightAnswer))
)]
pub async fn foresight(State(app): State<Shared>) -> Result<Json<ForesightAnswer>, ApiError> {
    blocking(move || {
        let content = app.known.content(&app.handle);
        let off: Vec<Arc<RuleMeta>> =
            content.rules.rules().iter().filter(|rule| is_off(&app, rule)).cloned().collect();
        let today = now().0.div_euclid(DAY);
        let keys: Vec<Key> = off.iter().map(|rule| key(&content, rule, today)).collect();
        let mut state = app.foresight.state();
        state.known.retain(|(_, _, day), _| *day == today);
        let missing = keys.iter().filter(|key| !state.known.contains_key(*key));
        let missing: Vec<Key> = missing.cloned().collect();
        if !missing.is_empty() && state.running.is_none() && state.error.is_none() {
            start(&app, &mut state, content.clone(), missing.clone());
        }
        let (done, total) = state.running.as_ref().map_or((0, 0), |watch| {
            (watch.done.load(Ordering::Relaxed), watch.total.load(Ordering::Relaxed))
        });
        // Whoever asks after a failure is told of it once, and asking again tries again.
        let error = state.error.take();
        let known = keys.iter().filter_map(|key| state.known.get(key).cloned());
        Ok(Json(ForesightAnswer {
            state: if missing.is_empty() || error.is_some() { "done" } else { "running" },
            events_done: done,
            events_total: total,
            off: off.len(),
            rules: known.collect(),
            error,
        }))
    })
    .await
}

fn key(content: &Content, rule: &RuleMeta, day: i64) -> Key {
    let mut hasher = DefaultHasher::new();
    for file in content.rule_files.iter().filter(|file| file.path == rule.path) {
        file.bytes.hash(&mut hasher);
    }
    (rule.id.clone(), hasher.finish(), day)
}

/// Starts a run for the rules that nothing is known of.
fn start(app: &Shared, state: &mut Known, content: Arc<Content>, wanted: Vec<Key>) {
    let watch = Arc::new(Watch::default());
    state.running = Some(watch.clone());
    let (stop, ended) = (app.stop.clone(), Arc::downgrade(&watch));
    tokio::runtime::Handle::current().spawn(async move {
        stop.cancelled().await;
        if let Some(watch) = ended.upgrade() {
            watch.cancel.store(true, Ordering::Relaxed);
        }
    });
    let app = app.clone();
    let work = move || {
        let done = run(&app, &content, &wanted, &watch);
        let mut state = app.foresight.state();
        state.running = None;
        match done {
            Ok(found) => state.known.extend(found),
            Err(error) => state.error = Some(error),
        }
    };
    let thread = std::thread::Builder::new().name("foresight".to_owned()).spawn(work);
    if let Err(error) = thread {
        state.running = None;
        state.error = Some(format!("cannot start a thread: {error}"));
    }
}

fn run(
    app: &App,
    content: &Content,
    wanted: &[Key],
    watch: &Watch,
) -> Result<Vec<(Key, Foreseen)>, String> {
    let to = now();
    let days = days(app, to)?;
    let ids = wanted.iter().map(|(id, _, _)| id.clone()).collect();
    let chosen = backtest::choose(content, &Which::Several(ids))?;
    let chosen = chosen.but_for(app.handle.exceptions.current(), to);
    let from = Some(Timestamp(to.0 - i64::from(days) * DAY));
    let request = Request { filter: Filter::All, from, to: Some(to), samples: 0, gentle: true };
    let alerts = &app.handle.config.alerts;
    let report = backtest::run(&*app.handle.store, &chosen, alerts, &request, watch)
        .map_err(|error| error.to_string())?;
    if report.cancelled {
        return Err("it was ended early".to_owned());
    }
    let mut found: HashMap<String, backtest::RuleReport> =
        report.rules.into_iter().map(|rule| (rule.id.clone(), rule)).collect();
    let foreseen = wanted.iter().map(|key| {
        let rule = found.remove(&key.0);
        let (alerts, findings) = rule.as_ref().map_or((0, 0), |rule| (rule.alerts, rule.findings));
        let by_day = rule.map(|rule| rule.days).unwrap_or_default();
        (key.clone(), Foreseen { rule_id: key.0.clone(), alerts, findings, days, by_day })
    });
    Ok(foreseen.collect())
}

/// As many days as hold few enough events.
fn days(app: &App, to: Timestamp) -> Result<u32, String> {
    for days in DAYS {
        let request = SearchRequest {
            from: Some(Timestamp(to.0 - i64::from(days) * DAY)),
            to: Some(to),
            limit: 0,
            timeout: Some(SEARCH_TIME_MAX),
            ..SearchRequest::default()
        };
        let found = app.handle.store.search(&request).map_err(|error| error.to_string())?;
        if found.total <= EVENTS_MAX {
            return Ok(days);
        }
    }
    Ok(DAYS[DAYS.len() - 1])
}
