//! Which alerts belong together, who is told of them, their timeline; how noisy rules are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use serde_json::json;
use tempfile::TempDir;
use tocsin_catalog::{AlertChange, AlertQuery, Catalog};
use tocsin_model::{
    Alert, AlertId, AlertStatus, Disposition, Notice, NoticeKind, RuleMeta, Severity, Timestamp,
};

const MINUTE: i64 = 60_000_000_000;

/// An alert of a rule, an address, a user and a host (empty: none), at a minute.
fn alert(id: u32, rule: &str, who: [&str; 3], minute: i64) -> Alert {
    let names = ["source.ip", "user.name", "host.name"];
    let fields = names.iter().zip(who).filter(|(_, value)| !value.is_empty());
    let at = Timestamp(minute * MINUTE);
    Alert {
        id: AlertId(format!("{id:032x}")),
        rule: RuleMeta { id: rule.to_owned(), title: rule.to_uppercase(), ..RuleMeta::default() },
        severity: Severity::Medium,
        group: Vec::new(),
        first_seen: at,
        last_seen: at,
        raised: at,
        count: 5,
        findings: 1,
        status: AlertStatus::New,
        triage: tocsin_model::Triage::default(),
        historical: false,
        reason: format!("reason {id}"),
        fields: fields.map(|(name, value)| ((*name).to_owned(), json!(value))).collect(),
        events: Vec::new(),
        matches: Vec::new(),
        version: 1,
    }
}

fn catalog() -> (TempDir, Catalog) {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path()).unwrap();
    (dir, catalog)
}

fn save(catalog: &Catalog, alerts: &[Alert]) -> Vec<Alert> {
    catalog.save_grouped(alerts, &[], &|_| false).unwrap()
}

fn incident_of(catalog: &Catalog, alert: &Alert) -> Option<u64> {
    save(catalog, std::slice::from_ref(alert))[0].triage.incident
}

#[test]
fn alerts_of_one_entity_or_campaign_are_one_incident() {
    let (_dir, catalog) = catalog();
    let table = [
        (alert(1, "brute", ["192.0.2.1", "root", "web"], 0), 1),
        // The same address elsewhere; the same user on the same host; the same rule and host.
        (alert(2, "scan", ["192.0.2.1", "", "db"], 10), 1),
        (alert(3, "sudo", ["", "root", "web"], 20), 1),
        (alert(4, "brute", ["192.0.2.9", "ana", "web"], 30), 1),
        // The same user on another host, the same rule on another host.
        (alert(5, "sudo", ["", "root", "mail"], 40), 2),
        (alert(6, "brute", ["192.0.2.33", "bob", "dns"], 50), 3),
        // Quiet for too long; and one that goes on for more than a day.
        (alert(7, "scan", ["192.0.2.33", "", "x"], 50 + 4 * 60 + 1), 4),
    ];
    for (alert, expected) in &table {
        assert_eq!(incident_of(&catalog, alert), Some(*expected), "{}", alert.reason);
    }
    for hour in 1..=24 {
        let alert =
            alert(100 + hour, "flood", ["198.51.100.1", "", ""], 10_000 + i64::from(hour) * 60);
        assert_eq!(incident_of(&catalog, &alert), Some(5), "{hour}");
    }
    let next = alert(200, "flood", ["198.51.100.1", "", ""], 10_000 + 26 * 60);
    assert_eq!(incident_of(&catalog, &next), Some(6));
    // What nobody is told of belongs nowhere.
    let historical = Alert { historical: true, ..alert(300, "brute", ["192.0.2.1", "", "web"], 5) };
    assert_eq!(incident_of(&catalog, &historical), None);
    let mut hidden = alert(301, "brute", ["192.0.2.1", "", "web"], 5);
    hidden.triage.exception = Some(1);
    assert_eq!(incident_of(&catalog, &hidden), None);
}

