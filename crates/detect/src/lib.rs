//! Sigma detection: events in, findings out.
//!
//! In: rule files, a table of log sources and field names, events with their own time. Out:
//! [`Finding`]s, and [`Diagnostic`]s about rules that cannot be honoured exactly. Never reads a
//! clock, a disk or the network: `now` is an argument, so an incident can be replayed byte for
//! byte.

mod options;

use std::sync::Arc;

use serde::Serialize;
use tocsin_content::{Diagnostic, Pack, PackFile};
use tocsin_model::{Event, Finding, RuleMeta, Timestamp};

pub use options::{LATENESS, Limits, Options};

/// Why an operation of this crate failed.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum Error {
    /// A snapshot that cannot be read.
    #[error(
        "detection state cannot be read: {0}; starting without it is safe but forgets open windows"
    )]
    Snapshot(String),
}

/// Rules compiled for matching; immutable and cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    metas: Arc<[Arc<RuleMeta>]>,
}

impl RuleSet {
    /// What people need to know of every rule, in load order.
    pub fn rules(&self) -> &[Arc<RuleMeta>] {
        &self.metas
    }

    /// The rule with this id or name.
    pub fn get(&self, id_or_name: &str) -> Option<Arc<RuleMeta>> {
        self.metas
            .iter()
            .find(|meta| meta.id == id_or_name || meta.name.as_deref() == Some(id_or_name))
            .cloned()
    }
}

/// How log sources and Sigma's field names meet events.
#[derive(Debug, Clone, Default)]
pub struct Tables {}

impl Tables {
    /// Reads the tables of packs (`tables/*.yml`).
    pub fn from_packs(_packs: &[Pack]) -> (Self, Vec<Diagnostic>) {
        (Self::default(), Vec::new())
    }

    /// The tables embedded in the binary.
    pub fn builtin() -> Self {
        Self::default()
    }
}

/// Parses and compiles rule files. A rule that cannot be honoured exactly is refused with an
/// error diagnostic; the others are loaded.
pub fn load(
    _files: &[PackFile],
    _tables: &Tables,
    _options: &Options,
) -> (RuleSet, Vec<Diagnostic>) {
    (RuleSet::default(), Vec::new())
}

/// What a [`Detector`] counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Events processed.
    pub events: u64,
    /// Findings given out.
    pub findings: u64,
    /// Groups of correlations held now.
    pub groups: u64,
    /// Bytes of correlation state held now, counted roughly.
    pub state_bytes: u64,
    /// Groups given up because of `groups_max` or `state_bytes_max`.
    pub groups_evicted: u64,
    /// Matched events given up because of `entries_per_group_max`.
    pub entries_evicted: u64,
    /// Matched events that came later than the lateness bound and were not correlated.
    pub late_dropped: u64,
}

/// Matches events against rules and keeps the windows of correlations; one per pipeline.
#[derive(Debug)]
pub struct Detector {
    rules: Arc<RuleSet>,
    counters: Counters,
}

impl Detector {
    /// A detector with empty windows.
    pub fn new(rules: Arc<RuleSet>, _options: &Options) -> Self {
        Self { rules, counters: Counters::default() }
    }

    /// Matches one event; findings are appended to `out`.
    pub fn process(&mut self, _event: &Event, _out: &mut Vec<Finding>) {
        self.counters.events += 1;
    }

    /// Says that event time has come to `now` though no event says so; windows that end by then
    /// are decided.
    pub fn advance(&mut self, _now: Timestamp, _out: &mut Vec<Finding>) {}

    /// Says that no more events come: all windows are decided.
    pub fn finish(&mut self, _out: &mut Vec<Finding>) {}

    /// The state of all windows, to be restored after a restart.
    pub fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes over the state that [`Detector::snapshot`] gave; windows of rules that have changed
    /// or are gone are dropped.
    pub fn restore(&mut self, _bytes: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    /// Takes new rules; windows of unchanged rules stay.
    pub fn replace_rules(&mut self, rules: Arc<RuleSet>) {
        self.rules = rules;
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }
}

/// Why a rule did or did not match an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The rule's id.
    pub rule_id: String,
    /// The rule's title.
    pub title: String,
    /// Whether the rule matches the event (log source and condition).
    pub matched: bool,
    /// The log source: whether the event is of it.
    pub log_source: Explained,
    /// The condition.
    pub condition: Explained,
}

/// One part of an [`Explanation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// What is asked, for example `and`, `selection`, `Image|endswith`.
    pub what: String,
    /// Whether it holds.
    pub matched: bool,
    /// What the rule wants, for leaves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<String>,
    /// What the event has: field and value, for leaves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<(String, serde_json::Value)>,
    /// Its parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Explained>,
}

/// Says why a rule does or does not match an event; `None` when there is no such rule.
pub fn explain(_rules: &RuleSet, _id_or_name: &str, _event: &Event) -> Option<Explanation> {
    None
}

/// The outcome of one test of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestResult {
    /// File of the rule.
    pub path: String,
    /// Line of the test.
    pub line: u32,
    /// The rule's title.
    pub rule: String,
    /// The test's name.
    pub name: String,
    /// `None` when it passed, else what was expected and what came.
    pub failure: Option<String>,
}

/// Runs the `tests:` of every rule in `files`, with all of `files` loaded and routed by log
/// source. `read` parses one raw line with the named source (`None`: find the source).
pub fn run_tests(
    _files: &[PackFile],
    _tables: &Tables,
    _options: &Options,
    _read: &mut dyn FnMut(Option<&str>, &str) -> Event,
) -> Vec<TestResult> {
    Vec::new()
}
