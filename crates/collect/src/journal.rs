//! The local journal: what came over the network, durable before it counts as received.
//!
//! In: entries from listeners and the HTTP server. Out: the same entries in order, as records
//! with positions, once they are on disk. Never holds more than its limit, never hands out an
//! entry that a crash could still take back.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tocsin_model::Timestamp;

use crate::batch::Checkpoint;
use crate::config::JournalLimits;

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
        /// The journal's directory.
        path: String,
        /// The system's reason.
        cause: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// One entry is larger than a journal segment may be.
    #[error("one event of {bytes} bytes is larger than the journal takes ({max})")]
    TooLarge {
        /// Size of the entry in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Tocsin is stopping.
    #[error("the journal is closed, Tocsin is stopping")]
    Closed,
}

/// The journal in one directory.
#[derive(Debug)]
pub struct Journal {
    _private: (),
}

impl Journal {
    /// Opens or makes the journal in `dir`, and repairs what a crash left.
    ///
    /// # Errors
    /// When the directory cannot be written, or another process uses it.
    pub fn open(_dir: &Path, _limits: &JournalLimits) -> Result<Self, JournalError> {
        Err(JournalError::Closed)
    }

    /// Writes `entries` and returns once they are safe on disk. Concurrent callers share one
    /// disk sync. Either all entries are taken or none.
    ///
    /// # Errors
    /// When nothing was taken: the journal is full, or the disk is. The caller may try again.
    pub async fn append(&self, _entries: Vec<JournalEntry>) -> Result<(), JournalError> {
        Err(JournalError::Closed)
    }

    /// Tells that everything before `checkpoint` is stored; frees the segments that are done.
    /// Checkpoints of other streams are ignored.
    pub fn release(&self, _checkpoint: &Checkpoint) {}
}
