//! Correlations: matches of rules in, hits and findings out, by event time.
//!
//! Matches go into groups; a group keeps its entries in the order of time, so that the order of
//! arrival changes nothing within the lateness bound. When a correlation decides is its
//! [`Mode`]: at once where more events can only make it truer, in the order of time where a value
//! can fall again, at the end of the window where it asks for an upper bound or an absence.

mod compact;
mod entry;
mod group;
mod measure;
mod pieces;
mod saved;

use std::collections::VecDeque;
use std::sync::Arc;

use ahash::{HashMap, HashMapExt};
use tocsin_model::{Event, Finding, Timestamp};

use crate::compile::Compiled;
use crate::compile::link::{Correlation, Mode};
use crate::detector::Counters;
use crate::matcher::Matcher;
use crate::options::{Limits, Options};
use crate::rule::correlation::CorrelationKind;
use crate::spans::spans;
use entry::{Entry, Key};
use group::{Group, Hit};
pub use pieces::Piece;
use pieces::Pieces;
pub(crate) use saved::Find;

/// Matches between two looks for groups that nothing can come of any more.
const SWEEP_EVERY: u64 = 8192;

/// The part of the limit that is left when windows had to go, so that the next ones do not have
/// to go with the next event.
const ROOM: (usize, usize) = (7, 8);

/// By how much time may run ahead of the clock before the clock is taken to have been set back.
const CLOCK_STEP: i64 = 3600 * 1_000_000_000;

/// The groups of a correlation, boxed: tables that grow move what they hold.
type Groups = HashMap<Key, Box<Group>>;

/// Keeps the windows of correlations.
#[derive(Debug)]
pub(crate) struct Correlator {
    rules: Arc<Compiled>,
    limits: Limits,
    lateness: i64,
    /// Groups of each correlation.
    groups: Vec<Groups>,
    /// Newest event time seen; everything up to `lateness` before it is complete.
    newest: i64,
    /// When the event at hand was received; 0 where that is not known.
    arrived: i64,
    bytes: usize,
    /// The event at hand, shared by its entries.
    current: Option<Arc<Event>>,
    /// Correlation, group and entry that wait to be put in.
    queue: VecDeque<Waiting>,
    since_sweep: u64,
    groups_evicted: u64,
    entries_evicted: u64,
    late: u64,
    pieces: Pieces,
}

#[derive(Debug)]
struct Waiting {
    correlation: usize,
    group: Key,
    entry: Entry,
}

impl Correlator {
    pub(crate) fn new(rules: Arc<Compiled>, options: &Options) -> Self {
        let groups = rules.correlations.iter().map(|_| HashMap::new()).collect();
        Self {
            rules,
            limits: options.limits.clone(),
            lateness: i64::try_from(options.lateness.as_nanos()).unwrap_or(i64::MAX),
            groups,
            newest: i64::MIN,
            arrived: 0,
            bytes: 0,
            current: None,
            queue: VecDeque::new(),
            since_sweep: 0,
            groups_evicted: 0,
            entries_evicted: 0,
            late: 0,
            pieces: Pieces::default(),
        }
    }

    /// An event begins: time moves on to it.
    pub(crate) fn open(&mut self, event: &Event, matcher: &mut Matcher, out: &mut Vec<Finding>) {
        if self.groups.is_empty() {
            return;
        }
        self.current = None;
        self.arrived = event.received.0;
        // A sender whose clock is ahead must not make everybody else late.
        let time = if self.arrived > 0 { event.time.0.min(self.arrived) } else { event.time.0 };
        if self.arrived > 0 && self.newest.saturating_sub(self.arrived) > CLOCK_STEP {
            // Our own clock was ahead and was set back.
            self.newest = time;
        }
        if time > self.newest {
            self.newest = time;
            self.decide(self.complete(), matcher, out);
        }
    }

    /// Windows take the event at hand from here instead of copying it.
    pub(crate) fn share(&mut self, event: &Arc<Event>) {
        self.current = Some(Arc::clone(event));
    }

