//! What the catalog keeps, across repeats, reopenings and failures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tocsin_catalog::{
    AlertOrder, AlertQuery, Catalog, CatalogError, CounterKind, FILE_NAME, OutboxState,
};
use tocsin_model::{
    Alert, AlertId, AlertStatus, Notice, NoticeKind, RuleMeta, Severity, Timestamp,
};

const MINUTE: i64 = 60_000_000_000;

fn at(minute: i64) -> Timestamp {
    Timestamp(1_795_219_200_000_000_000 + minute * MINUTE)
}

fn alert(number: usize, severity: Severity, raised: i64) -> Alert {
    let group = vec![("source.ip".to_owned(), format!("192.0.2.{number}"))];
    let rule = RuleMeta {
        id: format!("rule-{}", number % 2),
        title: if number.is_multiple_of(2) { "SSH Brute Force" } else { "Port Scan" }.to_owned(),
        techniques: vec!["T1110.001".to_owned()],
        ..RuleMeta::default()
    };
    Alert {
        id: AlertId::derive(&rule.id, &group, &number.to_string()),
        rule,
        severity,
        group,
        first_seen: at(raised - 1),
        last_seen: at(raised + 1),
        raised: at(raised),
        count: 5,
        findings: 1,
        status: AlertStatus::New,
        triage: tocsin_model::Triage::default(),
        historical: false,
        reason: format!("five failures by Ünal{number}"),
        fields: vec![("user.name".to_owned(), json!(format!("user{number}")))],
        events: Vec::new(),
        matches: Vec::new(),
        version: 1,
    }
}

fn notice(alert: &Alert, channel: &str) -> Notice {
    Notice { channel: channel.to_owned(), kind: NoticeKind::Raised, alert: alert.clone() }
}

fn open(dir: &Path) -> Catalog {
    Catalog::open(dir).unwrap()
}

fn some_alerts() -> Vec<Alert> {
    use Severity::{Critical, High, Low, Medium};
    [High, Low, Critical, Medium, High, High]
        .into_iter()
        .enumerate()
        .map(|(number, severity)| alert(number, severity, number as i64 * 10))
        .collect()
}

#[test]
fn saving_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let alerts = some_alerts();
    let notices: Vec<Notice> = alerts.iter().map(|alert| notice(alert, "mail")).collect();
    for _ in 0..3 {
        catalog.save(&alerts, &notices).unwrap();
        assert_eq!(catalog.alert(&alerts[0].id).unwrap().as_ref(), Some(&alerts[0]));
        assert_eq!(catalog.outbox_counts().unwrap().pending, 6);
    }
    let key = &catalog.outbox_due(now(), 1).unwrap()[0].key;
    catalog.outbox_delivered(key, at(1)).unwrap();
    catalog.save(&alerts, &notices).unwrap();
    let counts = catalog.outbox_counts().unwrap();
    assert_eq!((counts.pending, counts.delivered, counts.dead), (5, 1, 0));
    assert_eq!(counts.by_channel["mail"], [5, 1, 0]);
}

fn now() -> Timestamp {
    at(0)
}

#[test]
fn a_notice_that_cannot_be_read_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let alerts = some_alerts();
    let notices: Vec<Notice> = alerts.iter().map(|alert| notice(alert, "mail")).collect();
    catalog.save(&alerts, &notices).unwrap();
    let file = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    file.execute("UPDATE outbox SET notice = '{\"channel\":5}' WHERE seq <= 2", []).unwrap();
    let due = catalog.outbox_due_of("mail", now(), 2).unwrap();
    assert_eq!(due.len(), 2, "the next ones");
    let counts = catalog.outbox_counts().unwrap();
    assert_eq!((counts.pending, counts.dead), (4, 2));
}

