//! What a list of alerts is made of, how it is grouped, and reading it from the middle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use serde_json::json;
use tocsin_catalog::{AlertChange, AlertQuery, Catalog, Facets, GroupBy};
use tocsin_model::{Alert, AlertId, AlertStatus, Disposition, RuleMeta, Severity, Timestamp};

fn alert(id: usize, rule: &str, severity: Severity, ip: &str, at: i64) -> Alert {
    Alert {
        id: AlertId(format!("{id:032x}")),
        rule: RuleMeta {
            id: rule.to_owned(),
            title: format!("Title of {rule}"),
            tactics: vec!["discovery".into(), "impact".into()],
            ..RuleMeta::default()
        },
        severity,
        group: vec![("source.ip".to_owned(), ip.to_owned())],
        first_seen: Timestamp(at),
        last_seen: Timestamp(at),
        raised: Timestamp(at),
        count: 1,
        findings: 1,
        status: AlertStatus::New,
        triage: tocsin_model::Triage::default(),
        historical: false,
        reason: String::new(),
        fields: vec![("user.name".to_owned(), json!("ann"))],
        events: Vec::new(),
        matches: Vec::new(),
        version: 1,
    }
}

fn counts<'f>(facets: &'f Facets, name: &str) -> Vec<(&'f str, u64)> {
    facets.facets[name].iter().map(|one| (one.value.as_str(), one.count)).collect()
}

const SECOND: i64 = 1_000_000_000;

#[test]
fn facets_are_counted_as_if_they_were_not_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path()).unwrap();
    let alerts = [
        alert(1, "a", Severity::High, "192.0.2.1", 10 * SECOND),
        alert(2, "a", Severity::High, "192.0.2.2", 20 * SECOND),
        alert(3, "a", Severity::Low, "192.0.2.1", 70 * SECOND),
        alert(4, "b", Severity::Critical, "192.0.2.1", 130 * SECOND),
    ];
    catalog.save(&alerts, &[]).unwrap();
    let close =
        AlertChange { disposition: Some(Disposition::FalsePositive), ..AlertChange::default() };
    catalog.change_alert(&alerts[1].id, &close, "ann", None).unwrap();
    let all = catalog.facets(&AlertQuery::default(), Some(GroupBy::Rule)).unwrap();
    assert_eq!((all.total, all.groups_total), (4, 2));
    assert_eq!(counts(&all, "rule"), [("a", 3), ("b", 1)]);
    assert_eq!(counts(&all, "source"), [("192.0.2.1", 3), ("192.0.2.2", 1)]);
    assert_eq!(counts(&all, "user"), [("ann", 4)]);
    assert_eq!(counts(&all, "host"), []);
    assert_eq!(counts(&all, "owner"), [("-", 4)]);
    assert_eq!(counts(&all, "tactic"), [("discovery", 4), ("impact", 4)]);
    assert_eq!(all.titles["a"], "Title of a");
    let drawn: u64 = all.series.iter().flat_map(|one| one.by_severity.values()).sum();
    assert_eq!(drawn, 4);
    assert_eq!((all.groups[0].title.as_str(), all.groups[0].alerts), ("Title of b", 1));
    let a = &all.groups[1];
    assert_eq!((a.alerts, a.open, a.closed, a.false_positive, a.sources), (3, 2, 1, 1, 2));
    assert_eq!(a.spark.iter().sum::<u64>(), 3);
    let high = AlertQuery {
        severity_in: vec![Severity::High],
        source: Some("192.0.2.1".into()),
        ..AlertQuery::default()
    };
    let found = catalog.facets(&high, Some(GroupBy::RuleAndSource)).unwrap();
    assert_eq!(found.total, 1);
    assert_eq!(counts(&found, "severity"), [("critical", 1), ("high", 1), ("low", 1)]);
    assert_eq!(counts(&found, "source"), [("192.0.2.1", 1), ("192.0.2.2", 1)]);
    assert_eq!(counts(&found, "rule"), [("a", 1)]);
    let group = &found.groups[0].query;
    assert_eq!((group["rule"].as_str(), group["source"].as_str()), ("a", "192.0.2.1"));
    for (query, total) in [
        (AlertQuery { user: Some("ann".into()), ..AlertQuery::default() }, 4),
        (AlertQuery { user: Some(String::new()), ..AlertQuery::default() }, 0),
        (AlertQuery { tactic: Some("impact".into()), ..AlertQuery::default() }, 4),
        (AlertQuery { tactic: Some("pact".into()), ..AlertQuery::default() }, 0),
        (AlertQuery { rule: Some("Title of b".into()), ..AlertQuery::default() }, 1),
        (AlertQuery { ids: vec![alerts[0].id.0.clone()], ..AlertQuery::default() }, 1),
        (AlertQuery { incident: Some(0), ..AlertQuery::default() }, 4),
    ] {
        assert_eq!(catalog.facets(&query, None).unwrap().total, total, "{query:?}");
        assert_eq!(catalog.alerts(&query).unwrap().total, total, "{query:?}");
    }
}

#[test]
fn pages_can_be_taken_from_the_middle() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path()).unwrap();
    let alerts: Vec<Alert> =
        (0..50).map(|id| alert(id, "a", Severity::High, "192.0.2.1", 100 - id as i64)).collect();
    catalog.save(&alerts, &[]).unwrap();
    let query = AlertQuery { skip: 20, limit: 5, ..AlertQuery::default() };
    let page = catalog.alerts(&query).unwrap();
    assert_eq!((page.total, page.alerts[0].id.clone()), (50, alerts[20].id.clone()));
    let next = AlertQuery { cursor: page.next, skip: 0, limit: 5, ..AlertQuery::default() };
    assert_eq!(catalog.alerts(&next).unwrap().alerts[0].id, alerts[25].id);
}

#[test]
fn no_alert_at_all_is_no_series_of_years() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path()).unwrap();
    let none = catalog.facets(&AlertQuery::default(), Some(GroupBy::Incident)).unwrap();
    assert_eq!((none.total, none.groups.len(), none.series.len()), (0, 0, 1));
    let wide = AlertQuery {
        from: Some(Timestamp(i64::MIN)),
        to: Some(Timestamp(i64::MAX)),
        ..AlertQuery::default()
    };
    assert!(catalog.facets(&wide, None).unwrap().series.len() < 1000);
}
