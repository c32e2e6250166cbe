//! [`Event`]: flat ECS fields whose text lives in one buffer, so that an event costs two or three
//! allocations whatever its number of fields, and parsers that cut fields out of the raw line
//! copy nothing.

use std::fmt;
use std::ops::Range;

use serde_json::{Map, Value as Json};

use crate::field::{self, FieldId};
use crate::time::Timestamp;
use crate::value::{List, OwnedValue, Value};

/// Identity of an event, derived from where its record stands, so that reading a record again
/// gives the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct EventId {
    /// The record's stream.
    pub stream: u64,
    /// The record's offset in it.
    pub offset: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.stream, self.offset)
    }
}

impl EventId {
    /// Reads back what `Display` wrote (32 hexadecimal digits).
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let (stream, offset) = text.split_at(16);
        Some(Self {
            stream: u64::from_str_radix(stream, 16).ok()?,
            offset: u64::from_str_radix(offset, 16).ok()?,
        })
    }
}

/// How a value is kept: text by its place in the event's buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stored {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Str { start: u32, len: u32 },
    List { start: u32, len: u32 },
    Object,
}

impl Stored {
    pub(crate) fn view<'a>(&self, text: &'a str, items: &'a [Stored]) -> Value<'a> {
        match *self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Int(number) => Value::Int(number),
            Self::UInt(number) => Value::UInt(number),
            Self::Float(number) => Value::Float(number),
            Self::Str { start, len } => {
                Value::Str(text.get(start as usize..(start + len) as usize).unwrap_or(""))
            }
            Self::List { start, len } => Value::List(List {
                text,
                items: items.get(start as usize..(start + len) as usize).unwrap_or(&[]),
                all: items,
            }),
            Self::Object => Value::Object,
        }
    }
}

/// One event: a time, an identity and flat fields with ECS names.
///
/// `@timestamp` is [`Event::time`], `event.original` is [`Event::original`]; everything else is
/// a field. A field is held once: [`Event::set`] replaces, `push_*` (for parsers that know the
/// field is new) does not look.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// Identity.
    pub id: EventId,
    /// When it happened (`@timestamp`): from the record itself where it says, else
    /// [`Event::received`].
    pub time: Timestamp,
    /// When Tocsin received the record (`event.ingested`).
    pub received: Timestamp,
    original_len: u32,
    text: String,
    fields: Vec<(FieldId, Stored)>,
    items: Vec<Stored>,
}

/// The most text one event can hold, in bytes; what is over is cut.
pub const EVENT_TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

impl Event {
    /// Forgets everything but keeps the buffers, for reuse.
    pub fn clear(&mut self) {
        self.id = EventId::default();
        self.time = Timestamp::default();
        self.received = Timestamp::default();
        self.original_len = 0;
        self.text.clear();
        self.fields.clear();
        self.items.clear();
    }

    /// Sets the raw line. Must be called first: it clears the fields.
    pub fn set_original(&mut self, line: &str) {
        self.text.clear();
        self.fields.clear();
        self.items.clear();
        self.text.push_str(line);
        self.original_len = line.len() as u32;
    }

    /// All text of the event in one piece: the raw line, then what is no part of it. Every value
    /// that is text is a part of this.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The raw line (`event.original`); empty when the event was made without one.
    pub fn original(&self) -> &str {
        self.text.get(..self.original_len as usize).unwrap_or("")
    }

    /// Adds a field whose text is a part of the raw line, without copying. `range` is in bytes
    /// of [`Event::original`]; a range that is out of bounds or cuts a character adds nothing.
    pub fn push_part(&mut self, field: FieldId, range: Range<usize>) {
        if range.end <= self.original_len as usize && self.text.get(range.clone()).is_some() {
            let stored = Stored::Str { start: range.start as u32, len: range.len() as u32 };
            self.fields.push((field, stored));
        }
    }

    /// Adds a text field.
    pub fn push_str(&mut self, field: FieldId, text: &str) {
        let stored = self.store_str(text);
        self.fields.push((field, stored));
    }

