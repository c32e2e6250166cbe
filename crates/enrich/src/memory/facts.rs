//! Facts and when they were seen: which is new, and which is only new because nothing is known
//! yet.

use ahash::AHashMap;
use tocsin_model::{Event, Value, field};

use super::bytes::{Damaged, Reader, Writer};
use super::hash;
use super::select::Select;
use crate::config::FirstSeenConfig;

const DAY: u32 = 86_400;
/// When there are too many facts, so many of a hundred go.
const LET_GO_PERCENT: usize = 10;

/// When a fact was seen: first, seconds since 1970, and last, days since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    first: u32,
    day: u16,
}

#[derive(Debug)]
pub(super) struct Facts {
    kinds: Vec<(String, Select)>,
    learning: u32,
    facts_max: usize,
    seen: AHashMap<u64, Seen>,
    changed: AHashMap<u64, Seen>,
    let_go: u64,
}

impl Facts {
    pub(super) fn new(config: &FirstSeenConfig) -> Self {
        let facts = if config.enabled { config.in_force() } else { Default::default() };
        let kinds = facts
            .into_iter()
            .map(|(name, fact)| (name, Select::new(&fact.holds, &fact.fields)))
            .collect();
        Self {
            kinds,
            learning: (config.learning_days.max(0.0) * f64::from(DAY)) as u32,
            facts_max: config.facts_max.max(1),
            seen: AHashMap::new(),
            changed: AHashMap::new(),
            let_go: 0,
        }
    }

    pub(super) fn counts(&self) -> (usize, u64) {
        (self.seen.len(), self.let_go)
    }

    pub(super) fn see(&mut self, event: &mut Event, now: u32) {
        let mut news: Vec<usize> = Vec::new();
        let mut values = Vec::new();
        for number in 0..self.kinds.len() {
            let (name, select) = &self.kinds[number];
            if !select.of(event, &mut values) {
                continue;
            }
            let parts = values.iter().map(|value| &**value);
            let fact = hash([name.as_str(), "is"].into_iter().chain(parts));
            if !self.note(fact, now) {
                continue;
            }
            let name = self.kinds[number].0.as_str();
            let (kind, thing) = (hash([name]), hash([name, "of", &values[0]]));
            let several = values.len() > 1;
            let known = self.known_for(kind, now);
            // What is about a thing that nobody knows is no news of it.
            let thing_known = if several { self.known_for(thing, now) } else { known };
            if known.min(thing_known) >= self.learning {
                news.push(number);
            }
        }
        drop(values);
        if !news.is_empty() {
            let names = news.iter().map(|number| Value::Str(&self.kinds[*number].0));
            event.remove(field::TOCSIN_FIRST_SEEN);
            event.push_list(field::TOCSIN_FIRST_SEEN, names);
        }
    }

    /// For how long something has been known, seconds; it is from now on.
    fn known_for(&mut self, key: u64, now: u32) -> u32 {
        self.note(key, now);
        self.seen.get(&key).map_or(0, |seen| now.saturating_sub(seen.first))
    }

    /// Remembers; whether it was new.
    fn note(&mut self, key: u64, now: u32) -> bool {
        let day = u16::try_from(now / DAY).unwrap_or(u16::MAX);
        match self.seen.get_mut(&key) {
            Some(seen) if seen.day >= day && seen.first <= now => false,
            Some(seen) => {
                seen.first = seen.first.min(now);
                seen.day = seen.day.max(day);
                self.changed.insert(key, *seen);
                false
            }
            None => {
                let seen = Seen { first: now, day };
                self.put(key, seen);
                self.changed.insert(key, seen);
                true
            }
        }
    }

    fn put(&mut self, key: u64, seen: Seen) {
        if self.seen.len() >= self.facts_max && !self.seen.contains_key(&key) {
            self.let_some_go();
        }
        self.seen.insert(key, seen);
    }

    /// Forgets those that were not seen for longest.
    fn let_some_go(&mut self) {
        let wanted = (self.seen.len() * LET_GO_PERCENT / 100).max(1);
        let mut order: Vec<(u16, u64)> =
            self.seen.iter().map(|(key, seen)| (seen.day, *key)).collect();
        let kinds: Vec<u64> = self.kinds.iter().map(|(name, _)| hash([name.as_str()])).collect();
        order.retain(|(_, key)| !kinds.contains(key));
        let wanted = wanted.min(order.len());
        if let Some(last) = wanted.checked_sub(1) {
            order.select_nth_unstable(last);
        }
        for (_, key) in order.into_iter().take(wanted) {
            self.seen.remove(&key);
            self.changed.remove(&key);
            self.let_go += 1;
        }
    }

    pub(super) fn write_changes(&mut self, out: &mut Writer) -> bool {
        let any = !self.changed.is_empty();
        write(out, &self.changed);
        self.changed.clear();
        any
    }

    pub(super) fn write_all(&self, out: &mut Writer) {
        write(out, &self.seen);
    }

    pub(super) fn read(&mut self, input: &mut Reader<'_>) -> Result<(), Damaged> {
        for _ in 0..input.int()? {
            let (key, first, day) = (input.long()?, input.int()?, input.short()?);
            self.put(key, Seen { first, day });
        }
        Ok(())
    }
}

fn write(out: &mut Writer, seen: &AHashMap<u64, Seen>) {
    out.int(u32::try_from(seen.len()).unwrap_or(u32::MAX));
    for (key, Seen { first, day }) in seen.iter().take(u32::MAX as usize) {
        out.long(*key);
        out.int(*first);
        out.short(*day);
    }
}
