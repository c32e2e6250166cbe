//! Runs a [`Plan`] over one body.

use std::fmt::Write as _;

use tocsin_model::value::OwnedValue;
use tocsin_model::{Event, FieldId, Value};

use super::plan::{
    Assign, Decoder, DecoderKind, FieldRule, Line, Plan, Read, Table, Test, WhenPlan,
};
use super::sink::{Kind, Sink, Target, is_nothing};
use crate::decode::{self, Raw};
use crate::flatten::Flattener;
use crate::grok::{Outcome, Pattern, Slots};
use crate::headers::Header;
use crate::text::offset_in;
use crate::worker::Doubts;

/// What a plan found in a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Whether a message fitted, or the body could be taken apart.
    pub fits: bool,
    /// Patterns given up.
    pub given_up: u64,
}

/// Buffers of a run.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    slots: Slots,
    text: String,
}

/// Runs one plan.
pub(crate) struct Run<'r, 's> {
    pub plan: &'r Plan,
    /// Columns that the input named itself.
    pub header: Header<'r>,
    pub sink: &'r mut Sink<'s>,
    pub names: &'r mut Flattener,
    pub buffers: &'r mut Buffers,
    pub doubts: &'r mut Doubts,
    pub ran: Ran,
    /// Whether the body is only read when it fits a message or can be taken apart.
    pub must_fit: bool,
    /// Whether the pattern that fitted last has set a field.
    pub captured: bool,
    /// Whether the input named the columns that were read.
    pub named: bool,
}

impl Run<'_, '_> {
    /// Reads `body`. `flattened` says that it is JSON whose members are in the event already.
    pub(crate) fn body(&mut self, body: &str, flattened: bool) -> Ran {
        let plan = self.plan;
        self.sink.temps.iter_mut().take(plan.temps).for_each(String::clear);
        let decoder = plan.decode.as_ref();
        let mut raw = None;
        if let Some(decoder) = decoder.filter(|decoder| decoder.from.is_none()) {
            raw = self.decode(decoder, body, flattened);
        }
        // Columns that the log named itself say more than any pattern.
        let patterns = if self.named { &[] } else { &plan.messages[..] };
        for table in patterns {
            self.messages(table, body);
        }
        if let Some(decoder) = decoder
            && let Some(from) = decoder.from
            && let Some(text) = self.take(from)
        {
            raw = self.decode(decoder, &text, false);
            self.buffers.text = text;
        }
        if self.must_fit && !self.ran.fits {
            return self.ran;
        }
        if raw.is_some() || flattened {
            self.fields(&plan.fields);
            self.time(&plan.time);
        }
        self.lookups();
        self.whens(plan);
        for assign in &plan.defaults {
            if !self.present(assign.to) {
                self.assign(assign);
            }
        }
        if let Some((start, end)) = raw.filter(|_| decoder.is_some_and(|decoder| decoder.drop_raw))
        {
            self.sink.event.remove_range(start..end);
        }
        self.ran
    }

    /// Takes a text apart; the places of the raw fields in the event, `None` when it is not what
    /// the decoder reads.
    fn decode(&mut self, decoder: &Decoder, text: &str, flattened: bool) -> Option<(usize, usize)> {
        let start = self.sink.event.len();
        if flattened {
            self.ran.fits = true;
            return Some((start, start));
        }
        if !matches!(decoder.kind, DecoderKind::Json) {
            let raw = &mut Raw::new(self.names, self.sink, &decoder.under);
            match &decoder.kind {
                DecoderKind::Kv { pair, assign } => decode::kv(text, *pair, *assign, raw),
                DecoderKind::Csv { separator, columns, header } => {
                    let asked = !header.is_empty();
                    if asked && self.header.learn(text, header, *separator) {
                        return None;
                    }
                    match self.header.columns().filter(|named| {
                        // Of another file, or cut off: better no names than wrong ones.
                        let marks = text.bytes().filter(|byte| byte == separator).count();
                        asked && !text.starts_with('#') && named.len() == marks + 1
                    }) {
                        Some(named) => {
                            self.named = true;
                            decode::csv(text, *separator, &named, raw);
                        }
                        None if asked && text.starts_with('#') => return None,
                        None => decode::csv(text, *separator, columns, raw),
                    }
                }
                DecoderKind::Cef => decode::cef(text, raw),
                DecoderKind::Leef => decode::leef(text, raw),
                DecoderKind::Audit => decode::audit(text, raw),
                DecoderKind::WindowsXml => decode::windows_xml(text, raw),
                DecoderKind::Json => {}
            }
        } else {
            let offset = offset_in(text, self.sink.origin);
            self.names.flatten(text, offset, self.sink.event).ok()?;
        }
        let end = self.sink.event.len();
        // Any text is one column; what has no separator is no CSV.
        let least = if matches!(decoder.kind, DecoderKind::Csv { .. }) { 2 } else { 1 };
        self.ran.fits |= end - start >= least;
        if !self.ran.fits {
            self.sink.event.remove_range(start..end);
            return None;
        }
        Some((start, end))
    }

