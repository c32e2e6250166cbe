//! [`Needs`]: what an event must have for any rule to match it, as far as that is easily said. Who
//! goes through history with a few rules asks for such events only.
//!
//! Rules in, conditions on fields out. Every event that a rule matches satisfies them; many that
//! satisfy them no rule matches.

use std::collections::HashMap;

use crate::RuleSet;
use crate::compile::arena::NodeId;
use crate::compile::slots::Slots;
use crate::compile::{Compiled, Node};
use crate::pattern::Pattern;
use crate::rule::ItemTest;

/// The most rules for which it is worked out: many rules need most events.
const RULES_MAX: usize = 32;

/// Conditions on an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Any event may do.
    Nothing,
    /// One of the fields has one of the texts, in any case.
    Text {
        /// Names of the fields.
        fields: Vec<String>,
        /// The texts.
        texts: Vec<String>,
    },
    /// All of these.
    All(Vec<Needs>),
    /// One of these; empty is no event.
    Any(Vec<Needs>),
}

impl RuleSet {
    /// What events of these fields must have for any of the rules to match them.
    pub fn needs<'n>(&self, fields: impl IntoIterator<Item = &'n str>) -> Needs {
        let rules = &self.compiled;
        if rules.rules.len() > RULES_MAX {
            return Needs::Nothing;
        }
        let mut names: HashMap<u32, Vec<String>> = HashMap::new();
        for name in fields {
            for feed in rules.slots.feeds(name) {
                names.entry(feed.slot).or_default().push(name.to_owned());
            }
        }
        let reading = Reading { rules, names };
        let of_rules = rules.rules.iter().map(|rule| {
            let source = rules.router.as_ref().and_then(|_| rules.source_nodes[rule.class]);
            all(source.into_iter().chain([rule.node]).map(|node| reading.node(node)))
        });
        any(of_rules)
    }
}

struct Reading<'r> {
    rules: &'r Compiled,
    /// Fields by the slots that they feed.
    names: HashMap<u32, Vec<String>>,
}

impl Reading<'_> {
    fn node(&self, node: NodeId) -> Needs {
        match &self.rules.arena.nodes[node as usize] {
            Node::Leaf(leaf) => self.leaf(*leaf),
            Node::Not(_) => Needs::Nothing,
            Node::And(parts) => all(parts.iter().map(|part| self.node(*part))),
            Node::Or(parts) => any(parts.iter().map(|part| self.node(*part))),
        }
    }

    fn leaf(&self, leaf: u32) -> Needs {
        let leaf = &self.rules.arena.leaves[leaf as usize];
        let ItemTest::Texts { patterns, .. } = &*leaf.test else { return Needs::Nothing };
        let exact = |pattern: &Pattern| match pattern {
            Pattern::Exact(text) if text.is_ascii() => Some(text.to_string()),
            _ => None,
        };
        let texts: Option<Vec<String>> = patterns.iter().map(exact).collect();
        match texts {
            Some(texts) if leaf.slot != Slots::KEYWORDS => {
                let fields = self.names.get(&leaf.slot).cloned().unwrap_or_default();
                Needs::Text { fields, texts }
            }
            _ => Needs::Nothing,
        }
    }
}

fn all(parts: impl Iterator<Item = Needs>) -> Needs {
    let mut parts: Vec<Needs> = parts.filter(|part| *part != Needs::Nothing).collect();
    match parts.len() {
        0 => Needs::Nothing,
        1 => parts.remove(0),
        _ => Needs::All(parts),
    }
}

fn any(parts: impl Iterator<Item = Needs>) -> Needs {
    let mut all: Vec<Needs> = Vec::new();
    for part in parts {
        if part == Needs::Nothing {
            return part;
        }
        if !all.contains(&part) {
            all.push(part);
        }
    }
    if all.len() == 1 { all.remove(0) } else { Needs::Any(all) }
}
