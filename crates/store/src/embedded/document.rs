//! [`Event`] → Tantivy document.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use tantivy::schema::{Field, OwnedValue};
use tantivy::{DateTime, TantivyDocument};
use tocsin_model::{Event, FieldId, Value, field};

use crate::embedded::schema::Fields;
use crate::embedded::source::Encoder;
use crate::embedded::tokens::{LINE_END, MESSAGE_START};
use crate::matcher::is_present;
use crate::test::{Canon, Class, KEYWORD_BYTES_MAX, canon, class_of};
use crate::words::{TEXT_BYTES_MAX, for_each_text, has_object, without_head};

/// The most names outside the dictionary that one partition indexes; later ones are kept in the
/// event, but not searched by.
pub const DYNAMIC_NAMES_MAX: usize = 4000;

/// How a field of events is indexed.
#[derive(Clone, Copy)]
enum Way {
    /// Not looked at yet.
    Unknown,
    /// Kept in the event only.
    Skip,
    Typed(Class, Field),
    Dynamic,
}

/// Turns events into documents for one index.
pub(crate) struct Builder {
    fields: Fields,
    ways: Vec<Way>,
    dynamic_names: HashSet<String>,
    encoder: Encoder,
    source: Vec<u8>,
    text: String,
    /// Values that were kept but not (wholly) indexed.
    pub unindexed: u64,
}

impl Builder {
    /// `names` are the names outside the dictionary that the index already has.
    pub(crate) fn new(fields: Fields, names: HashSet<String>) -> Self {
        Self {
            fields,
            ways: Vec::new(),
            dynamic_names: names,
            encoder: Encoder::new(),
            source: Vec::new(),
            text: String::new(),
            unindexed: 0,
        }
    }

    /// Bytes of the stored form of the last event.
    pub(crate) fn bytes(&self) -> usize {
        self.source.len()
    }

    /// The document of an event.
    pub(crate) fn document(&mut self, event: &Event) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        self.source.clear();
        self.encoder.encode(event, &self.fields, &mut self.source);
        document.add_bytes(self.fields.source, &self.source);
        document.add_u64(self.fields.stream, event.id.stream);
        document.add_u64(self.fields.offset, event.id.offset);
        let time = DateTime::from_timestamp_nanos(event.time.0);
        document.add_date(self.fields.timestamp, time);
        let received = DateTime::from_timestamp_nanos(event.received.0);
        document.add_date(self.fields.ingested, received);
        self.add_texts(&mut document, event);
        let mut dynamic = Vec::new();
        // A name without any value takes no place among the names that there may be.
        for (id, value) in event.iter().filter(|(_, value)| is_present(*value)) {
            let way = self.way(id);
            if matches!(way, Way::Skip) {
                self.unindexed += u64::from(id.spec().is_none());
                continue;
            }
            let before = dynamic.len();
            let mut in_column = false;
            match way {
                Way::Typed(class, field) => {
                    in_column = self.fields.is_fast(field);
                    self.add_typed(&mut document, &mut dynamic, id, (class, field), value);
                }
                _ => value.for_each_scalar(|value| {
                    dynamic.extend(canon(Class::Dynamic, value).map(|c| (id, owned(&c))));
                }),
            }
            // A column tells by itself which events have the field.
            if !in_column || dynamic.len() > before {
                document.add_text(self.fields.names, id.name());
            }
        }
        if let Some(field) = self.fields.numbers {
            let others = dynamic.iter().filter(|(_, value)| !matches!(value, OwnedValue::Str(_)));
            add_dynamic(&mut document, field, others.cloned().collect());
        }
        add_dynamic(&mut document, self.fields.dynamic, dynamic);
        document
    }

    /// Only what is in columns.
    pub(crate) fn columns(&mut self, event: &Event) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_u64(self.fields.stream, event.id.stream);
        document.add_u64(self.fields.offset, event.id.offset);
        let time = DateTime::from_timestamp_nanos(event.time.0);
        document.add_date(self.fields.timestamp, time);
        let received = DateTime::from_timestamp_nanos(event.received.0);
        document.add_date(self.fields.ingested, received);
        let mut dynamic = Vec::new();
        for (id, value) in event.iter().filter(|(_, value)| is_present(*value)) {
            match self.way(id) {
                Way::Typed(class, field) if self.fields.is_fast(field) => {
                    self.add_typed(&mut document, &mut dynamic, id, (class, field), value);
                }
                Way::Dynamic => value.for_each_scalar(|value| {
                    dynamic.extend(canon(Class::Dynamic, value).map(|c| (id, owned(&c))));
                }),
                Way::Typed(..) | Way::Skip | Way::Unknown => {}
            }
        }
        add_dynamic(&mut document, self.fields.dynamic, dynamic);
        document
    }

    fn way(&mut self, id: FieldId) -> Way {
        if self.ways.len() <= id.index() {
            self.ways.resize(id.index() + 64, Way::Unknown);
        }
        if let Way::Unknown = self.ways[id.index()] {
            self.ways[id.index()] = self.find_way(id);
        }
        self.ways[id.index()]
    }

    fn find_way(&mut self, id: FieldId) -> Way {
        let name = id.name();
        let class = match class_of(name) {
            Class::Time | Class::Ingested | Class::Id | Class::AnyText => return Way::Skip,
            class => class,
        };
        if let Some(field) = self.fields.typed(name).filter(|_| class != Class::Dynamic) {
            return Way::Typed(class, field);
        }
        // The index cannot hold these bytes in a name.
        if name.bytes().any(|b| b <= 1) || name.is_empty() {
            return Way::Skip;
        }
        if !self.dynamic_names.contains(name) {
            if self.dynamic_names.len() >= DYNAMIC_NAMES_MAX {
                return Way::Skip;
            }
            self.dynamic_names.insert(name.to_owned());
        }
        Way::Dynamic
    }

    fn add_typed(
        &mut self,
        document: &mut TantivyDocument,
        dynamic: &mut Vec<(FieldId, OwnedValue)>,
        id: FieldId,
        (class, field): (Class, Field),
        value: Value<'_>,
    ) {
        let cut = &mut self.unindexed;
        value.for_each_scalar(|value| {
            if class == Class::Text {
                // The message has been added with the raw line.
                if id != field::MESSAGE
                    && is_present(value)
                    && let Some(text) = value.to_text()
                {
                    *cut += u64::from(text.len() > TEXT_BYTES_MAX);
                    document.add_text(field, plain(&text));
                }
                return;
            }
            if value.as_str().is_some_and(|text| text.len() > KEYWORD_BYTES_MAX) {
                *cut += 1;
            }
            match (class, canon(class, value)) {
                (Class::Keyword, Some(Canon::Text(text))) => document.add_text(field, &text),
                (Class::Long, Some(Canon::Int(number))) if i64::try_from(number).is_ok() => {
                    document.add_i64(field, number as i64);
                }
                (Class::Ip, Some(Canon::Ip(address))) => {
                    document.add_ip_addr(field, Ipv6Addr::from(address));
                }
                (Class::Date, Some(Canon::Time(time))) => {
                    document.add_date(field, DateTime::from_timestamp_nanos(time));
                }
                (_, Some(other)) => dynamic.push((id, owned(&other))),
                (_, None) => {}
            }
        });
    }

    /// Adds the words of message and raw line, each word once where the message ends the line.
    fn add_texts(&mut self, document: &mut TantivyDocument, event: &Event) {
        let original = event.original();
        let message = event.get(field::MESSAGE);
        self.unindexed += u64::from(original.len() > TEXT_BYTES_MAX);
        if !original.is_empty() {
            document.add_text(self.fields.names, "event.original");
        }
        let Some(message_field) = self.fields.typed("message") else { return };
        let before = match message {
            Some(Value::Str(text)) => before_message(original, text),
            _ => None,
        };
        if let (Some(before), Some(Value::Str(text))) = (before, message) {
            self.text.clear();
            self.text.push_str(before);
            self.text.push(LINE_END);
            document.add_text(self.fields.line, &self.text);
            self.text.clear();
            self.text.push(MESSAGE_START);
            self.text.push_str(text);
            document.add_text(message_field, &self.text);
            return;
        }
        // A message that is the whole line is found as the message.
        let message_text = message.and_then(Value::as_str);
        let whole = [original, without_head(original)].map(Some).contains(&message_text);
        if !whole || has_object(original) {
            for_each_text(original, |text| document.add_text(self.fields.line, plain(text)));
        }
        let unindexed = &mut self.unindexed;
        if let Some(value) = message {
            value.for_each_scalar(|value| {
                if is_present(value)
                    && let Some(text) = value.to_text()
                {
                    *unindexed += u64::from(text.len() > TEXT_BYTES_MAX);
                    document.add_text(message_field, plain(&text));
                }
            });
        }
    }
}

