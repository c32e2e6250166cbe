//! Exceptions: what people do not want to be alerted of, and the alerts that each has hidden.
//!
//! In: conditions as text with reason, owner and expiry. Out: them with how much they hid. Never
//! reads a condition: what one means is the engine's business.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use tocsin_model::{Alert, Timestamp};

use crate::alerts::{id_and_json, read_json};
use crate::error::{Result, refuse};
use crate::triage::check_name;
use crate::{Catalog, Fault, now, whole};

/// The most exceptions in force.
pub const EXCEPTIONS_MAX: usize = 1000;
/// The longest condition or reason, bytes.
pub const EXCEPTION_TEXT_BYTES_MAX: usize = 8 * 1024;
/// Alerts that are read together.
const CHUNK: usize = 1000;

/// What somebody does not want to be alerted of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NewException {
    /// Id of the rule that it is about; `None`: any.
    pub rule_id: Option<String>,
    /// The rule's title when it was made.
    pub rule_title: Option<String>,
    /// The pack that it is about; `None`: any.
    pub pack: Option<String>,
    /// Which alerts, in the query language.
    pub condition: String,
    /// Of an entry of the allow-list: `address`, `network`, `user` or `host`, and its value.
    pub allow: Option<(String, String)>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Until when; `None`: for ever.
    pub expires: Option<Timestamp>,
}

/// One that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Its number.
    pub id: u64,
    /// What it is.
    pub what: NewException,
    /// When it was made; what was received before is not hidden.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it was taken back, and by whom.
    pub removed: Option<(Timestamp, String)>,
    /// Alerts that it hid.
    pub hidden: u64,
    /// When the last of them was raised.
    pub last_hidden: Option<Timestamp>,
}

impl Exception {
    /// Whether it hides what is received at `time`.
    pub fn holds_at(&self, time: Timestamp) -> bool {
        self.removed.is_none()
            && time >= self.created
            && self.what.expires.is_none_or(|expires| time < expires)
    }
}

impl NewException {
    fn check(&self) -> Result<()> {
        if self.rule_id.is_some() && self.pack.is_some() {
            return refuse("give rule or pack, not both; neither means every rule");
        }
        for (what, text) in [("condition", &self.condition), ("reason", &self.reason)] {
            if text.trim().is_empty() {
                return refuse(format!("{what} is missing"));
            }
            if text.len() > EXCEPTION_TEXT_BYTES_MAX {
                return refuse(format!("{what} has over {EXCEPTION_TEXT_BYTES_MAX} bytes"));
            }
        }
        if self.owner.is_empty() {
            return refuse("owner is missing: who answers for it");
        }
        check_name("owner", &self.owner)
    }
}

const COLUMNS: &str = "id, json, created, created_by, removed, removed_by,
    (SELECT count(*) FROM alerts WHERE alerts.exception = exceptions.id),
    (SELECT max(raised) FROM alerts WHERE alerts.exception = exceptions.id)";

impl Catalog {
    /// Saves an exception, made by `who`.
    ///
    /// # Errors
    /// When it lacks something, there are too many, or the catalog cannot be written.
    pub fn add_exception(&self, what: &NewException, who: &str) -> Result<Exception> {
        what.check()?;
        check_name("name", who)?;
        let created = now();
        if what.expires.is_some_and(|expires| expires <= created) {
            return refuse("expires must be in the future");
        }
        let json = serde_json::to_string(what)
            .map_err(|error| self.explain(Fault::Json(format!("exception: {error}"))))?;
        let id = self.write(|transaction| {
            let held: i64 = transaction.query_row(
                "SELECT count(*) FROM exceptions WHERE removed IS NULL
                 AND (expires IS NULL OR expires > ?1)",
                [created.0],
                |row| row.get(0),
            )?;
            if held >= EXCEPTIONS_MAX as i64 {
                let reason = format!("there are {held} exceptions in force; remove some first");
                return refuse(reason);
            }
            transaction.execute(
                "INSERT INTO exceptions (rule_id, pack, condition, reason, owner, created,
                    created_by, expires, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    what.rule_id,
                    what.pack,
                    what.condition,
                    what.reason,
                    what.owner,
                    created.0,
                    who,
                    what.expires.map(|time| time.0),
                    json
                ],
            )?;
            Ok(transaction.last_insert_rowid())
        })?;
        Ok(Exception {
            id: u64::try_from(id).unwrap_or_default(),
            what: what.clone(),
            created,
            created_by: who.to_owned(),
            removed: None,
            hidden: 0,
            last_hidden: None,
        })
    }

    /// The exceptions, the oldest first; with `all` also those that were removed.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn exceptions(&self, all: bool) -> Result<Vec<Exception>> {
        let sql =
            format!("SELECT {COLUMNS} FROM exceptions WHERE ?1 OR removed IS NULL ORDER BY id");
        let rows = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map([all], read_row)?.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        rows.into_iter().map(|row| row.map_err(|fault| self.explain(fault))).collect()
    }

    /// Takes an exception back; `None` when there is none with this number in force.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn remove_exception(&self, id: u64, who: &str) -> Result<Option<Exception>> {
        check_name("name", who)?;
        let (id, time) = (i64::try_from(id).unwrap_or(i64::MAX), now());
        let sql = format!("SELECT {COLUMNS} FROM exceptions WHERE id = ?1");
        self.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE exceptions SET removed = ?2, removed_by = ?3
                 WHERE id = ?1 AND removed IS NULL",
                params![id, time.0, who],
            )?;
            if changed == 0 {
                return Ok(None);
            }
            transaction.query_row(&sql, [id], read_row).optional()?.transpose()
        })
    }

    /// Gives every alert that people see, raised at or after `since`, to `each`.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn visit_alerts(&self, since: Timestamp, mut each: impl FnMut(&Alert)) -> Result<()> {
        let mut last = (since.0, String::new());
        loop {
            let rows = self.read(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, json, raised FROM alerts
                     WHERE exception IS NULL AND (raised, id) > (?1, ?2)
                     ORDER BY raised, id LIMIT ?3",
                )?;
                let rows = statement.query_map(params![last.0, last.1, CHUNK as i64], |row| {
                    Ok((id_and_json(row)?, row.get::<_, i64>(2)?))
                })?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            })?;
            for ((id, json), raised) in &rows {
                each(&read_json(json, id).map_err(|fault| self.explain(fault))?);
                last = (*raised, id.clone());
            }
            if rows.len() < CHUNK {
                return Ok(());
            }
        }
    }
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<Result<Exception, Fault>> {
    let id = whole(row, 0)?;
    let json: String = row.get(1)?;
    let what = match serde_json::from_str(&json) {
        Ok(what) => what,
        Err(error) => return Ok(Err(Fault::Json(format!("exception {id}: {error}")))),
    };
    let removed: Option<i64> = row.get(4)?;
    let removed_by: Option<String> = row.get(5)?;
    Ok(Ok(Exception {
        id,
        what,
        created: Timestamp(row.get(2)?),
        created_by: row.get(3)?,
        removed: removed.map(|time| (Timestamp(time), removed_by.unwrap_or_default())),
        hidden: whole(row, 6)?,
        last_hidden: row.get::<_, Option<i64>>(7)?.map(Timestamp),
    }))
}
