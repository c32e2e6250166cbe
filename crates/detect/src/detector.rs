//! [`Detector`]: events in by event time, findings out. Matches each event against the rules and
//! hands what matched to the correlations.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use tocsin_model::{Event, EventId, Finding, Timestamp};

use crate::compile::Compiled;
use crate::correlate::{Correlator, Piece};
use crate::cost::Clock;
use crate::matcher::Matcher;
use crate::options::Options;
use crate::spans::spans;
use crate::{Error, RuleSet};

/// What a [`Detector`] counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Events processed.
    pub events: u64,
    /// Findings given out.
    pub findings: u64,
    /// Groups of correlations held now.
    pub groups: u64,
    /// Bytes of correlation state held now, counted roughly.
    pub state_bytes: u64,
    /// Groups given up because of `groups_max` or `state_bytes_max`.
    pub groups_evicted: u64,
    /// Matched events given up because of `entries_per_group_max`.
    pub entries_evicted: u64,
    /// Matched events that came later than the lateness bound: they are correlated with what is
    /// still known, but what was decided before them stays.
    pub late: u64,
}

/// Matches events against rules and keeps the windows of correlations; one per pipeline.
#[derive(Debug)]
pub struct Detector {
    matcher: Matcher,
    correlator: Correlator,
    matched: Vec<u32>,
    events: u64,
    findings: u64,
}

/// Finds which rules match events, for one thread of several whose events one [`Detector`]
/// correlates.
#[derive(Debug)]
pub struct Matches {
    matcher: Matcher,
}

impl Matches {
    /// Ready to find matches of these rules.
    pub fn new(rules: &RuleSet) -> Self {
        Self { matcher: Matcher::new(Arc::clone(&rules.compiled)) }
    }

    /// Appends the numbers of the rules that match, for [`Detector::process_matched`].
    pub fn find(&mut self, event: &Event, out: &mut Vec<u32>) {
        self.matcher.run(event, out);
    }
}

impl Detector {
    /// A detector with empty windows.
    pub fn new(rules: Arc<RuleSet>, options: &Options) -> Self {
        let compiled = Arc::clone(&rules.compiled);
        Self {
            matcher: Matcher::new(Arc::clone(&compiled)),
            correlator: Correlator::new(compiled, options),
            matched: Vec::new(),
            events: 0,
            findings: 0,
        }
    }

    /// Measures from now on what rules cost ([`RuleSet::costs`]).
    pub fn measure(&mut self, clock: Clock) {
        self.matcher.measure(Some(clock));
    }

    /// Matches one event; findings are appended to `out`.
    pub fn process(&mut self, event: &Event, out: &mut Vec<Finding>) {
        self.match_and_correlate(event, None, out);
    }

    /// Like [`Detector::process`] for an event that is kept elsewhere, too: windows share it.
    pub fn process_shared(&mut self, event: &Arc<Event>, out: &mut Vec<Finding>) {
        self.match_and_correlate(event, Some(event), out);
    }

    fn match_and_correlate(
        &mut self,
        event: &Event,
        shared: Option<&Arc<Event>>,
        out: &mut Vec<Finding>,
    ) {
        let started = self.matcher.begin();
        let mut matched = std::mem::take(&mut self.matched);
        matched.clear();
        self.matcher.run(event, &mut matched);
        self.correlate(event, shared, &matched, out);
        self.matched = matched;
        self.matcher.end(started);
    }

    /// Like [`Detector::process`] for an event that [`Matches`] of the same rules found `matched`
    /// for.
    pub fn process_matched(&mut self, event: &Event, matched: &[u32], out: &mut Vec<Finding>) {
        if !matched.is_empty() {
            self.matcher.open(event);
        }
        self.correlate(event, None, matched, out);
    }

