//! [`Group`]: the entries of one group of a correlation, in the order of time, and the windows
//! over them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use tocsin_model::finding::CONTRIBUTIONS_MAX;
use tocsin_model::{Contribution, Event, RuleMeta};

use super::entry::{Entry, Key};
use super::measure::Measure;
use crate::compile::link::{Correlation, From, Mode, Source};
use crate::rule::correlation::CorrelationKind;

/// Entries of one group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) entries: VecDeque<Entry>,
    /// Sliding values up to the newest entry.
    pub(super) measure: Measure,
    /// Time up to which all is decided, for correlations that wait for time to be complete.
    pub(crate) decided: Option<i64>,
    /// When the entry that came last was received.
    pub(crate) touched: i64,
    /// Rough size of the entries in memory, bytes.
    pub(crate) entry_bytes: usize,
    /// Whether it is other than it was saved.
    pub(super) changed: bool,
}

/// The condition of a correlation held.
#[derive(Debug)]
pub(crate) struct Hit {
    /// The group.
    pub(crate) group: Key,
    /// When it held: the time of the last entry, or the window's end.
    pub(crate) time: i64,
    /// Start of the window: time of its first entry.
    pub(crate) from: i64,
    /// What was counted.
    pub(crate) count: f64,
    /// How many events matched.
    pub(crate) event_count: u64,
    /// The event that completed it, and the rule that this matched.
    pub(crate) last: (Arc<Event>, Arc<RuleMeta>),
    /// Contributing events, oldest first, each once; of very many the first ones and the last.
    pub(crate) contributions: Arc<[Contribution]>,
    /// What goes into outer correlations.
    pub(crate) fed: Vec<Fed>,
}

/// What a hit puts into an outer correlation.
#[derive(Debug)]
pub(crate) struct Fed {
    /// Which of the correlation's feeds.
    pub(crate) feed: usize,
    pub(crate) group: Key,
    pub(crate) value: Key,
    pub(crate) carry: Box<[Option<Box<str>>]>,
}

impl Group {
    /// Puts an entry in its place; the place.
    pub(crate) fn insert(&mut self, entry: Entry) -> usize {
        self.entry_bytes += entry.bytes();
        if self.entries.capacity() == 0 {
            // Most groups never have a second one.
            self.entries.reserve_exact(1);
        }
        let at = match self.entries.back() {
            Some(last) if last.order() > entry.order() => {
                self.entries.partition_point(|known| known.order() <= entry.order())
            }
            _ => self.entries.len(),
        };
        if at == self.entries.len() {
            self.entries.push_back(entry);
        } else {
            self.entries.insert(at, entry);
            self.measure.forget();
        }
        at
    }

    /// Drops the oldest entry; its bytes.
    pub(crate) fn drop_oldest(&mut self, kind: CorrelationKind) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        self.measure.without_first(&entry, kind);
        self.changed = true;
        let bytes = entry.bytes();
        self.entry_bytes = self.entry_bytes.saturating_sub(bytes);
        bytes
    }

    /// Drops entries before a time; their bytes.
    pub(crate) fn forget(&mut self, before: i64, kind: CorrelationKind) -> usize {
        let mut bytes = 0;
        while self.entries.front().is_some_and(|entry| entry.time < before) {
            bytes += self.drop_oldest(kind);
        }
        bytes
    }

    /// Time of the newest entry.
    pub(crate) fn last(&self) -> i64 {
        self.entries.back().map_or(i64::MIN, |entry| entry.time)
    }

    /// Rough size in memory, bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.entry_bytes
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
                    self.changed = true;
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
                if let Some(count) = measure.of(&self.entries, from..to, correlation, u64::MAX) {
                    let events = measure.events(&self.entries, from..to);
                    let last = to - 1;
                    hits.push(self.hit(from..to, last, end, (count, events), key, correlation));
                }
            }
            self.decided = Some(end);
            self.changed = true;
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
        let ending = self.entries[end].bits;
        let count = measure.of(&self.entries, from..to, correlation, ending);
        if let Some(count) = count {
            self.entries[end].fired = true;
            self.changed = true;
            let events = measure.events(&self.entries, from..to);
            hits.push(self.hit(from..to, end, time, (count, events), key, correlation));
        }
        self.measure = measure;
    }

    /// The entries of `range` hold; the one at `last` completes them.
    fn hit(
        &mut self,
        range: Range<usize>,
        last: usize,
        time: i64,
        (count, events): (f64, u64),
        key: &Key,
        correlation: &Correlation,
    ) -> Hit {
        let from = self.entries.get(range.start).map_or(time, |entry| entry.time);
        let contributions = self.contributions(range.clone());
        // Of hits of inner correlations the events behind them count.
        let inner = correlation.sources.iter().any(|one| matches!(one, Source::Correlation(_)));
        let event_count = if inner { contributions.len() as u64 } else { events };
        let last = &self.entries[last];
        Hit {
            group: key.clone(),
            time,
            from,
            count,
            event_count,
            last: (Arc::clone(&last.event), Arc::clone(&last.rule)),
            contributions: contributions.into(),
            fed: self.fed(range, key, correlation),
        }
    }

    /// Contributing events, oldest first, each once; of very many the first ones and the last.
    fn contributions(&mut self, range: Range<usize>) -> Vec<Contribution> {
        let mut out: Vec<Contribution> = Vec::new();
        let mut add = |contribution: Contribution| {
            if !out.iter().rev().any(|known| known.event_id == contribution.event_id) {
                if out.len() >= CONTRIBUTIONS_MAX {
                    out.pop();
                }
                out.push(contribution);
            }
        };
        let mut show = |entry: &mut Entry| match &entry.evidence {
            Some(evidence) => evidence.iter().cloned().for_each(&mut add),
            None => add(entry.shown()),
        };
        let matching = |entry: &&mut Entry| entry.bits != 0;
        let first = self.entries.range_mut(range.clone()).filter(matching);
        first.take(CONTRIBUTIONS_MAX - 1).for_each(&mut show);
        let last = self.entries.range_mut(range).rev().find(matching);
        last.into_iter().for_each(&mut show);
        out.sort_by_key(|contribution| (contribution.time, contribution.event_id));
        out
    }

    /// What a hit over `range` puts into outer correlations. Newest first: its values stand for a
    /// group where several events have it.
    fn fed(&self, range: Range<usize>, key: &Key, correlation: &Correlation) -> Vec<Fed> {
        let mut out: Vec<Fed> = Vec::new();
        for (place, feed) in correlation.feeds.iter().enumerate() {
            let own = |from: &From| matches!(from, From::Group(_));
            // When all of it is of the group itself, the newest entry says all.
            let alike = feed.group.iter().all(own) && feed.values.iter().all(own);
            let matching = self.entries.range(range.clone()).rev().filter(|one| one.bits != 0);
            for entry in matching.take(if alike { 1 } else { usize::MAX }) {
                let from = |from: &From| match from {
                    From::Group(at) => key.get(*at).cloned(),
                    From::Carry(at) => entry.carry.get(*at).cloned().flatten(),
                };
                let group: Option<Vec<Box<str>>> = feed.group.iter().map(from).collect();
                let Some(group) = group else { continue };
                let group: Key = group.into();
                let values: Option<Vec<Box<str>>> = feed.values.iter().map(from).collect();
                let known = |fed: &Fed| fed.feed == place && fed.group == group;
                if out.iter().any(known) || (values.is_none() && !feed.reset) {
                    continue;
                }
                let value = values.unwrap_or_default().into();
                let carry = feed.carry.iter().map(from).collect();
                out.push(Fed { feed: place, group, value, carry });
            }
        }
        out
    }
}
