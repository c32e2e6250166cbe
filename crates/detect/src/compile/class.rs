//! [`Class`]: the conditions of one log source, indexed by what must be in an event for them to
//! hold. Values in; conditions worth looking at out.

use std::collections::HashMap;

use ahash::AHashMap;
use aho_corasick::packed::Searcher;

use super::arena::{Arena, NodeId};
use super::background::Background;
use super::cover::{Coverer, Key, keys};
use super::scan::{Needle, Scanner};
use super::slots::Slots;
use super::{Node, leaf};

/// A condition with the number of what it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) node: NodeId,
    pub(crate) number: u32,
}

/// Indexed conditions.
#[derive(Debug, Default)]
pub(crate) struct Class {
    pub(crate) targets: Box<[Target]>,
    /// Places in `targets` that must always be looked at.
    pub(crate) always: Box<[u32]>,
    /// What to look for, by slot; keywords apart.
    pub(crate) indexes: Box<[SlotIndex]>,
    pub(crate) keyword_index: Option<Box<SlotIndex>>,
    actions: Box<[Action]>,
    /// Whether keywords are searched for.
    pub(crate) keywords: bool,
    /// Finds the keywords in a whole event, where they are few.
    hints: Option<Searcher>,
}

/// What to look for in the values of one slot.
#[derive(Debug)]
pub(crate) struct SlotIndex {
    /// Whose values.
    pub(crate) slot: u32,
    exact: AHashMap<Box<str>, Range>,
    exact_len_max: usize,
    scanner: Option<Scanner>,
    /// Actions of each needle of the scanner.
    needles: Box<[Range]>,
    present: Range,
    /// Places in `actions`, in runs.
    runs: Box<[u32]>,
    /// Its number among those of all classes.
    number: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Range {
    start: u32,
    end: u32,
}

/// What finding a key means.
#[derive(Debug)]
pub(crate) struct Action {
    /// The leaf that has passed, when the key is enough.
    pub(crate) passed: Option<NodeId>,
    /// Places in `targets` to look at.
    pub(crate) targets: Box<[u32]>,
}

impl Class {
    /// Indexes conditions.
    pub(crate) fn new(
        targets: Vec<Target>,
        arena: &Arena,
        coverer: &mut Coverer<'_>,
        background: &Background,
    ) -> Self {
        let mut always = Vec::new();
        let mut leaves: HashMap<NodeId, Vec<u32>, ahash::RandomState> = HashMap::default();
        let mut order: Vec<NodeId> = Vec::new();
        for (place, target) in targets.iter().enumerate() {
            match coverer.cover(target.node) {
                Some(cover) => {
                    for leaf in cover.leaves {
                        let list = leaves.entry(leaf).or_insert_with(|| {
                            order.push(leaf);
                            Vec::new()
                        });
                        if list.last() != Some(&(place as u32)) {
                            list.push(place as u32);
                        }
                    }
                }
                None => always.push(place as u32),
            }
        }
        let mut actions = Vec::new();
        let mut slots: HashMap<u32, Vec<(Key, u32)>, ahash::RandomState> = HashMap::default();
        for node in order {
            let Some(leaf) = leaf_of(arena, node) else { continue };
            let Some((keys, enough)) = keys(leaf) else { continue };
            let action = actions.len() as u32;
            let targets = leaves.remove(&node).unwrap_or_default().into_boxed_slice();
            actions.push(Action { passed: enough.then_some(node), targets });
            let list = slots.entry(leaf.slot).or_default();
            list.extend(keys.into_iter().map(|key| (key, action)));
        }
        let keywords = slots.contains_key(&Slots::KEYWORDS);
        let hints = slots.get(&Slots::KEYWORDS).and_then(|keys| hints(keys));
        let keyword_keys = slots.remove(&Slots::KEYWORDS);
        let keyword_index =
            keyword_keys.map(|keys| Box::new(SlotIndex::new(Slots::KEYWORDS, keys, background)));
        Self {
            targets: targets.into(),
            always: always.into(),
            indexes: index(slots, background),
            keyword_index,
            actions: actions.into(),
            keywords,
            hints,
        }
    }

    /// Whether any keyword may be in an event with this text, folded and all ASCII.
    pub(crate) fn hints(&self, whole: &str) -> bool {
        self.hints.as_ref().is_none_or(|hints| hints.find(whole).is_some())
    }

    /// An action by its place.
    #[inline]
    pub(crate) fn action(&self, place: u32) -> &Action {
        &self.actions[place as usize]
    }

