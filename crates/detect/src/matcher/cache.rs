//! [`Cache`]: what was found in values that come again and again, such as the paths of programs.
//! A value is remembered when it comes a second time, so that values which never come again push
//! nothing out. Bounded; never changes what is found.

/// Values remembered of one slot of one log source.
const ENTRIES: usize = 256;
/// Shorter values are looked through faster than looked up.
pub(crate) const BYTES_MIN: usize = 12;
/// Longer values are not remembered.
pub(crate) const BYTES_MAX: usize = 512;

/// Remembered values of one slot of one log source.
#[derive(Debug)]
pub(crate) struct Cache {
    entries: Box<[Entry]>,
    /// Hashes of values seen once, by place.
    seen: Box<[u32]>,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    hash: u64,
    text: String,
    actions: Vec<u32>,
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self { entries: vec![Entry::default(); ENTRIES].into(), seen: vec![0; ENTRIES].into() }
    }

    /// What was found in this text; `None` when it is not remembered.
    #[inline]
    pub(crate) fn get(&self, hash: u64, text: &str) -> Option<&[u32]> {
        let entry = &self.entries[hash as usize % ENTRIES];
        (entry.hash == hash && entry.text == text).then_some(&*entry.actions)
    }

    /// Whether a text that is not remembered should be: it has been seen before.
    #[inline]
    pub(crate) fn admits(&mut self, hash: u64) -> bool {
        let seen = &mut self.seen[hash as usize % ENTRIES];
        let mark = (hash >> 32) as u32;
        let again = *seen == mark;
        *seen = mark;
        again
    }

    /// Remembers what was found.
    pub(crate) fn put(&mut self, hash: u64, text: &str, actions: &[u32]) {
        // What stood there gives its room.
        let entry = &mut self.entries[hash as usize % ENTRIES];
        entry.hash = hash;
        entry.text.clear();
        entry.text.push_str(text);
        entry.actions.clear();
        entry.actions.extend_from_slice(actions);
    }
}
