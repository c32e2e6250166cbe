//! [`Embedded`]: the backend on Tantivy, in one directory.
//!
//! **Partitions.** Each is an index of its own and takes the events that *arrive* on one day
//! (at most [`Options::partition_documents_max`]). Only the newest is written, and everything
//! between two commits goes to one partition, so a commit of events with their payload is one
//! commit of one index: atomic without any bookkeeping above it. A closed partition never changes
//! again. Searches skip partitions by the event times they hold; retention deletes whole ones.
//!
//! **Archive.** A closed partition may move to [`cold`]: Parquet files instead of an index. The
//! same questions reach both.
//!
//! **Failures.** When appending or committing fails, the writer is thrown away with everything
//! since the last commit, and a new one is opened when it is next needed.

mod aggs;
pub(crate) mod cold;
mod columns;
mod compile;
pub(crate) mod document;
mod evaluate;
mod fault;
mod gather;
mod keys;
mod merging;
mod moving;
mod partition;
mod pick;
mod queue;
mod scan;
mod schema;
pub mod seal;
mod search;
mod source;
mod terms;
mod tokens;
mod top;
mod writer;

pub use columns::cursor_after;
pub use evaluate::Evaluator;
pub use search::is_cursor;

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde_json::Value as Json;
use tocsin_model::{Event, EventId, Timestamp};

use crate::EventStore;
use crate::archive::shelf::{Directory, Shelf};
use crate::embedded::cold::Cold;
use crate::embedded::fault::of_io;
use crate::embedded::partition::{Partition, open_all, remove_leftovers, reopen_all};
use crate::embedded::writer::{Writer, seal_older};
use crate::error::{Result, StoreError};
use crate::filter::Filter;
use crate::request::{Cancel, FieldInfo, SearchRequest, SearchResponse, StoreStats};
use crate::scan::{ScanRequest, ScanSink};

/// File that is locked while the store is open.
const LOCK_FILE: &str = "lock";
/// How often a store that another process changes is opened anew before giving up.
const REOPEN_TRIES: u32 = 5;

/// How an [`Embedded`] store behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Memory for events not yet committed, bytes; default 64 MB, at least 15 MB a thread.
    pub writer_bytes_max: usize,
    /// Indexing threads; default 2, or 1 on a machine with one core.
    pub writer_threads: usize,
    /// A partition takes no more events than this; default 20 million.
    pub partition_documents_max: u64,
    /// Where archived events are; default a directory in the store's own.
    pub archive: Option<Arc<dyn Shelf>>,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            writer_bytes_max: 64_000_000,
            writer_threads: cores.min(2),
            partition_documents_max: 20_000_000,
            archive: None,
        }
    }
}

/// Events in one directory, indexed with Tantivy.
pub struct Embedded {
    dir: PathBuf,
    parts: RwLock<Parts>,
    shelf: Arc<dyn Shelf>,
    /// Whether the shelf could be used when it was last looked at.
    shelf_was_ready: AtomicBool,
    /// Held while partitions move to the archive, or are deleted there.
    moving: Mutex<()>,
    /// `None` when opened only to read.
    writer: Option<Mutex<Writer>>,
    unindexed: AtomicU64,
    /// Held as long as the store is open for writing.
    _lock: Option<File>,
}

/// What there is to ask, as it was at one moment.
#[derive(Clone, Default)]
struct Parts {
    /// Oldest first; the last one is written.
    hot: Arc<Vec<Arc<Partition>>>,
    /// In the archive, oldest first.
    cold: Arc<Vec<Arc<Cold>>>,
}

