//! What people do to alerts, beside detection that goes on, and the history of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeSet;

use serde_json::json;
use tocsin_catalog::{Activity, AlertChange, AlertQuery, Catalog, CatalogError, FILE_NAME};
use tocsin_model::{
    Alert, AlertId, AlertStatus, Disposition, RuleMeta, Severity, Timestamp, Triage,
};

fn alert(number: usize) -> Alert {
    let rule = RuleMeta { id: "r".into(), title: "SSH Brute Force".into(), ..RuleMeta::default() };
    let group = vec![("source.ip".to_owned(), format!("192.0.2.{number}"))];
    Alert {
        id: AlertId::derive(&rule.id, &group, &number.to_string()),
        rule,
        severity: Severity::Medium,
        group,
        first_seen: Timestamp(1),
        last_seen: Timestamp(number as i64 + 2),
        raised: Timestamp(number as i64 + 1),
        count: 5,
        findings: 1,
        status: AlertStatus::New,
        triage: Triage::default(),
        historical: false,
        reason: "five failures".to_owned(),
        fields: vec![("user.name".to_owned(), json!("root"))],
        events: Vec::new(),
        matches: Vec::new(),
        version: 1,
    }
}

fn with(alerts: usize) -> (tempfile::TempDir, Catalog, Vec<Alert>) {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path()).unwrap();
    let alerts: Vec<Alert> = (0..alerts).map(alert).collect();
    catalog.save(&alerts, &[]).unwrap();
    (dir, catalog, alerts)
}

fn status(status: AlertStatus) -> AlertChange {
    AlertChange { status: Some(status), ..AlertChange::default() }
}

fn closed_as(disposition: Disposition) -> AlertChange {
    AlertChange { disposition: Some(disposition), ..AlertChange::default() }
}

fn total(catalog: &Catalog, query: AlertQuery) -> u64 {
    catalog.alerts(&query).unwrap().total
}

#[test]
fn a_life_from_new_to_closed_and_open_again() {
    let (_dir, catalog, alerts) = with(1);
    let id = &alerts[0].id;
    let change = |change: &AlertChange, who: &str| {
        catalog.change_alert(id, change, who, None).unwrap().unwrap()
    };
    let seen = change(
        &AlertChange { owner: Some("ana".into()), ..status(AlertStatus::Acknowledged) },
        "ana",
    );
    assert_eq!(
        (seen.status, seen.triage.owner.as_deref()),
        (AlertStatus::Acknowledged, Some("ana"))
    );
    let tags = AlertChange {
        add_tags: vec!["night".into(), "lab".into(), "lab".into()],
        remove_tags: vec!["night".into()],
        comment: Some("our own scanner?".into()),
        ..AlertChange::default()
    };
    assert_eq!(change(&tags, "ben").triage.tags, ["lab"]);
    let closed = change(&closed_as(Disposition::BenignTruePositive), "ana");
    assert_eq!(closed.status, AlertStatus::Closed);
    assert_eq!(closed.to_json()["tocsin"]["alert"]["disposition"], "benign_true_positive");
    let open = change(&status(AlertStatus::New), "ana");
    assert_eq!((open.status, open.triage.disposition, open.version), (AlertStatus::New, None, 5));
    assert_eq!(catalog.alert(id).unwrap().as_ref(), Some(&open));
    // The same again is no change and no history.
    assert_eq!(change(&status(AlertStatus::New), "ana"), open);
    let told: Vec<(String, u64, String, Option<String>)> = catalog
        .activity(id)
        .unwrap()
        .into_iter()
        .map(|Activity { who, version, steps, comment, .. }| {
            let step = |step: &tocsin_catalog::Step| {
                format!(
                    "{}:{}>{}",
                    step.what,
                    step.from.as_deref().unwrap_or(""),
                    step.to.as_deref().unwrap_or("")
                )
            };
            (who, version, steps.iter().map(step).collect::<Vec<_>>().join(" "), comment)
        })
        .collect();
    let entry = |who: &str, version, steps: &str, comment: Option<&str>| {
        (who.to_owned(), version, steps.to_owned(), comment.map(str::to_owned))
    };
    let expected = [
        entry("ana", 2, "status:new>acknowledged owner:>ana", None),
        entry("ben", 3, "tags:>lab", Some("our own scanner?")),
        entry("ana", 4, "status:acknowledged>closed disposition:>benign_true_positive", None),
        entry("ana", 5, "status:closed>new disposition:benign_true_positive>", None),
    ];
    assert_eq!(told, expected);
    let unknown = AlertId("none".to_owned());
    assert!(catalog.change_alert(&unknown, &tags, "ana", None).unwrap().is_none());
    assert!(catalog.activity(&unknown).unwrap().is_empty());
}

