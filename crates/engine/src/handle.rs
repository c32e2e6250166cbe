//! [`Handle`]: what a running engine shows to the server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tocsin_catalog::Catalog;
use tocsin_collect::{Collector, Journal, Stats};
use tocsin_model::{Alert, Timestamp};
use tocsin_notify::Notifier;
use tocsin_respond::Responder;
use tocsin_store::EventStore;
use tokio::sync::broadcast;

use crate::config::Config;
use crate::context::ContextBook;
use crate::exceptions::ExceptionBook;
use crate::intel::IntelBook;
use crate::intel::hunt::Hunts;
use crate::reload::InForce;
use crate::troubles::Troubles;

/// How many live messages a slow listener may be behind before it misses some.
pub const LIVE_BACKLOG_MAX: usize = 1024;

/// The time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}

/// Something that happened just now.
#[derive(Debug, Clone)]
pub enum Live {
    /// An alert was raised or changed.
    Alert(Arc<Alert>),
}

/// A running engine, shared.
#[derive(Clone)]
pub struct Handle {
    /// The configuration in force.
    pub config: Arc<Config>,
    /// Alerts and the outbox.
    pub catalog: Arc<Catalog>,
    /// What nobody is told of.
    pub exceptions: Arc<ExceptionBook>,
    /// What is known beyond lines.
    pub context: Arc<ContextBook>,
    /// What others warn of.
    pub intel: Arc<IntelBook>,
    /// What was looked for in history since.
    pub hunts: Arc<Hunts>,
    /// Events.
    pub store: Arc<dyn EventStore>,
    /// Where the server puts what it is sent.
    pub journal: Arc<Journal>,
    /// Channels.
    pub notifier: Arc<Notifier>,
    /// Bans.
    pub responder: Arc<Responder>,
    /// Inputs.
    pub collector: Arc<Collector>,
    /// Counters of inputs.
    pub inputs: Arc<Stats>,
    /// Counters of the pipeline.
    pub progress: Arc<Progress>,
    /// Live messages.
    pub live: broadcast::Sender<Live>,
    /// The rules in force, and what was refused in content.
    pub in_force: Arc<ArcSwap<InForce>>,
    /// What goes wrong beside the pipeline.
    pub troubles: Arc<Troubles>,
    /// When the engine started.
    pub started: Timestamp,
}

/// What happened to the records of one input: `received = stored + waiting + dropped`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Records that came into the pipeline.
    pub received: u64,
    /// Events stored durably.
    pub stored: u64,
}

/// Counters of the pipeline, written by it and read by anybody.
#[derive(Debug, Default)]
pub struct Progress {
    /// Events stored since the data directory was made.
    pub stored: AtomicU64,
    /// Events that entered since this start.
    pub entered: AtomicU64,
    /// Alerts raised since this start.
    pub alerts: AtomicU64,
    /// Findings since this start.
    pub findings: AtomicU64,
    /// Findings dropped by the allow-list since this start.
    pub allowed: AtomicU64,
    /// Records that no parser understood since this start.
    pub unparsed: AtomicU64,
    /// Age of the newest event when it was detected, milliseconds from its arrival.
    pub lag_ms: AtomicU64,
    /// Events per second over the last seconds, thousandths.
    per_second_milli: AtomicU64,
    /// Event time of the newest event, nanoseconds.
    newest: AtomicI64,
    ledgers: Mutex<BTreeMap<String, Ledger>>,
    problem: Mutex<Option<String>>,
    detect: Mutex<tocsin_detect::Counters>,
    shapes: Mutex<tocsin_parse::Shapes>,
}

impl Progress {
    /// Events per second, smoothed over some seconds.
    pub fn per_second(&self) -> f64 {
        self.per_second_milli.load(Ordering::Relaxed) as f64 / 1000.0
    }

    /// Counts a line that `source` could not read.
    pub fn not_understood(&self, input: &str, source: &str, line: &str, received: Timestamp) {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        shapes.note(input, source, line, received);
    }

    /// What was not understood since the start, the most frequent first, and how many lines more
    /// there were than can be listed.
    pub fn shapes(&self) -> (Vec<tocsin_parse::Shape>, u64) {
        let shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        (shapes.list(), shapes.forgotten())
    }

    /// Sets the smoothed rate.
    pub fn set_per_second(&self, rate: f64) {
        self.per_second_milli.store((rate * 1000.0) as u64, Ordering::Relaxed);
    }

    /// Event time of the newest event; `None` before the first.
    pub fn newest(&self) -> Option<Timestamp> {
        match self.newest.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Timestamp(nanos)),
        }
    }

    /// Notes an event's time.
    pub fn saw(&self, time: Timestamp) {
        self.newest.fetch_max(time.0, Ordering::Relaxed);
    }

    /// What is wrong with the pipeline right now, with the remedy.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says what is wrong, or that nothing is.
    pub fn set_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Ledger by input.
    pub fn ledgers(&self) -> BTreeMap<String, Ledger> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the ledgers.
    pub fn set_ledgers(&self, ledgers: &BTreeMap<String, Ledger>) {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).clone_from(ledgers);
    }

    /// Counters of detection.
    pub fn detect(&self) -> tocsin_detect::Counters {
        *self.detect.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the counters of detection.
    pub fn set_detect(&self, counters: tocsin_detect::Counters) {
        *self.detect.lock().unwrap_or_else(PoisonError::into_inner) = counters;
    }
}
