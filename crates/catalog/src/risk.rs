//! Risk: what alerts add up to, by whom they are about.
//!
//! In: alerts as they are saved. Out: addresses, users and hosts with their score and what it is
//! made of. An alert adds points by its severity; further alerts of the same rule add half as
//! much each, so that one noisy rule is never enough; points halve with time; what was closed as
//! harmless adds none. Alerts that Tocsin raises about itself (pack `tocsin`) add none.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, Row, params};
use serde::Serialize;
use tocsin_model::rule::OWN_PACK;
use tocsin_model::{Alert, Severity, Timestamp};

use crate::error::Result;
use crate::{Catalog, Fault};

/// Alerts of a rule that count for an entity: later ones add next to nothing.
const ALERTS_OF_RULE_MAX: usize = 8;
/// After so many half-lives nothing is left.
const HALF_LIVES_MAX: u32 = 10;

/// What alerts can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// `source.ip`.
    Address,
    /// `user.name`.
    User,
    /// `host.name`.
    Host,
}

impl EntityKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Address, Self::User, Self::Host];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::User => "user",
            Self::Host => "host",
        }
    }

    /// The field that names it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Address => "source.ip",
            Self::User => "user.name",
            Self::Host => "host.name",
        }
    }

    /// By its word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What one alert adds to an entity's risk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskPart {
    /// The alert.
    pub alert_id: String,
    /// Its rule.
    pub rule_id: String,
    /// The rule's title.
    pub title: String,
    /// When it was last seen.
    pub time: Timestamp,
    /// Points to begin with.
    pub points: f64,
    /// Points now.
    pub now: f64,
    /// `disposition` when it was closed as harmless and adds nothing.
    pub harmless: Option<String>,
}

/// The risk of an entity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Risk {
    /// What it is.
    pub kind: EntityKind,
    /// Which.
    pub entity: String,
    /// The score now.
    pub score: f64,
    /// Alerts that add to it.
    pub alerts: u64,
    /// Rules that they are of, the one that adds most first: title and points now.
    pub rules: Vec<(String, f64)>,
    /// When something was last added.
    pub last: Timestamp,
    /// What it is made of, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<RiskPart>,
}

/// Points of an alert by its severity.
pub fn points(severity: Severity) -> f64 {
    match severity {
        Severity::Informational => 0.0,
        Severity::Low => 5.0,
        Severity::Medium => 15.0,
        Severity::High => 40.0,
        Severity::Critical => 80.0,
    }
}

/// Whom an alert is about, each with its share of the points: an attacker's address bears all of
/// it, those that it attacks a quarter; where there is no address, the user did it.
pub fn entities(alert: &Alert) -> Vec<(EntityKind, String, f64)> {
    let text = |kind: EntityKind| {
        let text = alert.field_text(kind.field())?;
        (!text.trim().is_empty()).then_some(text)
    };
    let address = text(EntityKind::Address);
    let (of_user, of_host) = if address.is_some() { (0.25, 0.25) } else { (1.0, 0.5) };
    let shares = [
        (EntityKind::Address, address, 1.0),
        (EntityKind::User, text(EntityKind::User), of_user),
        (EntityKind::Host, text(EntityKind::Host), of_host),
    ];
    shares.into_iter().filter_map(|(kind, entity, share)| Some((kind, entity?, share))).collect()
}

/// Whether an alert adds to anybody's risk.
pub fn counts(alert: &Alert) -> bool {
    !alert.historical && alert.triage.exception.is_none() && alert.rule.pack != OWN_PACK
}

/// Adds what an alert adds.
pub(crate) fn add(connection: &Connection, alert: &Alert) -> Result<(), Fault> {
    if !counts(alert) || points(alert.severity) == 0.0 {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "INSERT INTO risk (kind, entity, alert_id, rule_id, rule_title, points, time)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (kind, entity, alert_id) DO UPDATE SET points = excluded.points,
            time = excluded.time, rule_id = excluded.rule_id, rule_title = excluded.rule_title",
    )?;
    for (kind, entity, share) in entities(alert) {
        statement.execute(params![
            kind.as_str(),
            entity,
            alert.id.0,
            alert.rule.id,
            alert.rule.title,
            points(alert.severity) * share,
            alert.last_seen.0
        ])?;
    }
    Ok(())
}

const COLUMNS: &str = "risk.kind, risk.entity, risk.alert_id, risk.rule_id, risk.rule_title,
    risk.points, risk.time,
    CASE WHEN alerts.disposition IN
        ('false_positive', 'benign_true_positive', 'duplicate', 'test')
    THEN alerts.disposition END";

type Part = (EntityKind, String, RiskPart);

