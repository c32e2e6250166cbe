//! The stored form of an event: everything that [`Event::to_json`] would say, compactly.
//!
//! A version byte; the *shape*: number and type of each field, the same bytes for events of one
//! kind; the values, texts as their places in the event's text; the raw line's length and the
//! text. Places tell how far a text is from the end of the one before, so that lines of one form
//! differ in few bytes and the block compression finds the rest. Fields are numbered as in the
//! index's schema; names that it does not have are spelt. Identity and times are in columns of
//! the index and given back to [`decode`].

mod old;
mod reader;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use tocsin_model::event::{Item, insert_nested};
use tocsin_model::{Event, EventId, FieldId, Timestamp, Value, field};

use crate::embedded::schema::Fields;
use reader::Reader;

/// Version of the form.
const VERSION: u8 = 2;
/// The version before; see [`old`].
const VERSION_OLD: u8 = 1;
/// The most shapes that are remembered.
const SHAPES_KNOWN_MAX: usize = 10_000;
/// How deep lists in lists are read.
const DEPTH_MAX: usize = 4;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const UINT: u8 = 4;
const FLOAT: u8 = 5;
const TEXT: u8 = 6;
const LIST: u8 = 7;
const OBJECT: u8 = 8;

/// Writes stored forms for one index.
pub(crate) struct Encoder {
    /// Number of each field in the schema, one more; 0 where it is not known yet.
    numbers: Vec<u32>,
    values: Vec<u8>,
}

/// A name that the schema does not have.
const SPELT: u32 = 1;

impl Encoder {
    pub(crate) fn new() -> Self {
        Self { numbers: Vec::new(), values: Vec::new() }
    }

    /// Appends the stored form of the event.
    pub(crate) fn encode(&mut self, event: &Event, fields: &Fields, out: &mut Vec<u8>) {
        out.push(VERSION);
        put(out, event.len() as u64);
        self.values.clear();
        let mut places = Places::of(event);
        for (id, value) in event.iter() {
            let number = self.number(id, fields);
            if number == SPELT {
                let name = id.name().as_bytes();
                put(out, 0);
                put(out, name.len() as u64);
                out.extend_from_slice(name);
            } else {
                put(out, u64::from(number - SPELT));
            }
            out.push(tag(value));
            places.put_value(value, &mut self.values);
        }
        out.extend_from_slice(&self.values);
        put(out, event.original().len() as u64);
        out.extend_from_slice(event.text().as_bytes());
    }

    fn number(&mut self, id: FieldId, fields: &Fields) -> u32 {
        if self.numbers.len() <= id.index() {
            self.numbers.resize(id.index() + 64, 0);
        }
        let known = &mut self.numbers[id.index()];
        if *known == 0 {
            let number = fields.typed(id.name()).map(|field| field.field_id() + 1);
            *known = number.unwrap_or(0) + SPELT;
        }
        *known
    }
}

fn tag(value: Value<'_>) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(false) => FALSE,
        Value::Bool(true) => TRUE,
        Value::Int(_) => INT,
        Value::UInt(_) => UINT,
        Value::Float(_) => FLOAT,
        Value::Str(_) => TEXT,
        Value::List(_) => LIST,
        Value::Object => OBJECT,
    }
}

/// Places of texts, each told from the one before.
struct Places<'a> {
    text: &'a str,
    original: usize,
    /// Where the last text of the raw line ended.
    end: usize,
}

impl<'a> Places<'a> {
    fn of(event: &'a Event) -> Self {
        Self { text: event.text(), original: event.original().len(), end: 0 }
    }

    fn put_value(&mut self, value: Value<'_>, out: &mut Vec<u8>) {
        match value {
            Value::Null | Value::Bool(_) | Value::Object => {}
            Value::Int(number) => put_signed(out, number),
            Value::UInt(number) => put(out, number),
            Value::Float(number) => out.extend_from_slice(&number.to_bits().to_le_bytes()),
            Value::Str(text) => self.put_place(text, out),
            Value::List(list) => {
                put(out, list.len() as u64);
                for item in list.iter() {
                    out.push(tag(item));
                    self.put_value(item, out);
                }
            }
        }
    }

