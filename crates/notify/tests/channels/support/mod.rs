//! What the tests share: alerts, a notifier with its outbox, and an outbox that can be watched
//! and made to fail.

pub mod http;
pub mod smtp;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tocsin_catalog::{Catalog, OutboxItem};
use tocsin_model::{
    Alert, AlertId, AlertStatus, Contribution, EventId, NoticeKind, RuleMeta, Severity, Timestamp,
};
use tocsin_notify::outbox::{Due, OutboxError};
use tocsin_notify::{ChannelStats, Notifier, NotifyConfig, Outbox};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Far longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + second * 1000)
}

/// An alert like a real one; another number is another group.
pub fn alert(number: u32, severity: Severity) -> Alert {
    let address = format!("198.51.{}.{}", number / 250, number % 250);
    let group = vec![("source.ip".to_owned(), address.clone())];
    let line = format!("Failed password for root from {address} port 22 ssh2");
    Alert {
        id: AlertId::derive("ssh_brute_force", &group, &number.to_string()),
        rule: RuleMeta {
            id: "ssh_brute_force".to_owned(),
            title: "SSH brute force".to_owned(),
            severity,
            techniques: vec!["T1110.001".to_owned()],
            ..RuleMeta::default()
        },
        severity,
        group,
        first_seen: at(0),
        last_seen: at(9),
        raised: at(9),
        count: 5,
        findings: 1,
        status: AlertStatus::New,
        triage: tocsin_model::Triage::default(),
        historical: false,
        reason: format!("5 failed logins from {address} within 60 s"),
        fields: vec![
            ("source.ip".to_owned(), json!(address)),
            ("host.name".to_owned(), json!("web-1")),
        ],
        events: vec![Contribution {
            event_id: EventId::parse(&format!("{number:032x}")).unwrap(),
            time: at(9),
            rule_id: "ssh_brute_force".into(),
            line: line.as_str().into(),
        }],
        matches: Vec::new(),
        version: 1,
    }
}

/// `notify:` as people write it. Retries come fast unless it says otherwise.
pub fn config(json: Json) -> NotifyConfig {
    let mut whole = json!({"retry_ms_min": 1, "retry_ms_max": 20});
    let keys = json.as_object().unwrap().clone();
    whole.as_object_mut().unwrap().extend(keys);
    serde_json::from_value(whole).unwrap()
}

/// One channel named `ops`.
pub fn one_channel(channel: Json) -> NotifyConfig {
    config(json!({"channels": {"ops": channel}}))
}

/// The catalog's outbox, watched. Writes fail as often as they are told to.
pub struct WatchedOutbox {
    pub catalog: Catalog,
    changes: watch::Sender<u64>,
    /// How many of the next calls of `delivered` fail.
    pub delivered_faults: AtomicU32,
    /// How many of the next calls of `due` fail.
    pub due_faults: AtomicU32,
}

fn fault(left: &AtomicU32) -> Result<(), OutboxError> {
    let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if taken.is_ok() { Err("the disk is full".into()) } else { Ok(()) }
}

impl WatchedOutbox {
    pub fn open(dir: &Path) -> Arc<Self> {
        Arc::new(Self {
            catalog: Catalog::open(dir).unwrap(),
            changes: watch::Sender::new(0),
            delivered_faults: AtomicU32::new(0),
            due_faults: AtomicU32::new(0),
        })
    }

    fn changed<T>(&self, result: T) -> T {
        self.changes.send_modify(|count| *count += 1);
        result
    }

    pub fn items(&self, channel: &str) -> Vec<OutboxItem> {
        let mut items = self.catalog.outbox_list(None, 100_000).unwrap();
        items.retain(|item| item.notice.channel == channel);
        items.reverse();
        items
    }