    fn messages(&mut self, table: &Table, body: &str) {
        match table.on {
            None => {
                self.message(table, body);
            }
            Some(on) => {
                if let Some(text) = self.take(on) {
                    self.message(table, &text);
                    self.buffers.text = text;
                }
            }
        }
    }

    fn message(&mut self, table: &Table, text: &str) {
        let lines = match text.as_bytes().first() {
            Some(byte) => &table.by_first[usize::from(*byte)],
            None => &table.empty,
        };
        for number in lines {
            let Line { pattern, targets, assigns } = &table.lines[usize::from(*number)];
            if self.fits(pattern, targets, text) {
                // A pattern that only sets variables says nothing about the text by itself.
                self.ran.fits |= !assigns.is_empty() || self.captured;
                for assign in assigns.iter() {
                    self.assign(assign);
                }
                return;
            }
        }
    }

    /// Matches a pattern and writes its captures.
    fn fits(&mut self, pattern: &Pattern, targets: &[Target], text: &str) -> bool {
        match pattern.matches(text, &mut self.buffers.slots) {
            Outcome::Differs => return false,
            Outcome::GivenUp => {
                self.ran.given_up += 1;
                return false;
            }
            Outcome::Fits => {}
        }
        self.captured = false;
        for (index, target) in targets.iter().enumerate() {
            if let Some(text) = self.buffers.slots.text(index, text) {
                self.captured |= !matches!(target, Target::Temp(_)) && !text.is_empty();
                self.sink.write(*target, text);
            }
        }
        true
    }

    /// Writes the ECS fields whose raw field the body has.
    fn fields(&mut self, rules: &[FieldRule]) {
        for rule in rules {
            for from in &rule.from {
                if self.names.saw(*from) && self.copy(rule.target, Read::Field(*from)) {
                    if let Target::Address(side) | Target::AddressPort(side) = rule.target
                        && !self.sink.event.has(side.ip)
                    {
                        self.doubts.addresses.push(*from);
                    }
                    break;
                }
            }
        }
    }

    fn time(&mut self, from: &[(FieldId, bool)]) {
        for (id, utc) in from {
            if !self.names.saw(*id) {
                continue;
            }
            let Some(text) = self.take(Read::Field(*id)) else { continue };
            let known = self.sink.time(&text, *utc);
            if known || (self.doubts.time.is_none() && !is_nothing(&text)) {
                self.doubts.time = Some(*id);
            }
            self.buffers.text = text;
            if known {
                return;
            }
        }
    }

    /// Copies a value; whether there was one.
    fn copy(&mut self, target: Target, from: Read) -> bool {
        if let (Target::Field(to, Kind::Text), Read::Field(from)) = (target, from)
            && !needs_text(self.sink.event.get(from), to)
        {
            return copy_value(self.sink.event, from, to);
        }
        let Some(text) = self.take(from) else { return false };
        let something = !is_nothing(&text);
        self.sink.write(target, &text);
        self.buffers.text = text;
        something
    }

    /// Copies values put together; whether there was anything.
    fn copy_joined(&mut self, target: Target, joined: &[(char, Read)]) -> bool {
        if let [(_, read)] = joined {
            return self.copy(target, *read);
        }
        let mut whole = String::new();
        for (before, read) in joined {
            let Some(text) = self.take(*read) else { continue };
            if !whole.is_empty() {
                whole.push(*before);
            }
            whole.push_str(&text);
            self.buffers.text = text;
        }
        let something = !is_nothing(&whole);
        self.sink.write(target, &whole);
        something
    }

    /// A scalar's text (a list's first), in the buffer taken from `self.buffers`, to be put back.
    fn take(&mut self, from: Read) -> Option<String> {
        let mut text = std::mem::take(&mut self.buffers.text);
        text.clear();
        let found = match from {
            Read::Temp(at) => {
                text.push_str(self.sink.temps.get(at).map_or("", String::as_str));
                !text.is_empty()
            }
            Read::Field(id) => match first_scalar(self.sink.event.get(id)) {
                Some(Value::Str(value)) => {
                    text.push_str(value);
                    true
                }
                // Writing to a string cannot fail.
                Some(Value::Int(number)) => write!(text, "{number}").is_ok(),
                Some(other) => match other.to_text() {
                    Some(value) => {
                        text.push_str(&value);
                        true
                    }
                    None => false,
                },
                None => false,
            },
        };
        if !found {
            self.buffers.text = text;
            return None;
        }
        Some(text)
    }

