//! [`Event`]: flat ECS fields whose text lives in one buffer, so that an event costs two or three
//! allocations whatever its number of fields, and parsers that cut fields out of the raw line
//! copy nothing.

use std::fmt;
use std::ops::Range;

use serde_json::{Map, Value as Json};

use crate::field::{self, FieldId};
use crate::stored::{Bits, Stored};
use crate::time::Timestamp;
use crate::value::{OwnedValue, Value};

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
    /// Names and values of the fields, side by side: names alone are looked through fast.
    ids: Vec<FieldId>,
    values: Vec<Stored>,
    items: Vec<Stored>,
}

/// An element of a list that is added.
#[derive(Debug, Clone)]
pub enum Item<'v> {
    /// The text at this place of [`Event::text`].
    Piece(Range<usize>),
    /// A value, which is copied.
    Value(Value<'v>),
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
        self.ids.clear();
        self.values.clear();
        self.items.clear();
    }

    /// Sets the raw line. Must be called first: it clears the fields.
    pub fn set_original(&mut self, line: &str) {
        self.text.clear();
        self.ids.clear();
        self.values.clear();
        self.items.clear();
        self.text.push_str(line);
        self.original_len = line.len() as u32;
    }

    /// A copy that takes no more memory than it needs, with room for what is still to be added.
    pub fn copy_with_room(&self, fields: usize, text_bytes: usize) -> Self {
        let mut copy = Self {
            id: self.id,
            time: self.time,
            received: self.received,
            original_len: self.original_len,
            text: String::with_capacity(self.text.len() + text_bytes),
            ids: Vec::with_capacity(self.ids.len() + fields),
            values: Vec::with_capacity(self.values.len() + fields),
            items: self.items.clone(),
        };
        copy.text.push_str(&self.text);
        copy.ids.extend_from_slice(&self.ids);
        copy.values.extend_from_slice(&self.values);
        copy
    }

    /// Sets all text of the event, as [`Event::text`] gave it: its first `original_len` bytes are
    /// the raw line. Like [`Event::set_original`], it must be called first.
    pub fn set_text(&mut self, text: &str, original_len: usize) {
        self.set_original(text);
        self.original_len = text.floor_char_boundary(original_len) as u32;
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
            self.add(field, stored);
        }
    }

    /// Adds a field whose text is a part of [`Event::text`], without copying; a range that is out
    /// of bounds or cuts a character adds nothing.
    pub fn push_piece(&mut self, field: FieldId, range: Range<usize>) {
        if let Some(stored) = self.piece(range) {
            self.add(field, stored);
        }
    }

    /// Adds a list, the texts of which may be parts of [`Event::text`] (see
    /// [`Event::push_piece`]).
    pub fn push_pieces<'v>(&mut self, field: FieldId, items: impl IntoIterator<Item = Item<'v>>) {
        let items = items.into_iter();
        let stored: Vec<Stored> = items
            .filter_map(|item| match item {
                Item::Piece(range) => self.piece(range),
                Item::Value(value) => Some(self.store(value)),
            })
            .collect();
        let list = self.store_items(&stored);
        self.add(field, list);
    }

    fn piece(&self, range: Range<usize>) -> Option<Stored> {
        let stored = Stored::Str { start: range.start as u32, len: range.len() as u32 };
        self.text.get(range).map(|_| stored)
    }

    /// Adds a text field.
    pub fn push_str(&mut self, field: FieldId, text: &str) {
        let stored = self.store_str(text);
        self.add(field, stored);
    }

    /// Adds a number.
    pub fn push_int(&mut self, field: FieldId, number: i64) {
        self.add(field, Stored::Int(Bits::of(number as u64)));
    }

    /// Adds any scalar; lists and objects are copied too.
    pub fn push(&mut self, field: FieldId, value: Value<'_>) {
        let stored = self.store(value);
        self.add(field, stored);
    }

    /// Adds a list of scalars.
    pub fn push_list<'v>(&mut self, field: FieldId, values: impl IntoIterator<Item = Value<'v>>) {
        let stored: Vec<Stored> = values.into_iter().map(|value| self.store(value)).collect();
        let start = self.items.len() as u32;
        self.items.extend_from_slice(&stored);
        self.add(field, Stored::List { start, len: stored.len() as u32 });
    }

    /// Adds a list of what the `from` fields hold (elements of lists one by one), each text once,
    /// without copying it. Adds nothing when none of them holds text.
    pub fn push_list_of(&mut self, field: FieldId, from: &[FieldId]) {
        let start = self.items.len();
        for at in 0..self.ids.len() {
            if !from.contains(&self.ids[at]) {
                continue;
            }
            match self.values[at] {
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
            self.add(field, Stored::List { start: start as u32, len: len as u32 });
        }
    }

    /// Adds what `from` holds as `to` too, without copying; whether there was anything.
    pub fn push_copy(&mut self, from: FieldId, to: FieldId) -> bool {
        let Some(at) = self.place(from) else { return false };
        self.add(to, self.values[at]);
        true
    }

    /// Removes the fields that were added at the places `range`, counted from 0 in the order of
    /// [`Event::iter`].
    pub fn remove_range(&mut self, range: Range<usize>) {
        let end = range.end.min(self.ids.len());
        let range = range.start.min(end)..end;
        self.ids.drain(range.clone());
        self.values.drain(range);
    }

    #[inline]
    fn add(&mut self, field: FieldId, stored: Stored) {
        self.ids.push(field);
        self.values.push(stored);
    }

    /// Where the first field of that name stands.
    #[inline]
    fn place(&self, field: FieldId) -> Option<usize> {
        // Eight at a time, without a branch for each.
        let (eights, rest) = self.ids.as_chunks::<8>();
        for (number, eight) in eights.iter().enumerate() {
            let mut found = 0_u32;
            for (bit, id) in eight.iter().enumerate() {
                found |= u32::from(*id == field) << bit;
            }
            if found != 0 {
                return Some(number * 8 + found.trailing_zeros() as usize);
            }
        }
        let before = self.ids.len() - rest.len();
        rest.iter().position(|id| *id == field).map(|at| before + at)
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
        let mut removed = false;
        while let Some(at) = self.place(field) {
            self.ids.remove(at);
            self.values.remove(at);
            removed = true;
        }
        removed
    }

    /// Gives what `from` holds to `to`, replacing what `to` held; whether there was anything.
    pub fn rename(&mut self, from: FieldId, to: FieldId) -> bool {
        let Some(at) = self.place(from) else { return false };
        let stored = self.values[at];
        self.ids.remove(at);
        self.values.remove(at);
        self.replace(to, stored);
        true
    }

    /// The field's value; `None` when absent.
    pub fn get(&self, field: FieldId) -> Option<Value<'_>> {
        Some(self.values[self.place(field)?].view(&self.text, &self.items))
    }

    /// The field's text; `None` when absent or not text.
    pub fn get_str(&self, field: FieldId) -> Option<&str> {
        self.get(field)?.as_str()
    }

    /// Whether the field is present (null counts).
    pub fn has(&self, field: FieldId) -> bool {
        self.place(field).is_some()
    }

    /// All fields in the order they were added, without time, id and raw line.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (FieldId, Value<'_>)> {
        let values = self.values.iter().map(|stored| stored.view(&self.text, &self.items));
        self.ids.iter().copied().zip(values)
    }

    /// The field at a place, in the order they were added.
    pub fn at(&self, place: usize) -> Option<(FieldId, Value<'_>)> {
        let (id, stored) = (self.ids.get(place)?, self.values.get(place)?);
        Some((*id, stored.view(&self.text, &self.items)))
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
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
            Value::Int(number) => Stored::Int(Bits::of(number as u64)),
            Value::UInt(number) => Stored::UInt(Bits::of(number)),
            Value::Float(number) => Stored::Float(Bits::of(number.to_bits())),
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
            OwnedValue::Int(number) => Stored::Int(Bits::of(*number as u64)),
            OwnedValue::UInt(number) => Stored::UInt(Bits::of(*number)),
            OwnedValue::Float(number) => Stored::Float(Bits::of(number.to_bits())),
            OwnedValue::Str(text) => self.store_str(text),
            OwnedValue::List(list) => {
                // Lists in lists put their own items first.
                if list.iter().any(|item| matches!(item, OwnedValue::List(_))) {
                    let stored: Vec<Stored> =
                        list.iter().map(|item| self.store_owned(item)).collect();
                    return self.store_items(&stored);
                }
                let start = self.items.len() as u32;
                for item in list {
                    let stored = self.store_owned(item);
                    self.items.push(stored);
                }
                Stored::List { start, len: list.len() as u32 }
            }
        }
    }

    fn store_items(&mut self, stored: &[Stored]) -> Stored {
        let start = self.items.len() as u32;
        self.items.extend_from_slice(stored);
        Stored::List { start, len: stored.len() as u32 }
    }

    fn replace(&mut self, field: FieldId, stored: Stored) {
        match self.place(field) {
            Some(at) => self.values[at] = stored,
            None => self.add(field, stored),
        }
    }
}

/// Member of a parent that takes the value of a field that is a value and a parent.
pub(crate) const VALUE_MEMBER: &str = "value";

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
#[path = "event_tests.rs"]
mod tests;
