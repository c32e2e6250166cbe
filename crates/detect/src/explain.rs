//! [`explain`]: why a rule does or does not match an event, as a tree with the values.

use std::sync::Arc;

use serde::Serialize;
use tocsin_model::Event;

use crate::RuleSet;
use crate::compile::arena::NodeId;
use crate::compile::leaf::Leaf;
use crate::compile::link::{Correlation, Source};
use crate::compile::{Compiled, Node, RulePart};
use crate::detector::Detector;
use crate::matcher::Matcher;
use crate::number::{Number, Operator};
use crate::options::Options;
use crate::rule::condition::Condition;
use crate::rule::correlation::{CorrelationKind, Threshold};
use crate::rule::{ItemTest, Part};

/// Why a rule did or did not match an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The rule's id.
    pub rule_id: String,
    /// The rule's title.
    pub title: String,
    /// Whether the rule matches the event (log source and condition). For a correlation: whether
    /// it fires with this event alone.
    pub matched: bool,
    /// For a correlation to which the event counts without being enough: what is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<String>,
    /// For a correlation: what it takes, beside events of these rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes: Option<Takes>,
    /// The log source: whether the event is of it.
    pub log_source: Explained,
    /// The condition. For a correlation, the rules it listens to.
    pub condition: Explained,
}

/// What a correlation takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Takes {
    /// What is counted, as Sigma names it: `event_count`, `value_count`, `temporal`, ….
    pub kind: String,
    /// What must hold of the number: `>= 5`. Empty where rules, not numbers, must come together.
    pub tests: Vec<String>,
    /// Within which time: `60s`, `5m`.
    pub within: String,
    /// One count for each of these fields' values.
    pub by: Vec<String>,
    /// Ids of the rules it listens to.
    pub rules: Vec<String>,
}

/// One part of an [`Explanation`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// What is asked, for example `and`, `selection`, `Image`.
    pub what: String,
    /// Whether it holds.
    pub matched: bool,
    /// What the rule wants, for leaves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<String>,
    /// What the event has: field and value, for leaves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<(String, serde_json::Value)>,
    /// Its parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Explained>,
}

/// How what is said of a log source begins.
const LOG_SOURCE: &str = "log source ";
/// The most wanted values that a leaf lists.
const WANTED_MAX: usize = 200;

/// Says why a rule does or does not match an event; `None` when there is no such rule.
pub fn explain(rules: &RuleSet, id_or_name: &str, event: &Event) -> Option<Explanation> {
    let compiled = &rules.compiled;
    let place = *compiled.by_name.get(id_or_name)?;
    let mut matcher = Matcher::new(Arc::clone(compiled));
    matcher.open(event);
    let mut explainer = Explainer { rules: compiled, matcher, event };
    match place.checked_sub(compiled.rules.len()) {
        None => explainer.rule(place),
        Some(correlation) => explainer.correlation(correlation),
    }
}

/// What a rule reads, and whether that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleSource {
    /// The rule's id.
    pub rule_id: String,
    /// The log source as Sigma writes it; empty for every event. Of a correlation those of the
    /// rules that it listens to.
    pub log_source: String,
    /// Whether one of the events is of it.
    pub seen: bool,
}

