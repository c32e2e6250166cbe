//! [`Stats`]: what each input received and what it had to drop, counted while it runs.
//!
//! In: counts from the inputs. Out: snapshots for the status page and metrics. Never blocks an
//! input: the counters are atomics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tocsin_model::Timestamp;

use crate::batch::Pace;

/// Why bytes or records were not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// A record was longer than the limit: its beginning was passed on, the rest cut off.
    Oversize,
    /// A UDP message arrived while the journal was full or its disk refused it.
    JournalFull,
    /// UDP messages arrived faster than they could be written.
    QueueFull,
    /// The operating system dropped UDP messages before Tocsin could read them.
    KernelBufferFull,
    /// A frame's length was nonsense; its bytes were read as lines instead.
    InvalidFrame,
    /// A connection was refused: too many at the same time.
    TooManyConnections,
    /// A file was truncated before all of it could be read.
    Truncated,
    /// A file is larger than what is read back; its oldest part was left out.
    TooOld,
    /// Events in an ingest request that were refused; the sender was told why.
    Refused,
    /// Bytes of the journal that were damaged on disk.
    JournalDamaged,
    /// Messages of which some chunks never came.
    Incomplete,
    /// Requests and connections without a token or key that is known.
    Unauthorized,
}

impl DropReason {
    /// All reasons, in the order of the counters.
    pub const ALL: [Self; 12] = [
        Self::Oversize,
        Self::JournalFull,
        Self::QueueFull,
        Self::KernelBufferFull,
        Self::InvalidFrame,
        Self::TooManyConnections,
        Self::Truncated,
        Self::TooOld,
        Self::Refused,
        Self::JournalDamaged,
        Self::Incomplete,
        Self::Unauthorized,
    ];

    /// The word used in metrics and wire JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oversize => "oversize",
            Self::JournalFull => "journal_full",
            Self::QueueFull => "queue_full",
            Self::KernelBufferFull => "kernel_buffer_full",
            Self::InvalidFrame => "invalid_frame",
            Self::TooManyConnections => "too_many_connections",
            Self::Truncated => "truncated",
            Self::TooOld => "too_old",
            Self::Refused => "refused",
            Self::JournalDamaged => "journal_damaged",
            Self::Incomplete => "incomplete",
            Self::Unauthorized => "unauthorized",
        }
    }

    /// True when whole records were lost (a message, a refused event); false when something
    /// else was counted (bytes cut off, a connection, part of a file never read).
    pub fn loses_records(self) -> bool {
        matches!(
            self,
            Self::JournalFull
                | Self::QueueFull
                | Self::KernelBufferFull
                | Self::Refused
                | Self::Incomplete
        )
    }
}

/// What was dropped, by input and reason.
pub type Dropped = BTreeMap<String, BTreeMap<DropReason, u64>>;

/// Counters of all inputs.
#[derive(Debug, Default)]
pub struct Stats {
    /// How far lanes are ahead of each other.
    pub pace: Pace,
    inputs: RwLock<BTreeMap<Arc<str>, Arc<InputStats>>>,
}

impl Stats {
    /// The counters of the input `name`, made at the first call.
    pub fn input(&self, name: &str) -> Arc<InputStats> {
        if let Some(known) = self.inputs.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return known.clone();
        }
        let mut inputs = self.inputs.write().unwrap_or_else(PoisonError::into_inner);
        inputs.entry(Arc::from(name)).or_default().clone()
    }

    /// Clears what is wrong with an input, if there is such an input.
    pub(crate) fn clear_problem(&self, name: &str) {
        if let Some(input) = self.inputs.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            input.set_problem(None);
        }
    }

    /// All inputs' counters now, sorted by name.
    pub fn snapshot(&self) -> Vec<InputSnapshot> {
        let inputs = self.inputs.read().unwrap_or_else(PoisonError::into_inner);
        inputs.iter().map(|(name, stats)| stats.snapshot(name)).collect()
    }

    /// What was dropped, by input and reason; inputs that dropped nothing are absent.
    pub fn dropped(&self) -> Dropped {
        let inputs = self.inputs.read().unwrap_or_else(PoisonError::into_inner);
        let dropped = inputs.iter().map(|(name, stats)| (name.to_string(), stats.all_dropped()));
        dropped.filter(|(_, by_reason)| !by_reason.is_empty()).collect()
    }

    /// Adds what an earlier run dropped, so that totals survive a restart.
    pub fn restore_dropped(&self, earlier: &Dropped) {
        for (name, by_reason) in earlier {
            for (reason, count) in by_reason {
                self.input(name).dropped(*reason, *count);
            }
        }
    }
}