#[test]
fn people_are_told_once_an_incident_and_when_it_gets_worse() {
    let (_dir, catalog) = catalog();
    let told = |alert: &Alert, kind: NoticeKind| {
        let notice =
            |channel: &str| Notice { channel: channel.to_owned(), kind, alert: alert.clone() };
        let before = catalog.outbox_counts().unwrap().by_channel;
        let notices = [notice("mail"), notice("log")];
        catalog
            .save_grouped(std::slice::from_ref(alert), &notices, &|channel| channel == "mail")
            .unwrap();
        let after = catalog.outbox_counts().unwrap().by_channel;
        ["mail", "log"].map(|channel| {
            let of = |counts: &std::collections::BTreeMap<String, [u64; 3]>| {
                counts.get(channel).map_or(0, |counts| counts[0])
            };
            of(&after) - of(&before)
        })
    };
    let first = alert(1, "brute", ["192.0.2.1", "root", "web"], 0);
    assert_eq!(told(&first, NoticeKind::Raised), [1, 1]);
    // An epoch that is repeated after a crash tells nobody again.
    assert_eq!(told(&first, NoticeKind::Raised), [0, 0]);
    assert_eq!(told(&alert(2, "scan", ["192.0.2.1", "", "web"], 1), NoticeKind::Raised), [0, 1]);
    let mut worse = alert(3, "login", ["192.0.2.1", "root", "web"], 2);
    worse.severity = Severity::Critical;
    assert_eq!(told(&worse, NoticeKind::Raised), [1, 1]);
    let mut escalated = alert(2, "scan", ["192.0.2.1", "", "web"], 1);
    (escalated.severity, escalated.version) = (Severity::High, 2);
    assert_eq!(told(&escalated, NoticeKind::Escalated), [0, 1]);
    let item = &catalog.outbox_due_of("mail", Timestamp(i64::MAX), 9).unwrap()[0];
    assert_eq!(item.notice.alert.triage.incident, Some(1));
}

#[test]
fn a_flood_is_one_line() {
    let (_dir, catalog) = catalog();
    for id in 0..40 {
        let address = format!("192.0.2.{id}");
        save(&catalog, &[alert(id, "brute", [&address, "root", "web"], i64::from(id))]);
    }
    let mut last = alert(90, "login", ["192.0.2.7", "root", "web"], 90);
    last.severity = Severity::High;
    save(&catalog, &[last, alert(91, "brute", ["192.0.2.7", "root", "web"], 91)]);
    let (incidents, total) = catalog.incidents(&AlertQuery::default(), 0, 10).unwrap();
    assert_eq!(total, 1);
    let incident = &incidents[0];
    assert_eq!((incident.alerts, incident.events, incident.severity), (42, 210, Severity::High));
    assert_eq!((incident.title.as_str(), incident.status), ("LOGIN, 42 alerts of 2 rules", "open"));
    let entity = |field: &str, value: &str| (field.to_owned(), value.to_owned());
    assert!(incident.entities.contains(&entity("user", "root@web")), "{:?}", incident.entities);
    let lines = catalog.timeline(incident.id).unwrap();
    let shown: Vec<_> = lines.iter().map(|line| (line.title.as_str(), line.alerts)).collect();
    assert_eq!(shown, [("BRUTE", 40), ("LOGIN", 1), ("BRUTE", 1)]);
    assert_eq!(lines[0].ids.len(), 20);

    let closed =
        AlertChange { disposition: Some(Disposition::TruePositive), ..AlertChange::default() };
    let of = AlertQuery { incident: Some(incident.id), ..AlertQuery::default() };
    assert_eq!(catalog.change_alerts(&of, &closed, "ana", |_, _| {}).unwrap(), 42);
    assert_eq!(catalog.incident(incident.id).unwrap().unwrap().status, "closed");
    assert_eq!(catalog.incident(99).unwrap(), None);
    let open = AlertQuery { status: Some(AlertStatus::New), ..AlertQuery::default() };
    assert_eq!(catalog.incidents(&open, 0, 10).unwrap().1, 0);
    assert_eq!(catalog.incidents(&AlertQuery::default(), 1, 10).unwrap().0, []);
}

#[test]
fn noise_is_what_was_closed_as_harmless() {
    let (_dir, catalog) = catalog();
    for id in 0..60 {
        let rule = ["noisy", "good", "open"][id as usize % 3];
        save(&catalog, &[alert(id, rule, ["", "", ""], 0)]);
    }
    let mut hidden = alert(70, "good", ["", "", ""], 0);
    hidden.triage.exception = Some(1);
    save(&catalog, &[hidden]);
    for (rule, disposition) in
        [("noisy", Disposition::FalsePositive), ("good", Disposition::TruePositive)]
    {
        let change = AlertChange { disposition: Some(disposition), ..AlertChange::default() };
        let of = AlertQuery { rule: Some(rule.to_owned()), ..AlertQuery::default() };
        assert_eq!(catalog.change_alerts(&of, &change, "ana", |_, _| {}).unwrap(), 20);
    }
    let noise = catalog.noise(Timestamp(0)).unwrap();
    let shown: Vec<_> = noise
        .iter()
        .map(|rule| (rule.rule_id.as_str(), rule.alerts, rule.open, rule.hidden, rule.score))
        .collect();
    assert_eq!(shown, [("noisy", 20, 0, 0, 63), ("open", 20, 20, 0, 33), ("good", 20, 0, 1, 3)]);
    assert_eq!(noise[0].closed["false_positive"], 20);
    assert_eq!(catalog.noise(Timestamp(MINUTE)).unwrap(), []);
}
