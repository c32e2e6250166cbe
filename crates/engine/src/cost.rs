//! What rules cost: the clock by which they are measured, and the measure for people.
//!
//! In: what `detect` measured. Out: nanoseconds for each event and shares, by rule.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Instant;

use serde::Serialize;
use tocsin_detect::{Costs, SAMPLE_EVERY};

/// Below so many measured events nothing is said.
const EVENTS_MIN: u64 = 50;

/// The clock that measures: nanoseconds since the start.
pub fn nanos() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What a rule costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RuleCost {
    /// Nanoseconds that it takes of each event, whether it is looked at or not.
    pub nanos_per_event: f64,
    /// Share of events for which its condition is looked at, 0 to 1.
    pub looked_at: f64,
    /// Its share of all the time of detection, 0 to 1.
    pub share: f64,
}

/// What was measured, by rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CostTable {
    /// Events that it was measured over, those between the measured ones included.
    pub events: u64,
    /// Nanoseconds that all of detection takes of an event.
    pub nanos_per_event: f64,
    /// By id; empty while too little was measured.
    pub rules: HashMap<String, RuleCost>,
}

impl CostTable {
    /// For people.
    pub fn of(costs: &Costs) -> Self {
        if costs.events < EVENTS_MIN {
            return Self::default();
        }
        let whole = costs.nanos.max(1) as f64;
        let rules = costs.rules.iter().map(|(id, cost)| {
            let cost = RuleCost {
                nanos_per_event: costs.nanos_per_event(*cost),
                looked_at: (cost.evaluated as f64 / costs.events as f64).min(1.0),
                share: (cost.nanos as f64 / whole).min(1.0),
            };
            (id.clone(), cost)
        });
        Self {
            events: costs.events * u64::from(SAMPLE_EVERY),
            nanos_per_event: whole / costs.events as f64,
            rules: rules.collect(),
        }
    }
}
