//! Mutations: seeds and a number in, inputs out, the same for the same number.

/// A generator of numbers (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// Pieces of rules, sources and events that mean something where they stand.
const TOKENS: &[&str] = &[
    "|contains",
    "|startswith",
    "|endswith",
    "|all",
    "|cased",
    "|neq",
    "|exists",
    "|windash",
    "|base64",
    "|base64offset",
    "|wide",
    "|utf16be",
    "|utf16",
    "|re",
    "|i",
    "|m",
    "|s",
    "|cidr",
    "|lt",
    "|gte",
    "|fieldref",
    "|expand",
    "|hour",
    "|week",
    "null",
    "~",
    "true",
    "false",
    "''",
    "*",
    "?",
    "\\",
    "\\*",
    "\\\\",
    "%l%",
    "%m%",
    "1 of ",
    "all of them",
    "any of s*",
    " and ",
    " or ",
    "not ",
    "(",
    ")",
    "\n---\n",
    "correlation:",
    "filter:",
    "detection:",
    "condition: ",
    "timespan: 5m",
    "type: value_sum",
    "type: temporal_ordered",
    "group-by: [a]",
    "gte: 2",
    "field: n",
    "aliases: { a: { x: y } }",
    "generate: true",
    "tocsin: { reset_by: x }",
    "name: x\n",
    "rules: [x]",
    "- ",
    ": ",
    "\n",
    "\n  ",
    " ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "\"",
    "'",
    "&a ",
    "*a",
    "!!str ",
    "|\n",
    ">\n",
    "0x1F",
    "1e309",
    "-0",
    "18446744073709551616",
    "9223372036854775807",
    "0.1",
    "\u{212a}",
    "ẞ",
    "\u{0}",
    "\u{feff}",
    "\u{2028}",
    "é",
    "😀",
    "(?i)",
    "(?:",
    "{1000}",
    "{,2}",
    "[^]a]",
    "[[:alpha:]&&[a-z]]",
    "\\d",
    "\\b",
    "\\x{41}",
    "(?<n>",
    "::/0",
    "10.0.0.0/33",
    "::ffff:1.2.3.4",
    "2024-02-30T25:61:00Z",
    "$",
    "^",
    ".*",
    "<34>",
    "Nov 21 00:00:00 ",
    "=",
    "key=\"",
    "\t",
    "%{",
    "%}",
    "message repeated 5 times: [ ",
];

/// Makes inputs of seeds.
pub struct Mutator<'s> {
    random: Random,
    seeds: &'s [Vec<u8>],
}

impl<'s> Mutator<'s> {
    pub fn new(seed: u64, seeds: &'s [Vec<u8>]) -> Self {
        Self { random: Random::new(seed), seeds }
    }

    /// A seed with a few changes, at most `longest` bytes of it.
    pub fn next(&mut self, longest: usize) -> Vec<u8> {
        let mut input = self.random.pick(self.seeds).clone();
        for _ in 0..=self.random.below(6) {
            self.change(&mut input);
        }
        input.truncate(longest);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        match self.random.below(10) {
            0 => {
                let at = self.random.below(input.len());
                if let Some(byte) = input.get_mut(at) {
                    *byte = self.random.next() as u8;
                }
            }
            1 => {
                let (from, to) = self.range(input.len(), 64);
                input.drain(from..to);
            }
            2 => {
                let (from, to) = self.range(input.len(), 256);
                let part = input[from..to].to_vec();
                let at = self.random.below(input.len() + 1);
                for _ in 0..=self.random.below(3) {
                    input.splice(at..at, part.iter().copied());
                }
            }
            3 => {
                let other = self.random.pick(self.seeds);
                let (from, to) = self.range(other.len(), 512);
                let part = other[from..to].to_vec();
                let at = self.random.below(input.len() + 1);
                input.splice(at..at, part);
            }
            4 => self.lines(input),
            5 => {
                // Another value after a key or in a list.
                let at = self.random.below(input.len() + 1);
                let end = input[at..].iter().position(|byte| b"\n,}] ".contains(byte));
                let end = end.map_or(input.len(), |len| at + len);
                let token = self.random.pick(TOKENS).bytes();
                input.splice(at..end, token);
            }
            _ => {
                let at = self.random.below(input.len() + 1);
                let token = self.random.pick(TOKENS).bytes();
                input.splice(at..at, token);
            }
        }
    }

    /// Doubles, drops or swaps a line, or moves it to the right.
    fn lines(&mut self, input: &mut Vec<u8>) {
        let mut lines: Vec<Vec<u8>> =
            input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let (one, other) = (self.random.below(lines.len()), self.random.below(lines.len()));
        match self.random.below(4) {
            0 => lines.insert(other, lines[one].clone()),
            1 => drop(lines.remove(one)),
            2 => lines.swap(one, other),
            _ => drop(lines[one].splice(0..0, *b"  ")),
        }
        *input = lines.join(&b'\n');
    }

    fn range(&mut self, len: usize, longest: usize) -> (usize, usize) {
        let from = self.random.below(len);
        (from, (from + 1 + self.random.below(longest)).min(len))
    }
}
