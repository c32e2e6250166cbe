//! Windows as few bytes, for who saves them every second: events by their ids, nothing in an order
//! of its own. In: a [`Correlator`]. Out: bytes; and from them the [`Saved`] that JSON gives, too.
//! All windows, or those that changed with the keys of those that are gone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tocsin_model::{Event, EventId, RuleMeta};

use super::entry::{Entry, Key};
use super::group;
use super::saved::{Saved, SavedCorrelation, SavedEntry, SavedEvent, SavedGroup, SavedRule};
use super::{Correlator, identity};

/// The first byte; in its place JSON has a brace.
const VERSION: u8 = 3;
/// The same of what follows on a whole.
const VERSION_FOLLOWING: u8 = 4;
const RESET: u8 = 1;
const FIRED: u8 = 2;

/// What has an order of its own goes behind its length, one by one.
#[derive(Serialize, Deserialize)]
struct Group<K, E> {
    key: K,
    decided: Option<i64>,
    touched: i64,
    entries: E,
}

#[derive(Serialize)]
struct Writing<'a> {
    time: i64,
    bits: u64,
    flags: u8,
    value: &'a Key,
    carry: &'a [Option<Box<str>>],
    event: usize,
    rule: usize,
    /// As JSON: few entries have any.
    evidence: Option<String>,
}

#[derive(Deserialize)]
struct Reading {
    time: i64,
    bits: u64,
    flags: u8,
    value: Key,
    carry: Box<[Option<Box<str>>]>,
    event: usize,
    rule: usize,
    evidence: Option<String>,
}

#[derive(Deserialize)]
struct Correlation {
    id: String,
    fingerprint: u64,
    groups: Vec<Group<Key, Vec<Reading>>>,
}

/// What became of a correlation's groups.
#[derive(Deserialize)]
struct Following {
    id: String,
    fingerprint: u64,
    gone: Vec<Key>,
    groups: Vec<Group<Key, Vec<Reading>>>,
}

/// Stream, offset, time, when received.
type EventPlace = (u64, u64, i64, i64);

#[derive(Deserialize)]
struct All<C> {
    newest: i64,
    correlations: Vec<C>,
    rules: Vec<String>,
    events: Vec<EventPlace>,
}

/// Places of what many entries share.
#[derive(Default)]
struct Shared<'a> {
    events: Vec<EventPlace>,
    event_places: ahash::HashMap<*const Event, usize>,
    rules: Vec<&'a str>,
    rule_places: ahash::HashMap<*const RuleMeta, usize>,
}

/// All groups; or with the keys that are `gone`, by correlation, those that changed.
pub(super) fn save(correlator: &Correlator, gone: Option<&Vec<Vec<Key>>>) -> Vec<u8> {
    // Nothing that is written can be refused.
    write(correlator, gone).unwrap_or_default()
}

fn write(correlator: &Correlator, gone: Option<&Vec<Vec<Key>>>) -> postcard::Result<Vec<u8>> {
    let mut shared = Shared::default();
    let mut out = vec![if gone.is_some() { VERSION_FOLLOWING } else { VERSION }];
    out = postcard::to_extend(&correlator.newest, out)?;
    let mut told = Vec::new();
    let all = correlator.rules.correlations.iter().zip(&correlator.groups);
    for (place, (correlation, groups)) in all.enumerate() {
        let gone = gone.map(|gone| gone.get(place).map_or(&[][..], Vec::as_slice));
        let groups = groups.iter().filter(|(_, group)| gone.is_none() || group.changed);
        let groups: Vec<(&Key, &Box<group::Group>)> = groups.collect();
        if !groups.is_empty() || gone.is_some_and(|gone| !gone.is_empty()) {
            told.push((correlation, gone, groups));
        }
    }
    out = postcard::to_extend(&told.len(), out)?;
    for (correlation, gone, groups) in told {
        out = postcard::to_extend(&identity(correlation), out)?;
        if let Some(gone) = gone {
            out = postcard::to_extend(gone, out)?;
        }
        out = postcard::to_extend(&groups.len(), out)?;
        for (key, group) in groups {
            let (decided, touched) = (group.decided, group.touched);
            // The length stands where a list's own would.
            let entries = group.entries.len();
            out = postcard::to_extend(&Group { key, decided, touched, entries }, out)?;
            for entry in &group.entries {
                out = postcard::to_extend(&shared.entry(entry), out)?;
            }
        }
    }
    postcard::to_extend(&(shared.rules, shared.events), out)
}

