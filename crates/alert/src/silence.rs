//! [`Rhythms`]: learns how long each source usually pauses, and tells which pauses for too long.
//!
//! In: what was heard, and the clock. Out: sources that fell silent and those that send again.
//! Time in which Tocsin itself did not run counts for nothing: pauses are measured on a clock of
//! its own that goes only while it watches. Pure: time is an argument.

use std::time::Duration;

use ahash::AHashMap;
use serde::{Deserialize, Serialize};
use tocsin_model::{AlertId, EventId, Timestamp};

mod config;

pub use config::{Expected, SilenceConfig};

/// Sources that are remembered; further ones are not watched.
pub const SOURCES_MAX: usize = 10_000;
/// The longest step of the clock between two looks: more means that nobody was watching (the
/// machine slept).
const STEP_SECONDS_MAX: u64 = 60;
/// Pauses are remembered for one to two of these spans, seconds.
const GENERATION_SECONDS: u64 = 14 * 86_400;
/// Pauses longer than this are nobody's rhythm, seconds.
const PAUSE_SECONDS_MAX: u64 = 7 * 86_400;
/// Events within an hour of the week from which on that hour has a rhythm of its own.
const HOUR_EVENTS_MIN: u32 = 50;
/// Hours of a week.
const HOURS: usize = 168;
/// A silent source is forgotten after so long, seconds.
const FORGET_SECONDS: u64 = 30 * 86_400;

/// How a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Its rhythm is not known yet.
    Learning,
    /// It sends, and its silence would alert.
    Sending,
    /// It pauses for so long, so often, that silence means nothing.
    Irregular,
    /// The configuration says that its silence does not matter.
    Ignored,
    /// It should have sent by now.
    Silent,
}

/// An hour of the week in the life of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Hour(
    /// The longest pause that began in it, seconds.
    u32,
    /// Pauses that began in it.
    u32,
);

/// What is known of a source: the events of one dataset of one host, or of one input where they
/// name no host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// `event.dataset`.
    pub dataset: String,
    /// `host.name`, or empty.
    pub host: String,
    /// The input that its last event came by.
    pub input: String,
    /// When it was first heard; `None` when it never was.
    pub first: Option<Timestamp>,
    /// When it was last heard.
    pub last: Option<Timestamp>,
    /// Its last event.
    #[serde(with = "event_id")]
    pub last_event: Option<EventId>,
    /// Events.
    pub events: u64,
    /// On the clock that goes while Tocsin watches, seconds: first and last heard.
    since: u64,
    heard: u64,
    /// By hour of the week (UTC); of this span and the one before.
    hours: [Vec<Hour>; 2],
    turned: u64,
    /// When, on that clock, it is silent for too long; `None` until its pause is looked at.
    #[serde(skip)]
    due: Option<u64>,
    /// Whether it is silent.
    pub silent: bool,
    /// The alert about that.
    pub alert: Option<AlertId>,
}

impl Source {
    fn new(dataset: &str, host: &str, watched: u64) -> Self {
        Self {
            dataset: dataset.to_owned(),
            host: host.to_owned(),
            input: String::new(),
            first: None,
            last: None,
            last_event: None,
            events: 0,
            since: watched,
            heard: watched,
            hours: Default::default(),
            turned: watched,
            due: None,
            silent: false,
            alert: None,
        }
    }

    /// What people call it.
    pub fn label(&self) -> String {
        match (self.host.as_str(), self.input.as_str()) {
            ("", "") => self.dataset.clone(),
            ("", input) => format!("{} by {input}", self.dataset),
            (host, _) => format!("{} of {host}", self.dataset),
        }
    }

    /// The longest pause that is usual after an event at this time of the week, seconds.
    fn usual(&self, at: Timestamp) -> u64 {
        let of = |hour: usize| {
            let [new, old] = self.hours.each_ref().map(|hours| hours.get(hour).copied());
            let (new, old) = (new.unwrap_or_default(), old.unwrap_or_default());
            Hour(new.0.max(old.0), new.1.max(old.1))
        };
        let hour = hour_of(at);
        let known = |hour: &Hour| hour.1 >= HOUR_EVENTS_MIN;
        let near = [hour, (hour + HOURS - 1) % HOURS, (hour + 1) % HOURS].map(of);
        let longest = match known(&near[0]) {
            true => near.into_iter().filter(known).map(|hour| hour.0).max(),
            false => (0..HOURS).map(|hour| of(hour).0).max(),
        };
        longest.unwrap_or(0).into()
    }

    fn learn(&mut self, pause: u64) {
        let Some(last) = self.last else { return };
        let hours = &mut self.hours[0];
        hours.resize(HOURS, Hour::default());
        if let Some(hour) = hours.get_mut(hour_of(last)) {
            hour.0 = hour.0.max(u32::try_from(pause).unwrap_or(u32::MAX));
            hour.1 = hour.1.saturating_add(1);
        }
    }

