//! [`Rate`]: events per second for the status page.

use std::time::Instant;

use crate::handle::Progress;

/// Events per second, smoothed.
pub(crate) struct Rate {
    since: Instant,
    /// Since it was last worked out.
    pub(crate) events: u64,
    smoothed: f64,
}

impl Rate {
    /// Nothing yet.
    pub(crate) fn new(since: Instant) -> Self {
        Self { since, events: 0, smoothed: 0.0 }
    }

    /// Works it out anew, unless it was just now.
    pub(crate) fn update(&mut self, progress: &Progress) {
        let seconds = self.since.elapsed().as_secs_f64();
        if seconds < 0.5 {
            return;
        }
        let rate = self.events as f64 / seconds;
        self.smoothed += (rate - self.smoothed) * (seconds / 3.0).min(1.0);
        progress.set_per_second(self.smoothed);
        self.events = 0;
        self.since = Instant::now();
    }
}