impl Embedded {
    /// Opens the store in `dir`, making the directory when it is not there. Fails when another
    /// process has it open, when it cannot be written, and when its files are damaged.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|error| of_io(dir, &error))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join(LOCK_FILE))
            .map_err(|error| of_io(dir, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { path: dir.to_path_buf() });
            }
            Err(TryLockError::Error(error)) => return Err(of_io(dir, &error)),
        }
        remove_leftovers(dir)?;
        let shelf = shelf_of(dir, options.archive.clone());
        cold::tidy(dir, &shelf)?;
        let partitions = open_all(dir)?;
        let cold = archived(dir, &shelf, &partitions)?;
        let writer = Writer::new(dir.to_path_buf(), options, &partitions)?;
        seal_older(dir.to_path_buf(), &partitions);
        Ok(Self {
            dir: dir.to_path_buf(),
            parts: RwLock::new(Parts { hot: Arc::new(partitions), cold: Arc::new(cold) }),
            shelf,
            shelf_was_ready: AtomicBool::new(false),
            moving: Mutex::new(()),
            writer: Some(Mutex::new(writer)),
            unindexed: AtomicU64::new(0),
            _lock: Some(lock),
        })
    }

    /// Opens the store in `dir` to read only, also while another process writes it. Sees what
    /// was committed by then, and after [`Embedded::refresh`] what was since.
    pub fn open_to_read(dir: &Path) -> Result<Self> {
        Self::open_to_read_with(dir, None)
    }

    /// The same where archived events are on another shelf than the store's own.
    pub fn open_to_read_with(dir: &Path, archive: Option<Arc<dyn Shelf>>) -> Result<Self> {
        let store = Self {
            dir: dir.to_path_buf(),
            parts: RwLock::default(),
            shelf: shelf_of(dir, archive),
            shelf_was_ready: AtomicBool::new(false),
            moving: Mutex::new(()),
            writer: None,
            unindexed: AtomicU64::new(0),
            _lock: None,
        };
        store.refresh()?;
        Ok(store)
    }

    /// Makes visible what another process has committed since.
    pub fn refresh(&self) -> Result<()> {
        let mut tries = 0;
        loop {
            let opened = reopen_all(&self.dir, &self.parts().hot).and_then(|hot| {
                let cold = archived(&self.dir, &self.shelf, &hot)?;
                Ok(Parts { hot: Arc::new(hot), cold: Arc::new(cold) })
            });
            match opened {
                // A partition may be deleted between the list and the opening.
                Err(error) if tries < REOPEN_TRIES => {
                    tracing::debug!(%error, "the store changed while it was opened");
                    tries += 1;
                }
                done => {
                    self.set_parts(done?);
                    return Ok(());
                }
            }
        }
    }

    /// Waits until the merges under way have ended: for tests and measurements. What is not
    /// committed is forgotten.
    pub fn settle(&self) -> Result<()> {
        self.writer()?.settle()
    }

    fn parts(&self) -> Parts {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_parts(&self, parts: Parts) {
        *self.parts.write().unwrap_or_else(PoisonError::into_inner) = parts;
    }

    fn set_hot(&self, partitions: Vec<Arc<Partition>>) {
        self.parts.write().unwrap_or_else(PoisonError::into_inner).hot = Arc::new(partitions);
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let Some(writer) = &self.writer else {
            return Err(StoreError::ReadOnly {
                path: self.dir.clone(),
                reason: "it was opened only to read".to_owned(),
            });
        };
        // A writer that panicked is rebuilt like one that failed.
        Ok(writer.lock().unwrap_or_else(|poisoned| {
            let mut writer = poisoned.into_inner();
            writer.forget();
            writer
        }))
    }

    /// Asks the index. A panic in there is a failed request and no more: nothing that readers
    /// share can be left half changed.
    fn guarded<T>(&self, ask: impl FnOnce() -> Result<T>) -> Result<T> {
        catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
            Err(StoreError::Failed {
                path: self.dir.clone(),
                reason: "the index failed to answer this request; please report it".to_owned(),
            })
        })
    }
}

impl EventStore for Embedded {
    fn append_each(&self, events: &mut dyn Iterator<Item = &Event>) -> Result<()> {
        let mut events = events.peekable();
        let Some(first) = events.peek() else { return Ok(()) };
        let mut writer = self.writer()?;
        if let Some(made) = writer.partition_for(first)? {
            let mut partitions = self.parts().hot.to_vec();
            partitions.push(made);
            self.set_hot(partitions);
        }
        let appended = writer.append(&mut events);
        self.unindexed.fetch_add(writer.take_unindexed(), Ordering::Relaxed);
        appended
    }

    fn commit(&self, payload: &str) -> Result<()> {
        let mut writer = self.writer()?;
        if let Some(made) = writer.partition_for_payload()? {
            self.set_hot(vec![made]);
        }
        writer.commit(payload)
    }

