//! [`Parser`] (compiled, shared) and [`Worker`] (one per thread).

use std::sync::Arc;

use tocsin_content::{Diagnostic, Pack};
use tocsin_model::{Event, EventId, Record, field};

use crate::Options;

/// What people need to know about a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceMeta {
    /// Full name, `pack.source`, which is `event.dataset`.
    pub name: String,
    /// Pack it is in.
    pub pack: String,
    /// One line about it.
    pub about: String,
    /// Words that senders and configuration may use for it.
    pub hints: Vec<String>,
    /// Where its log usually is.
    pub paths: Vec<String>,
    /// What to switch on at the vendor.
    pub setup: String,
}

/// What a worker has counted since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records parsed.
    pub records: u64,
    /// Records that no source understood.
    pub unparsed: u64,
    /// Records longer than the limit, kept but not parsed.
    pub lines_over_limit: u64,
    /// Fields dropped because the event had too many.
    pub fields_over_limit: u64,
    /// Fields dropped because the process has numbered too many names.
    pub names_over_limit: u64,
    /// Values dropped because they were nested too deep.
    pub nesting_over_limit: u64,
    /// List elements dropped because the list was too long.
    pub items_over_limit: u64,
    /// Patterns given up because the line took too many steps.
    pub steps_over_limit: u64,
    /// Records by source, by index of [`Parser::sources`].
    pub by_source: Vec<u64>,
}

/// Which frame and source read a record, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    /// The frame, for example `rfc3164`.
    pub frame: String,
    /// The source, for example `openssh.sshd`.
    pub source: String,
    /// Why this source.
    pub why: String,
}

#[derive(Debug)]
struct Compiled {
    options: Options,
    sources: Vec<SourceMeta>,
}

/// All source definitions, compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Parser {
    compiled: Arc<Compiled>,
}

impl Parser {
    /// Compiles the source definitions of `packs`. A broken one is a diagnostic, the rest work.
    pub fn load(packs: &[Pack], options: Options) -> (Self, Vec<Diagnostic>) {
        let _ = packs;
        (Self { compiled: Arc::new(Compiled { options, sources: Vec::new() }) }, Vec::new())
    }

    /// The sources, by name.
    pub fn sources(&self) -> &[SourceMeta] {
        &self.compiled.sources
    }

    /// The first source with this full name or hint.
    pub fn source(&self, name_or_hint: &str) -> Option<&SourceMeta> {
        let known = &self.compiled.sources;
        known.iter().find(|source| source.name == name_or_hint).or_else(|| {
            known.iter().find(|source| source.hints.iter().any(|hint| hint == name_or_hint))
        })
    }

    /// A worker for one thread.
    pub fn worker(&self) -> Worker {
        Worker { compiled: Arc::clone(&self.compiled), counters: Counters::default() }
    }
}

/// Parses records, with the buffers and memory of one thread.
#[derive(Debug)]
pub struct Worker {
    compiled: Arc<Compiled>,
    counters: Counters,
}

impl Worker {
    /// Parses a record into `event`, whose former content is forgotten.
    pub fn parse(&mut self, record: &Record, event: &mut Event) {
        event.clear();
        event.id = EventId { stream: record.position.stream, offset: record.position.offset };
        event.received = record.received;
        event.time = record.received;
        self.counters.records += 1;
        let text = String::from_utf8_lossy(&record.bytes);
        event.set_original(
            &text[..text.floor_char_boundary(self.compiled.options.limits.line_bytes)],
        );
        event.push_str(field::MESSAGE, &text);
    }

    /// Like [`Worker::parse`], and says what was recognised.
    pub fn parse_explained(&mut self, record: &Record, event: &mut Event) -> Explained {
        self.parse(record, event);
        Explained::default()
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
