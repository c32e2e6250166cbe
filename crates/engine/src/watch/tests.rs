//! What Tocsin notices by itself, over a real catalog and store.

use bytes::Bytes;
use tocsin_alert::silence::Expected;
use tocsin_alert::{AlertConfig, Alerts, Outcome};
use tocsin_catalog::AlertChange;
use tocsin_model::{AlertStatus, Disposition, Position, Record};
use tocsin_store::Embedded;

use super::*;
use crate::content::{Choice, Content};

struct Bench {
    watch: Watch,
    alerts: Alerts,
    catalog: Arc<Catalog>,
    store: Arc<dyn EventStore>,
    content: Content,
    config: Config,
    live: broadcast::Sender<Live>,
    lines: u64,
    /// It dies between what the catalog saves and what the watch does.
    dies: bool,
    _dir: tempfile::TempDir,
}

fn config() -> Config {
    let expect =
        |source: &str| Expected { source: source.into(), host: "web-1".into(), seconds: 600 };
    let mut config = Config::default();
    config.silence.expect = vec![expect("openssh.sshd"), expect("linux.sudo")];
    config
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
        let store = Embedded::open(&dir.path().join("store"), tocsin_store::Options::default());
        let store: Arc<dyn EventStore> = Arc::new(store.unwrap());
        let config = config();
        let content = Content::load(&config.content, &config.detect, &Choice::default());
        let (live, _) = broadcast::channel(16);
        let rules = Arc::new(content.rules.clone());
        let watch = Watch::new(&config, catalog.clone(), store.clone(), rules, live.clone());
        let alerts = Alerts::new(AlertConfig::default()).unwrap();
        Self {
            watch,
            alerts,
            catalog,
            store,
            content,
            config,
            live,
            lines: 0,
            dies: false,
            _dir: dir,
        }
    }

    /// Starts again with what the catalog knows.
    fn restart(&mut self) {
        self.watch.save();
        let rules = Arc::new(self.content.rules.clone());
        let (catalog, store) = (self.catalog.clone(), self.store.clone());
        self.watch = Watch::new(&self.config, catalog, store, rules, self.live.clone());
    }

    /// A line comes at a second.
    fn line(&mut self, second: i64, line: &str) {
        self.lines += 1;
        let record = Record {
            input: "syslog".into(),
            position: Position { stream: 7, offset: self.lines, next: self.lines + 1 },
            received: at(second),
            bytes: Bytes::copy_from_slice(line.as_bytes()),
            hint: None,
            peer: None,
            path: None,
        };
        let mut event = Event::default();
        self.content.parser.worker().parse(&record, &mut event);
        self.store.append(std::slice::from_ref(&event)).unwrap();
        self.store.commit("{}").unwrap();
        self.watch.heard(&event, false);
    }

    /// What is told by a second, looked at every half minute from another on; saved.
    fn told(&mut self, from: i64, to: i64) -> Vec<Alert> {
        let mut told = Vec::new();
        for second in (from..=to).step_by(30) {
            let mut findings = Vec::new();
            self.watch.silence.look(at(second), &mut findings);
            self.watch.risk.look(&self.catalog, at(second), &mut findings);
            for finding in &findings {
                self.alerts.add(finding, false);
            }
            let changed = self.alerts.take_changed();
            let stored = self.catalog.save_grouped(&changed, &[], &|_| false).unwrap();
            if !self.dies {
                self.watch.saved(&stored);
            }
            told.extend(stored);
        }
        told
    }
}

const START: i64 = 1_795_392_000;

fn at(second: i64) -> Timestamp {
    Timestamp((START + second) * 1_000_000_000)
}

const LOGIN: &str =
    "Nov 23 00:00:00 web-1 sshd[7]: Failed password for root from 192.0.2.1 port 22 ssh2";
const SUDO: &str = "Nov 23 00:00:00 web-1 sudo[9]:    ana : TTY=pts/0 ; PWD=/home/ana ; USER=root ; \
                    COMMAND=/usr/bin/id";

#[test]
fn silence_names_the_rules_gone_blind_and_ends_by_itself_also_after_a_restart() {
    let mut bench = Bench::new();
    bench.line(0, LOGIN);
    for second in (0..1200).step_by(300) {
        bench.line(second, SUDO);
        assert!(second >= 600 || bench.told(second, second + 270).is_empty());
    }
    let told = bench.told(600, 900);
    assert_eq!(told.len(), 1, "{told:?}");
    let alert = &told[0];
    assert_eq!(alert.rule.id, SILENCE_RULE);
    assert!(
        alert.reason.starts_with("openssh.sshd of web-1 is silent for 10 min"),
        "{}",
        alert.reason
    );
    assert!(alert.reason.contains("blind without it: "), "{}", alert.reason);
    let rules = alert.field_text("tocsin.silence.rules").unwrap();
    assert!(rules.to_lowercase().contains("ssh"), "{rules}");
    assert!(!rules.to_lowercase().contains("sudo"), "sudo still sends: {rules}");
    bench.restart();
    assert_eq!(bench.told(930, 1500).iter().filter(|one| one.id == alert.id).count(), 0);
    bench.line(1500, LOGIN);
    bench.told(1530, 1530);
    let ended = bench.catalog.alert(&alert.id).unwrap().unwrap();
    assert_eq!(ended.status, AlertStatus::Closed);
    let activity = bench.catalog.activity(&alert.id).unwrap();
    assert_eq!(activity.len(), 1);
    assert!(activity[0].comment.as_ref().unwrap().contains("sends again, after"), "{activity:?}");
    // The next silence is another alert.
    let again = bench.told(1560, 2400);
    assert!(again.iter().any(|one| one.rule.id == SILENCE_RULE && one.id != alert.id));
}

