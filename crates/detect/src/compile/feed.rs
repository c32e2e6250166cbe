//! What flows from rules into correlations and from these into outer ones: which fields stand for
//! the group, for the counted value, and for what outer ones want. Linked correlations in, their
//! and the rules' feeds out.

use std::sync::Arc;

use tocsin_model::RuleMeta;

use super::Rule;
use super::arena::Builder;
use super::link::{Correlation, From, HitFeed, Mode, RuleFeed, Source};
use crate::rule::{CorrelationDoc, LogSource};

/// Tells the rules and correlations that `place` names to feed it.
pub(super) fn feed(
    place: usize,
    doc: &CorrelationDoc,
    correlations: &mut [Correlation],
    rules: &mut [Rule],
    sources: &[LogSource],
    builder: &mut Builder,
) {
    let wanted = wanted(doc, &correlations[place], correlations, rules);
    let carry = correlations[place].carry.clone();
    for Wanted { source, bits, reset } in wanted {
        let meta = match source {
            Source::Rule(rule) => Arc::clone(&rules[rule].meta),
            Source::Correlation(inner) => Arc::clone(&correlations[inner].meta),
        };
        let names = |fields: &[String]| -> Vec<String> {
            fields.iter().map(|field| alias(doc, &meta, field)).collect()
        };
        let (group, values) = (names(&doc.group_by), names(&doc.fields));
        let carried: Vec<String> = names(&carry);
        match source {
            Source::Rule(rule) => {
                let source = &sources[rules[rule].class];
                let mut slots = |names: &[String]| -> Vec<u32> {
                    names.iter().map(|name| builder.slot(name, source)).collect()
                };
                let feed = RuleFeed {
                    correlation: place,
                    bits,
                    reset,
                    group: slots(&group),
                    values: slots(&values),
                    carry: slots(&carried),
                };
                rules[rule].feeds.push(feed);
            }
            Source::Correlation(inner) => {
                let inner = &mut correlations[inner];
                let mut from = |names: &[String]| -> Vec<From> {
                    names.iter().map(|name| inner.wants(name)).collect()
                };
                let (group, values, carry) = (from(&group), from(&values), from(&carried));
                inner.feeds.push(HitFeed { correlation: place, bits, reset, group, values, carry });
            }
        }
    }
}

impl Correlation {
    fn wants(&mut self, field: &str) -> From {
        if let Some(place) = self.group_by.iter().position(|name| name == field) {
            return From::Group(place);
        }
        let known = self.carry.iter().position(|name| name == field);
        From::Carry(known.unwrap_or_else(|| {
            self.carry.push(field.to_owned());
            self.carry.len() - 1
        }))
    }
}

struct Wanted {
    source: Source,
    bits: u64,
    reset: bool,
}

/// Each rule and correlation named by `doc`, once, with its bits.
fn wanted(
    doc: &CorrelationDoc,
    own: &Correlation,
    correlations: &[Correlation],
    rules: &[Rule],
) -> Vec<Wanted> {
    let mut out: Vec<Wanted> = Vec::new();
    let mut add = |source: Source, bits: u64, reset: bool| match out
        .iter_mut()
        .find(|known| known.source == source)
    {
        Some(known) => {
            known.bits |= bits;
            known.reset |= reset;
        }
        None => out.push(Wanted { source, bits, reset }),
    };
    for (bit, source) in own.sources.iter().enumerate() {
        add(*source, 1 << bit, false);
    }
    for (name, _) in &doc.reset_by {
        let rule = rules.iter().position(|rule| is(&rule.meta, name)).map(Source::Rule);
        let inner = correlations.iter().position(|one| is(&one.meta, name));
        if let Some(source) = rule.or(inner.map(Source::Correlation)) {
            add(source, 0, true);
        }
    }
    out
}

/// What `field` is called in a listed rule.
fn alias(doc: &CorrelationDoc, rule: &RuleMeta, field: &str) -> String {
    let alias = doc.aliases.iter().find(|(alias, _)| alias == field);
    let own = alias.and_then(|(_, fields)| fields.iter().find(|one| is(rule, &one.rule)));
    own.map_or_else(|| field.to_owned(), |own| own.field.clone())
}

fn is(rule: &RuleMeta, name: &str) -> bool {
    rule.id == name || rule.name.as_deref() == Some(name)
}

/// A hit that is given at once lacks events that come late. Where only its group goes on, that
/// makes no difference; where fields of its events do, it has to wait for them.
pub(super) fn wait_for_order(correlation: &mut Correlation) {
    let carried = |from: &From| matches!(from, From::Carry(_));
    let carries = correlation
        .feeds
        .iter()
        .any(|feed| feed.group.iter().chain(&feed.values).chain(&feed.carry).any(carried));
    if carries && correlation.mode == Mode::Eager {
        correlation.mode = Mode::Ordered;
    }
}
