//! Correlation documents: YAML in, [`CorrelationDoc`] out. References to rules are kept as
//! written; `compile` finds what they mean.

use std::sync::Arc;
use std::time::Duration;

use tocsin_content::Node;
use tocsin_content::yaml::{Place, nearest};
use tocsin_model::RuleMeta;

use super::condition::{self, Condition, Names};
use super::sequence::{self, Sequence};
use super::{Refusal, refuse, refuse_at};
use crate::number::{Number, Operator};

/// What a correlation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CorrelationKind {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
    ValueSum,
    ValueAvg,
    ValuePercentile,
    ValueMedian,
}

const KINDS: [(&str, CorrelationKind); 8] = [
    ("event_count", CorrelationKind::EventCount),
    ("value_count", CorrelationKind::ValueCount),
    ("temporal", CorrelationKind::Temporal),
    ("temporal_ordered", CorrelationKind::TemporalOrdered),
    ("value_sum", CorrelationKind::ValueSum),
    ("value_avg", CorrelationKind::ValueAvg),
    ("value_percentile", CorrelationKind::ValuePercentile),
    ("value_median", CorrelationKind::ValueMedian),
];

impl CorrelationKind {
    /// Whether it looks at which rules matched instead of counting.
    pub(crate) fn temporal(self) -> bool {
        matches!(self, Self::Temporal | Self::TemporalOrdered)
    }

    /// Whether it looks at the values of a field.
    pub(crate) fn needs_field(self) -> bool {
        !self.temporal() && self != Self::EventCount
    }

    /// Its Sigma name.
    pub(crate) fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// What must hold in the window.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Threshold {
    /// Every rule.
    All,
    /// All of these, of what is counted.
    Number(Vec<(Operator, Number)>),
    /// An expression over the rules, by their place in [`CorrelationDoc::rules`].
    Rules(Condition),
    /// The same where the rules have to match in their order: one of these ways.
    Sequences(Vec<Sequence>),
}

/// A correlation rule.
#[derive(Debug, Clone)]
pub(crate) struct CorrelationDoc {
    pub(crate) meta: Arc<RuleMeta>,
    pub(crate) place: Place,
    pub(crate) kind: CorrelationKind,
    /// Ids or names.
    pub(crate) rules: Vec<(String, Place)>,
    pub(crate) group_by: Vec<String>,
    pub(crate) timespan: Duration,
    /// What each alias stands for.
    pub(crate) aliases: Vec<(String, Vec<AliasField>)>,
    pub(crate) threshold: Threshold,
    /// Fields whose values count.
    pub(crate) fields: Vec<String>,
    /// For `value_percentile`, 0 to 100.
    pub(crate) percentile: f64,
    pub(crate) generate: bool,
    /// Ids or names of rules that clear the group.
    pub(crate) reset_by: Vec<(String, Place)>,
}

const KEYS: [&str; 7] =
    ["type", "rules", "group-by", "timespan", "aliases", "condition", "generate"];

/// The most rules that one correlation can name: they are bits of a word.
pub(crate) const RULES_MAX: usize = 64;

/// Reads the `correlation` section. Unknown keys are told to `warn`.
pub(crate) fn parse(
    node: &Node,
    meta: Arc<RuleMeta>,
    place: Place,
    reset_by: Vec<(String, Place)>,
    warn: &mut dyn FnMut(Place, String),
) -> Result<CorrelationDoc, Refusal> {
    check_keys(node, warn)?;
    let kind = kind(node)?;
    let mut rules = match node.get("rules") {
        Some(list) => texts(list, "rules")?,
        None => Vec::new(),
    };
    let group_by = match node.get("group-by") {
        Some(list) => texts(list, "group-by")?.into_iter().map(|(text, _)| text).collect(),
        None => Vec::new(),
    };
    let timespan = match node.get("timespan") {
        Some(span) => parse_timespan(span)?,
        None => return refuse(node, "timespan is missing"),
    };
    let condition = condition(node, kind, &mut rules)?;
    if rules.is_empty() {
        return refuse(node, "rules is missing or empty");
    }
    if rules.len() > RULES_MAX {
        return refuse(node, format!("more than {RULES_MAX} rules in one correlation"));
    }
    let Conditioned { threshold, fields, percentile } = condition;
    let threshold = threshold.unwrap_or(Threshold::All);
    let generate = node.get("generate").map_or(Ok(false), generate)?;
    let aliases = aliases(node)?;
    Ok(CorrelationDoc {
        meta,
        place,
        kind,
        rules,
        group_by,
        timespan,
        aliases,
        threshold,
        fields,
        percentile,
        generate,
        reset_by,
    })
}

