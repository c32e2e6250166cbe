//! [`ChannelStats`]: what a channel did, and whether it works.

use tocsin_model::Timestamp;

/// What a channel did since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelStats {
    /// Notices delivered, those in summaries included.
    pub delivered: u64,
    /// Tries that failed.
    pub failed: u64,
    /// Notices given up.
    pub dead: u64,
    /// Notices held back by the rate limit, to go out in a summary.
    pub held: u64,
    /// Why the last try failed, until one succeeds.
    pub problem: Option<String>,
    /// Nothing is sent before this, because the last tries failed; then one is, and when it
    /// succeeds all that waits.
    pub open_until: Option<Timestamp>,
}

impl ChannelStats {
    /// `working`; `open` while the channel is left alone because it failed; `half_open` when it is
    /// tried again.
    pub fn state(&self, now: Timestamp) -> &'static str {
        match self.open_until {
            None => "working",
            Some(until) if until > now => "open",
            Some(_) => "half_open",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_fails_is_open_then_half_open() {
        let at = |second: i64| Timestamp(second * 1_000_000_000);
        let stats = ChannelStats { open_until: Some(at(10)), ..ChannelStats::default() };
        assert_eq!([at(9), at(10)].map(|now| stats.state(now)), ["open", "half_open"]);
        assert_eq!(ChannelStats::default().state(at(0)), "working");
    }
}
