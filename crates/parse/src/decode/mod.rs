//! Decoders: take a body apart into raw fields, which a source's `fields` then reads.
//!
//! Each writes through a [`Raw`]: names are found and limited in one place.

mod audit;
mod cef;
mod csv;
mod kv;
mod syscalls;
mod windows;

use tocsin_model::FieldId;

use crate::flatten::Flattener;
use crate::source::sink::Sink;

pub(crate) use audit::audit;
pub(crate) use cef::{cef, leef};
pub(crate) use csv::csv;
pub(crate) use kv::kv;
pub(crate) use windows::windows_xml;

/// Adds raw fields to an event.
pub(crate) struct Raw<'r, 's> {
    pub names: &'r mut Flattener,
    pub sink: &'r mut Sink<'s>,
    under: u32,
    place: usize,
}

impl<'r, 's> Raw<'r, 's> {
    /// Raw fields get `under` and a dot before their names, if it is not empty.
    pub(crate) fn new(names: &'r mut Flattener, sink: &'r mut Sink<'s>, under: &str) -> Self {
        names.begin(sink.event);
        let under = names.under(under);
        Self { names, sink, under, place: 0 }
    }

    fn field(&mut self, key: &str) -> Option<FieldId> {
        let place = self.place;
        self.place += 1;
        self.names.admit_key(self.sink.event, self.under, key, place)
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, key: &str, text: &str) {
        if let Some(field) = self.field(key) {
            self.sink.new_text(field, text);
        }
    }
}