impl<'a> Shared<'a> {
    fn entry(&mut self, entry: &'a Entry) -> Writing<'a> {
        let events = &mut self.events;
        let event = *self.event_places.entry(Arc::as_ptr(&entry.event)).or_insert_with(|| {
            let Event { id, time, received, .. } = &*entry.event;
            events.push((id.stream, id.offset, time.0, received.0));
            events.len() - 1
        });
        let rules = &mut self.rules;
        let rule = *self.rule_places.entry(Arc::as_ptr(&entry.rule)).or_insert_with(|| {
            rules.push(&entry.rule.id);
            rules.len() - 1
        });
        let evidence = entry.evidence.as_deref();
        Writing {
            time: entry.time,
            bits: entry.bits,
            flags: u8::from(entry.reset) * RESET + u8::from(entry.fired) * FIRED,
            value: &entry.value,
            carry: &entry.carry,
            event,
            rule,
            evidence: evidence.map(|list| serde_json::to_string(list).unwrap_or_default()),
        }
    }
}

/// Reads what [`save`] wrote; `None` when it is JSON.
pub(super) fn read(bytes: &[u8]) -> Option<Result<Saved, String>> {
    match bytes {
        [] | [b'{', ..] => None,
        [VERSION, rest @ ..] => Some(
            postcard::from_bytes(rest)
                .map_err(|error| error.to_string())
                .and_then(|all: All<Correlation>| all.saved(false)),
        ),
        [VERSION_FOLLOWING, rest @ ..] => Some(
            postcard::from_bytes(rest)
                .map_err(|error| error.to_string())
                .and_then(|all: All<Following>| all.saved(true)),
        ),
        [other, ..] => Some(Err(format!("version {other} is not {VERSION}"))),
    }
}

impl From<Correlation> for Following {
    fn from(whole: Correlation) -> Self {
        let Correlation { id, fingerprint, groups } = whole;
        Self { id, fingerprint, gone: Vec::new(), groups }
    }
}

impl<C: Into<Following>> All<C> {
    fn saved(self, follows: bool) -> Result<Saved, String> {
        let event = |(stream, offset, time, received)| SavedEvent {
            id: EventId { stream, offset }.to_string(),
            time,
            received,
            original: String::new(),
            fields: Vec::new(),
        };
        let correlations = self.correlations.into_iter().map(|one| {
            let Following { id, fingerprint, gone, groups } = one.into();
            let groups = groups.into_iter().map(|group| {
                let entries = group.entries.into_iter().map(Reading::saved);
                Ok(SavedGroup {
                    key: group.key,
                    decided: group.decided,
                    touched: group.touched,
                    entries: entries.collect::<Result<_, String>>()?,
                })
            });
            let groups = groups.collect::<Result<_, String>>()?;
            Ok(SavedCorrelation { id, fingerprint, gone, groups })
        });
        Ok(Saved {
            version: u32::from(VERSION),
            follows,
            newest: self.newest,
            correlations: correlations.collect::<Result<_, String>>()?,
            rules: self.rules,
            events: self.events.into_iter().map(event).collect(),
        })
    }
}

impl Reading {
    fn saved(self) -> Result<SavedEntry, String> {
        let evidence = self.evidence.as_deref().map(serde_json::from_str).transpose();
        Ok(SavedEntry {
            time: self.time,
            bits: self.bits,
            reset: self.flags & RESET != 0,
            value: self.value,
            carry: self.carry,
            event: self.event,
            rule: SavedRule::Place(self.rule),
            evidence: evidence.map_err(|error| error.to_string())?,
            fired: self.flags & FIRED != 0,
        })
    }
}
