//! [`Select`]: whether an event is of a kind, and which thing it is about.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tocsin_model::{Event, FieldId, Value};

/// The most fields that make a thing.
const FIELDS_MAX: usize = 6;

/// Conditions on fields, and the fields that make a thing.
#[derive(Debug)]
pub(super) struct Select {
    holds: Vec<(FieldId, Vec<String>)>,
    fields: Vec<FieldId>,
}

impl Select {
    pub(super) fn new(holds: &BTreeMap<String, Vec<String>>, fields: &[String]) -> Self {
        let id = |name: &str| FieldId::intern(name);
        let mut holds: Vec<(FieldId, Vec<String>)> =
            holds.iter().filter_map(|(name, values)| Some((id(name)?, values.clone()))).collect();
        // Outcomes decide more often than categories; any order is right.
        holds.sort_by_key(|(id, _)| id.name() != "event.category");
        let fields = fields.iter().filter_map(|name| id(name)).take(FIELDS_MAX).collect();
        Self { holds, fields }
    }

    /// The values that make the thing; `None` when the event is not of the kind or lacks one.
    pub(super) fn of<'e>(&self, event: &'e Event, out: &mut Vec<Cow<'e, str>>) -> bool {
        out.clear();
        for (id, wanted) in &self.holds {
            let Some(value) = event.get(*id) else { return false };
            if !holds(value, wanted) {
                return false;
            }
        }
        for id in &self.fields {
            let Some(value) = event.get(*id) else { return false };
            let first = match value {
                Value::List(list) => list.get(0).and_then(Value::to_text),
                other => other.to_text(),
            };
            match first.filter(|text| !text.is_empty()) {
                Some(text) => out.push(text),
                None => return false,
            }
        }
        !self.fields.is_empty()
    }
}

fn holds(value: Value<'_>, wanted: &[String]) -> bool {
    let is = |value: Value<'_>| match value {
        Value::Str(text) => wanted.iter().any(|one| one.eq_ignore_ascii_case(text)),
        other => other.to_text().is_some_and(|text| wanted.iter().any(|one| *one == text)),
    };
    match value {
        Value::List(list) => list.iter().any(is),
        other => is(other),
    }
}
