//! [`Worker`]: delivers the notices of one channel, one after the other, with patience.
//!
//! In: what is due in the outbox. Out: deliveries, and their outcome in the outbox. Waits for a
//! wake-up or for the next due time, never in a fixed rhythm.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tocsin_model::{AlertId, Severity, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::channel::{Channel, Failure, SendError};
use crate::config::ChannelConfig;
use crate::limit::Limiter;
use crate::outbox::{Due, Outbox, OutboxError};
use crate::view::{AlertView, Message, ROWS_MAX, SummaryView, title};

/// The most notices that one summary stands for.
pub const SUMMARY_NOTICES_MAX: usize = 500;
/// Notices taken from the outbox at once.
const TAKEN_MAX: usize = SUMMARY_NOTICES_MAX;
/// Pause when the outbox itself refuses.
const OUTBOX_PAUSE: Duration = Duration::from_secs(2);
/// Tries that one notice the service dislikes gets.
const MESSAGE_TRIES_MAX: u32 = 3;

/// What a channel did since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelStats {
    /// Notices delivered, those in summaries included.
    pub delivered: u64,
    /// Tries that failed.
    pub failed: u64,
    /// Notices given up.
    pub dead: u64,
    /// Notices held back by the rate limit, to go out in a summary.
    pub held: u64,
    /// Why nothing goes out at the moment.
    pub problem: Option<String>,
}

/// One channel at work.
pub(crate) struct Worker {
    name: String,
    channel: Channel,
    min_severity: Severity,
    backoff: Backoff,
    give_up: Duration,
    page_url: Option<String>,
    summary_after: Duration,
    wake: Notify,
    stats: Mutex<ChannelStats>,
    limits: Mutex<Limits>,
}

struct Limits {
    limiter: Option<Limiter>,
    /// Keys that were held back and go out in a summary when they are due again.
    held: HashSet<String>,
    /// Failures of the channel in a row.
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

impl Worker {
    pub(crate) fn new(
        name: String,
        channel: Channel,
        config: &ChannelConfig,
        (backoff, give_up): (Backoff, Duration),
        page_url: Option<String>,
    ) -> Self {
        let limit = config.rate_limit();
        let summary = limit.map_or(0, |limit| limit.summary_seconds);
        Self {
            name,
            channel,
            min_severity: config.min_severity().into(),
            backoff,
            give_up,
            page_url,
            summary_after: Duration::from_secs(summary),
            wake: Notify::new(),
            stats: Mutex::default(),
            limits: Mutex::new(Limits {
                limiter: limit.map(Limiter::new),
                held: HashSet::new(),
                failures: 0,
            }),
        }
    }

