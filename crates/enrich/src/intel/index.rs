//! [`Index`]: the indicators of one feed, compact and quick to look into.

use std::net::IpAddr;

use ahash::{AHashMap, RandomState};
use tocsin_model::Timestamp;

use super::Indicator;
use super::value::{Kind, Needle, VALUE_BYTES_MAX};

/// The most indicators of one feed.
pub const INDICATORS_MAX: usize = 5_000_000;
/// The most bytes of one description.
const ABOUT_BYTES_MAX: usize = 200;
/// The most different descriptions of one feed; later ones are left out.
const ABOUTS_MAX: usize = 100_000;
const NOBODY: u32 = u32::MAX;
/// The tag of a slot without an entry; those of others have their highest bit set.
const FREE: u8 = 0;

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    /// Seconds since 1970; 0 is never.
    expires: u32,
    about: u32,
    len: u16,
    confidence: u8,
    kind: Kind,
}

/// Takes indicators one by one.
#[derive(Debug, Default)]
pub struct Builder {
    index: Index,
    abouts: AHashMap<String, u32>,
}

/// The indicators of a feed.
#[derive(Debug)]
pub struct Index {
    hasher: RandomState,
    /// Keys, one after the other.
    keys: Vec<u8>,
    entries: Vec<Entry>,
    abouts: Vec<String>,
    /// Places of entries by the hash of their key, open addressing.
    slots: Vec<u32>,
    /// Of each slot a few bits of that hash, [`FREE`] where there is no entry: what is not there
    /// is mostly told without a look at anything larger.
    tags: Vec<u8>,
    /// Lengths of networks in use, the longest first; of version 4 and of version 6.
    lengths: [Vec<u8>; 2],
    kinds: [usize; 6],
}

impl Default for Index {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            keys: Vec::new(),
            entries: Vec::new(),
            abouts: Vec::new(),
            slots: Vec::new(),
            tags: Vec::new(),
            lengths: Default::default(),
            kinds: [0; 6],
        }
    }
}

impl Builder {
    /// Adds an indicator; of two with one value, the surer one stays. Whether it was new and
    /// there was room.
    pub fn add(&mut self, indicator: &Indicator) -> bool {
        let Some(needle) = Needle::of(indicator.kind, &indicator.value) else { return false };
        let about = self.about(&indicator.about);
        let index = &mut self.index;
        let expires = indicator.expires.map_or(0, seconds);
        if let Some(place) = index.place(&needle) {
            let known = &mut index.entries[place];
            known.expires =
                if known.expires == 0 || expires == 0 { 0 } else { known.expires.max(expires) };
            if indicator.confidence > known.confidence {
                (known.confidence, known.about) = (indicator.confidence, about);
            }
            return false;
        }
        let len = needle.head_len + needle.text.len();
        let full = index.entries.len() >= INDICATORS_MAX
            || index.keys.len() + len > u32::MAX as usize
            || len > VALUE_BYTES_MAX + 18;
        if full {
            return false;
        }
        if (index.entries.len() + 1) * 4 > index.slots.len() * 3 {
            index.grow();
        }
        let start = index.keys.len() as u32;
        index.keys.extend_from_slice(needle.head());
        index.keys.extend_from_slice(needle.text.as_bytes());
        let (confidence, kind) = (indicator.confidence, indicator.kind);
        let entry = Entry { start, expires, about, len: len as u16, confidence, kind };
        index.entries.push(entry);
        index.kinds[kind as usize] += 1;
        if kind == Kind::Network {
            let lengths = &mut index.lengths[usize::from(needle.head_len == 18)];
            let length = needle.head[1];
            if let Err(at) = lengths.binary_search_by(|known| length.cmp(known)) {
                lengths.insert(at, length);
            }
        }
        index.enter(index.entries.len() - 1);
        true
    }

    fn about(&mut self, text: &str) -> u32 {
        let text = &text[..text.floor_char_boundary(ABOUT_BYTES_MAX)];
        if text.is_empty() {
            return NOBODY;
        }
        if let Some(place) = self.abouts.get(text) {
            return *place;
        }
        if self.index.abouts.len() >= ABOUTS_MAX {
            return NOBODY;
        }
        let place = self.index.abouts.len() as u32;
        self.index.abouts.push(text.to_owned());
        self.abouts.insert(text.to_owned(), place);
        place
    }

    /// The index.
    pub fn finish(mut self) -> Index {
        self.index.keys.shrink_to_fit();
        self.index.entries.shrink_to_fit();
        self.index.abouts.shrink_to_fit();
        self.index
    }
}

impl Index {
    /// Number of indicators.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many there are of each kind.
    pub fn by_kind(&self) -> impl Iterator<Item = (Kind, usize)> {
        Kind::ALL.into_iter().zip(self.kinds)
    }

