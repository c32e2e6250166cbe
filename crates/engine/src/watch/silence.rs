//! Sources that fall silent.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tocsin_alert::SilenceConfig;
use tocsin_alert::silence::{Back, Condition, Fell, Heard, Rhythms, Source, View};
use tocsin_catalog::{AlertChange, Catalog, CatalogError, DETECTION, HeardRow};
use tocsin_detect::RuleSet;
use tocsin_model::{
    Alert, AlertStatus, Contribution, Disposition, Event, EventId, FieldId, Finding, Severity,
    Timestamp, Value, field,
};
use tocsin_store::{EventStore, Filter, SearchRequest};
use tokio::sync::broadcast;

use super::own_rule;
use crate::handle::Live;

/// Id of the rule that tells of silence.
pub const SILENCE_RULE: &str = "tocsin-silence";
/// Name of the stored number of seconds that were watched.
const WATCHED: &str = "silence.watched_seconds";
/// Events of a source that are looked at to find which rules read it.
const SAMPLES: usize = 50;
/// How far before its last event they are looked for.
const SAMPLE_SPAN: Duration = Duration::from_secs(7 * 86_400);
/// How long that may take.
const SAMPLE_TIME_MAX: Duration = Duration::from_secs(2);
/// Rules that a sentence names; further ones are counted.
const NAMED_MAX: usize = 5;

pub(super) struct Silence {
    enabled: bool,
    rhythms: Rhythms,
    pub(super) rules: Arc<RuleSet>,
    catalog: Arc<Catalog>,
    store: Arc<dyn EventStore>,
    live: broadcast::Sender<Live>,
    /// Whether the catalog refused what was to be saved last.
    trouble: bool,
}

impl Silence {
    pub(super) fn open(
        config: SilenceConfig,
        catalog: Arc<Catalog>,
        store: Arc<dyn EventStore>,
        rules: Arc<RuleSet>,
        live: broadcast::Sender<Live>,
    ) -> Self {
        let known = known(&catalog).unwrap_or_else(|error| {
            tracing::warn!("rhythms of sources: {error}; they are learned anew");
            (0, Vec::new())
        });
        let enabled = config.enabled;
        let sources = known.1.into_iter().map(|sending| sending.source).collect();
        let rhythms = Rhythms::new(config, known.0, sources);
        Self { enabled, rhythms, rules, catalog, store, live, trouble: false }
    }

    pub(super) fn heard(&mut self, event: &Event) {
        let Some(dataset) = event.get_str(field::EVENT_DATASET).filter(|_| self.enabled) else {
            return;
        };
        let text = |id| event.get_str(id).filter(|text| !text.is_empty());
        let host = text(field::HOST_NAME).or_else(|| text(field::HOST_HOSTNAME)).unwrap_or("");
        self.rhythms.heard(&Heard {
            dataset,
            host,
            input: event.get_str(field::TOCSIN_INPUT).unwrap_or(""),
            received: event.received,
            event: event.id,
        });
    }

    /// An alert about silence was saved: that is the one to end.
    pub(super) fn saved(&mut self, alert: &Alert) {
        if alert.rule.id != SILENCE_RULE {
            return;
        }
        let text = |name: &str| alert.field_text(name).unwrap_or_default();
        let (dataset, host) = (text("event.dataset"), text("host.name"));
        self.rhythms.told(&dataset, &host, &text("tocsin.input"), &alert.id);
        // What people look at says so at once, and a crash does not forget which alert it is.
        self.save();
    }

    pub(super) fn look(&mut self, now: Timestamp, findings: &mut Vec<Finding>) {
        let back = self.rhythms.take_back();
        for one in &back {
            self.end(one);
        }
        if !back.is_empty() {
            self.save();
        }
        let fell = self.rhythms.look(now);
        if fell.is_empty() {
            return;
        }
        for one in &fell {
            let blind = self.blind(&one.source);
            tracing::warn!("{}", sentence(one, &blind));
            findings.push(finding(one, &blind, now));
        }
    }

