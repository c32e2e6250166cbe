//! Correlations find the rules they name. In: correlation documents and compiled rules. Out:
//! [`Correlation`]s, inner ones first; what names an unknown rule or itself is refused.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hasher;
use std::sync::Arc;

use tocsin_content::Diagnostic;
use tocsin_content::yaml::Place;
use tocsin_model::RuleMeta;

use super::arena::Builder;
use super::{Rule, error, feed};
use crate::number::{Number, Operator};
use crate::options::Options;
use crate::rule::condition::Condition;
use crate::rule::correlation::{CorrelationKind, Threshold};
use crate::rule::{CorrelationDoc, LogSource};

/// A correlation, compiled.
#[derive(Debug)]
pub(crate) struct Correlation {
    pub(crate) meta: Arc<RuleMeta>,
    pub(crate) kind: CorrelationKind,
    pub(crate) threshold: Threshold,
    pub(crate) percentile: f64,
    /// Nanoseconds.
    pub(crate) timespan: i64,
    /// What the group is called in findings.
    pub(crate) group_by: Vec<String>,
    /// Rules in the order listed, by the bit they have; several bits may be one rule.
    pub(crate) sources: Vec<Source>,
    /// Bits of rules that an earlier bit is too.
    pub(crate) repeats: u64,
    /// Whether it alerts by itself.
    pub(crate) emits: bool,
    pub(crate) mode: Mode,
    /// Fields that outer correlations want from its events, besides the group.
    pub(crate) carry: Vec<String>,
    /// Outer correlations that it feeds.
    pub(crate) feeds: Vec<HitFeed>,
    /// Changes when anything about how it matches does.
    pub(crate) fingerprint: u64,
}

/// What a bit of a correlation stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Rule(usize),
    Correlation(usize),
}

/// When a correlation decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// As soon as an event comes: more events can only make it truer.
    Eager,
    /// At each event, but in the order of time, once no earlier event can come.
    Ordered,
    /// At the end of each window.
    Closing,
}

/// How matches of a rule go into a correlation.
#[derive(Debug, Clone)]
pub(crate) struct RuleFeed {
    pub(crate) correlation: usize,
    /// Bits of the rule; none when it only clears the group.
    pub(crate) bits: u64,
    pub(crate) reset: bool,
    /// Slots of the group.
    pub(crate) group: Vec<u32>,
    /// Slots of the counted values.
    pub(crate) values: Vec<u32>,
    /// Slots of what outer correlations want.
    pub(crate) carry: Vec<u32>,
}

/// How hits of a correlation go into an outer one.
#[derive(Debug, Clone)]
pub(crate) struct HitFeed {
    pub(crate) correlation: usize,
    pub(crate) bits: u64,
    pub(crate) reset: bool,
    pub(crate) group: Vec<From>,
    pub(crate) values: Vec<From>,
    pub(crate) carry: Vec<From>,
}

/// Where an outer correlation finds a field of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// In the hit's group.
    Group(usize),
    /// In what its events carry.
    Carry(usize),
}

/// Hash of what a rule is made of, the same in every run.
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    pub(crate) fn add(&mut self, part: &impl Debug) {
        self.write(format!("{part:?}").as_bytes());
    }

    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}

/// Links correlations to rules and each other.
pub(crate) fn link(
    docs: Vec<CorrelationDoc>,
    rules: &mut [Rule],
    sources: &[LogSource],
    builder: &mut Builder,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Correlation> {
    let mut linker = Linker::new(&docs, rules);
    let order = linker.order(diagnostics, options);
    let mut correlations: Vec<Correlation> = Vec::with_capacity(order.len());
    let mut places = HashMap::new();
    for doc in &order {
        places.insert(*doc, correlations.len());
        correlations.push(linker.correlation(*doc, &places, &correlations));
    }
    mark_silent(&mut correlations, rules, &docs, &order);
    // Outer ones first: what they want decides what inner ones carry.
    for place in (0..correlations.len()).rev() {
        feed::feed(place, &docs[order[place]], &mut correlations, rules, sources, builder);
    }
    correlations.iter_mut().for_each(feed::wait_for_order);
    correlations
}

struct Linker<'a> {
    docs: &'a [CorrelationDoc],
    rules: HashMap<String, usize>,
    fingerprints: Vec<u64>,
    correlations: HashMap<&'a str, usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
    Refused,
}