    pub(crate) fn min_severity(&self) -> Severity {
        self.min_severity
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn stats(&self) -> ChannelStats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn send_now(&self, message: &Message) -> Result<String, SendError> {
        self.channel.send(message).await
    }

    pub(crate) async fn run(self: Arc<Self>, outbox: Arc<dyn Outbox>, shutdown: CancellationToken) {
        loop {
            let next = tokio::select! {
                next = self.turn(&outbox) => next,
                () = shutdown.cancelled() => return,
            };
            let next = next.unwrap_or_else(|error| {
                tracing::warn!("channel {}: outbox: {error}", self.name);
                Next::Pause(OUTBOX_PAUSE)
            });
            let wait = match next {
                Next::Again => continue,
                Next::Pause(wait) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => continue,
                        () = shutdown.cancelled() => return,
                    }
                }
                Next::At(None) => Duration::MAX,
                Next::At(Some(due)) => due.since(now()),
            };
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(wait.min(Duration::from_secs(86_400))) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Delivers what is due.
    async fn turn(&self, outbox: &Arc<dyn Outbox>) -> Result<Next, OutboxError> {
        let name = self.name.clone();
        let mut waiting =
            blocking(outbox, move |outbox| outbox.due(&name, Timestamp(i64::MAX), TAKEN_MAX))
                .await?;
        let now = now();
        let later = waiting.iter().position(|due| due.next_try > now);
        let next_due = later.map(|at| waiting[at].next_try);
        waiting.retain(|due| due.next_try <= now);
        if waiting.is_empty() {
            return Ok(Next::At(next_due));
        }
        let (old, waiting): (Vec<Due>, Vec<Due>) =
            waiting.into_iter().partition(|due| now.since(due.created) > self.give_up);
        for due in old {
            let last = due.last_error.unwrap_or_else(|| "never tried".to_owned());
            self.bury(outbox, due.key, format!("given up by age; last: {last}")).await?;
        }
        let messages: Vec<Message> = waiting.iter().map(|due| self.view(due)).collect();
        if let Some(outcome) = self.channel.send_batch(&messages) {
            return self.settle(outbox, &waiting, outcome).await;
        }
        for (due, message) in waiting.iter().zip(&messages) {
            let allowed = self.with_limits(|limits| {
                let limiter = limits.limiter.as_mut();
                limiter.is_none_or(|limiter| limiter.allows(&due.notice.alert, now))
            });
            let next = if allowed {
                let outcome = self.channel.send(message).await;
                if outcome.is_ok() {
                    self.with_limits(|limits| {
                        if let Some(limiter) = &mut limits.limiter {
                            limiter.sent(&due.notice.alert, now);
                        }
                        limits.held.remove(&due.key);
                    });
                }
                self.settle(outbox, std::slice::from_ref(due), outcome).await?
            } else if self.with_limits(|limits| limits.held.contains(&due.key)) {
                return self.summarize(outbox, waiting).await;
            } else {
                self.hold(outbox, due, now).await?;
                Next::Again
            };
            if let Next::Pause(_) = next {
                return Ok(next);
            }
        }
        Ok(Next::Again)
    }

    fn view(&self, due: &Due) -> Message {
        Message::Alert(Box::new(AlertView::new(&due.notice, self.page_url.as_deref())))
    }

    /// Holds a notice back until the next summary.
    async fn hold(
        &self,
        outbox: &Arc<dyn Outbox>,
        due: &Due,
        now: Timestamp,
    ) -> Result<(), OutboxError> {
        self.with_limits(|limits| limits.held.insert(due.key.clone()));
        self.with_stats(|stats| stats.held += 1);
        // All that is held together comes due together: at the next multiple of the span.
        let span = self.summary_after.as_nanos().max(1) as i64;
        let until = Timestamp(now.0.saturating_add(span) / span * span);
        let key = due.key.clone();
        blocking(outbox, move |outbox| outbox.postpone(&key, until)).await
    }

    /// Sends everything that was held back and is due as one message.
    async fn summarize(
        &self,
        outbox: &Arc<dyn Outbox>,
        waiting: Vec<Due>,
    ) -> Result<Next, OutboxError> {
        let held: Vec<Due> = self.with_limits(|limits| {
            waiting.into_iter().filter(|due| limits.held.contains(&due.key)).collect()
        });
        let message = Message::Summary(summary(&held, self.page_url.as_deref()));
        let outcome = self.channel.send(&message).await;
        if outcome.is_ok() {
            self.with_limits(|limits| {
                held.iter().for_each(|due| {
                    limits.held.remove(&due.key);
                })
            });
        }
        self.settle(outbox, &held, outcome).await
    }

    /// Writes down what became of a delivery that stands for these notices.
    async fn settle(
        &self,
        outbox: &Arc<dyn Outbox>,
        dues: &[Due],
        outcome: Result<String, SendError>,
    ) -> Result<Next, OutboxError> {
        let keys: Vec<String> = dues.iter().map(|due| due.key.clone()).collect();
        let error = match outcome {
            Ok(_) => {
                let done = now();
                let count = keys.len() as u64;
                blocking(outbox, move |outbox| {
                    keys.iter().try_for_each(|key| outbox.delivered(key, done))
                })
                .await?;
                self.with_limits(|limits| limits.failures = 0);
                self.with_stats(|stats| {
                    stats.delivered += count;
                    stats.problem = None;
                });
                return Ok(Next::Again);
            }
            Err(error) => error,
        };
        let attempts = dues.first().map_or(0, |due| due.attempts) + 1;
        if error.kind == Failure::Message && attempts >= MESSAGE_TRIES_MAX {
            for key in keys {
                self.bury(outbox, key, error.answer.clone()).await?;
            }
            return Ok(Next::Again);
        }
        let failures = self.with_limits(|limits| {
            limits.failures = limits.failures.saturating_add(1);
            limits.failures
        });
        let wait = match error.kind {
            Failure::Wait(wait) => wait,
            Failure::Channel => self.backoff.wait(failures, &self.name),
            Failure::Message => self.backoff.wait(attempts, &keys[0]),
        };
        if failures == 1 {
            tracing::warn!("channel {}: {}; trying again", self.name, error.answer);
        }
        self.with_stats(|stats| {
            stats.failed += 1;
            stats.problem = Some(error.answer.clone());
        });
        let until = now().plus(wait);
        let answer = error.answer;
        blocking(outbox, move |outbox| {
            keys.iter().try_for_each(|key| outbox.failed(key, until, &answer))
        })
        .await?;
        Ok(if error.kind == Failure::Message { Next::Again } else { Next::Pause(wait) })
    }

    async fn bury(
        &self,
        outbox: &Arc<dyn Outbox>,
        key: String,
        why: String,
    ) -> Result<(), OutboxError> {
        tracing::warn!("channel {}: a notice is given up: {why}", self.name);
        self.with_stats(|stats| stats.dead += 1);
        blocking(outbox, move |outbox| outbox.dead(&key, &why)).await
    }

    fn with_limits<T>(&self, change: impl FnOnce(&mut Limits) -> T) -> T {
        change(&mut self.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_stats(&self, change: impl FnOnce(&mut ChannelStats)) {
        change(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Many notices as one.
fn summary(held: &[Due], page_url: Option<&str>) -> SummaryView {
    let mut rules: BTreeMap<&str, (Severity, u64)> = BTreeMap::new();
    for due in held {
        let alert = &due.notice.alert;
        let entry = rules.entry(&alert.rule.title).or_insert((alert.severity, 0));
        entry.0 = entry.0.max(alert.severity);
        entry.1 += 1;
    }
    let mut rules: Vec<(String, Severity, u64)> = rules
        .into_iter()
        .map(|(rule, (severity, count))| (crate::view::clean(rule, 200), severity, count))
        .collect();
    rules.sort_by_key(|(_, severity, count)| std::cmp::Reverse((*severity, *count)));
    let mut by_severity: Vec<&Due> = held.iter().collect();
    by_severity.sort_by_key(|due| std::cmp::Reverse(due.notice.alert.severity));
    let keys: Vec<&str> = held.iter().map(|due| due.key.as_str()).collect();
    let count = held.len() as u64;
    SummaryView {
        key: AlertId::derive("summary", &[], &keys.join("\n")).0,
        title: format!("{count} more alerts, held back by the rate limit"),
        count,
        severity: by_severity.first().map_or(Severity::Low, |due| due.notice.alert.severity),
        rules,
        titles: by_severity.iter().take(ROWS_MAX).map(|due| title(&due.notice)).collect(),
        alerts: held
            .iter()
            .take(SUMMARY_NOTICES_MAX)
            .map(|due| due.notice.alert.id.to_string())
            .collect(),
        link: page_url.map(|base| format!("{}/alerts", base.trim_end_matches('/'))),
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