    fn turn(&mut self, watched: u64) {
        if watched.saturating_sub(self.turned) >= GENERATION_SECONDS {
            self.turned = watched;
            self.hours = [Vec::new(), std::mem::take(&mut self.hours[0])];
        }
    }
}

fn hour_of(time: Timestamp) -> usize {
    let hours = time.0.div_euclid(3_600_000_000_000).rem_euclid(HOURS as i64);
    usize::try_from(hours).unwrap_or(0)
}

/// A source as people see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// What is known of it.
    #[serde(flatten)]
    pub source: Source,
    /// How it is doing.
    pub condition: Condition,
    /// Its longest usual pause, seconds.
    pub usual_seconds: u64,
    /// The silence that alerts, seconds; `None` while none does.
    pub limit_seconds: Option<u64>,
}

/// Something was heard.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// `event.dataset`.
    pub dataset: &'a str,
    /// `host.name`, or empty.
    pub host: &'a str,
    /// The input.
    pub input: &'a str,
    /// When it was received.
    pub received: Timestamp,
    /// The event.
    pub event: EventId,
}

/// A source that fell silent.
#[derive(Debug, Clone, PartialEq)]
pub struct Fell {
    /// The source.
    pub source: Source,
    /// For how long nothing came, seconds.
    pub silent_seconds: u64,
    /// Its longest usual pause, seconds; `None` when the configuration expects it.
    pub usual_seconds: Option<u64>,
}

/// A source that sends again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// What people call it.
    pub label: String,
    /// The alert about its silence.
    pub alert: Option<AlertId>,
    /// How long it was silent, seconds.
    pub silent_seconds: u64,
    /// Where it is in [`Rhythms`]: dataset and host.
    pub key: (String, String),
    /// The input, of one without host.
    pub input: String,
}

/// All sources.
#[derive(Debug)]
pub struct Rhythms {
    config: SilenceConfig,
    /// By dataset, host and (without a host) input.
    sources: AHashMap<u64, Source>,
    changed: AHashMap<u64, ()>,
    /// Seconds that were watched.
    watched: f64,
    looked: Option<Timestamp>,
    back: Vec<Back>,
    hasher: ahash::RandomState,
    /// Sources beyond the limit.
    surplus: u64,
}

impl Rhythms {
    /// With what was known before: seconds watched and sources.
    pub fn new(config: SilenceConfig, watched: u64, known: Vec<Source>) -> Self {
        let hasher = ahash::RandomState::new();
        let mut rhythms = Self {
            config,
            sources: AHashMap::new(),
            changed: AHashMap::new(),
            watched: watched as f64,
            looked: None,
            back: Vec::new(),
            hasher,
            surplus: 0,
        };
        for source in known {
            let key = rhythms.key(&source.dataset, &source.host, &source.input);
            rhythms.sources.insert(key, source);
        }
        for expected in rhythms.config.expect.clone() {
            let any = expected.source.contains('*') || expected.host.contains('*');
            if any || expected.host.is_empty() {
                continue;
            }
            let key = rhythms.key(&expected.source, &expected.host, "");
            rhythms
                .sources
                .entry(key)
                .or_insert_with(|| Source::new(&expected.source, &expected.host, watched));
        }
        rhythms
    }

    fn key(&self, dataset: &str, host: &str, input: &str) -> u64 {
        self.hasher.hash_one((dataset, host, if host.is_empty() { input } else { "" }))
    }