impl<'a> Linker<'a> {
    fn new(docs: &'a [CorrelationDoc], rules: &[Rule]) -> Self {
        let mut by_rule = HashMap::new();
        for (place, rule) in rules.iter().enumerate() {
            by_rule.insert(rule.meta.id.clone(), place);
            by_rule.extend(rule.meta.name.clone().map(|name| (name, place)));
        }
        let mut correlations = HashMap::new();
        for (place, doc) in docs.iter().enumerate() {
            correlations.insert(doc.meta.id.as_str(), place);
            correlations.extend(doc.meta.name.as_deref().map(|name| (name, place)));
        }
        let fingerprints = rules.iter().map(|rule| rule.fingerprint).collect();
        Self { docs, rules: by_rule, fingerprints, correlations }
    }

    /// Documents that can be linked, inner ones first.
    fn order(&mut self, diagnostics: &mut Vec<Diagnostic>, options: &Options) -> Vec<usize> {
        let mut visits = vec![Visit::New; self.docs.len()];
        let mut order = Vec::new();
        for (place, doc) in self.docs.iter().enumerate() {
            if let Err(message) = check_limits(doc, options) {
                diagnostics.push(error(&doc.meta, doc.place, message));
                visits[place] = Visit::Refused;
            }
            if let Err((place_of, message)) = self.check_aliases(doc) {
                diagnostics.push(error(&doc.meta, place_of, message));
                visits[place] = Visit::Refused;
            }
        }
        for place in 0..self.docs.len() {
            self.visit(place, &mut visits, &mut order, diagnostics);
        }
        order
    }

    /// An alias can only speak of rules that are listed, by id or name.
    fn check_aliases(&self, doc: &CorrelationDoc) -> Result<(), (Place, String)> {
        let same = |left: &str, right: &str| {
            let rules = (self.rules.get(left), self.rules.get(right));
            let inner = (self.correlations.get(left), self.correlations.get(right));
            left == right
                || matches!(rules, (Some(left), Some(right)) if left == right)
                || matches!(inner, (Some(left), Some(right)) if left == right)
        };
        for (alias, fields) in &doc.aliases {
            for one in fields {
                let mut listed = doc.rules.iter().chain(&doc.reset_by);
                if !listed.any(|(name, _)| same(name, &one.rule)) {
                    let message =
                        format!("alias {alias:?} names rule {:?}, which is not listed", one.rule);
                    return Err((one.place, message));
                }
            }
        }
        Ok(())
    }

    /// Depth first without recursion: chains may be of any depth.
    fn visit(
        &self,
        start: usize,
        visits: &mut [Visit],
        order: &mut Vec<usize>,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        if visits[start] != Visit::New {
            return;
        }
        let mut stack = vec![(start, 0)];
        visits[start] = Visit::Open;
        while let Some((doc, next)) = stack.pop() {
            let names = self.names(doc);
            let Some((name, place)) = names.get(next) else {
                visits[doc] = Visit::Done;
                order.push(doc);
                continue;
            };
            let meta = &self.docs[doc].meta;
            let problem = match self.correlations.get(name.as_str()) {
                Some(inner) => match visits[*inner] {
                    Visit::Done => None,
                    Visit::New => {
                        visits[*inner] = Visit::Open;
                        stack.push((doc, next));
                        stack.push((*inner, 0));
                        continue;
                    }
                    Visit::Open => Some(format!("correlation refers to itself through {name:?}")),
                    Visit::Refused => Some(format!("refers to {name:?}, which is refused")),
                },
                None if self.rules.contains_key(name) => None,
                None => Some(format!("refers to rule {name:?}, which is unknown or refused")),
            };
            match problem {
                None => stack.push((doc, next + 1)),
                Some(message) => {
                    visits[doc] = Visit::Refused;
                    diagnostics.push(error(meta, *place, message));
                }
            }
        }
    }

    fn names(&self, doc: usize) -> Vec<(String, Place)> {
        let doc = &self.docs[doc];
        doc.rules.iter().chain(&doc.reset_by).cloned().collect()
    }

    fn source(&self, name: &str, places: &HashMap<usize, usize>) -> Option<Source> {
        if let Some(rule) = self.rules.get(name) {
            return Some(Source::Rule(*rule));
        }
        places.get(self.correlations.get(name)?).map(|place| Source::Correlation(*place))
    }

