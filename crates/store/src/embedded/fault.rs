//! Tantivy's and the system's failures → [`StoreError`].

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tantivy::TantivyError;
use tantivy::directory::error::{OpenDirectoryError, OpenReadError, OpenWriteError};

use crate::error::StoreError;

/// Bytes written to find out whether a directory can be written.
const PROBE_BYTES: usize = 64 * 1024;
/// The file that is written for it.
const PROBE_FILE: &str = ".probe";

/// Names the place and sorts the failure. Where Tantivy does not say what the system said (its
/// worker threads do not), a small file is written to find out.
pub(crate) fn explain(path: &Path, error: &TantivyError) -> StoreError {
    let owned = path.to_path_buf();
    match error {
        TantivyError::DataCorruption(_)
        | TantivyError::IncompatibleIndex(_)
        | TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_))
        | TantivyError::OpenReadError(OpenReadError::IncompatibleIndex(_)) => {
            return StoreError::Damaged { path: owned, reason: error.to_string() };
        }
        TantivyError::InvalidArgument(reason) | TantivyError::SchemaError(reason) => {
            return StoreError::BadRequest(reason.clone());
        }
        TantivyError::AggregationError(reason) => {
            return StoreError::BadRequest(format!("aggregates: {reason}"));
        }
        _ => {}
    }
    match io_kind(error) {
        Some((kind, reason)) => of_kind(owned, kind, reason),
        None => match probe(path) {
            Ok(()) => StoreError::Failed { path: owned, reason: error.to_string() },
            Err(failure) => of_kind(owned, failure.kind(), failure.to_string()),
        },
    }
}

/// Sorts a failure of the system.
pub(crate) fn of_io(path: &Path, error: &io::Error) -> StoreError {
    of_kind(path.to_path_buf(), error.kind(), error.to_string())
}

fn of_kind(path: PathBuf, kind: io::ErrorKind, reason: String) -> StoreError {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full { path, reason }
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { path, reason }
        }
        _ => StoreError::Failed { path, reason },
    }
}

fn io_kind(error: &TantivyError) -> Option<(io::ErrorKind, String)> {
    let inner = match error {
        TantivyError::IoError(error) => error,
        TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. })
        | TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. })
        | TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error, .. }) => {
            io_error
        }
        _ => return None,
    };
    Some((inner.kind(), inner.to_string()))
}

/// Writes a small file and removes it.
pub(crate) fn probe(path: &Path) -> io::Result<()> {
    let file = path.join(PROBE_FILE);
    let written = (|| {
        let mut out = fs::File::create(&file)?;
        out.write_all(&[0x5a; PROBE_BYTES])?;
        out.sync_data()
    })();
    let _ = fs::remove_file(&file);
    written
}
