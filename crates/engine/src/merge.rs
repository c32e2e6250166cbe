//! Brings events of several streams into one order.
//!
//! In: events, each of a lane (a stream such as one file). Out: the same events. While a lane is
//! *behind* (it reads what was written before now), its events and everybody's newer ones wait
//! for each other, so that detection sees history in the order in which it happened; once no
//! lane is behind, events pass straight through in arrival order. Never drops an event.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use tocsin_collect::Checkpoint;
use tocsin_model::{Event, Position, Timestamp};

/// An event with what travels beside it.
#[derive(Debug, Clone, Default)]
pub struct Merged {
    /// The event.
    pub event: Event,
    /// Rules that match it, by [`tocsin_detect::Matches`]; empty where nobody looked yet.
    pub matched: Vec<u32>,
    /// Whether it was written before Tocsin first watched.
    pub historical: bool,
    /// Positions that count as done once this event is.
    pub after: Vec<Checkpoint>,
    /// The lane it came by.
    pub lane: u64,
    /// Where its record is.
    pub position: Option<Position>,
    /// Whether it is the last of the batch it came in: then nothing of the batch is under way.
    pub last: bool,
}

/// Bytes of raw lines that may wait; at more, nobody waits for anybody.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What an event is in memory beside its raw line, bytes, roughly.
const EVENT_BYTES: usize = 1024;

#[derive(Debug)]
struct Lane {
    behind: bool,
    /// When it last brought something.
    brought: Instant,
    waiting: VecDeque<Merged>,
}

impl Default for Lane {
    fn default() -> Self {
        Self { behind: false, brought: Instant::now(), waiting: VecDeque::new() }
    }
}

/// The lanes and what waits in them.
#[derive(Debug, Default)]
pub struct Merger {
    lanes: BTreeMap<u64, Lane>,
    waiting: usize,
    waiting_bytes: usize,
    patience: Option<Duration>,
}

impl Merger {
    /// A merger in which a lane that is behind but brings nothing holds others for `patience` at
    /// most. ([`Merger::default`] waits for ever.)
    pub fn patient(patience: Duration) -> Self {
        Self { patience: Some(patience), ..Self::default() }
    }

    /// Says whether a lane is behind. A lane that was never named is not.
    pub fn set_behind(&mut self, lane: u64, behind: bool) {
        let lane = self.lanes.entry(lane).or_default();
        lane.behind = behind;
        lane.brought = Instant::now();
    }

    /// Adds an event at the end of its lane.
    pub fn push(&mut self, lane: u64, merged: Merged) {
        self.waiting += 1;
        self.waiting_bytes += bytes(&merged);
        self.lanes.entry(lane).or_default().waiting.push_back(merged);
    }

    /// Positions without an event: they wait for the lane's last event. Gives them back when
    /// nothing of the lane is waiting, so that they count as done now.
    pub fn attach(&mut self, lane: u64, checkpoints: Vec<Checkpoint>) -> Vec<Checkpoint> {
        match self.lanes.get_mut(&lane).and_then(|lane| lane.waiting.back_mut()) {
            Some(last) => {
                last.after.extend(checkpoints);
                Vec::new()
            }
            None => checkpoints,
        }
    }

    /// Takes out every event that may go on now, in order.
    pub fn ready(&mut self, out: &mut Vec<Merged>) {
        while let Some(lane) = self.next_lane() {
            let Some(lane) = self.lanes.get_mut(&lane) else { return };
            let Some(merged) = lane.waiting.pop_front() else { return };
            self.waiting -= 1;
            self.waiting_bytes -= bytes(&merged);
            out.push(merged);
        }
        let empty = |lane: &Lane| !lane.behind && lane.waiting.is_empty();
        self.lanes.retain(|_, lane| !empty(lane));
    }

    /// Takes out everything, lanes that are behind or not: for a stop, or when a lane that is
    /// behind has gone quiet.
    pub fn flush(&mut self, out: &mut Vec<Merged>) {
        for lane in self.lanes.values_mut() {
            lane.behind = false;
        }
        self.ready(out);
    }

    /// How many events wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many events wait, by lane.
    pub fn waiting_by_lane(&self) -> impl Iterator<Item = (u64, usize)> {
        self.lanes.iter().map(|(id, lane)| (*id, lane.waiting.len()))
    }

    /// How many events of one lane wait.
    pub fn waiting_in(&self, lane: u64) -> usize {
        self.lanes.get(&lane).map_or(0, |lane| lane.waiting.len())
    }

