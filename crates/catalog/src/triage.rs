//! Triage: what people do to alerts, and the history of it.
//!
//! In: a change, who makes it, and the version that they saw. Out: the changed alerts, and for
//! each alert what was done by whom. Every change that changes something is one entry of the
//! history, in the same transaction.

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde::{Deserialize, Serialize};
use tocsin_model::{Alert, AlertId, AlertStatus, Disposition, Timestamp};

use crate::alerts::{load, write};
use crate::error::{CatalogError, Result, refuse};
use crate::query::{AlertQuery, Conditions};
use crate::{Catalog, Fault, now, whole};

/// The longest comment, bytes.
pub const COMMENT_BYTES_MAX: usize = 16 * 1024;
/// The longest name of a person or tag, bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The most tags of an alert.
pub const TAGS_MAX: usize = 32;
/// Alerts that are changed in one transaction of a bulk change.
const BULK_CHUNK: usize = 500;
/// Who changes alerts when nobody does.
pub const DETECTION: &str = "detection";

/// What somebody wants of an alert; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertChange {
    /// Its state. Opening it again takes the disposition off.
    pub status: Option<AlertStatus>,
    /// Why it is closed, which closes it.
    pub disposition: Option<Disposition>,
    /// Who works on it; the empty text is nobody.
    pub owner: Option<String>,
    /// Tags to add.
    pub add_tags: Vec<String>,
    /// Tags to take off.
    pub remove_tags: Vec<String>,
    /// Words for those who read it later.
    pub comment: Option<String>,
}

/// One thing that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `status`, `disposition`, `owner` or `tags`.
    pub what: String,
    /// Before; `None` where there was none.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
}

/// What somebody did to an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub who: String,
    /// The alert's version after it.
    pub version: u64,
    /// What was changed.
    pub steps: Vec<Step>,
    /// What was said.
    pub comment: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    steps: Vec<Step>,
    comment: Option<String>,
}

/// What an alert was before a change, to take the change back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    id: AlertId,
    status: AlertStatus,
    disposition: Option<Disposition>,
    owner: Option<String>,
    tags: Vec<String>,
    /// The version that the change made.
    version: u64,
}

impl Before {
    fn of(alert: &Alert) -> Self {
        Self {
            id: alert.id.clone(),
            status: alert.status,
            disposition: alert.triage.disposition,
            owner: alert.triage.owner.clone(),
            tags: alert.triage.tags.clone(),
            version: alert.version,
        }
    }

    /// The change that makes an alert this again.
    fn wanted(&self, alert: &Alert) -> AlertChange {
        let new = alert.triage.tags.iter().filter(|tag| !self.tags.contains(tag));
        AlertChange {
            status: Some(self.status),
            disposition: self.disposition,
            owner: Some(self.owner.clone().unwrap_or_default()),
            add_tags: self.tags.clone(),
            remove_tags: new.cloned().collect(),
            comment: None,
        }
    }
}

