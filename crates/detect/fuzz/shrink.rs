//! Makes an input small: parts that are not needed for the same problem are left out.

use std::time::{Duration, Instant};

/// How long one input is made smaller.
const PATIENCE: Duration = Duration::from_secs(20);

/// The smallest input found for which `same` still holds.
pub fn shrink(mut input: Vec<u8>, mut same: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let end = Instant::now() + PATIENCE;
    let mut len = input.len() / 2;
    while len > 0 && Instant::now() < end {
        let mut at = 0;
        let before = input.len();
        while at < input.len() && Instant::now() < end {
            let mut less = input.clone();
            less.drain(at..(at + len).min(input.len()));
            if same(&less) {
                input = less;
            } else {
                at += len;
            }
        }
        // Once more with the same length when that helped.
        if input.len() == before {
            len /= 2;
        }
    }
    input
}
