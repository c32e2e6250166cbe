//! [`View`]: an event as rules see it: its values, folded, by slot. Buffers are reused.

use tocsin_model::{Event, FieldId, Value, field};

use crate::compile::leaf::Seen;
use crate::compile::slots::{Feed, Slots};
use crate::fold::fold_into;

/// One scalar of an event.
#[derive(Debug, Clone, Copy)]
struct Scalar {
    origin: Origin,
    /// Where its folded text stands, when it has any.
    text: Option<(u32, u32)>,
    /// Whether keywords look into it.
    keyword: bool,
    /// Hash of the folded text; 0 when not worked out yet.
    hash: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A field by its place in the event, and the element when it is a list.
    Field(u32, Option<u32>),
    /// The raw line.
    Line,
    /// The event's time.
    Time,
}

/// That a value feeds a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) value: u32,
    rank: u32,
    /// The next of the same slot plus one.
    pub(crate) next: u32,
}

/// The longest text of an event that is folded as a whole.
const WHOLE_BYTES_MAX: usize = 16 * 1024;

/// What is known of an event field.
#[derive(Debug, Default)]
struct Field {
    /// Slots that it feeds.
    feeds: Box<[Feed]>,
    searched: Searched,
}

/// Whether keywords look into a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Searched {
    #[default]
    Always,
    /// Not where there is a raw line: it says how that was classified.
    WithoutLine,
    /// What Tocsin itself says about the event.
    Never,
}

/// An event's values.
#[derive(Debug, Default)]
pub(crate) struct View {
    scalars: Vec<Scalar>,
    links: Vec<Link>,
    /// First link of each slot plus one, valid for the stamp.
    heads: Vec<(u32, u32)>,
    stamp: u32,
    /// Folded texts. When the event is all ASCII, its whole text comes first.
    text: String,
    /// Address and length of the event's text, when that comes first.
    whole: Option<(usize, usize)>,
    time: String,
    /// What is known of event fields, by number; `None` when not looked up yet.
    fields: Vec<Option<Field>>,
    /// Event fields that have values here, while keywords are added.
    present: Vec<bool>,
    /// Whether keyword values are there.
    keywords: bool,
    hasher: ahash::RandomState,
    time_feeds: Option<Box<[Feed]>>,
    line_feeds: Option<Box<[Feed]>>,
}

