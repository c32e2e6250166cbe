//! Searches that people keep, each under a name of its owner; and rules that they switched on or
//! off.
//!
//! In: names with what is searched for. Out: the same, for their owner and, where shared, for
//! everybody. Never reads a query: what one means is the engine's business.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use tocsin_model::Timestamp;

use crate::error::{Result, refuse};
use crate::{Catalog, Fault, now, whole};

/// The most searches kept, of all people together.
pub const SEARCHES_MAX: usize = 1000;
/// The longest name of one, characters.
pub const SEARCH_NAME_CHARS_MAX: usize = 100;
/// The most that one may hold, bytes.
pub const SEARCH_BYTES_MAX: usize = 16 * 1024;

/// What is searched for, and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchWhat {
    /// The query (KQL); empty is every event.
    pub q: String,
    /// Of the last …: `24h`; empty when `from` and `to` say.
    pub last: String,
    /// Not before (RFC 3339); empty is open.
    pub from: String,
    /// Before; empty is open.
    pub to: String,
    /// `asc` or `desc`; empty is the newest first.
    pub order: String,
    /// Fields shown as columns.
    pub columns: Vec<String>,
}

/// A search that somebody keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSearch {
    /// Its number.
    pub id: u64,
    /// Whose it is; empty where nobody signs in.
    pub owner: String,
    /// What its owner calls it.
    pub name: String,
    /// Whether everybody sees it.
    pub shared: bool,
    /// What it is.
    pub what: SearchWhat,
    /// When it was saved.
    pub changed: Timestamp,
}

/// A rule that somebody switched on or off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSwitch {
    /// Its id.
    pub rule_id: String,
    /// Which way.
    pub enabled: bool,
    /// Who.
    pub who: String,
    /// When.
    pub time: Timestamp,
}

type Row = (u64, String, String, bool, String, i64);

