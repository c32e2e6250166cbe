//! Entities whose alerts add up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tocsin_alert::RiskConfig;
use tocsin_catalog::{Catalog, CatalogError, counts, entities};
pub use tocsin_catalog::{EntityKind, Risk, RiskPart};
use tocsin_model::{
    Alert, Contribution, Event, EventId, FieldId, Finding, Severity, Timestamp, Value,
};

use super::own_rule;

/// Id of the rule that tells of risk.
pub const RISK_RULE: &str = "tocsin-risk";
/// Entities that are remembered as told of.
const TOLD_MAX: usize = 100_000;
/// How often an alert about risk is told to go on.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);
/// Rules that a sentence names; further ones are counted.
const NAMED_MAX: usize = 4;

type Entity = (EntityKind, String);

pub(super) struct Watched {
    pub(super) config: RiskConfig,
    /// Who is to be looked at, and the alert because of which.
    touched: HashMap<Entity, Alert>,
    /// Who was told of, how badly and when.
    told: HashMap<Entity, (Severity, Timestamp)>,
}

impl Watched {
    pub(super) fn new(config: RiskConfig) -> Self {
        Self { config, touched: HashMap::new(), told: HashMap::new() }
    }

    pub(super) fn saved(&mut self, alert: &Alert) {
        if !self.config.enabled || !counts(alert) {
            return;
        }
        for (kind, entity, _) in entities(alert) {
            self.touched.insert((kind, entity), alert.clone());
        }
    }

    pub(super) fn look(&mut self, catalog: &Catalog, now: Timestamp, findings: &mut Vec<Finding>) {
        for (entity, alert) in std::mem::take(&mut self.touched) {
            match catalog.risk_of(entity.0, &entity.1, now, self.config.half_life()) {
                Ok(Some(risk)) => findings.extend(self.judge(entity, &risk, &alert, now)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!("risk of {}: {error}; trying again", entity.1);
                    self.touched.insert(entity, alert);
                }
            }
        }
    }

    fn judge(
        &mut self,
        entity: Entity,
        risk: &Risk,
        because: &Alert,
        now: Timestamp,
    ) -> Option<Finding> {
        let severity = match risk.score / self.config.threshold {
            share if share >= 2.0 => Severity::Critical,
            share if share >= 1.0 => Severity::High,
            _ => return None,
        };
        let known = self.told.get(&entity);
        if known.is_some_and(|(before, at)| *before >= severity && now.since(*at) < AGAIN_AFTER) {
            return None;
        }
        if self.told.len() >= TOLD_MAX {
            self.told.clear();
        }
        self.told.insert(entity, (severity, now));
        Some(finding(risk, severity, because, now, self.config.half_life()))
    }

    pub(super) fn forget(&mut self, catalog: &Catalog, now: Timestamp) {
        let half_life = self.config.half_life();
        self.told.retain(|_, (_, at)| now.since(*at) < half_life);
        if let Err(error) = catalog.forget_risk(now, half_life) {
            tracing::warn!("old risk is not deleted: {error}");
        }
    }
}

fn sentence(risk: &Risk) -> String {
    let part = |(title, points): &(String, f64)| format!("{title} ({points:.0})");
    let named: Vec<String> = risk.rules.iter().take(NAMED_MAX).map(part).collect();
    let more = risk.rules.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more rules") } else { String::new() };
    let (kind, entity, score) = (risk.kind.as_str(), &risk.entity, risk.score);
    format!(
        "Risk of {kind} {entity} is {score:.0}, from {} alerts: {}{more}",
        risk.alerts,
        named.join(", ")
    )
}

fn finding(
    risk: &Risk,
    severity: Severity,
    because: &Alert,
    now: Timestamp,
    half_life: Duration,
) -> Finding {
    let reason = sentence(risk);
    let mut rule = own_rule(
        RISK_RULE,
        "Risk threshold reached",
        "Alerts about one address, user or host add up to more than each of them says.",
        severity,
        &reason,
    );
    // What comes while it still counts belongs to it.
    rule.cooldown = Some(half_life);
    let mut event = Event::default();
    event.set_original(&reason);
    (event.time, event.received) = (now, now);
    event.id = event_id(risk, because, severity);
    let mut put = |name: &str, value: Value<'_>| {
        if let Some(id) = FieldId::intern(name) {
            event.set(id, value);
        }
    };
    put(risk.kind.field(), Value::Str(&risk.entity));
    put("tocsin.risk.kind", Value::Str(risk.kind.as_str()));
    put("tocsin.risk.score", Value::Int(risk.score.round() as i64));
    let rules: Vec<String> =
        risk.rules.iter().map(|(title, points)| format!("{title}: {points:.0}")).collect();
    if let Some(id) = FieldId::intern("tocsin.risk.rules") {
        event.push_list(id, rules.iter().map(|text| Value::Str(text)));
    }
    let contributions = risk.parts.iter().filter(|part| part.harmless.is_none()).take(20);
    let contributions = contributions.map(|part| Contribution {
        event_id: EventId { stream: u64::MAX, offset: number(&part.alert_id) },
        time: part.time,
        rule_id: part.rule_id.as_str().into(),
        line: format!("{}: {:.0} points, alert {}", part.title, part.now, part.alert_id).into(),
    });
    let mut contributions: Vec<Contribution> = contributions.collect();
    // The first of them gives the alert its id: what a crash repeats must find it again.
    contributions.insert(
        0,
        Contribution {
            event_id: event.id,
            time: now,
            rule_id: RISK_RULE.into(),
            line: reason.as_str().into(),
        },
    );
    Finding {
        rule: Arc::new(rule),
        time: now,
        group: vec![(risk.kind.field().to_owned(), risk.entity.clone())],
        event,
        contributions,
        count: 1.0,
        event_count: 1,
        window: None,
        matches: Vec::new(),
    }
}

/// The same for the same alert: told again after a crash, it is the same alert about risk.
fn event_id(risk: &Risk, because: &Alert, severity: Severity) -> EventId {
    let first = risk.parts.iter().map(|part| number(&part.alert_id)).min().unwrap_or(0);
    EventId {
        stream: number(&because.id.0).rotate_left(u32::from(severity.number())),
        offset: first,
    }
}

/// The first half of an alert's id.
fn number(id: &str) -> u64 {
    id.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

/// Entities by their risk, the highest first, and how many there are.
///
/// # Errors
/// When the catalog cannot be read.
pub fn risks(
    catalog: &Catalog,
    config: &RiskConfig,
    kind: Option<EntityKind>,
    now: Timestamp,
    limit: usize,
) -> Result<(Vec<Risk>, u64), CatalogError> {
    catalog.risks(kind, now, config.half_life(), limit)
}

/// The risk of one entity with what it is made of; `None` when nothing is known of it.
///
/// # Errors
/// When the catalog cannot be read.
pub fn risk_of(
    catalog: &Catalog,
    config: &RiskConfig,
    kind: EntityKind,
    entity: &str,
    now: Timestamp,
) -> Result<Option<Risk>, CatalogError> {
    catalog.risk_of(kind, entity, now, config.half_life())
}
