//! [`Options`] and [`Limits`]: every number that bounds what detection may use.

use std::collections::HashMap;
use std::time::Duration;

/// How rules are loaded and run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether a rule only sees events of its log source (`false`: every rule on every event).
    pub route: bool,
    /// Values for `%name%` placeholders of the `expand` modifier.
    pub placeholders: HashMap<String, Vec<String>>,
    /// How late an event may come, in event time behind the newest one, and still be counted in
    /// its place by correlations.
    pub lateness: Duration,
    /// Bounds on state.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            route: true,
            placeholders: HashMap::new(),
            lateness: LATENESS,
            limits: Limits::default(),
        }
    }
}

/// Default of [`Options::lateness`].
pub const LATENESS: Duration = Duration::from_secs(10);

/// Bounds on the state of correlations. What is evicted is counted, see
/// [`Counters`](crate::Counters).
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most groups that one correlation keeps; past it the group unused longest goes.
    pub groups_max: usize,
    /// The most bytes that all correlations keep together, counted roughly.
    pub state_bytes_max: usize,
    /// The most matched events that one group of a correlation keeps; past it the oldest goes.
    pub entries_per_group_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { groups_max: 100_000, state_bytes_max: 512 << 20, entries_per_group_max: 100_000 }
    }
}
