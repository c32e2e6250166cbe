//! [`Scanner`]: finds which of many short texts stand in a long one. Folded text in, the numbers
//! of the found texts out.
//!
//! Every text is filed under one of its grams (four bytes in a row), the one that is least usual.
//! Scanning looks every gram of the input up in a small bit map that stays in the first-level
//! cache, so the cost depends on the input and hardly on how many texts there are; only a hit
//! compares. Texts of less than four bytes have a bit map of pairs.

use std::collections::HashMap;

use super::background::Background;

/// A text to find.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Needle {
    /// The text, folded; not empty.
    pub(crate) text: Box<str>,
    /// Only at the start.
    pub(crate) start: bool,
    /// Only at the end.
    pub(crate) end: bool,
}

/// Finds needles.
#[derive(Debug)]
pub(crate) struct Scanner {
    long: Lane,
    short: Short,
    pool: Box<[u8]>,
}

/// Needles of less than four bytes, by their first byte.
#[derive(Debug, Default)]
struct Short {
    /// A bit for each pair of bytes that a needle may start with; empty without needles.
    pairs: Box<[u64]>,
    /// Where the needles of a first byte start; one more than there are bytes.
    starts: Box<[u32]>,
    needles: Box<[(Needle, u32)]>,
}

/// The longer needles, filed under grams.
#[derive(Debug, Default)]
struct Lane {
    /// A bit for each hash value that a needle has.
    bits: Box<[u64]>,
    /// Where the needles of a hash value start; one more than there are hash values.
    starts: Box<[u32]>,
    filed: Box<[Filed]>,
    shift: u32,
}

#[derive(Debug, Clone, Copy)]
struct Filed {
    gram: u32,
    /// Where the needle's text starts in the pool, and how long it is.
    text: u32,
    len: u32,
    /// Where in the needle the gram stands.
    at: u32,
    start: bool,
    end: bool,
    /// The needle's number.
    number: u32,
}

/// Bytes of a gram.
const WIDTH: usize = 4;
/// Hash bits for each needle in a lane, so that few of the grams of ordinary text hit by chance.
const BITS_PER_NEEDLE: usize = 32;
const BITS_MIN: usize = 1 << 8;
const BITS_MAX: usize = 1 << 18;

impl Scanner {
    /// Files needles; `number` of a needle is its place.
    pub(crate) fn new(needles: &[Needle], background: &Background) -> Self {
        let mut pool = Vec::new();
        let mut usage: HashMap<u32, u32, ahash::RandomState> = HashMap::default();
        let (mut long, mut short) = (Vec::new(), Vec::new());
        for (number, needle) in needles.iter().enumerate() {
            let bytes = needle.text.as_bytes();
            if bytes.len() < WIDTH {
                if !bytes.is_empty() {
                    short.push((needle.clone(), number as u32));
                }
                continue;
            }
            let candidates = bytes.windows(WIDTH).enumerate().map(|(at, gram)| (at, pack(gram)));
            let usual =
                |gram: u32| background.gram(gram) * 100 + usage.get(&gram).copied().unwrap_or(0);
            let Some((at, gram)) = candidates.min_by_key(|(_, gram)| usual(*gram)) else {
                continue;
            };
            *usage.entry(gram).or_default() += 1;
            long.push(Filed {
                gram,
                text: pool.len() as u32,
                len: bytes.len() as u32,
                at: at as u32,
                start: needle.start,
                end: needle.end,
                number: number as u32,
            });
            pool.extend_from_slice(bytes);
        }
        Self { long: Lane::new(long), short: Short::new(short), pool: pool.into_boxed_slice() }
    }

    /// Calls `found` with the number of every needle that stands in `text`, perhaps more than
    /// once.
    pub(crate) fn scan(&self, text: &[u8], mut found: impl FnMut(u32)) {
        self.long.scan(text, &self.pool, &mut found);
        self.short.scan(text, &mut found);
    }
}

impl Short {
    fn new(mut needles: Vec<(Needle, u32)>) -> Self {
        if needles.is_empty() {
            return Self::default();
        }
        needles.sort();
        let mut pairs = vec![0_u64; (1 << 16) / 64];
        let mut starts = vec![0_u32; 257];
        for (needle, _) in &needles {
            let (first, second) = match *needle.text.as_bytes() {
                [first, second, ..] => (first, second..=second),
                [first] => (first, 0..=u8::MAX),
                [] => continue,
            };
            for second in second {
                let pair = pair(first, second);
                pairs[pair / 64] |= 1 << (pair % 64);
            }
            starts[first as usize + 1] += 1;
        }
        for byte in 0..256 {
            starts[byte + 1] += starts[byte];
        }
        Self { pairs: pairs.into(), starts: starts.into(), needles: needles.into() }
    }