/// Whether the rules alert of their own.
pub(crate) fn generate(node: &Node) -> Result<bool, Refusal> {
    match node.as_bool() {
        Some(generate) => Ok(generate),
        None => refuse(node, "generate must be true or false"),
    }
}

fn check_keys(node: &Node, warn: &mut dyn FnMut(Place, String)) -> Result<(), Refusal> {
    let Some(entries) = node.as_map() else {
        return refuse(node, format!("correlation must be a map, not {}", node.describe()));
    };
    for (key, _) in entries {
        if KEYS.contains(&key.text.as_str()) {
            continue;
        }
        match nearest(&key.text, KEYS) {
            Some(near) => {
                let message =
                    format!("unknown key {:?} in correlation, did you mean {near:?}?", key.text);
                return refuse_at(key.place, message);
            }
            None => warn(key.place, format!("unknown key {:?} in correlation", key.text)),
        }
    }
    Ok(())
}

fn kind(node: &Node) -> Result<CorrelationKind, Refusal> {
    let Some(value) = node.get("type") else {
        return refuse(node, "correlation type is missing");
    };
    let text = value.as_text().unwrap_or("");
    if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == text) {
        return Ok(*kind);
    }
    let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    refuse(value, format!("unknown correlation type {text:?}, use one of {}", known.join(", ")))
}

/// A list of texts, or one text.
pub(crate) fn texts(node: &Node, what: &str) -> Result<Vec<(String, Place)>, Refusal> {
    let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
    nodes
        .iter()
        .map(|item| match item.as_text() {
            Some(text) if !item.is_null() && !text.is_empty() => Ok((text.to_owned(), item.place)),
            _ => refuse(item, format!("{what} must be a list of names")),
        })
        .collect()
}

/// `<n>[smhdwMy]`; months and years have the mean length that other Sigma tools give them.
pub(crate) fn parse_timespan(node: &Node) -> Result<Duration, Refusal> {
    let text = node.as_text().unwrap_or("");
    let split = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        "M" => 2_629_746,
        "y" => 31_556_952,
        _ => 0,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let total = number.parse::<u64>().ok().and_then(|count| count.checked_mul(seconds));
    match total {
        Some(total) if digits && total > 0 && total < TIMESPAN_SECONDS_MAX => {
            Ok(Duration::from_secs(total))
        }
        _ => refuse(
            node,
            format!("{text:?} is not a time span like 30s, 5m, 1h or 7d (units s m h d w M y)"),
        ),
    }
}

/// The longest time span, in seconds: 100 years.
const TIMESPAN_SECONDS_MAX: u64 = 3_155_695_200;

struct Conditioned {
    threshold: Option<Threshold>,
    fields: Vec<String>,
    percentile: f64,
}

fn condition(
    node: &Node,
    kind: CorrelationKind,
    rules: &mut Vec<(String, Place)>,
) -> Result<Conditioned, Refusal> {
    let Some(condition) = node.get("condition") else {
        if kind.temporal() {
            return Ok(Conditioned { threshold: None, fields: Vec::new(), percentile: 0.0 });
        }
        return refuse(node, format!("a {} correlation needs a condition", kind.name()));
    };
    if let Some(text) = condition.as_text() {
        if !kind.temporal() {
            return refuse(
                condition,
                format!("only temporal correlations take an expression, {} does not", kind.name()),
            );
        }
        let tree = expression(condition, text, rules)?;
        let threshold = if kind == CorrelationKind::TemporalOrdered {
            let ways = sequence::ways(&tree).or_else(|message| refuse(condition, message))?;
            Threshold::Sequences(ways)
        } else {
            Threshold::Rules(tree)
        };
        return Ok(Conditioned { threshold: Some(threshold), fields: Vec::new(), percentile: 0.0 });
    }
    let Some(entries) = condition.as_map() else {
        return refuse(condition, "condition must be a map like {gte: 5}");
    };
    let mut out = Conditioned { threshold: None, fields: Vec::new(), percentile: 50.0 };
    let mut operators = Vec::new();
    let mut percentile = None;
    for (key, value) in entries {
        match key.text.as_str() {
            "field" => {
                out.fields = texts(value, "field")?.into_iter().map(|(text, _)| text).collect();
            }
            "percentile" => percentile = Some(value),
            name => match (Operator::parse(name), Number::of_node(value)) {
                (Some(operator), Some(number)) => operators.push((operator, number)),
                (Some(_), None) => return refuse(value, format!("{name} needs a number")),
                (None, _) => {
                    let message = format!(
                        "unknown condition {name:?}, use gt, gte, lt, lte, eq, neq or field"
                    );
                    return refuse_at(key.place, message);
                }
            },
        }
    }
    if operators.is_empty() {
        return refuse(condition, "condition needs one of gt, gte, lt, lte, eq, neq");
    }
    check_fields(condition, kind, &out.fields)?;
    if let Some(value) = percentile {
        out.percentile = self::percentile(value, kind)?;
    } else if kind == CorrelationKind::ValuePercentile {
        return refuse(
            condition,
            "value_percentile needs percentile: N (0 to 100) in its condition",
        );
    }
    out.threshold = Some(Threshold::Number(operators));
    Ok(out)
}

