//! [`Arena`]: conditions of all rules as one set of nodes in which equal parts are the same node,
//! so that a test that a thousand rules share is made once per event.

use std::collections::HashMap;
use std::sync::Arc;

use super::leaf::Leaf;
use super::slots::Slots;
use crate::rule::condition::Condition;
use crate::rule::{Item, ItemTest, LogSource, Search};
use crate::tables::Tables;

/// A node by its place in the arena.
pub(crate) type NodeId = u32;

/// A condition or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// A test, by its place in the leaves.
    Leaf(u32),
    Not(NodeId),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
}

/// All conditions.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    pub(crate) nodes: Vec<Node>,
    pub(crate) leaves: Vec<Leaf>,
}

impl Arena {
    /// Whether a node is a regular expression or has one in it at once.
    fn is_regex(&self, node: NodeId) -> bool {
        let leaf = |node: NodeId| match self.nodes.get(node as usize) {
            Some(Node::Leaf(leaf)) => self.leaves.get(*leaf as usize),
            _ => None,
        };
        let regex = |node: NodeId| {
            leaf(node).is_some_and(|leaf| matches!(*leaf.test, ItemTest::Regexes(_)))
        };
        match self.nodes.get(node as usize) {
            Some(Node::And(parts) | Node::Or(parts)) => parts.iter().any(|part| regex(*part)),
            Some(Node::Not(inner)) => regex(*inner),
            _ => regex(node),
        }
    }
}

/// Builds an arena; forgotten once everything is loaded.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) arena: Arena,
    pub(crate) slots: Slots,
    pub(crate) tables: Tables,
    known_nodes: HashMap<Node, NodeId, ahash::RandomState>,
    known_leaves: HashMap<(u32, u32, Arc<ItemTest>), NodeId, ahash::RandomState>,
}

impl Builder {
    pub(crate) fn new(tables: &Tables) -> Self {
        Self { tables: tables.clone(), slots: Slots::new(tables), ..Self::default() }
    }

    /// The slot of a field as rules of `source` mean it.
    pub(crate) fn slot(&mut self, field: &str, source: &LogSource) -> u32 {
        self.slots.slot(field, || self.tables.names(field, source))
    }

    fn node(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.known_nodes.get(&node) {
            return *id;
        }
        let id = self.arena.nodes.len() as NodeId;
        self.arena.nodes.push(node.clone());
        self.known_nodes.insert(node, id);
        id
    }

    fn many(&mut self, mut parts: Vec<NodeId>, make: fn(Box<[NodeId]>) -> Node) -> NodeId {
        let mut seen = Vec::with_capacity(parts.len());
        parts.retain(|part| {
            let new = !seen.contains(part);
            seen.push(*part);
            new
        });
        if let [one] = parts[..] {
            return one;
        }
        self.node(make(parts.into_boxed_slice()))
    }

    /// True when all of `parts` are.
    pub(crate) fn and(&mut self, mut parts: Vec<NodeId>) -> NodeId {
        // Regular expressions are dear, so what else is wanted is looked at before.
        parts.sort_by_key(|part| self.arena.is_regex(*part));
        self.many(parts, Node::And)
    }

    /// True when any of `parts` is.
    pub(crate) fn or(&mut self, parts: Vec<NodeId>) -> NodeId {
        self.many(parts, Node::Or)
    }

    /// Adds a search as a rule of `source` means it.
    pub(crate) fn search(&mut self, search: &Search, source: &LogSource) -> NodeId {
        match search {
            Search::Item(item) => self.item(item, source),
            Search::Not(inner) => {
                let inner = self.search(inner, source);
                self.node(Node::Not(inner))
            }
            Search::And(parts) => {
                let parts = parts.iter().map(|part| self.search(part, source)).collect();
                self.and(parts)
            }
            Search::Or(parts) => {
                let parts = parts.iter().map(|part| self.search(part, source)).collect();
                self.or(parts)
            }
        }
    }

    fn item(&mut self, item: &Item, source: &LogSource) -> NodeId {
        let slot = match &item.field {
            Some(field) => self.slot(field, source),
            None => Slots::KEYWORDS,
        };
        let other = match &item.test {
            ItemTest::FieldRef { other, .. } => self.slot(other, source),
            _ => Slots::KEYWORDS,
        };
        let test = Arc::new(item.test.clone());
        let key = (slot, other, test);
        if let Some(id) = self.known_leaves.get(&key) {
            return *id;
        }
        let leaf = self.arena.leaves.len() as u32;
        self.arena.leaves.push(Leaf::new(slot, other, Arc::clone(&key.2)));
        let id = self.node(Node::Leaf(leaf));
        self.known_leaves.insert(key, id);
        id
    }

    /// Adds a condition over searches that are already nodes.
    pub(crate) fn condition(&mut self, condition: &Condition, searches: &[NodeId]) -> NodeId {
        match condition {
            Condition::Search(place) => searches[*place],
            Condition::Not(inner) => {
                let inner = self.condition(inner, searches);
                self.node(Node::Not(inner))
            }
            Condition::And(parts) => {
                let parts = parts.iter().map(|part| self.condition(part, searches)).collect();
                self.and(parts)
            }
            Condition::Or(parts) => {
                let parts = parts.iter().map(|part| self.condition(part, searches)).collect();
                self.or(parts)
            }
        }
    }
}
