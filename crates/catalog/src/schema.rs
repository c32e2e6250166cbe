//! Opening the file and bringing its tables to the newest schema.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{CatalogError, Result, sort_error};

/// How long a statement waits for another process (a backup, the command line).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Each entry brings the schema from its index to the next. Only ever add to the end.
const MIGRATIONS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
    include_str!("schema_9.sql"),
    include_str!("schema_10.sql"),
];

/// Opens a connection; the first one makes the file and migrates.
pub(crate) fn connect(path: &Path, migrate_it: bool) -> Result<Connection> {
    let sort = |error: rusqlite::Error| sort_error(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(sort)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sort)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(sort)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(sort)?;
    connection.pragma_update(None, "foreign_keys", "ON").map_err(sort)?;
    connection.pragma_update(None, "cache_size", -2048).map_err(sort)?;
    connection.set_prepared_statement_cache_capacity(64);
    if migrate_it {
        migrate(path, &mut connection)?;
    }
    Ok(connection)
}

fn migrate(path: &Path, connection: &mut Connection) -> Result<()> {
    let sort = |error: rusqlite::Error| sort_error(path, &error);
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(sort)?;
    transaction
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS schema_versions (
                version INTEGER PRIMARY KEY,
                applied TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
            ) STRICT",
        )
        .map_err(sort)?;
    let found: i64 = transaction
        .query_row("SELECT coalesce(max(version), 0) FROM schema_versions", [], |row| row.get(0))
        .map_err(sort)?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(CatalogError::Newer { path: path.to_path_buf(), found, known });
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        transaction.execute_batch(sql).map_err(sort)?;
        transaction
            .execute("INSERT INTO schema_versions (version) VALUES (?1)", [index as i64 + 1])
            .map_err(sort)?;
    }
    transaction.commit().map_err(sort)
}