fn check_fields(node: &Node, kind: CorrelationKind, fields: &[String]) -> Result<(), Refusal> {
    match fields.len() {
        0 if kind.needs_field() => {
            refuse(node, format!("a {} correlation needs condition.field", kind.name()))
        }
        0 => Ok(()),
        _ if !kind.needs_field() => {
            refuse(node, format!("a {} correlation takes no condition.field", kind.name()))
        }
        1 => Ok(()),
        _ if kind == CorrelationKind::ValueCount => Ok(()),
        _ => refuse(node, format!("a {} correlation takes one field", kind.name())),
    }
}

fn percentile(node: &Node, kind: CorrelationKind) -> Result<f64, Refusal> {
    if kind != CorrelationKind::ValuePercentile {
        return refuse(node, format!("a {} correlation takes no percentile", kind.name()));
    }
    match Number::of_node(node).map(Number::to_float) {
        Some(percentile) if (0.0..=100.0).contains(&percentile) => Ok(percentile),
        _ => refuse(node, "percentile must be a number from 0 to 100"),
    }
}

/// An extended condition. Without `rules` the rules are those it names.
fn expression(
    node: &Node,
    text: &str,
    rules: &mut Vec<(String, Place)>,
) -> Result<Condition, Refusal> {
    if rules.is_empty() {
        let words = text.split(|c: char| c.is_whitespace() || c == '(' || c == ')');
        for word in words.filter(|word| !matches!(*word, "" | "and" | "or" | "not")) {
            if !rules.iter().any(|(known, _)| known == word) {
                rules.push((word.to_owned(), node.place));
            }
        }
    }
    let names: Vec<&str> = rules.iter().map(|(name, _)| name.as_str()).collect();
    let parsed = condition::parse(text, Names { names: &names, selectors: false });
    let tree = parsed.or_else(|message| refuse(node, message))?;
    let mut used = vec![false; names.len()];
    mark(&tree, &mut used);
    for (name, used) in rules.iter().zip(used) {
        if !used {
            return refuse_at(
                name.1,
                format!("rule {:?} is listed but not in the condition", name.0),
            );
        }
    }
    Ok(tree)
}

fn mark(condition: &Condition, used: &mut [bool]) {
    match condition {
        Condition::Search(place) => used[*place] = true,
        Condition::Not(inner) => mark(inner, used),
        Condition::And(parts) | Condition::Or(parts) => {
            parts.iter().for_each(|part| mark(part, used));
        }
    }
}

/// A field of a rule that an alias stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AliasField {
    /// Id or name of the rule.
    pub(crate) rule: String,
    /// Where it is named.
    pub(crate) place: Place,
    /// The rule's field.
    pub(crate) field: String,
}

type Aliases = Vec<(String, Vec<AliasField>)>;

fn aliases(node: &Node) -> Result<Aliases, Refusal> {
    let Some(section) = node.get("aliases") else { return Ok(Vec::new()) };
    let Some(entries) = section.as_map() else {
        return refuse(section, "aliases must be a map of alias to {rule: field}");
    };
    let mut out = Vec::new();
    for (alias, fields) in entries {
        let Some(fields) = fields.as_map() else {
            return refuse(
                fields,
                format!("alias {:?} must be a map of rule to field", alias.text),
            );
        };
        let mut pairs = Vec::new();
        for (rule, field) in fields {
            match field.as_text().filter(|text| !text.is_empty()) {
                Some(field) => pairs.push(AliasField {
                    rule: rule.text.clone(),
                    place: rule.place,
                    field: field.to_owned(),
                }),
                None => return refuse(field, "expected the name of a field"),
            }
        }
        out.push((alias.text.clone(), pairs));
    }
    Ok(out)
}
