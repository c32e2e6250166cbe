//! A copy of a catalog, made while another process writes it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::FILE_NAME;
use crate::error::{Result, sort_error};

/// Copies the catalog in `dir` to the file `target`, which must not be there: everything of one
/// moment, also while it is written.
///
/// # Errors
/// When there is no catalog, or the copy cannot be written.
pub fn copy(dir: &Path, target: &Path) -> Result<()> {
    let path = dir.join(FILE_NAME);
    let made = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.execute("VACUUM INTO ?1", [target.to_string_lossy()])?;
        Ok::<_, rusqlite::Error>(())
    };
    made().map_err(|error| sort_error(&path, &error))
}
