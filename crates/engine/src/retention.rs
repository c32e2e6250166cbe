//! Retention and archive: whole partitions are deleted when they are old, and the oldest ones when
//! all of them are large; before that they move to the archive, where single packs may have
//! limits of their own, for which a day may move there earlier. At the start and then regularly;
//! nothing waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tocsin_model::Timestamp;
use tocsin_store::{Cancel, EventStore, StoreError};
use tokio_util::sync::CancellationToken;

use crate::config::{PackConfig, StoreConfig};
use crate::troubles::Troubles;

/// How often old events are deleted.
const BY_AGE_EVERY: Duration = Duration::from_secs(3600);
/// How often it is looked for days to archive, and for packs beyond their limits.
const ARCHIVE_EVERY: Duration = Duration::from_secs(60);
/// What may fail, as the notes of it are called.
const BY_AGE: &str = "retention by age";
const BY_SIZE: &str = "retention by size";
const BY_PACK: &str = "retention by pack";
/// How soon something is tried again that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(15);
/// A day.
const DAY: Duration = Duration::from_secs(86_400);
/// How often the size is looked at.
const BY_SIZE_EVERY: Duration = Duration::from_secs(60);

/// Deletes what is too old and what is too much, until shutdown.
pub(crate) async fn retain(
    store: Arc<dyn EventStore>,
    config: StoreConfig,
    troubles: Arc<Troubles>,
    shutdown: CancellationToken,
) {
    let mut age = tokio::time::interval(BY_AGE_EVERY);
    let mut size = tokio::time::interval(BY_SIZE_EVERY);
    let (days, bytes_max) = (config.retention_days, config.retention_bytes);
    loop {
        let (what, why, deleted) = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = age.tick(), if days > 0 => {
                let why = format!("older than {days} days");
                (BY_AGE, why, delete(&store, move |store| by_age(store, days)).await)
            }
            _ = size.tick(), if bytes_max > 0 => {
                let why = format!("beyond {bytes_max} bytes (store.retention_bytes)");
                (BY_SIZE, why, delete(&store, move |store| store.shrink_to(bytes_max)).await)
            }
            else => return,
        };
        let Some(deleted) = deleted else { continue };
        troubles.note(what, "old events cannot be deleted", &deleted);
        match deleted {
            Ok(0) => {}
            Ok(deleted) => tracing::info!("deleted {deleted} events {why}"),
            Err(_) => match what {
                BY_AGE => age.reset_after(AGAIN_AFTER),
                _ => size.reset_after(AGAIN_AFTER),
            },
        }
    }
}

/// Moves days to the archive, until shutdown.
pub(crate) async fn archive_days(
    store: Arc<dyn EventStore>,
    after_days: u32,
    troubles: Arc<Troubles>,
    shutdown: CancellationToken,
) {
    if after_days == 0 {
        return;
    }
    let failed = "days cannot be archived, and stay searchable as they are";
    let work = move |store: &dyn EventStore, cancel: &Cancel| {
        store.archive_before(days_ago(after_days), cancel)
    };
    again_and_again(store, ("archive", failed), work, troubles, shutdown).await;
}

/// Keeps packs within their limits, until shutdown.
pub(crate) async fn trim_packs(
    store: Arc<dyn EventStore>,
    limits: BTreeMap<String, PackConfig>,
    troubles: Arc<Troubles>,
    shutdown: CancellationToken,
) {
    if limits.is_empty() {
        return;
    }
    let work = move |store: &dyn EventStore, cancel: &Cancel| {
        let deleted = by_pack(store, &limits, cancel)?;
        if deleted > 0 {
            tracing::info!(
                "deleted {deleted} events beyond the limits of their packs (store.packs)"
            );
        }
        Ok(deleted)
    };
    let failed = "old events of a pack cannot be deleted";
    again_and_again(store, (BY_PACK, failed), work, troubles, shutdown).await;
}

/// Does what may take long and can be cancelled, every minute.
async fn again_and_again(
    store: Arc<dyn EventStore>,
    (what, failed): (&'static str, &str),
    work: impl Fn(&dyn EventStore, &Cancel) -> Result<u64, StoreError> + Send + Sync + 'static,
    troubles: Arc<Troubles>,
    shutdown: CancellationToken,
) {
    let work = Arc::new(work);
    let mut often = tokio::time::interval(ARCHIVE_EVERY);
    often.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = often.tick() => {}
        }
        let cancel = Cancel::default();
        let (asked, work) = (cancel.clone(), Arc::clone(&work));
        let under_way = delete(&store, move |store| work(store, &asked));
        tokio::pin!(under_way);
        let done = tokio::select! {
            done = &mut under_way => done,
            () = shutdown.cancelled() => {
                cancel.cancel();
                under_way.await
            }
        };
        if let Some(done) = done {
            troubles.note(what, failed, &done);
            if done.is_err() {
                often.reset_after(AGAIN_AFTER);
            }
        }
    }
}

fn days_ago(days: u32) -> Timestamp {
    Timestamp::from_system(SystemTime::now()).minus(DAY * days)
}

fn by_pack(
    store: &dyn EventStore,
    limits: &BTreeMap<String, PackConfig>,
    cancel: &Cancel,
) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for (pack, limit) in limits {
        let before = match limit.retention_days {
            0 => Timestamp(i64::MIN),
            days => days_ago(days),
        };
        let bytes_max = if limit.retention_bytes == 0 { u64::MAX } else { limit.retention_bytes };
        deleted += store.trim_pack(pack, before, bytes_max, cancel)?;
    }
    Ok(deleted)
}

async fn delete(
    store: &Arc<dyn EventStore>,
    work: impl FnOnce(&dyn EventStore) -> Result<u64, StoreError> + Send + 'static,
) -> Option<Result<u64, StoreError>> {
    let store = Arc::clone(store);
    tokio::task::spawn_blocking(move || work(store.as_ref())).await.ok()
}

fn by_age(store: &dyn EventStore, days: u32) -> Result<u64, StoreError> {
    let before = days_ago(days);
    // When all is old, the clock may be wrong; new events will tell.
    match store.stats()?.newest {
        Some(newest) if newest >= before => store.delete_before(before),
        _ => Ok(0),
    }
}