/// For every rule its log source, and whether one of some events is of it.
pub fn log_sources(rules: &RuleSet, events: &[Event]) -> Vec<RuleSource> {
    let compiled = &rules.compiled;
    let mut seen: Vec<bool> =
        compiled.source_nodes.iter().map(|node| node.is_none() && !events.is_empty()).collect();
    let mut matcher = Matcher::new(Arc::clone(compiled));
    for event in events {
        matcher.open(event);
        let mut explainer = Explainer { rules: compiled, matcher, event };
        for (class, node) in compiled.source_nodes.iter().enumerate() {
            if let (false, Some(node)) = (seen[class], node) {
                seen[class] = explainer.node(*node).matched;
            }
        }
        matcher = explainer.matcher;
    }
    let of_rules = compiled.rules.iter().map(|rule| RuleSource {
        rule_id: rule.meta.id.clone(),
        log_source: compiled.sources[rule.class].to_string(),
        seen: seen[rule.class],
    });
    let of_rules: Vec<RuleSource> = of_rules.collect();
    let mut all = of_rules.clone();
    for correlation in &compiled.correlations {
        let heard = correlation.sources.iter().map(|source| match source {
            Source::Rule(place) => of_rules.get(*place),
            // An inner correlation comes before the one that listens to it.
            Source::Correlation(place) => all.get(of_rules.len() + *place),
        });
        let heard: Vec<&RuleSource> = heard.flatten().collect();
        let mut names: Vec<&str> = heard.iter().map(|one| one.log_source.as_str()).collect();
        names.dedup();
        let entry = RuleSource {
            rule_id: correlation.meta.id.clone(),
            log_source: names.join("; "),
            seen: heard.iter().any(|one| one.seen),
        };
        all.push(entry);
    }
    all
}

struct Explainer<'a> {
    rules: &'a Arc<Compiled>,
    matcher: Matcher,
    event: &'a Event,
}

impl Explainer<'_> {
    fn rule(&mut self, place: usize) -> Option<Explanation> {
        let rule = self.rules.rules.get(place)?;
        let source = &self.rules.sources[rule.class];
        let mut log_source = match self.rules.source_nodes[rule.class] {
            Some(node) => self.node(node),
            None => Explained::of("any event", true),
        };
        let routed = self.rules.router.is_some();
        log_source = Explained {
            what: format!("{LOG_SOURCE}{source}"),
            matched: log_source.matched || !routed,
            parts: if routed { vec![log_source] } else { Vec::new() },
            ..Explained::of("", true)
        };
        let parts: Vec<Explained> = rule.parts.iter().map(|part| self.part(part)).collect();
        let condition = join("and", parts);
        Some(Explanation {
            rule_id: rule.meta.id.clone(),
            title: rule.meta.title.clone(),
            matched: log_source.matched && condition.matched,
            counts: None,
            takes: None,
            log_source,
            condition,
        })
    }

    fn correlation(&mut self, place: usize) -> Option<Explanation> {
        let correlation = self.rules.correlations.get(place)?;
        let mut parts = Vec::new();
        for source in &correlation.sources {
            let explanation = match source {
                Source::Rule(rule) => self.rule(*rule)?,
                Source::Correlation(inner) => self.correlation(*inner)?,
            };
            parts.push(Explained {
                what: explanation.title,
                matched: explanation.matched,
                parts: vec![explanation.log_source, explanation.condition],
                ..Explained::of("", true)
            });
        }
        let what = format!("{} over these rules", correlation.kind.name());
        let condition = Explained { what, ..join_all("or", parts) };
        let matched = condition.matched && self.fires_alone(&correlation.meta.id);
        let counts = (condition.matched && !matched).then(|| needed(correlation));
        Some(Explanation {
            rule_id: correlation.meta.id.clone(),
            title: correlation.meta.title.clone(),
            matched,
            counts,
            takes: Some(self.takes(correlation)),
            log_source: Explained::of("that of the rules it listens to", true),
            condition,
        })
    }

    fn takes(&self, correlation: &Correlation) -> Takes {
        let tests = match &correlation.threshold {
            Threshold::Number(tests) => tests
                .iter()
                .map(|(operator, number)| format!("{} {}", operator.name(), number.to_text()))
                .collect(),
            _ => Vec::new(),
        };
        let id = |source: &Source| match source {
            Source::Rule(place) => self.rules.rules.get(*place).map(|rule| rule.meta.id.clone()),
            Source::Correlation(place) => {
                self.rules.correlations.get(*place).map(|inner| inner.meta.id.clone())
            }
        };
        Takes {
            kind: correlation.kind.name().to_owned(),
            tests,
            within: span(correlation.timespan),
            by: correlation.group_by.clone(),
            rules: correlation.sources.iter().filter_map(id).collect(),
        }
    }

    fn fires_alone(&self, id: &str) -> bool {
        let rules = Arc::new(RuleSet { compiled: Arc::clone(self.rules) });
        let mut detector = Detector::new(rules, &Options::default());
        detector.emit_all();
        let mut findings = Vec::new();
        detector.process(self.event, &mut findings);
        detector.finish(&mut findings);
        findings.iter().any(|finding| finding.rule.id == id)
    }

    fn part(&mut self, part: &RulePart) -> Explained {
        let any: Vec<Explained> =
            part.conditions.iter().map(|condition| self.condition(part, condition)).collect();
        let mut explained = join("or", any);
        if !part.filter.is_empty() {
            explained = Explained {
                what: format!("filter {}", part.filter),
                matched: explained.matched,
                parts: vec![explained],
                ..Explained::of("", true)
            };
        }
        explained
    }

    fn condition(&mut self, part: &RulePart, condition: &Condition) -> Explained {
        match condition {
            Condition::Search(place) => {
                let (name, node) = &part.searches[*place];
                let inner = self.node(*node);
                Explained {
                    what: name.clone(),
                    matched: inner.matched,
                    parts: vec![inner],
                    ..Explained::of("", true)
                }
            }
            Condition::Not(inner) => negate(self.condition(part, inner)),
            Condition::And(parts) => {
                join_all("and", parts.iter().map(|inner| self.condition(part, inner)).collect())
            }
            Condition::Or(parts) => {
                join_all("or", parts.iter().map(|inner| self.condition(part, inner)).collect())
            }
        }
    }

    fn node(&mut self, node: NodeId) -> Explained {
        match &self.rules.arena.nodes[node as usize] {
            Node::Leaf(leaf) => {
                let matched = self.matcher.holds(node, self.event);
                self.leaf(&self.rules.arena.leaves[*leaf as usize], matched)
            }
            Node::Not(inner) => negate(self.node(*inner)),
            Node::And(parts) => {
                join_all("and", parts.iter().map(|part| self.node(*part)).collect())
            }
            Node::Or(parts) => join_all("or", parts.iter().map(|part| self.node(*part)).collect()),
        }
    }

    fn leaf(&mut self, leaf: &Leaf, matched: bool) -> Explained {
        let field = &self.rules.slots.slots[leaf.slot as usize].field;
        let view = &self.matcher.view;
        let mut values: Vec<u32> = view.of_slot(leaf.slot).collect();
        values.sort_unstable();
        let found = values.into_iter().map(|value| {
            let name = view.field_name(value, self.event).to_owned();
            (name, view.value(value, self.event).to_json())
        });
        Explained {
            what: if field.is_empty() { "any value".to_owned() } else { field.clone() },
            matched,
            wanted: wanted(&leaf.test),
            found: found.collect(),
            parts: Vec::new(),
        }
    }
}