    /// Adds a number.
    pub fn push_int(&mut self, field: FieldId, number: i64) {
        self.fields.push((field, Stored::Int(number)));
    }

    /// Adds any scalar; lists and objects are copied too.
    pub fn push(&mut self, field: FieldId, value: Value<'_>) {
        let stored = self.store(value);
        self.fields.push((field, stored));
    }

    /// Adds a list of scalars.
    pub fn push_list<'v>(&mut self, field: FieldId, values: impl IntoIterator<Item = Value<'v>>) {
        let stored: Vec<Stored> = values.into_iter().map(|value| self.store(value)).collect();
        let start = self.items.len() as u32;
        self.items.extend_from_slice(&stored);
        self.fields.push((field, Stored::List { start, len: stored.len() as u32 }));
    }

    /// Adds a list of what the `from` fields hold (elements of lists one by one), each text once,
    /// without copying it. Adds nothing when none of them holds text.
    pub fn push_list_of(&mut self, field: FieldId, from: &[FieldId]) {
        let start = self.items.len();
        for at in 0..self.fields.len() {
            let (id, stored) = self.fields[at];
            if !from.contains(&id) {
                continue;
            }
            match stored {
                Stored::List { start: first, len } => {
                    for item in first as usize..(first + len) as usize {
                        self.push_item_once(start, self.items[item]);
                    }
                }
                other => self.push_item_once(start, other),
            }
        }
        let len = self.items.len() - start;
        if len > 0 {
            self.fields.push((field, Stored::List { start: start as u32, len: len as u32 }));
        }
    }

    /// Adds what `from` holds as `to` too, without copying; whether there was anything.
    pub fn push_copy(&mut self, from: FieldId, to: FieldId) -> bool {
        let Some(at) = self.fields.iter().position(|(id, _)| *id == from) else { return false };
        let stored = self.fields[at].1;
        self.fields.push((to, stored));
        true
    }

    /// Removes the fields that were added at the places `range`, counted from 0 in the order of
    /// [`Event::iter`].
    pub fn remove_range(&mut self, range: Range<usize>) {
        let end = range.end.min(self.fields.len());
        self.fields.drain(range.start.min(end)..end);
    }

    fn push_item_once(&mut self, start: usize, item: Stored) {
        let Value::Str(text) = item.view(&self.text, &[]) else { return };
        let known = self.items[start..]
            .iter()
            .any(|other| other.view(&self.text, &[]).as_str() == Some(text));
        if !known && !text.is_empty() {
            self.items.push(item);
        }
    }

    /// Sets a field, replacing what it held.
    pub fn set(&mut self, field: FieldId, value: Value<'_>) {
        let stored = self.store(value);
        self.replace(field, stored);
    }

    /// Sets a text field, replacing what it held.
    pub fn set_str(&mut self, field: FieldId, text: &str) {
        let stored = self.store_str(text);
        self.replace(field, stored);
    }

    /// Sets a field from an owned value, replacing what it held.
    pub fn set_owned(&mut self, field: FieldId, value: &OwnedValue) {
        let stored = self.store_owned(value);
        self.replace(field, stored);
    }

    /// Removes a field; whether it was there.
    pub fn remove(&mut self, field: FieldId) -> bool {
        let before = self.fields.len();
        self.fields.retain(|(id, _)| *id != field);
        self.fields.len() != before
    }

    /// Gives what `from` holds to `to`, replacing what `to` held; whether there was anything.
    pub fn rename(&mut self, from: FieldId, to: FieldId) -> bool {
        let Some(at) = self.fields.iter().position(|(id, _)| *id == from) else { return false };
        let stored = self.fields[at].1;
        self.fields.remove(at);
        self.replace(to, stored);
        true
    }

    /// The field's value; `None` when absent.
    pub fn get(&self, field: FieldId) -> Option<Value<'_>> {
        let (_, stored) = self.fields.iter().find(|(id, _)| *id == field)?;
        Some(stored.view(&self.text, &self.items))
    }

    /// The field's text; `None` when absent or not text.
    pub fn get_str(&self, field: FieldId) -> Option<&str> {
        self.get(field)?.as_str()
    }

    /// Whether the field is present (null counts).
    pub fn has(&self, field: FieldId) -> bool {
        self.fields.iter().any(|(id, _)| *id == field)
    }

    /// All fields in the order they were added, without time, id and raw line.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (FieldId, Value<'_>)> {
        self.fields.iter().map(|(id, stored)| (*id, stored.view(&self.text, &self.items)))
    }

    /// The field at a place, in the order they were added.
    pub fn at(&self, place: usize) -> Option<(FieldId, Value<'_>)> {
        self.fields.get(place).map(|(id, stored)| (*id, stored.view(&self.text, &self.items)))
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The event as nested ECS JSON: `@timestamp`, `event.id`, `event.ingested`,
    /// `event.original` and all fields, `a.b` as `{"a":{"b":…}}`. Where a name is both a value
    /// and a parent, the value moves to the member `value` of the parent.
    pub fn to_json(&self) -> Json {
        let mut root = Map::new();
        root.insert("@timestamp".to_owned(), Json::String(self.time.to_string()));
        for (id, value) in self.iter() {
            if id != field::TIMESTAMP && !matches!(value, Value::Object) {
                insert_nested(&mut root, id.name(), value.to_json());
            }
        }
        if self.original_len > 0 {
            insert_nested(&mut root, "event.original", self.original().into());
        }
        insert_nested(&mut root, "event.id", self.id.to_string().into());
        insert_nested(&mut root, "event.ingested", self.received.to_string().into());
        Json::Object(root)
    }

    fn store_str(&mut self, text: &str) -> Stored {
        let room = EVENT_TEXT_BYTES_MAX.saturating_sub(self.text.len());
        let text = &text[..text.floor_char_boundary(room)];
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Stored::Str { start, len: text.len() as u32 }
    }

    fn store(&mut self, value: Value<'_>) -> Stored {
        match value {
            Value::Null => Stored::Null,
            Value::Bool(flag) => Stored::Bool(flag),
            Value::Int(number) => Stored::Int(number),
            Value::UInt(number) => Stored::UInt(number),
            Value::Float(number) => Stored::Float(number),
            Value::Str(text) => self.store_str(text),
            Value::Object => Stored::Object,
            Value::List(list) => {
                let stored: Vec<Stored> = list.iter().map(|item| self.store(item)).collect();
                self.store_items(&stored)
            }
        }
    }

    fn store_owned(&mut self, value: &OwnedValue) -> Stored {
        match value {
            OwnedValue::Null => Stored::Null,
            OwnedValue::Bool(flag) => Stored::Bool(*flag),
            OwnedValue::Int(number) => Stored::Int(*number),
            OwnedValue::UInt(number) => Stored::UInt(*number),
            OwnedValue::Float(number) => Stored::Float(*number),
            OwnedValue::Str(text) => self.store_str(text),
            OwnedValue::List(list) => {
                let stored: Vec<Stored> = list.iter().map(|item| self.store_owned(item)).collect();
                self.store_items(&stored)
            }
        }
    }

    fn store_items(&mut self, stored: &[Stored]) -> Stored {
        let start = self.items.len() as u32;
        self.items.extend_from_slice(stored);
        Stored::List { start, len: stored.len() as u32 }
    }

    fn replace(&mut self, field: FieldId, stored: Stored) {
        match self.fields.iter_mut().find(|(id, _)| *id == field) {
            Some(slot) => slot.1 = stored,
            None => self.fields.push((field, stored)),
        }
    }
}