    fn payload(&self) -> Result<Option<String>> {
        if self.writer.is_some() {
            return Ok(self.writer()?.payload());
        }
        for partition in self.parts().hot.iter().rev() {
            if let Some(last) = partition.payload()? {
                return Ok(Some(last.payload));
            }
        }
        Ok(None)
    }

    fn get(&self, id: EventId) -> Result<Option<Json>> {
        self.guarded(|| {
            let parts = self.parts();
            for partition in parts.hot.iter().rev() {
                if let Some(event) = search::get(partition, id)? {
                    return Ok(Some(event));
                }
            }
            for cold in parts.cold.iter().rev() {
                if let Some(event) = cold::ask::get(cold, id)? {
                    return Ok(Some(event));
                }
            }
            Ok(None)
        })
    }

    fn events(&self, ids: &HashSet<EventId>, since: Timestamp) -> Result<Vec<Event>> {
        self.guarded(|| {
            let parts = self.parts();
            let mut found = pick::pick(&parts.hot, ids, since)?;
            for cold in parts.cold.iter().rev() {
                if found.len() >= ids.len() || cold.name.day < pick::first_day(since) {
                    break;
                }
                found.extend(cold::ask::pick(cold, ids)?);
            }
            Ok(found)
        })
    }

    fn search(&self, request: &SearchRequest) -> Result<SearchResponse> {
        self.guarded(|| {
            let parts = self.parts();
            search::search(&parts.hot, &parts.cold, request)
        })
    }

    fn scan(&self, request: &ScanRequest, sink: &mut ScanSink<'_>) -> Result<u64> {
        self.guarded(|| {
            let parts = self.parts();
            cold::merge::scan(&parts.hot, &parts.cold, request, sink)
        })
    }

    fn count(
        &self,
        filter: &Filter,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<u64> {
        self.guarded(|| {
            let parts = self.parts();
            let mut total = search::count(&parts.hot, filter, from, to)?;
            for cold in parts.cold.iter().filter(|cold| cold.may_have(from, to)) {
                total += cold::ask::count(cold, filter, from, to)?;
            }
            Ok(total)
        })
    }

    fn fields(&self) -> Result<Vec<FieldInfo>> {
        moving::fields(&self.parts())
    }

    fn stats(&self) -> Result<StoreStats> {
        let unindexed_values = self.unindexed.load(Ordering::Relaxed);
        Ok(StoreStats { unindexed_values, ..moving::stats(&self.parts())? })
    }

    fn delete_before(&self, time: Timestamp) -> Result<u64> {
        self.delete(&mut |newest, _| newest.is_some_and(|newest| newest < time))
    }

    fn shrink_to(&self, bytes_max: u64) -> Result<u64> {
        let parts = self.parts();
        let sizes = parts.hot.iter().map(|one| one.disk_bytes()).sum::<u64>()
            + parts.cold.iter().map(|one| one.bytes()).sum::<u64>();
        let mut beyond = sizes.saturating_sub(bytes_max);
        self.delete(&mut |_, bytes| {
            let goes = beyond > 0;
            beyond = beyond.saturating_sub(if goes { bytes } else { 0 });
            goes
        })
    }

    fn archive_before(&self, time: Timestamp, cancel: &Cancel) -> Result<u64> {
        self.archive(time, cancel)
    }

    fn trim_pack(
        &self,
        pack: &str,
        before: Timestamp,
        bytes_max: u64,
        cancel: &Cancel,
    ) -> Result<u64> {
        self.trim(pack, before, bytes_max, cancel)
    }
}

/// The shelf of a store: its own, or the one that is given.
fn shelf_of(dir: &Path, given: Option<Arc<dyn Shelf>>) -> Arc<dyn Shelf> {
    given.unwrap_or_else(|| Arc::new(Directory(dir.join(cold::ARCHIVE))))
}

/// Archived partitions that are not there as an index any more.
fn archived(dir: &Path, shelf: &Arc<dyn Shelf>, hot: &[Arc<Partition>]) -> Result<Vec<Arc<Cold>>> {
    let mut all = cold::open_all(dir, shelf)?;
    all.retain(|cold| !hot.iter().any(|partition| partition.name == cold.name));
    Ok(all)
}
