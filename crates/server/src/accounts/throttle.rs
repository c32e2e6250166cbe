//! Delays for those who guess: per account and per address, growing, never for ever.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures without a delay.
const FREE: u32 = 5;
/// The longest delay.
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
/// A quiet time after which failures are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);
/// Names and addresses that are remembered.
const KNOWN_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

/// Who failed, and how often.
#[derive(Default)]
pub struct Throttle(Mutex<HashMap<String, Failures>>);

fn delay(count: u32) -> Duration {
    match count.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(20)).min(DELAY_MAX),
    }
}

impl Throttle {
    /// How long these still have to wait.
    pub fn wait(&self, keys: &[String], now: Instant) -> Duration {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = keys
            .iter()
            .filter_map(|key| known.get(key))
            .map(|failures| (failures.last + delay(failures.count)).saturating_duration_since(now));
        waits.max().unwrap_or_default()
    }

    /// These failed.
    pub fn failed(&self, keys: &[String], now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.retain(|_, failures| now.duration_since(failures.last) < FORGET_AFTER);
        }
        for key in keys {
            if known.len() >= KNOWN_MAX && !known.contains_key(key) {
                // Better to delay those that are known than to forget them for others.
                continue;
            }
            let failures = known.entry(key.clone()).or_insert(Failures { count: 0, last: now });
            if now.duration_since(failures.last) >= FORGET_AFTER {
                failures.count = 0;
            }
            failures.count += 1;
            failures.last = now;
        }
    }

    /// This one knew the password.
    pub fn succeeded(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_end() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let keys = ["user ann".to_owned(), "from 192.0.2.1".to_owned()];
        for _ in 0..4 {
            throttle.failed(&keys, start);
            assert_eq!(throttle.wait(&keys, start), Duration::ZERO);
        }
        throttle.failed(&keys, start);
        assert_eq!(throttle.wait(&keys, start), Duration::from_secs(1));
        throttle.failed(&keys, start);
        assert_eq!(throttle.wait(&keys[1..], start), Duration::from_secs(2), "the address too");
        assert_eq!(throttle.wait(&keys, start + Duration::from_secs(2)), Duration::ZERO);
        for _ in 0..100 {
            throttle.failed(&keys, start);
        }
        assert_eq!(throttle.wait(&keys, start), DELAY_MAX, "never for ever");
        throttle.succeeded(&keys[0]);
        assert_eq!(throttle.wait(&keys[..1], start), Duration::ZERO);
        throttle.failed(&keys, start + FORGET_AFTER);
        assert_eq!(throttle.wait(&keys, start + FORGET_AFTER), Duration::ZERO, "forgotten");
        assert_eq!(throttle.wait(&["user ben".to_owned()], start), Duration::ZERO);
    }
}
