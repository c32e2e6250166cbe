//! Alerts: storing and changing them one by one.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tocsin_model::{Alert, AlertId, Disposition, Severity, Timestamp};

use crate::error::{Result, refuse};
use crate::{Catalog, Fault, incidents};

/// The most open alerts that [`Catalog::open_alerts_since`] loads.
pub const OPEN_ALERTS_MAX: usize = 100_000;

/// Stores an alert. What people did to the stored one (its status and triage) stays, and the version only
/// goes up, and only when something changed. With `grouped` it is put into an incident. Gives it
/// back as it is stored now, and whether it is news to those who are told by incident.
pub(crate) fn upsert(
    connection: &Connection,
    alert: &Alert,
    grouped: bool,
) -> Result<(Alert, bool), Fault> {
    let mut alert = alert.clone();
    if let Some(old) = load(connection, &alert.id)? {
        alert.status = old.status;
        alert.triage.clone_from(&old.triage);
        let version = alert.version;
        alert.version = old.version;
        if alert == old {
            return Ok((alert, false));
        }
        alert.version = version.max(old.version + 1);
    }
    let is_news = !grouped || incidents::join(connection, &mut alert)?;
    write(connection, &alert)?;
    Ok((alert, is_news))
}

pub(crate) fn load(connection: &Connection, id: &AlertId) -> Result<Option<Alert>, Fault> {
    let mut statement = connection.prepare_cached("SELECT json FROM alerts WHERE id = ?1")?;
    let json: Option<String> = statement.query_row([&id.0], |row| row.get(0)).optional()?;
    json.map(|json| read_json(&json, &id.0)).transpose()
}

pub(crate) fn write(connection: &Connection, alert: &Alert) -> Result<(), Fault> {
    let json = serde_json::to_string(alert)
        .map_err(|error| Fault::Json(format!("alert {}: {error}", alert.id)))?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO alerts (id, rule_id, rule_title, severity, status, first_seen, last_seen,
            raised, historical, group_key, version, search_text, json, disposition, owner,
            exception, incident, source_ip, user_name, host_name, tactics)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
            ?19, ?20, ?21)
         ON CONFLICT (id) DO UPDATE SET rule_id = excluded.rule_id,
            rule_title = excluded.rule_title, severity = excluded.severity,
            status = excluded.status, first_seen = excluded.first_seen,
            last_seen = excluded.last_seen, raised = excluded.raised,
            historical = excluded.historical, group_key = excluded.group_key,
            version = excluded.version, search_text = excluded.search_text,
            json = excluded.json, disposition = excluded.disposition, owner = excluded.owner,
            exception = excluded.exception, incident = excluded.incident,
            source_ip = excluded.source_ip, user_name = excluded.user_name,
            host_name = excluded.host_name, tactics = excluded.tactics",
    )?;
    statement.execute(params![
        alert.id.0,
        alert.rule.id,
        alert.rule.title,
        alert.severity.number(),
        alert.status.as_str(),
        alert.first_seen.0,
        alert.last_seen.0,
        alert.raised.0,
        alert.historical,
        group_key(alert),
        i64::try_from(alert.version).unwrap_or(i64::MAX),
        search_text(alert),
        json,
        alert.triage.disposition.map(Disposition::as_str),
        alert.triage.owner,
        alert.triage.exception.map(number),
        alert.triage.incident.map(number),
        alert.field_text("source.ip"),
        alert.field_text("user.name"),
        alert.field_text("host.name"),
        Some(alert.rule.tactics.join(",")).filter(|tactics| !tactics.is_empty()),
    ])?;
    Ok(())
}

fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

pub(crate) fn read_json(json: &str, id: &str) -> Result<Alert, Fault> {
    serde_json::from_str(json).map_err(|error| Fault::Json(format!("alert {id}: {error}")))
}

pub(crate) fn severity_of(number: i64) -> Severity {
    Severity::ALL.into_iter().rev().find(|s| i64::from(s.number()) <= number).unwrap_or_default()
}

/// `field=value` pairs, one a line.
fn group_key(alert: &Alert) -> String {
    let pairs: Vec<String> =
        alert.group.iter().map(|(field, value)| format!("{field}={value}")).collect();
    pairs.join("\n")
}

/// What the text filter looks in, lower case: rule, reason, group and carried values.
fn search_text(alert: &Alert) -> String {
    let mut text = format!("{}\n{}\n{}", alert.rule.title, alert.rule.id, alert.reason);
    for (_, value) in &alert.group {
        text.push('\n');
        text.push_str(value);
    }
    for (_, value) in &alert.fields {
        text.push('\n');
        match value {
            serde_json::Value::String(value) => text.push_str(value),
            other => text.push_str(&other.to_string()),
        }
    }
    let people = alert.triage.owner.iter().chain(&alert.triage.tags);
    for technique in alert.rule.techniques.iter().chain(people) {
        text.push('\n');
        text.push_str(technique);
    }
    text.to_lowercase()
}

impl Catalog {
    /// One alert.
    pub fn alert(&self, id: &AlertId) -> Result<Option<Alert>> {
        let json = self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT json FROM alerts WHERE id = ?1")?;
            statement.query_row([&id.0], |row| row.get::<_, String>(0)).optional()
        })?;
        json.map(|json| read_json(&json, &id.0)).transpose().map_err(|fault| self.explain(fault))
    }

    /// The id of the one alert whose id begins so; at least four digits.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn alert_id(&self, start: &str) -> Result<AlertId> {
        if start.len() < 4 || !start.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return refuse(format!("{start:?} is no id of an alert: give 4 to 32 hex digits"));
        }
        let ids: Vec<String> = self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT id FROM alerts WHERE id >= ?1 AND id < ?2 LIMIT 2")?;
            let start = start.to_ascii_lowercase();
            let rows =
                statement.query_map(params![start, format!("{start}g")], |row| row.get(0))?;
            rows.collect()
        })?;
        match ids.as_slice() {
            [] => refuse(format!("no alert has an id that begins with {start}")),
            [id] => Ok(AlertId(id.clone())),
            _ => refuse(format!("more than one alert has an id that begins with {start}")),
        }
    }

    /// Alerts last seen at or after `since` that are not closed, oldest first: what the
    /// deduplication reloads at start. At most [`OPEN_ALERTS_MAX`], the newest.
    pub fn open_alerts_since(&self, since: Timestamp) -> Result<Vec<Alert>> {
        let rows = self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, json FROM alerts WHERE last_seen >= ?1 AND status <> 'closed'
                 ORDER BY last_seen DESC, id DESC LIMIT ?2",
            )?;
            let rows =
                statement.query_map(params![since.0, OPEN_ALERTS_MAX as i64], id_and_json)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        self.decode(rows.into_iter().rev())
    }

    pub(crate) fn decode(
        &self,
        rows: impl Iterator<Item = (String, String)>,
    ) -> Result<Vec<Alert>> {
        rows.map(|(id, json)| read_json(&json, &id).map_err(|fault| self.explain(fault))).collect()
    }
}

pub(crate) fn id_and_json(row: &Row<'_>) -> rusqlite::Result<(String, String)> {
    Ok((row.get(0)?, row.get(1)?))
}
