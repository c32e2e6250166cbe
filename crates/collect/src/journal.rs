//! The local journal: what came over the network, durable before it counts as received.
//!
//! In: entries from listeners and the HTTP server. Out: the same entries in order, as records
//! with positions, once they are on disk. Never holds more than its limit, never hands out an
//! entry that a crash could still take back.

mod reader;
mod segment;
mod writer;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tocsin_model::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::batch::{Checkpoint, Checkpoints};
use crate::config::JournalLimits;

pub use reader::JournalReader;

/// Key of the journal's checkpoint.
pub const CHECKPOINT_KEY: &str = "journal";
/// Largest append, in bytes with its framing.
pub const APPEND_BYTES_MAX: usize = 64 << 20;
/// Appends that may wait for the disk at the same time; further callers wait their turn.
const APPENDS_WAITING_MAX: usize = 1024;
/// How often a full journal or disk is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// One record of an input that cannot be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Name of the input (`syslog:udp`, `http`).
    pub input: Arc<str>,
    /// Source or hint for the parser.
    pub hint: Option<Arc<str>>,
    /// The sender's address.
    pub peer: Option<IpAddr>,
    /// When it arrived.
    pub received: Timestamp,
    /// The bytes as received, without framing.
    pub bytes: Bytes,
}

/// Why entries were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The journal holds as much as it may; it empties itself as events are stored.
    #[error(
        "the journal is full ({used} of {max} bytes); events are not stored as fast as they arrive: try again later or raise collect.journal.total_bytes_max"
    )]
    Full {
        /// Bytes in use.
        used: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The disk refused the write.
    #[error("cannot write the journal in {path}: {cause}; {remedy}")]
    Disk {
        /// The journal's directory or file.
        path: String,
        /// The system's reason.
        cause: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// One append is larger than the journal takes at once.
    #[error("{bytes} bytes at once are more than the journal takes ({max}); send smaller batches")]
    TooLarge {
        /// Size of the append in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Tocsin is stopping.
    #[error("the journal is closed, Tocsin is stopping")]
    Closed,
}

impl JournalError {
    fn disk(path: &Path, cause: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let remedy = match cause.kind() {
            Kind::StorageFull | Kind::QuotaExceeded => {
                "free space on that disk; Tocsin goes on by itself"
            }
            Kind::PermissionDenied => "give the user that runs Tocsin write access to it",
            Kind::ReadOnlyFilesystem => "mount it writable or choose another data directory",
            Kind::WouldBlock => "stop the other Tocsin or choose another data directory",
            _ => "check the disk and the data directory",
        };
        Self::Disk { path: path.display().to_string(), cause: cause.to_string(), remedy }
    }
}

/// The journal in one directory.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    /// `None` only while dropping.
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What the writer thread is asked to do.
#[derive(Debug)]
enum Command {
    /// Write one block; answer when it is on disk.
    Append { block: Bytes, reply: oneshot::Sender<Result<(), JournalError>> },
    /// Continue at an offset that is beyond the end.
    SkipTo { offset: u64, reply: oneshot::Sender<Result<(), JournalError>> },
    /// Look at `Shared::released`.
    Release,
}

/// What writer, readers and callers share.
#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    /// Identity of this journal: positions of another one mean nothing here.
    id: u64,
    /// Offset up to which everything is on disk.
    durable: watch::Sender<u64>,
    /// Everything before this offset is stored elsewhere.
    released: AtomicU64,
    /// Each segment's first offset and end.
    segments: Mutex<BTreeMap<u64, u64>>,
}

impl Shared {
    fn segments(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The journal's checkpoint state.
#[derive(Debug, Serialize, Deserialize)]
struct ReadState {
    id: String,
    offset: u64,
}

impl ReadState {
    fn of(state: &str, id: u64) -> Option<u64> {
        let state: Self = serde_json::from_str(state).ok()?;
        (state.id == format!("{id:016x}")).then_some(state.offset)
    }
}

impl Journal {
    /// Opens or makes the journal in `dir`, and repairs what a crash left.
    ///
    /// # Errors
    /// When the directory cannot be written, or another process uses it.
    pub fn open(dir: &Path, limits: &JournalLimits) -> Result<Self, JournalError> {
        Self::open_on(Box::new(writer::RealDisk), dir, limits)
    }

    fn open_on(
        disk: Box<dyn writer::Disk>,
        dir: &Path,
        limits: &JournalLimits,
    ) -> Result<Self, JournalError> {
        let writer = writer::Writer::open(disk, dir, limits)?;
        let shared = writer.shared();
        let (commands, received) = mpsc::channel(APPENDS_WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(received))
            .map_err(|cause| JournalError::disk(dir, &cause))?;
        Ok(Self { shared, commands: Some(commands), thread: Some(thread) })
    }

    /// Writes `entries` and returns once they are safe on disk. Concurrent callers share one
    /// disk sync. Either all entries are taken or none.
    ///
    /// # Errors
    /// When nothing was taken: the journal is full, or the disk is. The caller may try again.
    pub async fn append(&self, entries: Vec<JournalEntry>) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.submit(segment::encode(&entries)?).await
    }

    /// Like [`Journal::append`], but waits while the journal or the disk is full, until
    /// `shutdown`: for senders who can wait. `waiting` is told each reason to wait.
    ///
    /// # Errors
    /// When the entries are too large, or shutdown came first.
    pub async fn append_waiting(
        &self,
        entries: Vec<JournalEntry>,
        shutdown: &CancellationToken,
        mut waiting: impl FnMut(&JournalError),
    ) -> Result<(), JournalError> {
        if entries.is_empty() {
            return Ok(());
        }
        let block = segment::encode(&entries)?;
        loop {
            match self.submit(block.clone()).await {
                Err(error @ (JournalError::Full { .. } | JournalError::Disk { .. })) => {
                    waiting(&error);
                    tokio::select! {
                        () = shutdown.cancelled() => return Err(error),
                        () = tokio::time::sleep(RETRY_INTERVAL) => {}
                    }
                }
                done => return done,
            }
        }
    }

    /// Tells that everything before `checkpoint` is stored; frees the segments that are done.
    /// Checkpoints of other streams are ignored.
    pub fn release(&self, checkpoint: &Checkpoint) {
        let offset = ReadState::of(&checkpoint.state, self.shared.id);
        let (CHECKPOINT_KEY, Some(offset)) = (checkpoint.key.as_str(), offset) else { return };
        self.shared.released.fetch_max(offset, Ordering::Relaxed);
        // When the queue is full the writer is awake anyway.
        if let Some(commands) = &self.commands {
            let _ = commands.try_send(Command::Release);
        }
    }

    /// A reader that starts where `committed` says, or at the oldest entry.
    ///
    /// # Errors
    /// When the committed position lies beyond the end (the disk lost data) and a new segment
    /// cannot be started there.
    pub async fn reader(&self, committed: &Checkpoints) -> Result<JournalReader, JournalError> {
        let state = committed.get(CHECKPOINT_KEY).unwrap_or_default();
        let offset = ReadState::of(state, self.shared.id).unwrap_or_default();
        if offset > *self.shared.durable.borrow() {
            // New entries at positions that were committed before would pass for old ones.
            let (reply, done) = oneshot::channel();
            self.send(Command::SkipTo { offset, reply }).await?;
            done.await.map_err(|_| JournalError::Closed)??;
        }
        self.release(&Checkpoint { key: CHECKPOINT_KEY.into(), state: state.into() });
        Ok(JournalReader::new(self.shared.clone(), offset))
    }

    /// The directory it is in.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// Bytes that the journal takes on disk.
    pub fn used_bytes(&self) -> u64 {
        segment::used_bytes(&self.shared.segments())
    }

    async fn submit(&self, block: Bytes) -> Result<(), JournalError> {
        let (reply, done) = oneshot::channel();
        self.send(Command::Append { block, reply }).await?;
        done.await.map_err(|_| JournalError::Closed)?
    }

    async fn send(&self, command: Command) -> Result<(), JournalError> {
        let commands = self.commands.as_ref().ok_or(JournalError::Closed)?;
        commands.send(command).await.map_err(|_| JournalError::Closed)
    }
}

/// Writes what was accepted, and frees the directory for the next opening.
impl Drop for Journal {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
