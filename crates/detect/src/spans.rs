//! Which parts of an event made a rule match, for people to see. Only done for findings.

use tocsin_model::{Event, MatchSpan};

use crate::compile::arena::NodeId;
use crate::compile::{Compiled, Node, RulePart};
use crate::fold::fold_char;
use crate::matcher::Matcher;
use crate::rule::condition::Condition;

/// The most spans of one finding.
const SPANS_MAX: usize = 64;
/// The longest value that a span carries, in bytes; the rest is cut around the match.
const VALUE_BYTES_MAX: usize = 4096;

/// The spans of a rule that matches the event that `matcher` was last opened on.
pub(crate) fn spans(matcher: &mut Matcher, rule: u32, event: &Event) -> Vec<MatchSpan> {
    let rules = std::sync::Arc::clone(matcher.rules());
    let Some(rule) = rules.rules.get(rule as usize) else { return Vec::new() };
    let mut out = Vec::new();
    for part in &rule.parts {
        let mut walk = Walk { matcher, rules: &rules, part, event, out: &mut out };
        for condition in &part.conditions {
            walk.condition(condition);
        }
    }
    out
}

struct Walk<'a> {
    matcher: &'a mut Matcher,
    rules: &'a Compiled,
    part: &'a RulePart,
    event: &'a Event,
    out: &'a mut Vec<MatchSpan>,
}

impl Walk<'_> {
    /// Searches that are wanted to hold; those under `not` explain nothing.
    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Search(place) => {
                let Some((name, node)) = self.part.searches.get(*place) else { return };
                if self.matcher.holds(*node, self.event) {
                    self.node(name, *node);
                }
            }
            Condition::Not(_) => {}
            Condition::And(parts) | Condition::Or(parts) => {
                parts.iter().for_each(|part| self.condition(part));
            }
        }
    }

    fn node(&mut self, name: &str, node: NodeId) {
        match &self.rules.arena.nodes[node as usize] {
            Node::Leaf(leaf) => self.leaf(name, *leaf),
            Node::Not(_) => {}
            Node::And(parts) | Node::Or(parts) => {
                for part in parts {
                    if self.matcher.holds(*part, self.event) {
                        self.node(name, *part);
                    }
                }
            }
        }
    }

    fn leaf(&mut self, name: &str, leaf: u32) {
        let leaf = &self.rules.arena.leaves[leaf as usize];
        let view = &self.matcher.view;
        for (value, seen) in self.matcher.passing(leaf, self.event) {
            if self.out.len() >= SPANS_MAX {
                return;
            }
            let Some(raw) = seen.raw else { continue };
            let Some((start, end, as_written)) = leaf.span(seen).or(Some((0, raw.len(), true)))
            else {
                continue;
            };
            let (start, end) = if as_written { (start, end) } else { unfold(raw, start, end) };
            let span = cut(name, view.field_name(value, self.event), raw, start, end);
            if !self.out.contains(&span) {
                self.out.push(span);
            }
        }
    }
}

/// Offsets into folded text as offsets into the text itself.
fn unfold(raw: &str, start: usize, end: usize) -> (usize, usize) {
    if raw.is_ascii() {
        return (start, end);
    }
    let mut folded = 0;
    let mut from = raw.len();
    for (at, c) in raw.char_indices() {
        if folded >= end {
            return (from.min(at), at);
        }
        if folded >= start {
            from = from.min(at);
        }
        folded += fold_char(c).len_utf8();
    }
    (from, raw.len())
}

fn cut(selection: &str, field: &str, raw: &str, start: usize, end: usize) -> MatchSpan {
    let from = if raw.len() > VALUE_BYTES_MAX {
        raw.floor_char_boundary(start.saturating_sub(VALUE_BYTES_MAX / 4))
    } else {
        0
    };
    let to = raw.floor_char_boundary((from + VALUE_BYTES_MAX).min(raw.len()));
    MatchSpan {
        selection: selection.to_owned(),
        field: field.to_owned(),
        value: raw.get(from..to).unwrap_or("").to_owned(),
        start: (start - from) as u32,
        end: (end.min(to) - from) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fold::fold;

    #[test]
    fn offsets_survive_folding() {
        let raw = "\u{212A}ÄRZTE x ẞtest";
        let folded = fold(raw);
        for needle in ["ärzte", "k", "ßtest", "test"] {
            let start = folded.find(needle).unwrap();
            let (from, to) = unfold(raw, start, start + needle.len());
            assert_eq!(fold(&raw[from..to]), needle);
        }
    }
}
