//! Incidents: alerts that belong together.
//!
//! In: alerts as they are saved. Out: the incident of each, and whether it is news: whether people
//! who are told by incident are to be told. An alert joins the incident of the same address, of
//! the same user on the same host, or of the same rule on the same host, when that was seen within
//! [`JOIN_SPAN`] and began within [`INCIDENT_SPAN`]. Saving the same alert again changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde::Serialize;
use tocsin_model::{Alert, AlertStatus, Severity, Timestamp};

use crate::alerts::{id_and_json, severity_of};
use crate::error::Result;
use crate::query::{AlertQuery, Conditions};
use crate::{Catalog, Fault, whole};

/// For how long after it was last seen an incident takes further alerts.
pub const JOIN_SPAN: Duration = Duration::from_secs(4 * 3600);
/// For how long after its begin an incident takes further alerts, so that what never ends is told
/// of again.
pub const INCIDENT_SPAN: Duration = Duration::from_secs(24 * 3600);
/// The most lines of a timeline; later ones are only counted.
pub const TIMELINE_LINES_MAX: usize = 500;
/// Alerts that one look at an incident reads.
const TIMELINE_ALERTS_MAX: usize = 10_000;
/// Ids of alerts that one line of a timeline names.
const LINE_ALERTS_MAX: usize = 20;

/// What belongs together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Incident {
    /// Its number.
    pub id: u64,
    /// The worst rule, and how much more there is.
    pub title: String,
    /// The highest of its alerts.
    pub severity: Severity,
    /// `open` while one of its alerts is not closed.
    pub status: &'static str,
    /// Begin of the first alert.
    pub first_seen: Timestamp,
    /// When something of it was last seen.
    pub last_seen: Timestamp,
    /// Its alerts.
    pub alerts: u64,
    /// Events that they stand for.
    pub events: u64,
    /// By rule, the worst first.
    pub rules: Vec<IncidentRule>,
    /// What holds it together: field and value.
    pub entities: Vec<(String, String)>,
}

/// A rule's part of an incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IncidentRule {
    /// The rule.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// The highest severity.
    pub severity: Severity,
    /// Alerts.
    pub alerts: u64,
}

/// A line of a timeline: one alert, or several of one rule in a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineLine {
    /// When the first of them was raised.
    pub time: Timestamp,
    /// When the last of them was seen.
    pub last_seen: Timestamp,
    /// The rule.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// The highest severity.
    pub severity: Severity,
    /// Why the first was raised.
    pub reason: String,
    /// How many alerts it is.
    pub alerts: u64,
    /// Events that they stand for.
    pub events: u64,
    /// Ids of some of them, the first first.
    pub ids: Vec<String>,
}

/// Puts an alert into its incident, but for one that nobody is told of; whether it began the
/// incident or made it worse.
pub(crate) fn join(connection: &Connection, alert: &mut Alert) -> Result<bool, Fault> {
    if alert.historical || alert.triage.exception.is_some() {
        return Ok(true);
    }
    let keys = keys_of(alert);
    let severity = i64::from(alert.severity.number());
    if let Some(id) = alert.triage.incident {
        let is_news = widen(connection, id as i64, alert, severity)?;
        remember(connection, &keys, id as i64, alert.last_seen)?;
        return Ok(is_news);
    }
    let found = keys.iter().find_map(|key| find(connection, key, alert).transpose()).transpose()?;
    let (id, is_news) = match found {
        Some(id) => (id, widen(connection, id, alert, severity)?),
        None => {
            connection.execute(
                "INSERT INTO incidents (first_seen, last_seen, severity) VALUES (?1, ?2, ?3)",
                params![alert.first_seen.0, alert.last_seen.0, severity],
            )?;
            (connection.last_insert_rowid(), true)
        }
    };
    alert.triage.incident = u64::try_from(id).ok();
    remember(connection, &keys, id, alert.last_seen)?;
    Ok(is_news)
}

/// By what an alert finds others, the strongest first.
fn keys_of(alert: &Alert) -> Vec<String> {
    let text = |name: &str| alert.field_text(name).filter(|text| !text.trim().is_empty());
    let host = text("host.name").or_else(|| text("host.hostname")).unwrap_or_default();
    let mut keys = Vec::new();
    if let Some(address) = text("source.ip") {
        keys.push(format!("source.ip\n{address}"));
    }
    if let Some(user) = text("user.name") {
        keys.push(format!("user\n{user}@{host}"));
    }
    keys.push(format!("rule\n{}@{host}", alert.rule.id));
    keys
}

/// The incident that a key stands for now.
fn find(connection: &Connection, key: &str, alert: &Alert) -> Result<Option<i64>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT incidents.id FROM incident_keys JOIN incidents ON incidents.id = incident
         WHERE key = ?1 AND incident_keys.last_seen >= ?2 AND first_seen >= ?3",
    )?;
    let seen_since = alert.first_seen.minus(JOIN_SPAN).0;
    let begun_since = alert.raised.minus(INCIDENT_SPAN).0;
    let found = statement.query_row(params![key, seen_since, begun_since], |row| row.get(0));
    Ok(found.optional()?)
}

