//! [`Matcher`]: a filter asked about one event in memory, without any index. What exceptions,
//! routes and live tails use, and what every backend must agree with.

use tocsin_model::{Event, FieldId, Value, field};

use crate::error::Result;
use crate::filter::Filter;
use crate::plan::{Node, plan};
use crate::test::{Canon, Class, Test, canon, class_of};
use crate::words::{for_each_text, for_each_word};

/// A filter, compiled.
#[derive(Debug, Clone)]
pub struct Matcher {
    node: Node,
}

impl Matcher {
    /// Compiles a filter; fails on a bad pattern, network or range.
    pub fn new(filter: &Filter) -> Result<Self> {
        Ok(Self { node: plan(filter, &class_of)? })
    }

    /// Whether the event is meant.
    pub fn matches(&self, event: &Event) -> bool {
        matches(&self.node, event)
    }
}

fn matches(node: &Node, event: &Event) -> bool {
    match node {
        Node::All => true,
        Node::None => false,
        Node::And(nodes) => nodes.iter().all(|node| matches(node, event)),
        Node::Or(nodes) => nodes.iter().any(|node| matches(node, event)),
        Node::Not(node) => !matches(node, event),
        Node::Ids(ids) => ids.contains(&event.id),
        Node::Exists(name) => exists(event, name),
        Node::Value { field, class, test } => value_matches(event, field, *class, test),
        Node::Words { field, class, phrases, all } => {
            let texts = texts(event, field, *class);
            let has = |phrase: &Vec<String>| texts.iter().any(|text| has_phrase(text, phrase));
            if *all { phrases.iter().all(has) } else { phrases.iter().any(has) }
        }
        Node::Word { field, class, test } => texts(event, field, *class)
            .iter()
            .flatten()
            .any(|word| test.accepts(&Canon::Text(std::borrow::Cow::Borrowed(word)))),
    }
}

fn has_phrase(text: &[String], words: &[String]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

/// Whether a value counts as being there.
pub(crate) fn is_present(value: Value<'_>) -> bool {
    let mut present = false;
    value.for_each_scalar(|value| {
        present |= match value {
            Value::Null | Value::Object => false,
            Value::Float(number) => number.is_finite(),
            _ => true,
        };
    });
    present
}

fn exists(event: &Event, name: &str) -> bool {
    if matches!(name, "event.original" | crate::ANY_TEXT) {
        return !event.original().is_empty();
    }
    let below = |other: &str| other.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    event.iter().any(|(field, value)| {
        let other = field.name();
        (other == name || below(other)) && field != field::TIMESTAMP && is_present(value)
    })
}

fn value_matches(event: &Event, name: &str, class: Class, test: &Test) -> bool {
    match class {
        Class::Time => return test.accepts(&Canon::Time(event.time.0)),
        Class::Ingested => return test.accepts(&Canon::Time(event.received.0)),
        _ => {}
    }
    let Some(value) = FieldId::lookup(name).and_then(|id| event.get(id)) else { return false };
    let mut found = false;
    value.for_each_scalar(|value| {
        found |= canon(class, value).is_some_and(|canon| test.accepts(&canon));
    });
    found
}

/// The texts to look for words in, each as its words.
fn texts(event: &Event, name: &str, class: Class) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut add = |text: &str| {
        let mut words = Vec::new();
        for_each_word(text, |word| words.push(word.to_owned()));
        all.push(words);
    };
    let id = match class {
        Class::AnyText => {
            for_each_text(event.original(), &mut add);
            Some(field::MESSAGE)
        }
        _ => FieldId::lookup(name),
    };
    if let Some(value) = id.and_then(|id| event.get(id)) {
        value.for_each_scalar(|value| {
            if is_present(value)
                && let Some(text) = value.to_text()
            {
                add(&text);
            }
        });
    }
    all
}
