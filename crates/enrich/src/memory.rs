//! [`Memory`]: what was seen before, and how often it usually is.
//!
//! In: events in the order of their time. Out: `tocsin.first_seen` and `tocsin.baseline.*` on
//! those that are news. What changes is given out in pieces ([`Memory::take_changes`]) that come
//! to the same memory when they are applied in their order, so that it can be saved with each
//! epoch at the cost of what changed. The clock is the events' own: their time, but never later
//! than they were received.

mod bytes;
mod facts;
mod rates;
mod select;

use tocsin_model::{Event, Timestamp};

use crate::config::{BaselineConfig, FirstSeenConfig};
pub use bytes::Damaged;
use facts::Facts;
use rates::Rates;
pub use rates::{Unusual, Usual};

/// Version of the bytes that memory is saved as.
const VERSION: u8 = 1;

/// What was seen, and how often it usually is. One per pipeline.
#[derive(Debug)]
pub struct Memory {
    facts: Facts,
    rates: Rates,
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Facts remembered.
    pub facts: usize,
    /// Facts let go because there were too many.
    pub facts_let_go: u64,
    /// Things whose rates are remembered.
    pub things: usize,
    /// Things let go because there were too many.
    pub things_let_go: u64,
}

impl Memory {
    /// Without anything.
    pub fn new(first_seen: &FirstSeenConfig, baselines: &BaselineConfig) -> Self {
        Self { facts: Facts::new(first_seen), rates: Rates::new(baselines) }
    }

    /// Learns from an event, and adds to it what is news.
    pub fn see(&mut self, event: &mut Event) {
        let seconds = seconds_of(event);
        self.facts.see(event, seconds);
        self.rates.see(event, seconds);
    }

    /// How much is remembered.
    pub fn counts(&self) -> Counts {
        let (facts, facts_let_go) = self.facts.counts();
        let (things, things_let_go) = self.rates.counts();
        Counts { facts, facts_let_go, things, things_let_go }
    }

    /// What changed since the last call, as bytes; `None` when nothing did.
    pub fn take_changes(&mut self) -> Option<Vec<u8>> {
        let mut out = bytes::Writer::new(VERSION);
        let facts = self.facts.write_changes(&mut out);
        let rates = self.rates.write_changes(&mut out);
        (facts || rates).then(|| out.finish())
    }

    /// All of it, as bytes that can be applied to an empty memory.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = bytes::Writer::new(VERSION);
        self.facts.write_all(&mut out);
        self.rates.write_all(&mut out);
        out.finish()
    }

    /// Takes back what [`Memory::take_changes`] or [`Memory::snapshot`] gave.
    ///
    /// # Errors
    /// When the bytes are none of these; part of them may have been applied.
    pub fn apply(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        let mut input = bytes::Reader::new(bytes, VERSION)?;
        self.facts.read(&mut input)?;
        self.rates.read(&mut input)?;
        input.end()
    }
}

/// When an event happened, seconds since 1970; one from the future happens when it is received.
fn seconds_of(event: &Event) -> u32 {
    let time = event.time.min(event.received.max(Timestamp::default()));
    let time = if event.received == Timestamp::default() { event.time } else { time };
    u32::try_from(time.millis().div_euclid(1000)).unwrap_or(0)
}

/// A hash that stays the same from run to run: what is remembered is remembered by it.
fn hash<'t>(parts: impl IntoIterator<Item = &'t str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |byte: u8| {
        hash ^= u64::from(byte);
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
    };
    for part in parts {
        part.bytes().for_each(&mut add);
        // Where a part ends counts, too.
        add(0xff);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests;
