//! Saving windows whole and taking them back, as versioned JSON or in the [`compact`] form. What
//! cannot be found again (a rule that changed or is gone) is dropped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tocsin_model::value::OwnedValue;
use tocsin_model::{Contribution, Event, EventId, FieldId, RuleMeta, Timestamp};

use super::entry::{Entry, Key};
use super::group::Group;
use super::{Correlator, compact, identity};

const VERSION: u32 = 2;
/// The version before: rules stood with every entry.
const VERSION_WHOLE: u32 = 1;

/// Gives events by their ids, as far as it finds them. Beside them when the first of them was
/// received.
pub(crate) type Find<'a> = dyn FnMut(&HashSet<EventId>, Timestamp) -> Vec<Event> + 'a;

#[derive(Serialize)]
struct Saving<'a> {
    version: u32,
    newest: i64,
    correlations: Vec<SavingCorrelation<'a>>,
    /// Ids of the rules that entries name by their places.
    rules: Vec<&'a str>,
    events: Vec<SavedEvent>,
}

#[derive(Serialize)]
struct SavingCorrelation<'a> {
    id: String,
    fingerprint: u64,
    groups: Vec<SavingGroup<'a>>,
}

#[derive(Serialize)]
struct SavingGroup<'a> {
    key: &'a Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<i64>,
    touched: i64,
    entries: Vec<SavingEntry<'a>>,
}

#[derive(Serialize)]
struct SavingEntry<'a> {
    time: i64,
    bits: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    reset: bool,
    #[serde(skip_serializing_if = "is_empty")]
    value: &'a [Box<str>],
    #[serde(skip_serializing_if = "is_empty")]
    carry: &'a [Option<Box<str>>],
    event: usize,
    rule: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a [Contribution]>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    fired: bool,
}

fn is_empty<T>(list: &&[T]) -> bool {
    list.is_empty()
}

#[derive(Deserialize)]
pub(super) struct Saved {
    pub(super) version: u32,
    /// Whether it only says what changed since the piece before.
    #[serde(skip)]
    pub(super) follows: bool,
    pub(super) newest: i64,
    #[serde(default)]
    pub(super) rules: Vec<String>,
    pub(super) events: Vec<SavedEvent>,
    pub(super) correlations: Vec<SavedCorrelation>,
}

#[derive(Deserialize)]
pub(super) struct SavedCorrelation {
    pub(super) id: String,
    pub(super) fingerprint: u64,
    /// Keys of groups that are gone, before those that are told.
    #[serde(skip)]
    pub(super) gone: Vec<Key>,
    pub(super) groups: Vec<SavedGroup>,
}

#[derive(Deserialize)]
pub(super) struct SavedGroup {
    pub(super) key: Key,
    #[serde(default)]
    pub(super) decided: Option<i64>,
    #[serde(default)]
    pub(super) touched: i64,
    pub(super) entries: Vec<SavedEntry>,
}

#[derive(Deserialize)]
pub(super) struct SavedEntry {
    pub(super) time: i64,
    pub(super) bits: u64,
    #[serde(default)]
    pub(super) reset: bool,
    #[serde(default)]
    pub(super) value: Key,
    #[serde(default)]
    pub(super) carry: Box<[Option<Box<str>>]>,
    pub(super) event: usize,
    pub(super) rule: SavedRule,
    #[serde(default)]
    pub(super) evidence: Option<Vec<Contribution>>,
    #[serde(default)]
    pub(super) fired: bool,
}

/// A rule by its place among the rules, or as the version before named it.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum SavedRule {
    Place(usize),
    Id(String),
}

/// An event, each once although several entries may share it. Without fields and raw line where
/// it is found again by its id.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedEvent {
    pub(super) id: String,
    pub(super) time: i64,
    pub(super) received: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) original: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<(String, Json)>,
}

/// Places of what many entries share.
struct Shared<'a> {
    events: Vec<SavedEvent>,
    event_places: ahash::HashMap<*const Event, usize>,
    rules: Vec<&'a str>,
    rule_places: ahash::HashMap<*const RuleMeta, usize>,
}

pub(super) fn save(correlator: &Correlator) -> Vec<u8> {
    let mut shared = Shared {
        events: Vec::new(),
        event_places: ahash::HashMap::default(),
        rules: Vec::new(),
        rule_places: ahash::HashMap::default(),
    };
    let mut correlations = Vec::new();
    for (correlation, groups) in correlator.rules.correlations.iter().zip(&correlator.groups) {
        if groups.is_empty() {
            continue;
        }
        let (id, fingerprint) = identity(correlation);
        let mut sorted: Vec<_> = groups.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        let saved = sorted.into_iter().map(|(key, group)| SavingGroup {
            key,
            decided: group.decided,
            touched: group.touched,
            entries: group.entries.iter().map(|entry| shared.entry(entry)).collect(),
        });
        correlations.push(SavingCorrelation { id, fingerprint, groups: saved.collect() });
    }
    let Shared { events, rules, .. } = shared;
    let newest = correlator.newest;
    let saved = Saving { version: VERSION, newest, correlations, rules, events };
    serde_json::to_vec(&saved).unwrap_or_default()
}