    /// Every text of an event is a part of [`Event::text`].
    fn put_place(&mut self, text: &str, out: &mut Vec<u8>) {
        let start = (text.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        if start >= self.original {
            put(out, ((start - self.original) as u64) << 1 | 1);
        } else {
            let step = start as i64 - self.end as i64;
            put(out, (((step << 1) ^ (step >> 63)) as u64) << 1);
            self.end = start + text.len();
        }
        put(out, text.len() as u64);
    }
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

/// A field of a shape: its name, its number in this process (none beyond the limit of names:
/// then it is kept, but no rule can ask for it), and its type.
struct Shaped {
    name: Box<str>,
    id: Option<FieldId>,
    tag: u8,
}

/// Shapes that were read before, of one index.
#[derive(Default)]
pub(crate) struct Shapes {
    known: HashMap<Box<[u8]>, Arc<[Shaped]>>,
}

impl Shapes {
    fn read(&mut self, reader: &mut Reader<'_>, fields: &Fields) -> Option<Arc<[Shaped]>> {
        let start = reader.bytes;
        skip_shape(reader)?;
        let piece = &start[..start.len() - reader.bytes.len()];
        if let Some(known) = self.known.get(piece) {
            return Some(Arc::clone(known));
        }
        let shape = read_shape(&mut Reader { bytes: piece }, fields)?;
        if self.known.len() >= SHAPES_KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(piece.into(), Arc::clone(&shape));
        Some(shape)
    }
}

fn skip_shape(reader: &mut Reader<'_>) -> Option<()> {
    for _ in 0..reader.size()? {
        if reader.number()? == 0 {
            let len = reader.size()?;
            reader.take(len)?;
        }
        reader.byte()?;
    }
    Some(())
}

fn read_shape(reader: &mut Reader<'_>, fields: &Fields) -> Option<Arc<[Shaped]>> {
    let count = reader.size()?;
    let mut shape = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let name = match reader.size()?.checked_sub(1) {
            Some(number) => fields.name(number)?,
            None => {
                let len = reader.size()?;
                std::str::from_utf8(reader.take(len)?).ok()?
            }
        };
        shape.push(Shaped { name: name.into(), id: FieldId::intern(name), tag: reader.byte()? });
    }
    Some(shape.into())
}

/// Reads the stored form as nested ECS JSON; `None` when the bytes are not one.
pub(crate) fn decode(head: Head, bytes: &[u8], fields: &Fields) -> Option<Json> {
    let mut reader = Reader { bytes };
    if reader.byte()? == VERSION_OLD {
        return old::decode(head, &mut reader);
    }
    let mut body = Body::read(bytes, &mut Shapes::default(), fields)?;
    let mut root = Map::new();
    root.insert("@timestamp".to_owned(), Json::String(head.time.to_string()));
    for field in Arc::clone(&body.shape).iter() {
        let value = body.values.value(field.tag, 0)?;
        if &*field.name != field::TIMESTAMP.name() && !matches!(value, Raw::Value(Value::Object)) {
            insert_nested(&mut root, &field.name, value.json(body.text)?);
        }
    }
    Some(finish_json(root, head, body.text.get(..body.original)?))
}

fn finish_json(mut root: Map<String, Json>, head: Head, original: &str) -> Json {
    if !original.is_empty() {
        insert_nested(&mut root, "event.original", original.into());
    }
    insert_nested(&mut root, "event.id", head.id.to_string().into());
    insert_nested(&mut root, "event.ingested", head.received.to_string().into());
    Json::Object(root)
}

/// Reads the stored form as the event that it was made of; `None` when the bytes are not one.
pub(crate) fn decode_event(
    head: Head,
    bytes: &[u8],
    shapes: &mut Shapes,
    fields: &Fields,
    event: &mut Event,
) -> Option<()> {
    let mut reader = Reader { bytes };
    if reader.byte()? == VERSION_OLD {
        return old::decode_event(head, &mut reader, event);
    }
    let mut body = Body::read(bytes, shapes, fields)?;
    event.clear();
    event.set_text(body.text, body.original);
    (event.id, event.time, event.received) = (head.id, head.time, head.received);
    for field in Arc::clone(&body.shape).iter() {
        let value = body.values.value(field.tag, 0)?;
        let Some(id) = field.id else { continue };
        match value {
            Raw::Value(value) => event.push(id, value),
            Raw::Place(start, len) => {
                let range = start..start.checked_add(len)?;
                body.text.get(range.clone())?;
                event.push_piece(id, range);
            }
            Raw::List(items) => event.push_pieces(id, items.into_iter().map(Raw::item)),
        }
    }
    Some(())
}

/// The parts of a stored form.
struct Body<'a> {
    shape: Arc<[Shaped]>,
    values: Decoder<'a>,
    /// Bytes of the raw line, the first of the text.
    original: usize,
    text: &'a str,
}