impl AlertChange {
    /// Refuses what makes no sense, with the reason.
    ///
    /// # Errors
    /// When the change is empty, contradicts itself or is longer than it may be.
    pub fn check(&self) -> Result<()> {
        if *self == Self::default() {
            return refuse(
                "the change is empty; give status, disposition, owner, tags or a comment",
            );
        }
        if self.disposition.is_some() && self.status.is_some_and(|to| to != AlertStatus::Closed) {
            return refuse("a disposition closes the alert; leave status away or say closed");
        }
        if self.comment.as_ref().is_some_and(|text| text.len() > COMMENT_BYTES_MAX) {
            return refuse(format!("a comment has at most {COMMENT_BYTES_MAX} bytes"));
        }
        if self.comment.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return refuse("the comment says nothing");
        }
        if let Some(owner) = self.owner.as_ref().filter(|owner| !owner.is_empty()) {
            check_name("owner", owner)?;
        }
        for tag in self.add_tags.iter().chain(&self.remove_tags) {
            check_name("tag", tag)?;
        }
        Ok(())
    }

    /// Makes the change; what it changed.
    fn apply(&self, alert: &mut Alert) -> Result<Vec<Step>, Fault> {
        let before = (alert.status, alert.triage.clone());
        if let Some(status) = self.status {
            alert.status = status;
        }
        if let Some(disposition) = self.disposition {
            alert.status = AlertStatus::Closed;
            alert.triage.disposition = Some(disposition);
        }
        if alert.status != AlertStatus::Closed {
            alert.triage.disposition = None;
        }
        if let Some(owner) = &self.owner {
            alert.triage.owner = Some(owner.clone()).filter(|owner| !owner.is_empty());
        }
        let tags = &mut alert.triage.tags;
        tags.extend(self.add_tags.iter().cloned());
        tags.retain(|tag| !self.remove_tags.contains(tag));
        tags.sort();
        tags.dedup();
        if tags.len() > TAGS_MAX {
            let reason = format!("an alert has at most {TAGS_MAX} tags");
            return refuse(reason);
        }
        let (status, triage) = before;
        let word = |of: Option<Disposition>| of.map(|one| one.as_str().to_owned());
        let list = |tags: &[String]| (!tags.is_empty()).then(|| tags.join(", "));
        let state = |of: AlertStatus| Some(of.as_str().to_owned());
        let all = [
            ("status", state(status), state(alert.status)),
            ("disposition", word(triage.disposition), word(alert.triage.disposition)),
            ("owner", triage.owner, alert.triage.owner.clone()),
            ("tags", list(&triage.tags), list(&alert.triage.tags)),
        ];
        let changed = all.into_iter().filter(|(_, from, to)| from != to);
        Ok(changed.map(|(what, from, to)| Step { what: what.to_owned(), from, to }).collect())
    }
}

pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let fits = !name.trim().is_empty()
        && name.trim() == name
        && name.len() <= NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_control() || c == ',');
    if fits {
        return Ok(());
    }
    refuse(format!(
        "{what} {name:?}: at most {NAME_BYTES_MAX} bytes, without commas, control characters or blanks around it"
    ))
}

/// Changes one alert in a transaction; whether anything changed.
fn change(
    connection: &Connection,
    alert: &mut Alert,
    change: &AlertChange,
    who: &str,
    time: Timestamp,
) -> Result<bool, Fault> {
    let steps = change.apply(alert)?;
    let comment = change.comment.clone();
    if steps.is_empty() && comment.is_none() {
        return Ok(false);
    }
    alert.version += 1;
    write(connection, alert)?;
    let json = serde_json::to_string(&Body { steps, comment })
        .map_err(|error| Fault::Json(format!("alert {}: {error}", alert.id)))?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO activity (alert_id, time, who, version, json) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let version = i64::try_from(alert.version).unwrap_or(i64::MAX);
    statement.execute(params![alert.id.0, time.0, who, version, json])?;
    Ok(true)
}

/// Who changed an alert after a version.
fn changed_by(connection: &Connection, id: &AlertId, since: u64) -> Result<String, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT who FROM activity WHERE alert_id = ?1 AND version > ?2 ORDER BY seq DESC LIMIT 1",
    )?;
    let since = i64::try_from(since).unwrap_or(i64::MAX);
    let who = statement.query_row(params![id.0, since], |row| row.get(0)).optional()?;
    Ok(who.unwrap_or_else(|| DETECTION.to_owned()))
}

