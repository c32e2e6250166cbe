//! The way of a record, live: collect → parse → merge → enrich → detect → alert → (notify, store).
//!
//! In: batches from the inputs. Out: alerts and notices in the catalog, events in the store,
//! committed in epochs by [`Committer`]. One thread; never touches the network. When the store or
//! the catalog refuses, it waits and tries again, and the inputs wait with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tocsin_alert::{Alerts, Outcome};
use tocsin_catalog::Catalog;
use tocsin_collect::{Batch, Checkpoints, Journal, Stats};
use tocsin_detect::{Detector, RuleSet};
use tocsin_enrich::Enricher;
use tocsin_model::{AlertId, Event, EventId, Finding, NoticeKind, Timestamp, field};
use tocsin_notify::Notifier;
use tocsin_parse::Worker;
use tocsin_store::EventStore;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::commit::{Committer, End, Keeper, until_done};
use crate::epoch::{Payload, State, StateDir};
use crate::exceptions::ExceptionBook;
use crate::handle::{Ledger, Live, Progress, now};
use crate::memory::{Gatherer, MemoryLog};
use crate::merge::{Merged, Merger};
use crate::rate::Rate;
use crate::room::{self, Room};
use crate::under_way::UnderWay;
use crate::watch::Watch;

/// Events after which an epoch is committed though its time is not over.
const EPOCH_EVENTS_MAX: usize = 30_000;
/// Bytes of raw lines after which it is, too: the epoch is in memory until the commit, and beside
/// it the next one.
const EPOCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Text of an event after which the next one is parsed into new buffers.
const SCRATCH_BYTES_MAX: usize = 256 * 1024;
/// Events that are given to the store together ahead of the commit.
const APPEND_EVENTS_MIN: usize = 500;
/// How many times as long as a commit took the next epoch lasts at least.
const COMMIT_REST: u32 = 8;
/// The longest epoch that this makes.
const COMMIT_EVERY_MAX: Duration = Duration::from_secs(15);
/// How long everybody waits for a lane that is behind but brings nothing.
const BEHIND_WAIT_MAX: Duration = Duration::from_secs(3);
/// What happened longer than this before Tocsin first watched is history.
const NEWS_SPAN: Duration = Duration::from_secs(86_400);
/// How often changes of alerts that raise nothing new are saved and shown.
const ALERT_SAVE_EVERY: Duration = Duration::from_millis(500);
/// Quiet time after which the clock moves event time on.
const QUIET: Duration = Duration::from_millis(1000);

/// What the pipeline is made of.
pub struct Parts {
    pub worker: Worker,
    pub enricher: Enricher,
    pub(crate) memory: Option<MemoryLog>,
    pub(crate) gatherer: Gatherer,
    pub detector: Detector,
    pub alerts: Alerts,
    pub exceptions: Arc<ExceptionBook>,
    pub watch: Watch,
    pub catalog: Arc<Catalog>,
    pub store: Arc<dyn EventStore>,
    pub journal: Arc<Journal>,
    pub notifier: Arc<Notifier>,
    pub states: StateDir,
    pub progress: Arc<Progress>,
    pub inputs: Arc<Stats>,
    pub live: broadcast::Sender<Live>,
    pub payload: Payload,
    pub commit_every: Duration,
    pub longest_cooldown: Duration,
    /// When Tocsin first watched this machine.
    pub watching_since: Timestamp,
    /// Cancelled when the drain takes too long; whatever is not committed is read again.
    pub abandon: CancellationToken,
}

/// New content for the pipeline.
pub struct Control {
    pub rules: Arc<RuleSet>,
    pub worker: Worker,
    pub longest_cooldown: Duration,
}

/// The running pipeline.
pub struct Pipeline {
    parts: Parts,
    merger: Merger,
    ready: Vec<Merged>,
    findings: Vec<Finding>,
    committer: Committer,
    /// Where records are parsed into: its buffers have grown.
    scratch: Event,
    room: Room,
    /// Events of this epoch that the committer does not have yet; open windows share them.
    events: Vec<Arc<Event>>,
    epoch_events: usize,
    epoch_bytes: usize,
    checkpoints: Checkpoints,
    stored_by_input: BTreeMap<String, Ledger>,
    under_way: UnderWay,
    dirty: bool,
    raised: Vec<(AlertId, NoticeKind)>,
    last_save: Instant,
    last_commit: Instant,
    commit_every: Duration,
    last_batch: Instant,
    rate: Rate,
}