#[test]
fn queries_choose_order_and_page() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let alerts = some_alerts();
    catalog.save(&alerts, &[]).unwrap();
    let base = AlertQuery::default;
    let cases: Vec<(&str, AlertQuery, Vec<usize>)> = vec![
        ("all", base(), vec![5, 4, 3, 2, 1, 0]),
        ("oldest", AlertQuery { order: AlertOrder::Oldest, ..base() }, vec![0, 1, 2, 3, 4, 5]),
        ("last seen", AlertQuery { order: AlertOrder::LastSeen, ..base() }, vec![5, 4, 3, 2, 1, 0]),
        ("worst", AlertQuery { order: AlertOrder::Severity, ..base() }, vec![2, 5, 4, 0, 3, 1]),
        ("high", AlertQuery { severity: Some(Severity::High), ..base() }, vec![5, 4, 0]),
        ("high+", AlertQuery { min_severity: Some(Severity::High), ..base() }, vec![5, 4, 2, 0]),
        ("rule id", AlertQuery { rule: Some("rule-1".into()), ..base() }, vec![5, 3, 1]),
        ("rule title", AlertQuery { rule: Some("Port Scan".into()), ..base() }, vec![5, 3, 1]),
        ("text", AlertQuery { text: Some("ÜNAL3".into()), ..base() }, vec![3]),
        ("text in group", AlertQuery { text: Some("192.0.2.4".into()), ..base() }, vec![4]),
        ("text %", AlertQuery { text: Some("%".into()), ..base() }, vec![]),
        ("span", AlertQuery { from: Some(at(10)), to: Some(at(30)), ..base() }, vec![2, 1]),
        ("closed", AlertQuery { status: Some(AlertStatus::Closed), ..base() }, vec![]),
        ("historical", AlertQuery { historical: Some(true), ..base() }, vec![]),
    ];
    for (name, query, expected) in cases {
        let ids: Vec<&AlertId> = expected.iter().map(|number| &alerts[*number].id).collect();
        for limit in [1, 2, 100] {
            let mut query = AlertQuery { limit, ..query.clone() };
            let mut got = Vec::new();
            loop {
                let page = catalog.alerts(&query).unwrap();
                assert_eq!(page.total, expected.len() as u64, "{name}");
                got.extend(page.alerts);
                query.cursor = page.next;
                if query.cursor.is_none() {
                    break;
                }
            }
            assert_eq!(got.iter().map(|alert| &alert.id).collect::<Vec<_>>(), ids, "{name}");
        }
    }
    let span = AlertQuery { from: Some(at(10)), severity: Some(Severity::Low), ..base() };
    let counts = catalog.severity_counts(&AlertQuery { limit: 0, ..span }).unwrap();
    let whole = Severity::ALL.map(|severity| {
        let query = AlertQuery { from: Some(at(10)), severity: Some(severity), ..base() };
        (severity, catalog.alerts(&query).unwrap().total)
    });
    assert_eq!(counts, whole.into_iter().collect());
    let bad = AlertQuery { cursor: Some("x".to_owned()), ..base() };
    assert!(matches!(catalog.alerts(&bad), Err(CatalogError::BadRequest(_))));
}

#[test]
fn counts_and_series_cover_every_severity() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    catalog.save(&some_alerts(), &[]).unwrap();
    let counts = catalog.alert_counts(None, None).unwrap();
    assert_eq!(counts.total, 6);
    let by_severity: Vec<u64> = counts.by_severity.values().copied().collect();
    assert_eq!(by_severity, [0, 1, 1, 3, 1]);
    assert_eq!(counts.by_status["new"], 6);
    assert_eq!(counts.by_rule[0].count, 3);
    assert_eq!(catalog.alert_counts(Some(at(10)), Some(at(30))).unwrap().total, 2);
    let series = catalog.alert_series(at(0), at(60), Duration::from_secs(30 * 60)).unwrap();
    let totals: Vec<u64> = series.iter().map(|b| b.by_severity.values().sum()).collect();
    assert_eq!(totals, [3, 3]);
    assert_eq!(series[1].time, at(30));
    assert!(catalog.alert_series(at(0), at(60), Duration::ZERO).is_err());
    assert!(catalog.alert_series(at(0), at(60), Duration::from_nanos(1)).is_err());
}

