//! Sources that send: what is known of each, as JSON that its owner understands.
//!
//! In: sources that changed, and wishes to forget one. Out: all of them. Never reads the JSON.

use rusqlite::params;

use crate::Catalog;
use crate::error::Result;

/// A source: the events of one dataset of one host, or of one input where they name no host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardRow {
    /// `event.dataset`.
    pub dataset: String,
    /// `host.name`, or empty.
    pub host: String,
    /// The input where there is no host, else empty.
    pub input: String,
    /// What is known of it.
    pub json: String,
}

impl Catalog {
    /// Stores sources, each in the place of what was known of it. One that is to be forgotten
    /// stays so until it is.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn save_heard(&self, rows: &[HeardRow]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT INTO heard (dataset, host, input, json) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (dataset, host, input) DO UPDATE SET json = excluded.json",
            )?;
            for row in rows {
                statement.execute(params![row.dataset, row.host, row.input, row.json])?;
            }
            Ok(())
        })
    }

    /// The sources that are known and are not to be forgotten.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn heard(&self) -> Result<Vec<HeardRow>> {
        self.heard_where(false)
    }

    /// The sources that are to be forgotten.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn heard_to_forget(&self) -> Result<Vec<HeardRow>> {
        self.heard_where(true)
    }

    fn heard_where(&self, forget: bool) -> Result<Vec<HeardRow>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT dataset, host, input, json FROM heard WHERE forget = ?1
                 ORDER BY host, dataset, input",
            )?;
            let rows = statement.query_map([forget], |row| {
                Ok(HeardRow {
                    dataset: row.get(0)?,
                    host: row.get(1)?,
                    input: row.get(2)?,
                    json: row.get(3)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Asks for a source to be forgotten, of any input when none is named; how many there are.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn ask_to_forget(&self, dataset: &str, host: &str) -> Result<u64> {
        self.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE heard SET forget = 1 WHERE dataset = ?1 AND host = ?2",
                params![dataset, host],
            )?;
            Ok(changed as u64)
        })
    }

    /// Deletes sources.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn remove_heard(&self, rows: &[(String, String, String)]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut statement = transaction.prepare_cached(
                "DELETE FROM heard WHERE dataset = ?1 AND host = ?2 AND input = ?3",
            )?;
            for (dataset, host, input) in rows {
                statement.execute(params![dataset, host, input])?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_kept_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let row = |dataset: &str, json: &str| HeardRow {
            dataset: dataset.into(),
            host: "web-1".into(),
            input: String::new(),
            json: json.into(),
        };
        catalog.save_heard(&[row("a", "{}"), row("b", "{}")]).unwrap();
        catalog.save_heard(&[row("a", "{\"n\":1}")]).unwrap();
        assert_eq!(catalog.heard().unwrap(), [row("a", "{\"n\":1}"), row("b", "{}")]);
        assert_eq!(catalog.ask_to_forget("a", "web-1").unwrap(), 1);
        assert_eq!(catalog.ask_to_forget("a", "web-2").unwrap(), 0);
        // It is still heard meanwhile.
        catalog.save_heard(&[row("a", "{\"n\":2}")]).unwrap();
        assert_eq!(catalog.heard().unwrap(), [row("b", "{}")]);
        let gone = catalog.heard_to_forget().unwrap();
        assert_eq!(gone, [row("a", "{\"n\":2}")]);
        catalog.remove_heard(&[("a".into(), "web-1".into(), String::new())]).unwrap();
        assert_eq!(catalog.heard_to_forget().unwrap(), []);
    }
}