impl Pipeline {
    /// Ready to run.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn new(mut parts: Parts) -> std::io::Result<Self> {
        let now = Instant::now();
        let checkpoints = parts.payload.checkpoints.clone();
        let stored_by_input = parts.payload.ledgers.clone();
        let under_way = UnderWay::restored(parts.payload.done.clone());
        parts.progress.set_ledgers(&stored_by_input);
        let commit_every = parts.commit_every;
        let committer = Committer::start(Keeper {
            store: parts.store.clone(),
            catalog: parts.catalog.clone(),
            states: parts.states.clone(),
            memory: parts.memory.take(),
            journal: parts.journal.clone(),
            progress: parts.progress.clone(),
            abandon: parts.abandon.clone(),
        })?;
        let stored = stored_by_input.values().map(|ledger| ledger.stored).sum();
        parts.progress.stored.store(stored, Ordering::Relaxed);
        Ok(Self {
            parts,
            merger: Merger::patient(BEHIND_WAIT_MAX),
            ready: Vec::new(),
            findings: Vec::new(),
            committer,
            scratch: Event::default(),
            room: Room::default(),
            events: Vec::new(),
            epoch_events: 0,
            epoch_bytes: 0,
            checkpoints,
            stored_by_input,
            under_way,
            dirty: false,
            raised: Vec::new(),
            last_save: now,
            last_commit: now,
            commit_every,
            last_batch: now,
            rate: Rate::new(now),
        })
    }

    /// Runs until every sender of `batches` is gone and everything is committed, or until the
    /// parts' `abandon` token is cancelled. Blocks its thread.
    pub fn run(
        mut self,
        runtime: &tokio::runtime::Handle,
        mut batches: mpsc::Receiver<Batch>,
        mut control: mpsc::Receiver<Control>,
    ) {
        loop {
            let wait = self.wait();
            match runtime.block_on(async { tokio::time::timeout(wait, batches.recv()).await }) {
                Ok(Some(batch)) => {
                    self.last_batch = Instant::now();
                    self.take(batch);
                    self.pass_on();
                }
                Ok(None) => break,
                Err(_elapsed) => self.quiet(),
            }
            while let Ok(new) = control.try_recv() {
                self.parts.watch.replace_rules(new.rules.clone());
                self.parts.detector.replace_rules(new.rules);
                let named = self.parts.worker.parser().columns();
                new.worker.parser().know_columns(&named);
                self.parts.worker = new.worker;
                self.parts.longest_cooldown = new.longest_cooldown;
            }
            if self.periodic().is_break() {
                return;
            }
        }
        self.merger.flush(&mut self.ready);
        self.detect();
        if self.commit().is_continue() {
            let _ = self.committer.wait();
        }
        self.parts.watch.save();
    }

    fn wait(&self) -> Duration {
        let commit = self.commit_every.saturating_sub(self.last_commit.elapsed());
        let save = ALERT_SAVE_EVERY.saturating_sub(self.last_save.elapsed());
        commit.min(save).max(Duration::from_millis(5))
    }

    /// Parses a batch into its lanes.
    fn take(&mut self, mut batch: Batch) {
        let stream = batch.records.first().map(|record| record.position.stream);
        let lane = batch.lane.or(stream);
        if let Some(lane) = lane {
            self.merger
                .set_behind(lane, batch.behind || (batch.lane.is_none() && batch.historical));
        }
        let mut checkpoints = std::mem::take(&mut batch.checkpoints);
        let records = self.under_way.new_records(std::mem::take(&mut batch.records));
        let last = records.len().checked_sub(1);
        let of_file = batch.lane.is_some();
        for (index, record) in records.iter().enumerate() {
            self.scratch.clear();
            self.parts.worker.parse(record, &mut self.scratch);
            let event = self.scratch.copy_with_room(self.room.fields, self.room.text_bytes);
            if event.text().len() > SCRATCH_BYTES_MAX {
                self.scratch = Event::default();
            }
            if event.has(field::TOCSIN_PARSE_ERROR) {
                self.parts.progress.unparsed.fetch_add(1, Ordering::Relaxed);
            }
            if !self.parts.worker.doubts().understood {
                let source = event.get_str(field::EVENT_DATASET).unwrap_or("unparsed");
                let line = event.original();
                self.parts.progress.not_understood(&record.input, source, line, record.received);
            }
            let last = Some(index) == last;
            let after = if last { std::mem::take(&mut checkpoints) } else { Vec::new() };
            let historical = batch.historical || (of_file && self.is_old(event.time));
            let position = Some(record.position);
            let lane = lane.unwrap_or_default();
            let matched = Vec::new();
            let next = Merged { event, matched, historical, after, lane, position, last };
            self.merger.push(lane, next);
            self.received(&record.input);
        }
        if last.is_none() {
            let rest = match lane {
                Some(lane) => self.merger.attach(lane, checkpoints),
                None => checkpoints,
            };
            self.dirty |= !rest.is_empty();
            self.checkpoints.extend(rest);
        }
        let entered = records.len() as u64;
        self.parts.progress.entered.fetch_add(entered, Ordering::Relaxed);
        self.rate.events += entered;
    }

    /// Whether something is no news, even where all of a file is asked for.
    fn is_old(&self, time: Timestamp) -> bool {
        time < self.parts.watching_since.minus(NEWS_SPAN)
    }

    fn received(&mut self, input: &str) {
        match self.stored_by_input.get_mut(input) {
            Some(ledger) => ledger.received += 1,
            None => {
                let ledger = Ledger { received: 1, stored: 0 };
                self.stored_by_input.insert(input.to_owned(), ledger);
            }
        }
    }

    fn pass_on(&mut self) {
        self.merger.ready(&mut self.ready);
        self.parts.inputs.pace.set(self.merger.waiting_by_lane());
        self.detect();
    }

    /// Nothing came for a while.
    fn quiet(&mut self) {
        let since = self.last_batch.elapsed();
        if self.merger.any_behind() {
            self.pass_on();
        }
        if since > QUIET && self.merger.waiting() == 0 {
            self.parts.detector.advance(now(), &mut self.findings);
            self.alert(None);
        }
    }

    fn detect(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        for Merged { mut event, historical, after, position, last, lane, .. } in ready.drain(..) {
            self.parts.progress.saw(event.time);
            let before = room::size(&event);
            self.parts.enricher.enrich(&mut event);
            self.room.added(before, room::size(&event));
            self.parts.watch.heard(&event, historical);
            let event = Arc::new(event);
            self.parts.detector.process_shared(&event, &mut self.findings);
            if !self.findings.is_empty() {
                self.alert(Some((event.id, historical)));
            }
            let lag = now().since(event.received).as_millis() as u64;
            self.parts.progress.lag_ms.store(lag, Ordering::Relaxed);
            self.dirty = true;
            self.epoch_bytes += event.original().len();
            self.epoch_events += 1;
            self.count_stored(&event);
            self.events.push(event);
            self.checkpoints.extend(after);
            if let Some(position) = position {
                self.under_way.done(lane, position, last);
            }
            let full = self.epoch_events >= EPOCH_EVENTS_MAX || self.epoch_bytes >= EPOCH_BYTES_MAX;
            if full && self.commit().is_break() {
                break;
            }
        }
        self.ready = ready;
        self.append_ahead();
        if !self.raised.is_empty() {
            let _ = self.save_alerts();
        }
    }

    /// Gives the committer what has gathered, so that the store indexes while the next events are
    /// read.
    fn append_ahead(&mut self) {
        if self.events.len() >= APPEND_EVENTS_MIN {
            // When saving was given up, the end of the epoch tells.
            let _ = self.committer.events(std::mem::take(&mut self.events));
        }
    }

    /// Counts an event as stored once its epoch is.
    fn count_stored(&mut self, event: &Event) {
        if let Some(input) = event.get_str(field::TOCSIN_INPUT)
            && let Some(ledger) = self.stored_by_input.get_mut(input)
        {
            ledger.stored += 1;
        }
    }

    /// Makes alerts of the findings. `at_hand` is the event just processed and whether it is
    /// history; windows that closed by time are of events before.
    fn alert(&mut self, at_hand: Option<(EventId, bool)>) {
        let progress = &self.parts.progress;
        let exceptions = self.parts.exceptions.current();
        for mut finding in self.findings.drain(..) {
            self.parts.enricher.complete(&mut finding);
            progress.findings.fetch_add(1, Ordering::Relaxed);
            if exceptions.is_off(&finding.rule) {
                continue;
            }
            let historical = match at_hand {
                Some((id, historical)) if finding.event.id == id => historical,
                _ => finding.event.time < self.parts.watching_since,
            };
            let added = match exceptions.hides(&finding) {
                None => self.parts.alerts.add(&finding, historical),
                Some(id) => self.parts.alerts.add_hidden(&finding, historical, id),
            };
            match added {
                Outcome::Raised(id) => {
                    progress.alerts.fetch_add(1, Ordering::Relaxed);
                    self.raised.push((id, NoticeKind::Raised));
                }
                Outcome::Escalated(id) => self.raised.push((id, NoticeKind::Escalated)),
                Outcome::Joined(_) | Outcome::Hidden(_) => {}
                Outcome::Allowed => {
                    progress.allowed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// What is due by time: saving alerts, committing, counting.
    fn periodic(&mut self) -> std::ops::ControlFlow<()> {
        if self.parts.watch.look(now(), &mut self.findings) {
            self.alert(None);
        }
        if self.last_save.elapsed() >= ALERT_SAVE_EVERY {
            self.save_alerts()?;
            self.rate.update(&self.parts.progress);
            self.parts.progress.set_detect(self.parts.detector.counters());
        }
        let (under_way, took) = self.committer.look();
        self.rest(took);
        // The next epoch goes on for as long as the last one is being saved.
        if self.last_commit.elapsed() >= self.commit_every && !under_way {
            if self.dirty || self.parts.inputs.dropped() != self.parts.payload.dropped {
                self.dirty = true;
                self.commit()?;
            }
            self.last_commit = Instant::now();
        }
        std::ops::ControlFlow::Continue(())
    }

    /// Saves the alerts that changed, with the notices of those that were raised, and shows them.
    fn save_alerts(&mut self) -> std::ops::ControlFlow<()> {
        if self.parts.abandon.is_cancelled() {
            // What was given up once must not be followed by what builds on it.
            return std::ops::ControlFlow::Break(());
        }
        self.last_save = Instant::now();
        let changed = self.parts.alerts.take_changed();
        if changed.is_empty() {
            return std::ops::ControlFlow::Continue(());
        }
        let raised = std::mem::take(&mut self.raised);
        let mut notices = Vec::new();
        for (id, kind) in raised {
            if let Some(alert) = changed.iter().find(|alert| alert.id == id) {
                notices.extend(self.parts.notifier.notices(alert, kind, now()));
            }
        }
        let mut stored = Vec::new();
        self.until_done("alerts cannot be saved", |parts| {
            let told = |channel: &str| parts.notifier.is_told_by_incident(channel);
            let saved = parts.catalog.save_grouped(&changed, &notices, &told);
            stored = saved.map_err(|error| error.to_string())?;
            Ok(())
        })?;
        if !notices.is_empty() {
            self.parts.notifier.notify();
        }
        self.parts.watch.saved(&stored);
        for alert in stored.into_iter().filter(|alert| alert.triage.exception.is_none()) {
            // Nobody listening is fine.
            let _ = self.parts.live.send(Live::Alert(Arc::new(alert)));
        }
        std::ops::ControlFlow::Continue(())
    }

    /// Ends the epoch. It is saved while the next one goes on; until the one before is saved, this
    /// waits.
    fn commit(&mut self) -> std::ops::ControlFlow<()> {
        self.save_alerts()?;
        if !self.dirty {
            return std::ops::ControlFlow::Continue(());
        }
        let longest = self.parts.longest_cooldown.max(self.parts.watch.longest_cooldown());
        self.parts.alerts.expire(now(), longest);
        let payload = Payload {
            epoch: self.parts.payload.epoch + 1,
            checkpoints: self.checkpoints.clone(),
            ledgers: settled(&self.stored_by_input),
            dropped: self.parts.inputs.dropped(),
            done: self.under_way.to_commit(),
            columns: self.parts.worker.parser().columns(),
            ..Payload::default()
        };
        let alerts = self.parts.alerts.snapshot();
        let state = State { detector: self.parts.detector.next_piece(alerts.len()), alerts };
        self.parts.payload = payload.clone();
        self.committer.events(std::mem::take(&mut self.events))?;
        let ledgers = self.stored_by_input.clone();
        let memory = self.parts.gatherer.gather(&mut self.parts.enricher);
        let took = self.committer.end(End { payload, state, memory, ledgers })?;
        self.merger.start_again();
        self.rest(took);
        self.dirty = false;
        self.last_commit = Instant::now();
        (self.epoch_events, self.epoch_bytes) = (0, 0);
        std::ops::ControlFlow::Continue(())
    }

    /// With much state to save, epochs get longer, so that saving never is most of the work.
    fn rest(&mut self, took: Option<Duration>) {
        if let Some(took) = took {
            let rest = (took * COMMIT_REST).min(COMMIT_EVERY_MAX);
            self.commit_every = self.parts.commit_every.max(rest);
        }
    }

    /// Tries until it works or the stop cannot wait any longer. Meanwhile nothing is taken from
    /// the inputs, so those that can wait do.
    fn until_done(
        &mut self,
        what: &str,
        mut attempt: impl FnMut(&Parts) -> Result<(), String>,
    ) -> std::ops::ControlFlow<()> {
        let parts = &self.parts;
        until_done(what, &parts.progress, &parts.abandon, &mut || attempt(parts))?;
        self.merger.start_again();
        std::ops::ControlFlow::Continue(())
    }
}

/// Ledgers as of a commit: what was received and is not stored will be received again after a
/// restart.
fn settled(ledgers: &BTreeMap<String, Ledger>) -> BTreeMap<String, Ledger> {
    let stored = |ledger: &Ledger| Ledger { received: ledger.stored, stored: ledger.stored };
    ledgers.iter().map(|(input, ledger)| (input.clone(), stored(ledger))).collect()
}
