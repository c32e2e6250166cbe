//! [`Embedded`]: the backend on Tantivy, in one directory.
//!
//! **Partitions.** Each is an index of its own and takes the events that *arrive* on one day
//! (at most [`Options::partition_documents_max`]). Only the newest is written, and everything
//! between two commits goes to one partition, so a commit of events with their payload is one
//! commit of one index: atomic without any bookkeeping above it. A closed partition never changes
//! again. Searches skip partitions by the event times they hold; retention deletes whole ones.
//!
//! **Failures.** When appending or committing fails, the writer is thrown away with everything
//! since the last commit, and a new one is opened when it is next needed.

mod aggs;
mod columns;
mod compile;
mod document;
mod evaluate;
mod fault;
mod gather;
mod keys;
mod merging;
mod partition;
mod pick;
mod queue;
mod scan;
mod schema;
pub mod seal;
mod search;
mod source;
mod tokens;
mod top;
mod writer;

pub use evaluate::Evaluator;

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde_json::Value as Json;
use tocsin_model::{Event, EventId, Timestamp};

use crate::EventStore;
use crate::embedded::fault::of_io;
use crate::embedded::partition::{Partition, open_all, remove_leftovers, reopen_all};
use crate::embedded::writer::{Writer, seal_older};
use crate::error::{Result, StoreError};
use crate::filter::Filter;
use crate::request::{FieldInfo, SearchRequest, SearchResponse, StoreStats};
use crate::scan::{ScanRequest, ScanSink};

/// File that is locked while the store is open.
const LOCK_FILE: &str = "lock";
/// How often a store that another process changes is opened anew before giving up.
const REOPEN_TRIES: u32 = 5;

/// How an [`Embedded`] store behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Memory for events not yet committed, bytes; default 64 MB, at least 15 MB a thread.
    pub writer_bytes_max: usize,
    /// Indexing threads; default 2, or 1 on a machine with one core.
    pub writer_threads: usize,
    /// A partition takes no more events than this; default 20 million.
    pub partition_documents_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            writer_bytes_max: 64_000_000,
            writer_threads: cores.min(2),
            partition_documents_max: 20_000_000,
        }
    }
}

