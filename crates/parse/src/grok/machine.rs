//! Matches a text against compiled [`Op`]s, backtracking within a budget of steps that grows
//! with the text: a pattern that would take more is given up, so matching is linear.

use memchr::memmem;

use super::compile::Op;
use super::syntax::Bytes;

/// The most captures of one pattern.
pub(crate) const CAPTURES_MAX: usize = 32;
/// Steps any text may take.
const STEPS_BASE: u64 = 4_000;
/// Further steps for each byte of the text.
const STEPS_PER_BYTE: u64 = 64;
/// How deep choices may nest: bounds the stack.
const DEPTH_MAX: u32 = 400;
/// The place of a capture that did not take part.
const UNSET: u32 = u32::MAX;

/// Where the captures of a match lie.
#[derive(Debug, Clone)]
pub(crate) struct Slots(pub [u32; CAPTURES_MAX * 2]);

impl Default for Slots {
    fn default() -> Self {
        Self([UNSET; CAPTURES_MAX * 2])
    }
}

impl Slots {
    /// The text of capture `index`.
    pub(crate) fn text<'t>(&self, index: usize, text: &'t str) -> Option<&'t str> {
        let (start, end) = (*self.0.get(index * 2)?, *self.0.get(index * 2 + 1)?);
        if start == UNSET || end == UNSET { None } else { text.get(start as usize..end as usize) }
    }
}

/// How a match ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It fits; the slots are set.
    Fits,
    /// It does not.
    Differs,
    /// It took too many steps.
    GivenUp,
}

/// Matches the whole of `text`.
pub(crate) fn run(ops: &[Op], captures: usize, text: &str, slots: &mut Slots) -> Outcome {
    slots.0[..captures * 2].fill(UNSET);
    let budget = STEPS_BASE + STEPS_PER_BYTE * text.len() as u64;
    let mut machine = Machine { ops, text: text.as_bytes(), slots, left: budget, depth: 0 };
    match machine.at(0, 0) {
        true => Outcome::Fits,
        false if machine.left == 0 => Outcome::GivenUp,
        false => Outcome::Differs,
    }
}

struct Machine<'o, 't, 's> {
    ops: &'o [Op],
    text: &'t [u8],
    slots: &'s mut Slots,
    left: u64,
    depth: u32,
}

impl Machine<'_, '_, '_> {
    fn spend(&mut self, steps: usize) -> bool {
        self.left = self.left.saturating_sub(steps as u64);
        self.left > 0
    }

    /// Whether the rest of the text from `pos` fits the steps from `op`.
    fn at(&mut self, mut op: usize, mut pos: usize) -> bool {
        if self.depth >= DEPTH_MAX {
            self.left = 0;
            return false;
        }
        loop {
            if !self.spend(1) {
                return false;
            }
            match &self.ops[op] {
                Op::Literal(bytes) => {
                    if !begins(&self.text[pos..], bytes) {
                        return false;
                    }
                    pos += bytes.len();
                    op += 1;
                }
                Op::Save(slot) => {
                    let before = self.slots.0[*slot];
                    self.slots.0[*slot] = pos as u32;
                    if self.deeper(op + 1, pos) {
                        return true;
                    }
                    self.slots.0[*slot] = before;
                    return false;
                }
                Op::Split(one, two) => {
                    if self.deeper(*one, pos) {
                        return true;
                    }
                    op = *two;
                }
                Op::Jump(to) => op = *to,
                Op::InQuotes => {
                    let Some(len) = self.quoted_len(pos) else { return false };
                    pos += len;
                    op += 1;
                }
                Op::End => return pos == self.text.len(),
                Op::Run { set, min, max, only: true, any: false, .. } => {
                    let Some(len) = self.run_len(set, pos, *max) else { return false };
                    if len < *min as usize {
                        return false;
                    }
                    pos += len;
                    op += 1;
                }
                Op::Run { .. } => return self.choose(op, pos),
            }
        }
    }

    fn deeper(&mut self, op: usize, pos: usize) -> bool {
        self.depth += 1;
        let fits = self.at(op, pos);
        self.depth -= 1;
        fits
    }

    /// How many bytes of `set` stand at `pos`, up to `max`; `None` out of budget.
    fn run_len(&mut self, set: &Bytes, pos: usize, max: u32) -> Option<usize> {
        let rest = &self.text[pos..];
        let rest = &rest[..rest.len().min(max as usize)];
        let len = rest.iter().position(|byte| !set.has(*byte)).unwrap_or(rest.len());
        self.spend(len / 8).then_some(len)
    }

    /// Bytes up to the next double quote after no backslash; `None` out of budget.
    fn quoted_len(&mut self, pos: usize) -> Option<usize> {
        let rest = &self.text[pos..];
        let mut at = 0;
        while let Some(found) = rest.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            at += found;
            if rest[at] == b'"' {
                return self.spend(at / 8).then_some(at);
            }
            at += 2;
        }
        self.spend(rest.len() / 8).then_some(rest.len())
    }

    /// Tries the lengths of a run, shortest or longest first, where what follows may begin.
    fn choose(&mut self, op: usize, pos: usize) -> bool {
        let Op::Run { set, min, max, lazy, any, then, end, .. } = &self.ops[op] else {
            return false;
        };
        let len = if *any {
            (self.text.len() - pos).min(*max as usize)
        } else {
            match self.run_len(set, pos, *max) {
                Some(len) => len,
                None => return false,
            }
        };
        let (low, high) = (pos + *min as usize, pos + len);
        if high < low {
            return false;
        }
        if let Some(literal) = literal_after(self.ops, op + 1) {
            return self.choose_before(literal, op, low, high, *lazy);
        }
        let count = high - low + 1;
        for step in 0..count {
            let at = if *lazy { low + step } else { high - step };
            let may = match self.text.get(at) {
                Some(byte) => then.has(*byte),
                None => *end,
            };
            if step % 8 == 7 && !self.spend(1) {
                return false;
            }
            if may && self.deeper(op + 1, at) {
                return true;
            }
        }
        false
    }

    /// As `choose`, where a literal follows: only its occurrences are tried.
    fn choose_before(
        &mut self,
        literal: &[u8],
        op: usize,
        mut low: usize,
        high: usize,
        lazy: bool,
    ) -> bool {
        let text = self.text;
        let mut end = (high + literal.len()).min(text.len());
        while low + literal.len() <= end {
            let found = if lazy {
                memmem::find(&text[low..end], literal)
            } else {
                memmem::rfind(&text[low..end], literal)
            };
            let Some(found) = found.map(|found| low + found) else {
                self.spend((end - low) / 16);
                return false;
            };
            let passed = if lazy { found - low } else { end - found };
            if !self.spend(1 + passed / 16) {
                return false;
            }
            if self.deeper(op + 1, found) {
                return true;
            }
            if lazy {
                low = found + 1;
            } else {
                end = found + literal.len() - 1;
            }
        }
        false
    }
}

/// Whether a text begins with a literal. Most are so short that a call to compare costs more.
fn begins(text: &[u8], literal: &[u8]) -> bool {
    match literal {
        [] => true,
        [only] => text.first() == Some(only),
        [one, two] => text.first() == Some(one) && text.get(1) == Some(two),
        _ => text.first() == literal.first() && text.starts_with(literal),
    }
}

/// The literal that must stand right after, past captures' borders.
fn literal_after(ops: &[Op], mut at: usize) -> Option<&[u8]> {
    loop {
        match ops.get(at)? {
            Op::Literal(bytes) => return Some(bytes),
            Op::Save(_) => at += 1,
            _ => return None,
        }
    }
}