fn read_row(row: &Row<'_>) -> rusqlite::Result<Part> {
    let kind: String = row.get(0)?;
    let part = RiskPart {
        alert_id: row.get(2)?,
        rule_id: row.get(3)?,
        title: row.get(4)?,
        points: row.get(5)?,
        time: Timestamp(row.get(6)?),
        now: 0.0,
        harmless: row.get(7)?,
    };
    // The table allows no other words.
    Ok((EntityKind::of_word(&kind).unwrap_or(EntityKind::Host), row.get(1)?, part))
}

/// The score of an entity's parts, the newest first; writes into each what it is worth now.
fn score(parts: &mut [RiskPart], now: Timestamp, half_life: Duration) -> f64 {
    let mut of_rule: BTreeMap<String, i32> = BTreeMap::new();
    let mut score = 0.0;
    for part in parts.iter_mut().filter(|part| part.harmless.is_none()) {
        let before = of_rule.entry(part.rule_id.clone()).or_default();
        let age = now.since(part.time).as_secs_f64() / half_life.as_secs_f64().max(1.0);
        part.now = part.points * 0.5_f64.powi(*before) * 0.5_f64.powf(age);
        *before += 1;
        score += part.now;
    }
    score
}

fn risk_of(
    kind: EntityKind,
    entity: String,
    mut parts: Vec<RiskPart>,
    now: Timestamp,
    half_life: Duration,
) -> Risk {
    let score = score(&mut parts, now, half_life);
    let mut rules: Vec<(String, f64)> = Vec::new();
    for part in parts.iter().filter(|part| part.harmless.is_none()) {
        match rules.iter_mut().find(|(title, _)| *title == part.title) {
            Some((_, points)) => *points += part.now,
            None => rules.push((part.title.clone(), part.now)),
        }
    }
    rules.sort_by(|a, b| b.1.total_cmp(&a.1));
    Risk {
        kind,
        entity,
        score,
        alerts: parts.iter().filter(|part| part.harmless.is_none()).count() as u64,
        rules,
        last: parts.first().map(|part| part.time).unwrap_or_default(),
        parts,
    }
}

