//! What a backtest found: by rule, how often, when, for whom, with samples.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value as Json;
use tocsin_alert::Outcome;
use tocsin_model::{Alert, AlertId, Finding, RuleMeta, Severity, Timestamp};

use crate::backtest::Chosen;
use crate::cost::{CostTable, RuleCost};

/// Groups of one rule that are counted; later new ones are counted together.
const GROUPS_MAX: usize = 100_000;
/// Groups of one rule that are reported.
const GROUPS_SHOWN_MAX: usize = 10;

/// What a backtest found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Events gone through.
    pub events: u64,
    /// It was ended before its end: later events are missing.
    pub cancelled: bool,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// Findings of all rules.
    pub findings: u64,
    /// Alerts that would have been raised by all rules.
    pub alerts: u64,
    /// The rules that were run, those with the most alerts first.
    pub rules: Vec<RuleReport>,
}

/// What one rule would have found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleReport {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: Severity,
    /// How often it matched.
    pub findings: u64,
    /// How many alerts that would have been, after deduplication.
    pub alerts: u64,
    /// Matches that the allow-list would have dropped.
    pub allowed: u64,
    /// Matches that exceptions hide.
    pub hidden: u64,
    /// First match.
    pub first: Option<Timestamp>,
    /// Last match.
    pub last: Option<Timestamp>,
    /// Matches by day (UTC), days without left out.
    pub days: Vec<Day>,
    /// Who: the groups with the most matches.
    pub groups: Vec<Group>,
    /// The first alerts, as they would have been.
    pub samples: Vec<Json>,
    /// What it cost; absent after few events.
    pub cost: Option<RuleCost>,
}

/// Matches of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// `2026-11-21`.
    pub day: String,
    /// Matches.
    pub findings: u64,
    /// Alerts raised.
    pub alerts: u64,
}

/// Matches of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// `source.ip=192.0.2.1`.
    pub group: String,
    /// Matches.
    pub findings: u64,
}

/// Counts while it runs.
pub(super) struct Tally<'a> {
    chosen: &'a Chosen,
    samples: usize,
    rules: HashMap<String, Counted>,
    /// The rule that a sample belongs to.
    sampled: HashMap<AlertId, String>,
}

#[derive(Default)]
struct Counted {
    findings: u64,
    alerts: u64,
    allowed: u64,
    hidden: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    days: BTreeMap<String, (u64, u64)>,
    groups: HashMap<String, u64>,
    samples: Vec<(AlertId, Json)>,
    samples_asked: usize,
}

impl<'a> Tally<'a> {
    pub(super) fn new(chosen: &'a Chosen, samples: usize) -> Self {
        Self { chosen, samples, rules: HashMap::new(), sampled: HashMap::new() }
    }

    pub(super) fn add(&mut self, finding: &Finding, outcome: &Outcome) {
        let counted = self.rules.entry(finding.rule.id.clone()).or_default();
        counted.findings += 1;
        let raised = u64::from(matches!(outcome, Outcome::Raised(_)));
        counted.alerts += raised;
        counted.allowed += u64::from(matches!(outcome, Outcome::Allowed));
        counted.hidden += u64::from(matches!(outcome, Outcome::Hidden(_)));
        let time = finding.time;
        counted.first = Some(counted.first.map_or(time, |first| first.min(time)));
        counted.last = Some(counted.last.map_or(time, |last| last.max(time)));
        let day = time.to_string();
        let day = counted.days.entry(day.split('T').next().unwrap_or("").to_owned()).or_default();
        day.0 += 1;
        day.1 += raised;
        let group = group_of(finding);
        if counted.groups.len() < GROUPS_MAX || counted.groups.contains_key(&group) {
            *counted.groups.entry(group).or_default() += 1;
        }
        if let Outcome::Raised(id) = outcome
            && counted.samples_asked < self.samples
        {
            counted.samples_asked += 1;
            self.sampled.insert(id.clone(), finding.rule.id.clone());
        }
    }

    /// Takes alerts that changed; keeps those that are samples.
    pub(super) fn changed(&mut self, alerts: Vec<Alert>) {
        for alert in alerts {
            let Some(rule) = self.sampled.get(&alert.id) else { continue };
            let Some(counted) = self.rules.get_mut(rule) else { continue };
            let json = alert.to_json();
            match counted.samples.iter_mut().find(|(id, _)| *id == alert.id) {
                Some((_, known)) => *known = json,
                None => counted.samples.push((alert.id, json)),
            }
        }
    }

    pub(super) fn report(mut self, events: u64, cancelled: bool, took: Duration) -> Report {
        let chosen = self.chosen;
        let costs = CostTable::of(&chosen.rules.costs());
        let wanted = chosen.rules.rules().iter().filter(|rule| chosen.is_wanted(rule));
        let mut rules: Vec<RuleReport> = wanted
            .map(|rule| {
                let cost = costs.rules.get(&rule.id).copied();
                self.rules.remove(&rule.id).unwrap_or_default().report(rule, cost)
            })
            .collect();
        rules.sort_by(|a, b| {
            (b.alerts, b.findings, &a.title).cmp(&(a.alerts, a.findings, &b.title))
        });
        Report {
            events,
            cancelled,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            findings: rules.iter().map(|rule| rule.findings).sum(),
            alerts: rules.iter().map(|rule| rule.alerts).sum(),
            rules,
        }
    }
}

impl Counted {
    fn report(mut self, rule: &RuleMeta, cost: Option<RuleCost>) -> RuleReport {
        self.samples.sort_by(|(_, a), (_, b)| time_of(a).cmp(time_of(b)));
        let mut groups: Vec<Group> = self
            .groups
            .into_iter()
            .filter(|(group, _)| !group.is_empty())
            .map(|(group, findings)| Group { group, findings })
            .collect();
        groups.sort_by(|a, b| (b.findings, &a.group).cmp(&(a.findings, &b.group)));
        groups.truncate(GROUPS_SHOWN_MAX);
        let days = self.days.into_iter();
        RuleReport {
            id: rule.id.clone(),
            title: rule.title.clone(),
            severity: rule.severity,
            findings: self.findings,
            alerts: self.alerts,
            allowed: self.allowed,
            hidden: self.hidden,
            first: self.first,
            last: self.last,
            days: days.map(|(day, (findings, alerts))| Day { day, findings, alerts }).collect(),
            groups,
            samples: self.samples.into_iter().map(|(_, json)| json).collect(),
            cost,
        }
    }
}

fn time_of(alert: &Json) -> &str {
    alert["@timestamp"].as_str().unwrap_or("")
}

/// Who a finding is about: its group, or the usual fields of its event.
fn group_of(finding: &Finding) -> String {
    let pairs = |pairs: &mut dyn Iterator<Item = (String, String)>| {
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    if !finding.group.is_empty() {
        return pairs(&mut finding.group.iter().cloned());
    }
    use tocsin_model::field;
    let about = [field::SOURCE_IP, field::USER_NAME, field::HOST_NAME];
    let mut found = about.iter().filter_map(|id| {
        let value = finding.event.get(*id)?.to_text()?;
        Some((id.name().to_owned(), value.into_owned()))
    });
    pairs(&mut found)
}
