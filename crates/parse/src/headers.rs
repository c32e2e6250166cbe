//! Columns that a log names itself, in a line before those that hold them: `#Fields: date time …`.
//! Remembered by source and input, for all workers. In: lines of headers. Out: names of columns.
//! Never grows beyond a limit.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, RwLock};

use ahash::{AHashMap, AHasher};

/// The most inputs whose columns are remembered; then all are forgotten.
const INPUTS_MAX: usize = 1024;
/// The most columns of one header.
const COLUMNS_MAX: usize = 256;

/// Names of columns in order.
pub(crate) type Columns = Arc<[String]>;

/// The columns of inputs, by source and path.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    known: RwLock<AHashMap<u64, Columns>>,
}

/// One source in one input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'h> {
    headers: &'h Headers,
    key: u64,
}

impl Headers {
    /// The columns of `source` in the input at `path`.
    pub(crate) fn of(&self, source: u16, path: &str) -> Header<'_> {
        let mut hasher = AHasher::default();
        (source, path).hash(&mut hasher);
        Header { headers: self, key: hasher.finish() }
    }
}

impl Header<'_> {
    /// Remembers the columns that a line names after its `prefix`; whether it is such a line.
    pub(crate) fn learn(&self, line: &str, prefix: &str, separator: u8) -> bool {
        let Some(names) = line.strip_prefix(prefix).filter(|_| !prefix.is_empty()) else {
            return false;
        };
        let names = names.trim_matches([' ', '\t', '\r']).split(char::from(separator));
        let names: Columns = names.take(COLUMNS_MAX).map(str::to_owned).collect();
        if let Ok(mut known) = self.headers.known.write() {
            if known.len() >= INPUTS_MAX && !known.contains_key(&self.key) {
                known.clear();
            }
            known.insert(self.key, names);
        }
        true
    }

    /// The columns that were named last.
    pub(crate) fn columns(&self) -> Option<Columns> {
        self.headers.known.read().ok()?.get(&self.key).cloned()
    }
}
