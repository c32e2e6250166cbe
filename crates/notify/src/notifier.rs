//! [`Notifier`]: which channels hear of an alert, and their workers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tocsin_model::{Alert, AlertId, Notice, NoticeKind, RuleMeta, Severity, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::LOG_CHANNEL;
use crate::backoff::Backoff;
use crate::channel::Channel;
use crate::config::{ChannelConfig, LogConfig, NotifyConfig};
use crate::error::NotifyError;
use crate::outbox::Outbox;
use crate::view::{AlertView, Message};
use crate::worker::{ChannelStats, Worker};

/// All channels of a configuration.
pub struct Notifier {
    workers: BTreeMap<String, Arc<Worker>>,
    outbox: Arc<dyn Outbox>,
    page_url: Option<String>,
}

impl Notifier {
    /// Builds every channel. The alert log is added when the configuration does not name it.
    ///
    /// # Errors
    /// Names the channel that cannot be built, with the remedy.
    pub fn new(
        config: &NotifyConfig,
        data_dir: &Path,
        outbox: Arc<dyn Outbox>,
    ) -> Result<Self, NotifyError> {
        let mut channels = config.channels.clone();
        channels
            .entry(LOG_CHANNEL.to_owned())
            .or_insert_with(|| ChannelConfig::Log(LogConfig::default()));
        let backoff = Backoff {
            min: Duration::from_millis(config.retry_ms_min.max(1)),
            max: Duration::from_millis(config.retry_ms_max.max(1)),
        };
        let give_up = Duration::from_secs(config.give_up_hours.saturating_mul(3600));
        let mut workers = BTreeMap::new();
        for (name, channel_config) in channels {
            let channel = Channel::build(&name, &channel_config, data_dir)?;
            let worker = Worker::new(
                name.clone(),
                channel,
                &channel_config,
                (backoff, give_up),
                config.page_url.clone(),
            );
            workers.insert(name, Arc::new(worker));
        }
        Ok(Self { workers, outbox, page_url: config.page_url.clone() })
    }

    /// The notices that an alert is due: one for each channel whose least severity it reaches.
    /// What is historical is only logged. To be saved in the same transaction as the alert.
    pub fn notices(&self, alert: &Alert, kind: NoticeKind, _now: Timestamp) -> Vec<Notice> {
        self.workers
            .iter()
            .filter(|(name, worker)| {
                name.as_str() == LOG_CHANNEL
                    || (!alert.historical && alert.severity >= worker.min_severity())
            })
            .map(|(name, _)| Notice { channel: name.clone(), kind, alert: alert.clone() })
            .collect()
    }

    /// Says that notices were saved: they go out at once.
    pub fn notify(&self) {
        for worker in self.workers.values() {
            worker.wake();
        }
    }

    /// Delivers until `shutdown`. What is not delivered then stays in the outbox.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        self.bury_orphans().await;
        for worker in self.workers.values() {
            tasks.spawn(worker.clone().run(self.outbox.clone(), shutdown.clone()));
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Sends a test notice now, past the outbox, and gives the service's real answer.
    ///
    /// # Errors
    /// When there is no such channel, or the service refuses: its answer.
    pub async fn test(&self, channel: &str) -> Result<String, NotifyError> {
        let Some(worker) = self.workers.get(channel) else {
            let known: Vec<&str> = self.workers.keys().map(String::as_str).collect();
            return Err(NotifyError::UnknownChannel {
                wanted: channel.to_owned(),
                known: known.join(", "),
            });
        };
        let notice =
            Notice { channel: channel.to_owned(), kind: NoticeKind::Test, alert: test_alert() };
        let message = Message::Alert(Box::new(AlertView::new(&notice, self.page_url.as_deref())));
        worker.send_now(&message).await.map_err(|error| NotifyError::Delivery {
            channel: channel.to_owned(),
            answer: error.answer,
        })
    }

    /// Counters and state of every channel since the start.
    pub fn stats(&self) -> BTreeMap<String, ChannelStats> {
        self.workers.iter().map(|(name, worker)| (name.clone(), worker.stats())).collect()
    }

    /// Names of the channels.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.workers.keys().map(String::as_str)
    }

    /// Notices for channels that the configuration no longer has are given up, visibly.
    async fn bury_orphans(&self) {
        let known: Vec<String> = self.workers.keys().cloned().collect();
        let outbox = self.outbox.clone();
        let buried = tokio::task::spawn_blocking(move || {
            let waiting = outbox.waiting_channels()?;
            for channel in waiting.iter().filter(|channel| !known.contains(channel)) {
                tracing::warn!("channel {channel} is gone: its waiting notices are given up");
                for due in outbox.due(channel, Timestamp(i64::MAX), usize::MAX >> 1)? {
                    outbox.dead(&due.key, "the channel is no longer in the configuration")?;
                }
            }
            Ok::<(), crate::outbox::OutboxError>(())
        });
        if let Ok(Err(error)) = buried.await {
            tracing::warn!("notices of removed channels stay in the outbox: {error}");
        }
    }
}

/// The alert of a test notice.
fn test_alert() -> Alert {
    let now = Timestamp::from_system(SystemTime::now());
    let rule = RuleMeta {
        id: "tocsin-test".to_owned(),
        title: "Test notice".to_owned(),
        description: "Somebody tried this channel out.".to_owned(),
        severity: Severity::Informational,
        ..RuleMeta::default()
    };
    Alert {
        id: AlertId::derive("tocsin-test", &[], &now.to_string()),
        severity: rule.severity,
        rule,
        group: Vec::new(),
        first_seen: now,
        last_seen: now,
        raised: now,
        count: 1,
        findings: 1,
        status: tocsin_model::AlertStatus::New,
        historical: false,
        reason: "This is a test of the channel; nothing happened.".to_owned(),
        fields: Vec::new(),
        events: Vec::new(),
        matches: Vec::new(),
        version: 1,
    }
}