#[test]
fn detection_that_goes_on_keeps_decisions_and_hinders_none() {
    let (_dir, catalog, alerts) = with(1);
    let mut alert = alerts[0].clone();
    let tagged = AlertChange { add_tags: vec!["lab".into()], ..status(AlertStatus::Acknowledged) };
    assert_eq!(
        catalog.change_alert(&alert.id, &tagged, "ana", Some(1)).unwrap().unwrap().version,
        2
    );
    (alert.count, alert.severity, alert.version) = (50, Severity::High, 2);
    let stored = catalog.save(std::slice::from_ref(&alert), &[]).unwrap();
    assert_eq!((stored[0].status, stored[0].triage.tags.len()), (AlertStatus::Acknowledged, 1));
    assert_eq!((stored[0].count, stored[0].severity, stored[0].version), (50, Severity::High, 3));
    assert_eq!(catalog.alert(&alert.id).unwrap().as_ref(), Some(&stored[0]));
    // Ben saw version 2, since then only the count has grown.
    let closed = catalog.change_alert(&alert.id, &status(AlertStatus::Closed), "ben", Some(2));
    assert_eq!(closed.unwrap().unwrap().version, 4);
    // Ana saw version 3, since then Ben has closed it.
    match catalog.change_alert(&alert.id, &status(AlertStatus::New), "ana", Some(3)) {
        Err(CatalogError::Conflict { found: 4, expected: 3, who, .. }) => assert_eq!(who, "ben"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn many_at_once_by_query() {
    let (_dir, catalog, alerts) = with(1203);
    let query = AlertQuery { text: Some("192.0.2.1".into()), limit: 1, ..AlertQuery::default() };
    let wanted =
        alerts.iter().filter(|alert| alert.group[0].1.contains("192.0.2.1")).count() as u64;
    assert!(wanted > 300, "{wanted}");
    let mut told = BTreeSet::new();
    let change = closed_as(Disposition::FalsePositive);
    let count = catalog.change_alerts(&query, &change, "ana", |alert, _| {
        told.insert(alert.id);
    });
    assert_eq!((count.unwrap(), told.len() as u64), (wanted, wanted));
    let of = |disposition_in, owner: Option<&str>| AlertQuery {
        disposition_in,
        owner: owner.map(str::to_owned),
        ..AlertQuery::default()
    };
    assert_eq!(total(&catalog, of(vec![Disposition::FalsePositive], None)), wanted);
    assert_eq!(total(&catalog, of(vec![Disposition::TruePositive, Disposition::Test], None)), 0);
    assert_eq!(catalog.change_alerts(&query, &change, "ana", |_, _| panic!("changed")).unwrap(), 0);
    let assign = AlertChange { owner: Some("ben".into()), ..AlertChange::default() };
    let all = AlertQuery::default();
    assert_eq!(catalog.change_alerts(&all, &assign, "ana", |_, _| ()).unwrap(), 1203);
    let nobody = AlertChange { owner: Some(String::new()), ..AlertChange::default() };
    catalog.change_alert(&alerts[7].id, &nobody, "ben", None).unwrap();
    assert_eq!(total(&catalog, of(vec![], Some("ben"))), 1202);
    assert_eq!(total(&catalog, of(vec![], Some(""))), 1);
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let (_dir, catalog, alerts) = with(1);
    let tag = |tag: &str| AlertChange { add_tags: vec![tag.into()], ..AlertChange::default() };
    let comment = |text: String| AlertChange { comment: Some(text), ..AlertChange::default() };
    let many = (0..33).map(|number| format!("t{number}")).collect();
    let table = [
        (AlertChange::default(), "the change is empty"),
        (
            AlertChange { status: Some(AlertStatus::New), ..closed_as(Disposition::Test) },
            "a disposition closes the alert",
        ),
        (tag(" x"), "tag \" x\""),
        (tag("a,b"), "tag"),
        (tag(""), "tag"),
        (tag("a\nb"), "tag"),
        (tag(&"x".repeat(65)), "at most 64 bytes"),
        (AlertChange { owner: Some("a\u{7}".into()), ..AlertChange::default() }, "owner"),
        (AlertChange { add_tags: many, ..AlertChange::default() }, "at most 32 tags"),
        (comment("  ".into()), "the comment says nothing"),
        (comment("x".repeat(16 * 1024 + 1)), "at most 16384 bytes"),
    ];
    for (change, message) in table {
        match catalog.change_alert(&alerts[0].id, &change, "ana", None) {
            Err(CatalogError::BadRequest(reason)) => {
                assert!(reason.contains(message), "{reason:?} does not say {message:?}");
            }
            other => panic!("{change:?}: {other:?}"),
        }
    }
    assert!(catalog.change_alert(&alerts[0].id, &tag("x"), "", None).is_err(), "without a name");
    assert_eq!(catalog.alert(&alerts[0].id).unwrap().as_ref(), Some(&alerts[0]));
    assert!(catalog.activity(&alerts[0].id).unwrap().is_empty());
}

#[test]
fn a_file_of_the_first_schema_is_brought_up() {
    let dir = tempfile::tempdir().unwrap();
    let file = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    file.execute_batch(include_str!("../src/schema_1.sql")).unwrap();
    file.execute_batch(
        "CREATE TABLE schema_versions (version INTEGER PRIMARY KEY, applied TEXT NOT NULL
            DEFAULT '2026-11-01T00:00:00Z') STRICT;
         INSERT INTO schema_versions (version) VALUES (1);",
    )
    .unwrap();
    let alert = alert(3);
    let mut json = serde_json::to_value(&alert).unwrap();
    json.as_object_mut().unwrap().remove("triage").unwrap();
    file.execute(
        "INSERT INTO alerts VALUES (?1, 'r', 't', 47, 'new', 1, 5, 4, 0, '', 1, '', ?2)",
        [&alert.id.0, &json.to_string()],
    )
    .unwrap();
    drop(file);
    let catalog = Catalog::open(dir.path()).unwrap();
    assert_eq!(catalog.alert(&alert.id).unwrap().as_ref(), Some(&alert));
    let closed = catalog.change_alert(&alert.id, &closed_as(Disposition::Test), "ana", Some(1));
    assert_eq!(closed.unwrap().unwrap().triage.disposition, Some(Disposition::Test));
}

#[test]
fn a_change_of_many_is_taken_back_where_nobody_touched_it_since() {
    let (_dir, catalog, alerts) = with(3);
    let tagged = AlertChange {
        owner: Some("ben".into()),
        add_tags: vec!["old".into()],
        ..AlertChange::default()
    };
    catalog.change_alert(&alerts[0].id, &tagged, "ben", None).unwrap();
    let close = AlertChange {
        disposition: Some(Disposition::FalsePositive),
        owner: Some("ana".into()),
        add_tags: vec!["seen".into()],
        ..AlertChange::default()
    };
    let mut before = Vec::new();
    let all = AlertQuery::default();
    catalog.change_alerts(&all, &close, "ana", |_, was| before.push(was)).unwrap();
    assert_eq!(before.len(), 3);
    let comment = AlertChange { comment: Some("mine".into()), ..AlertChange::default() };
    catalog.change_alert(&alerts[2].id, &comment, "ben", None).unwrap();
    assert_eq!(catalog.restore_alerts(&before, "ana", |_| ()).unwrap(), 2);
    let now = |at: usize| catalog.alert(&alerts[at].id).unwrap().unwrap();
    assert_eq!((now(0).status, now(0).triage.disposition), (AlertStatus::New, None));
    assert_eq!((now(0).triage.owner.as_deref(), now(0).triage.tags.len()), (Some("ben"), 1));
    assert_eq!((now(1).triage.owner, now(1).triage.tags), (None, Vec::new()));
    assert_eq!(now(2).status, AlertStatus::Closed, "ben said something about it");
    assert_eq!(catalog.restore_alerts(&before, "ana", |_| ()).unwrap(), 0, "only once");
}
