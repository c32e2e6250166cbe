//! [`Scanner`]: finds which of many short texts stand in a long one. Folded text in, the numbers
//! of the found texts out.
//!
//! Every text is filed under one of its grams (four bytes in a row, or fewer when it is short),
//! the one that is least usual. Scanning looks every gram of the input up in a small bit map that
//! stays in the first-level cache, so the cost depends on the input and hardly on how many texts
//! there are; only a hit compares.

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
    four: Lane<4>,
    three: Lane<3>,
    two: Lane<2>,
    one: Lane<1>,
    pool: Box<[u8]>,
}

/// The needles filed under grams of `W` bytes.
#[derive(Debug, Default)]
struct Lane<const W: usize> {
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

/// Hash bits for each needle in a lane, so that few of the grams of ordinary text hit by chance.
const BITS_PER_NEEDLE: usize = 32;
const BITS_MIN: usize = 1 << 8;
const BITS_MAX: usize = 1 << 18;

impl Scanner {
    /// Files needles; `number` of a needle is its place.
    pub(crate) fn new(needles: &[Needle], background: &Background) -> Self {
        let mut pool = Vec::new();
        let mut usage: HashMap<u32, u32, ahash::RandomState> = HashMap::default();
        let mut filed: [Vec<Filed>; 5] = Default::default();
        for (number, needle) in needles.iter().enumerate() {
            let bytes = needle.text.as_bytes();
            if bytes.is_empty() {
                continue;
            }
            let width = bytes.len().min(4);
            let candidates = bytes.windows(width).enumerate().map(|(at, gram)| (at, pack(gram)));
            let usual =
                |gram: u32| background.gram(gram) * 100 + usage.get(&gram).copied().unwrap_or(0);
            let Some((at, gram)) = candidates.min_by_key(|(_, gram)| usual(*gram)) else {
                continue;
            };
            *usage.entry(gram).or_default() += 1;
            filed[width].push(Filed {
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
        let [_, one, two, three, four] = filed;
        Self {
            four: Lane::new(four),
            three: Lane::new(three),
            two: Lane::new(two),
            one: Lane::new(one),
            pool: pool.into_boxed_slice(),
        }
    }

    /// Calls `found` with the number of every needle that stands in `text`, perhaps more than
    /// once.
    pub(crate) fn scan(&self, text: &[u8], mut found: impl FnMut(u32)) {
        self.four.scan(text, &self.pool, &mut found);
        self.three.scan(text, &self.pool, &mut found);
        self.two.scan(text, &self.pool, &mut found);
        self.one.scan(text, &self.pool, &mut found);
    }
}

fn pack(gram: &[u8]) -> u32 {
    gram.iter().rev().fold(0, |packed, byte| packed << 8 | u32::from(*byte))
}

impl<const W: usize> Lane<W> {
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
        for (at, window) in text.windows(W).enumerate() {
            let gram = match *window {
                [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
                [a, b, c] => u32::from_le_bytes([a, b, c, 0]),
                [a, b] => u32::from_le_bytes([a, b, 0, 0]),
                [a] => u32::from(a),
                _ => return,
            };
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
        let scanner = Scanner::new(&needles, &Background::new());
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
