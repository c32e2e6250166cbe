//! What each rule costs: of one event in [`SAMPLE_EVERY`] it is measured how long each rule took.
//!
//! In: a clock of the caller, which this crate has none of. Out: [`Costs`]. What several rules have
//! in common (the search for literals, a condition that is the same) is counted once: with the
//! event, or with the rule that needed it first. Measuring changes nothing of what is found.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tocsin_model::RuleMeta;

/// One event of so many is measured.
pub const SAMPLE_EVERY: u32 = 64;
/// A longer measure is that of a processor that did something else meanwhile, nanoseconds.
const NANOS_MAX: u64 = 1_000_000;

/// Nanoseconds since any fixed moment.
pub type Clock = fn() -> u64;

/// Counters beside the compiled rules; shared by all who match with them.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    events: AtomicU64,
    nanos: AtomicU64,
    rules: Vec<RuleMeter>,
}

#[derive(Debug, Default)]
struct RuleMeter {
    evaluated: AtomicU64,
    nanos: AtomicU64,
}

impl Meter {
    pub(crate) fn of(rules: usize) -> Self {
        Self { rules: (0..rules).map(|_| RuleMeter::default()).collect(), ..Self::default() }
    }

    /// A rule was looked at.
    pub(crate) fn add(&self, rule: usize, nanos: u64) {
        let Some(meter) = self.rules.get(rule) else { return };
        meter.evaluated.fetch_add(1, Ordering::Relaxed);
        meter.nanos.fetch_add(nanos.min(NANOS_MAX), Ordering::Relaxed);
    }

    /// An event is done.
    pub(crate) fn event(&self, nanos: u64) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos.min(NANOS_MAX), Ordering::Relaxed);
    }

    pub(crate) fn read(&self, metas: &[Arc<RuleMeta>]) -> Costs {
        let events = self.events.load(Ordering::Relaxed);
        let nanos = self.nanos.load(Ordering::Relaxed);
        let measured = |meter: &RuleMeter| Cost {
            evaluated: meter.evaluated.load(Ordering::Relaxed),
            nanos: meter.nanos.load(Ordering::Relaxed),
        };
        let rules = metas.iter().zip(&self.rules);
        let rules = rules.map(|(meta, meter)| (meta.id.clone(), measured(meter))).collect();
        Costs { events, nanos, rules }
    }
}

/// What was measured of a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Measured events for which its condition was looked at; a correlation: that were counted.
    pub evaluated: u64,
    /// How long that took, nanoseconds.
    pub nanos: u64,
}

/// What was measured since rules were loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Costs {
    /// Events that were measured.
    pub events: u64,
    /// How long all of detection took for them, nanoseconds.
    pub nanos: u64,
    /// By id of the rule.
    pub rules: Vec<(String, Cost)>,
}

impl Costs {
    /// Nanoseconds that a rule takes of each event, whether it is looked at or not.
    pub fn nanos_per_event(&self, cost: Cost) -> f64 {
        cost.nanos as f64 / self.events.max(1) as f64
    }
}

/// Which events are measured: some, in no rhythm that a sender could have.
#[derive(Debug)]
pub(crate) struct Sampler(u32);

impl Sampler {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9)
    }

    #[inline]
    pub(crate) fn hit(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0.is_multiple_of(SAMPLE_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_event_in_so_many_is_measured() {
        let mut sampler = Sampler::new();
        let hits = (0..640_000).filter(|_| sampler.hit()).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
    }
}
