//! Bans: addresses that are kept out for a while, with everything that happened to each.
//!
//! In: bans and changes of their state, each with who did it. Out: pages of them, those in force,
//! how many there were. Never touches a firewall.

use std::fmt;
use std::net::IpAddr;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use tocsin_model::Timestamp;

use crate::error::{Result, refuse};
use crate::triage::check_name;
use crate::{Catalog, Fault, now, whole};

/// The longest reason or note, bytes.
const BAN_TEXT_BYTES_MAX: usize = 2048;

/// Where a ban is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BanState {
    /// Would be made if bans were enforced.
    Planned,
    /// To be made as soon as the responder looks.
    Wanted,
    /// In force.
    Active,
    /// A guard rail forbade it.
    Refused,
    /// The firewall could not make it.
    Failed,
    /// To be lifted as soon as the responder looks.
    Unwanted,
    /// Taken back by somebody.
    Lifted,
    /// Over by time.
    Expired,
}

impl BanState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Wanted,
        Self::Active,
        Self::Refused,
        Self::Failed,
        Self::Unwanted,
        Self::Lifted,
        Self::Expired,
    ];

    /// Those of bans that are not over.
    pub const HELD: &[Self] = &[Self::Planned, Self::Wanted, Self::Active, Self::Unwanted];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Wanted => "wanted",
            Self::Active => "active",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unwanted => "unwanted",
            Self::Lifted => "lifted",
            Self::Expired => "expired",
        }
    }

    /// By its word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// Who is kept out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// An address.
    Address(IpAddr),
    /// A user, whose account is disabled.
    User(String),
}

/// How a user is written where addresses are.
const USER: &str = "user ";

impl Target {
    /// The address, of one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::User(_) => None,
        }
    }

    /// By what [`fmt::Display`] writes; `None` when it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(USER) {
            Some(name) => Some(Self::User(name.to_owned())),
            None => text.parse().ok().map(Self::Address),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::User(name) => write!(f, "{USER}{name}"),
        }
    }
}

/// A ban to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBan {
    /// Whom.
    pub target: Target,
    /// The alert that it is about.
    pub alert_id: Option<String>,
    /// Id and title of the rule that made it; `None` when a person did.
    pub rule: Option<(String, String)>,
    /// Why.
    pub reason: String,
    /// Who: a name, or that of detection.
    pub by: String,
    /// State to begin with.
    pub state: BanState,
    /// What there is to say about the state.
    pub note: Option<String>,
    /// Until when.
    pub expires: Timestamp,
}

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Its number.
    pub id: u64,
    /// What it is; `state` and `note` as they are now.
    pub what: NewBan,
    /// When it was made.
    pub created: Timestamp,
    /// When its state changed last.
    pub changed: Timestamp,
}

/// Something that happened to a ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BanStep {
    /// When.
    pub time: Timestamp,
    /// Who did it.
    pub who: String,
    /// What it became.
    pub state: BanState,
    /// What there was to say.
    pub note: Option<String>,
}

const COLUMNS: &str = "id, address, alert_id, rule_id, rule_title, reason, by, state, note, created, \
                       expires, changed";

