//! [`Worker`]: delivers the notices of one channel, one after the other, with patience.
//!
//! In: what is due in the outbox. Out: deliveries, and their outcome in the outbox. Waits for a
//! wake-up or for the next due time, never in a fixed rhythm. What was delivered is never sent
//! again while this runs, even when the outbox cannot be told.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tocsin_model::{Alert, Severity, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::channel::{Channel, Failure, SendError};
use crate::config::{ChannelConfig, Each};
use crate::limit::Limiter;
use crate::outbox::{Due, Outbox, OutboxError};
use crate::route::Route;
use crate::services::Services;
use crate::view::{AlertView, Message};

mod clock;
mod digest;
mod stats;
mod summary;

pub use digest::Digest;
pub use stats::ChannelStats;
pub use summary::ALERTS_LISTED_MAX;
use summary::{Summary, attempts_of, keys_of};

/// About the most notices that one summary stands for.
pub const SUMMARY_NOTICES_MAX: usize = 10_000;
/// Notices taken from the outbox at once; each carries its alert whole.
const TAKEN_MAX: usize = 200;
/// The longest pause when the outbox itself refuses.
const OUTBOX_PAUSE_MAX: Duration = Duration::from_secs(5);
/// The longest pause after the service disliked a notice: others must not wait for it.
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Tries that a notice the service dislikes gets.
pub const MESSAGE_TRIES_MAX: u32 = 5;
/// How long a delivery that is under way may still take when everything stops.
const STOP_GRACE: Duration = Duration::from_millis(800);
/// The longest span over which notices are gathered for a summary.
const SUMMARY_AFTER_MAX: Duration = Duration::from_secs(7 * 86_400);
/// The longest sleep: clocks of machines may jump, and other processes let notices wait again.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// How long a channel tries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) backoff: Backoff,
    pub(crate) give_up: Duration,
}

/// One channel at work.
pub(crate) struct Worker {
    name: String,
    channel: Channel,
    min_severity: Severity,
    route: Route,
    pub(crate) by_incident: bool,
    only_unacknowledged: bool,
    patience: Patience,
    page_url: Option<String>,
    summary_after: Duration,
    digest: Option<Digest>,
    wake: Notify,
    stats: Mutex<ChannelStats>,
    state: Mutex<State>,
}

/// What is known of notices beyond the outbox; a restart may forget it.
#[derive(Default)]
struct State {
    limiter: Option<Limiter>,
    /// Keys that were held back and go out in a summary when they are due again.
    held: HashSet<String>,
    /// A summary whose delivery failed: the next try sends the same.
    summary: Option<Arc<Summary>>,
    /// How often the service disliked a notice.
    refused: HashMap<String, u32>,
    /// Delivered, but the outbox does not know yet.
    unrecorded: Vec<String>,
    /// Failed tries in a row.
    failures: u32,
}

/// What to do next.
enum Next {
    /// There may be more.
    Again,
    /// Nothing before this, unless woken.
    At(Option<Timestamp>),
    /// Nothing before this, woken or not: the channel is down.
    Pause(Duration),
}

/// What becomes of a notice that is due.
enum Verdict {
    Send,
    Hold,
    Summarize,
}

impl Worker {
    pub(crate) fn new(
        name: String,
        channel: Channel,
        config: &ChannelConfig,
        route: Route,
        digest: Option<Digest>,
        patience: Patience,
        page_url: Option<String>,
    ) -> Self {
        let limit = config.rate_limit();
        let summary = limit.map_or(0, |limit| limit.summary_seconds);
        Self {
            name,
            channel,
            min_severity: config.min_severity().into(),
            route,
            by_incident: config.each() == Each::Incident,
            only_unacknowledged: config.each() == Each::Unacknowledged,
            patience,
            page_url,
            summary_after: match digest {
                Some(_) => digest::SPAN,
                None => Duration::from_secs(summary).min(SUMMARY_AFTER_MAX),
            },
            digest,
            wake: Notify::new(),
            stats: Mutex::default(),
            state: Mutex::new(State { limiter: limit.map(Limiter::new), ..State::default() }),
        }
    }

