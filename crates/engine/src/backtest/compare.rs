//! Two versions of a rule over the same history: which alerts are new, which are gone.
//!
//! In: rules before and after a change. Out: the report of each, and what differs. An alert is the
//! same one when it is about the same group and their times overlap, give or take the cooldown.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Serialize;
use tocsin_alert::AlertConfig;
use tocsin_model::{Alert, AlertId, EventId, Finding, Timestamp};
use tocsin_store::{EventStore, StoreError};

use super::{Chosen, Going, Report, Request, Watch, scan};

/// Alerts of each version that are compared; the first ones.
const BRIEFS_MAX: usize = 50_000;
/// Matches of each version that are compared; the first ones.
const MATCHES_MAX: usize = 300_000;
/// Matches of which the line is kept.
const LINES_MAX: usize = 5_000;
/// Of a line, characters.
const LINE_CHARS: usize = 300;
/// Alerts and matches shown that are new, and that are gone.
const SHOWN_MAX: usize = 20;

/// What a change of a rule changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// What the rule finds after the change.
    #[serde(flatten)]
    pub after: Report,
    /// What it found before.
    pub before: Report,
    /// Which alerts differ.
    pub difference: Difference,
}

/// Alerts that differ.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// Alerts that both versions raise.
    pub same: u64,
    /// Alerts that only the version after the change raises.
    pub new: u64,
    /// Alerts that only the version before it raised.
    pub gone: u64,
    /// The first new ones.
    pub new_alerts: Vec<Brief>,
    /// The first that are gone.
    pub gone_alerts: Vec<Brief>,
    /// Matches that both versions have: of the same event for the same group.
    pub same_matches: u64,
    /// Matches that only the version after the change has.
    pub new_matches: u64,
    /// Matches that only the version before it had.
    pub gone_matches: u64,
    /// The first new ones.
    pub new_lines: Vec<Line>,
    /// The first that are gone.
    pub gone_lines: Vec<Line>,
    /// There were more alerts or matches than are compared.
    pub cut: bool,
}

/// A match in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub time: Timestamp,
    /// The event's line.
    pub line: String,
}

/// An alert in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Brief {
    /// First event.
    pub first: Timestamp,
    /// Last event.
    pub last: Timestamp,
    /// `source.ip=192.0.2.1`.
    pub group: String,
    /// Why.
    pub reason: String,
}

/// Every alert of one version.
#[derive(Debug, Default)]
pub(super) struct Briefs {
    by_id: HashMap<AlertId, Brief>,
    matches: HashMap<(EventId, u64), Option<Line>>,
    cut: bool,
}

impl Briefs {
    pub(super) fn note(&mut self, changed: &[Alert]) {
        for alert in changed {
            if self.by_id.len() >= BRIEFS_MAX && !self.by_id.contains_key(&alert.id) {
                self.cut = true;
                continue;
            }
            let group: Vec<String> =
                alert.group.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let brief = Brief {
                first: alert.first_seen,
                last: alert.last_seen,
                group: group.join(" "),
                reason: alert.reason.clone(),
            };
            self.by_id.insert(alert.id.clone(), brief);
        }
    }

    pub(super) fn matched(&mut self, finding: &Finding) {
        let mut hasher = DefaultHasher::new();
        finding.group.hash(&mut hasher);
        let key = (finding.event.id, hasher.finish());
        if self.matches.len() >= MATCHES_MAX && !self.matches.contains_key(&key) {
            self.cut = true;
            return;
        }
        let keep = self.matches.len() < LINES_MAX;
        self.matches.entry(key).or_insert_with(|| {
            let line = || finding.event.original().chars().take(LINE_CHARS).collect();
            keep.then(|| Line { time: finding.event.time, line: line() })
        });
    }

    /// How many matches the other has not, and the first of them.
    fn matches_beside(&self, other: &Self) -> (u64, Vec<Line>) {
        let alone = self.matches.iter().filter(|(key, _)| !other.matches.contains_key(*key));
        let (mut count, mut lines) = (0, Vec::new());
        for (_, line) in alone {
            count += 1;
            lines.extend(line.clone());
        }
        lines.sort_by(|a, b| (a.time, &a.line).cmp(&(b.time, &b.line)));
        lines.truncate(SHOWN_MAX);
        (count, lines)
    }

    fn by_time(self) -> Vec<Brief> {
        let mut all: Vec<Brief> = self.by_id.into_values().collect();
        all.sort_by(|a, b| (a.first, &a.group).cmp(&(b.first, &b.group)));
        all
    }
}

