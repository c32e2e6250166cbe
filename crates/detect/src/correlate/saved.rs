//! Saving windows and taking them back, as versioned JSON. What cannot be found again (a rule
//! that changed or is gone) is dropped.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tocsin_model::value::OwnedValue;
use tocsin_model::{Contribution, Event, EventId, FieldId, RuleMeta, Timestamp};

use super::entry::{Entry, Key};
use super::group::Group;
use super::{Correlator, identity};

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    newest: i64,
    events: Vec<SavedEvent>,
    correlations: Vec<SavedCorrelation>,
}

#[derive(Serialize, Deserialize)]
struct SavedCorrelation {
    id: String,
    fingerprint: u64,
    groups: Vec<SavedGroup>,
}

#[derive(Serialize, Deserialize)]
struct SavedGroup {
    key: Key,
    decided: Option<i64>,
    #[serde(default)]
    touched: i64,
    entries: Vec<SavedEntry>,
}

#[derive(Serialize, Deserialize)]
struct SavedEntry {
    time: i64,
    bits: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reset: bool,
    value: Key,
    carry: Box<[Option<Box<str>>]>,
    event: usize,
    rule: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Vec<Contribution>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    fired: bool,
}

/// An event, each once although several entries may share it.
#[derive(Serialize, Deserialize)]
struct SavedEvent {
    id: String,
    time: i64,
    received: i64,
    original: String,
    fields: Vec<(String, Json)>,
}

pub(super) fn save(correlator: &Correlator) -> Vec<u8> {
    let mut events = Vec::new();
    let mut places: HashMap<*const Event, usize> = HashMap::new();
    let mut correlations = Vec::new();
    for (correlation, groups) in correlator.rules.correlations.iter().zip(&correlator.groups) {
        if groups.is_empty() {
            continue;
        }
        let (id, fingerprint) = identity(correlation);
        let mut saved: Vec<SavedGroup> = groups
            .iter()
            .map(|(key, group)| SavedGroup {
                key: key.clone(),
                decided: group.decided,
                touched: group.touched,
                entries: group
                    .entries
                    .iter()
                    .map(|entry| {
                        let event = *places.entry(Arc::as_ptr(&entry.event)).or_insert_with(|| {
                            events.push(save_event(&entry.event));
                            events.len() - 1
                        });
                        save_entry(entry, event)
                    })
                    .collect(),
            })
            .collect();
        saved.sort_by(|left, right| left.key.cmp(&right.key));
        correlations.push(SavedCorrelation { id, fingerprint, groups: saved });
    }
    let saved = Saved { version: VERSION, newest: correlator.newest, events, correlations };
    serde_json::to_vec(&saved).unwrap_or_default()
}

pub(super) fn restore(correlator: &mut Correlator, bytes: &[u8]) -> Result<(), String> {
    let saved: Saved = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if saved.version != VERSION {
        return Err(format!("version {} is not {VERSION}", saved.version));
    }
    let events: Vec<Arc<Event>> = saved.events.iter().map(|saved| Arc::new(event(saved))).collect();
    let rules = Arc::clone(&correlator.rules);
    let metas: HashMap<&str, &Arc<RuleMeta>> =
        rules.metas.iter().map(|meta| (meta.id.as_str(), meta)).collect();
    correlator.newest = saved.newest;
    for one in saved.correlations {
        let wanted = (one.id, one.fingerprint);
        let place = rules.correlations.iter().position(|known| identity(known) == wanted);
        let Some(place) = place else { continue };
        for saved in one.groups {
            let mut group =
                Group { decided: saved.decided, touched: saved.touched, ..Group::default() };
            for saved in saved.entries {
                let (Some(event), Some(rule)) =
                    (events.get(saved.event), metas.get(saved.rule.as_str()))
                else {
                    continue;
                };
                group.insert(Entry {
                    time: saved.time,
                    bits: saved.bits,
                    reset: saved.reset,
                    value: saved.value,
                    carry: saved.carry,
                    event: Arc::clone(event),
                    rule: Arc::clone(rule),
                    evidence: saved.evidence.map(Into::into),
                    shown: None,
                    fired: saved.fired,
                });
            }
            correlator.groups[place].insert(saved.key, Box::new(group));
        }
    }
    correlator.sweep();
    Ok(())
}

fn save_entry(entry: &Entry, event: usize) -> SavedEntry {
    SavedEntry {
        time: entry.time,
        bits: entry.bits,
        reset: entry.reset,
        value: entry.value.clone(),
        carry: entry.carry.clone(),
        event,
        rule: entry.rule.id.clone(),
        evidence: entry.evidence.as_ref().map(|evidence| evidence.to_vec()),
        fired: entry.fired,
    }
}

fn save_event(event: &Event) -> SavedEvent {
    SavedEvent {
        id: event.id.to_string(),
        time: event.time.0,
        received: event.received.0,
        original: event.original().to_owned(),
        fields: event.iter().map(|(id, value)| (id.name().to_owned(), value.to_json())).collect(),
    }
}

fn event(saved: &SavedEvent) -> Event {
    let mut event = Event::default();
    event.set_original(&saved.original);
    event.id = EventId::parse(&saved.id).unwrap_or_default();
    event.time = Timestamp(saved.time);
    event.received = Timestamp(saved.received);
    for (name, value) in &saved.fields {
        let Some(id) = FieldId::intern(name) else { continue };
        match owned(value) {
            Some(value) => event.set_owned(id, &value),
            None => event.set(id, tocsin_model::Value::Object),
        }
    }
    event
}

fn owned(value: &Json) -> Option<OwnedValue> {
    Some(match value {
        Json::Null => OwnedValue::Null,
        Json::Bool(flag) => OwnedValue::Bool(*flag),
        Json::String(text) => OwnedValue::Str(text.clone()),
        Json::Array(items) => OwnedValue::List(items.iter().filter_map(owned).collect()),
        Json::Object(_) => return None,
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => OwnedValue::Int(whole),
            (None, Some(whole)) => OwnedValue::UInt(whole),
            (None, None) => OwnedValue::Float(number.as_f64()?),
        },
    })
}
