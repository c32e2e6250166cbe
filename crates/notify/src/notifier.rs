//! [`Notifier`]: which channels hear of an alert, and their workers.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
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
use crate::escalation::Escalation;
use crate::outbox::Outbox;
use crate::route::Route;
use crate::services::Services;
use crate::view::{AlertView, Message};
use crate::worker::{ChannelStats, Patience, Worker};

/// The longest name of a channel, in characters.
pub const CHANNEL_NAME_CHARS_MAX: usize = 64;
/// Notices of removed channels taken from the outbox at once.
const ORPHANS_TAKEN_MAX: usize = 500;

/// All channels of a configuration.
pub struct Notifier {
    workers: BTreeMap<String, Arc<Worker>>,
    escalation: Escalation,
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
        let patience = Patience { backoff, give_up };
        let mut workers = BTreeMap::new();
        let mut logs: HashMap<PathBuf, String> = HashMap::new();
        for (name, channel_config) in channels {
            check_name(&name, &channel_config).map_err(|error| error.in_channel(&name))?;
            let channel = Channel::build(&name, &channel_config, config, data_dir)?;
            if let Some(path) = channel.file()
                && let Some(other) = logs.insert(path.to_owned(), name.clone())
            {
                let message = format!("writes to the same file as channel {other}; change path");
                return Err(NotifyError::Config(message).in_channel(&name));
            }
            let page_url = config.page_url.clone();
            let route = Route::new(channel_config.route());
            let route = route.map_err(|error| error.in_channel(&name))?;
            let digest = match &channel_config {
                ChannelConfig::Email(config) => config.digest().transpose(),
                _ => Ok(None),
            };
            let digest = digest.map_err(|error| error.in_channel(&name))?;
            let config = &channel_config;
            let worker =
                Worker::new(name.clone(), channel, config, route, digest, patience, page_url);
            workers.insert(name, Arc::new(worker));
        }
        let known: Vec<&str> = workers.keys().map(String::as_str).collect();
        let escalation = Escalation::new(&config.escalation, &known)?;
        Ok(Self { workers, escalation, outbox, page_url: config.page_url.clone() })
    }

    /// The notices that an alert is due: one for each channel whose least severity it reaches and whose route
    /// takes it.
    /// What is historical is only logged. To be saved in the same transaction as the alert.
    pub fn notices(&self, alert: &Alert, kind: NoticeKind, now: Timestamp) -> Vec<Notice> {
        self.workers
            .iter()
            .filter(|(name, worker)| name.as_str() == LOG_CHANNEL || worker.takes(alert, now))
            .map(|(name, _)| Notice { channel: name.clone(), kind, alert: alert.clone() })
            .collect()
    }

    /// For how long back alerts are looked at by [`Notifier::unacknowledged`]; `None` when nobody is
    /// told of them.
    pub fn escalates_within(&self) -> Option<Duration> {
        self.escalation.span()
    }

    /// The notices that are due for alerts of the last time that nobody has acknowledged. Saving
    /// them again changes nothing.
    pub fn unacknowledged(&self, alerts: &[Alert], now: Timestamp) -> Vec<Notice> {
        self.escalation.due(alerts, now)
    }

    /// Whether a channel is told of incidents rather than of each alert.
    pub fn is_told_by_incident(&self, channel: &str) -> bool {
        self.workers.get(channel).is_some_and(|worker| worker.by_incident)
    }

    /// Says that notices were saved: they go out at once.
    pub fn notify(&self) {
        for worker in self.workers.values() {
            worker.wake();
        }
    }

    /// Takes the files of services as they are now: which channels go on with another one, and which keep
    /// the one before, with what is wrong.
    pub fn renew(&self, services: &Services) -> (Vec<&str>, Vec<NotifyError>) {
        let (mut renewed, mut kept) = (Vec::new(), Vec::new());
        for (name, worker) in &self.workers {
            match worker.renew(services) {
                Ok(true) => renewed.push(name.as_str()),
                Ok(false) => {}
                Err(error) => kept.push(error.in_channel(name)),
            }
        }
        (renewed, kept)
    }

    /// Delivers until `shutdown`. What is not delivered then stays in the outbox.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        self.bury_orphans().await;
        let mut running = HashMap::new();
        for worker in self.workers.values() {
            let task = tasks.spawn(worker.clone().run(self.outbox.clone(), shutdown.clone()));
            running.insert(task.id(), worker);
        }
        while let Some(ended) = tasks.join_next_with_id().await {
            // A fault in one delivery must not silence its channel until the next start.
            if let Err(error) = ended
                && error.is_panic()
                && let Some(worker) = running.remove(&error.id())
            {
                tracing::error!("a channel failed inside and starts again: {error}");
                let task =
                    tasks.spawn(worker.clone().run_later(self.outbox.clone(), shutdown.clone()));
                running.insert(task.id(), worker);
            }
        }
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
                loop {
                    let page = outbox.due(channel, Timestamp(i64::MAX), ORPHANS_TAKEN_MAX)?;
                    if page.is_empty() {
                        break;
                    }
                    let keys: Vec<String> = page.into_iter().map(|due| due.key).collect();
                    outbox.dead(&keys, "the channel is no longer in the configuration")?;
                }
            }
            Ok::<(), crate::outbox::OutboxError>(())
        });
        if let Ok(Err(error)) = buried.await {
            tracing::warn!("notices of removed channels stay in the outbox: {error}");
        }
    }
}

/// Names stand in file names, headers and logs.
pub(crate) fn check_name(name: &str, config: &ChannelConfig) -> Result<(), NotifyError> {
    let wrong = |why: String| Err(NotifyError::Config(why));
    let odd = |c: char| c.is_control() || c == '/' || c == '\\';
    if name.is_empty()
        || name.starts_with('.')
        || name.contains(odd)
        || name.chars().count() > CHANNEL_NAME_CHARS_MAX
    {
        return wrong(format!(
            "is not a usable name; give 1 to {CHANNEL_NAME_CHARS_MAX} characters, no dot at the \
             start, no slashes"
        ));
    }
    if name == LOG_CHANNEL && !matches!(config, ChannelConfig::Log(_)) {
        return wrong(format!(
            "this name belongs to the alert log; give the {} channel another one",
            config.kind()
        ));
    }
    Ok(())
}

/// The alert of a test notice.
pub(crate) fn test_alert() -> Alert {
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
        triage: tocsin_model::Triage::default(),
        historical: false,
        reason: "This is a test of the channel; nothing happened.".to_owned(),
        fields: Vec::new(),
        events: Vec::new(),
        matches: Vec::new(),
        version: 1,
    }
}
