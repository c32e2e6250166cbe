//! Small durable facts in SQLite: alerts, the outbox of notices, the ledger of counters, keys and
//! values.
//!
//! In: alerts and notices of a batch, in one transaction that can be repeated. Out: pages of
//! alerts, counts, notices that are due. Never holds events and never delivers anything.

mod accounts;
mod alerts;
mod bans;
mod copy;
mod counters;
mod error;
mod exceptions;
mod facets;
mod heard;
mod incidents;
mod outbox;
mod provided;
mod query;
mod risk;
mod schema;
mod searches;
mod triage;
mod values;
mod without;

pub use accounts::{AuditEntry, NAME_BYTES_MAX, Session, Token, User};
pub use bans::{Ban, BanState, BanStep, NewBan, Target};
pub use copy::copy;
pub use counters::{CounterKind, CounterRow};
pub use error::{CatalogError, Result};
pub use exceptions::{Exception, NewException};
pub use facets::{AlertGroup, Facets, GroupBy};
pub use heard::HeardRow;
pub use incidents::{Incident, IncidentRule, Noise, TimelineLine};
pub use outbox::{OutboxCounts, OutboxItem, OutboxState};
pub use provided::Entered;
pub use query::{
    AlertCounts, AlertOrder, AlertPage, AlertQuery, RuleCount, RuleRecord, SeriesBucket,
};
pub use risk::{EntityKind, Risk, RiskPart, counts, entities};
pub use searches::{RuleSwitch, SavedSearch, SearchWhat};
pub use triage::{Activity, AlertChange, Before, DETECTION, Step};
pub use values::ValueCount;
pub use without::Without;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tocsin_model::{Alert, Notice, Timestamp};

/// Name of the file inside the data directory.
pub const FILE_NAME: &str = "catalog.sqlite";

/// The catalog of one data directory. Calls block; share it behind an `Arc`.
pub struct Catalog {
    path: PathBuf,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl Catalog {
    /// Opens the catalog in `dir`, making directory and file when they are not there, and brings
    /// an older file to the newest schema.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE_NAME);
        if let Err(error) = std::fs::create_dir_all(dir) {
            return Err(CatalogError::ReadOnly {
                path: dir.to_path_buf(),
                reason: error.to_string(),
            });
        }
        let writer = Mutex::new(schema::connect(&path, true)?);
        let reader = Mutex::new(schema::connect(&path, false)?);
        Ok(Self { path, writer, reader })
    }

    /// Stores alerts and notices in one transaction. Doing it again with the same changes
    /// nothing: alerts are replaced by id (what people did to them stays), notices that the
    /// outbox has (by [`Notice::key`], in whatever state) are left alone. Gives the alerts back
    /// as they are stored now.
    pub fn save(&self, alerts: &[Alert], notices: &[Notice]) -> Result<Vec<Alert>> {
        self.save_all(alerts, notices, None)
    }

    /// The same, with alerts put into incidents; notices of channels that are told `by_incident`
    /// are left out when their alert neither begins an incident nor makes one worse. Does not wait
    /// for the disk: see [`Catalog::sync`].
    pub fn save_grouped(
        &self,
        alerts: &[Alert],
        notices: &[Notice],
        by_incident: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Alert>> {
        self.save_all(alerts, notices, Some(by_incident))
    }

    fn save_all(
        &self,
        alerts: &[Alert],
        notices: &[Notice],
        by_incident: Option<&dyn Fn(&str) -> bool>,
    ) -> Result<Vec<Alert>> {
        if alerts.is_empty() && notices.is_empty() {
            return Ok(Vec::new());
        }
        let now = now();
        let grouped = by_incident.is_some();
        let work = |transaction: &rusqlite::Transaction<'_>| {
            let alerts = alerts.iter().map(|alert| alerts::upsert(transaction, alert, grouped));
            let stored = alerts.collect::<Result<Vec<_>, Fault>>()?;
            for (alert, _) in stored.iter().filter(|_| grouped) {
                risk::add(transaction, alert)?;
            }
            for notice in notices {
                let saved = stored.iter().find(|(alert, _)| alert.id == notice.alert.id);
                let by_incident = by_incident.is_some_and(|told| told(&notice.channel));
                if by_incident && saved.is_some_and(|(_, news)| !news) {
                    continue;
                }
                let incident = saved.and_then(|(alert, _)| alert.triage.incident);
                let mut notice = notice.clone();
                notice.alert.triage.incident = incident.or(notice.alert.triage.incident);
                outbox::insert(transaction, &notice, now)?;
            }
            Ok(stored.into_iter().map(|(alert, _)| alert).collect())
        };
        if grouped { self.write_soon(work) } else { self.write(work) }
    }

    /// Brings to disk what [`Catalog::save_grouped`] has written: it survives the end of the process
    /// by itself, and a power cut after this.
    pub fn sync(&self) -> Result<()> {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        match std::fs::File::open(log).and_then(|log| log.sync_data()) {
            // Without a log everything is in the file.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let reason = error.to_string();
                Err(match error.kind() {
                    std::io::ErrorKind::StorageFull => {
                        CatalogError::Full { path: self.path.clone(), reason }
                    }
                    _ => CatalogError::Failed { path: self.path.clone(), reason },
                })
            }
            _ => Ok(()),
        }
    }

    /// A stored value.
    pub fn get_meta(&self, key: &str) -> Result<Option<String>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
            let mut rows = statement.query([key])?;
            rows.next()?.map(|row| row.get(0)).transpose()
        })
    }

    /// Stores a value under a key, replacing what was there.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [key, value],
            )?;
            Ok(())
        })
    }

    /// Bytes of the file and its journal.
    pub fn disk_bytes(&self) -> u64 {
        let size = |suffix: &str| {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            std::fs::metadata(path).map_or(0, |meta| meta.len())
        };
        size("") + size("-wal")
    }

    /// Makes the file "full" at so many pages of 4 KiB, or lifts that.
    #[doc(hidden)]
    pub fn limit_pages_for_tests(&self, pages: Option<u32>) -> Result<()> {
        let pages = pages.unwrap_or(u32::MAX - 1);
        lock(&self.writer)
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(|error| self.explain(Fault::Sql(error)))
    }

    /// Writes without waiting for the disk.
    fn write_soon<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        let mut connection = lock(&self.writer);
        let done = (|| {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            let done = run(&mut connection, work);
            connection.pragma_update(None, "synchronous", "FULL")?;
            done
        })();
        done.map_err(|fault| self.explain(fault))
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        run(&mut lock(&self.writer), work).map_err(|fault| self.explain(fault))
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(&lock(&self.reader)).map_err(|error| self.explain(Fault::Sql(error)))
    }

    fn explain(&self, fault: Fault) -> CatalogError {
        match fault {
            Fault::Sql(error) => error::sort_error(&self.path, &error),
            Fault::Json(reason) => CatalogError::Damaged { path: self.path.clone(), reason },
            Fault::Told(error) => error,
        }
    }
}

/// A failure inside a transaction, before it is given its place.
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Json(String),
    Told(CatalogError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<CatalogError> for Fault {
    fn from(error: CatalogError) -> Self {
        Self::Told(error)
    }
}

/// One transaction.
fn run<T>(
    connection: &mut Connection,
    work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic while it was held has rolled its transaction back.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A column that never goes below zero.
fn whole(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}