/// Text without characters at its ends that the tokenizer takes for marks.
fn plain(text: &str) -> &str {
    text.trim_start_matches(MESSAGE_START).trim_end_matches(LINE_END)
}

/// What of the raw line is searched by word before the message that ends it, when cutting there
/// cuts no word, and nothing is beyond the limits.
fn before_message<'a>(original: &'a str, message: &str) -> Option<&'a str> {
    let line = without_head(original);
    if message.is_empty() || original.len() > TEXT_BYTES_MAX || message.len() >= line.len() {
        return None;
    }
    let before = line.strip_suffix(message)?;
    // A word may go on over `.` and `:`.
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '.' | ':');
    let cuts_a_word =
        has_object(original) || (before.ends_with(joins) && message.starts_with(joins));
    let marks = before.starts_with(MESSAGE_START)
        || before.ends_with(LINE_END)
        || message.starts_with(MESSAGE_START)
        || message.ends_with(LINE_END);
    (!cuts_a_word && !marks).then_some(before)
}

fn owned(canon: &Canon<'_>) -> OwnedValue {
    match canon {
        Canon::Text(text) => OwnedValue::Str(text.clone().into_owned()),
        Canon::Bool(flag) => OwnedValue::Bool(*flag),
        Canon::Float(number) => OwnedValue::F64(*number),
        Canon::Int(number) => match i64::try_from(*number) {
            Ok(number) => OwnedValue::I64(number),
            Err(_) => OwnedValue::U64(u64::try_from(*number).unwrap_or(u64::MAX)),
        },
        // Only typed fields have these.
        Canon::Ip(_) | Canon::Time(_) => OwnedValue::Str(canon.text().into_owned()),
    }
}

fn add_dynamic(document: &mut TantivyDocument, field: Field, values: Vec<(FieldId, OwnedValue)>) {
    if values.is_empty() {
        return;
    }
    let mut members: Vec<(String, OwnedValue)> = Vec::with_capacity(values.len());
    for (id, value) in values {
        let name = id.name();
        match members.iter_mut().find(|(other, _)| other == name) {
            Some((_, OwnedValue::Array(values))) => values.push(value),
            Some((_, first)) => {
                let one = std::mem::replace(first, OwnedValue::Null);
                *first = OwnedValue::Array(vec![one, value]);
            }
            None => members.push((name.to_owned(), value)),
        }
    }
    document.add_field_value(field, &OwnedValue::Object(members));
}
