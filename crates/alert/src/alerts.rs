//! [`Alerts`]: the open alerts, and which of them a finding joins.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ahash::AHashMap;
use serde::{Deserialize, Serialize};
use tocsin_model::finding::{CONTRIBUTION_LINE_BYTES_MAX, CONTRIBUTIONS_MAX};
use tocsin_model::{Alert, AlertId, AlertStatus, Contribution, Finding, Timestamp, field};

use crate::allow::AllowList;
use crate::config::AlertConfig;
use crate::{carry, reason};

/// What became of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A new alert: tell people.
    Raised(AlertId),
    /// It joined an alert and made it worse: tell people.
    Escalated(AlertId),
    /// It joined an alert.
    Joined(AlertId),
    /// The address is on the allow-list.
    Allowed,
    /// It is of an alert that an exception hides.
    Hidden(AlertId),
}

/// What was counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Alerts raised.
    pub raised: u64,
    /// Findings that joined an alert.
    pub joined: u64,
    /// Findings dropped by the allow-list.
    pub allowed: u64,
    /// Open alerts let go because there were more than `open_max`.
    pub let_go: u64,
}

/// The state could not be restored.
#[derive(Debug, thiserror::Error)]
#[error("alert state cannot be read back: {0}; delete it to start without open alerts")]
pub struct SnapshotError(#[from] serde_json::Error);

/// What tells alerts apart: rule (or its `alert_as` word) and group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
struct Key {
    rule: String,
    group: Vec<(String, String)>,
    /// What an exception hides is kept apart from what it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exception: Option<u64>,
}

impl Key {
    fn of(
        rule: &tocsin_model::RuleMeta,
        group: Vec<(String, String)>,
        exception: Option<u64>,
    ) -> Self {
        let rule = rule.alert_as.clone().unwrap_or_else(|| rule.id.clone());
        Self { rule, group, exception }
    }

    /// The id of an alert that begins with an event.
    fn alert_id(&self, first: &str) -> AlertId {
        match self.exception {
            None => AlertId::derive(&self.rule, &self.group, first),
            Some(id) => AlertId::derive(&format!("{}\n{id}", self.rule), &self.group, first),
        }
    }
}

/// An alert that exists in the catalog although the restored state does not know it: it was
/// raised after the state was saved. When its events come again, they must find its id.
#[derive(Debug, Clone)]
struct Adopted {
    id: AlertId,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

/// An alert that findings can join.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Open {
    alert: Alert,
    /// When its newest event was received: what a source tells hours late is as open as what is
    /// told at once.
    touched: Timestamp,
}

/// Deduplication state. One per pipeline.
#[derive(Debug)]
pub struct Alerts {
    config: AlertConfig,
    allow: AllowList,
    open: AHashMap<Arc<Key>, Open>,
    /// By when the newest event of the alert was received.
    by_activity: BTreeSet<(Timestamp, Arc<Key>)>,
    adopted: AHashMap<Key, Vec<Adopted>>,
    adopted_at: Option<Timestamp>,
    /// Open alerts that changed; whether their reason is to be written anew.
    changed: AHashMap<Arc<Key>, bool>,
    /// Alerts that changed and are open no more.
    gone: Vec<Alert>,
    counters: Counters,
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    version: u32,
    open: Vec<(Arc<Key>, Open)>,
    counters: Counters,
}

const SNAPSHOT_VERSION: u32 = 2;

impl Alerts {
    /// Without open alerts.
    ///
    /// # Errors
    /// When the allow-list has an entry that is no address or network.
    pub fn new(config: AlertConfig) -> Result<Self, String> {
        Ok(Self {
            allow: AllowList::parse(&config.allow_list)?,
            config,
            open: AHashMap::new(),
            by_activity: BTreeSet::new(),
            adopted: AHashMap::new(),
            adopted_at: None,
            changed: AHashMap::new(),
            gone: Vec::new(),
            counters: Counters::default(),
        })
    }

    /// Takes a finding of a rule that is on, which is not asked here. `historical` marks alerts
    /// from logs written before Tocsin watched.
    pub fn add(&mut self, finding: &Finding, historical: bool) -> Outcome {
        self.place(finding, historical, None)
    }

    /// Takes a finding that an exception hides: it becomes an alert of its own that nobody is
    /// told of, so that what was hidden can be counted and seen.
    pub fn add_hidden(&mut self, finding: &Finding, historical: bool, exception: u64) -> Outcome {
        match self.place(finding, historical, Some(exception)) {
            Outcome::Raised(id) | Outcome::Escalated(id) | Outcome::Joined(id) => {
                Outcome::Hidden(id)
            }
            other => other,
        }
    }

    fn place(&mut self, finding: &Finding, historical: bool, exception: Option<u64>) -> Outcome {
        if self.is_allowed(finding) {
            self.counters.allowed += 1;
            return Outcome::Allowed;
        }
        let key = Arc::new(Key::of(&finding.rule, carry::group(finding), exception));
        let cooldown = finding.rule.cooldown.unwrap_or(self.config.cooldown());
        match self.open.get(&key) {
            Some(Open { alert, .. })
                if belongs(alert.first_seen, alert.last_seen, finding.time, cooldown) =>
            {
                self.join(key, finding, historical)
            }
            _ => self.raise(key, finding, cooldown, historical),
        }
    }

    /// The alerts that changed since the last call, each once, with absolute counts, so that
    /// saving them again after a crash changes nothing. Ordered by id.
    pub fn take_changed(&mut self) -> Vec<Alert> {
        let mut changed = std::mem::take(&mut self.gone);
        for (key, reword) in self.changed.drain() {
            let Some(Open { alert, .. }) = self.open.get_mut(&key) else { continue };
            if reword {
                alert.reason = reason::render(alert, None);
            }
            changed.push(alert.clone());
        }
        changed.sort_by(|left, right| left.id.cmp(&right.id));
        changed
    }

    /// Lets go of alerts that nothing can join any more: nothing was received for them since
    /// `longest` before `now`, where `longest` is the longest cooldown of any rule.
    pub fn expire(&mut self, now: Timestamp, longest: Duration) {
        let before = now.minus(longest.max(self.config.cooldown()));
        while let Some((touched, key)) = self.by_activity.first().cloned() {
            if touched >= before {
                break;
            }
            self.by_activity.remove(&(touched, key.clone()));
            self.close(&key);
        }
        // What was adopted is looked for while the epoch that was lost is repeated.
        if self.adopted_at.get_or_insert(now).plus(longest) < now {
            self.adopted.clear();
        }
    }

    /// Tells of alerts in the catalog that may be newer than the restored state.
    pub fn adopt(&mut self, alerts: impl IntoIterator<Item = Alert>) {
        for alert in alerts {
            let key = Key::of(&alert.rule, alert.group, alert.triage.exception);
            let Alert { id, first_seen, last_seen, .. } = alert;
            if self.open.get(&key).is_none_or(|open| open.alert.id != id) {
                let adopted = Adopted { id, first_seen, last_seen };
                self.adopted.entry(key).or_default().push(adopted);
            }
        }
    }

    /// Counters since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Number of open alerts.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// The state as bytes, for the epoch's commit.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut open: Vec<(Arc<Key>, Open)> =
            self.open.iter().map(|(key, open)| (key.clone(), open.clone())).collect();
        open.sort_by(|left, right| left.0.cmp(&right.0));
        let snapshot = Snapshot { version: SNAPSHOT_VERSION, open, counters: self.counters };
        serde_json::to_vec(&snapshot).unwrap_or_default()
    }

    /// Takes the state back.
    ///
    /// # Errors
    /// When the bytes are no snapshot of a version this program knows.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        let snapshot: Snapshot = serde_json::from_slice(bytes)?;
        if snapshot.version != SNAPSHOT_VERSION {
            let message = format!("version {} is not {SNAPSHOT_VERSION}", snapshot.version);
            return Err(SnapshotError(serde::de::Error::custom(message)));
        }
        self.counters = snapshot.counters;
        self.by_activity =
            snapshot.open.iter().map(|(key, open)| (open.touched, key.clone())).collect();
        self.open = snapshot.open.into_iter().collect();
        Ok(())
    }

    fn is_allowed(&self, finding: &Finding) -> bool {
        let of_group = finding.group.iter().find(|(name, _)| name == "source.ip");
        match of_group {
            Some((_, address)) => self.allow.contains(address),
            None => {
                let address = finding.event.get_str(field::SOURCE_IP);
                address.is_some_and(|address| self.allow.contains(address))
            }
        }
    }

    fn raise(
        &mut self,
        key: Arc<Key>,
        finding: &Finding,
        cooldown: Duration,
        historical: bool,
    ) -> Outcome {
        let first = finding.contributions.first();
        let first_event = first.map_or(finding.event.id, |first| first.event_id).to_string();
        let adopted = self.adopted.get(&key).and_then(|alerts| {
            alerts
                .iter()
                .find(|alert| belongs(alert.first_seen, alert.last_seen, finding.time, cooldown))
        });
        let id = adopted.map_or_else(|| key.alert_id(&first_event), |adopted| adopted.id.clone());
        let mut alert = Alert { id: id.clone(), historical, ..draft(finding) };
        alert.triage.exception = key.exception;
        alert.reason = reason::render(&alert, finding.window);
        if let Some(before) = self.close(&key) {
            self.by_activity.remove(&(before, key.clone()));
        }
        let touched = finding.event.received;
        self.by_activity.insert((touched, key.clone()));
        self.changed.insert(key.clone(), false);
        self.open.insert(key, Open { alert, touched });
        self.counters.raised += 1;
        self.let_go_of_surplus();
        Outcome::Raised(id)
    }

    fn join(&mut self, key: Arc<Key>, finding: &Finding, historical: bool) -> Outcome {
        let Some(Open { alert, touched }) = self.open.get_mut(&key) else {
            return Outcome::Allowed;
        };
        self.by_activity.remove(&(*touched, key.clone()));
        *touched = (*touched).max(finding.event.received);
        self.by_activity.insert((*touched, key.clone()));
        let first = finding.contributions.first().map_or(finding.time, |first| first.time);
        alert.first_seen = alert.first_seen.min(first);
        alert.last_seen = alert.last_seen.max(finding.time);
        alert.findings += 1;
        alert.version += 1;
        let counted = merge(&mut alert.events, finding, finding.rule.id == alert.rule.id);
        alert.count += counted;
        let severity = carry::severity(finding);
        let escalated = severity > alert.severity;
        let live = alert.historical && !historical;
        if escalated {
            alert.severity = severity;
            alert.rule = (*finding.rule).clone();
            alert.fields = carry::fields(finding);
            alert.matches.clone_from(&finding.matches);
        }
        alert.historical &= historical;
        let id = alert.id.clone();
        self.changed.insert(key, true);
        self.counters.joined += 1;
        match (live, escalated) {
            // What was history goes on now: the first time that people hear of it.
            (true, _) => Outcome::Raised(id),
            (false, true) => Outcome::Escalated(id),
            (false, false) => Outcome::Joined(id),
        }
    }

    /// Nothing can join an alert any more: takes it out of the open ones, and keeps it to be saved
    /// when it has changed. When its newest event was received.
    fn close(&mut self, key: &Arc<Key>) -> Option<Timestamp> {
        let Open { mut alert, touched } = self.open.remove(key)?;
        if let Some(reword) = self.changed.remove(key) {
            if reword {
                alert.reason = reason::render(&alert, None);
            }
            self.gone.push(alert);
        }
        Some(touched)
    }

    fn let_go_of_surplus(&mut self) {
        while self.open.len() > self.config.open_max.max(1) {
            let Some((_, key)) = self.by_activity.pop_first() else { return };
            self.close(&key);
            self.counters.let_go += 1;
        }
    }
}

