//! Retention: whole partitions are deleted when they are old, and the oldest ones when all of them
//! are large. At the start and then regularly; nothing waits for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tocsin_model::Timestamp;
use tocsin_store::{EventStore, StoreError};
use tokio_util::sync::CancellationToken;

use crate::config::StoreConfig;

/// How often old events are deleted.
const BY_AGE_EVERY: Duration = Duration::from_secs(3600);
/// How often the size is looked at.
const BY_SIZE_EVERY: Duration = Duration::from_secs(60);

/// Deletes what is too old and what is too much, until shutdown.
pub(crate) async fn retain(
    store: Arc<dyn EventStore>,
    config: StoreConfig,
    shutdown: CancellationToken,
) {
    let mut age = tokio::time::interval(BY_AGE_EVERY);
    let mut size = tokio::time::interval(BY_SIZE_EVERY);
    let (days, bytes_max) = (config.retention_days, config.retention_bytes);
    loop {
        let (why, deleted) = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = age.tick(), if days > 0 => {
                let why = format!("older than {days} days");
                (why, delete(&store, move |store| by_age(store, days)).await)
            }
            _ = size.tick(), if bytes_max > 0 => {
                let why = format!("beyond {bytes_max} bytes (store.retention_bytes)");
                (why, delete(&store, move |store| store.shrink_to(bytes_max)).await)
            }
        };
        match deleted {
            None | Some(Ok(0)) => {}
            Some(Ok(deleted)) => tracing::info!("deleted {deleted} events {why}"),
            Some(Err(error)) => tracing::error!("old events cannot be deleted: {error}"),
        }
    }
}

async fn delete(
    store: &Arc<dyn EventStore>,
    work: impl FnOnce(&dyn EventStore) -> Result<u64, StoreError> + Send + 'static,
) -> Option<Result<u64, StoreError>> {
    let store = Arc::clone(store);
    tokio::task::spawn_blocking(move || work(store.as_ref())).await.ok()
}

fn by_age(store: &dyn EventStore, days: u32) -> Result<u64, StoreError> {
    let span = Duration::from_secs(u64::from(days) * 86_400);
    let before = Timestamp::from_system(SystemTime::now()).minus(span);
    // When all is old, the clock may be wrong; new events will tell.
    match store.stats()?.newest {
        Some(newest) if newest >= before => store.delete_before(before),
        _ => Ok(0),
    }
}