    /// A source sends again: its alert is closed.
    fn end(&mut self, back: &Back) {
        let Some(id) = &back.alert else { return };
        let known = self.catalog.alert(id).ok().flatten();
        let judged = known.as_ref().and_then(|alert| alert.triage.disposition);
        if matches!(judged, Some(Disposition::FalsePositive | Disposition::BenignTruePositive)) {
            self.rhythms.forgive(back);
        }
        let text = format!("{} sends again, after {}", back.label, span(back.silent_seconds));
        tracing::info!("{text}");
        if known.is_none_or(|alert| alert.status == AlertStatus::Closed) {
            return;
        }
        let change = AlertChange {
            status: Some(AlertStatus::Closed),
            comment: Some(text),
            ..AlertChange::default()
        };
        match self.catalog.change_alert(id, &change, DETECTION, None) {
            Ok(Some(alert)) => {
                // Nobody listening is fine.
                let _ = self.live.send(Live::Alert(Arc::new(alert)));
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("alert {id} stays open: {error}"),
        }
    }

    /// Titles and ids of the rules that read a source and nothing else of its host that still
    /// sends, the most severe first.
    fn blind(&self, source: &Source) -> Vec<(String, String)> {
        let reads = |source: &Source| -> BTreeSet<String> {
            let events = self.samples(source).unwrap_or_else(|error| {
                tracing::warn!("which rules {} is for: {error}", source.label());
                Vec::new()
            });
            let read = tocsin_detect::log_sources(&self.rules, &events).into_iter();
            read.filter(|rule| rule.seen).map(|rule| rule.rule_id).collect()
        };
        let mut blind = reads(source);
        for other in self.rhythms.sending(&source.host) {
            if blind.is_empty() {
                break;
            }
            let still = reads(other);
            blind.retain(|id| !still.contains(id));
        }
        let mut rules: Vec<_> = blind
            .iter()
            .filter_map(|id| self.rules.get(id))
            .filter(|rule| rule.severity > Severity::Informational)
            .collect();
        rules.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.title.cmp(&b.title)));
        rules.iter().map(|rule| (rule.title.clone(), rule.id.clone())).collect()
    }

    /// Some of the last events of a source.
    fn samples(&self, source: &Source) -> Result<Vec<Event>, String> {
        let Some(last) = source.last else { return Ok(Vec::new()) };
        let mut of = vec![Filter::term("event.dataset", &*source.dataset)];
        if !source.host.is_empty() {
            of.push(Filter::term("host.name", &*source.host));
        }
        let request = SearchRequest {
            filter: Filter::And(of),
            from: Some(last.minus(SAMPLE_SPAN)),
            limit: SAMPLES,
            timeout: Some(SAMPLE_TIME_MAX),
            ..SearchRequest::default()
        };
        let hits = self.store.search(&request).map_err(|error| error.to_string())?.hits;
        let ids = hits.iter().filter_map(|hit| EventId::parse(hit["event"]["id"].as_str()?));
        let ids: HashSet<EventId> = ids.collect();
        self.store.events(&ids, Timestamp(i64::MIN)).map_err(|error| error.to_string())
    }

    /// Drops what people want forgotten, and what has been silent for a month.
    pub(super) fn forget(&mut self) {
        let wanted = self.catalog.heard_to_forget().unwrap_or_default();
        let wanted = wanted.into_iter().map(|row| (row.dataset, row.host, row.input));
        let mut gone: Vec<(String, String, String)> = wanted.collect();
        for (dataset, host, input) in &gone {
            self.rhythms.forget(dataset, host, input);
        }
        gone.extend(self.rhythms.forget_old().into_iter().map(|source| key_of(&source)));
        if let Err(error) = self.catalog.remove_heard(&gone) {
            tracing::warn!("sources that are to be forgotten stay: {error}");
        }
    }

    pub(super) fn save(&mut self) {
        if !self.enabled {
            return;
        }
        let (watched, changed) = self.rhythms.take_changed();
        let rows: Vec<HeardRow> = changed.iter().map(row_of).collect();
        let saved = self.catalog.save_heard(&rows);
        let saved = saved.and_then(|()| self.catalog.set_meta(WATCHED, &watched.to_string()));
        match saved {
            Ok(()) => self.trouble = false,
            Err(error) if !self.trouble => {
                self.trouble = true;
                tracing::warn!("rhythms of sources are not saved: {error}; trying again");
            }
            Err(_) => {}
        }
    }
}

/// Dataset, host, and the input where there is no host.
fn key_of(source: &Source) -> (String, String, String) {
    let input = if source.host.is_empty() { source.input.clone() } else { String::new() };
    (source.dataset.clone(), source.host.clone(), input)
}

fn row_of(view: &View) -> HeardRow {
    let (dataset, host, input) = key_of(&view.source);
    let stored = Sending {
        source: view.source.clone(),
        condition: view.condition,
        usual_seconds: view.usual_seconds,
        limit_seconds: view.limit_seconds,
    };
    HeardRow { dataset, host, input, json: serde_json::to_string(&stored).unwrap_or_default() }
}