    /// Whether there is one of a kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.kinds[kind as usize] > 0
    }

    /// Memory that it takes, bytes.
    pub fn bytes(&self) -> usize {
        self.keys.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.slots.capacity() * size_of::<u32>()
            + self.tags.capacity()
            + self.abouts.iter().map(|text| text.capacity() + size_of::<String>()).sum::<usize>()
    }

    /// All indicators, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = Indicator> {
        self.entries.iter().map(|entry| self.indicator(entry))
    }

    /// Whether an indicator is in it, whatever its confidence and expiry.
    pub fn contains(&self, indicator: &Indicator) -> bool {
        Needle::of(indicator.kind, &indicator.value)
            .is_some_and(|needle| self.place(&needle).is_some())
    }

    pub(crate) fn get(&self, needle: &Needle<'_>, now: Timestamp) -> Option<Indicator> {
        let entry = self.entries.get(self.place(needle)?)?;
        (entry.expires == 0 || entry.expires > seconds(now)).then(|| self.indicator(entry))
    }

    /// The narrowest network around an address.
    pub(crate) fn network(&self, address: IpAddr, now: Timestamp) -> Option<Indicator> {
        let six = matches!(address.to_canonical(), IpAddr::V6(_));
        let lengths = &self.lengths[usize::from(six)];
        lengths.iter().find_map(|length| self.get(&Needle::network(address, *length), now))
    }

    fn indicator(&self, entry: &Entry) -> Indicator {
        let key = self.key(entry);
        let value = match entry.kind {
            Kind::Address | Kind::Network => address_text(key),
            _ => String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned(),
        };
        let about = self.abouts.get(entry.about as usize).cloned().unwrap_or_default();
        let expires = (entry.expires != 0)
            .then(|| Timestamp::from_millis(i64::from(entry.expires).saturating_mul(1000)));
        Indicator { kind: entry.kind, value, confidence: entry.confidence, expires, about }
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        self.keys.get(start..start + usize::from(entry.len)).unwrap_or_default()
    }

    fn place(&self, needle: &Needle<'_>) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let (mut slot, tag) = self.hash(needle.head(), needle.text.as_bytes());
        loop {
            slot &= mask;
            match self.tags[slot] {
                FREE => return None,
                other if other != tag => {}
                _ => {
                    let place = self.slots[slot] as usize;
                    let key = self.key(&self.entries[place]);
                    let head = needle.head();
                    if key.len() == head.len() + needle.text.len()
                        && key.starts_with(head)
                        && key.ends_with(needle.text.as_bytes())
                    {
                        return Some(place);
                    }
                }
            }
            slot += 1;
        }
    }

    /// Where to begin, and the tag.
    fn hash(&self, head: &[u8], text: &[u8]) -> (usize, u8) {
        let hash = match text {
            [] => self.hasher.hash_one(head),
            text => self.hasher.hash_one((head, text)),
        };
        (hash as usize, (hash >> 56) as u8 | 0x80)
    }

    fn enter(&mut self, place: usize) {
        let entry = &self.entries[place];
        let key = self.key(entry);
        // As the needle was: addresses are all head.
        let head = if matches!(entry.kind, Kind::Address | Kind::Network) { key.len() } else { 1 };
        let (head, text) = key.split_at(head.min(key.len()));
        let mask = self.slots.len() - 1;
        let (mut slot, tag) = self.hash(head, text);
        slot &= mask;
        while self.tags[slot] != FREE {
            slot = (slot + 1) & mask;
        }
        (self.slots[slot], self.tags[slot]) = (place as u32, tag);
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(16);
        // Room for the new one before the old one goes is the most that it ever takes.
        (self.slots, self.tags) = (Vec::new(), Vec::new());
        self.slots.resize(size, NOBODY);
        self.tags.resize(size, FREE);
        for place in 0..self.entries.len() {
            self.enter(place);
        }
    }
}

/// An address or network as text, of its key.
fn address_text(key: &[u8]) -> String {
    let (length, bytes) = match key {
        [_, length, bytes @ ..] => (*length, bytes),
        _ => return String::new(),
    };
    let address = match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(four), _) => IpAddr::from(four),
        (_, Ok(sixteen)) => IpAddr::from(sixteen),
        _ => return String::new(),
    };
    match length {
        u8::MAX => address.to_string(),
        length => format!("{address}/{length}"),
    }
}

fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.millis().div_euclid(1000)).unwrap_or(if time.millis() < 0 {
        1
    } else {
        u32::MAX
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intel::normal;

    fn indicator(text: &str, confidence: u8) -> Indicator {
        let (kind, value) = normal(text, None).unwrap();
        Indicator { kind, value, confidence, expires: None, about: String::new() }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let mut builder = Builder::default();
        let texts: Vec<String> = (0..5000_u32)
            .map(|number| match number % 5 {
                0 => std::net::Ipv4Addr::from(0xC633_0000 + number).to_string(),
                1 => format!("host{number}.example"),
                2 => format!("2001:db8:{number:x}::/48"),
                3 => format!("https://host{number}.example/path"),
                _ => format!("{number:064x}"),
            })
            .collect();
        for text in &texts {
            assert!(builder.add(&indicator(text, 50)), "{text}");
            assert!(!builder.add(&indicator(text, 60)), "{text}");
        }
        let index = builder.finish();
        assert_eq!(index.len(), texts.len());
        let back: Vec<Indicator> = index.iter().collect();
        let expected: Vec<Indicator> = texts.iter().map(|text| indicator(text, 60)).collect();
        assert_eq!(back, expected);
        assert!(expected.iter().all(|one| index.contains(one)));
        assert!(!index.contains(&indicator("203.0.113.1", 60)));
        let address = "2001:db8:2::7".parse().unwrap();
        let found = index.network(address, Timestamp(0)).unwrap();
        assert_eq!(found.value, "2001:db8:2::/48");
        assert!(index.bytes() < 5000 * 130, "{}", index.bytes());
    }
}
