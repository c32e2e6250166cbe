//! [`Alert`]: findings of one attack, deduplicated, with a life.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::event::{Event, insert_nested};
use crate::field::{self, FieldId};
use crate::finding::{Contribution, MatchSpan};
use crate::rule::RuleMeta;
use crate::severity::Severity;
use crate::time::Timestamp;
use crate::triage::Triage;
use crate::value::{OwnedValue, Value};

/// Identity of an alert, derived from rule, group and first event: 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AlertId(pub String);

impl AlertId {
    /// Derives the id. `key` is the rule's id (or its `alert_as` word), `first` identifies the
    /// event that raised it.
    pub fn derive(key: &str, group: &[(String, String)], first: &str) -> Self {
        let mut hash = blake3::Hasher::new();
        let mut add = |part: &str| {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        };
        add(key);
        for (field, value) in group {
            add(field);
            add(value);
        }
        add(first);
        let hex = hash.finalize().to_hex();
        Self(hex.as_str()[..32].to_owned())
    }
}

impl AlertStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where an alert stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// Nobody has looked.
    #[default]
    New,
    /// Somebody has seen it.
    Acknowledged,
    /// Done.
    Closed,
}

/// One attack as people see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Identity.
    pub id: AlertId,
    /// The rule that raised it, as it was then.
    pub rule: RuleMeta,
    /// Severity; the highest that a finding of it had.
    pub severity: Severity,
    /// What tells this attack from another: field and value.
    pub group: Vec<(String, String)>,
    /// Time of the first contributing event.
    pub first_seen: Timestamp,
    /// Time of the newest contributing event.
    pub last_seen: Timestamp,
    /// When it was raised, in event time: the finding that raised it.
    pub raised: Timestamp,
    /// How many events (or attempts) it stands for; goes up while the attack lasts.
    pub count: u64,
    /// How many findings joined it.
    pub findings: u64,
    /// State.
    #[serde(default)]
    pub status: AlertStatus,
    /// What people decided about it.
    #[serde(default)]
    pub triage: Triage,
    /// Read back from before Tocsin watched; notifies nobody.
    #[serde(default)]
    pub historical: bool,
    /// A sentence that says why.
    pub reason: String,
    /// ECS fields that the alert carries from its events (`source.ip`, `user.name`, `host.name`,
    /// `url.original`, …): name and JSON value.
    pub fields: Vec<(String, Json)>,
    /// Contributing events, oldest first, at most [`crate::finding::CONTRIBUTIONS_MAX`].
    pub events: Vec<Contribution>,
    /// Matched values in the event that raised it.
    #[serde(default)]
    pub matches: Vec<MatchSpan>,
    /// Goes up with every change; for optimistic concurrency.
    pub version: u64,
}