/// Takes an alert into account; whether it made the incident worse.
fn widen(connection: &Connection, id: i64, alert: &Alert, severity: i64) -> Result<bool, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT severity FROM incidents WHERE id = ?1")?;
    let before: Option<i64> = statement.query_row([id], |row| row.get(0)).optional()?;
    let mut statement = connection.prepare_cached(
        "UPDATE incidents SET first_seen = min(first_seen, ?2), last_seen = max(last_seen, ?3),
         severity = max(severity, ?4) WHERE id = ?1",
    )?;
    statement.execute(params![id, alert.first_seen.0, alert.last_seen.0, severity])?;
    Ok(before.is_some_and(|before| severity > before))
}

fn remember(
    connection: &Connection,
    keys: &[String],
    id: i64,
    last_seen: Timestamp,
) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO incident_keys (key, incident, last_seen) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET incident = excluded.incident,
         last_seen = max(last_seen, excluded.last_seen) WHERE excluded.incident >= incident",
    )?;
    for key in keys {
        statement.execute(params![key, id, last_seen.0])?;
    }
    Ok(())
}

impl Catalog {
    /// Incidents, the one seen last first: those of an alert query (its page, cursor and order do
    /// not count), from `skip` on, at most `limit`; and how many there are.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn incidents(
        &self,
        query: &AlertQuery,
        skip: usize,
        limit: usize,
    ) -> Result<(Vec<Incident>, u64)> {
        let mut conditions = Conditions::of(query);
        conditions.sql.push_str(" AND incident IS NOT NULL");
        let of = format!("SELECT DISTINCT incident FROM alerts{}", conditions.sql);
        let sql = format!(
            "SELECT id FROM incidents WHERE id IN ({of}) ORDER BY last_seen DESC, id DESC
             LIMIT {limit} OFFSET {skip}"
        );
        let count_sql = format!("SELECT count(*) FROM ({of})");
        let (ids, total) = self.read(|connection| {
            let mut count = connection.prepare_cached(&count_sql)?;
            let total =
                count.query_row(params_from_iter(&conditions.values), |row| whole(row, 0))?;
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement
                .query_map(params_from_iter(&conditions.values), |row| row.get::<_, i64>(0))?;
            Ok((rows.collect::<rusqlite::Result<Vec<_>>>()?, total))
        })?;
        let mut incidents = Vec::new();
        for id in ids {
            incidents.extend(self.incident(u64::try_from(id).unwrap_or_default())?);
        }
        Ok((incidents, total))
    }

    /// One incident; `None` when there is none with this number.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn incident(&self, id: u64) -> Result<Option<Incident>> {
        let number = i64::try_from(id).unwrap_or(i64::MAX);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT first_seen, last_seen, severity FROM incidents WHERE id = ?1",
            )?;
            let found = statement.query_row([number], |row| {
                Ok((Timestamp(row.get(0)?), Timestamp(row.get(1)?), severity_of(row.get(2)?)))
            });
            let Some((first_seen, last_seen, severity)) = found.optional()? else {
                return Ok(None);
            };
            let (rules, open, events) = rules_of(connection, number)?;
            let alerts = rules.iter().map(|rule| rule.alerts).sum();
            Ok(Some(Incident {
                id,
                title: title(&rules, alerts),
                severity,
                status: if open > 0 { "open" } else { "closed" },
                first_seen,
                last_seen,
                alerts,
                events,
                rules,
                entities: entities_of(connection, number)?,
            }))
        })
    }

    /// What happened in an incident, oldest first; alerts of one rule in a row are one line.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn timeline(&self, id: u64) -> Result<Vec<TimelineLine>> {
        let number = i64::try_from(id).unwrap_or(i64::MAX);
        let rows = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, json FROM alerts WHERE incident = ?1 ORDER BY raised, id LIMIT ?2",
            )?;
            let limit = TIMELINE_ALERTS_MAX as i64;
            let rows = statement.query_map(params![number, limit], id_and_json)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let mut lines: Vec<TimelineLine> = Vec::new();
        for alert in self.decode(rows.into_iter())? {
            let full = lines.len() >= TIMELINE_LINES_MAX;
            match lines.last_mut().filter(|line| full || line.rule_id == alert.rule.id) {
                Some(line) => line.add(&alert),
                None => lines.push(TimelineLine::of(&alert)),
            }
        }
        Ok(lines)
    }
}

impl TimelineLine {
    fn of(alert: &Alert) -> Self {
        Self {
            time: alert.raised,
            last_seen: alert.last_seen,
            rule_id: alert.rule.id.clone(),
            title: alert.rule.title.clone(),
            severity: alert.severity,
            reason: alert.reason.clone(),
            alerts: 1,
            events: alert.count,
            ids: vec![alert.id.0.clone()],
        }
    }

    fn add(&mut self, alert: &Alert) {
        self.last_seen = self.last_seen.max(alert.last_seen);
        self.severity = self.severity.max(alert.severity);
        self.alerts += 1;
        self.events += alert.count;
        if self.ids.len() < LINE_ALERTS_MAX {
            self.ids.push(alert.id.0.clone());
        }
    }
}