/// Member of a parent that takes the value of a field that is a value and a parent.
const VALUE_MEMBER: &str = "value";

/// Puts `value` at the dotted `path` of a JSON object, making the parents; where a parent is
/// already a value, that value moves to its member `value`, so that ECS names always nest.
pub fn insert_nested(root: &mut Map<String, Json>, path: &str, value: Json) {
    let Some((head, rest)) = path.split_once('.') else {
        match root.get_mut(path) {
            Some(Json::Object(parent)) if !value.is_object() => {
                parent.entry(VALUE_MEMBER).or_insert(value);
            }
            _ => {
                root.insert(path.to_owned(), value);
            }
        }
        return;
    };
    if head.is_empty() || rest.is_empty() {
        root.insert(path.to_owned(), value);
        return;
    }
    let child = root.entry(head.to_owned()).or_insert_with(|| Json::Object(Map::new()));
    if !child.is_object() {
        let scalar = std::mem::replace(child, Json::Object(Map::new()));
        if let Json::Object(parent) = child {
            parent.insert(VALUE_MEMBER.to_owned(), scalar);
        }
    }
    if let Json::Object(child) = child {
        insert_nested(child, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_line_and_copies_read_back() {
        let mut event = Event::default();
        event.set_original("Failed password for root");
        event.push_part(field::USER_NAME, 20..24);
        event.push_str(field::SOURCE_IP, "192.0.2.1");
        event.push_int(field::SOURCE_PORT, 22);
        event.push_list(field::RELATED_IP, [Value::Str("a"), Value::Int(2)]);
        assert_eq!(event.get_str(field::USER_NAME), Some("root"));
        assert_eq!(event.get_str(field::SOURCE_IP), Some("192.0.2.1"));
        event.set_str(field::SOURCE_IP, "::1");
        assert_eq!(event.get_str(field::SOURCE_IP), Some("::1"));
        assert_eq!(event.len(), 4);
        let json = event.to_json();
        assert_eq!(json["user"]["name"], "root");
        assert_eq!(json["related"]["ip"], serde_json::json!(["a", 2]));
        assert_eq!(json["event"]["original"], "Failed password for root");
        let copy = event.clone();
        event.clear();
        assert!(event.is_empty());
        assert_eq!(copy.get_str(field::USER_NAME), Some("root"));
    }

    #[test]
    fn a_value_that_is_also_a_parent_moves_aside() {
        let mut event = Event::default();
        event.push_str(FieldId::intern("user").unwrap(), "root");
        event.push_str(field::USER_NAME, "root");
        event.push_str(field::SOURCE_IP, "192.0.2.1");
        event.push_str(FieldId::intern("source").unwrap(), "app");
        let json = event.to_json();
        assert_eq!(json["user"], serde_json::json!({"value": "root", "name": "root"}));
        assert_eq!(json["source"], serde_json::json!({"ip": "192.0.2.1", "value": "app"}));
    }

    #[test]
    fn lists_of_other_fields_hold_each_text_once() {
        let mut event = Event::default();
        event.push_str(field::SOURCE_IP, "192.0.2.1");
        event.push_str(field::DESTINATION_IP, "192.0.2.1");
        event.push_list(field::HOST_IP, [Value::Str("::1"), Value::Str("192.0.2.1")]);
        let all = [field::SOURCE_IP, field::DESTINATION_IP, field::HOST_IP];
        event.push_list_of(field::RELATED_IP, &all);
        event.push_list_of(field::RELATED_USER, &[field::USER_NAME]);
        assert!(event.push_copy(field::SOURCE_IP, field::CLIENT_IP));
        assert_eq!(event.to_json()["related"], serde_json::json!({"ip": ["192.0.2.1", "::1"]}));
        event.remove_range(0..3);
        assert_eq!(event.get_str(field::CLIENT_IP), Some("192.0.2.1"));
        assert_eq!(event.len(), 2);
    }

    #[test]
    fn a_part_that_cuts_a_character_is_refused() {
        let mut event = Event::default();
        event.set_original("é");
        event.push_part(field::USER_NAME, 0..1);
        event.push_part(field::USER_NAME, 0..9);
        assert!(event.is_empty());
    }

    #[test]
    fn ids_read_back() {
        let id = EventId { stream: 7, offset: u64::MAX };
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
        assert_eq!(EventId::parse("x"), None);
    }
}