    /// A rule matched the event at hand.
    pub(crate) fn add(&mut self, number: u32, event: &Event, matcher: &Matcher) {
        if event.time.0 < self.newest.saturating_sub(self.lateness) {
            self.late += 1;
        }
        let rules = Arc::clone(&self.rules);
        let rule = &rules.rules[number as usize];
        for feed in &rule.feeds {
            let Some(group) = texts(&feed.group, event, matcher) else { continue };
            let values = texts(&feed.values, event, matcher);
            if values.is_none() && !feed.reset {
                continue;
            }
            let shared = self.current.get_or_insert_with(|| Arc::new(event.clone()));
            let value = values.unwrap_or_default();
            if rules.correlations[feed.correlation].kind != CorrelationKind::TemporalOrdered {
                // One event counts once, however many of the rules it matches.
                let same = |known: &&mut Waiting| {
                    known.correlation == feed.correlation
                        && known.group == group
                        && known.entry.value == value
                };
                if let Some(known) = self.queue.iter_mut().find(same) {
                    known.entry.bits |= feed.bits;
                    known.entry.reset |= feed.reset;
                    continue;
                }
            }
            let entry = Entry {
                time: event.time.0,
                bits: feed.bits,
                reset: feed.reset,
                value,
                carry: optional_texts(&feed.carry, event, matcher),
                event: Arc::clone(shared),
                rule: Arc::clone(&rule.meta),
                evidence: None,
                shown: None,
                fired: false,
            };
            self.queue.push_back(Waiting { correlation: feed.correlation, group, entry });
        }
    }

    /// The event at hand is over: what it put in is decided.
    pub(crate) fn close(&mut self, event: &Event, matcher: &mut Matcher, out: &mut Vec<Finding>) {
        if self.queue.is_empty() {
            return;
        }
        self.drain(Some(event), matcher, out);
        self.since_sweep += 1;
        let groups: usize = self.groups.iter().map(HashMap::len).sum();
        // Some matches for each group pay for one look at all of them.
        if self.since_sweep >= SWEEP_EVERY.max(3 * groups as u64)
            || self.bytes > self.limits.state_bytes_max
        {
            self.sweep();
        }
    }

    /// The clock says that time has come to `now`.
    pub(crate) fn advance(
        &mut self,
        now: Timestamp,
        matcher: &mut Matcher,
        out: &mut Vec<Finding>,
    ) {
        if self.groups.is_empty() || now.0 <= self.newest {
            return;
        }
        self.newest = now.0;
        self.decide(self.complete(), matcher, out);
        self.sweep();
    }

    /// No more events come.
    pub(crate) fn finish(&mut self, matcher: &mut Matcher, out: &mut Vec<Finding>) {
        self.decide(i64::MAX, matcher, out);
    }

    /// Time up to which no event is expected any more.
    fn complete(&self) -> i64 {
        self.newest.saturating_sub(self.lateness)
    }

    /// Decides what waits for time to be complete up to `time`, inner correlations first.
    fn decide(&mut self, time: i64, matcher: &mut Matcher, out: &mut Vec<Finding>) {
        let rules = Arc::clone(&self.rules);
        for (place, correlation) in rules.correlations.iter().enumerate() {
            if correlation.mode == Mode::Eager {
                continue;
            }
            let mut hits = Vec::new();
            for (key, group) in &mut self.groups[place] {
                group.decide(correlation, time, key, &mut hits);
            }
            // Groups are kept in no order; hits come in that of time.
            hits.sort_by(|left, right| (left.time, &left.group).cmp(&(right.time, &right.group)));
            for hit in hits {
                self.hit(place, correlation, hit, None, matcher, out);
            }
            self.drain(None, matcher, out);
        }
    }