/// A source as it was last saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sending {
    /// What is known of it.
    pub source: Source,
    /// How it is doing.
    pub condition: Condition,
    /// Its longest usual pause, seconds.
    pub usual_seconds: u64,
    /// The silence that alerts, seconds; `None` while none does.
    pub limit_seconds: Option<u64>,
}

fn known(catalog: &Catalog) -> Result<(u64, Vec<Sending>), CatalogError> {
    let watched = catalog.get_meta(WATCHED)?.and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok((watched, sending(catalog)?))
}

/// The sources that are known, by host and dataset; at most a minute old.
///
/// # Errors
/// When the catalog cannot be read.
pub fn sending(catalog: &Catalog) -> Result<Vec<Sending>, CatalogError> {
    let rows = catalog.heard()?.into_iter();
    Ok(rows.filter_map(|row| serde_json::from_str(&row.json).ok()).collect())
}

/// Asks for a source to be forgotten; how many there are of this dataset and host.
///
/// # Errors
/// When the catalog cannot be written.
pub fn forget(catalog: &Catalog, dataset: &str, host: &str) -> Result<u64, CatalogError> {
    catalog.ask_to_forget(dataset, host)
}

/// A span as people say it.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn sentence(fell: &Fell, blind: &[(String, String)]) -> String {
    let mut text = format!("{} is silent for {}", fell.source.label(), span(fell.silent_seconds));
    match (fell.usual_seconds, fell.source.last) {
        (_, None) => text = format!("{} has not sent anything yet", fell.source.label()),
        (Some(usual), Some(_)) => {
            text.push_str(&format!(", its longest usual pause at this hour is {}", span(usual)));
        }
        (None, Some(_)) => {}
    }
    if blind.is_empty() {
        return text;
    }
    let named: Vec<&str> = blind.iter().take(NAMED_MAX).map(|(title, _)| title.as_str()).collect();
    text.push_str(&format!("; blind without it: {}", named.join(", ")));
    if blind.len() > NAMED_MAX {
        text.push_str(&format!(" and {} more rules", blind.len() - NAMED_MAX));
    }
    text
}

fn finding(fell: &Fell, blind: &[(String, String)], now: Timestamp) -> Finding {
    let source = &fell.source;
    let mut rule = own_rule(
        SILENCE_RULE,
        "Source fell silent",
        "A source that used to send has stopped: rules that read it are blind.",
        Severity::Medium,
        &sentence(fell, blind),
    );
    // Each silence is an alert of its own: the one before has ended.
    rule.cooldown = Some(Duration::ZERO);
    let mut event = Event::default();
    let last = source.last.map_or_else(|| "never".to_owned(), |last| last.to_string());
    let line = format!("{}: last event {last}", source.label());
    event.set_original(&line);
    (event.time, event.received) = (now, now);
    event.id = source.last_event.unwrap_or_default();
    event.set_str(field::EVENT_DATASET, &source.dataset);
    let group = vec![
        ("event.dataset".to_owned(), source.dataset.clone()),
        match source.host.as_str() {
            "" => ("tocsin.input".to_owned(), source.input.clone()),
            host => ("host.name".to_owned(), host.to_owned()),
        },
    ];
    if source.host.is_empty() {
        event.set_str(field::TOCSIN_INPUT, &source.input);
    } else {
        event.set_str(field::HOST_NAME, &source.host);
    }
    let mut put = |name: &str, value: Value<'_>| {
        if let Some(id) = FieldId::intern(name) {
            event.set(id, value);
        }
    };
    put("tocsin.silence.last_event", Value::Str(&last));
    put("tocsin.silence.seconds", Value::UInt(fell.silent_seconds));
    if let Some(usual) = fell.usual_seconds {
        put("tocsin.silence.usual_seconds", Value::UInt(usual));
    }
    let lists = [("tocsin.silence.rules", 0), ("tocsin.silence.rule_ids", 1)];
    for (name, place) in lists.into_iter().filter(|_| !blind.is_empty()) {
        if let Some(id) = FieldId::intern(name) {
            let items = blind.iter().map(|rule| if place == 0 { &rule.0 } else { &rule.1 });
            event.push_list(id, items.map(|text| Value::Str(text)));
        }
    }
    let contribution = Contribution {
        event_id: event.id,
        time: source.last.unwrap_or(now),
        rule_id: SILENCE_RULE.into(),
        line: line.into(),
    };
    Finding {
        rule: Arc::new(rule),
        time: now,
        group,
        event,
        contributions: vec![contribution],
        count: 1.0,
        event_count: 1,
        window: None,
        matches: Vec::new(),
    }
}