#[test]
fn the_outbox_delivers_in_turn_and_remembers_failures() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let alerts = some_alerts();
    let notices: Vec<Notice> = alerts[..3]
        .iter()
        .flat_map(|alert| [notice(alert, "mail"), notice(alert, "hook")])
        .collect();
    catalog.save(&alerts, &notices).unwrap();
    let due = catalog.outbox_due(at(0), 100).unwrap();
    assert_eq!(due.len(), 6);
    assert_eq!(due[0].notice, notices[0]);
    assert_eq!(due[0].state, OutboxState::Pending);
    let (first, second) = (due[0].key.clone(), due[1].key.clone());
    catalog.outbox_failed(&first, at(5), "connection refused").unwrap();
    catalog.outbox_dead(&second, "gone").unwrap();
    let due = catalog.outbox_due(at(4), 100).unwrap();
    assert!(due.iter().all(|item| item.key != first && item.key != second));
    assert_eq!(catalog.outbox_due_of("hook", at(4), 100).unwrap().len(), 2);
    for item in &due {
        catalog.outbox_delivered(&item.key, at(4)).unwrap();
    }
    assert_eq!(catalog.outbox_next_due().unwrap(), Some(at(5)));
    let again = &catalog.outbox_due(at(5), 100).unwrap()[0];
    assert_eq!((again.attempts, again.last_error.as_deref()), (1, Some("connection refused")));
    catalog.outbox_postpone(&first, at(9)).unwrap();
    assert_eq!(catalog.outbox_next_due().unwrap(), Some(at(9)));
    catalog.outbox_delivered(&first, at(9)).unwrap();
    assert_eq!(catalog.outbox_next_due().unwrap(), None);
    // Late news of a finished delivery changes nothing.
    catalog.outbox_failed(&first, at(10), "late").unwrap();
    catalog.outbox_dead(&first, "late").unwrap();
    let counts = catalog.outbox_counts().unwrap();
    assert_eq!((counts.pending, counts.delivered, counts.dead), (0, 5, 1));
    assert_eq!(catalog.outbox_list(Some(OutboxState::Dead), 10).unwrap()[0].key, second);
    assert_eq!(catalog.outbox_list(None, 2).unwrap().len(), 2);
    assert_eq!(catalog.outbox_prune(Timestamp(i64::MAX)).unwrap(), 6);
}

#[test]
fn everything_committed_is_there_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let alerts = some_alerts();
    {
        let catalog = open(dir.path());
        catalog.save(&alerts, &[notice(&alerts[0], "mail")]).unwrap();
        let counter = |kind, by| ("file:/var/log/auth.log".to_owned(), kind, by);
        for _ in 0..2 {
            catalog
                .add_counters(&[
                    counter(CounterKind::Received, 10),
                    counter(CounterKind::Stored, 9),
                    counter(CounterKind::Dropped("too long".to_owned()), 1),
                ])
                .unwrap();
        }
        catalog.set_counters(&[counter(CounterKind::Stored, 19)]).unwrap();
        catalog.set_meta("first_run", "yes").unwrap();
        catalog.set_meta("first_run", "no").unwrap();
        // As a crash leaves it: nothing is closed.
        std::mem::forget(catalog);
    }
    let catalog = open(dir.path());
    assert_eq!(catalog.get_meta("first_run").unwrap().as_deref(), Some("no"));
    assert_eq!(catalog.get_meta("other").unwrap(), None);
    assert_eq!(catalog.outbox_due(at(0), 10).unwrap().len(), 1);
    let counters: Vec<(CounterKind, u64)> =
        catalog.counters().unwrap().into_iter().map(|row| (row.kind, row.value)).collect();
    assert_eq!(
        counters,
        [
            (CounterKind::Dropped("too long".to_owned()), 2),
            (CounterKind::Received, 20),
            (CounterKind::Stored, 19),
        ]
    );
    let open_alerts = catalog.open_alerts_since(at(31)).unwrap();
    let ids: Vec<&AlertId> = open_alerts.iter().map(|alert| &alert.id).collect();
    assert_eq!(ids, [&alerts[3].id, &alerts[4].id, &alerts[5].id]);
    assert!(catalog.disk_bytes() > 0);
}

#[test]
fn damaged_newer_and_unwritable_files_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), b"this is no database, by far".repeat(100)).unwrap();
    let error = Catalog::open(dir.path()).err().unwrap();
    assert!(matches!(error, CatalogError::Damaged { .. }), "{error}");

    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let file = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    file.execute("INSERT INTO schema_versions (version) VALUES (99)", []).unwrap();
    drop(file);
    let error = Catalog::open(dir.path()).err().unwrap();
    assert!(matches!(error, CatalogError::Newer { found: 99, .. }), "{error}");

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = Catalog::open(&dir.path().join("file/below")).err().unwrap();
    assert!(error.to_string().contains("file/below"), "{error}");
}

#[test]
fn a_full_file_fails_clearly_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open(dir.path());
    let alerts = some_alerts();
    catalog.save(&alerts[..1], &[]).unwrap();
    catalog.limit_pages_for_tests(Some(30)).unwrap();
    let mut big = alerts[1].clone();
    big.reason = "x".repeat(1_000_000);
    let error = catalog.save(&[alerts[2].clone(), big.clone()], &[]).unwrap_err();
    assert!(matches!(error, CatalogError::Full { .. }) && error.is_retryable(), "{error}");
    assert_eq!(catalog.alerts(&AlertQuery::default()).unwrap().total, 1);
    catalog.limit_pages_for_tests(None).unwrap();
    catalog.save(&[alerts[2].clone(), big], &[]).unwrap();
    assert_eq!(catalog.alerts(&AlertQuery::default()).unwrap().total, 3);
}
