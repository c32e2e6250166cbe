//! The stored form of versions before 2: names of fields by their letters, texts that are no part
//! of the raw line beside their fields. Read only.

use serde_json::{Map, Value as Json};
use tocsin_model::event::insert_nested;
use tocsin_model::{Event, FieldId, Value, field};

use super::reader::Reader;
use super::{Head, finish_json};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const UINT: u8 = 4;
const FLOAT: u8 = 5;
const TEXT: u8 = 6;
const PART: u8 = 7;
const LIST: u8 = 8;
const OBJECT: u8 = 9;

/// Reads it as nested ECS JSON, the version byte taken off.
pub(super) fn decode(head: Head, reader: &mut Reader<'_>) -> Option<Json> {
    let names = names(reader)?;
    let values = values(reader, names.len())?;
    let original = std::str::from_utf8(reader.bytes).ok()?;
    let mut root = Map::new();
    root.insert("@timestamp".to_owned(), Json::String(head.time.to_string()));
    for (name, value) in names.into_iter().zip(values) {
        if name != field::TIMESTAMP.name() && !matches!(value, Raw::Scalar(Value::Object)) {
            insert_nested(&mut root, name, value.json(original)?);
        }
    }
    Some(finish_json(root, head, original))
}

/// Reads it as the event that it was made of, the version byte taken off.
pub(super) fn decode_event(head: Head, reader: &mut Reader<'_>, event: &mut Event) -> Option<()> {
    let names = names(reader)?;
    let values = values(reader, names.len())?;
    let original = std::str::from_utf8(reader.bytes).ok()?;
    event.clear();
    event.set_original(original);
    (event.id, event.time, event.received) = (head.id, head.time, head.received);
    for (name, value) in names.iter().zip(values) {
        // A name beyond the limit of names: it is kept, but no rule can ask for it.
        let Some(id) = FieldId::intern(name) else { continue };
        match value {
            Raw::Scalar(value) => event.push(id, value),
            Raw::Part(start, len) => event.push_part(id, start..start.checked_add(len)?),
            Raw::List(items) => {
                let items: Option<Vec<Value<'_>>> =
                    items.iter().map(|item| item.scalar(original)).collect();
                event.push_list(id, items?);
            }
        }
    }
    Some(())
}

/// A value as stored.
enum Raw<'a> {
    /// No list.
    Scalar(Value<'a>),
    Part(usize, usize),
    List(Vec<Raw<'a>>),
}

impl<'a> Raw<'a> {
    /// The value; of a list in a list nothing is left.
    fn scalar(&self, original: &'a str) -> Option<Value<'a>> {
        Some(match self {
            Self::Scalar(value) => *value,
            Self::Part(start, len) => Value::Str(original.get(*start..start.checked_add(*len)?)?),
            Self::List(_) => Value::Null,
        })
    }

    fn json(self, original: &str) -> Option<Json> {
        Some(match self {
            Self::Scalar(Value::Object) => Json::Object(Map::new()),
            Self::Scalar(value) => value.to_json(),
            Self::Part(start, len) => original.get(start..start.checked_add(len)?)?.into(),
            Self::List(items) => {
                Json::Array(items.into_iter().map(|i| i.json(original)).collect::<Option<_>>()?)
            }
        })
    }
}

fn names<'a>(reader: &mut Reader<'a>) -> Option<Vec<&'a str>> {
    let count = reader.size()?;
    let mut names = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let len = reader.size()?;
        names.push(std::str::from_utf8(reader.take(len)?).ok()?);
    }
    Some(names)
}

fn values<'a>(reader: &mut Reader<'a>, count: usize) -> Option<Vec<Raw<'a>>> {
    let mut values = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        values.push(value(reader, 0)?);
    }
    Some(values)
}

fn value<'a>(reader: &mut Reader<'a>, depth: usize) -> Option<Raw<'a>> {
    let scalar = |value| Some(Raw::Scalar(value));
    Some(match reader.byte()? {
        NULL => return scalar(Value::Null),
        FALSE => return scalar(Value::Bool(false)),
        TRUE => return scalar(Value::Bool(true)),
        OBJECT => return scalar(Value::Object),
        INT => Raw::Scalar(Value::Int(reader.signed()?)),
        UINT => Raw::Scalar(Value::UInt(reader.number()?)),
        FLOAT => {
            let bits = u64::from_le_bytes(reader.take(8)?.try_into().ok()?);
            Raw::Scalar(Value::Float(f64::from_bits(bits)))
        }
        TEXT => {
            let len = usize::try_from(reader.number()?).ok()?;
            Raw::Scalar(Value::Str(std::str::from_utf8(reader.take(len)?).ok()?))
        }
        PART => {
            let start = usize::try_from(reader.number()?).ok()?;
            Raw::Part(start, usize::try_from(reader.number()?).ok()?)
        }
        LIST if depth < 4 => {
            let count = usize::try_from(reader.number()?).ok()?;
            let mut items = Vec::with_capacity(count.min(1024));
            for _ in 0..count {
                items.push(value(reader, depth + 1)?);
            }
            Raw::List(items)
        }
        _ => return None,
    })
}