impl Catalog {
    /// The risk of one entity, with what it is made of; `None` when nothing is known of it.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn risk_of(
        &self,
        kind: EntityKind,
        entity: &str,
        now: Timestamp,
        half_life: Duration,
    ) -> Result<Option<Risk>> {
        let since = now.minus(half_life * HALF_LIVES_MAX);
        let sql = format!(
            "SELECT {COLUMNS} FROM risk LEFT JOIN alerts ON alerts.id = risk.alert_id
             WHERE risk.kind = ?1 AND risk.entity = ?2 AND risk.time >= ?3
             ORDER BY risk.time DESC, risk.alert_id LIMIT 1000"
        );
        let parts: Vec<Part> = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            statement.query_map(params![kind.as_str(), entity, since.0], read_row)?.collect()
        })?;
        let parts: Vec<RiskPart> = parts.into_iter().map(|(_, _, part)| part).collect();
        let known = !parts.is_empty();
        Ok(known.then(|| risk_of(kind, entity.to_owned(), parts, now, half_life)))
    }

    /// Entities by their risk, the highest first: of one kind or all, at most `limit`, without
    /// what each is made of; and how many there are.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn risks(
        &self,
        kind: Option<EntityKind>,
        now: Timestamp,
        half_life: Duration,
        limit: usize,
    ) -> Result<(Vec<Risk>, u64)> {
        let since = now.minus(half_life * HALF_LIVES_MAX);
        let sql = format!(
            "SELECT {COLUMNS} FROM (SELECT *, row_number() OVER
                (PARTITION BY kind, entity, rule_id ORDER BY time DESC) AS place
                FROM risk WHERE time >= ?2 AND (?1 IS NULL OR kind = ?1)) AS risk
             LEFT JOIN alerts ON alerts.id = risk.alert_id
             WHERE place <= {ALERTS_OF_RULE_MAX}
             ORDER BY risk.kind, risk.entity, risk.time DESC, risk.alert_id"
        );
        let rows: Vec<Part> = self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let kind = kind.map(EntityKind::as_str);
            statement.query_map(params![kind, since.0], read_row)?.collect()
        })?;
        let mut by_entity: BTreeMap<(EntityKind, String), Vec<RiskPart>> = BTreeMap::new();
        for (kind, entity, part) in rows {
            by_entity.entry((kind, entity)).or_default().push(part);
        }
        let all = by_entity.into_iter();
        let mut all: Vec<Risk> = all
            .map(|((kind, entity), parts)| risk_of(kind, entity, parts, now, half_life))
            .map(|risk| Risk { parts: Vec::new(), ..risk })
            .filter(|risk| risk.alerts > 0)
            .collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.entity.cmp(&b.entity)));
        let total = all.len() as u64;
        all.truncate(limit);
        Ok((all, total))
    }

    /// Deletes what is worth nothing any more.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn forget_risk(&self, now: Timestamp, half_life: Duration) -> Result<()> {
        let before = now.minus(half_life * HALF_LIVES_MAX);
        self.write(|transaction| {
            transaction.execute("DELETE FROM risk WHERE time < ?1", [before.0])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AlertChange;
    use tocsin_model::{AlertId, Disposition, RuleMeta};

    const HOUR: Duration = Duration::from_secs(3600);

    fn alert(number: usize, rule: &str, severity: Severity, time: Timestamp) -> Alert {
        let rule = RuleMeta {
            id: rule.into(),
            title: format!("Rule {rule}"),
            severity,
            ..RuleMeta::default()
        };
        let group = vec![("source.ip".to_owned(), "192.0.2.1".to_owned())];
        Alert {
            id: AlertId::derive(&rule.id, &group, &number.to_string()),
            severity,
            rule,
            group,
            first_seen: time,
            last_seen: time,
            raised: time,
            count: 1,
            findings: 1,
            status: tocsin_model::AlertStatus::New,
            triage: tocsin_model::Triage::default(),
            historical: false,
            reason: "because".into(),
            fields: vec![("host.name".into(), "web-1".into())],
            events: Vec::new(),
            matches: Vec::new(),
            version: 1,
        }
    }

    fn of_address(catalog: &Catalog, now: Timestamp) -> Risk {
        catalog.risk_of(EntityKind::Address, "192.0.2.1", now, HOUR).unwrap().unwrap()
    }

    #[test]
    fn risk_gathers_by_rule_and_halves_with_time() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let now = crate::now();
        let flood: Vec<Alert> =
            (0..50).map(|number| alert(number, "a", Severity::High, now)).collect();
        let save = |alerts: &[Alert]| catalog.save_grouped(alerts, &[], &|_| false).unwrap();
        save(&flood);
        // Fifty alerts of one rule are worth less than two.
        let risk = of_address(&catalog, now);
        assert!(risk.score > 79.0 && risk.score < 80.0, "{}", risk.score);
        save(&[alert(100, "b", Severity::Critical, now)]);
        save(&[alert(100, "b", Severity::Critical, now)]);
        let risk = of_address(&catalog, now);
        assert!(risk.score > 159.0 && risk.score < 160.0, "{}", risk.score);
        assert_eq!(risk.rules[0].0, "Rule b");
        let later = of_address(&catalog, now.plus(HOUR));
        assert!((later.score - risk.score / 2.0).abs() < 0.01, "{}", later.score);
        // The host that it attacks bears a quarter.
        let host = catalog.risk_of(EntityKind::Host, "web-1", now, HOUR).unwrap().unwrap();
        assert!((host.score - risk.score / 4.0).abs() < 0.01, "{}", host.score);
        let (all, total) = catalog.risks(None, now, HOUR, 1).unwrap();
        assert_eq!((all[0].kind, total), (EntityKind::Address, 2));
        assert!((all[0].score - risk.score).abs() < 1.0, "{} {}", all[0].score, risk.score);
        assert_eq!(catalog.risks(Some(EntityKind::User), now, HOUR, 9).unwrap().1, 0);
        catalog.forget_risk(now.plus(HOUR * 11), HOUR).unwrap();
        assert_eq!(catalog.risk_of(EntityKind::Host, "web-1", now, HOUR).unwrap(), None);
    }

    #[test]
    fn what_was_harmless_hidden_historical_or_our_own_adds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(dir.path()).unwrap();
        let now = crate::now();
        let one = alert(1, "a", Severity::Critical, now);
        let mut own = alert(2, "b", Severity::Critical, now);
        own.rule.pack = OWN_PACK.into();
        let mut old = alert(3, "c", Severity::Critical, now);
        old.historical = true;
        let mut hidden = alert(4, "d", Severity::Critical, now);
        hidden.triage.exception = Some(1);
        catalog.save_grouped(&[one.clone(), own, old, hidden], &[], &|_| false).unwrap();
        assert_eq!(of_address(&catalog, now).score, 80.0);
        let change =
            AlertChange { disposition: Some(Disposition::FalsePositive), ..AlertChange::default() };
        catalog.change_alert(&one.id, &change, "ana", None).unwrap();
        let risk = of_address(&catalog, now);
        assert_eq!((risk.score, risk.alerts), (0.0, 0));
        assert_eq!(risk.parts[0].harmless.as_deref(), Some("false_positive"));
        assert_eq!(catalog.risks(None, now, HOUR, 9).unwrap().1, 0);
    }
}