    fn correlate(
        &mut self,
        event: &Event,
        shared: Option<&Arc<Event>>,
        matched: &[u32],
        out: &mut Vec<Finding>,
    ) {
        let first = out.len();
        self.events += 1;
        let rules = Arc::clone(self.matcher.rules());
        self.correlator.open(event, &mut self.matcher, out);
        if let (Some(shared), false) = (shared, matched.is_empty()) {
            self.correlator.share(shared);
        }
        for number in matched {
            let Some(rule) = rules.rules.get(*number as usize) else { continue };
            if rule.emits || self.matcher.all_emit {
                out.push(self.finding(&rules, *number, event));
            }
            if !rule.feeds.is_empty() {
                self.add(&rules, *number, event);
            }
        }
        self.correlator.close(event, &mut self.matcher, out);
        self.findings += (out.len() - first) as u64;
    }

    /// Counts a match in the correlations that it feeds.
    fn add(&mut self, rules: &Compiled, number: u32, event: &Event) {
        let started = self.matcher.timing().map(|clock| (clock, clock()));
        self.correlator.add(number, event, &self.matcher);
        let Some((clock, started)) = started else { return };
        let feeds = &rules.rules[number as usize].feeds;
        let each = clock().saturating_sub(started) / feeds.len().max(1) as u64;
        for feed in feeds {
            rules.meter.add(rules.rules.len() + feed.correlation, each);
        }
    }

    /// Lets every rule alert, also those that only feed correlations.
    pub(crate) fn emit_all(&mut self) {
        self.matcher.all_emit = true;
    }

    fn finding(&mut self, rules: &Compiled, number: u32, event: &Event) -> Finding {
        Finding {
            rule: Arc::clone(&rules.rules[number as usize].meta),
            time: event.time,
            group: Vec::new(),
            event: event.clone(),
            contributions: Vec::new(),
            count: 1.0,
            event_count: 1,
            window: None,
            matches: spans(&mut self.matcher, number, event),
        }
    }

    /// Says that event time has come to `now` though no event says so: events up to the lateness
    /// bound before `now` may still come, windows that end before that are decided.
    pub fn advance(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        let first = out.len();
        self.correlator.advance(now, &mut self.matcher, out);
        self.findings += (out.len() - first) as u64;
    }

    /// Says that no more events come: all windows are decided.
    pub fn finish(&mut self, out: &mut Vec<Finding>) {
        let first = out.len();
        self.correlator.finish(&mut self.matcher, out);
        self.findings += (out.len() - first) as u64;
    }

    /// The state of all windows with their events, as text.
    pub fn snapshot(&self) -> Vec<u8> {
        self.correlator.snapshot()
    }

    /// The same in few bytes, with the ids of events in place of the events, for who can find them
    /// again; after the first one mostly what changed since the one before. `beside` are bytes that
    /// the caller saves with each piece: the more, the sooner there is a whole again.
    pub fn next_piece(&mut self, beside: usize) -> Piece {
        self.correlator.next_piece(beside)
    }

    /// Takes over the state that [`Detector::snapshot`] gave; windows of rules that have changed
    /// or are gone are dropped.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.restore_pieces(&[bytes], &mut |_, _| Vec::new())
    }

    /// Takes over the state that [`Detector::next_piece`] gave: a whole and all that followed it,
    /// oldest first. `find` gives events by their ids; all of them were received at the time beside
    /// them or later. An event that is not found counts, and is shown by its id and times alone.
    pub fn restore_pieces(
        &mut self,
        pieces: &[&[u8]],
        find: &mut dyn FnMut(&HashSet<EventId>, Timestamp) -> Vec<Event>,
    ) -> Result<(), Error> {
        self.correlator.restore(pieces, find).map_err(Error::Snapshot)
    }

    /// Takes new rules; windows of unchanged rules stay.
    pub fn replace_rules(&mut self, rules: Arc<RuleSet>) {
        let compiled = Arc::clone(&rules.compiled);
        let clock = self.matcher.clock();
        self.matcher = Matcher::new(Arc::clone(&compiled));
        self.matcher.measure(clock);
        self.correlator.replace_rules(compiled);
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        Counters { events: self.events, findings: self.findings, ..self.correlator.counters() }
    }
}