    /// Takes note of an event that came now.
    pub fn heard(&mut self, heard: &Heard<'_>) {
        if !self.config.enabled {
            return;
        }
        let key = self.key(heard.dataset, heard.host, heard.input);
        let watched = self.watched as u64;
        let full = self.sources.len() >= SOURCES_MAX;
        let source = match self.sources.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(_) if full => {
                self.surplus += 1;
                return;
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(Source::new(heard.dataset, heard.host, watched))
            }
        };
        let pause = watched.saturating_sub(source.heard);
        if source.silent {
            self.back.push(Back {
                label: source.label(),
                alert: source.alert.take(),
                silent_seconds: pause,
                key: (source.dataset.clone(), source.host.clone()),
                input: source.input.clone(),
            });
            source.silent = false;
        } else {
            source.learn(pause);
        }
        source.turn(watched);
        source.heard = watched;
        source.due = None;
        source.first.get_or_insert(heard.received);
        source.last = Some(heard.received);
        source.events += 1;
        if self.changed.insert(key, ()).is_none() || source.events < 2 {
            source.input = heard.input.to_owned();
        }
        source.last_event = Some(heard.event);
    }

    /// The pause that ended was no fault: it is part of the rhythm.
    pub fn forgive(&mut self, back: &Back) {
        let key = self.key(&back.key.0, &back.key.1, &back.input);
        if let Some(source) = self.sources.get_mut(&key) {
            source.learn(back.silent_seconds);
        }
    }

    /// Looks at the clock: which sources have been silent for too long since the last look.
    pub fn look(&mut self, now: Timestamp) -> Vec<Fell> {
        let before = self.looked.replace(now).unwrap_or(now);
        let step = now.since(before).as_secs_f64();
        self.watched += step.min(STEP_SECONDS_MAX as f64);
        let mut fell = Vec::new();
        if !self.config.enabled {
            return fell;
        }
        let watched = self.watched as u64;
        let config = &self.config;
        for (key, source) in &mut self.sources {
            let silent_seconds = watched.saturating_sub(source.heard);
            // Most are not even near.
            if source.silent || silent_seconds < 2 || source.due.is_some_and(|due| due >= watched) {
                continue;
            }
            let (_, limit, usual) = condition(config, source, watched);
            if limit.is_none_or(|limit| silent_seconds <= limit) {
                // What is still learned, or has no rhythm, may have one at the next event.
                source.due = Some(source.heard + limit.unwrap_or(FORGET_SECONDS));
                continue;
            }
            source.silent = true;
            self.changed.insert(*key, ());
            fell.push(Fell { source: source.clone(), silent_seconds, usual_seconds: usual });
        }
        fell.sort_by(|a, b| {
            (&a.source.host, &a.source.dataset).cmp(&(&b.source.host, &b.source.dataset))
        });
        fell
    }

    /// The alert about a silent source.
    pub fn told(&mut self, dataset: &str, host: &str, input: &str, alert: &AlertId) {
        let key = self.key(dataset, host, input);
        if let Some(source) = self.sources.get_mut(&key).filter(|source| source.silent) {
            source.alert = Some(alert.clone());
            self.changed.insert(key, ());
        }
    }

    /// Sources that send again, since the last call.
    pub fn take_back(&mut self) -> Vec<Back> {
        std::mem::take(&mut self.back)
    }

    /// Seconds watched, and the sources that changed since the last call.
    pub fn take_changed(&mut self) -> (u64, Vec<View>) {
        let watched = self.watched as u64;
        let mut changed: Vec<View> = Vec::new();
        for (key, ()) in std::mem::take(&mut self.changed) {
            changed.extend(self.sources.get(&key).map(|source| self.view(source)));
        }
        (watched, changed)
    }

    /// Drops a source; whether it was there.
    pub fn forget(&mut self, dataset: &str, host: &str, input: &str) -> bool {
        let key = self.key(dataset, host, input);
        self.changed.remove(&key);
        self.sources.remove(&key).is_some()
    }

    /// Drops sources that have been silent for a month; which.
    pub fn forget_old(&mut self) -> Vec<Source> {
        let watched = self.watched as u64;
        let old = |source: &Source| {
            watched.saturating_sub(source.heard) > FORGET_SECONDS
                && self.config.expected(source).is_none()
        };
        let keys: Vec<u64> =
            self.sources.iter().filter(|(_, source)| old(source)).map(|(key, _)| *key).collect();
        keys.iter()
            .filter_map(|key| {
                self.changed.remove(key);
                self.sources.remove(key)
            })
            .collect()
    }

    /// The sources of a host that are not silent.
    pub fn sending(&self, host: &str) -> impl Iterator<Item = &Source> {
        self.sources.values().filter(move |source| !source.silent && source.host == host)
    }

    /// Sources that are not watched because there are too many, by their events.
    pub fn surplus(&self) -> u64 {
        self.surplus
    }

    fn view(&self, source: &Source) -> View {
        let (condition, limit_seconds, _) = condition(&self.config, source, self.watched as u64);
        let usual_seconds = source.last.map_or(0, |last| source.usual(last));
        View { source: source.clone(), condition, usual_seconds, limit_seconds }
    }
}

/// How a source is doing, the silence that alerts, and its longest usual pause where that counts.
fn condition(
    config: &SilenceConfig,
    source: &Source,
    watched: u64,
) -> (Condition, Option<u64>, Option<u64>) {
    let sending = if source.silent { Condition::Silent } else { Condition::Sending };
    if let Some(expected) = config.expected(source) {
        return (sending, Some(expected), None);
    }
    if config.ignores(source) {
        return (Condition::Ignored, None, None);
    }
    let Some(last) = source.last else { return (Condition::Learning, None, None) };
    let learn = Duration::from_secs(86_400) * config.learn_days;
    // What began and ended within the span of learning has shown no rhythm.
    if source.heard.saturating_sub(source.since) < learn.as_secs() || watched < learn.as_secs() {
        return (Condition::Learning, None, None);
    }
    let usual = source.usual(last);
    if usual > PAUSE_SECONDS_MAX * 2 / 3 {
        return (Condition::Irregular, None, Some(usual));
    }
    let limit = (usual * u64::from(config.factor)).min(PAUSE_SECONDS_MAX).max(config.seconds_min);
    (sending, Some(limit), Some(usual))
}

mod event_id {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tocsin_model::EventId;

    pub fn serialize<S: Serializer>(id: &Option<EventId>, to: S) -> Result<S::Ok, S::Error> {
        id.map(|id| id.to_string()).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<EventId>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.and_then(|text| EventId::parse(&text)))
    }
}

#[cfg(test)]
mod tests;