/// Events in one directory, indexed with Tantivy.
pub struct Embedded {
    dir: PathBuf,
    /// Oldest first; the last one is written.
    partitions: RwLock<Arc<Vec<Arc<Partition>>>>,
    /// `None` when opened only to read.
    writer: Option<Mutex<Writer>>,
    unindexed: AtomicU64,
    /// Held as long as the store is open for writing.
    _lock: Option<File>,
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
        let partitions = open_all(dir)?;
        let writer = Writer::new(dir.to_path_buf(), options, &partitions)?;
        seal_older(dir.to_path_buf(), &partitions);
        Ok(Self {
            dir: dir.to_path_buf(),
            partitions: RwLock::new(Arc::new(partitions)),
            writer: Some(Mutex::new(writer)),
            unindexed: AtomicU64::new(0),
            _lock: Some(lock),
        })
    }

    /// Opens the store in `dir` to read only, also while another process writes it. Sees what
    /// was committed by then, and after [`Embedded::refresh`] what was since.
    pub fn open_to_read(dir: &Path) -> Result<Self> {
        let store = Self {
            dir: dir.to_path_buf(),
            partitions: RwLock::default(),
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
            match reopen_all(&self.dir, &self.partitions()) {
                // A partition may be deleted between the list and the opening.
                Err(error) if tries < REOPEN_TRIES => {
                    tracing::debug!(%error, "the store changed while it was opened");
                    tries += 1;
                }
                done => {
                    self.set_partitions(done?);
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

    fn partitions(&self) -> Arc<Vec<Arc<Partition>>> {
        Arc::clone(&self.partitions.read().unwrap_or_else(PoisonError::into_inner))
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

    fn set_partitions(&self, partitions: Vec<Arc<Partition>>) {
        *self.partitions.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(partitions);
    }
}

impl EventStore for Embedded {
    fn append(&self, events: &[Event]) -> Result<()> {
        let Some(first) = events.first() else { return Ok(()) };
        let mut writer = self.writer()?;
        if let Some(made) = writer.partition_for(first)? {
            let mut partitions = self.partitions().to_vec();
            partitions.push(made);
            self.set_partitions(partitions);
        }
        let appended = writer.append(events);
        self.unindexed.fetch_add(writer.take_unindexed(), Ordering::Relaxed);
        appended
    }

    fn commit(&self, payload: &str) -> Result<()> {
        let mut writer = self.writer()?;
        if let Some(made) = writer.partition_for_payload()? {
            self.set_partitions(vec![made]);
        }
        writer.commit(payload)
    }

    fn payload(&self) -> Result<Option<String>> {
        if self.writer.is_some() {
            return Ok(self.writer()?.payload());
        }
        for partition in self.partitions().iter().rev() {
            if let Some(last) = partition.payload()? {
                return Ok(Some(last.payload));
            }
        }
        Ok(None)
    }

    fn get(&self, id: EventId) -> Result<Option<Json>> {
        self.guarded(|| {
            for partition in self.partitions().iter().rev() {
                if let Some(event) = search::get(partition, id)? {
                    return Ok(Some(event));
                }
            }
            Ok(None)
        })
    }

    fn events(&self, ids: &HashSet<EventId>, since: Timestamp) -> Result<Vec<Event>> {
        self.guarded(|| pick::pick(&self.partitions(), ids, since))
    }

    fn search(&self, request: &SearchRequest) -> Result<SearchResponse> {
        self.guarded(|| search::search(&self.partitions(), request))
    }

    fn scan(&self, request: &ScanRequest, sink: &mut ScanSink<'_>) -> Result<u64> {
        self.guarded(|| scan::scan(&self.partitions(), request, sink))
    }

    fn count(
        &self,
        filter: &Filter,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<u64> {
        self.guarded(|| search::count(&self.partitions(), filter, from, to))
    }

    fn fields(&self) -> Result<Vec<FieldInfo>> {
        let mut all: BTreeMap<String, FieldInfo> = BTreeMap::new();
        for partition in self.partitions().iter() {
            let names = partition.names().map_err(|e| fault::explain(&partition.path, &e))?;
            for (name, documents) in names {
                let kind = partition.kind_word(&name);
                let info = all.entry(name.clone()).or_insert_with(|| FieldInfo {
                    name,
                    kind,
                    documents: 0,
                });
                info.documents += documents;
                info.kind = kind;
            }
        }
        Ok(all.into_values().collect())
    }

    fn stats(&self) -> Result<StoreStats> {
        let partitions = self.partitions();
        if let Some(newest) = partitions.last() {
            newest.reload_if_merged().map_err(|e| fault::explain(&newest.path, &e))?;
        }
        let mut stats = StoreStats {
            partitions: partitions.len() as u64,
            unindexed_values: self.unindexed.load(Ordering::Relaxed),
            ..StoreStats::default()
        };
        for partition in partitions.iter() {
            let span = partition.span();
            stats.documents += span.documents;
            stats.segments += span.segments;
            stats.disk_bytes += partition.disk_bytes();
            stats.oldest = [stats.oldest, span.oldest].into_iter().flatten().min();
            stats.newest = [stats.newest, span.newest].into_iter().flatten().max();
        }
        Ok(stats)
    }

    fn delete_before(&self, time: Timestamp) -> Result<u64> {
        self.delete(|partition| partition.span().newest.is_some_and(|newest| newest < time))
    }

    fn shrink_to(&self, bytes_max: u64) -> Result<u64> {
        let sizes = self.partitions().iter().map(|one| one.disk_bytes()).sum::<u64>();
        let mut beyond = sizes.saturating_sub(bytes_max);
        self.delete(|partition| {
            let goes = beyond > 0;
            beyond = beyond.saturating_sub(if goes { partition.disk_bytes() } else { 0 });
            goes
        })
    }
}

impl Embedded {
    /// Deletes partitions, asked for oldest first; the number of events in them. The one that is
    /// written stays, and the one that holds the last payload.
    fn delete(&self, mut goes: impl FnMut(&Partition) -> bool) -> Result<u64> {
        // The writer's lock keeps the list of partitions from changing meanwhile.
        let writer = self.writer()?;
        let partitions = self.partitions();
        let all = partitions.iter().map(Arc::clone);
        let (old, kept): (Vec<_>, Vec<_>) =
            all.partition(|partition| !writer.needs(partition) && goes(partition));
        if old.is_empty() {
            return Ok(0);
        }
        self.set_partitions(kept);
        drop(writer);
        let mut deleted = 0;
        for partition in old {
            let documents = partition.span().documents;
            deleted += documents;
            seal::note_deleted(&self.dir, partition.name, documents)?;
            partition.remove(&self.dir)?;
        }
        Ok(deleted)
    }
}