/// Counters of one input.
#[derive(Debug, Default)]
pub struct InputStats {
    records: AtomicU64,
    bytes: AtomicU64,
    dropped: [AtomicU64; DropReason::ALL.len()],
    lag_bytes: AtomicU64,
    last: AtomicI64,
    problem: Mutex<Option<String>>,
}

impl InputStats {
    /// Counts records that were passed on, and when the newest arrived.
    pub fn received(&self, records: u64, bytes: u64, at: Timestamp) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.last.fetch_max(at.0, Ordering::Relaxed);
    }

    /// Counts what was dropped.
    pub fn dropped(&self, reason: DropReason, count: u64) {
        self.dropped[reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// How many were dropped for `reason`.
    pub fn dropped_count(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize].load(Ordering::Relaxed)
    }

    fn all_dropped(&self) -> BTreeMap<DropReason, u64> {
        let counts = DropReason::ALL.map(|reason| (reason, self.dropped_count(reason)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Records passed on.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Sets how many bytes are there but not read yet.
    pub fn set_lag_bytes(&self, bytes: u64) {
        self.lag_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Sets or clears what is wrong with this input now; true when that is news.
    pub fn set_problem(&self, problem: Option<String>) -> bool {
        let mut current = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *current != problem;
        *current = problem;
        news
    }

    fn snapshot(&self, name: &Arc<str>) -> InputSnapshot {
        let last = self.last.load(Ordering::Relaxed);
        InputSnapshot {
            input: name.to_string(),
            received_records: self.records(),
            received_bytes: self.bytes.load(Ordering::Relaxed),
            dropped: self.all_dropped(),
            lag_bytes: self.lag_bytes.load(Ordering::Relaxed),
            last_received: (last > 0).then_some(Timestamp(last)),
            problem: self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// Counters of one input at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSnapshot {
    /// Name of the input.
    pub input: String,
    /// Records passed on since the start.
    pub received_records: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// What was dropped, by reason; reasons that never happened are absent.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Bytes that are there but not read yet.
    pub lag_bytes: u64,
    /// When the newest record arrived.
    pub last_received: Option<Timestamp>,
    /// What is wrong with this input now, with the remedy.
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_kept_by_input_and_reason_and_survive_a_restart() {
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            let json = serde_json::to_value(reason).unwrap();
            assert_eq!(json, reason.as_str());
        }
        let stats = Stats::default();
        stats.input("b").received(2, 30, Timestamp(5));
        stats.input("a").dropped(DropReason::Oversize, 1);
        assert!(stats.input("a").set_problem(Some("gone".into())));
        assert!(!stats.input("a").set_problem(Some("gone".into())));
        let snapshot = stats.snapshot();
        assert_eq!(snapshot[0].dropped[&DropReason::Oversize], 1);
        assert_eq!((snapshot[1].received_records, snapshot[1].received_bytes), (2, 30));
        let next = Stats::default();
        next.restore_dropped(&stats.dropped());
        next.input("a").dropped(DropReason::Refused, 2);
        assert_eq!(
            next.dropped()["a"],
            [(DropReason::Oversize, 1), (DropReason::Refused, 2)].into()
        );
        assert_eq!(next.input("a").dropped_count(DropReason::Oversize), 1);
    }
}
