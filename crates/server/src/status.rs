//! `GET /status`, `GET /health`: how Tocsin is doing. Answers even when a part does not: what
//! cannot be asked is zero, and `problem` says why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tocsin_catalog::OutboxCounts;
use tocsin_collect::InputSnapshot;
use tocsin_content::diagnostic::Level;
use tocsin_engine::Handle;
use tocsin_model::Timestamp;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::error::{ApiError, ErrorAnswer};
use crate::ingest;
use crate::limits::STATUS_CACHE_TIME;
use crate::overview::BySeverity;
use crate::query::now;

/// How Tocsin is doing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// Version of this program.
    pub version: &'static str,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// Events since the data directory was made.
    pub events: EventStatus,
    /// Alerts that are there.
    pub alerts: AlertStatus,
    /// Everything that is collected from.
    pub inputs: Vec<InputStatus>,
    /// Everything that is told of alerts.
    pub channels: Vec<ChannelStatus>,
    /// Rules in force.
    pub rules: RuleStatus,
    /// What is known of addresses, hosts and users beyond their lines.
    pub context: crate::context::ContextView,
    /// Feeds of indicators.
    pub intel: Vec<crate::intel::FeedView>,
    /// What is stored.
    pub store: StoreStatus,
    /// Sources that stopped sending, and which rules are blind by it.
    pub silent: crate::watch::SilentStatus,
    /// The last backup; null when there was none, or one is under way.
    pub backup: Option<BackupStatus>,
    /// What is wrong right now, with the remedy; null when nothing is.
    pub problem: Option<String>,
}

/// How the last `tocsin backup` went.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackupStatus {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub at: tocsin_model::Timestamp,
    /// The file that it is in.
    pub file: String,
    /// Bytes before packing.
    pub bytes: u64,
    /// Why there is none; null when it went well.
    pub error: Option<String>,
}

/// Numbers of events: `received = stored + dropped`, but for those under way.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct EventStatus {
    /// Records that arrived.
    pub received: u64,
    /// Events stored.
    pub stored: u64,
    /// Records that were lost or refused; the inputs say why.
    pub dropped: u64,
    /// Records that no parser understood, since the start; they are stored.
    pub unparsed: u64,
    /// Events per second over the last seconds.
    pub per_second: f64,
    /// From an event's arrival to its detection, milliseconds.
    pub lag_ms: u64,
}

/// Numbers of alerts.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct AlertStatus {
    /// In all.
    pub total: u64,
    /// By severity.
    pub by_severity: BySeverity,
    /// By title of the rule.
    pub by_rule: BTreeMap<String, u64>,
    /// By rule, for the metrics.
    #[serde(skip)]
    pub by_rule_id: Vec<tocsin_catalog::RuleCount>,
}

/// One input.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct InputStatus {
    /// Its name.
    pub name: String,
    /// Where it reads: a path, an address.
    pub source: String,
    /// The source definition or hint its lines are read with; null: found line by line.
    pub read_as: Option<String>,
    /// Records that arrived.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Events stored.
    pub stored: u64,
    /// Records that were lost or refused: the sum of those reasons in `dropped` that lose
    /// records.
    pub lost: u64,
    /// Records that are neither stored nor lost yet: `received - stored - lost`.
    pub under_way: u64,
    /// Whether the ledger adds up: no more is stored and lost than was received.
    pub balanced: bool,
    /// What was not taken, by reason. `journal_full`, `queue_full`, `kernel_buffer_full` and
    /// `refused` count records (see `lost`); the others count what is none: ends of long lines
    /// that were cut off, connections, parts of files.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub dropped: BTreeMap<&'static str, u64>,
    /// Bytes that are there but not read yet.
    pub lag_bytes: u64,
    /// When the newest record arrived.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_event: Option<Timestamp>,
    /// What is wrong with it, with the remedy.
    pub problem: Option<String>,
}

/// One channel.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// Notices that wait.
    pub pending: u64,
    /// Notices delivered.
    pub delivered: u64,
    /// Notices given up.
    pub failed: u64,
    /// Tries that failed since the start.
    pub failed_tries: u64,
    /// Why nothing goes out at the moment.
    pub problem: Option<String>,
    /// `working`; `open` while it is left alone because the last tries failed; `half_open` when it
    /// is tried again.
    pub state: String,
    /// When it is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_try: Option<Timestamp>,
}