impl Alert {
    /// The value of a carried field or group field, as text.
    pub fn field_text(&self, name: &str) -> Option<String> {
        let of_field = self.fields.iter().find(|(field, _)| field == name);
        match of_field {
            Some((_, Json::String(text))) => Some(text.clone()),
            Some((_, other)) => Some(other.to_string()),
            None => {
                self.group.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone())
            }
        }
    }

    /// The alert as an event, for conditions on alerts: the fields it carries, the values that
    /// matched, its group, the raw line of its first event, and `rule.id`, `rule.name`,
    /// `rule.ruleset`, `event.severity`.
    pub fn to_event(&self) -> Event {
        let mut event = Event::default();
        event.set_original(self.events.first().map_or("", |first| &first.line));
        (event.time, event.received) = (self.raised, self.raised);
        for span in self.matches.iter().filter(|span| !span.field.is_empty()) {
            if let Some(id) = FieldId::intern(&span.field) {
                event.set_str(id, &span.value);
            }
        }
        for (name, value) in &self.fields {
            if let Some(id) = FieldId::intern(name) {
                event.set_owned(id, &owned(value));
            }
        }
        for (name, value) in &self.group {
            if let Some(id) = FieldId::intern(name) {
                event.set_str(id, value);
            }
        }
        event.set_str(field::RULE_ID, &self.rule.id);
        event.set_str(field::RULE_NAME, &self.rule.title);
        event.set_str(field::RULE_RULESET, &self.rule.pack);
        event.set(field::EVENT_SEVERITY, Value::Int(i64::from(self.severity.number())));
        event
    }

    /// The alert as nested ECS JSON: the form of the API, the alert log, webhooks and `scan`.
    pub fn to_json(&self) -> Json {
        let mut root = Map::new();
        let mut put = |path: &str, value: Json| insert_nested(&mut root, path, value);
        put("@timestamp", json!(self.raised));
        put("event.kind", json!("alert"));
        put("event.severity", json!(self.severity.number()));
        put("event.id", json!(self.id));
        put("event.start", json!(self.first_seen));
        put("event.end", json!(self.last_seen));
        put("rule.id", json!(self.rule.id));
        put("rule.name", json!(self.rule.title));
        put("rule.description", json!(self.rule.description));
        put("rule.ruleset", json!(self.rule.pack));
        put("rule.reference", json!(self.rule.references));
        if !self.rule.techniques.is_empty() {
            put("threat.framework", json!("MITRE ATT&CK"));
            put("threat.technique.id", json!(self.rule.techniques));
        }
        if !self.rule.tactics.is_empty() {
            put("threat.tactic.name", json!(self.rule.tactics));
        }
        put("message", json!(self.reason));
        for (name, value) in &self.fields {
            put(name, value.clone());
        }
        let group: Map<String, Json> =
            self.group.iter().map(|(field, value)| (field.clone(), json!(value))).collect();
        put(
            "tocsin.alert",
            json!({
                "id": self.id,
                "severity": self.severity,
                "status": self.status,
                "group": group,
                "count": self.count,
                "findings": self.findings,
                "reason": self.reason,
                "first_seen": self.first_seen,
                "last_seen": self.last_seen,
                "historical": self.historical,
                "events": self.events,
                "matches": self.matches,
                "version": self.version,
            }),
        );
        let Triage { disposition, owner, tags, exception, incident } = &self.triage;
        if let Some(incident) = incident {
            put("tocsin.alert.incident", json!(incident));
        }
        if let Some(exception) = exception {
            put("tocsin.alert.exception", json!(exception));
        }
        if let Some(disposition) = disposition {
            put("tocsin.alert.disposition", json!(disposition));
        }
        if let Some(owner) = owner {
            put("tocsin.alert.owner", json!(owner));
        }
        if !tags.is_empty() {
            put("tocsin.alert.tags", json!(tags));
        }
        Json::Object(root)
    }
}

/// JSON as a field's value; objects are none.
fn owned(value: &Json) -> OwnedValue {
    match value {
        Json::Null | Json::Object(_) => OwnedValue::Null,
        Json::Bool(value) => OwnedValue::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => OwnedValue::Int(whole),
            (None, Some(whole)) => OwnedValue::UInt(whole),
            (None, None) => OwnedValue::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => OwnedValue::Str(text.clone()),
        Json::Array(items) => OwnedValue::List(items.iter().map(owned).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_every_part_and_on_where_parts_end() {
        let group = |field: &str, value: &str| vec![(field.to_owned(), value.to_owned())];
        let ids = [
            AlertId::derive("r", &group("a", "bc"), "1"),
            AlertId::derive("r", &group("ab", "c"), "1"),
            AlertId::derive("r", &[], "1"),
            AlertId::derive("r", &group("a", "bc"), "2"),
            AlertId::derive("s", &group("a", "bc"), "1"),
        ];
        for (i, left) in ids.iter().enumerate() {
            assert_eq!(left.0.len(), 32);
            for right in &ids[i + 1..] {
                assert_ne!(left, right);
            }
        }
    }
}
