//! Names of requests, for the log and the error message: 16 hexadecimal digits, never repeated
//! within a run and unlikely to be repeated by another. What a client sends as an id is not used.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("request"));
static COUNT: AtomicU64 = AtomicU64::new(0);

/// A new name.
pub fn next() -> String {
    format!("{:016x}", START.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed)))
}