impl Catalog {
    /// Records a ban; `None` when a rule made one of this alert and address before.
    ///
    /// # Errors
    /// When it lacks something or the catalog cannot be written.
    pub fn add_ban(&self, what: &NewBan) -> Result<Option<Ban>> {
        check_name("name", &what.by)?;
        if what.reason.trim().is_empty() || what.reason.len() > BAN_TEXT_BYTES_MAX {
            let message = format!("reason: 1 to {BAN_TEXT_BYTES_MAX} bytes, please");
            return refuse(message);
        }
        let created = now();
        let (rule_id, rule_title) = what.rule.clone().unzip();
        self.write(|transaction| {
            let added = transaction.execute(
                "INSERT INTO bans (address, alert_id, rule_id, rule_title, reason, by, state, note,
                    created, expires, changed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?9)
                 ON CONFLICT DO NOTHING",
                params![
                    what.target.to_string(),
                    what.alert_id,
                    rule_id,
                    rule_title,
                    what.reason,
                    what.by,
                    what.state.as_str(),
                    what.note,
                    created.0,
                    what.expires.0
                ],
            )?;
            if added == 0 {
                return Ok(None);
            }
            let id = transaction.last_insert_rowid();
            step(transaction, id, created, &what.by, what.state, what.note.as_deref())?;
            let id = u64::try_from(id).unwrap_or_default();
            Ok(Some(Ban { id, what: what.clone(), created, changed: created }))
        })
    }

    /// Changes the state of a ban that is in one of `from`; `None` when it is in none.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn change_ban(
        &self,
        id: u64,
        from: &[BanState],
        to: BanState,
        who: &str,
        note: Option<&str>,
    ) -> Result<Option<Ban>> {
        check_name("name", who)?;
        let (number, time) = (i64::try_from(id).unwrap_or(i64::MAX), now());
        self.write(|transaction| {
            let Some(ban) = one(transaction, number)? else { return Ok(None) };
            if !from.contains(&ban.what.state) {
                return Ok(None);
            }
            transaction.execute(
                "UPDATE bans SET state = ?2, note = ?3, changed = ?4 WHERE id = ?1",
                params![number, to.as_str(), note, time.0],
            )?;
            step(transaction, number, time, who, to, note)?;
            one(transaction, number)
        })
    }

    /// A ban by its number.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn ban(&self, id: u64) -> Result<Option<Ban>> {
        let number = i64::try_from(id).unwrap_or(i64::MAX);
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM bans WHERE id = ?1");
            connection.prepare_cached(&sql)?.query_row([number], read_row).optional()
        })
    }

    /// Bans in any of `states` (all: empty), the newest first, with a number below `before`.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn bans(&self, states: &[BanState], before: Option<u64>, limit: usize) -> Result<Vec<Ban>> {
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let words = serde_json::to_string(&words).unwrap_or_default();
        let before = before.and_then(|id| i64::try_from(id).ok()).unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT {COLUMNS} FROM bans
             WHERE id < ?1 AND (?2 = '[]' OR state IN (SELECT value FROM json_each(?2)))
             ORDER BY id DESC LIMIT ?3"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            statement.query_map(params![before, words, limit], read_row)?.collect()
        })
    }

    /// What happened to a ban, the oldest first.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn ban_activity(&self, id: u64) -> Result<Vec<BanStep>> {
        let number = i64::try_from(id).unwrap_or(i64::MAX);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT time, who, state, note FROM ban_activity WHERE ban = ?1 ORDER BY id",
            )?;
            let read = |row: &Row<'_>| {
                Ok(BanStep {
                    time: Timestamp(row.get(0)?),
                    who: row.get(1)?,
                    state: state_of(&row.get::<_, String>(2)?),
                    note: row.get(3)?,
                })
            };
            statement.query_map([number], read)?.collect()
        })
    }

    /// The bans of an address or user that began at or after `since`, the newest first.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn bans_of(&self, target: &Target, since: Timestamp) -> Result<Vec<Ban>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM bans WHERE address = ?1 AND created >= ?2 ORDER BY id DESC"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map(params![target.to_string(), since.0], read_row)?.collect()
        })
    }

    /// How many bans rules made at or after `since`: all of them, and this rule alone.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn bans_by_rules(&self, since: Timestamp, rule: &str) -> Result<(u32, u32)> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT count(*), coalesce(sum(rule_id = ?2), 0) FROM bans
                 WHERE created >= ?1 AND rule_id IS NOT NULL
                 AND state NOT IN ('refused', 'failed')",
            )?;
            statement.query_row(params![since.0, rule], |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }
}

fn one(transaction: &Transaction<'_>, id: i64) -> Result<Option<Ban>, Fault> {
    let sql = format!("SELECT {COLUMNS} FROM bans WHERE id = ?1");
    Ok(transaction.query_row(&sql, [id], read_row).optional()?)
}

fn step(
    transaction: &Transaction<'_>,
    ban: i64,
    time: Timestamp,
    who: &str,
    state: BanState,
    note: Option<&str>,
) -> Result<(), Fault> {
    transaction.execute(
        "INSERT INTO ban_activity (ban, time, who, state, note) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![ban, time.0, who, state.as_str(), note],
    )?;
    Ok(())
}