/// Runs both versions over history.
///
/// # Errors
/// When the store cannot be read, or the allow-list has an entry that is no address or network.
pub fn compare(
    store: &dyn EventStore,
    before: &Chosen,
    after: &Chosen,
    alerts: &AlertConfig,
    request: &Request,
    watch: &Watch,
) -> Result<Compared, StoreError> {
    let started = Instant::now();
    let mut old = Going::new(before, alerts, 0)?;
    let mut new = Going::new(after, alerts, request.samples)?;
    (old.briefs, new.briefs) = (Some(Briefs::default()), Some(Briefs::default()));
    let rules = [&before.rules, &after.rules];
    let events = scan(store, &rules, request, watch, &mut |scanned| {
        old.take(scanned);
        new.take(scanned);
    })?;
    old.end();
    new.end();
    let slack = old.longest_cooldown.max(new.longest_cooldown);
    let (left, right) = (old.briefs.take(), new.briefs.take());
    let difference = differ(left.unwrap_or_default(), right.unwrap_or_default(), slack);
    let (took, cancelled) = (started.elapsed(), watch.cancel.load(Ordering::Relaxed));
    Ok(Compared {
        after: new.finish(events, cancelled, took),
        before: old.finish(events, cancelled, took),
        difference,
    })
}

fn differ(before: Briefs, after: Briefs, slack: Duration) -> Difference {
    let cut = before.cut || after.cut;
    let (new_matches, new_lines) = after.matches_beside(&before);
    let (gone_matches, gone_lines) = before.matches_beside(&after);
    let same_matches = after.matches.len() as u64 - new_matches;
    let (before, after) = (before.by_time(), after.by_time());
    let gone = without(&before, &after, slack);
    let new = without(&after, &before, slack);
    let shown = |all: &[&Brief]| all.iter().take(SHOWN_MAX).map(|one| (*one).clone()).collect();
    Difference {
        same: (after.len() - new.len()) as u64,
        new: new.len() as u64,
        gone: gone.len() as u64,
        new_alerts: shown(&new),
        gone_alerts: shown(&gone),
        same_matches,
        new_matches,
        gone_matches,
        new_lines,
        gone_lines,
        cut,
    }
}

/// Those of `all` that no one of `others` is the same as.
fn without<'b>(all: &'b [Brief], others: &[Brief], slack: Duration) -> Vec<&'b Brief> {
    let mut by_group: HashMap<&str, Vec<&Brief>> = HashMap::new();
    for other in others {
        by_group.entry(&other.group).or_default().push(other);
    }
    let has = |one: &&Brief| {
        let near = by_group.get(one.group.as_str());
        near.is_some_and(|near| {
            near.iter().any(|other| {
                other.first <= one.last.plus(slack) && one.first <= other.last.plus(slack)
            })
        })
    };
    all.iter().filter(|one| !has(one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(group: &str, first: i64, last: i64) -> Brief {
        let at = |seconds: i64| Timestamp(seconds * 1_000_000_000);
        Brief { first: at(first), last: at(last), group: group.into(), reason: String::new() }
    }

    fn briefs(all: &[Brief]) -> Briefs {
        let numbered = all.iter().enumerate();
        let by_id = numbered.map(|(at, one)| (AlertId(at.to_string()), one.clone())).collect();
        Briefs { by_id, ..Briefs::default() }
    }

    #[test]
    fn alerts_are_the_same_by_group_and_time() {
        let before = [brief("ip=1", 0, 10), brief("ip=2", 0, 10), brief("ip=1", 500, 510)];
        let after = [brief("ip=1", 5, 20), brief("ip=3", 0, 10)];
        let found = differ(briefs(&before), briefs(&after), Duration::from_secs(60));
        assert_eq!((found.same, found.new, found.gone), (1, 1, 2));
        assert_eq!(found.new_alerts[0].group, "ip=3");
        let gone: Vec<&str> = found.gone_alerts.iter().map(|one| one.group.as_str()).collect();
        assert_eq!(gone, ["ip=2", "ip=1"]);
    }

    #[test]
    fn the_same_version_changes_nothing() {
        let all = [brief("ip=1", 0, 10), brief("", 3, 3)];
        let found = differ(briefs(&all), briefs(&all), Duration::ZERO);
        assert_eq!((found.same, found.new, found.gone, found.cut), (2, 0, 0, false));
    }
}