    fn correlation(
        &self,
        doc: usize,
        places: &HashMap<usize, usize>,
        inner: &[Correlation],
    ) -> Correlation {
        let doc = &self.docs[doc];
        let listed = doc.rules.iter().filter_map(|(name, _)| self.source(name, places));
        let sources: Vec<Source> = listed.collect();
        let repeated = |bit: &usize| sources[..*bit].contains(&sources[*bit]);
        let repeats = (0..sources.len()).filter(repeated).fold(0, |bits, bit| bits | 1 << bit);
        let mut fingerprint = Fingerprint::new();
        fingerprint.add(&(doc.kind, &doc.threshold, &doc.fields, doc.percentile.to_bits()));
        fingerprint.add(&(doc.timespan, &doc.group_by));
        for (alias, fields) in &doc.aliases {
            let fields: Vec<_> = fields.iter().map(|one| (&one.rule, &one.field)).collect();
            fingerprint.add(&(alias, fields));
        }
        for (name, _) in doc.rules.iter().chain(&doc.reset_by) {
            fingerprint.add(&match self.source(name, places) {
                Some(Source::Rule(rule)) => self.fingerprints[rule],
                Some(Source::Correlation(place)) => inner[place].fingerprint,
                None => 0,
            });
        }
        Correlation {
            meta: Arc::clone(&doc.meta),
            kind: doc.kind,
            threshold: doc.threshold.clone(),
            percentile: doc.percentile,
            timespan: i64::try_from(doc.timespan.as_nanos()).unwrap_or(i64::MAX),
            group_by: doc.group_by.clone(),
            sources,
            repeats,
            emits: true,
            mode: mode(doc),
            carry: Vec::new(),
            feeds: Vec::new(),
            fingerprint: fingerprint.value(),
        }
    }
}

/// A threshold above what a group may hold could never be reached.
fn check_limits(doc: &CorrelationDoc, options: &Options) -> Result<(), String> {
    let max = options.limits.entries_per_group_max;
    let Threshold::Number(operators) = &doc.threshold else { return Ok(()) };
    let counts = matches!(doc.kind, CorrelationKind::EventCount | CorrelationKind::ValueCount);
    let limit = Number::Int(max as i128);
    let over = |(operator, number): &(Operator, Number)| {
        matches!(operator, Operator::Gt | Operator::Gte | Operator::Eq)
            && Operator::Gt.holds(*number, limit)
    };
    if counts && operators.iter().any(over) {
        return Err(format!("counts to more than {max}, the most entries a group may have"));
    }
    Ok(())
}

fn mode(doc: &CorrelationDoc) -> Mode {
    let rising = match &doc.threshold {
        Threshold::Number(operators) => {
            operators.iter().all(|(operator, _)| matches!(operator, Operator::Gt | Operator::Gte))
        }
        Threshold::All => true,
        Threshold::Rules(condition) => !negates(condition),
        Threshold::Sequences(ways) => ways.iter().all(|way| way.without == 0),
    };
    let growing = !matches!(
        doc.kind,
        CorrelationKind::ValueAvg | CorrelationKind::ValuePercentile | CorrelationKind::ValueMedian
    );
    match (rising, growing && doc.reset_by.is_empty()) {
        (false, _) => Mode::Closing,
        (true, false) => Mode::Ordered,
        (true, true) => Mode::Eager,
    }
}

fn negates(condition: &Condition) -> bool {
    match condition {
        Condition::Search(_) => false,
        Condition::Not(_) => true,
        Condition::And(parts) | Condition::Or(parts) => parts.iter().any(negates),
    }
}

/// Only the outermost rules alert, unless a correlation says `generate`.
fn mark_silent(
    correlations: &mut [Correlation],
    rules: &mut [Rule],
    docs: &[CorrelationDoc],
    order: &[usize],
) {
    let mut silent_rules: HashMap<usize, bool> = HashMap::new();
    let mut silent_correlations: HashMap<usize, bool> = HashMap::new();
    for (place, doc) in order.iter().enumerate() {
        for source in &correlations[place].sources {
            let (map, key) = match source {
                Source::Rule(rule) => (&mut silent_rules, *rule),
                Source::Correlation(inner) => (&mut silent_correlations, *inner),
            };
            *map.entry(key).or_insert(true) &= !docs[*doc].generate;
        }
    }
    for (rule, silent) in silent_rules {
        rules[rule].emits = !silent;
    }
    for (correlation, silent) in silent_correlations {
        correlations[correlation].emits = !silent;
    }
}