/// The table allows no other words.
fn state_of(word: &str) -> BanState {
    BanState::of_word(word).unwrap_or(BanState::Failed)
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<Ban> {
    let target: String = row.get(1)?;
    let target = Target::parse(&target).ok_or_else(|| {
        let error = format!("{target:?} is no address").into();
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, error)
    })?;
    let (rule_id, rule_title): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    Ok(Ban {
        id: whole(row, 0)?,
        what: NewBan {
            target,
            alert_id: row.get(2)?,
            rule: rule_id.map(|id| (id, rule_title.unwrap_or_default())),
            reason: row.get(5)?,
            by: row.get(6)?,
            state: state_of(&row.get::<_, String>(7)?),
            note: row.get(8)?,
            expires: Timestamp(row.get(10)?),
        },
        created: Timestamp(row.get(9)?),
        changed: Timestamp(row.get(11)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(address: &str, alert: Option<&str>, state: BanState) -> NewBan {
        NewBan {
            target: Target::parse(address).unwrap(),
            alert_id: alert.map(Into::into),
            rule: alert.map(|_| ("r1".into(), "Login brute force".into())),
            reason: "9 failed logins".into(),
            by: "detection".into(),
            state,
            note: None,
            expires: now().plus(std::time::Duration::from_secs(3600)),
        }
    }

    #[test]
    fn a_ban_has_a_life_that_can_be_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let ban = catalog.add_ban(&new("192.0.2.1", Some("a"), BanState::Active)).unwrap().unwrap();
        // A rule bans once for one alert; people may again.
        assert_eq!(catalog.add_ban(&new("192.0.2.1", Some("a"), BanState::Active)).unwrap(), None);
        let by_hand = NewBan { rule: None, ..new("192.0.2.1", Some("a"), BanState::Wanted) };
        assert!(catalog.add_ban(&by_hand).unwrap().is_some());

        let lifted = catalog
            .change_ban(ban.id, &[BanState::Active], BanState::Lifted, "anna", Some("a colleague"))
            .unwrap()
            .unwrap();
        assert_eq!(lifted.what.state, BanState::Lifted);
        assert_eq!(catalog.ban(ban.id).unwrap(), Some(lifted));
        let again = catalog.change_ban(ban.id, &[BanState::Active], BanState::Expired, "x", None);
        assert_eq!(again.unwrap(), None);
        let steps = catalog.ban_activity(ban.id).unwrap();
        let told: Vec<_> = steps
            .iter()
            .map(|step| (step.who.as_str(), step.state, step.note.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("detection", BanState::Active, None),
                ("anna", BanState::Lifted, Some("a colleague"))
            ]
        );
    }

    #[test]
    fn bans_are_listed_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let since = now();
        for (number, state) in (1..).zip(BanState::ALL) {
            let ban = new(&format!("2001:db8::{number}"), Some(&format!("a{number}")), state);
            catalog.add_ban(&ban).unwrap().unwrap();
        }
        let all = catalog.bans(&[], None, 100).unwrap();
        assert_eq!(all.len(), 8);
        assert!(all.windows(2).all(|pair| pair[0].id > pair[1].id));
        let two = catalog.bans(&[BanState::Active, BanState::Planned], None, 100).unwrap();
        assert_eq!(two.len(), 2);
        assert_eq!(catalog.bans(&[], Some(all[5].id), 100).unwrap().len(), 2);
        assert_eq!(catalog.bans_by_rules(since, "r1").unwrap(), (6, 6));
        assert_eq!(catalog.bans_by_rules(since, "r2").unwrap(), (6, 0));
        let user = NewBan {
            target: Target::User("eve".into()),
            ..new("192.0.2.9", None, BanState::Wanted)
        };
        let user = catalog.add_ban(&user).unwrap().unwrap();
        assert_eq!(catalog.ban(user.id).unwrap().unwrap().what.target.to_string(), "user eve");
        let third = catalog.bans_of(&Target::parse("2001:db8::3").unwrap(), since).unwrap();
        assert_eq!((third.len(), third[0].what.state), (1, BanState::Active));
        assert!(
            catalog.bans_of(&Target::parse("2001:db8::99").unwrap(), since).unwrap().is_empty()
        );
        let nameless = NewBan { by: " ".into(), ..new("192.0.2.1", None, BanState::Wanted) };
        assert!(matches!(catalog.add_ban(&nameless), Err(crate::CatalogError::BadRequest(_))));
    }
}