/// The alert that a finding would raise, without id and reason.
pub fn draft(finding: &Finding) -> Alert {
    let first = finding.contributions.first();
    Alert {
        id: AlertId(String::new()),
        rule: (*finding.rule).clone(),
        severity: carry::severity(finding),
        group: carry::group(finding),
        first_seen: first.map_or(finding.time, |first| first.time.min(finding.time)),
        last_seen: finding.time,
        raised: finding.time,
        count: counted(finding),
        findings: 1,
        status: AlertStatus::New,
        triage: tocsin_model::Triage::default(),
        historical: false,
        reason: String::new(),
        fields: carry::fields(finding),
        events: contributions(finding),
        matches: finding.matches.clone(),
        version: 1,
    }
}

/// Whether a finding at `time` is part of an attack seen from `first` to `last`.
fn belongs(first: Timestamp, last: Timestamp, time: Timestamp, cooldown: Duration) -> bool {
    time >= first.minus(cooldown) && time <= last.plus(cooldown)
}

/// How many events (or login attempts, where events say how many they stand for) a finding that
/// raises an alert counts.
fn counted(finding: &Finding) -> u64 {
    let events = finding.event_count.max(1);
    let attempts = finding.event.get(field::TOCSIN_ATTEMPTS).is_some()
        && finding.count.fract() == 0.0
        && finding.count >= events as f64
        && finding.count <= 1e15;
    if attempts { finding.count as u64 } else { events }
}

