//! [`Group`]: the entries of one group of a correlation, in the order of time, and the windows
//! over them.

use std::collections::VecDeque;

use super::entry::{Entry, Key};
use super::measure::Measure;
use crate::compile::link::{Correlation, Mode};
use crate::rule::correlation::CorrelationKind;

/// Entries of one group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) entries: VecDeque<Entry>,
    /// Sliding values up to the newest entry.
    pub(super) measure: Measure,
    /// Time up to which all is decided, for correlations that wait for time to be complete.
    pub(crate) decided: Option<i64>,
}

/// The condition of a correlation held.
#[derive(Debug)]
pub(crate) struct Hit {
    /// The group.
    pub(crate) group: Key,
    /// Entries of the window, in order.
    pub(crate) entries: Vec<Entry>,
    /// When it held: the time of the last entry, or the window's end.
    pub(crate) time: i64,
    /// Start of the window: time of its first entry.
    pub(crate) from: i64,
    /// What was counted.
    pub(crate) count: f64,
}

impl Group {
    /// Puts an entry in its place; the place.
    pub(crate) fn insert(&mut self, entry: Entry) -> usize {
        let at = self.entries.partition_point(|known| known.order() <= entry.order());
        if at == self.entries.len() {
            self.entries.push_back(entry);
        } else {
            self.entries.insert(at, entry);
            self.measure.forget();
        }
        at
    }

    /// Drops the oldest entry; its bytes.
    pub(crate) fn drop_oldest(&mut self) -> usize {
        self.measure.forget();
        self.entries.pop_front().map_or(0, |entry| entry.bytes())
    }

    /// Drops entries before a time.
    pub(crate) fn forget(&mut self, before: i64) {
        while self.entries.front().is_some_and(|entry| entry.time < before) {
            self.entries.pop_front();
            self.measure.forget();
        }
    }

    /// Time of the newest entry.
    pub(crate) fn last(&self) -> i64 {
        self.entries.back().map_or(i64::MIN, |entry| entry.time)
    }

    /// Rough size in memory, bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.entries.iter().map(Entry::bytes).sum::<usize>()
    }

    /// After an entry came in at `at`: the windows that end at it or after it and now hold for
    /// the first time.
    pub(crate) fn eager(
        &mut self,
        correlation: &Correlation,
        at: usize,
        key: &Key,
        hits: &mut Vec<Hit>,
    ) {
        let Some(time) = self.entries.get(at).map(|entry| entry.time) else { return };
        let until = time.saturating_add(correlation.timespan);
        // In a sequence, events of one time may stand in any order: those before this one, too.
        let ordered = correlation.kind == CorrelationKind::TemporalOrdered;
        let mut end =
            if ordered { self.entries.partition_point(|one| one.time < time) } else { at };
        while let Some(entry) = self.entries.get(end) {
            if entry.time > until {
                return;
            }
            if !entry.fired && entry.bits != 0 {
                self.ending_at(end, correlation, key, hits);
            }
            end += 1;
        }
    }

    /// Decides what waits for the order of time or the end of a window, up to `complete`.
    pub(crate) fn decide(
        &mut self,
        correlation: &Correlation,
        complete: i64,
        key: &Key,
        hits: &mut Vec<Hit>,
    ) {
        match correlation.mode {
            Mode::Eager => {}
            Mode::Ordered => {
                let from = self.decided.map_or(0, |decided| {
                    self.entries.partition_point(|entry| entry.time <= decided)
                });
                let mut end = from;
                // At the end of the bound itself others may still come.
                let over = |entry: &Entry| entry.time < complete || complete == i64::MAX;
                while self.entries.get(end).is_some_and(over) {
                    let entry = &self.entries[end];
                    self.decided = Some(entry.time.max(self.decided.unwrap_or(i64::MIN)));
                    if entry.bits != 0 && !entry.fired {
                        self.ending_at(end, correlation, key, hits);
                    }
                    end += 1;
                }
            }
            Mode::Closing => self.close_windows(correlation, complete, key, hits),
        }
    }

    /// Windows one after the other, each opened by the first entry behind the last one's end.
    fn close_windows(
        &mut self,
        correlation: &Correlation,
        complete: i64,
        key: &Key,
        hits: &mut Vec<Hit>,
    ) {
        loop {
            let undecided = |entry: &&Entry| {
                entry.bits != 0 && self.decided.is_none_or(|decided| entry.time > decided)
            };
            let Some(first) = self.entries.iter().find(undecided).map(|entry| entry.time) else {
                return;
            };
            let end = first.saturating_add(correlation.timespan);
            if end >= complete && complete != i64::MAX {
                return;
            }
            let from = self.entries.partition_point(|entry| entry.time < first);
            let to = self.entries.partition_point(|entry| entry.time <= end);
            let cleared = (from..to).rev().find(|at| self.entries[*at].reset);
            let from = cleared.map_or(from, |at| at + 1);
            if from < to {
                let mut measure = Measure::default();
                if let Some(count) = measure.of(&self.entries, from..to, correlation) {
                    hits.push(self.hit(from..to, end, count, key));
                }
            }
            self.decided = Some(end);
        }
    }

    /// Looks at the window that ends at the entry `end`.
    fn ending_at(&mut self, end: usize, correlation: &Correlation, key: &Key, hits: &mut Vec<Hit>) {
        let time = self.entries[end].time;
        let start = time.saturating_sub(correlation.timespan);
        let mut from = self.entries.partition_point(|entry| entry.time < start);
        if correlation.mode == Mode::Ordered {
            // What came before the last clearing does not count.
            let cleared = (from..end).rev().find(|at| self.entries[*at].reset);
            from = cleared.map_or(from, |at| at + 1);
        }
        let mut to = end + 1;
        if correlation.kind == CorrelationKind::TemporalOrdered {
            if !self.measure.may_complete(&self.entries[end], correlation) {
                return;
            }
            to = self.entries.partition_point(|entry| entry.time <= time);
        }
        let mut measure = std::mem::take(&mut self.measure);
        let count = measure.of(&self.entries, from..to, correlation);
        self.measure = measure;
        if let Some(count) = count {
            self.entries[end].fired = true;
            hits.push(self.hit(from..to, time, count, key));
        }
    }

    fn hit(&self, range: std::ops::Range<usize>, time: i64, count: f64, key: &Key) -> Hit {
        let from = self.entries.get(range.start).map_or(time, |entry| entry.time);
        let entries = self.entries.range(range).cloned().collect();
        Hit { group: key.clone(), entries, time, from, count }
    }
}