impl View {
    /// Starts on an event.
    pub(crate) fn open(&mut self, event: &Event, slots: &Slots) {
        self.scalars.clear();
        self.links.clear();
        self.text.clear();
        self.keywords = false;
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.heads.fill((0, 0));
            self.stamp = 1;
        }
        self.heads.resize(slots.slots.len(), (0, 0));
        let whole = event.text();
        self.whole = None;
        if whole.len() <= WHOLE_BYTES_MAX && whole.is_ascii() {
            self.whole = Some((whole.as_ptr() as usize, whole.len()));
            fold_into(whole, &mut self.text);
        }
        for (place, (id, value)) in event.iter().enumerate() {
            let known = self.take_field(id, slots);
            if !known.feeds.is_empty() {
                self.add(place as u32, value, &known.feeds);
            }
            self.fields[id.index()] = Some(known);
        }
        self.open_special(event, slots);
    }

    /// What is known of an event field; to be put back.
    fn take_field(&mut self, id: FieldId, slots: &Slots) -> Field {
        if self.fields.len() <= id.index() {
            self.fields.resize_with(FieldId::count().max(id.index() + 1), || None);
        }
        self.fields[id.index()].take().unwrap_or_else(|| Field {
            feeds: slots.feeds(id.name()).into(),
            searched: searched(id.name()),
        })
    }

    /// `@timestamp` and `event.original` are no fields of an event, but rules may ask for them.
    fn open_special(&mut self, event: &Event, slots: &Slots) {
        let time =
            self.time_feeds.take().unwrap_or_else(|| slots.feeds(field::TIMESTAMP.name()).into());
        if !time.is_empty() && !event.has(field::TIMESTAMP) {
            self.time = event.time.to_string();
            let range = fold_text(&self.time, &mut self.text);
            self.push(Origin::Time, Some(range), false, &time);
        }
        self.time_feeds = Some(time);
        let line = self.line_feeds.take().unwrap_or_else(|| slots.feeds("event.original").into());
        if !line.is_empty() && !event.original().is_empty() {
            let range = self.fold(Value::Str(event.original()));
            self.push(Origin::Line, range, false, &line);
        }
        self.line_feeds = Some(line);
    }

    fn add(&mut self, place: u32, value: Value<'_>, feeds: &[Feed]) {
        if let Value::List(list) = value {
            for (element, value) in list.iter().enumerate() {
                let range = self.fold(value);
                let origin = Origin::Field(place, Some(element as u32));
                self.push(origin, range, true, feeds);
            }
            // An empty list is there, though nothing is in it.
            if list.is_empty() {
                self.push(Origin::Field(place, None), None, true, feeds);
            }
            return;
        }
        let range = self.fold(value);
        self.push(Origin::Field(place, None), range, true, feeds);
    }

    /// Where a value's folded text stands.
    fn fold(&mut self, value: Value<'_>) -> Option<(u32, u32)> {
        if let (Value::Str(text), Some((address, length))) = (value, self.whole) {
            let start = (text.as_ptr() as usize).wrapping_sub(address);
            if let Some(end) = start.checked_add(text.len()).filter(|end| *end <= length) {
                return Some((start as u32, end as u32));
            }
        }
        fold_value(value, &mut self.text)
    }

    /// The event's whole text, folded; `None` where it was not folded as a whole.
    pub(crate) fn whole(&self) -> Option<&str> {
        self.text.get(..self.whole?.1)
    }

    fn push(&mut self, origin: Origin, text: Option<(u32, u32)>, keyword: bool, feeds: &[Feed]) {
        let value = self.scalars.len() as u32;
        self.scalars.push(Scalar { origin, text, keyword, hash: 0 });
        for feed in feeds {
            let (stamp, head) = &mut self.heads[feed.slot as usize];
            let next = if *stamp == self.stamp { *head } else { 0 };
            // A raw field and the ECS field made from it are the same piece of text: once is enough.
            if let Some(known) = self.links.get_mut((next as usize).wrapping_sub(1))
                && text.is_some()
                && self.scalars[known.value as usize].text == text
            {
                if feed.rank < known.rank {
                    (known.rank, known.value) = (feed.rank, value);
                }
                continue;
            }
            self.links.push(Link { value, rank: feed.rank, next });
            (*stamp, *head) = (self.stamp, self.links.len() as u32);
        }
    }

    /// Adds what only keywords look into: fields that no rule names, and the raw line.
    pub(crate) fn open_keywords(&mut self, event: &Event) {
        if self.keywords {
            return;
        }
        self.keywords = true;
        let line = event.original();
        // The raw line of a JSON event holds the same values again, and their names, which are
        // no part of the message.
        let raw =
            !line.is_empty() && (!line.starts_with('{') || event.has(field::TOCSIN_PARSE_ERROR));
        let looks_into = |fields: &[Option<Field>], id: FieldId| {
            let known = fields.get(id.index()).and_then(Option::as_ref);
            match known.map_or(Searched::Always, |known| known.searched) {
                Searched::Always => true,
                Searched::WithoutLine => !raw,
                Searched::Never => false,
            }
        };
        self.present.clear();
        self.present.resize(event.len(), false);
        for scalar in &mut self.scalars {
            if let Origin::Field(place, _) = scalar.origin {
                self.present[place as usize] = true;
                let id = event.at(place as usize).map(|(id, _)| id);
                scalar.keyword = id.is_some_and(|id| looks_into(&self.fields, id));
            }
        }
        for (place, (id, value)) in event.iter().enumerate() {
            if !self.present[place] && looks_into(&self.fields, id) {
                self.add(place as u32, value, &[]);
            }
        }
        if raw {
            let range = self.fold(Value::Str(line));
            self.push(Origin::Line, range, true, &[]);
        }
    }

    /// The values that keywords look into.
    pub(crate) fn keyword_values(&self) -> impl Iterator<Item = u32> {
        let scalars = self.scalars.iter().enumerate();
        scalars.filter(|(_, scalar)| scalar.keyword).map(|(place, _)| place as u32)
    }

    /// The values of a slot.
    pub(crate) fn of_slot(&self, slot: u32) -> impl Iterator<Item = u32> {
        self.links_of(slot).map(|link| link.value)
    }

    /// The first link of a slot, for [`View::link`].
    #[inline]
    pub(crate) fn head(&self, slot: u32) -> u32 {
        match self.heads.get(slot as usize) {
            Some((stamp, head)) if *stamp == self.stamp => *head,
            _ => 0,
        }
    }

    /// A link by what [`View::head`] or another link's `next` says; `None` at the end.
    #[inline]
    pub(crate) fn link(&self, at: u32) -> Option<Link> {
        self.links.get((at as usize).wrapping_sub(1)).copied()
    }

    #[inline]
    fn links_of(&self, slot: u32) -> impl Iterator<Item = Link> {
        let mut at = self.head(slot);
        std::iter::from_fn(move || {
            let link = self.link(at)?;
            at = link.next;
            Some(link)
        })
    }

    /// Whether any value of a slot is as `test` wants.
    #[inline]
    pub(crate) fn any(&self, slot: u32, mut test: impl FnMut(u32) -> bool) -> bool {
        self.of_slot(slot).any(&mut test)
    }

    /// The first value of the slot's best name that has a text.
    pub(crate) fn first(&self, slot: u32) -> Option<u32> {
        let with_text = |link: &Link| self.scalars[link.value as usize].text.is_some();
        let best = self.links_of(slot).filter(with_text).min_by_key(|link| (link.rank, link.value));
        best.map(|link| link.value)
    }

    /// A value's folded text.
    #[inline]
    pub(crate) fn text(&self, value: u32) -> Option<&str> {
        let (start, end) = self.scalars[value as usize].text?;
        self.text.get(start as usize..end as usize)
    }

    /// A hash of a value's folded text.
    #[inline]
    pub(crate) fn hash(&mut self, value: u32) -> u64 {
        let known = self.scalars[value as usize].hash;
        if known != 0 {
            return known;
        }
        let hash = self.hasher.hash_one(self.text(value).unwrap_or("")).max(1);
        self.scalars[value as usize].hash = hash;
        hash
    }

    /// A value as it stands in the event.
    pub(crate) fn value<'e>(&'e self, value: u32, event: &'e Event) -> Value<'e> {
        match self.scalars[value as usize].origin {
            Origin::Line => Value::Str(event.original()),
            Origin::Time => Value::Str(&self.time),
            Origin::Field(place, element) => match (event.at(place as usize), element) {
                (Some((_, Value::List(list))), Some(element)) => {
                    list.get(element as usize).unwrap_or(Value::Null)
                }
                (Some((_, value)), _) => value,
                (None, _) => Value::Null,
            },
        }
    }

    /// Whether the value is a null in a list.
    pub(crate) fn null_element(&self, value: u32, event: &Event) -> bool {
        let element = matches!(self.scalars[value as usize].origin, Origin::Field(_, Some(_)));
        element && matches!(self.value(value, event), Value::Null)
    }

    /// A value with its texts.
    pub(crate) fn seen<'e>(&'e self, value: u32, event: &'e Event) -> Seen<'e> {
        let folded = self.text(value);
        let typed = self.value(value, event);
        let raw = match typed {
            Value::Str(text) => Some(text),
            // Numbers and booleans have no case.
            _ => folded,
        };
        Seen { value: typed, raw, folded: folded.unwrap_or("") }
    }

    /// The event field that a value is of; empty for the raw line.
    pub(crate) fn field_name(&self, value: u32, event: &Event) -> &'static str {
        match self.scalars[value as usize].origin {
            Origin::Field(place, _) => event.at(place as usize).map_or("", |(id, _)| id.name()),
            Origin::Line => "",
            Origin::Time => field::TIMESTAMP.name(),
        }
    }
}

fn searched(name: &str) -> Searched {
    match name {
        "event.dataset" | "event.module" | "event.kind" | "ecs.version" => Searched::Never,
        "event.category" | "event.type" => Searched::WithoutLine,
        name if name.starts_with("tocsin.") => Searched::Never,
        _ => Searched::Always,
    }
}

fn fold_text(text: &str, out: &mut String) -> (u32, u32) {
    let start = out.len() as u32;
    fold_into(text, out);
    (start, out.len() as u32)
}

fn fold_value(value: Value<'_>, out: &mut String) -> Option<(u32, u32)> {
    use std::fmt::Write;
    let start = out.len() as u32;
    match value {
        Value::Str(text) => {
            fold_into(text, out);
        }
        // Writing to a string cannot fail.
        Value::Int(number) => write!(out, "{number}").ok()?,
        Value::UInt(number) => write!(out, "{number}").ok()?,
        Value::Float(number) => write!(out, "{number}").ok()?,
        Value::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
        Value::Null | Value::List(_) | Value::Object => return None,
    }
    Some((start, out.len() as u32))
}