/// What a correlation needs beside one event.
fn needed(correlation: &Correlation) -> String {
    let window = span(correlation.timespan);
    let counted =
        matches!(correlation.kind, CorrelationKind::EventCount | CorrelationKind::ValueCount);
    match &correlation.threshold {
        Threshold::Number(tests) => {
            let least = tests.iter().find_map(|(operator, number)| match (operator, number) {
                (Operator::Gte, Number::Int(least)) => Some(*least),
                (Operator::Gt, Number::Int(below)) => Some(*below + 1),
                _ => None,
            });
            match least {
                Some(least) if counted => {
                    format!("one event that counts: 1 of {least} within {window}")
                }
                _ => {
                    let tests: Vec<String> = tests
                        .iter()
                        .map(|(operator, number)| {
                            format!("{} {}", operator.name(), number.to_text())
                        })
                        .collect();
                    let (kind, tests) = (correlation.kind.name(), tests.join(" and "));
                    format!("one event that counts: it takes {kind} {tests} within {window}")
                }
            }
        }
        _ => format!("one event that counts: it takes those of other rules within {window}"),
    }
}

/// Nanoseconds as Sigma writes time spans.
fn span(nanos: i64) -> String {
    let seconds = nanos / 1_000_000_000;
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let unit = units.into_iter().find(|(unit, _)| seconds > 0 && seconds % unit == 0);
    let (unit, name) = unit.unwrap_or((1, "s"));
    format!("{}{name}", seconds / unit)
}