    /// Puts in what waits, and what comes of it.
    fn drain(&mut self, event: Option<&Event>, matcher: &mut Matcher, out: &mut Vec<Finding>) {
        let rules = Arc::clone(&self.rules);
        while let Some(Waiting { correlation: place, group, entry }) = self.queue.pop_front() {
            let correlation = &rules.correlations[place];
            self.bytes += entry.bytes();
            let groups = &mut self.groups[place];
            if !groups.contains_key(&group) {
                groups.insert(group.clone(), Box::default());
            }
            let Some(state) = groups.get_mut(&group) else { continue };
            state.touched = self.arrived;
            state.changed = true;
            let mut at = state.insert(entry);
            if state.entries.len() > self.limits.entries_per_group_max {
                self.bytes = self.bytes.saturating_sub(state.drop_oldest(correlation.kind));
                self.entries_evicted += 1;
                at = at.saturating_sub(1);
            }
            if correlation.mode == Mode::Eager {
                let mut hits = Vec::new();
                state.eager(correlation, at, &group, &mut hits);
                for hit in hits {
                    self.hit(place, correlation, hit, event, matcher, out);
                }
            }
            // With many groups of one correlation, the least recently used ones go.
            if self.groups[place].len() > self.limits.groups_max {
                self.evict(place);
            }
        }
    }

    /// A correlation's condition held: it alerts, or feeds others, or both.
    fn hit(
        &mut self,
        place: usize,
        correlation: &Correlation,
        hit: Hit,
        event: Option<&Event>,
        matcher: &mut Matcher,
        out: &mut Vec<Finding>,
    ) {
        for fed in &hit.fed {
            let feed = &correlation.feeds[fed.feed];
            let entry = Entry {
                time: hit.time,
                bits: feed.bits,
                reset: feed.reset,
                value: fed.value.clone(),
                carry: fed.carry.clone(),
                event: Arc::clone(&hit.last.0),
                rule: Arc::clone(&correlation.meta),
                evidence: Some(Arc::clone(&hit.contributions)),
                shown: None,
                fired: false,
            };
            let group = fed.group.clone();
            self.queue.push_back(Waiting { correlation: feed.correlation, group, entry });
        }
        let silent = !correlation.emits && !matcher.all_emit;
        if silent {
            return;
        }
        out.push(finding(&self.rules, place, hit, event, matcher));
    }

    /// Forgets entries and groups that no window can hold any more, then the oldest groups while
    /// there is too much.
    fn sweep(&mut self) {
        self.since_sweep = 0;
        self.forget(true);
        if self.bytes <= self.limits.state_bytes_max {
            return;
        }
        self.forget(false);
        let enough = self.limits.state_bytes_max / ROOM.1 * ROOM.0;
        while self.bytes > enough {
            let largest = (0..self.groups.len()).max_by_key(|place| self.groups[*place].len());
            match largest {
                Some(place) if !self.groups[place].is_empty() => self.evict(place),
                _ => break,
            }
        }
    }

    /// Forgets what is over by event time. With `patient`, groups that something came for a short
    /// while ago only lose what is over by their own time: their source may be hours behind the
    /// others and go on.
    fn forget(&mut self, patient: bool) {
        let complete = self.complete();
        let rules = Arc::clone(&self.rules);
        self.bytes = 0;
        let saved = self.pieces.are_saved();
        let all = self.groups.iter_mut().zip(&rules.correlations);
        for (place, (groups, correlation)) in all.enumerate() {
            let span = correlation.timespan.saturating_add(self.lateness);
            let active = self.arrived.saturating_sub(span);
            groups.retain(|key, group| {
                let behind = group.last().saturating_sub(self.lateness);
                let going_on = patient && self.arrived > 0 && group.touched >= active;
                let over = if going_on { complete.min(behind) } else { complete };
                group.forget(over.saturating_sub(correlation.timespan), correlation.kind);
                let keep = !group.entries.is_empty();
                if keep {
                    self.bytes += group.bytes();
                } else if saved {
                    self.pieces.gone(place, key);
                }
                keep
            });
        }
    }

    /// Gives up the tenth of a correlation's groups that was used longest ago.
    fn evict(&mut self, place: usize) {
        let groups = &mut self.groups[place];
        let mut used: Vec<i64> = groups.values().map(|group| group.last()).collect();
        let tenth = (used.len() / 10).min(used.len().saturating_sub(1));
        let (_, limit, _) = used.select_nth_unstable(tenth);
        let limit = *limit;
        let mut freed = 0;
        let before = groups.len();
        let saved = self.pieces.are_saved();
        groups.retain(|key, group| {
            let keep = group.last() > limit;
            if !keep {
                freed += group.bytes();
                if saved {
                    self.pieces.gone(place, key);
                }
            }
            keep
        });
        self.groups_evicted += (before - groups.len()) as u64;
        self.bytes = self.bytes.saturating_sub(freed);
    }

