//! [`CatalogError`]: what can go wrong, with the place and the remedy.

use std::path::PathBuf;

/// Result of a catalog call.
pub type Result<T, E = CatalogError> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file or directory cannot be written.
    #[error("{path}: cannot write: {reason}; make it writable for this user")]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// No room.
    #[error("{path}: the disk is full ({reason}); free space")]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another process holds the file.
    #[error("{path}: another process has locked it ({reason}); stop it or try again")]
    Locked {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is damaged.
    #[error("{path}: damaged: {reason}; restore a backup, or move the file away to start empty")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file was written by a newer Tocsin.
    #[error(
        "{path}: written by a newer version (schema {found}, this one knows {known}); use that version"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Schema of the file.
        found: i64,
        /// Newest schema that this build knows.
        known: i64,
    },
    /// Somebody else changed the alert first.
    #[error(
        "alert {id} was changed by {who} since (version {found}, expected {expected}); read it again"
    )]
    Conflict {
        /// The alert.
        id: String,
        /// Who changed it last.
        who: String,
        /// Its version now.
        found: u64,
        /// The version that the caller knew.
        expected: u64,
    },
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(String),
    /// Any other failure.
    #[error("{path}: {reason}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl CatalogError {
    /// Whether trying again later may help without anybody changing the request.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::ReadOnly { .. } | Self::Full { .. } | Self::Locked { .. } | Self::Failed { .. }
        )
    }
}

/// Refuses a request, with the reason.
pub(crate) fn refuse<T, E: From<CatalogError>>(reason: impl Into<String>) -> Result<T, E> {
    Err(CatalogError::BadRequest(reason.into()).into())
}

/// Names the file and sorts the failure.
pub(crate) fn sort_error(path: &std::path::Path, error: &rusqlite::Error) -> CatalogError {
    use rusqlite::ErrorCode;
    let path = path.to_path_buf();
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            CatalogError::ReadOnly { path, reason }
        }
        Some(ErrorCode::DiskFull) => CatalogError::Full { path, reason },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            CatalogError::Locked { path, reason }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            CatalogError::Damaged { path, reason }
        }
        _ => CatalogError::Failed { path, reason },
    }
}
