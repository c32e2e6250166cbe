//! The outbox: notices that must be delivered, once each, whatever happens in between.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use tocsin_model::{Notice, Timestamp};

use crate::error::Result;
use crate::{Catalog, Fault, whole};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutboxState {
    /// Not delivered yet.
    Pending,
    /// Delivered.
    Delivered,
    /// Given up.
    Dead,
}

/// One delivery.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutboxItem {
    /// [`Notice::key`].
    pub key: String,
    /// What to deliver, and to which channel.
    pub notice: Notice,
    /// State.
    pub state: OutboxState,
    /// Tries so far.
    pub attempts: u32,
    /// Not to be tried before.
    pub next_try: Timestamp,
    /// What the last try said.
    pub last_error: Option<String>,
    /// When it was put in.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// How many deliveries there are, by state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OutboxCounts {
    /// Waiting.
    pub pending: u64,
    /// Done.
    pub delivered: u64,
    /// Given up.
    pub dead: u64,
    /// The same by channel: pending, delivered, dead.
    pub by_channel: BTreeMap<String, [u64; 3]>,
}

const COLUMNS: &str = "key, notice, state, attempts, next_try, last_error, created, updated";

/// Puts a notice in; nothing happens when its key is there.
pub(crate) fn insert(
    connection: &Connection,
    notice: &Notice,
    now: Timestamp,
) -> Result<(), Fault> {
    let alert = &notice.alert;
    let key = Notice::key(&alert.id, notice.kind, alert.severity.as_str(), &notice.channel);
    let json = serde_json::to_string(notice)
        .map_err(|error| Fault::Json(format!("notice {key}: {error}")))?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox (key, channel, kind, alert_id, notice, created, updated)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (key) DO NOTHING",
    )?;
    let kind = notice.kind.as_str();
    statement.execute(params![key, notice.channel, kind, alert.id.0, json, now.0])?;
    Ok(())
}

