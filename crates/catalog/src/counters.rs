//! The ledger: for each input, what was received, stored and dropped, and why.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::{Catalog, whole};

/// What a counter counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CounterKind {
    /// Records that came in.
    Received,
    /// Events stored.
    Stored,
    /// Records dropped, with the reason.
    Dropped(String),
}

impl CounterKind {
    fn columns(&self) -> (&'static str, &str) {
        match self {
            Self::Received => ("received", ""),
            Self::Stored => ("stored", ""),
            Self::Dropped(reason) => ("dropped", reason),
        }
    }
}

/// A counter's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CounterRow {
    /// Name of the input.
    pub input: String,
    /// What is counted.
    pub kind: CounterKind,
    /// How many, since the data directory was made.
    pub value: u64,
}

impl Catalog {
    /// Adds to counters, in one transaction.
    pub fn add_counters(&self, deltas: &[(String, CounterKind, u64)]) -> Result<()> {
        self.put_counters(
            deltas,
            "INSERT INTO counters (input, kind, reason, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (input, kind, reason) DO UPDATE SET value = value + excluded.value",
        )
    }

    /// Sets counters, in one transaction; doing it again changes nothing.
    pub fn set_counters(&self, values: &[(String, CounterKind, u64)]) -> Result<()> {
        self.put_counters(
            values,
            "INSERT INTO counters (input, kind, reason, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (input, kind, reason) DO UPDATE SET value = excluded.value",
        )
    }

    fn put_counters(&self, rows: &[(String, CounterKind, u64)], sql: &str) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut statement = transaction.prepare_cached(sql)?;
            for (input, kind, value) in rows {
                let (kind, reason) = kind.columns();
                let value = i64::try_from(*value).unwrap_or(i64::MAX);
                statement.execute(params![input, kind, reason, value])?;
            }
            Ok(())
        })
    }

    /// All counters, by input, kind and reason.
    pub fn counters(&self) -> Result<Vec<CounterRow>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT input, kind, reason, value FROM counters ORDER BY input, kind, reason",
            )?;
            let rows = statement.query_map([], |row| {
                let kind = match row.get_ref(1)?.as_str().unwrap_or("") {
                    "received" => CounterKind::Received,
                    "stored" => CounterKind::Stored,
                    _ => CounterKind::Dropped(row.get(2)?),
                };
                Ok(CounterRow { input: row.get(0)?, kind, value: whole(row, 3)? })
            })?;
            rows.collect()
        })
    }
}