impl<'a> Shared<'a> {
    fn entry(&mut self, entry: &'a Entry) -> SavingEntry<'a> {
        let events = &mut self.events;
        let event = *self.event_places.entry(Arc::as_ptr(&entry.event)).or_insert_with(|| {
            events.push(save_event(&entry.event));
            events.len() - 1
        });
        let rules = &mut self.rules;
        let rule = *self.rule_places.entry(Arc::as_ptr(&entry.rule)).or_insert_with(|| {
            rules.push(&entry.rule.id);
            rules.len() - 1
        });
        SavingEntry {
            time: entry.time,
            bits: entry.bits,
            reset: entry.reset,
            value: &entry.value,
            carry: &entry.carry,
            event,
            rule,
            evidence: entry.evidence.as_deref(),
            fired: entry.fired,
        }
    }
}

/// A group as it was saved, and in which piece: that one has its events and rules.
type Last = (usize, SavedGroup);

/// Takes windows back from a snapshot, or from a whole and the pieces that follow it.
pub(super) fn restore(
    correlator: &mut Correlator,
    pieces: &[&[u8]],
    find: &mut Find<'_>,
) -> Result<(), String> {
    let mut pieces = pieces.iter().map(|bytes| read(bytes)).collect::<Result<Vec<_>, _>>()?;
    if pieces.first().is_none_or(|first| first.follows)
        || pieces.iter().skip(1).any(|piece| !piece.follows)
    {
        return Err("the pieces do not follow each other".to_owned());
    }
    let rules = Arc::clone(&correlator.rules);
    let mut last: Vec<ahash::HashMap<Key, Last>> = Vec::new();
    last.resize_with(rules.correlations.len(), ahash::HashMap::default);
    for (number, piece) in pieces.iter_mut().enumerate() {
        correlator.newest = piece.newest;
        for one in piece.correlations.drain(..) {
            let wanted = (one.id, one.fingerprint);
            let place = rules.correlations.iter().position(|known| identity(known) == wanted);
            let Some(groups) = place.map(|place| &mut last[place]) else { continue };
            for key in &one.gone {
                groups.remove(key);
            }
            for group in one.groups {
                groups.insert(group.key.clone(), (number, group));
            }
        }
    }
    let events = events(&mut pieces, last.iter().flat_map(|groups| groups.values()), find);
    let metas: HashMap<&str, &Arc<RuleMeta>> =
        rules.metas.iter().map(|meta| (meta.id.as_str(), meta)).collect();
    for (place, groups) in last.into_iter().enumerate() {
        for (key, (number, saved)) in groups {
            let mut group =
                Group { decided: saved.decided, touched: saved.touched, ..Group::default() };
            let rule_ids = &pieces[number].rules;
            for saved in saved.entries {
                let rule = match &saved.rule {
                    SavedRule::Place(place) => rule_ids.get(*place).map(String::as_str),
                    SavedRule::Id(id) => Some(id.as_str()),
                };
                let rule = rule.and_then(|id| metas.get(id));
                let event = events[number].get(saved.event).and_then(Option::as_ref);
                let (Some(event), Some(rule)) = (event, rule) else { continue };
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
            correlator.groups[place].insert(key, Box::new(group));
        }
    }
    correlator.sweep();
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Saved, String> {
    if let Some(saved) = compact::read(bytes) {
        return saved;
    }
    let saved: Saved = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if ![VERSION, VERSION_WHOLE].contains(&saved.version) {
        return Err(format!("version {} is not {VERSION}", saved.version));
    }
    Ok(saved)
}

fn save_event(event: &Event) -> SavedEvent {
    let fields = event.iter().map(|(id, value)| (id.name().to_owned(), value.to_json()));
    let (fields, original) = (fields.collect(), event.original().to_owned());
    let (time, received) = (event.time.0, event.received.0);
    SavedEvent { id: event.id.to_string(), time, received, original, fields }
}

/// Those events of each piece, by their places, that entries of `groups` have; each once though
/// several pieces tell of it. One that is not found again is nothing but its id and times.
fn events<'a>(
    pieces: &mut [Saved],
    groups: impl Iterator<Item = &'a Last>,
    find: &mut Find<'_>,
) -> Vec<Vec<Option<Arc<Event>>>> {
    let mut wanted: Vec<Vec<bool>> =
        pieces.iter().map(|piece| vec![false; piece.events.len()]).collect();
    for (number, group) in groups {
        for entry in &group.entries {
            if let Some(wanted) = wanted[*number].get_mut(entry.event) {
                *wanted = true;
            }
        }
    }
    let mut all: HashMap<EventId, Event> = HashMap::new();
    let mut places = Vec::with_capacity(pieces.len());
    for (piece, wanted) in pieces.iter_mut().zip(&wanted) {
        let events = piece.events.drain(..).zip(wanted).map(|(saved, wanted)| {
            let event = wanted.then(|| event(&saved))?;
            let id = event.id;
            all.insert(id, event);
            Some(id)
        });
        places.push(events.collect::<Vec<_>>());
    }
    let bare = |event: &&Event| event.original().is_empty() && event.is_empty();
    let missing: HashSet<EventId> = all.values().filter(bare).map(|event| event.id).collect();
    if let Some(first) = all.values().filter(bare).map(|event| event.received).min() {
        for event in find(&missing, first) {
            if missing.contains(&event.id) {
                all.insert(event.id, event);
            }
        }
    }
    let all: HashMap<EventId, Arc<Event>> =
        all.into_iter().map(|(id, event)| (id, Arc::new(event))).collect();
    let found = |id: Option<EventId>| id.and_then(|id| all.get(&id).cloned());
    places.into_iter().map(|places| places.into_iter().map(found).collect()).collect()
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