    /// Whether the channel is told of an alert at a time.
    pub(crate) fn takes(&self, alert: &Alert, now: Timestamp) -> bool {
        !self.only_unacknowledged
            && !alert.historical
            && alert.severity >= self.min_severity
            && self.route.takes(alert, now)
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn stats(&self) -> ChannelStats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn renew(&self, services: &Services) -> Result<bool, crate::NotifyError> {
        self.channel.renew(services)
    }

    pub(crate) async fn send_now(&self, message: &Message) -> Result<String, SendError> {
        self.channel.send(message).await
    }

    /// Delivers until `shutdown`; a delivery under way gets a moment to finish.
    pub(crate) async fn run(self: Arc<Self>, outbox: Arc<dyn Outbox>, shutdown: CancellationToken) {
        let mut faults = 0u32;
        while !shutdown.is_cancelled() {
            let next = match self.turn(&outbox, &shutdown).await {
                Ok(next) => {
                    let works = faults > 0 && self.with_state(|state| state.failures) == 0;
                    if works {
                        self.with_stats(|stats| stats.problem = None);
                    }
                    faults = 0;
                    next
                }
                Err(error) => {
                    faults = faults.saturating_add(1);
                    self.outbox_fault(&error, faults)
                }
            };
            let wait = match next {
                Next::Again => continue,
                Next::Pause(wait) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => continue,
                        () = shutdown.cancelled() => return,
                    }
                }
                Next::At(None) => SLEEP_MAX,
                Next::At(Some(due)) => due.since(now()).min(SLEEP_MAX),
            };
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// The same, after a pause.
    pub(crate) async fn run_later(
        self: Arc<Self>,
        outbox: Arc<dyn Outbox>,
        shutdown: CancellationToken,
    ) {
        tokio::select! {
            () = tokio::time::sleep(OUTBOX_PAUSE_MAX) => self.run(outbox, shutdown).await,
            () = shutdown.cancelled() => {}
        }
    }

    fn outbox_fault(&self, error: &OutboxError, faults: u32) -> Next {
        if faults == 1 {
            tracing::warn!("channel {}: outbox: {error}; trying again", self.name);
        }
        self.with_stats(|stats| stats.problem = Some(format!("outbox: {error}")));
        Next::Pause(self.patience.backoff.wait(faults, &self.name).min(OUTBOX_PAUSE_MAX))
    }

    /// Delivers what is due.
    async fn turn(
        &self,
        outbox: &Arc<dyn Outbox>,
        shutdown: &CancellationToken,
    ) -> Result<Next, OutboxError> {
        self.record(outbox).await?;
        let mut waiting = self.take(outbox, Timestamp(i64::MAX)).await?;
        let now = now();
        self.pull_back(outbox, &mut waiting, now).await?;
        let next_due = waiting.iter().map(|due| due.next_try).find(|time| *time > now);
        waiting.retain(|due| due.next_try <= now);
        if waiting.is_empty() {
            return Ok(Next::At(next_due));
        }
        // What was never tried is not given up, however long nobody was there to try.
        let (old, waiting): (Vec<Due>, Vec<Due>) = waiting
            .into_iter()
            .partition(|due| due.attempts > 0 && now.since(due.created) > self.patience.give_up);
        for due in old {
            let last = due.last_error.unwrap_or_else(|| "no answer".to_owned());
            let why = format!("given up by age; last: {last}");
            self.bury(outbox, vec![due.key], &why).await?;
        }
        if waiting.is_empty() {
            return Ok(Next::Again);
        }
        if self.channel.is_local() {
            let messages = waiting.iter().map(|due| self.view(due)).collect();
            let outcome = self.channel.send_all(messages).await;
            return self.settle(outbox, keys_of(&waiting), attempts_of(&waiting), outcome).await;
        }
        let mut held = Vec::new();
        let next = self.one_by_one(outbox, &waiting, shutdown, &mut held).await;
        self.hold(outbox, held).await?;
        next
    }

    /// Delivers notices in turn, but for those over the rate limit, whose keys go to `held`.
    async fn one_by_one(
        &self,
        outbox: &Arc<dyn Outbox>,
        waiting: &[Due],
        shutdown: &CancellationToken,
        held: &mut Vec<String>,
    ) -> Result<Next, OutboxError> {
        for due in waiting {
            if shutdown.is_cancelled() {
                return Ok(Next::At(None));
            }
            let next = match self.verdict(due) {
                Verdict::Send => self.deliver(outbox, due, shutdown).await?,
                Verdict::Summarize => return self.summarize(outbox, shutdown).await,
                Verdict::Hold => {
                    held.push(due.key.clone());
                    continue;
                }
            };
            if !matches!(next, Next::Again) {
                return Ok(next);
            }
        }
        Ok(Next::Again)
    }

    async fn take(
        &self,
        outbox: &Arc<dyn Outbox>,
        now: Timestamp,
    ) -> Result<Vec<Due>, OutboxError> {
        let name = self.name.clone();
        blocking(outbox, move |outbox| outbox.due(&name, now, TAKEN_MAX)).await
    }

    fn view(&self, due: &Due) -> Message {
        Message::Alert(Box::new(AlertView::new(&due.notice, self.page_url.as_deref())))
    }

    fn verdict(&self, due: &Due) -> Verdict {
        self.with_state(|state| {
            if state.summary.as_ref().is_some_and(|summary| summary.keys.contains(&due.key)) {
                return Verdict::Summarize;
            }
            if let Some(digest) = &self.digest {
                return digest.verdict(due, state);
            }
            let limiter = state.limiter.as_mut();
            if limiter.is_none_or(|limiter| limiter.allows(&due.notice.alert, now())) {
                Verdict::Send
            } else if state.held.contains(&due.key) {
                Verdict::Summarize
            } else {
                Verdict::Hold
            }
        })
    }

    async fn deliver(
        &self,
        outbox: &Arc<dyn Outbox>,
        due: &Due,
        shutdown: &CancellationToken,
    ) -> Result<Next, OutboxError> {
        let Some(outcome) = self.send(&self.view(due), shutdown).await else {
            return Ok(Next::At(None));
        };
        if outcome.is_ok() {
            self.with_state(|state| {
                if let Some(limiter) = &mut state.limiter {
                    limiter.sent(&due.notice.alert, now());
                }
            });
        }
        self.settle(outbox, vec![due.key.clone()], due.attempts, outcome).await
    }

    /// The outcome of a delivery; `None` when everything stopped before there was one.
    async fn send(
        &self,
        message: &Message,
        shutdown: &CancellationToken,
    ) -> Option<Result<String, SendError>> {
        let stopped = async {
            shutdown.cancelled().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        tokio::select! {
            outcome = self.channel.send(message) => Some(outcome),
            () = stopped => None,
        }
    }

    /// Writes down what became of a delivery that stands for these notices.
    async fn settle(
        &self,
        outbox: &Arc<dyn Outbox>,
        keys: Vec<String>,
        attempts: u32,
        outcome: Result<String, SendError>,
    ) -> Result<Next, OutboxError> {
        let error = match outcome {
            Ok(_) => {
                self.delivered(keys);
                self.record(outbox).await?;
                return Ok(Next::Again);
            }
            Err(error) => error,
        };
        let failures = self.with_state(|state| {
            state.failures = state.failures.saturating_add(1);
            state.failures
        });
        if failures == 1 {
            tracing::warn!("channel {}: {}", self.name, error.answer);
        }
        self.with_stats(|stats| {
            stats.failed += 1;
            stats.problem = Some(error.answer.clone());
        });
        let backoff = self.patience.backoff;
        let usual = backoff.wait(failures, &self.name);
        let pause = match error.kind {
            Failure::Channel => usual,
            // A service that asks for no pause at all gets the usual one.
            Failure::Wait(wait) => wait.max(usual),
            Failure::Message => usual.min(REFUSED_PAUSE_MAX),
        };
        if error.kind != Failure::Message {
            self.with_stats(|stats| stats.open_until = Some(now().plus(pause)));
        }
        if error.kind == Failure::Message && self.refuse(&keys) >= MESSAGE_TRIES_MAX {
            self.bury(outbox, keys, &error.answer).await?;
            return Ok(Next::Pause(pause));
        }
        // One that fails while others succeed is tried less and less.
        let wait = pause.max(backoff.wait(attempts.saturating_add(1), &self.name));
        let until = now().plus(wait);
        let answer = error.answer;
        let told = blocking(outbox, move |outbox| outbox.failed(&keys, until, &answer)).await;
        if let Err(error) = told {
            tracing::warn!("channel {}: outbox: {error}", self.name);
        }
        Ok(Next::Pause(pause))
    }

    fn delivered(&self, keys: Vec<String>) {
        let count = keys.len() as u64;
        let failures = self.with_state(|state| {
            state.forget(&keys);
            state.unrecorded.extend(keys);
            std::mem::take(&mut state.failures)
        });
        if failures > 0 {
            tracing::info!("channel {}: works again, after {failures} failed tries", self.name);
        }
        self.with_stats(|stats| {
            stats.delivered += count;
            (stats.problem, stats.open_until) = (None, None);
        });
    }

    /// Tells the outbox what was delivered. While it cannot be told nothing else is sent.
    async fn record(&self, outbox: &Arc<dyn Outbox>) -> Result<(), OutboxError> {
        let keys = self.with_state(|state| state.unrecorded.clone());
        if keys.is_empty() {
            return Ok(());
        }
        let done = now();
        blocking(outbox, move |outbox| outbox.delivered(&keys, done)).await?;
        // Only this task adds to them, so these are the ones that were written.
        self.with_state(|state| state.unrecorded.clear());
        Ok(())
    }

    /// Counts that the service disliked a message; how often it did.
    fn refuse(&self, keys: &[String]) -> u32 {
        self.with_state(|state| {
            let counts = keys.iter().map(|key| {
                let count = state.refused.entry(key.clone()).or_default();
                *count += 1;
                *count
            });
            counts.min().unwrap_or(0)
        })
    }

    async fn bury(
        &self,
        outbox: &Arc<dyn Outbox>,
        keys: Vec<String>,
        why: &str,
    ) -> Result<(), OutboxError> {
        let (dead, reason) = (keys.clone(), why.to_owned());
        blocking(outbox, move |outbox| outbox.dead(&dead, &reason)).await?;
        let count = keys.len();
        tracing::warn!("channel {}: {count} of its notices given up: {why}", self.name);
        self.with_stats(|stats| stats.dead += count as u64);
        self.with_state(|state| state.forget(&keys));
        Ok(())
    }

    fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_stats(&self, change: impl FnOnce(&mut ChannelStats)) {
        change(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl State {
    /// These notices are done with.
    fn forget(&mut self, keys: &[String]) {
        for key in keys {
            self.held.remove(key);
            self.refused.remove(key);
        }
        let names = |summary: &Arc<Summary>| keys.iter().any(|key| summary.keys.contains(key));
        if self.summary.as_ref().is_some_and(names) {
            self.summary = None;
        }
    }
}

/// Runs a call of the outbox, which blocks, off the asynchronous threads.
async fn blocking<T: Send + 'static>(
    outbox: &Arc<dyn Outbox>,
    call: impl FnOnce(&dyn Outbox) -> Result<T, OutboxError> + Send + 'static,
) -> Result<T, OutboxError> {
    let outbox = outbox.clone();
    match tokio::task::spawn_blocking(move || call(&*outbox)).await {
        Ok(result) => result,
        Err(error) => Err(Box::new(error)),
    }
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