/// Numbers of rules.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct RuleStatus {
    /// In force.
    pub loaded: usize,
    /// Refusals in packs and rule files.
    pub refused: usize,
}

/// What is stored.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct StoreStatus {
    /// Events.
    pub documents: u64,
    /// Bytes on disk, alerts included.
    pub disk_bytes: u64,
    /// Of the events, those in the archive.
    pub archived_documents: u64,
    /// Bytes of the archive, beside `disk_bytes`.
    pub archived_bytes: u64,
    /// Fields or values that are in their events and are not found by a search, because of a
    /// limit, since the start.
    pub unindexed_values: u64,
    /// Events older than this are removed, days; 0 is never (`store.retention_days`).
    pub retention_days: u32,
    /// The oldest go when the store is larger than this, bytes; 0 is no limit
    /// (`store.retention_bytes`).
    pub retention_bytes: u64,
    /// Bytes that wait in the journal to be stored.
    pub journal_bytes: u64,
    /// Time of the oldest event.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub oldest: Option<Timestamp>,
}

/// Well.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

/// Numbers of events and alerts, inputs, channels, rules, store.
#[utoipa::path(
    get,
    path = "/status",
    tag = "state",
    responses((status = 200, description = "The state", body = Status))
)]
pub async fn status(State(app): State<Shared>) -> Result<Json<Arc<Status>>, ApiError> {
    current(&app).await.map(Json)
}

/// Whether Tocsin is doing its work.
#[utoipa::path(
    get,
    path = "/health",
    tag = "state",
    responses(
        (status = 200, description = "It is", body = Health),
        (status = 503, description = "It is not; the message says why", body = ErrorAnswer),
    )
)]
pub async fn health(State(app): State<Shared>) -> Result<Json<Health>, ApiError> {
    match app.handle.progress.problem() {
        None => Ok(Json(Health { status: "ok" })),
        Some(problem) => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, problem)),
    }
}

/// The status, a moment old at most.
pub async fn current(app: &Shared) -> Result<Arc<Status>, ApiError> {
    let handle = app.handle.clone();
    app.status.get(STATUS_CACHE_TIME, move || Ok(read(&handle))).await
}

/// The last backup, which is a problem where it failed.
fn backup(handle: &Handle, problems: &mut Vec<String>) -> Option<BackupStatus> {
    let last = tocsin_engine::backup::last(&handle.config.server.data_dir)?;
    if let Some(error) = &last.error {
        let (at, file) = (last.at, &last.file);
        problems.push(format!("the backup of {at} to {file} failed: {error}; make it again"));
    }
    let (at, file, bytes, error) = (last.at, last.file, last.bytes, last.error);
    Some(BackupStatus { at, file, bytes, error })
}

fn read(handle: &Handle) -> Status {
    let mut problems: Vec<String> = handle.progress.problem().into_iter().collect();
    problems.extend(handle.troubles.list());
    let backup = backup(handle, &mut problems);
    let inputs = inputs(handle);
    let progress = &handle.progress;
    let load =
        |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    let events = EventStatus {
        received: inputs.iter().map(|input| input.received).sum(),
        stored: load(&progress.stored),
        dropped: inputs.iter().map(|input| input.lost).sum(),
        unparsed: load(&progress.unparsed),
        per_second: (progress.per_second() * 10.0).round() / 10.0,
        lag_ms: load(&progress.lag_ms),
    };
    let mut note = |problem: String| {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    };
    let alerts = alerts(handle).unwrap_or_else(|error| {
        note(error.to_string());
        AlertStatus::default()
    });
    let channels = channels(handle).unwrap_or_else(|error| {
        note(error.to_string());
        Vec::new()
    });
    let store = handle.store.stats().unwrap_or_else(|error| {
        note(error.to_string());
        tocsin_store::StoreStats::default()
    });
    let silent = crate::watch::silent(&handle.catalog).unwrap_or_else(|error| {
        note(error.to_string());
        crate::watch::SilentStatus::default()
    });
    let in_force = handle.in_force.load();
    let refused = in_force.diagnostics.iter().filter(|about| about.level == Level::Error).count();
    Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: now().since(handle.started).as_secs(),
        events,
        alerts,
        inputs,
        channels,
        context: crate::context::view(handle),
        intel: crate::intel::feeds(handle),
        silent,
        rules: RuleStatus { loaded: in_force.rules.len(), refused },
        store: StoreStatus {
            documents: store.documents,
            disk_bytes: store.disk_bytes + handle.catalog.disk_bytes(),
            archived_documents: store.archived_documents,
            archived_bytes: store.archived_bytes,
            unindexed_values: store.unindexed_values,
            retention_days: handle.config.store.retention_days,
            retention_bytes: handle.config.store.retention_bytes,
            journal_bytes: handle.journal.used_bytes(),
            oldest: store.oldest,
        },
        backup,
        problem: (!problems.is_empty()).then(|| problems.join("; ")),
    }
}

