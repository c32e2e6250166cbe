//! Summaries: notices over the rate limit are held back in the outbox, come due together, and go
//! out as one message.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tocsin_model::{AlertId, Severity, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Next, SUMMARY_NOTICES_MAX, TAKEN_MAX, Worker, blocking, now};
use crate::outbox::{Due, Outbox, OutboxError};
use crate::view::{Message, ROWS_MAX, SummaryView, clean, title};

/// The most alert ids that a summary lists.
pub const ALERTS_LISTED_MAX: usize = 500;
/// The most different rules that a summary counts; further ones count under one name.
const RULES_MAX: usize = 500;

/// A summary that has not been delivered yet. Tried again it says the same under the same key.
pub(super) struct Summary {
    pub(super) keys: HashSet<String>,
    pub(super) view: SummaryView,
}

impl Worker {
    /// Holds notices back until the next summary.
    pub(super) async fn hold(
        &self,
        outbox: &Arc<dyn Outbox>,
        keys: Vec<String>,
    ) -> Result<(), OutboxError> {
        if keys.is_empty() {
            return Ok(());
        }
        let new = self.with_state(|state| {
            keys.iter().filter(|key| state.held.insert((*key).clone())).count()
        });
        self.with_stats(|stats| stats.held += new as u64);
        let until = self.next_summary();
        blocking(outbox, move |outbox| outbox.postpone(&keys, until)).await
    }

    /// All that is held together comes due together: at the next multiple of the span.
    fn next_summary(&self) -> Timestamp {
        if let Some(digest) = &self.digest {
            return digest.after(now());
        }
        let span = i64::try_from(self.summary_after.as_nanos()).unwrap_or(i64::MAX).max(1);
        Timestamp(now().0.saturating_add(span) / span * span)
    }

    /// Sends everything that was held back and is due as one message.
    pub(super) async fn summarize(
        &self,
        outbox: &Arc<dyn Outbox>,
        shutdown: &CancellationToken,
    ) -> Result<Next, OutboxError> {
        let summary = match self.with_state(|state| state.summary.clone()) {
            Some(summary) => summary,
            None => {
                let gathered = self.gather(outbox).await?;
                if gathered.is_empty() {
                    return Ok(Next::Again);
                }
                let summary = Arc::new(
                    gathered.into_summary(self.page_url.as_deref(), self.digest.is_some()),
                );
                self.with_state(|state| state.summary = Some(summary.clone()));
                summary
            }
        };
        let message = Message::Summary(summary.view.clone());
        let Some(outcome) = self.send(&message, shutdown).await else {
            return Ok(Next::At(None));
        };
        let keys = summary.keys.iter().cloned().collect();
        self.settle(outbox, keys, 0, outcome).await
    }

    async fn gather(&self, outbox: &Arc<dyn Outbox>) -> Result<Gathered, OutboxError> {
        let mut gathered = Gathered::default();
        loop {
            let mut page = self.take(outbox, now()).await?;
            let full = page.len() >= TAKEN_MAX;
            let ready = |due: &Due| self.digest.as_ref().is_some_and(|digest| digest.is_ready(due));
            self.with_state(|state| {
                page.retain(|due| state.held.contains(&due.key) || ready(due));
            });
            page.iter().for_each(|due| gathered.add(due));
            if !full || page.is_empty() || gathered.len() >= SUMMARY_NOTICES_MAX {
                return Ok(gathered);
            }
            // Out of the way of the next page.
            let (keys, until) = (keys_of(&page), self.next_summary());
            blocking(outbox, move |outbox| outbox.postpone(&keys, until)).await?;
        }
    }
}

/// What is known so far of held notices.
#[derive(Default)]
struct Gathered {
    keys: Vec<String>,
    rules: BTreeMap<String, (Severity, u64)>,
    /// Some of the titles, the most severe first.
    titles: Vec<(Severity, String)>,
    alerts: Vec<String>,
}

impl Gathered {
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn add(&mut self, due: &Due) {
        let alert = &due.notice.alert;
        self.keys.push(due.key.clone());
        let mut rule = clean(&alert.rule.title, 200);
        if self.rules.len() >= RULES_MAX && !self.rules.contains_key(&rule) {
            rule = "other rules".to_owned();
        }
        let entry = self.rules.entry(rule).or_insert((alert.severity, 0));
        entry.0 = entry.0.max(alert.severity);
        entry.1 += 1;
        if self.titles.len() < ROWS_MAX
            || self.titles.last().is_some_and(|(least, _)| alert.severity > *least)
        {
            self.titles.push((alert.severity, title(&due.notice)));
            // The order of arrival is kept among equals.
            self.titles.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
            self.titles.truncate(ROWS_MAX);
        }
        if self.alerts.len() < ALERTS_LISTED_MAX {
            self.alerts.push(alert.id.to_string());
        }
    }

    fn into_summary(self, page_url: Option<&str>, digest: bool) -> Summary {
        let count = self.keys.len() as u64;
        let noun = if count == 1 { "alert" } else { "alerts" };
        let mut rules: Vec<(String, Severity, u64)> = self
            .rules
            .into_iter()
            .map(|(rule, (severity, count))| (rule, severity, count))
            .collect();
        rules.sort_by_key(|(_, severity, count)| std::cmp::Reverse((*severity, *count)));
        let view = SummaryView {
            key: AlertId::derive("summary", &[], &self.keys.join("\n")).0,
            title: match digest {
                true => format!("Daily digest: {count} {noun}"),
                false => format!("{count} more {noun}, held back by the rate limit"),
            },
            count,
            severity: self.titles.first().map_or(Severity::Low, |(severity, _)| *severity),
            rules,
            titles: self.titles.into_iter().map(|(_, title)| title).collect(),
            alerts: self.alerts,
            link: page_url.map(|base| format!("{}/alerts", base.trim_end_matches('/'))),
        };
        Summary { keys: self.keys.into_iter().collect(), view }
    }
}

/// Their keys.
pub(super) fn keys_of(dues: &[Due]) -> Vec<String> {
    dues.iter().map(|due| due.key.clone()).collect()
}

/// The fewest tries that one of them had.
pub(super) fn attempts_of(dues: &[Due]) -> u32 {
    dues.iter().map(|due| due.attempts).min().unwrap_or(0)
}
