//! The stored form of an event: everything that [`Event::to_json`] would say, compactly.
//!
//! A version byte, all field names in one piece (events of one kind have the same piece, which the
//! block compression then stores once), the values, the raw line. Text that is a part of the raw
//! line is stored as its place there. Identity and times are in columns of the index and given
//! back to [`decode`].

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use tocsin_model::event::insert_nested;
use tocsin_model::{Event, EventId, FieldId, Timestamp, Value, field};

/// Version of the form.
const VERSION: u8 = 1;
/// The most pieces of field names that are remembered.
const NAMES_KNOWN_MAX: usize = 10_000;

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

/// Appends the stored form of the event.
pub(crate) fn encode(event: &Event, out: &mut Vec<u8>) {
    out.push(VERSION);
    put(out, event.len() as u64);
    for (id, _) in event.iter() {
        let name = id.name().as_bytes();
        put(out, name.len() as u64);
        out.extend_from_slice(name);
    }
    let original = event.original();
    for (_, value) in event.iter() {
        encode_value(value, original, out);
    }
    out.extend_from_slice(original.as_bytes());
}

fn encode_value(value: Value<'_>, original: &str, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Object => out.push(OBJECT),
        Value::Int(number) => {
            out.push(INT);
            put_signed(out, number);
        }
        Value::UInt(number) => {
            out.push(UINT);
            put(out, number);
        }
        Value::Float(number) => {
            out.push(FLOAT);
            out.extend_from_slice(&number.to_bits().to_le_bytes());
        }
        Value::Str(text) => match place_in(text, original) {
            Some(start) => {
                out.push(PART);
                put(out, start);
                put(out, text.len() as u64);
            }
            None => {
                out.push(TEXT);
                put(out, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
        },
        Value::List(list) => {
            out.push(LIST);
            put(out, list.len() as u64);
            for item in list.iter() {
                encode_value(item, original, out);
            }
        }
    }
}

/// Where `text` lies in `original`, when it is a part of it in memory.
fn place_in(text: &str, original: &str) -> Option<u64> {
    let start = (text.as_ptr() as usize).checked_sub(original.as_ptr() as usize)?;
    (start + text.len() <= original.len()).then_some(start as u64)
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// What the index holds of an event in columns.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Head {
    pub id: EventId,
    pub time: Timestamp,
    pub received: Timestamp,
}

/// Reads the stored form as nested ECS JSON; `None` when the bytes are not one.
pub(crate) fn decode(head: Head, bytes: &[u8]) -> Option<Json> {
    let mut reader = Reader { bytes };
    let names = reader.names()?;
    let values = reader.values(names.len())?;
    let original = std::str::from_utf8(reader.bytes).ok()?;
    let mut root = Map::new();
    root.insert("@timestamp".to_owned(), Json::String(head.time.to_string()));
    for (name, value) in names.into_iter().zip(values) {
        if name != field::TIMESTAMP.name() && !matches!(value, Raw::Scalar(Value::Object)) {
            insert_nested(&mut root, name, value.json(original)?);
        }
    }
    if !original.is_empty() {
        insert_nested(&mut root, "event.original", original.into());
    }
    insert_nested(&mut root, "event.id", head.id.to_string().into());
    insert_nested(&mut root, "event.ingested", head.received.to_string().into());
    Some(Json::Object(root))
}

/// Field names that were read before, by the piece of bytes that they are in: events of one kind
/// have the same piece.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<Box<[u8]>, Arc<[Option<FieldId>]>>,
}

impl Names {
    fn read(&mut self, reader: &mut Reader<'_>) -> Option<Arc<[Option<FieldId>]>> {
        let start = reader.bytes;
        let mut ahead = Reader { bytes: start };
        ahead.skip_names()?;
        let piece = &start[..start.len() - ahead.bytes.len()];
        if let Some(known) = self.known.get(piece) {
            reader.bytes = ahead.bytes;
            return Some(known.clone());
        }
        let ids: Arc<[Option<FieldId>]> =
            reader.names()?.into_iter().map(FieldId::intern).collect();
        if self.known.len() >= NAMES_KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(piece.into(), ids.clone());
        Some(ids)
    }
}