/// Adds a joining finding's new events; how many attempts they stand for. An event that stands for
/// none counts once when it is what the alert's own rule counts, and else not at all: another rule
/// that sees the same attack must not count it again.
fn merge(events: &mut Vec<Contribution>, finding: &Finding, own_rule: bool) -> u64 {
    let known = |events: &[Contribution], id| events.iter().any(|event| event.event_id == id);
    let completing = finding.event.id;
    if known(events, completing) {
        return 0;
    }
    let weight = match finding.event.get(field::TOCSIN_ATTEMPTS) {
        Some(tocsin_model::Value::Int(attempts)) => {
            u64::try_from(attempts).unwrap_or(0).max(u64::from(own_rule))
        }
        _ => 1,
    };
    if events.len() < CONTRIBUTIONS_MAX {
        for contribution in contributions(finding) {
            if events.len() < CONTRIBUTIONS_MAX && !known(events, contribution.event_id) {
                events.push(contribution);
            }
        }
    }
    weight
}

/// The events of a finding; for plain rules the one that matched.
fn contributions(finding: &Finding) -> Vec<Contribution> {
    if !finding.contributions.is_empty() {
        return finding.contributions.clone();
    }
    let line = finding.event.original();
    let end = line.floor_char_boundary(CONTRIBUTION_LINE_BYTES_MAX);
    vec![Contribution {
        event_id: finding.event.id,
        time: finding.event.time,
        rule_id: finding.rule.id.as_str().into(),
        line: line[..end].into(),
    }]
}

#[cfg(test)]
mod tests;
