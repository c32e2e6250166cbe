//! How long to wait after a failure: doubling, bounded, with jitter that depends on what failed,
//! so that many channels do not knock at the same moment and tests can foretell it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Bounds of the wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The wait after `failures` failures in a row (1 for the first): between half and all of
    /// `min` × 2^(failures − 1), at most `max`.
    pub(crate) fn wait(self, failures: u32, salt: &str) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1).min(31));
        let full = self.min.saturating_mul(doubled).min(self.max.max(self.min));
        let mut hasher = DefaultHasher::new();
        (salt, failures).hash(&mut hasher);
        let share = (hasher.finish() % 1000) as u32;
        full / 2 + full / 2000 * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_bounds() {
        let backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(600) };
        for (failures, full) in [(1, 1), (2, 2), (3, 4), (10, 512), (11, 600), (4_000_000_000, 600)]
        {
            let full = Duration::from_secs(full);
            for salt in ["a", "b", "c"] {
                let wait = backoff.wait(failures, salt);
                assert!(wait >= full / 2 && wait <= full, "{failures}: {wait:?}");
            }
        }
        assert_ne!(backoff.wait(1, "a"), backoff.wait(1, "b"));
    }
}