impl Catalog {
    /// Notices to deliver now, the longest due first.
    pub fn outbox_due(&self, now: Timestamp, limit: usize) -> Result<Vec<OutboxItem>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox WHERE state = 'pending' AND next_try <= ?1
             ORDER BY next_try, seq LIMIT ?2"
        );
        self.items(&sql, params![now.0, limit as i64])
    }

    /// Notices to deliver now to one channel, so that a channel that is down hides no other. One
    /// that cannot be read (another version wrote it) is given up: it must not hold up the rest.
    pub fn outbox_due_of(
        &self,
        channel: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<OutboxItem>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox WHERE channel = ?1 AND state = 'pending'
             AND next_try <= ?2 ORDER BY next_try, seq LIMIT ?3"
        );
        loop {
            let (mut good, mut damaged) = (Vec::new(), Vec::new());
            for row in self.rows(&sql, params![channel, now.0, limit as i64])? {
                match row {
                    Ok(item) => good.push(item),
                    Err(unreadable) => damaged.push(unreadable),
                }
            }
            for Unreadable { key, reason } in &damaged {
                self.outbox_dead(key, &format!("it cannot be read: {reason}"))?;
            }
            if !good.is_empty() || damaged.is_empty() {
                return Ok(good);
            }
        }
    }

    /// The newest deliveries in a state (or all), the newest first.
    pub fn outbox_list(&self, state: Option<OutboxState>, limit: usize) -> Result<Vec<OutboxItem>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox WHERE ?1 IS NULL OR state = ?1
             ORDER BY seq DESC LIMIT ?2"
        );
        self.items(&sql, params![state.map(state_word), limit as i64])
    }

    /// The delivery is done.
    pub fn outbox_delivered(&self, key: &str, now: Timestamp) -> Result<()> {
        self.outbox_delivered_all(&[key], now)
    }

    /// These deliveries are done; all in one transaction.
    pub fn outbox_delivered_all(&self, keys: &[impl AsRef<str>], now: Timestamp) -> Result<()> {
        self.write(|transaction| {
            let mut statement = transaction.prepare_cached(
                "UPDATE outbox SET state = 'delivered', attempts = attempts + 1,
                 last_error = NULL, updated = ?2 WHERE key = ?1 AND state <> 'delivered'",
            )?;
            for key in keys {
                statement.execute(params![key.as_ref(), now.0])?;
            }
            Ok(())
        })
    }

    /// A try failed; the next one is due at `next_try`.
    pub fn outbox_failed(&self, key: &str, next_try: Timestamp, error: &str) -> Result<()> {
        self.outbox_failed_all(&[key], next_try, error)
    }

    /// One try that stood for these failed; all in one transaction.
    pub fn outbox_failed_all(
        &self,
        keys: &[impl AsRef<str>],
        next_try: Timestamp,
        error: &str,
    ) -> Result<()> {
        let now = crate::now().0;
        self.write(|transaction| {
            let mut statement = transaction.prepare_cached(
                "UPDATE outbox SET attempts = attempts + 1, next_try = ?2, last_error = ?3,
                 updated = ?4 WHERE key = ?1 AND state = 'pending'",
            )?;
            for key in keys {
                statement.execute(params![key.as_ref(), next_try.0, error, now])?;
            }
            Ok(())
        })
    }

    /// Not due before `next_try`, without a try having been made (rate limit).
    pub fn outbox_postpone(&self, key: &str, next_try: Timestamp) -> Result<()> {
        self.outbox_postpone_all(&[key], next_try)
    }

    /// The same for several, in one transaction.
    pub fn outbox_postpone_all(&self, keys: &[impl AsRef<str>], next_try: Timestamp) -> Result<()> {
        let now = crate::now().0;
        self.write(|transaction| {
            let mut statement = transaction.prepare_cached(
                "UPDATE outbox SET next_try = ?2, updated = ?3
                 WHERE key = ?1 AND state = 'pending'",
            )?;
            for key in keys {
                statement.execute(params![key.as_ref(), next_try.0, now])?;
            }
            Ok(())
        })
    }

    /// The delivery is given up.
    pub fn outbox_dead(&self, key: &str, error: &str) -> Result<()> {
        self.outbox_dead_all(&[key], error)
    }

    /// The same for several, in one transaction.
    pub fn outbox_dead_all(&self, keys: &[impl AsRef<str>], error: &str) -> Result<()> {
        let now = crate::now().0;
        self.write(|transaction| {
            let mut statement = transaction.prepare_cached(
                "UPDATE outbox SET state = 'dead', attempts = attempts + 1, last_error = ?2,
                 updated = ?3 WHERE key = ?1 AND state = 'pending'",
            )?;
            for key in keys {
                statement.execute(params![key.as_ref(), error, now])?;
            }
            Ok(())
        })
    }

    /// Deliveries of a channel (or all) that were given up wait again, as if they were new; only
    /// these `keys`, or all when there are none. How many.
    pub fn outbox_retry(&self, channel: Option<&str>, keys: &[String]) -> Result<u64> {
        let now = crate::now().0;
        let keys_json = serde_json::to_string(keys).unwrap_or_default();
        self.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE outbox SET state = 'pending', attempts = 0, next_try = 0, created = ?1,
                 updated = ?1
                 WHERE state = 'dead' AND (?2 IS NULL OR channel = ?2)
                 AND (?3 OR key IN (SELECT value FROM json_each(?4)))",
                params![now, channel, keys.is_empty(), keys_json],
            )?;
            Ok(changed as u64)
        })
    }

    /// Deliveries that were given up, of a channel (or all), the newest first, and how many there
    /// are.
    pub fn outbox_dead_list(
        &self,
        channel: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<OutboxItem>, u64)> {
        let total = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FROM outbox WHERE state = 'dead'
                 AND (?1 IS NULL OR channel = ?1)",
            )?;
            statement.query_row([channel], |row| whole(row, 0))
        })?;
        let sql = format!(
            "SELECT {COLUMNS} FROM outbox WHERE state = 'dead' AND (?1 IS NULL OR channel = ?1)
             ORDER BY seq DESC LIMIT ?2"
        );
        let rows = self.rows(&sql, params![channel, limit as i64])?;
        // One that cannot be read was given up for that.
        Ok((rows.into_iter().filter_map(Result::ok).collect(), total))
    }

    /// When the next delivery is due; `None` when nothing waits.
    pub fn outbox_next_due(&self) -> Result<Option<Timestamp>> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT min(next_try) FROM outbox WHERE state = 'pending'")?;
            statement.query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Timestamp)))
        })
    }

    /// How many deliveries there are.
    pub fn outbox_counts(&self) -> Result<OutboxCounts> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT channel, state, count(*) FROM outbox GROUP BY channel, state",
            )?;
            let mut counts = OutboxCounts::default();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let count = whole(row, 2)?;
                let slots = counts.by_channel.entry(row.get(0)?).or_default();
                let (slot, sum) = match row.get_ref(1)?.as_str().unwrap_or("") {
                    "pending" => (&mut slots[0], &mut counts.pending),
                    "delivered" => (&mut slots[1], &mut counts.delivered),
                    _ => (&mut slots[2], &mut counts.dead),
                };
                *slot += count;
                *sum += count;
            }
            Ok(counts)
        })
    }

    /// Forgets deliveries that were done or given up before `time`; how many. Their alerts must
    /// be older than anything that can be replayed, else they would be delivered again.
    pub fn outbox_prune(&self, time: Timestamp) -> Result<u64> {
        self.write(|transaction| {
            let deleted = transaction.execute(
                "DELETE FROM outbox WHERE state <> 'pending' AND updated < ?1",
                [time.0],
            )?;
            Ok(deleted as u64)
        })
    }

    fn items(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<OutboxItem>> {
        let items: Result<Vec<OutboxItem>, Unreadable> =
            self.rows(sql, values)?.into_iter().collect();
        items.map_err(|Unreadable { key, reason }| {
            self.explain(Fault::Json(format!("notice {key}: {reason}")))
        })
    }

    fn rows(
        &self,
        sql: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<Result<OutboxItem, Unreadable>>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map(values, read_row)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })
    }
}

/// A delivery whose notice makes no sense.
struct Unreadable {
    key: String,
    reason: String,
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<Result<OutboxItem, Unreadable>> {
    let key: String = row.get(0)?;
    let json: String = row.get(1)?;
    let state = match row.get_ref(2)?.as_str().unwrap_or("") {
        "pending" => OutboxState::Pending,
        "delivered" => OutboxState::Delivered,
        _ => OutboxState::Dead,
    };
    let notice = match serde_json::from_str(&json) {
        Ok(notice) => notice,
        Err(error) => return Ok(Err(Unreadable { key, reason: error.to_string() })),
    };
    Ok(Ok(OutboxItem {
        key,
        notice,
        state,
        attempts: row.get(3)?,
        next_try: Timestamp(row.get(4)?),
        last_error: row.get(5)?,
        created: Timestamp(row.get(6)?),
        updated: Timestamp(row.get(7)?),
    }))
}

fn state_word(state: OutboxState) -> &'static str {
    match state {
        OutboxState::Pending => "pending",
        OutboxState::Delivered => "delivered",
        OutboxState::Dead => "dead",
    }
}
