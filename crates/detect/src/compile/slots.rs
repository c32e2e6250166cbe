//! [`Slots`]: fields as rules name them, numbered, and which fields of events feed each.

use std::collections::HashMap;

use crate::tables::Tables;

/// A field as rules name it.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    /// Its name in rules.
    pub(crate) field: String,
}

/// Which slot an event field feeds, and how good a name for it this is (0 is best).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Feed {
    pub(crate) slot: u32,
    pub(crate) rank: u32,
}

/// All slots.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    pub(crate) slots: Vec<Slot>,
    known: HashMap<(String, Vec<String>), u32>,
    fed: HashMap<String, Vec<Feed>>,
    tables: Tables,
}

impl Slots {
    /// The slot of keywords: every value feeds it.
    pub(crate) const KEYWORDS: u32 = 0;

    pub(crate) fn new(tables: &Tables) -> Self {
        let keywords = Slot { field: String::new() };
        Self { slots: vec![keywords], tables: tables.clone(), ..Self::default() }
    }

    /// The slot of a field that stands for the event fields `names`.
    pub(crate) fn slot(&mut self, field: &str, names: impl FnOnce() -> Vec<String>) -> u32 {
        let key = (field.to_owned(), names());
        if let Some(slot) = self.known.get(&key) {
            return *slot;
        }
        let slot = self.slots.len() as u32;
        self.slots.push(Slot { field: field.to_owned() });
        for (rank, name) in key.1.iter().enumerate() {
            self.fed.entry(name.clone()).or_default().push(Feed { slot, rank: rank as u32 });
        }
        self.known.insert(key, slot);
        slot
    }

    /// The slots that an event field of this name feeds.
    pub(crate) fn feeds(&self, name: &str) -> Vec<Feed> {
        let mut feeds = self.fed.get(name).cloned().unwrap_or_default();
        let short = self.tables.canonical(name);
        for feed in short.and_then(|short| self.fed.get(&short)).into_iter().flatten() {
            if !feeds.iter().any(|known| known.slot == feed.slot) {
                feeds.push(*feed);
            }
        }
        feeds
    }
}