    /// Numbers its indexes from `first` on; the next number.
    pub(crate) fn number_indexes(&mut self, first: u32) -> u32 {
        (first..).zip(&mut self.indexes).for_each(|(number, index)| index.number = number);
        first + self.indexes.len() as u32
    }
}

impl SlotIndex {
    /// Its number among those of all classes.
    #[inline]
    pub(crate) fn number(&self) -> usize {
        self.number as usize
    }

    /// Whether it looks for parts of values.
    #[inline]
    pub(crate) fn scans(&self) -> bool {
        self.scanner.is_some()
    }

    /// Looks at one value; `found` is given the places of actions, perhaps some more than once.
    #[inline]
    pub(crate) fn scan(&self, text: Option<&str>, mut found: impl FnMut(&[u32])) {
        let mut run = |range: Range| {
            found(&self.runs[range.start as usize..range.end as usize]);
        };
        if self.present.end > self.present.start {
            run(self.present);
        }
        let Some(text) = text else { return };
        if text.len() <= self.exact_len_max
            && let Some(range) = self.exact.get(text)
        {
            run(*range);
        }
        if let Some(scanner) = &self.scanner {
            scanner.scan(text.as_bytes(), |needle| run(self.needles[needle as usize]));
        }
    }
}

/// Keywords that are looked for in a whole event at once, at most.
const HINTS_MAX: usize = 64;

/// A searcher for keywords; `None` where there are too many, or where a value that is no text
/// could match one.
fn hints(keys: &[(Key, u32)]) -> Option<Searcher> {
    let text = |key: &Key| match key {
        Key::Needle(needle) => Some(needle.text.clone()),
        Key::Exact(text) => Some(text.clone()),
        Key::Present => None,
    };
    let texts: Option<Vec<Box<str>>> = keys.iter().map(|(key, _)| text(key)).collect();
    // Numbers and booleans are written out for keywords.
    let of_text = |text: &str| {
        let shape = |c: char| c.is_ascii_digit() || "+-.einfa".contains(c);
        !text.chars().all(shape) && !"true".contains(text) && !"false".contains(text)
    };
    let texts = texts.filter(|texts| texts.len() <= HINTS_MAX)?;
    if !texts.iter().all(|text| of_text(text)) {
        return None;
    }
    Searcher::new(texts.iter().map(|text| text.as_bytes()))
}

fn leaf_of(arena: &Arena, node: NodeId) -> Option<&leaf::Leaf> {
    match arena.nodes.get(node as usize)? {
        Node::Leaf(leaf) => arena.leaves.get(*leaf as usize),
        _ => None,
    }
}

type BySlot = HashMap<u32, Vec<(Key, u32)>, ahash::RandomState>;

fn index(slots: BySlot, background: &Background) -> Box<[SlotIndex]> {
    let mut slots: Vec<_> = slots.into_iter().collect();
    slots.sort_by_key(|(slot, _)| *slot);
    slots.into_iter().map(|(slot, keys)| SlotIndex::new(slot, keys, background)).collect()
}

impl SlotIndex {
    fn new(slot: u32, keys: Vec<(Key, u32)>, background: &Background) -> Self {
        let mut exact: AHashMap<Box<str>, Vec<u32>> = AHashMap::new();
        let mut needles: AHashMap<Needle, Vec<u32>> = AHashMap::new();
        let mut present = Vec::new();
        for (key, action) in keys {
            let list = match key {
                Key::Exact(text) => exact.entry(text).or_default(),
                Key::Needle(needle) => needles.entry(needle).or_default(),
                Key::Present => &mut present,
            };
            if list.last() != Some(&action) {
                list.push(action);
            }
        }
        let mut runs: Vec<u32> = Vec::new();
        let mut file = |list: Vec<u32>| {
            let start = runs.len() as u32;
            runs.extend(list);
            Range { start, end: runs.len() as u32 }
        };
        let exact_len_max = exact.keys().map(|text| text.len()).max().unwrap_or(0);
        let exact = exact.into_iter().map(|(text, list)| (text, file(list))).collect();
        let (needles, ranges): (Vec<Needle>, Vec<Range>) =
            needles.into_iter().map(|(needle, list)| (needle, file(list))).unzip();
        let present = file(present);
        let scanner = (!needles.is_empty()).then(|| Scanner::new(&needles, background));
        Self {
            slot,
            exact,
            exact_len_max,
            scanner,
            needles: ranges.into(),
            present,
            runs: runs.into(),
            number: 0,
        }
    }
}
