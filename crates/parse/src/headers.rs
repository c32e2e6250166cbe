//! Columns that a log names itself, in a line before those that hold them: `#Fields: date time …`.
//! Remembered by source and input, for all workers. In: lines of headers. Out: names of columns.
//! Never grows beyond a limit. What a line means so depends on one before it: whoever parses on
//! several threads asks [`Named::in_record`], and whoever starts again in the middle of a log gives
//! back what was known.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, RwLock};

use ahash::{AHashMap, AHasher};
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use crate::source::definition::{Csv, Decode, Definition};

/// The most inputs whose columns are remembered; then all are forgotten.
const INPUTS_MAX: usize = 1024;
/// The most columns of one header.
const COLUMNS_MAX: usize = 256;

/// Names of columns in order.
pub(crate) type Columns = Arc<[String]>;

/// The columns that a log has named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedColumns {
    /// Full name of the source.
    pub source: String,
    /// Path of the log, or the input it comes in by.
    pub path: String,
    /// Names in order.
    pub columns: Vec<String>,
}

/// Starts of lines that name columns.
#[derive(Debug, Default)]
pub(crate) struct Named {
    prefixes: Vec<Finder<'static>>,
}

impl Named {
    /// Adds that of a definition, if it has one.
    pub(crate) fn add(&mut self, definition: &Definition) {
        if let Some(Decode::Csv(Csv { header, .. })) = &definition.decode
            && !header.is_empty()
            && self.prefixes.iter().all(|known| known.needle() != header.as_bytes())
        {
            self.prefixes.push(Finder::new(header.as_bytes()).into_owned());
        }
    }

    /// Whether a record may name columns, in whatever frame.
    pub(crate) fn in_record(&self, record: &[u8]) -> bool {
        self.prefixes.iter().any(|prefix| prefix.find(record).is_some())
    }
}

/// What is known of one log.
#[derive(Debug)]
struct Known {
    source: u16,
    path: String,
    columns: Columns,
}

/// The columns of inputs, by source and path.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    known: RwLock<AHashMap<u64, Known>>,
}

/// One source in one input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'h> {
    headers: &'h Headers,
    source: u16,
    path: &'h str,
}

fn key_of(source: u16, path: &str) -> u64 {
    let mut hasher = AHasher::default();
    (source, path).hash(&mut hasher);
    hasher.finish()
}

impl Headers {
    /// The columns of `source` in the input at `path`.
    pub(crate) fn of<'h>(&'h self, source: u16, path: &'h str) -> Header<'h> {
        Header { headers: self, source, path }
    }

    /// All that is known; `name` gives the names of sources.
    pub(crate) fn known(&self, name: impl Fn(u16) -> Option<String>) -> Vec<NamedColumns> {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut all: Vec<_> = known
            .values()
            .filter_map(|log| {
                let (path, columns) = (log.path.clone(), log.columns.to_vec());
                Some(NamedColumns { source: name(log.source)?, path, columns })
            })
            .collect();
        all.sort_by(|a, b| (&a.source, &a.path).cmp(&(&b.source, &b.path)));
        all
    }

    /// Takes the columns of one log for known.
    pub(crate) fn remember(&self, source: u16, path: &str, columns: Columns) {
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = key_of(source, path);
        if known.len() >= INPUTS_MAX && !known.contains_key(&key) {
            known.clear();
        }
        known.insert(key, Known { source, path: path.to_owned(), columns });
    }
}

impl Header<'_> {
    /// Remembers the columns that a line names after its `prefix`; whether it is such a line.
    pub(crate) fn learn(&self, line: &str, prefix: &str, separator: u8) -> bool {
        let Some(rest) = line.strip_prefix(prefix).filter(|_| !prefix.is_empty()) else {
            return false;
        };
        // What is no comment is the first column's name.
        let names = if prefix.starts_with('#') { rest } else { line };
        let names = names.trim_matches([' ', '\t', '\r']).split(char::from(separator));
        let names: Columns = names.take(COLUMNS_MAX).map(str::to_owned).collect();
        self.headers.remember(self.source, self.path, names);
        true
    }

    /// The columns that were named last.
    pub(crate) fn columns(&self) -> Option<Columns> {
        let known = self.headers.known.read().ok()?;
        let log = known.get(&key_of(self.source, self.path))?;
        (log.source == self.source && log.path == self.path).then(|| log.columns.clone())
    }
}