impl Explanation {
    /// What is said of the log sources: the rule's, or those of the rules that a correlation
    /// listens to.
    pub(crate) fn log_sources(&self) -> Vec<&Explained> {
        let mut found = Vec::new();
        self.log_source.find_sources(&mut found);
        self.condition.find_sources(&mut found);
        found
    }
}

impl Explained {
    fn find_sources<'e>(&'e self, found: &mut Vec<&'e Explained>) {
        if self.what.starts_with(LOG_SOURCE) {
            found.push(self);
            return;
        }
        self.parts.iter().for_each(|part| part.find_sources(found));
    }

    /// What is asked, in one line.
    pub(crate) fn in_words(&self) -> String {
        let joined = |word: &str| {
            let parts: Vec<String> = self.parts.iter().map(Self::in_words).collect();
            match parts.len() {
                1 => parts.concat(),
                _ => format!("({})", parts.join(word)),
            }
        };
        match self.what.as_str() {
            "and" => joined(" and "),
            "or" => joined(" or "),
            "not" => format!("not {}", joined(" and ")),
            field => format!("{field} is {}", self.wanted.join(" or ")),
        }
    }

    fn of(what: &str, matched: bool) -> Self {
        let (wanted, found, parts) = (Vec::new(), Vec::new(), Vec::new());
        Self { what: what.to_owned(), matched, wanted, found, parts }
    }
}

fn negate(inner: Explained) -> Explained {
    Explained { matched: !inner.matched, parts: vec![inner], ..Explained::of("not", true) }
}

fn join(what: &str, mut parts: Vec<Explained>) -> Explained {
    if parts.len() == 1 { parts.remove(0) } else { join_all(what, parts) }
}

fn join_all(what: &str, parts: Vec<Explained>) -> Explained {
    let matched = match what {
        "and" => parts.iter().all(|part| part.matched),
        _ => parts.iter().any(|part| part.matched),
    };
    Explained { matched, parts, ..Explained::of(what, true) }
}

fn wanted(test: &ItemTest) -> Vec<String> {
    let mut list: Vec<String> = match test {
        ItemTest::Texts { patterns, cased } => {
            let how = if *cased { " (case matters)" } else { "" };
            patterns.iter().map(|pattern| format!("{pattern}{how}")).collect()
        }
        ItemTest::Numbers(numbers) => numbers.iter().map(|number| number.to_text()).collect(),
        ItemTest::Regexes(sources) => sources.iter().map(ToString::to_string).collect(),
        ItemTest::Networks(networks) => networks.iter().map(ToString::to_string).collect(),
        ItemTest::Compare(operator, numbers) => numbers
            .iter()
            .map(|number| format!("{} {}", operator.name(), number.to_text()))
            .collect(),
        ItemTest::Exists => vec!["is there".to_owned()],
        ItemTest::Null => vec!["absent or null".to_owned()],
        ItemTest::FieldRef { other, part, .. } => {
            let how = match part {
                Part::Whole => "the value of",
                Part::Contains => "contains the value of",
                Part::Start => "starts with the value of",
                Part::End => "ends with the value of",
            };
            vec![format!("{how} {other}")]
        }
        ItemTest::Time(part, operator, numbers) => {
            let part = format!("{part:?}").to_lowercase();
            let text = |number: &crate::number::Number| {
                format!("{part} {} {}", operator.name(), number.to_text())
            };
            numbers.iter().map(text).collect()
        }
    };
    if list.len() > WANTED_MAX {
        let more = list.len() - WANTED_MAX;
        list.truncate(WANTED_MAX);
        list.push(format!("… and {more} more"));
    }
    list
}
