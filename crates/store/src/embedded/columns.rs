//! Values of an event as columns of the index have them, for who has no index.

use tantivy::columnar::MonotonicallyMappableToU64;
use tocsin_model::{Event, FieldId, Value};

use crate::embedded::top::Key;
use crate::request::Order;
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
