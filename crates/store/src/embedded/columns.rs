//! Values of an event as columns of the index have them, for who has no index.

use serde_json::Value as Json;
use tantivy::columnar::MonotonicallyMappableToU64;
use tocsin_model::{Event, EventId, FieldId, Timestamp, Value};

use crate::embedded::search::write_cursor;
use crate::embedded::top::Key;
use crate::request::{Order, Sort};
use crate::test::{Canon, Class, canon, class_of};

/// All values that a column of the field would have.
pub(crate) fn values<'e>(event: &'e Event, name: &str, each: &mut dyn FnMut(Canon<'e>)) {
    let class = class_of(name);
    match class {
        Class::Time => return each(Canon::Time(event.time.0)),
        Class::Ingested => return each(Canon::Time(event.received.0)),
        _ => {}
    }
    let Some(value) = FieldId::lookup(name).and_then(|id| event.get(id)) else { return };
    value.for_each_scalar(|value: Value<'e>| {
        let Some(canon) = canon(class, value) else { return };
        // What did not fit its field is found by its text, and is in no column.
        let fits = match class {
            Class::Long => matches!(canon, Canon::Int(_)),
            Class::Ip => matches!(canon, Canon::Ip(_)),
            Class::Date => matches!(canon, Canon::Time(_)),
            _ => true,
        };
        if fits {
            each(canon);
        }
    });
}

/// The value that an event is sorted by.
pub(crate) fn key_of(event: &Event, field: &str, order: Order) -> Option<Key> {
    let mut best: Option<Key> = None;
    values(event, field, &mut |canon| {
        let key = match canon {
            Canon::Text(text) => Key::Text(text.into_owned()),
            Canon::Ip(address) => Key::Address(address),
            Canon::Time(time) => Key::Bits(time.to_u64()),
            Canon::Bool(flag) => Key::Bits(flag.to_u64()),
            Canon::Float(number) => Key::Bits(number.to_u64()),
            Canon::Int(number) => Key::Bits(match i64::try_from(number) {
                Ok(number) => number.to_u64(),
                Err(_) => u64::MAX,
            }),
        };
        let better = match (&best, order) {
            (None, _) => true,
            (Some(best), Order::Asc) => key < *best,
            (Some(best), Order::Desc) => key > *best,
        };
        if better {
            best = Some(key);
        }
    });
    best
}

/// [`SearchRequest::cursor`](crate::SearchRequest::cursor) for what comes after a hit.
pub fn cursor_after(hit: &Json, sort: &Sort) -> String {
    let time = |value: &Json| value.as_str().and_then(Timestamp::parse_rfc3339);
    let mut event = Event::default();
    event.id = hit["event"]["id"].as_str().and_then(EventId::parse).unwrap_or_default();
    event.time = time(&hit["@timestamp"]).unwrap_or_default();
    event.received = time(&hit["event"]["ingested"]).unwrap_or_default();
    let value = sort.field.split('.').try_fold(hit, |value, part| value.get(part));
    if let (Some(value), Some(id)) = (value, FieldId::intern(&sort.field)) {
        let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        event.push_list(id, all.iter().filter_map(scalar));
    }
    let key = key_of(&event, &sort.field, sort.order);
    write_cursor(event.id, key.as_ref())
}

fn scalar(value: &Json) -> Option<Value<'_>> {
    match value {
        Json::Bool(flag) => Some(Value::Bool(*flag)),
        Json::String(text) => Some(Value::Str(text)),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Some(Value::Int(number)),
            (None, Some(number)) => Some(Value::UInt(number)),
            _ => number.as_f64().map(Value::Float),
        },
        _ => None,
    }
}

/// The numbers of a field; times in milliseconds.
pub(crate) fn numbers(event: &Event, field: &str, each: &mut dyn FnMut(f64)) {
    values(event, field, &mut |canon| match canon {
        Canon::Int(number) => each(number as f64),
        Canon::Float(number) => each(number),
        Canon::Bool(flag) => each(f64::from(u8::from(flag))),
        Canon::Time(time) => each((time / 1_000_000) as f64),
        Canon::Text(_) | Canon::Ip(_) => {}
    });
}