impl Catalog {
    /// Changes an alert as `who` wants and gives it back; `None` when there is no such alert.
    ///
    /// # Errors
    /// With `expected`, when a person changed the alert since that version: what detection adds
    /// to an alert (a higher count) contradicts nobody's decision. When the change makes no sense.
    pub fn change_alert(
        &self,
        id: &AlertId,
        wanted: &AlertChange,
        who: &str,
        expected: Option<u64>,
    ) -> Result<Option<Alert>> {
        wanted.check()?;
        check_name("name", who)?;
        let time = now();
        self.write(|transaction| {
            let Some(mut alert) = load(transaction, id)? else { return Ok(None) };
            if let Some(expected) = expected.filter(|expected| *expected != alert.version) {
                let who = changed_by(transaction, id, expected)?;
                if who != DETECTION {
                    let (id, found) = (id.0.clone(), alert.version);
                    return Err(Fault::Told(CatalogError::Conflict { id, who, found, expected }));
                }
            }
            change(transaction, &mut alert, wanted, who, time)?;
            Ok(Some(alert))
        })
    }

    /// Changes every alert that a query finds (its page, cursor and order do not count) as `who`
    /// wants; the changed ones are given to `each`, with what they were. How many were changed.
    ///
    /// # Errors
    /// When the change makes no sense or the catalog cannot be written; what was changed before
    /// that stays changed.
    pub fn change_alerts(
        &self,
        query: &AlertQuery,
        wanted: &AlertChange,
        who: &str,
        mut each: impl FnMut(Alert, Before),
    ) -> Result<u64> {
        wanted.check()?;
        check_name("name", who)?;
        let conditions = Conditions::of(query);
        let sql = format!("SELECT id FROM alerts{} ORDER BY id", conditions.sql);
        let ids = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement
                .query_map(params_from_iter(conditions.values), |row| row.get::<_, String>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let time = now();
        let mut count = 0;
        for chunk in ids.chunks(BULK_CHUNK) {
            let changed = self.write(|transaction| {
                let mut changed = Vec::new();
                for id in chunk {
                    let Some(mut alert) = load(transaction, &AlertId(id.clone()))? else {
                        continue;
                    };
                    let mut before = Before::of(&alert);
                    if change(transaction, &mut alert, wanted, who, time)? {
                        before.version = alert.version;
                        changed.push((alert, before));
                    }
                }
                Ok(changed)
            })?;
            count += changed.len() as u64;
            changed.into_iter().for_each(|(alert, before)| each(alert, before));
        }
        Ok(count)
    }

    /// Makes alerts again what they were, as `who` wants; those that a person changed since are
    /// left alone. The restored ones are given to `each`. How many were restored.
    ///
    /// # Errors
    /// When the catalog cannot be written; what was restored before that stays restored.
    pub fn restore_alerts(
        &self,
        before: &[Before],
        who: &str,
        mut each: impl FnMut(Alert),
    ) -> Result<u64> {
        check_name("name", who)?;
        let time = now();
        let mut count = 0;
        for chunk in before.chunks(BULK_CHUNK) {
            let restored = self.write(|transaction| {
                let mut restored = Vec::new();
                for before in chunk {
                    let Some(mut alert) = load(transaction, &before.id)? else { continue };
                    let touched = alert.version != before.version
                        && changed_by(transaction, &before.id, before.version)? != DETECTION;
                    let wanted = before.wanted(&alert);
                    if !touched && change(transaction, &mut alert, &wanted, who, time)? {
                        restored.push(alert);
                    }
                }
                Ok(restored)
            })?;
            count += restored.len() as u64;
            restored.into_iter().for_each(&mut each);
        }
        Ok(count)
    }

    /// What people did to an alert, oldest first.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn activity(&self, id: &AlertId) -> Result<Vec<Activity>> {
        let rows = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT time, who, version, json FROM activity WHERE alert_id = ?1 ORDER BY seq",
            )?;
            let rows = statement.query_map([&id.0], |row| {
                let time = Timestamp(row.get(0)?);
                Ok((time, row.get::<_, String>(1)?, whole(row, 2)?, row.get::<_, String>(3)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        rows.into_iter()
            .map(|(time, who, version, json)| {
                let Body { steps, comment } = serde_json::from_str(&json).map_err(|error| {
                    self.explain(Fault::Json(format!("activity of alert {id}: {error}")))
                })?;
                Ok(Activity { time, who, version, steps, comment })
            })
            .collect()
    }
}
