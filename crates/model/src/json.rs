//! [`JsonWriter`]: events in, nested ECS JSON text out, the same value as [`Event::to_json`] says.
//!
//! Events of one source have the same fields in the same order, so the braces and names between
//! the values are worked out once for each such shape and copied from then on.

mod put;

use std::collections::HashMap;
use std::ops::Range;

use crate::event::{Event, VALUE_MEMBER};
use crate::field::{self, FieldId};
use crate::value::Value;

/// The most shapes that are remembered; at more, all are forgotten. Senders choose field names.
const SHAPES_MAX: usize = 1024;

/// Writes events as JSON text; keep one for many events.
#[derive(Debug, Default)]
pub struct JsonWriter {
    shapes: HashMap<u64, Shape, ahash::RandomState>,
    hasher: ahash::RandomState,
    times: put::Times,
    ids: Vec<u32>,
}

/// What stands around the values of events with the same fields.
#[derive(Debug)]
struct Shape {
    /// The fields, each twice its number and whether it is an object; the last is whether there
    /// is a raw line.
    ids: Box<[u32]>,
    /// `None` when a name has empty parts, or two come out the same.
    steps: Option<Steps>,
}

#[derive(Debug)]
struct Steps {
    text: String,
    /// What to copy, then the value to write.
    steps: Box<[(Range<usize>, What)]>,
    /// The braces at the end.
    end: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Time,
    Original,
    Id,
    Received,
    /// A field by its place in the event.
    Field(usize),
}

impl JsonWriter {
    /// Appends the event as one JSON object, without a line end.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        let key = self.key(event);
        let known = self.shapes.get(&key).is_some_and(|shape| *shape.ids == *self.ids);
        if !known {
            if self.shapes.len() >= SHAPES_MAX {
                self.shapes.clear();
            }
            let steps = steps(event);
            self.shapes.insert(key, Shape { ids: self.ids.as_slice().into(), steps });
        }
        let steps = self.shapes.get(&key).and_then(|shape| shape.steps.as_ref());
        let Some(Steps { text, steps, end }) = steps else {
            put::serialized(&event.to_json(), out);
            return;
        };
        for (before, what) in steps {
            out.extend_from_slice(&text.as_bytes()[before.clone()]);
            match what {
                What::Time => self.times.write(event.time, out),
                What::Received => self.times.write(event.received, out),
                What::Id => put::id(event.id, out),
                What::Original => put::text(event.original(), out),
                What::Field(place) => {
                    if let Some((_, value)) = event.at(*place) {
                        put::value(value, out);
                    }
                }
            }
        }
        out.extend_from_slice(&text.as_bytes()[end.clone()]);
    }

    fn key(&mut self, event: &Event) -> u64 {
        self.ids.clear();
        let number = |id: FieldId, value| {
            (id.index() as u32) << 1 | u32::from(matches!(value, Value::Object))
        };
        self.ids.extend(event.iter().map(|(id, value)| number(id, value)));
        self.ids.push(u32::from(!event.original().is_empty()));
        self.hasher.hash_one(&self.ids)
    }
}

/// Works out a shape.
fn steps(event: &Event) -> Option<Steps> {
    let mut values: Vec<(Vec<&str>, What)> = Vec::new();
    let mut add = |name: &'static str, what| values.push((name.split('.').collect(), what));
    add("@timestamp", What::Time);
    for (place, (id, value)) in event.iter().enumerate() {
        if id != field::TIMESTAMP && !matches!(value, Value::Object) {
            add(id.name(), What::Field(place));
        }
    }
    if !event.original().is_empty() {
        add("event.original", What::Original);
    }
    add("event.id", What::Id);
    add("event.ingested", What::Received);
    // Names with the same parts in front stand together, a shorter one before the longer ones.
    values.sort_by(|left, right| left.0.cmp(&right.0));
    let odd = |path: &[&str]| path.iter().any(|part| part.is_empty());
    let clash = |pair: &[(Vec<&str>, What)]| pair[1].0.starts_with(&pair[0].0);
    // A name that is a value and an object has the value in a member of its own.
    let both = |at: &usize| values[*at].0 != values[at - 1].0 && clash(&values[at - 1..=*at]);
    let both: Vec<usize> = (1..values.len()).filter(both).collect();
    for at in &both {
        values[at - 1].0.push(VALUE_MEMBER);
    }
    if !both.is_empty() {
        values.sort_by(|left, right| left.0.cmp(&right.0));
    }
    if values.iter().any(|(path, _)| odd(path)) || values.windows(2).any(clash) {
        return None;
    }
    let mut text = String::from("{");
    let mut start = 0;
    let mut steps = Vec::new();
    let mut before: &[&str] = &[];
    for (path, what) in &values {
        let shared = before.iter().zip(path).take_while(|(left, right)| left == right).count();
        if !before.is_empty() {
            text.extend(std::iter::repeat_n('}', before.len() - 1 - shared));
            text.push(',');
        }
        for (depth, part) in path.iter().enumerate().skip(shared) {
            text.push_str(&serde_json::to_string(part).ok()?);
            text.push_str(if depth + 1 < path.len() { ":{" } else { ":" });
        }
        steps.push((start..text.len(), *what));
        start = text.len();
        before = path;
    }
    text.extend(std::iter::repeat_n('}', before.len()));
    let end = start..text.len();
    Some(Steps { text, steps: steps.into(), end })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::value::OwnedValue;

    fn value() -> impl Strategy<Value = OwnedValue> {
        let scalar = prop_oneof![
            Just(OwnedValue::Null),
            any::<bool>().prop_map(OwnedValue::Bool),
            any::<i64>().prop_map(OwnedValue::Int),
            any::<u64>().prop_map(OwnedValue::UInt),
            prop_oneof![any::<f64>(), Just(f64::NAN), Just(0.5)].prop_map(OwnedValue::Float),
            any::<String>().prop_map(OwnedValue::Str),
            Just(OwnedValue::Str("\u{1}\"\\/é".to_owned())),
        ];
        let list = prop::collection::vec(scalar.clone(), 0..3).prop_map(OwnedValue::List);
        prop_oneof![4 => scalar, 1 => list]
    }

    /// Names of which many are parts of others.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[ab]{1,2}(\\.[ab]{1,2}){0,3}",
            1 => "[ab.\"\\-]{1,5}",
            1 => Just("event.original".to_owned()),
            1 => Just("@timestamp".to_owned()),
            1 => Just("event.id".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn says_what_the_slow_way_says(
            events in prop::collection::vec(
                (any::<bool>(), prop::collection::vec((name(), value()), 0..8)), 1..4),
        ) {
            let mut writer = JsonWriter::default();
            for (line, fields) in events.iter().chain(&events) {
                let mut event = Event::default();
                if *line {
                    event.set_original("a \"line\"\u{7}");
                }
                for (name, value) in fields {
                    if let Some(id) = FieldId::intern(name) {
                        event.set_owned(id, value);
                    }
                }
                let mut out = Vec::new();
                writer.write(&event, &mut out);
                // Through text on both sides: numbers that JSON cannot tell apart are the same.
                let slow = serde_json::to_string(&event.to_json()).unwrap();
                let slow: serde_json::Value = serde_json::from_str(&slow).unwrap();
                let fast: serde_json::Value = serde_json::from_slice(&out).unwrap();
                prop_assert_eq!(fast, slow);
            }
        }
    }
}