    pub(crate) fn snapshot(&self) -> Vec<u8> {
        saved::save(self)
    }

    pub(crate) fn next_piece(&mut self, beside: usize) -> Piece {
        pieces::next(self, beside)
    }

    /// From one snapshot, or from a whole and the pieces that follow it.
    pub(crate) fn restore(&mut self, pieces: &[&[u8]], find: &mut Find<'_>) -> Result<(), String> {
        self.pieces.start_again();
        saved::restore(self, pieces, find)
    }

    /// Takes new rules; correlations that are the same keep their windows.
    pub(crate) fn replace_rules(&mut self, rules: Arc<Compiled>) {
        let old = std::mem::replace(&mut self.rules, rules);
        let mut kept: HashMap<(String, u64), Groups> = HashMap::new();
        for (correlation, groups) in old.correlations.iter().zip(self.groups.drain(..)) {
            kept.insert(identity(correlation), groups);
        }
        let new = Arc::clone(&self.rules);
        self.groups = new
            .correlations
            .iter()
            .map(|correlation| kept.remove(&identity(correlation)).unwrap_or_default())
            .collect();
        self.pieces.start_again();
        self.sweep();
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters {
            groups: self.groups.iter().map(|groups| groups.len() as u64).sum(),
            state_bytes: self.bytes as u64,
            groups_evicted: self.groups_evicted,
            entries_evicted: self.entries_evicted,
            late: self.late,
            ..Counters::default()
        }
    }
}

/// What makes two versions of a correlation the same one: its id, how it matches, and what its
/// entries carry for others.
fn identity(correlation: &Correlation) -> (String, u64) {
    let mut fingerprint = crate::compile::link::Fingerprint::new();
    fingerprint.add(&(correlation.fingerprint, &correlation.carry));
    (correlation.meta.id.clone(), fingerprint.value())
}

/// The texts of slots; `None` when one has none.
fn texts(slots: &[u32], event: &Event, matcher: &Matcher) -> Option<Key> {
    // Most have a place or two, and a list that grows takes more room first.
    let mut texts = Vec::with_capacity(slots.len());
    for slot in slots {
        texts.push(text(*slot, event, matcher)?);
    }
    Some(texts.into())
}

fn optional_texts(slots: &[u32], event: &Event, matcher: &Matcher) -> Box<[Option<Box<str>>]> {
    slots.iter().map(|slot| text(*slot, event, matcher)).collect()
}

/// The first text of a slot's best name, as written.
fn text(slot: u32, event: &Event, matcher: &Matcher) -> Option<Box<str>> {
    let text = matcher.view.value(matcher.view.first(slot)?, event).to_text()?;
    Some(text.into())
}

fn finding(
    rules: &Compiled,
    place: usize,
    hit: Hit,
    event: Option<&Event>,
    matcher: &mut Matcher,
) -> Finding {
    let correlation = &rules.correlations[place];
    let (completing, rule) = &hit.last;
    // Spans can be shown while the event is the one that the matcher has open.
    let open = event.is_some_and(|event| event.id == completing.id);
    let rule = rules.rules.iter().position(|known| Arc::ptr_eq(&known.meta, rule));
    let matches = match rule {
        Some(rule) if open => spans(matcher, rule as u32, completing),
        _ => Vec::new(),
    };
    let names = correlation.group_by.iter().cloned();
    Finding {
        rule: Arc::clone(&correlation.meta),
        time: Timestamp(hit.time),
        group: names.zip(hit.group.iter().map(|text| text.to_string())).collect(),
        event: (**completing).clone(),
        contributions: hit.contributions.to_vec(),
        count: hit.count,
        event_count: hit.event_count,
        window: Some((Timestamp(hit.from), Timestamp(hit.time))),
        matches,
    }
}
