//! What a window comes to: number of events, distinct values, sums, which rules matched in which
//! order; and whether that is what the correlation asks for.
//!
//! The values of the window that ends at the newest entry are kept, so that one more entry costs
//! no more than the entries that leave the window.

use std::collections::VecDeque;
use std::ops::Range;

use ahash::{HashMap, HashMapExt};

use super::entry::{Entry, Key};
use crate::compile::link::Correlation;
use crate::number::Number;
use crate::rule::condition::Condition;
use crate::rule::correlation::{CorrelationKind, Threshold};

/// Values of a window, kept from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Measure {
    kept: Option<Box<Kept>>,
}

/// The window that the sums are of, by place in the group, and the sums.
#[derive(Debug)]
struct Kept {
    range: Range<usize>,
    distinct: HashMap<Key, u32>,
    whole: i128,
    /// Numbers that are not whole; summed anew each time, so that no error gathers.
    other: Vec<f64>,
    numbers: usize,
    events: usize,
}

impl Kept {
    fn new(at: usize) -> Self {
        Self {
            range: at..at,
            distinct: HashMap::new(),
            whole: 0,
            other: Vec::new(),
            numbers: 0,
            events: 0,
        }
    }

    fn add(&mut self, entry: &Entry, kind: CorrelationKind) {
        if entry.bits == 0 {
            return;
        }
        self.events += 1;
        match kind {
            CorrelationKind::ValueCount => match self.distinct.get_mut(&entry.value) {
                Some(count) => *count += 1,
                None => {
                    self.distinct.insert(entry.value.clone(), 1);
                }
            },
            CorrelationKind::ValueSum | CorrelationKind::ValueAvg => match number(entry) {
                Some(Number::Int(number)) => {
                    self.whole = self.whole.saturating_add(number);
                    self.numbers += 1;
                }
                Some(Number::Float(number)) if number.is_finite() => {
                    self.other.push(number);
                    self.numbers += 1;
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn remove(&mut self, entry: &Entry, kind: CorrelationKind) {
        if entry.bits == 0 {
            return;
        }
        self.events -= 1;
        match kind {
            CorrelationKind::ValueCount => {
                if let Some(count) = self.distinct.get_mut(&entry.value) {
                    *count -= 1;
                    if *count == 0 {
                        self.distinct.remove(&entry.value);
                    }
                }
            }
            CorrelationKind::ValueSum | CorrelationKind::ValueAvg => match number(entry) {
                Some(Number::Int(number)) => {
                    self.whole = self.whole.saturating_sub(number);
                    self.numbers -= 1;
                }
                Some(Number::Float(number)) if number.is_finite() => {
                    if let Some(at) = self.other.iter().position(|known| *known == number) {
                        self.other.remove(at);
                        self.numbers -= 1;
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn sum(&self) -> Number {
        if self.other.is_empty() {
            return Number::Int(self.whole);
        }
        Number::Float(self.whole as f64 + self.other.iter().sum::<f64>())
    }
}

impl Measure {
    /// Forgets what was kept: places in the group have moved.
    pub(crate) fn forget(&mut self) {
        self.kept = None;
    }

    /// The group's first entry is gone: all places move by one.
    pub(crate) fn without_first(&mut self, entry: &Entry, kind: CorrelationKind) {
        let Some(kept) = &mut self.kept else { return };
        if kept.range.start > 0 {
            kept.range = kept.range.start - 1..kept.range.end - 1;
        } else if kept.range.end > 0 {
            kept.remove(entry, kind);
            kept.range.end -= 1;
        }
    }

    /// How many entries of a window match.
    pub(crate) fn events(&self, entries: &VecDeque<Entry>, range: Range<usize>) -> u64 {
        match &self.kept {
            Some(kept) if kept.range == range => kept.events as u64,
            _ => entries.range(range).filter(|entry| entry.bits != 0).count() as u64,
        }
    }

    /// Whether an entry can be the last of an ordered sequence.
    pub(crate) fn may_complete(&self, entry: &Entry, correlation: &Correlation) -> bool {
        let last = correlation.sources.len().saturating_sub(1);
        !matches!(&correlation.threshold, Threshold::All) || entry.bits >> last & 1 == 1
    }

    /// What the window comes to, when that is what the correlation asks for. A sequence has to
    /// end with one of the rules `ending`.
    pub(crate) fn of(
        &mut self,
        entries: &VecDeque<Entry>,
        range: Range<usize>,
        correlation: &Correlation,
        ending: u64,
    ) -> Option<f64> {
        let rules = correlation.sources.len();
        let ordered = correlation.kind == CorrelationKind::TemporalOrdered;
        let operators = match &correlation.threshold {
            Threshold::Number(operators) => operators,
            Threshold::All if ordered => {
                let whole = longest(entries, range, rules, ending) == rules;
                return whole.then_some(rules as f64);
            }
            Threshold::All => {
                let whole = bits(entries, range).count_ones() as usize == rules;
                return whole.then(|| rules as f64 - f64::from(correlation.repeats.count_ones()));
            }
            Threshold::Rules(condition) => {
                let bits = bits(entries, range);
                let different = (bits & !correlation.repeats).count_ones();
                return holds(condition, bits).then_some(f64::from(different));
            }
            Threshold::Sequences(ways) => {
                let bits = bits(entries, range.clone());
                let way = ways.iter().find(|way| {
                    let rules_wanted = way.wanted.count_ones() as usize;
                    let entries = || entries.range(range.clone());
                    bits & way.without == 0
                        && bits & way.wanted == way.wanted
                        && longest_of(entries(), rules, way.wanted, ending) == rules_wanted
                })?;
                return Some(f64::from(way.wanted.count_ones()));
            }
        };
        let number = self.number(entries, range, correlation, ending)?;
        let all = operators.iter().all(|(operator, limit)| operator.holds(number, *limit));
        all.then(|| number.to_float())
    }

    fn number(
        &mut self,
        entries: &VecDeque<Entry>,
        range: Range<usize>,
        correlation: &Correlation,
        ending: u64,
    ) -> Option<Number> {
        let whole = |count: usize| Some(Number::Int(count as i128));
        let kind = correlation.kind;
        match kind {
            CorrelationKind::Temporal => {
                whole((bits(entries, range) & !correlation.repeats).count_ones() as usize)
            }
            CorrelationKind::TemporalOrdered => {
                whole(longest(entries, range, correlation.sources.len(), ending))
            }
            CorrelationKind::ValuePercentile => {
                percentile(entries, range, correlation.percentile).map(Number::Float)
            }
            CorrelationKind::ValueMedian => percentile(entries, range, 50.0).map(Number::Float),
            CorrelationKind::EventCount => whole(self.slide(entries, range, kind).events),
            CorrelationKind::ValueCount => whole(self.slide(entries, range, kind).distinct.len()),
            CorrelationKind::ValueSum => {
                let kept = self.slide(entries, range, kind);
                (kept.numbers > 0).then(|| kept.sum())
            }
            CorrelationKind::ValueAvg => {
                let kept = self.slide(entries, range, kind);
                let count = kept.numbers as f64;
                (kept.numbers > 0).then(|| Number::Float(kept.sum().to_float() / count))
            }
        }
    }

    /// Moves the kept window to `range`, from the old one where that is near, else anew.
    fn slide(
        &mut self,
        entries: &VecDeque<Entry>,
        range: Range<usize>,
        kind: CorrelationKind,
    ) -> &Kept {
        let usable = self.kept.as_ref().is_some_and(|kept| {
            kept.range.start <= range.start
                && kept.range.end <= range.end
                && range.start <= kept.range.end
        });
        if !usable {
            self.kept = None;
        }
        let kept = self.kept.get_or_insert_with(|| Box::new(Kept::new(range.start)));
        for entry in entries.range(kept.range.end..range.end) {
            kept.add(entry, kind);
        }
        for entry in entries.range(kept.range.start..range.start) {
            kept.remove(entry, kind);
        }
        kept.range = range;
        kept
    }
}

fn number(entry: &Entry) -> Option<Number> {
    Number::parse(entry.value.first()?)
}

/// Which rules matched in the window.
fn bits(entries: &VecDeque<Entry>, range: Range<usize>) -> u64 {
    entries.range(range).fold(0, |bits, entry| bits | entry.bits)
}

fn holds(condition: &Condition, bits: u64) -> bool {
    match condition {
        Condition::Search(place) => bits >> place & 1 == 1,
        Condition::Not(inner) => !holds(inner, bits),
        Condition::And(parts) => parts.iter().all(|part| holds(part, bits)),
        Condition::Or(parts) => parts.iter().any(|part| holds(part, bits)),
    }
}

/// The most rules that matched one after the other, in the list's order, the last of them one of
/// `ending`; matches of the same time may stand in any order.
fn longest(entries: &VecDeque<Entry>, range: Range<usize>, rules: usize, ending: u64) -> usize {
    longest_of(entries.range(range), rules, u64::MAX, ending)
}

/// The same of the `wanted` rules only.
fn longest_of<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    rules: usize,
    wanted: u64,
    ending: u64,
) -> usize {
    // best[r]: longest sequence that ends with rule r.
    let mut best = vec![0usize; rules];
    let mut run: Vec<u64> = Vec::new();
    let mut time = i64::MIN;
    for entry in entries {
        if entry.time != time {
            extend(&mut best, &mut run);
            run.clear();
            time = entry.time;
        }
        let bits = entry.bits & wanted;
        if bits != 0 {
            run.push(bits);
        }
    }
    extend(&mut best, &mut run);
    let ends = best.iter().enumerate().filter(|(rule, _)| ending >> rule & 1 == 1);
    ends.map(|(_, best)| *best).max().unwrap_or(0)
}

/// Extends the sequences by events of one time, in the order that serves best: earlier rules of
/// the list first.
fn extend(best: &mut [usize], run: &mut [u64]) {
    run.sort_by_key(|bits| bits.trailing_zeros());
    for bits in run.iter() {
        // From the last place on, so that one match does not stand for two places.
        for rule in (0..best.len()).rev() {
            if bits >> rule & 1 == 1 {
                let before = best[..rule].iter().copied().max().unwrap_or(0);
                best[rule] = best[rule].max(before + 1);
            }
        }
    }
}

/// Percentile by linear interpolation between the nearest ranks, of the numeric values.
fn percentile(entries: &VecDeque<Entry>, range: Range<usize>, percent: f64) -> Option<f64> {
    let mut values: Vec<f64> = entries
        .range(range)
        .filter(|entry| entry.bits != 0)
        .filter_map(|entry| number(entry).map(Number::to_float))
        .filter(|value| value.is_finite())
        .collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let rank = percent / 100.0 * last as f64;
    let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
    Some(values[low] + (values[high] - values[low]) * (rank - rank.floor()))
}