    #[inline]
    fn scan(&self, text: &[u8], found: &mut impl FnMut(u32)) {
        let Some((&last, _)) = text.split_last() else { return };
        if self.needles.is_empty() {
            return;
        }
        for (at, window) in text.windows(2).enumerate() {
            let pair = pair(window[0], window[1]);
            if self.pairs[pair / 64] >> (pair % 64) & 1 == 1 {
                self.compare(text, at, found);
            }
        }
        // Of two bytes there is only one left; any pair that starts with it stands for it.
        if self.starts[last as usize] < self.starts[last as usize + 1] {
            self.compare(text, text.len() - 1, found);
        }
    }

    #[inline(never)]
    fn compare(&self, text: &[u8], at: usize, found: &mut impl FnMut(u32)) {
        let first = text[at] as usize;
        let range = self.starts[first] as usize..self.starts[first + 1] as usize;
        for (needle, number) in &self.needles[range] {
            let wanted = needle.text.as_bytes();
            let stands = text[at..].starts_with(wanted);
            let end = at + wanted.len() == text.len();
            if stands && (!needle.start || at == 0) && (!needle.end || end) {
                found(*number);
            }
        }
    }
}

#[inline]
fn pair(first: u8, second: u8) -> usize {
    usize::from(first) | usize::from(second) << 8
}

fn pack(gram: &[u8]) -> u32 {
    gram.iter().rev().fold(0, |packed, byte| packed << 8 | u32::from(*byte))
}

impl Lane {
    fn new(mut filed: Vec<Filed>) -> Self {
        if filed.is_empty() {
            return Self::default();
        }
        let size = (filed.len() * BITS_PER_NEEDLE).next_power_of_two().clamp(BITS_MIN, BITS_MAX);
        let shift = 32 - size.trailing_zeros();
        filed.sort_by_key(|one| hash(one.gram, shift));
        let mut bits = vec![0_u64; size / 64];
        let mut starts = vec![0_u32; size + 1];
        for one in &filed {
            let slot = hash(one.gram, shift) as usize;
            bits[slot / 64] |= 1 << (slot % 64);
            starts[slot + 1] += 1;
        }
        for slot in 0..size {
            starts[slot + 1] += starts[slot];
        }
        Self { bits: bits.into(), starts: starts.into(), filed: filed.into(), shift }
    }

    #[inline]
    fn scan(&self, text: &[u8], pool: &[u8], found: &mut impl FnMut(u32)) {
        if self.filed.is_empty() {
            return;
        }
        for (at, window) in text.array_windows().enumerate() {
            let gram = u32::from_le_bytes(*window);
            let slot = hash(gram, self.shift) as usize;
            if self.bits[slot / 64] >> (slot % 64) & 1 == 1 {
                self.compare(text, at, gram, slot, pool, found);
            }
        }
    }

    #[inline(never)]
    fn compare(
        &self,
        text: &[u8],
        at: usize,
        gram: u32,
        slot: usize,
        pool: &[u8],
        found: &mut impl FnMut(u32),
    ) {
        let range = self.starts[slot] as usize..self.starts[slot + 1] as usize;
        for one in &self.filed[range] {
            if one.gram != gram {
                continue;
            }
            let Some(start) = at.checked_sub(one.at as usize) else { continue };
            let end = start + one.len as usize;
            if end > text.len() || one.start && start != 0 || one.end && end != text.len() {
                continue;
            }
            let needle = &pool[one.text as usize..(one.text + one.len) as usize];
            if &text[start..end] == needle {
                found(one.number);
            }
        }
    }
}

#[inline]
fn hash(gram: u32, shift: u32) -> u32 {
    gram.wrapping_mul(0x9E37_79B1) >> shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_plain_search_finds() {
        let texts = ["a", "ab", "abc", "abcd", "bcde", "cmd.exe", "\\cmd.exe", " -enc ", "äé"];
        let mut needles = Vec::new();
        for text in texts {
            for (start, end) in [(false, false), (true, false), (false, true)] {
                needles.push(Needle { text: text.into(), start, end });
            }
        }
        let scanner = Scanner::new(&needles, Background::shared());
        let inputs = ["", "a", "xab", "abcde", "c:\\cmd.exe", "cmd.exe -enc x", "äéa", "abcdabcd"];
        for input in inputs {
            let mut found = Vec::new();
            scanner.scan(input.as_bytes(), |number| found.push(number as usize));
            found.sort_unstable();
            found.dedup();
            let expected: Vec<usize> = (0..needles.len())
                .filter(|number| {
                    let Needle { text, start, end } = &needles[*number];
                    match (start, end) {
                        (true, _) => input.starts_with(&**text),
                        (_, true) => input.ends_with(&**text),
                        _ => input.contains(&**text),
                    }
                })
                .collect();
            assert_eq!(found, expected, "{input}");
        }
    }
}