    /// Whether any lane is behind.
    pub fn any_behind(&self) -> bool {
        self.lanes.values().any(|lane| lane.behind)
    }

    /// The lane whose first event is the oldest; `None` when there is none or when a lane that
    /// is behind might still bring an older one.
    fn next_lane(&self) -> Option<u64> {
        let full = self.waiting_bytes > WAITING_BYTES_MAX;
        let mut oldest: Option<(Timestamp, u64)> = None;
        for (id, lane) in &self.lanes {
            match lane.waiting.front() {
                Some(merged) if oldest.is_none_or(|(time, _)| merged.event.time < time) => {
                    oldest = Some((merged.event.time, *id));
                }
                Some(_) => {}
                None if lane.behind && !full && !self.is_silent(lane) => return None,
                None => {}
            }
        }
        oldest.map(|(_, id)| id)
    }

    /// Counts silence from now on: after a pause that was not the lanes' doing.
    pub fn start_again(&mut self) {
        self.lanes.values_mut().for_each(|lane| lane.brought = Instant::now());
    }

    /// Whether a lane has brought nothing for so long that others go on without it.
    fn is_silent(&self, lane: &Lane) -> bool {
        self.patience.is_some_and(|patience| lane.brought.elapsed() >= patience)
    }
}

fn bytes(merged: &Merged) -> usize {
    merged.event.original().len() + EVENT_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Merged {
        let mut event = Event::default();
        event.time = Timestamp(second);
        Merged { event, historical: true, ..Merged::default() }
    }

    fn times(merger: &mut Merger) -> Vec<i64> {
        let mut out = Vec::new();
        merger.ready(&mut out);
        out.iter().map(|merged| merged.event.time.0).collect()
    }

    #[test]
    fn lanes_that_are_behind_are_merged_by_time() {
        let mut merger = Merger::default();
        merger.set_behind(1, true);
        merger.set_behind(2, true);
        [5, 6, 9].into_iter().for_each(|second| merger.push(1, at(second)));
        assert_eq!(times(&mut merger), Vec::<i64>::new());
        assert!(merger.any_behind());
        [1, 7].into_iter().for_each(|second| merger.push(2, at(second)));
        assert_eq!(times(&mut merger), [1, 5, 6, 7]);
        merger.set_behind(2, false);
        assert_eq!(times(&mut merger), [9]);
        merger.set_behind(1, false);
        assert_eq!(merger.waiting(), 0);
    }

    #[test]
    fn live_events_wait_for_history_and_then_pass() {
        let mut merger = Merger::default();
        merger.set_behind(1, true);
        merger.push(2, at(100));
        assert_eq!(times(&mut merger), Vec::<i64>::new());
        merger.push(1, at(50));
        assert_eq!(times(&mut merger), [50]);
        merger.set_behind(1, false);
        assert_eq!(times(&mut merger), [100]);
        merger.push(2, at(90));
        assert_eq!(times(&mut merger), [90]);
    }

    #[test]
    fn a_lane_that_falls_silent_holds_nobody_for_ever() {
        let mut merger = Merger::patient(Duration::ZERO);
        merger.set_behind(1, true);
        merger.push(2, at(3));
        assert_eq!(times(&mut merger), [3]);
        merger.push(1, at(2));
        assert_eq!(times(&mut merger), [2]);
        let mut merger = Merger::patient(Duration::from_secs(3600));
        merger.set_behind(1, true);
        merger.push(2, at(3));
        assert_eq!(times(&mut merger), Vec::<i64>::new());
        merger.lanes.values_mut().for_each(|lane| lane.brought -= Duration::from_secs(3600));
        assert_eq!(times(&mut merger), [3]);
        merger.set_behind(1, true);
        merger.lanes.values_mut().for_each(|lane| lane.brought -= Duration::from_secs(3600));
        merger.start_again();
        merger.push(2, at(4));
        assert_eq!(times(&mut merger), Vec::<i64>::new());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut merger = Merger::default();
        merger.set_behind(1, true);
        let line = "x".repeat(1024 * 1024);
        for second in 0..100 {
            let mut merged = at(second);
            merged.event.set_original(&line);
            merger.push(2, merged);
        }
        let passed = times(&mut merger);
        assert!((30..50).contains(&passed.len()), "{passed:?}");
        assert!(merger.waiting_bytes <= WAITING_BYTES_MAX);
    }

    #[test]
    fn flush_gives_all() {
        let mut merger = Merger::default();
        merger.set_behind(1, true);
        merger.push(2, at(3));
        let mut out = Vec::new();
        merger.flush(&mut out);
        assert_eq!(out.len(), 1);
    }
}
