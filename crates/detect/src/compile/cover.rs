//! Covers: for a condition, tests of which at least one must pass whenever the condition holds.
//! Only when one does is the condition looked at, so rules that have nothing to do with an event
//! cost nothing.

use super::arena::{Arena, Node, NodeId};
use super::background::Background;
use super::leaf::Leaf;
use super::scan::Needle;
use super::slots::Slots;
use crate::pattern::Pattern;
use crate::rule::ItemTest;

/// Something to look for in the values of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The folded value is this.
    Exact(Box<str>),
    /// The folded value has this in it.
    Needle(Needle),
    /// There is a value.
    Present,
}

/// Tests that cover a condition, and a guess at how many events in one pass.
#[derive(Debug, Clone)]
pub(crate) struct Cover {
    pub(crate) leaves: Vec<NodeId>,
    pub(crate) share: f32,
}

/// Finds covers.
pub(crate) struct Coverer<'a> {
    arena: &'a Arena,
    background: &'a Background,
    known: Vec<Option<Option<Cover>>>,
}

/// What a key costs even when it is never found.
const KEY_COST: f32 = 0.000_02;
/// A guess at how many events of a log source have some field.
const PRESENT_SHARE: f32 = 0.4;
/// A guess at how many events have some exact value in a field.
const EXACT_SHARE: f32 = 0.01;

impl<'a> Coverer<'a> {
    pub(crate) fn new(arena: &'a Arena, background: &'a Background) -> Self {
        Self { arena, background, known: vec![None; arena.nodes.len()] }
    }

    /// The best cover of a condition; `None` when it can hold without any test passing.
    pub(crate) fn cover(&mut self, node: NodeId) -> Option<Cover> {
        if let Some(known) = &self.known[node as usize] {
            return known.clone();
        }
        let cover = match &self.arena.nodes[node as usize] {
            Node::Leaf(leaf) => self.leaf(node, &self.arena.leaves[*leaf as usize]),
            Node::Not(_) => None,
            Node::And(parts) => {
                let covers = parts.iter().filter_map(|part| self.cover(*part));
                covers.min_by(|left, right| left.share.total_cmp(&right.share))
            }
            Node::Or(parts) => {
                let covers: Option<Vec<Cover>> =
                    parts.iter().map(|part| self.cover(*part)).collect();
                covers.map(|covers| Cover {
                    share: covers.iter().map(|cover| cover.share).sum(),
                    leaves: covers.into_iter().flat_map(|cover| cover.leaves).collect(),
                })
            }
        };
        self.known[node as usize] = Some(cover.clone());
        cover
    }

    fn leaf(&self, node: NodeId, leaf: &Leaf) -> Option<Cover> {
        let (keys, _) = keys(leaf)?;
        let share = keys.iter().map(|key| self.share(key) + KEY_COST).sum();
        Some(Cover { leaves: vec![node], share })
    }

    fn share(&self, key: &Key) -> f32 {
        match key {
            Key::Exact(text) => {
                // Words that ordinary logs have, such as `security`, are ordinary values.
                EXACT_SHARE + if text.len() > 3 { self.background.share(text) / 10.0 } else { 0.0 }
            }
            Key::Needle(needle) => {
                let anchored = needle.start || needle.end;
                self.background.share(&needle.text) * if anchored { 0.5 } else { 1.0 }
            }
            Key::Present => PRESENT_SHARE,
        }
    }
}

/// What to look for to find out that a leaf may pass, and whether finding it is enough. `None`
/// when it can pass without any value.
pub(crate) fn keys(leaf: &Leaf) -> Option<(Vec<Key>, bool)> {
    let keyword = leaf.slot == Slots::KEYWORDS;
    let present = || Some((vec![Key::Present], false));
    match &*leaf.test {
        ItemTest::Texts { patterns, cased } => {
            let mut enough = !cased;
            let mut keys = Vec::with_capacity(patterns.len());
            for pattern in patterns {
                match text_key(pattern, *cased, &mut enough) {
                    Some(key) => keys.push(key),
                    None if keyword => return None,
                    None => return present(),
                }
            }
            Some((keys, enough))
        }
        ItemTest::Regexes(sources) => {
            let mut keys = Vec::new();
            for source in sources {
                let required = source.required();
                if required.is_empty() {
                    return if keyword { None } else { present() };
                }
                keys.extend(required.into_iter().map(|text| {
                    let text = text.into_boxed_str();
                    Key::Needle(Needle { text, start: false, end: false })
                }));
            }
            Some((keys, false))
        }
        ItemTest::Exists => Some((vec![Key::Present], true)),
        ItemTest::Null => None,
        _ => present(),
    }
}

fn text_key(pattern: &Pattern, cased: bool, enough: &mut bool) -> Option<Key> {
    let ready = |text: &str| -> Box<str> {
        if cased { crate::fold::fold(text).into() } else { text.into() }
    };
    let needle = |text: &str, start: bool, end: bool| {
        let text = ready(text);
        (!text.is_empty()).then_some(Key::Needle(Needle { text, start, end }))
    };
    match pattern {
        Pattern::Exact(text) => Some(Key::Exact(ready(text))),
        Pattern::Prefix(text) => needle(text, true, false),
        Pattern::Suffix(text) => needle(text, false, true),
        Pattern::Contains(text) => needle(text, false, false),
        Pattern::Anything => None,
        Pattern::Glob(_) => {
            *enough = false;
            needle(&pattern.required()?, false, false)
        }
    }
}