impl<'a> Body<'a> {
    fn read(bytes: &'a [u8], shapes: &mut Shapes, fields: &Fields) -> Option<Self> {
        let mut reader = Reader { bytes };
        if reader.byte()? != VERSION {
            return None;
        }
        let shape = shapes.read(&mut reader, fields)?;
        // The text comes last, so the values are gone through twice.
        let values = reader.bytes;
        let mut ahead = Decoder { reader, end: 0, original: 0 };
        for field in shape.iter() {
            ahead.value(field.tag, 0)?;
        }
        let original = ahead.reader.size()?;
        let text = std::str::from_utf8(ahead.reader.bytes).ok()?;
        let values = Decoder { reader: Reader { bytes: values }, end: 0, original };
        text.get(..original)?;
        Some(Self { shape, values, original, text })
    }
}

/// A value as stored.
enum Raw {
    /// Neither text nor list.
    Value(Value<'static>),
    Place(usize, usize),
    List(Vec<Raw>),
}

impl Raw {
    fn json(self, text: &str) -> Option<Json> {
        Some(match self {
            Self::Value(Value::Object) => Json::Object(Map::new()),
            Self::Value(value) => value.to_json(),
            Self::Place(start, len) => text.get(start..start.checked_add(len)?)?.into(),
            Self::List(items) => {
                Json::Array(items.into_iter().map(|i| i.json(text)).collect::<Option<_>>()?)
            }
        })
    }

    /// As the element of a list; of a list in a list nothing is left.
    fn item(self) -> Item<'static> {
        match self {
            Self::Value(value) => Item::Value(value),
            Self::Place(start, len) => Item::Piece(start..start.saturating_add(len)),
            Self::List(_) => Item::Value(Value::Null),
        }
    }
}

struct Decoder<'a> {
    reader: Reader<'a>,
    end: usize,
    original: usize,
}

impl Decoder<'_> {
    fn value(&mut self, tag: u8, depth: usize) -> Option<Raw> {
        Some(Raw::Value(match tag {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            OBJECT => Value::Object,
            INT => Value::Int(self.reader.signed()?),
            UINT => Value::UInt(self.reader.number()?),
            FLOAT => Value::Float(self.reader.float()?),
            TEXT => return self.place(),
            LIST if depth < DEPTH_MAX => {
                let count = self.reader.size()?;
                let mut items = Vec::with_capacity(count.min(1024));
                for _ in 0..count {
                    let tag = self.reader.byte()?;
                    items.push(self.value(tag, depth + 1)?);
                }
                return Some(Raw::List(items));
            }
            _ => return None,
        }))
    }

    fn place(&mut self) -> Option<Raw> {
        let (code, len) = (self.reader.number()?, self.reader.size()?);
        if code & 1 == 1 {
            let start = self.original.checked_add(usize::try_from(code >> 1).ok()?)?;
            return Some(Raw::Place(start, len));
        }
        let step = code >> 1;
        let step = (step >> 1) as i64 ^ -((step & 1) as i64);
        let start = usize::try_from((self.end as i64).checked_add(step)?).ok();
        // Before the length of the raw line is known, places are not looked at.
        let start = start.unwrap_or_default();
        self.end = start.checked_add(len)?;
        Some(Raw::Place(start, len))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tocsin_model::{FieldId, field};

    use super::*;
    use crate::embedded::schema::current_fields;

    fn check(event: &Event) {
        let fields = current_fields().unwrap();
        let mut bytes = Vec::new();
        Encoder::new().encode(event, fields, &mut bytes);
        let head = Head { id: event.id, time: event.time, received: event.received };
        assert_eq!(decode(head, &bytes, fields), Some(event.to_json()));
        let (mut shapes, mut back) = (Shapes::default(), Event::default());
        for _ in 0..2 {
            assert_eq!(decode_event(head, &bytes, &mut shapes, fields, &mut back), Some(()));
            assert_eq!(back.to_json(), event.to_json());
        }
        for len in 0..bytes.len() {
            let _ = decode(head, &bytes[..len], fields);
            let _ = decode_event(head, &bytes[..len], &mut shapes, fields, &mut back);
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
            let (mut bytes, fields) = (bytes, current_fields().unwrap());
            let _ = decode(Head::default(), &bytes, fields);
            let (mut shapes, mut event) = (Shapes::default(), Event::default());
            let _ = decode_event(Head::default(), &bytes, &mut shapes, fields, &mut event);
            for version in [VERSION_OLD, VERSION] {
                if let Some(first) = bytes.first_mut() {
                    *first = version;
                }
                let _ = decode(Head::default(), &bytes, fields);
                let _ = decode_event(Head::default(), &bytes, &mut shapes, fields, &mut event);
            }
        }
    }
}
