//! Sigma detection: events in, findings out.
//!
//! In: rule files, a table of log sources and field names, events with their own time. Out:
//! [`Finding`]s, and [`Diagnostic`]s about rules that cannot be honoured exactly. Never reads a
//! clock, a disk or the network: `now` is an argument, so an incident can be replayed byte for
//! byte.

mod compile;
mod correlate;
mod cost;
mod detector;
mod everybody;
mod explain;
mod fold;
mod lint;
mod matcher;
mod needs;
mod number;
mod options;
mod pattern;
mod rule;
mod spans;
mod tables;
mod testing;
mod when;

use std::sync::Arc;

use tocsin_content::{Diagnostic, PackFile};
use tocsin_model::RuleMeta;

pub use correlate::Piece;
pub use cost::{Clock, Cost, Costs, SAMPLE_EVERY};
pub use detector::{Counters, Detector, Matches};
pub use explain::{Explained, Explanation, RuleSource, Takes, explain, log_sources};
pub use lint::lint;
pub use needs::Needs;
pub use options::{LATENESS, Limits, Options};
pub use tables::Tables;
pub use testing::{TestResult, run_tests};

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
    compiled: Arc<compile::Compiled>,
}

impl RuleSet {
    /// What people need to know of every rule: detection rules in load order, then correlations.
    pub fn rules(&self) -> &[Arc<RuleMeta>] {
        &self.compiled.metas
    }

    /// The rule with this id or name.
    pub fn get(&self, id_or_name: &str) -> Option<Arc<RuleMeta>> {
        let place = self.compiled.by_name.get(id_or_name)?;
        self.compiled.metas.get(*place).cloned()
    }

    /// What rules cost those who matched with a clock ([`Detector::measure`]), since they were
    /// loaded.
    pub fn costs(&self) -> Costs {
        self.compiled.meter.read(&self.compiled.metas)
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.compiled.metas.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.compiled.metas.is_empty()
    }
}

/// Parses and compiles rule files. A rule that cannot be honoured exactly is refused with an
/// error diagnostic; the others are loaded. The pack of a rule is told by its path
/// (`content/<pack>/…`).
pub fn load(files: &[PackFile], tables: &Tables, options: &Options) -> (RuleSet, Vec<Diagnostic>) {
    let (compiled, mut diagnostics) = compile::load(files, tables, options);
    let (compiled, refused) = everybody::keep_from_blocking(compiled);
    diagnostics.extend(refused);
    (RuleSet { compiled: Arc::new(compiled) }, diagnostics)
}