fn inputs(handle: &Handle) -> Vec<InputStatus> {
    let mut watched: BTreeMap<_, _> =
        handle.collector.watching().into_iter().map(|one| (one.input.clone(), one)).collect();
    let mut counted: BTreeMap<_, _> =
        handle.inputs.snapshot().into_iter().map(|one| (one.input.clone(), one)).collect();
    let ledgers = handle.progress.ledgers();
    let names: BTreeSet<&String> =
        watched.keys().chain(counted.keys()).chain(ledgers.keys()).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let input = |name: String| {
        let mut input = counted.remove(&name).map(count).unwrap_or_default();
        if let Some(watched) = watched.remove(&name) {
            input.source = watched.what;
            input.read_as = watched.source;
            input.problem = watched.problem.or(input.problem);
        }
        if name == ingest::INPUT {
            input.source = "POST /ingest".to_owned();
        }
        if let Some(ledger) = ledgers.get(&name) {
            input.received = input.received.max(ledger.received + input.lost);
            input.stored = ledger.stored;
        }
        let settled = input.stored + input.lost;
        input.under_way = input.received.saturating_sub(settled);
        input.balanced = settled <= input.received;
        InputStatus { name, ..input }
    };
    names.into_iter().map(input).collect()
}

fn count(snapshot: InputSnapshot) -> InputStatus {
    let lost = |(reason, count): (&tocsin_collect::DropReason, &u64)| {
        if reason.loses_records() { *count } else { 0 }
    };
    let lost = snapshot.dropped.iter().map(lost).sum();
    InputStatus {
        received: snapshot.received_records + lost,
        received_bytes: snapshot.received_bytes,
        lost,
        dropped: snapshot.dropped.iter().map(|(why, count)| (why.as_str(), *count)).collect(),
        lag_bytes: snapshot.lag_bytes,
        last_event: snapshot.last_received,
        problem: snapshot.problem,
        ..InputStatus::default()
    }
}

fn alerts(handle: &Handle) -> Result<AlertStatus, tocsin_catalog::CatalogError> {
    let counts = handle.catalog.alert_counts(None, None)?;
    let mut by_rule = BTreeMap::new();
    for rule in &counts.by_rule {
        *by_rule.entry(rule.title.clone()).or_default() += rule.count;
    }
    Ok(AlertStatus {
        total: counts.total,
        by_severity: BySeverity::from(&counts.by_severity),
        by_rule,
        by_rule_id: counts.by_rule,
    })
}

fn channels(handle: &Handle) -> Result<Vec<ChannelStatus>, tocsin_catalog::CatalogError> {
    let OutboxCounts { mut by_channel, .. } = handle.catalog.outbox_counts()?;
    let mut working = handle.notifier.stats();
    // A channel that was never told anything is a channel, too.
    for name in working.keys() {
        by_channel.entry(name.clone()).or_default();
    }
    let channel = |(name, [pending, delivered, failed]): (String, [u64; 3])| {
        let stats = working.remove(&name).unwrap_or_default();
        ChannelStatus {
            name,
            pending,
            delivered,
            failed,
            failed_tries: stats.failed,
            state: stats.state(now()).to_owned(),
            next_try: stats.open_until,
            problem: stats.problem,
        }
    };
    Ok(by_channel.into_iter().map(channel).collect())
}