    fn lookups(&mut self) {
        let plan = self.plan;
        for lookup in &plan.lookups {
            let Some(mut text) = self.take(lookup.from) else { continue };
            text.make_ascii_lowercase();
            let value = lookup.table.get(text.as_str()).or(lookup.default.as_ref());
            self.buffers.text = text;
            if let Some(value) = value {
                self.put(lookup.to, value);
            }
        }
    }

    fn whens(&mut self, plan: &Plan) {
        let may_hold = plan.dispatch.as_ref().and_then(|by| by.may_hold(self.value(by.on)));
        match may_hold {
            None => plan.whens.iter().for_each(|when| self.when(when)),
            Some(numbers) => {
                for when in numbers.iter().filter_map(|number| plan.whens.get(*number as usize)) {
                    self.when(when);
                }
            }
        }
    }

    fn when(&mut self, when: &WhenPlan) {
        if !when.conditions.iter().all(|(read, tests)| self.holds(*read, tests)) {
            return;
        }
        for assign in &when.assigns {
            self.assign(assign);
        }
        for (to, from) in &when.copies {
            for joined in from {
                if self.copy_joined(*to, joined) {
                    break;
                }
            }
        }
        for (on, patterns) in &when.groks {
            let Some(text) = self.take(*on) else { continue };
            for (pattern, targets) in patterns {
                if self.fits(pattern, targets, &text) {
                    break;
                }
            }
            self.buffers.text = text;
        }
    }

    fn value(&self, read: Read) -> Option<Value<'_>> {
        match read {
            Read::Temp(at) => {
                let text = self.sink.temps.get(at).map_or("", String::as_str);
                if text.is_empty() { None } else { Some(Value::Str(text)) }
            }
            Read::Field(id) => self.sink.event.get(id),
        }
    }

    fn holds(&self, read: Read, tests: &[Test]) -> bool {
        holds(self.value(read), tests)
    }

    fn present(&self, read: Read) -> bool {
        match read {
            Read::Temp(at) => self.sink.temps.get(at).is_some_and(|text| !text.is_empty()),
            Read::Field(id) => self.sink.event.has(id),
        }
    }

    fn assign(&mut self, assign: &Assign) {
        match (&assign.value, assign.to) {
            (Some(value), to) => self.put(to, value),
            (None, Read::Field(id)) => {
                self.sink.event.remove(id);
            }
            (None, Read::Temp(at)) => {
                if let Some(temp) = self.sink.temps.get_mut(at) {
                    temp.clear();
                }
            }
        }
    }

    fn put(&mut self, to: Read, value: &OwnedValue) {
        match (to, value) {
            (Read::Field(id), OwnedValue::Str(text)) => self.sink.event.set_str(id, text),
            (Read::Field(id), value) => self.sink.event.set_owned(id, value),
            (Read::Temp(at), OwnedValue::Str(text)) => self.sink.write(Target::Temp(at), text),
            (Read::Temp(at), OwnedValue::Int(number)) => {
                self.sink.write(Target::Temp(at), &number.to_string());
            }
            (Read::Temp(_), _) => {}
        }
    }
}

/// Whether a value fits any of the tests.
pub(crate) fn holds(value: Option<Value<'_>>, tests: &[Test]) -> bool {
    let Some(value) = value.filter(|value| !matches!(value, Value::Null)) else {
        return tests.contains(&Test::Absent);
    };
    let mut any = false;
    value.for_each_scalar(|scalar| any = any || tests.iter().any(|test| fits(scalar, test)));
    any
}

fn fits(value: Value<'_>, test: &Test) -> bool {
    match (value, test) {
        (Value::Null, _) => false,
        (_, Test::Present) => true,
        (Value::Str(text), test) => test.text(text),
        (Value::Int(number), Test::Is(_, expected)) => *expected == Some(number),
        (value, test) => value.to_text().is_some_and(|text| test.text(&text)),
    }
}

fn first_scalar(value: Option<Value<'_>>) -> Option<Value<'_>> {
    match value? {
        Value::List(list) => list.iter().next(),
        Value::Null | Value::Object => None,
        other => Some(other),
    }
}

/// Whether a number must become text, because that is what the field holds.
fn needs_text(value: Option<Value<'_>>, to: FieldId) -> bool {
    matches!(value, Some(Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Bool(_)))
        && to.spec().is_some()
}

/// Gives `to` what `from` holds, if that is anything.
fn copy_value(event: &mut Event, from: FieldId, to: FieldId) -> bool {
    match event.get(from) {
        None | Some(Value::Null | Value::Object) => return false,
        Some(Value::Str(text)) if is_nothing(text) => return false,
        Some(_) => {}
    }
    if from != to {
        event.remove(to);
        event.push_copy(from, to);
    }
    true
}