/// Rules of an incident, the worst first; how many of its alerts are open; how many events.
fn rules_of(connection: &Connection, id: i64) -> rusqlite::Result<(Vec<IncidentRule>, u64, u64)> {
    let mut statement = connection.prepare_cached(
        "SELECT rule_id, max(rule_title), max(severity), count(*), sum(status <> ?2),
            sum(json_extract(json, '$.count'))
         FROM alerts WHERE incident = ?1 GROUP BY rule_id
         ORDER BY max(severity) DESC, count(*) DESC, rule_id",
    )?;
    let mut rows = statement.query(params![id, AlertStatus::Closed.as_str()])?;
    let (mut rules, mut open, mut events) = (Vec::new(), 0, 0);
    while let Some(row) = rows.next()? {
        open += whole(row, 4)?;
        events += whole(row, 5)?;
        rules.push(IncidentRule {
            rule_id: row.get(0)?,
            title: row.get(1)?,
            severity: severity_of(row.get(2)?),
            alerts: whole(row, 3)?,
        });
    }
    Ok((rules, open, events))
}

fn entities_of(connection: &Connection, id: i64) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare_cached(
        "SELECT key FROM incident_keys WHERE incident = ?1 AND key NOT LIKE 'rule%'
         ORDER BY last_seen DESC, key LIMIT 20",
    )?;
    let rows = statement.query_map([id], |row| row.get::<_, String>(0))?;
    let pairs = rows.filter_map(|key| match key {
        Ok(key) => key
            .split_once('\n')
            .map(|(field, value)| Ok((field.to_owned(), value.trim_end_matches('@').to_owned()))),
        Err(error) => Some(Err(error)),
    });
    pairs.collect()
}

fn title(rules: &[IncidentRule], alerts: u64) -> String {
    let Some(worst) = rules.first() else { return "No alerts".to_owned() };
    let mut title = worst.title.clone();
    if alerts > 1 {
        title.push_str(&format!(", {alerts} alerts"));
    }
    if rules.len() > 1 {
        title.push_str(&format!(" of {} rules", rules.len()));
    }
    title
}

/// How noisy a rule is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Noise {
    /// The rule.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// Alerts raised.
    pub alerts: u64,
    /// Of those, not closed yet.
    pub open: u64,
    /// Closed ones by disposition; `none` where nobody said.
    pub closed: BTreeMap<String, u64>,
    /// Alerts that exceptions hid, beside those.
    pub hidden: u64,
    /// 0 (fine) to 100 (noise): the share of closed alerts that were no attack, weighed by how
    /// many alerts there are.
    pub score: u8,
}

impl Catalog {
    /// How often each rule raised an alert since `since` and how they were closed, the noisiest
    /// first.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn noise(&self, since: Timestamp) -> Result<Vec<Noise>> {
        let mut rules: BTreeMap<String, Noise> = BTreeMap::new();
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT rule_id, max(rule_title), status, disposition, exception IS NOT NULL,
                    count(*)
                 FROM alerts WHERE raised >= ?1
                 GROUP BY rule_id, status, disposition, exception IS NOT NULL",
            )?;
            let mut rows = statement.query([since.0])?;
            while let Some(row) = rows.next()? {
                let (id, title): (String, String) = (row.get(0)?, row.get(1)?);
                let status: String = row.get(2)?;
                let disposition: Option<String> = row.get(3)?;
                let (hidden, count): (bool, u64) = (row.get(4)?, whole(row, 5)?);
                let rule = rules.entry(id.clone()).or_insert_with(|| Noise {
                    rule_id: id,
                    title,
                    alerts: 0,
                    open: 0,
                    closed: BTreeMap::new(),
                    hidden: 0,
                    score: 0,
                });
                if hidden {
                    rule.hidden += count;
                    continue;
                }
                rule.alerts += count;
                if status == AlertStatus::Closed.as_str() {
                    *rule
                        .closed
                        .entry(disposition.unwrap_or_else(|| "none".into()))
                        .or_default() += count;
                } else {
                    rule.open += count;
                }
            }
            Ok(())
        })?;
        let mut rules: Vec<Noise> = rules.into_values().collect();
        for rule in &mut rules {
            rule.score = score(rule);
        }
        rules.sort_by(|a, b| (b.score, b.alerts, &a.title).cmp(&(a.score, a.alerts, &b.title)));
        Ok(rules)
    }
}

/// Alerts at which the number alone weighs whole.
const MANY_ALERTS: f64 = 100.0;

fn score(rule: &Noise) -> u8 {
    let of = |word: &str| rule.closed.get(word).copied().unwrap_or(0) as f64;
    let harmless = of("false_positive") + of("benign_true_positive");
    let judged = harmless + of("true_positive");
    // Before anybody has judged, half of them are taken to be harmless.
    let share = (harmless + 1.0) / (judged + 2.0);
    let weight = ((1.0 + rule.alerts as f64).ln() / (1.0 + MANY_ALERTS).ln()).min(1.0);
    (100.0 * share * weight).round() as u8
}
