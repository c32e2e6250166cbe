//! Clocks that were ahead: what they put off is not waited for until they are there again.

use std::sync::Arc;
use std::time::Duration;

use tocsin_model::Timestamp;

use super::{Worker, blocking, keys_of};
use crate::backoff::Backoff;
use crate::channel::RETRY_AFTER_MAX;
use crate::outbox::{Due, Outbox, OutboxError};

impl Worker {
    /// Makes due, here and in the outbox, what is put off for longer than anything is: the clock
    /// was ahead then, nobody knows by how much. `waiting` is in the order of its due times.
    pub(super) async fn pull_back(
        &self,
        outbox: &Arc<dyn Outbox>,
        waiting: &mut [Due],
        now: Timestamp,
    ) -> Result<(), OutboxError> {
        let latest = now.plus(self.longest_wait());
        let first = waiting.partition_point(|due| due.next_try <= latest);
        let ahead = waiting.split_at_mut(first).1;
        if ahead.is_empty() {
            return Ok(());
        }
        for due in &mut *ahead {
            due.next_try = now;
        }
        let keys = keys_of(ahead);
        tracing::info!("channel {}: the clock was set back; notices go out now", self.name);
        blocking(outbox, move |outbox| outbox.postpone(&keys, now)).await
    }

    fn longest_wait(&self) -> Duration {
        let Backoff { min, max } = self.patience.backoff;
        max.max(min).max(RETRY_AFTER_MAX).saturating_add(self.summary_after)
    }
}
