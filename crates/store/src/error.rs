//! [`StoreError`]: what can go wrong, with the place and the remedy.

use std::path::PathBuf;

/// Result of a store call.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the directory.
    #[error(
        "{path}: another process has this data directory open; stop it or choose another directory"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory cannot be written.
    #[error("{path}: cannot write: {reason}; make it writable for this user")]
    ReadOnly {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No room.
    #[error("{path}: the disk is full ({reason}); free space or shorten retention")]
    Full {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Files are damaged or written by a newer version.
    #[error(
        "{path}: cannot be opened: {reason}; restore a backup, or move the directory away to start empty"
    )]
    Damaged {
        /// The directory of the damaged partition.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The request makes no sense: a bad regex, an aggregation over a field that has none.
    #[error("{0}")]
    BadRequest(String),
    /// Any other failure of the system below.
    #[error("{path}: {reason}")]
    Failed {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl StoreError {
    /// Whether trying again later may help without anybody changing the request.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::ReadOnly { .. } | Self::Full { .. } | Self::Failed { .. })
    }
}
