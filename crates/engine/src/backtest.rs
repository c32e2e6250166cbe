//! What rules would have found in stored history: the events of the store, oldest first, through
//! the same detector and the same grouping into alerts as live ones.
//!
//! In: a store, chosen rules, a span of time. Out: a [`Report`]. Stores nothing, tells nobody.

mod choose;
mod compare;
mod narrow;
mod report;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tocsin_alert::{AlertConfig, Alerts};
use tocsin_detect::{Detector, RuleSet};
use tocsin_model::{Finding, Timestamp};
use tocsin_store::{EventStore, Filter, ScanRequest, Scanned, StoreError};

pub use choose::{Chosen, TEXT_PATH, Which, choose, of_text, text_of};
pub use compare::{Compared, Difference, compare};
pub use report::{Day, Group, Report, RuleReport};

use compare::Briefs;
use report::Tally;

/// The most samples kept of one rule.
pub const SAMPLES_MAX: usize = 100;
/// How many events pass between two looks at alerts that nothing can join any more.
const EXPIRE_EVENTS: u64 = 65_536;
/// The longest rest of a gentle one.
const REST_MAX: Duration = Duration::from_secs(1);

/// What history to go through.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Only these events.
    pub filter: Filter,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Samples of each rule, at most [`SAMPLES_MAX`].
    pub samples: usize,
    /// Rest as long as working, for what nobody waits for.
    pub gentle: bool,
}

/// How far a backtest is, and the way to end it; shared with whoever watches.
#[derive(Debug, Default)]
pub struct Watch {
    /// Events gone through.
    pub done: AtomicU64,
    /// Events to go through; 0 before that is known.
    pub total: AtomicU64,
    /// Set to end it; what was found by then is reported.
    pub cancel: AtomicBool,
}

/// Runs the chosen rules over history.
///
/// # Errors
/// When the store cannot be read, or the allow-list has an entry that is no address or network.
pub fn run(
    store: &dyn EventStore,
    chosen: &Chosen,
    alerts: &AlertConfig,
    request: &Request,
    watch: &Watch,
) -> Result<Report, StoreError> {
    let started = Instant::now();
    let mut going = Going::new(chosen, alerts, request.samples)?;
    // All rules need nearly all events, and what they cost is measured over every one.
    let rules: &[&RuleSet] = if chosen.is_everything() { &[] } else { &[&chosen.rules] };
    let events = scan(store, rules, request, watch, &mut |scanned| going.take(scanned))?;
    let cancelled = watch.cancel.load(Ordering::Relaxed);
    Ok(going.finish(events, cancelled, started.elapsed()))
}

/// Gives those events of history to `take` that one of the rules may match (without rules, all),
/// until its end or until it is cancelled; how many there are in all, or how many were read when
/// it was cancelled.
fn scan(
    store: &dyn EventStore,
    rules: &[&RuleSet],
    request: &Request,
    watch: &Watch,
    take: &mut dyn FnMut(&Scanned<'_>),
) -> Result<u64, StoreError> {
    let (from, to) = (request.from, request.to);
    let cancelled = || watch.cancel.load(Ordering::Relaxed);
    let filter = match rules {
        [] => request.filter.clone(),
        rules => narrow::narrow(store, rules, &request.filter)?,
    };
    let mut all = None;
    if filter != request.filter && !cancelled() {
        all = Some(store.count(&request.filter, from, to)?);
    }
    if cancelled() {
        return Ok(0);
    }
    let scan = ScanRequest { filter, from, to };
    let mut worked = Instant::now();
    let looked_at = store.scan(&scan, &mut |scanned: Scanned<'_>| {
        take(&scanned);
        // What the index leaves out is passed as the rest is.
        let total = all.unwrap_or(scanned.total);
        let part = u128::from(scanned.done) * u128::from(total) / u128::from(scanned.total.max(1));
        watch.done.store(part as u64, Ordering::Relaxed);
        watch.total.store(total, Ordering::Relaxed);
        if request.gentle {
            std::thread::sleep(worked.elapsed().min(REST_MAX));
            worked = Instant::now();
        }
        match cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    let Some(all) = all.filter(|_| !cancelled()) else { return Ok(looked_at) };
    watch.done.store(all, Ordering::Relaxed);
    watch.total.store(all, Ordering::Relaxed);
    Ok(all)
}

/// The stages, and what they have found so far.
struct Going<'a> {
    chosen: &'a Chosen,
    detector: Detector,
    alerts: Alerts,
    longest_cooldown: Duration,
    findings: Vec<Finding>,
    tally: Tally<'a>,
    since_expiry: u64,
    newest: Timestamp,
    /// Every alert in short, when it is compared.
    briefs: Option<Briefs>,
}

impl<'a> Going<'a> {
    fn new(chosen: &'a Chosen, alerts: &AlertConfig, samples: usize) -> Result<Self, StoreError> {
        let cooldowns = chosen.rules.rules().iter().filter_map(|rule| rule.cooldown);
        let longest_cooldown = cooldowns.max().unwrap_or_default().max(alerts.cooldown());
        let mut detector = Detector::new(Arc::new(chosen.rules.clone()), &chosen.options);
        detector.measure(crate::cost::nanos);
        Ok(Self {
            chosen,
            detector,
            alerts: Alerts::new(alerts.clone()).map_err(StoreError::BadRequest)?,
            longest_cooldown,
            findings: Vec::new(),
            tally: Tally::new(chosen, samples.min(SAMPLES_MAX)),
            since_expiry: 0,
            newest: Timestamp::default(),
            briefs: None,
        })
    }

    fn take(&mut self, scanned: &Scanned<'_>) {
        for event in scanned.events {
            self.detector.process(event, &mut self.findings);
            if !self.findings.is_empty() {
                self.sort_out();
            }
        }
        if let Some(last) = scanned.events.last() {
            self.newest = last.received;
        }
        self.since_expiry += scanned.events.len() as u64;
        if self.since_expiry >= EXPIRE_EVENTS {
            self.since_expiry = 0;
            self.changed();
            self.alerts.expire(self.newest, self.longest_cooldown);
        }
    }

    fn sort_out(&mut self) {
        for finding in self.findings.drain(..) {
            if self.chosen.is_wanted(&finding.rule) {
                if let Some(briefs) = &mut self.briefs {
                    briefs.matched(&finding);
                }
                let outcome = match self.chosen.hides(&finding) {
                    None => self.alerts.add(&finding, false),
                    Some(id) => self.alerts.add_hidden(&finding, false, id),
                };
                self.tally.add(&finding, &outcome);
            }
        }
    }

    fn changed(&mut self) {
        let changed = self.alerts.take_changed();
        if let Some(briefs) = &mut self.briefs {
            briefs.note(&changed);
        }
        self.tally.changed(changed);
    }

    /// Decides all windows.
    fn end(&mut self) {
        self.detector.finish(&mut self.findings);
        self.sort_out();
        self.changed();
    }

    fn finish(mut self, events: u64, cancelled: bool, took: Duration) -> Report {
        self.end();
        self.tally.report(events, cancelled, took)
    }
}