#[test]
fn what_was_told_and_not_saved_before_a_crash_is_told_with_the_same_id() {
    let mut bench = Bench::new();
    bench.line(0, LOGIN);
    bench.line(0, SUDO);
    bench.watch.save();
    // The catalog has the alerts, but not that the sources are silent.
    bench.dies = true;
    let before = bench.told(0, 900);
    let rules = Arc::new(bench.content.rules.clone());
    let (catalog, store) = (bench.catalog.clone(), bench.store.clone());
    bench.watch = Watch::new(&bench.config, catalog, store, rules, bench.live.clone());
    bench.alerts = Alerts::new(AlertConfig::default()).unwrap();
    bench.dies = false;
    let after = bench.told(900, 1800);
    let ids = |alerts: &[Alert]| {
        let mut ids: Vec<String> = alerts.iter().map(|alert| alert.id.0.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!((before.len(), ids(&after)), (2, ids(&before)));
}

#[test]
fn a_source_is_forgotten_on_wish() {
    let mut bench = Bench::new();
    bench.line(
        0,
        "Nov 23 00:00:00 old-1 sshd[7]: Failed password for root from 192.0.2.1 port 22 ssh2",
    );
    bench.watch.save();
    assert_eq!(sending(&bench.catalog).unwrap().len(), 1);
    assert_eq!(forget(&bench.catalog, "openssh.sshd", "nobody").unwrap(), 0);
    assert_eq!(forget(&bench.catalog, "openssh.sshd", "old-1").unwrap(), 1);
    bench.watch.silence.forget();
    bench.watch.save();
    assert_eq!(sending(&bench.catalog).unwrap(), []);
}

fn alert(number: i64, title: &str, severity: Severity) -> Alert {
    let mut event = Event::default();
    event.set_str(tocsin_model::field::SOURCE_IP, "192.0.2.66");
    (event.time, event.received) = (at(number), at(number));
    event.id = tocsin_model::EventId { stream: 3, offset: number as u64 };
    let finding = Finding {
        rule: Arc::new(RuleMeta {
            id: title.into(),
            title: title.into(),
            severity,
            ..RuleMeta::default()
        }),
        time: at(number),
        group: Vec::new(),
        event,
        contributions: Vec::new(),
        count: 1.0,
        event_count: 1,
        window: None,
        matches: Vec::new(),
    };
    let mut alerts = Alerts::new(AlertConfig::default()).unwrap();
    assert!(matches!(alerts.add(&finding, false), Outcome::Raised(_)));
    alerts.take_changed().remove(0)
}

#[test]
fn risk_is_told_when_it_reaches_the_threshold_and_again_when_it_doubles() {
    let mut bench = Bench::new();
    let raise = |bench: &mut Bench, number: i64, title: &str, severity| {
        let alert = alert(number, title, severity);
        let stored = bench.catalog.save_grouped(&[alert], &[], &|_| false).unwrap();
        bench.watch.saved(&stored);
        bench.told(number, number)
    };
    assert_eq!(raise(&mut bench, 1, "Port scan", Severity::Medium), []);
    assert_eq!(raise(&mut bench, 2, "Login brute force", Severity::High), []);
    // Many more of the same rule change next to nothing.
    for number in 3..30 {
        assert_eq!(raise(&mut bench, number, "Port scan", Severity::Medium), []);
    }
    let told = raise(&mut bench, 31, "Brute force then success", Severity::Critical);
    assert_eq!(told.len(), 1);
    let first = &told[0];
    assert_eq!((first.rule.id.as_str(), first.severity), (RISK_RULE, Severity::High));
    assert_eq!(first.group, [("source.ip".to_owned(), "192.0.2.66".to_owned())]);
    assert!(
        first.reason.starts_with("Risk of address 192.0.2.66 is 150, from 30 alerts: Brute force then success (80), Login brute force (40), Port scan (30)"),
        "{}",
        first.reason
    );
    assert_eq!(raise(&mut bench, 32, "Web scanner", Severity::Low), []);
    let worse = raise(&mut bench, 33, "Malware", Severity::Critical);
    assert_eq!((worse.len(), &worse[0].id, worse[0].severity), (1, &first.id, Severity::Critical));
    // Its own alerts add nothing, and what people judge harmless is taken away.
    let before = bench.catalog.risk_of(
        EntityKind::Address,
        "192.0.2.66",
        at(33),
        Duration::from_secs(86_400),
    );
    let before = before.unwrap().unwrap();
    assert!((before.score - 235.0).abs() < 1.0, "{}", before.score);
    let part = before.parts.iter().find(|part| part.title == "Malware").unwrap();
    let change = AlertChange {
        disposition: Some(Disposition::BenignTruePositive),
        ..AlertChange::default()
    };
    let id = tocsin_model::AlertId(part.alert_id.clone());
    bench.catalog.change_alert(&id, &change, "ana", None).unwrap();
    let (all, total) = risks(&bench.catalog, &bench.config.risk, None, at(33), 10).unwrap();
    assert_eq!(total, 1);
    assert!((all[0].score - 155.0).abs() < 1.0, "{}", all[0].score);
}
