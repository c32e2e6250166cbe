//! [`Matcher`]: which rules match an event. Events in, numbers of matching rules out; keeps no
//! state from one event to the next, only buffers, so that nothing is allocated per event.

mod cache;
pub(crate) mod view;

use std::sync::Arc;

use tocsin_model::{Event, Value};

use crate::compile::arena::NodeId;
use crate::compile::class::{Class, SlotIndex, Target};
use crate::compile::leaf::{Leaf, Seen, compare_part};
use crate::compile::slots::Slots;
use crate::compile::{Compiled, Node};
use crate::cost::{Clock, Sampler};
use crate::rule::{ItemTest, Part};
use cache::Cache;
use view::View;

/// Matches events against rules.
#[derive(Debug)]
pub(crate) struct Matcher {
    rules: Arc<Compiled>,
    pub(crate) view: View,
    memo: Memo,
    /// Stamp of each target of the class at hand.
    looked_at: Vec<u32>,
    stamp: u32,
    candidates: Vec<Target>,
    classes: Vec<u32>,
    /// By number of the index.
    caches: Vec<Option<Cache>>,
    /// Actions found in the value at hand.
    found: Vec<u32>,
    /// Rule tests: every rule alerts, referenced or not.
    pub(crate) all_emit: bool,
    /// Of who measures.
    clock: Option<Clock>,
    sampler: Sampler,
    /// The clock, while an event is measured.
    timing: Option<Clock>,
}

/// What is known of nodes for the event at hand.
#[derive(Debug, Default)]
struct Memo {
    /// Twice the number of the event, plus whether the node holds.
    known: Vec<u32>,
    event: u32,
}

impl Memo {
    fn next(&mut self, nodes: usize) {
        self.known.resize(nodes, 0);
        self.event += 1;
        if self.event >= u32::MAX / 2 {
            self.known.fill(0);
            self.event = 1;
        }
    }

    #[inline]
    fn get(&self, node: NodeId) -> Option<bool> {
        let known = self.known[node as usize];
        (known >> 1 == self.event).then_some(known & 1 == 1)
    }

    #[inline]
    fn set(&mut self, node: NodeId, holds: bool) {
        self.known[node as usize] = self.event << 1 | u32::from(holds);
    }
}

impl Matcher {
    pub(crate) fn new(rules: Arc<Compiled>) -> Self {
        Self {
            rules,
            view: View::default(),
            memo: Memo::default(),
            looked_at: Vec::new(),
            stamp: 0,
            candidates: Vec::new(),
            classes: Vec::new(),
            caches: Vec::new(),
            found: Vec::new(),
            all_emit: false,
            clock: None,
            sampler: Sampler::new(),
            timing: None,
        }
    }

    /// Measures with this clock from now on.
    pub(crate) fn measure(&mut self, clock: Option<Clock>) {
        self.clock = clock;
    }

    /// The clock that measures.
    pub(crate) fn clock(&self) -> Option<Clock> {
        self.clock
    }

    /// The clock, while the event at hand is measured.
    pub(crate) fn timing(&self) -> Option<Clock> {
        self.timing
    }

    /// Begins with an event; the time, when it is one that is measured.
    #[inline]
    pub(crate) fn begin(&mut self) -> Option<u64> {
        self.timing = self.clock.filter(|_| self.sampler.hit());
        self.timing.map(|clock| clock())
    }

    /// Ends with an event that began at `started`.
    #[inline]
    pub(crate) fn end(&mut self, started: Option<u64>) {
        if let (Some(clock), Some(started)) = (self.timing.take(), started) {
            self.rules.meter.event(clock().saturating_sub(started));
        }
    }

    /// Starts on an event without matching any rule yet.
    pub(crate) fn open(&mut self, event: &Event) {
        self.memo.next(self.rules.arena.nodes.len());
        self.view.open(event, &self.rules.slots);
    }

    /// Finds the rules that match; their numbers are appended to `out`, lowest first.
    pub(crate) fn run(&mut self, event: &Event, out: &mut Vec<u32>) {
        self.open(event);
        let rules = Arc::clone(&self.rules);
        let first = out.len();
        match &rules.router {
            None => {
                if let Some(class) = rules.classes.first() {
                    self.class(class, event, out);
                }
            }
            Some(router) => {
                let mut classes = std::mem::take(&mut self.classes);
                classes.clear();
                // Its targets are log sources, not rules.
                let timing = self.timing.take();
                self.class(router, event, &mut classes);
                self.timing = timing;
                for (place, node) in rules.source_nodes.iter().enumerate() {
                    if node.is_none() {
                        classes.push(place as u32);
                    }
                }
                for place in &classes {
                    self.class(&rules.classes[*place as usize], event, out);
                }
                self.classes = classes;
            }
        }
        out[first..].sort_unstable();
    }

    fn class(&mut self, class: &Class, event: &Event, out: &mut Vec<u32>) {
        if class.targets.is_empty() {
            return;
        }
        let keywords = class.keywords && self.view.whole().is_none_or(|whole| class.hints(whole));
        if keywords {
            self.view.open_keywords(event);
        }
        self.collect(class, keywords);
        let mut candidates = std::mem::take(&mut self.candidates);
        for target in &candidates {
            self.judge(*target, event, out);
        }
        candidates.clear();
        self.candidates = candidates;
        for place in &class.always {
            self.judge(class.targets[*place as usize], event, out);
        }
    }

    #[inline]
    fn judge(&mut self, target: Target, event: &Event, out: &mut Vec<u32>) {
        let started = self.timing.map(|clock| (clock, clock()));
        if self.holds(target.node, event) {
            out.push(target.number);
        }
        if let Some((clock, started)) = started {
            self.rules.meter.add(target.number as usize, clock().saturating_sub(started));
        }
    }