const COLUMNS: &str = "id, owner, name, shared, json, changed";

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok((whole(row, 0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn read((id, owner, name, shared, json, changed): Row) -> Result<SavedSearch, Fault> {
    let what = serde_json::from_str(&json)
        .map_err(|error| Fault::Json(format!("search {id}: {error}")))?;
    Ok(SavedSearch { id, owner, name, shared, what, changed: Timestamp(changed) })
}

impl Catalog {
    /// Keeps a search; one of the same owner and name is replaced.
    ///
    /// # Errors
    /// When it has no name or is too long, there are too many, or the catalog cannot be written.
    pub fn save_search(
        &self,
        owner: &str,
        name: &str,
        shared: bool,
        what: &SearchWhat,
    ) -> Result<SavedSearch> {
        let name = name.trim();
        if name.is_empty() || name.chars().any(char::is_control) {
            return refuse("name: give the search one, of one line");
        }
        if name.chars().count() > SEARCH_NAME_CHARS_MAX {
            return refuse(format!("name: longer than {SEARCH_NAME_CHARS_MAX} characters"));
        }
        let json = serde_json::to_string(what)
            .map_err(|error| self.explain(Fault::Json(format!("search: {error}"))))?;
        if json.len() > SEARCH_BYTES_MAX {
            return refuse(format!("the search is longer than {SEARCH_BYTES_MAX} bytes"));
        }
        let changed = now();
        self.write(|transaction| {
            let held: i64 = transaction.query_row(
                "SELECT count(*) FROM searches WHERE NOT (owner = ?1 AND name = ?2)",
                [owner, name],
                |row| row.get(0),
            )?;
            if held >= SEARCHES_MAX as i64 {
                return refuse(format!("{held} searches are kept; remove some first"));
            }
            transaction.execute(
                "INSERT INTO searches (owner, name, shared, json, changed)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (owner, name) DO UPDATE SET
                    shared = excluded.shared, json = excluded.json, changed = excluded.changed",
                params![owner, name, shared, json, changed.0],
            )?;
            let sql = format!("SELECT {COLUMNS} FROM searches WHERE owner = ?1 AND name = ?2");
            read(transaction.query_row(&sql, [owner, name], row)?)
        })
    }

    /// The searches that somebody sees, by name; `None` sees all.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn searches(&self, who: Option<&str>) -> Result<Vec<SavedSearch>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM searches
             WHERE ?1 IS NULL OR owner = ?1 OR owner = '' OR shared
             ORDER BY name COLLATE NOCASE, id"
        );
        let rows = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map([who], row)?.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        rows.into_iter().map(|row| read(row).map_err(|fault| self.explain(fault))).collect()
    }

    /// Removes a search of an owner, `None` is whosever it is; what it was, when there was one.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn remove_search(&self, id: u64, owner: Option<&str>) -> Result<Option<SavedSearch>> {
        let id = i64::try_from(id).unwrap_or(i64::MAX);
        self.write(|transaction| {
            let sql = format!(
                "DELETE FROM searches WHERE id = ?1 AND (?2 IS NULL OR owner = ?2 OR owner = '')
                 RETURNING {COLUMNS}"
            );
            let gone = transaction.query_row(&sql, params![id, owner], row).optional()?;
            gone.map(read).transpose()
        })
    }

    /// Switches a rule on or off; `None` is as the configuration has it.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn switch_rule(&self, rule_id: &str, enabled: Option<bool>, who: &str) -> Result<()> {
        let time = now();
        self.write(|transaction| {
            match enabled {
                None => transaction
                    .execute("DELETE FROM rule_switches WHERE rule_id = ?1", [rule_id])?,
                Some(enabled) => transaction.execute(
                    "INSERT OR REPLACE INTO rule_switches (rule_id, enabled, who, time)
                     VALUES (?1, ?2, ?3, ?4)",
                    params![rule_id, enabled, who, time.0],
                )?,
            };
            Ok(())
        })
    }

    /// The rules that were switched.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn rule_switches(&self) -> Result<Vec<RuleSwitch>> {
        self.read(|connection| {
            let sql = "SELECT rule_id, enabled, who, time FROM rule_switches ORDER BY rule_id";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(RuleSwitch {
                    rule_id: row.get(0)?,
                    enabled: row.get(1)?,
                    who: row.get(2)?,
                    time: Timestamp(row.get(3)?),
                })
            })?;
            rows.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(q: &str) -> SearchWhat {
        SearchWhat { q: q.to_owned(), ..SearchWhat::default() }
    }

    #[test]
    fn people_see_their_own_searches_and_shared_ones() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        catalog.save_search("ann", "roots", false, &what("user.name: root")).unwrap();
        let again = catalog.save_search("ann", " roots ", false, &what("a: 1")).unwrap();
        let shared = catalog.save_search("ben", "web", true, &what("b: 1")).unwrap();
        let names = |who| -> Vec<String> {
            catalog.searches(who).unwrap().into_iter().map(|one| one.name).collect()
        };
        assert_eq!(names(Some("ann")), ["roots", "web"]);
        assert_eq!(names(Some("cem")), ["web"]);
        assert_eq!(names(None), ["roots", "web"]);
        assert_eq!(catalog.searches(Some("ann")).unwrap()[0].what.q, "a: 1", "replaced");
        assert!(catalog.remove_search(shared.id, Some("ann")).unwrap().is_none(), "not hers");
        assert!(catalog.remove_search(shared.id, None).unwrap().is_some());
        assert!(catalog.remove_search(again.id, Some("ann")).unwrap().is_some());
        for name in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert!(catalog.save_search("ann", name, false, &what("")).is_err(), "{name:?}");
        }
        assert!(catalog.save_search("ann", "x", false, &what(&"y".repeat(20_000))).is_err());
    }

    #[test]
    fn a_new_account_of_the_name_sees_nothing_of_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        catalog.add_user("root", "admin", "hash", true).unwrap();
        catalog.add_user("ann", "viewer", "hash", false).unwrap();
        catalog.save_search("ann", "private", false, &what("a: 1")).unwrap();
        catalog.save_search("ann", "shared", true, &what("a: 1")).unwrap();
        catalog.save_search("root", "other", false, &what("a: 1")).unwrap();
        assert!(catalog.remove_user("ann").unwrap());
        let left = catalog.searches(None).unwrap().into_iter().map(|one| one.name);
        assert_eq!(left.collect::<Vec<_>>(), ["other", "shared"]);
    }

    #[test]
    fn rules_are_switched_and_left_alone_again() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        catalog.switch_rule("a", Some(false), "ann").unwrap();
        catalog.switch_rule("a", Some(true), "ben").unwrap();
        let switches = catalog.rule_switches().unwrap();
        assert_eq!((switches.len(), switches[0].enabled, &*switches[0].who), (1, true, "ben"));
        catalog.switch_rule("a", None, "ben").unwrap();
        assert!(catalog.rule_switches().unwrap().is_empty());
    }
}