/// Reads the stored form as the event that it was made of; `None` when the bytes are not one.
pub(crate) fn decode_event(
    head: Head,
    bytes: &[u8],
    names: &mut Names,
    event: &mut Event,
) -> Option<()> {
    let mut reader = Reader { bytes };
    let ids = names.read(&mut reader)?;
    let values = reader.values(ids.len())?;
    event.clear();
    event.set_original(std::str::from_utf8(reader.bytes).ok()?);
    event.id = head.id;
    event.time = head.time;
    event.received = head.received;
    for (id, value) in ids.iter().zip(values) {
        // A name beyond the limit of names: it is kept, but no rule can ask for it.
        let Some(id) = *id else { continue };
        match value {
            Raw::Scalar(value) => event.push(id, value),
            Raw::Part(start, len) => event.push_part(id, start..start.checked_add(len)?),
            Raw::List(items) => {
                let original = std::str::from_utf8(reader.bytes).ok()?;
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

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn head(&mut self) -> Option<usize> {
        if self.byte()? != VERSION {
            return None;
        }
        usize::try_from(self.number()?).ok()
    }

    fn names(&mut self) -> Option<Vec<&'a str>> {
        let count = self.head()?;
        let mut names = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            let len = usize::try_from(self.number()?).ok()?;
            names.push(std::str::from_utf8(self.take(len)?).ok()?);
        }
        Some(names)
    }

    fn skip_names(&mut self) -> Option<()> {
        for _ in 0..self.head()? {
            let len = usize::try_from(self.number()?).ok()?;
            self.take(len)?;
        }
        Some(())
    }

    fn values(&mut self, count: usize) -> Option<Vec<Raw<'a>>> {
        let mut values = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            values.push(self.value(0)?);
        }
        Some(values)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn value(&mut self, depth: usize) -> Option<Raw<'a>> {
        let scalar = |value| Some(Raw::Scalar(value));
        Some(match self.byte()? {
            NULL => return scalar(Value::Null),
            FALSE => return scalar(Value::Bool(false)),
            TRUE => return scalar(Value::Bool(true)),
            OBJECT => return scalar(Value::Object),
            INT => Raw::Scalar(Value::Int(self.signed()?)),
            UINT => Raw::Scalar(Value::UInt(self.number()?)),
            FLOAT => {
                let bits = u64::from_le_bytes(self.take(8)?.try_into().ok()?);
                Raw::Scalar(Value::Float(f64::from_bits(bits)))
            }
            TEXT => {
                let len = usize::try_from(self.number()?).ok()?;
                Raw::Scalar(Value::Str(std::str::from_utf8(self.take(len)?).ok()?))
            }
            PART => {
                let start = usize::try_from(self.number()?).ok()?;
                Raw::Part(start, usize::try_from(self.number()?).ok()?)
            }
            LIST if depth < 4 => {
                let count = usize::try_from(self.number()?).ok()?;
                let mut items = Vec::with_capacity(count.min(1024));
                for _ in 0..count {
                    items.push(self.value(depth + 1)?);
                }
                Raw::List(items)
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tocsin_model::{FieldId, field};

    use super::*;

    fn check(event: &Event) {
        let mut bytes = Vec::new();
        encode(event, &mut bytes);
        let head = Head { id: event.id, time: event.time, received: event.received };
        assert_eq!(decode(head, &bytes), Some(event.to_json()));
        let (mut names, mut back) = (Names::default(), Event::default());
        for _ in 0..2 {
            assert_eq!(decode_event(head, &bytes, &mut names, &mut back), Some(()));
            assert_eq!(back.to_json(), event.to_json());
        }
        for len in 0..bytes.len() {
            let _ = decode(head, &bytes[..len]);
            let _ = decode_event(head, &bytes[..len], &mut names, &mut back);
        }
    }

    #[test]
    fn an_event_reads_back_as_its_json() {
        let mut event = Event::default();
        check(&event);
        event.set_original("Failed password for root from 192.0.2.1 é");
        event.id = EventId { stream: u64::MAX, offset: 77 };
        event.time = Timestamp(-5);
        event.received = Timestamp(i64::MAX);
        event.push_part(field::USER_NAME, 20..24);
        event.push_str(field::SOURCE_IP, "192.0.2.1");
        event.push_int(field::SOURCE_PORT, -22);
        event.push(field::EVENT_DURATION, Value::UInt(u64::MAX));
        event.push(field::TAGS, Value::Null);
        event.push(field::LABELS, Value::Object);
        event.push(FieldId::intern("acme.on").unwrap(), Value::Bool(true));
        event.push(FieldId::intern("acme").unwrap(), Value::Float(1.5));
        event.push(FieldId::intern("acme.nan").unwrap(), Value::Float(f64::NAN));
        event.push_list(field::RELATED_IP, [Value::Str("a"), Value::Int(2), Value::Null]);
        event.push_list(field::RELATED_USER, []);
        event.push_str(field::TIMESTAMP, "not this");
        check(&event);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            let _ = decode(Head::default(), &bytes);
            let (mut names, mut event) = (Names::default(), Event::default());
            let _ = decode_event(Head::default(), &bytes, &mut names, &mut event);
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            let _ = decode(Head::default(), &bytes);
            let _ = decode_event(Head::default(), &bytes, &mut names, &mut event);
        }
    }
}