    /// Scans the event's values for what the class looks for.
    fn collect(&mut self, class: &Class, keywords: bool) {
        self.stamp += 1;
        if self.stamp == u32::MAX {
            self.looked_at.fill(0);
            self.stamp = 1;
        }
        if self.looked_at.len() < class.targets.len() {
            self.looked_at.resize(class.targets.len(), 0);
        }
        let Self { view, memo, looked_at, stamp, candidates, caches, found, .. } = self;
        let mut act = |actions: &[u32]| {
            for action in actions {
                let action = class.action(*action);
                if let Some(node) = action.passed {
                    memo.set(node, true);
                }
                for place in &action.targets {
                    let seen = &mut looked_at[*place as usize];
                    if *seen != *stamp {
                        *seen = *stamp;
                        candidates.push(class.targets[*place as usize]);
                    }
                }
            }
        };
        for index in &class.indexes {
            let mut at = view.head(index.slot);
            while let Some(link) = view.link(at) {
                at = link.next;
                look(index, view, link.value, caches, found, &mut act);
            }
        }
        if keywords && let Some(index) = &class.keyword_index {
            for value in view.keyword_values() {
                index.scan(view.text(value), |actions| act(actions));
            }
        }
    }

    /// Whether a node holds for the event at hand.
    pub(crate) fn holds(&mut self, node: NodeId, event: &Event) -> bool {
        if let Some(known) = self.memo.get(node) {
            return known;
        }
        let rules = Arc::clone(&self.rules);
        let holds = self.decide(&rules, node, event);
        self.memo.set(node, holds);
        holds
    }

    fn decide(&mut self, rules: &Compiled, node: NodeId, event: &Event) -> bool {
        if let Some(known) = self.memo.get(node) {
            return known;
        }
        let holds = match &rules.arena.nodes[node as usize] {
            Node::Leaf(leaf) => self.leaf(&rules.arena.leaves[*leaf as usize], event),
            Node::Not(inner) => !self.decide(rules, *inner, event),
            Node::And(parts) => parts.iter().all(|part| self.decide(rules, *part, event)),
            Node::Or(parts) => parts.iter().any(|part| self.decide(rules, *part, event)),
        };
        self.memo.set(node, holds);
        holds
    }

    /// Whether a leaf passes.
    fn leaf(&mut self, leaf: &Leaf, event: &Event) -> bool {
        match &*leaf.test {
            ItemTest::Exists => self.view.any(leaf.slot, |_| true),
            ItemTest::Null => {
                let null = |value| matches!(self.view.value(value, event), Value::Null);
                self.view.any(leaf.slot, |value| self.view.null_element(value, event))
                    || !self.view.any(leaf.slot, |value| !null(value))
            }
            ItemTest::FieldRef { part, cased, .. } => self.field_ref(leaf, *part, *cased, event),
            _ if leaf.slot == Slots::KEYWORDS => {
                self.view.open_keywords(event);
                self.view.keyword_values().any(|value| leaf.passes(self.view.seen(value, event)))
            }
            _ => self.view.any(leaf.slot, |value| leaf.passes(self.view.seen(value, event))),
        }
    }

    fn field_ref(&self, leaf: &Leaf, part: Part, cased: bool, event: &Event) -> bool {
        self.view.any(leaf.slot, |value| {
            let seen = self.view.seen(value, event);
            self.view.any(leaf.other, |with| {
                let with = self.view.seen(with, event);
                match (seen.raw, with.raw) {
                    (Some(raw), Some(with)) if cased => compare_part(part, raw, with),
                    (Some(_), Some(_)) => compare_part(part, seen.folded, with.folded),
                    _ => false,
                }
            })
        })
    }

    /// The rules matched against.
    pub(crate) fn rules(&self) -> &Arc<Compiled> {
        &self.rules
    }

    /// Values of a slot that make a leaf pass.
    pub(crate) fn passing<'m>(&'m self, leaf: &'m Leaf, event: &'m Event) -> Vec<(u32, Seen<'m>)> {
        let view = &self.view;
        let mut values: Vec<u32> = if leaf.slot == Slots::KEYWORDS {
            view.keyword_values().collect()
        } else {
            view.of_slot(leaf.slot).collect()
        };
        values.sort_unstable();
        let field_ref = matches!(*leaf.test, ItemTest::FieldRef { .. } | ItemTest::Exists);
        let seen = values.into_iter().map(|value| (value, view.seen(value, event)));
        seen.filter(|(_, seen)| field_ref || leaf.passes(*seen)).collect()
    }
}

/// Looks for what `index` wants in a value, or remembers what was found in the same text before.
#[inline]
fn look(
    index: &SlotIndex,
    view: &mut View,
    value: u32,
    caches: &mut Vec<Option<Cache>>,
    found: &mut Vec<u32>,
    act: &mut impl FnMut(&[u32]),
) {
    let length = view.text(value).map_or(0, str::len);
    if !index.scans() || !(cache::BYTES_MIN..=cache::BYTES_MAX).contains(&length) {
        index.scan(view.text(value), act);
        return;
    }
    let hash = view.hash(value);
    let Some(text) = view.text(value) else { return };
    if caches.len() <= index.number() {
        caches.resize_with(index.number() + 1, || None);
    }
    let cache = caches[index.number()].get_or_insert_with(Cache::new);
    if let Some(actions) = cache.get(hash, text) {
        act(actions);
        return;
    }
    if !cache.admits(hash) {
        index.scan(Some(text), act);
        return;
    }
    found.clear();
    index.scan(Some(text), |actions| found.extend_from_slice(actions));
    found.sort_unstable();
    found.dedup();
    cache.put(hash, text, found);
    act(found);
}