    /// Waits until `enough` says so; it is asked after every change.
    pub async fn until(&self, what: &str, mut enough: impl FnMut() -> bool) {
        let mut changes = self.changes.subscribe();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if enough() {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(in_time.is_ok(), "never came true: {what}");
    }
}

impl Outbox for WatchedOutbox {
    fn due(&self, channel: &str, now: Timestamp, limit: usize) -> Result<Vec<Due>, OutboxError> {
        fault(&self.due_faults)?;
        self.catalog.due(channel, now, limit)
    }

    fn delivered(&self, keys: &[String], now: Timestamp) -> Result<(), OutboxError> {
        fault(&self.delivered_faults)?;
        self.changed(self.catalog.delivered(keys, now))
    }

    fn failed(&self, keys: &[String], next: Timestamp, error: &str) -> Result<(), OutboxError> {
        self.changed(self.catalog.failed(keys, next, error))
    }

    fn postpone(&self, keys: &[String], until: Timestamp) -> Result<(), OutboxError> {
        self.changed(self.catalog.postpone(keys, until))
    }

    fn dead(&self, keys: &[String], error: &str) -> Result<(), OutboxError> {
        self.changed(self.catalog.dead(keys, error))
    }

    fn waiting_channels(&self) -> Result<Vec<String>, OutboxError> {
        self.catalog.waiting_channels()
    }
}

/// A notifier at work over a data directory of its own.
pub struct Running {
    pub dir: TempDir,
    pub outbox: Arc<WatchedOutbox>,
    pub notifier: Arc<Notifier>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    pub fn start(config: &NotifyConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let outbox = WatchedOutbox::open(dir.path());
        Self::start_on(dir, outbox, config)
    }

    pub fn start_on(dir: TempDir, outbox: Arc<WatchedOutbox>, config: &NotifyConfig) -> Self {
        let notifier = Notifier::new(config, dir.path(), outbox.clone()).unwrap();
        let notifier = Arc::new(notifier);
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(notifier.clone().run(shutdown.clone()));
        Self { dir, outbox, notifier, shutdown, task }
    }

    /// What the pipeline does with alerts.
    pub fn submit(&self, alerts: &[Alert]) {
        self.submit_as(alerts, NoticeKind::Raised);
    }

    pub fn submit_as(&self, alerts: &[Alert], kind: NoticeKind) {
        let notices: Vec<_> =
            alerts.iter().flat_map(|alert| self.notifier.notices(alert, kind, at(0))).collect();
        self.outbox.catalog.save(alerts, &notices).unwrap();
        self.notifier.notify();
    }

    /// Stops and gives back what is durable.
    pub async fn stop(self) -> (TempDir, Arc<WatchedOutbox>) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(5), self.task).await.unwrap().unwrap();
        (self.dir, self.outbox)
    }

    /// Stops and starts again with this configuration.
    pub async fn restart(self, config: &NotifyConfig) -> Self {
        let (dir, outbox) = self.stop().await;
        Self::start_on(dir, outbox, config)
    }

    pub fn stats(&self) -> ChannelStats {
        self.notifier.stats().remove("ops").unwrap()
    }

    /// How many notices for `ops` are pending, delivered and dead.
    pub fn counts(&self) -> [u64; 3] {
        let counts = self.outbox.catalog.outbox_counts().unwrap();
        counts.by_channel.get("ops").copied().unwrap_or_default()
    }

    pub async fn until_delivered(&self, count: u64) {
        let what = format!("{count} delivered");
        self.outbox.until(&what, || self.counts()[1] == count).await;
    }

    /// The outbox is told first, then it is counted.
    pub async fn until_counted_dead(&self, count: u64) {
        let counting = async {
            while self.stats().dead < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, counting).await.unwrap();
    }

    pub async fn until_failed(&self) -> OutboxItem {
        let tried = || self.outbox.items("ops").into_iter().find(|item| item.attempts > 0);
        self.outbox.until("a try failed", || tried().is_some()).await;
        tried().unwrap()
    }

    pub fn log_lines(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.dir.path().join("alerts.ndjson")).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "no half line");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// How often each text occurs.
pub fn tally<T: Ord>(texts: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    counts
}
