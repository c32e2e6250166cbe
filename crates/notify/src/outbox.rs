//! [`Outbox`]: where notices wait until they are delivered, durably; [`DeadLetters`]: those that
//! were given up.

use std::path::Path;

use tocsin_catalog::{Catalog, CatalogError, OutboxItem};
use tocsin_model::{Notice, Timestamp};

/// Why an outbox refused.
pub type OutboxError = Box<dyn std::error::Error + Send + Sync>;

/// A notice that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// [`Notice::key`].
    pub key: String,
    /// The notice.
    pub notice: Notice,
    /// Tries so far.
    pub attempts: u32,
    /// Not to be tried before.
    pub next_try: Timestamp,
    /// When it was put in.
    pub created: Timestamp,
    /// What the last try said.
    pub last_error: Option<String>,
}

/// Where notices wait. Calls block; they are made off the asynchronous threads.
pub trait Outbox: Send + Sync + 'static {
    /// Notices of one channel that are due at `now`, the longest due first.
    fn due(&self, channel: &str, now: Timestamp, limit: usize) -> Result<Vec<Due>, OutboxError>;
    /// These deliveries are done. All or none of them are changed.
    fn delivered(&self, keys: &[String], now: Timestamp) -> Result<(), OutboxError>;
    /// One try that stood for these failed; the next one is due at `next_try`. All or none of
    /// them are changed.
    fn failed(&self, keys: &[String], next_try: Timestamp, error: &str) -> Result<(), OutboxError>;
    /// Not due before `until`, without a try having been made. All or none of them are changed.
    fn postpone(&self, keys: &[String], until: Timestamp) -> Result<(), OutboxError>;
    /// These deliveries are given up. All or none of them are changed.
    fn dead(&self, keys: &[String], error: &str) -> Result<(), OutboxError>;
    /// Names of channels for which something waits.
    fn waiting_channels(&self) -> Result<Vec<String>, OutboxError>;
}

impl Outbox for Catalog {
    fn due(&self, channel: &str, now: Timestamp, limit: usize) -> Result<Vec<Due>, OutboxError> {
        let items = self.outbox_due_of(channel, now, limit)?;
        let due = items.into_iter().map(|item| Due {
            key: item.key,
            notice: item.notice,
            attempts: item.attempts,
            next_try: item.next_try,
            created: item.created,
            last_error: item.last_error,
        });
        Ok(due.collect())
    }

    fn delivered(&self, keys: &[String], now: Timestamp) -> Result<(), OutboxError> {
        boxed(self.outbox_delivered_all(keys, now))
    }

    fn failed(&self, keys: &[String], next_try: Timestamp, error: &str) -> Result<(), OutboxError> {
        boxed(self.outbox_failed_all(keys, next_try, error))
    }

    fn postpone(&self, keys: &[String], until: Timestamp) -> Result<(), OutboxError> {
        boxed(self.outbox_postpone_all(keys, until))
    }

    fn dead(&self, keys: &[String], error: &str) -> Result<(), OutboxError> {
        boxed(self.outbox_dead_all(keys, error))
    }

    fn waiting_channels(&self) -> Result<Vec<String>, OutboxError> {
        let counts = self.outbox_counts()?;
        let waiting = counts.by_channel.into_iter().filter(|(_, [pending, ..])| *pending > 0);
        Ok(waiting.map(|(channel, _)| channel).collect())
    }
}

/// Deliveries of a data directory (which may be in use) that were given up.
pub struct DeadLetters(Catalog);

impl DeadLetters {
    /// Those of a data directory.
    ///
    /// # Errors
    /// When there is no catalog in it that can be used.
    pub fn open(data_dir: &Path) -> Result<Self, CatalogError> {
        Catalog::open(data_dir).map(Self)
    }

    /// The newest of a channel (or all), and how many there are.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn list(
        &self,
        channel: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<OutboxItem>, u64), CatalogError> {
        self.0.outbox_dead_list(channel, limit)
    }

    /// Lets them wait again, only these keys, or all when there are none; how many.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn retry(&self, channel: Option<&str>, keys: &[String]) -> Result<u64, CatalogError> {
        self.0.outbox_retry(channel, keys)
    }
}

fn boxed(result: Result<(), CatalogError>) -> Result<(), OutboxError> {
    result.map_err(OutboxError::from)
}
