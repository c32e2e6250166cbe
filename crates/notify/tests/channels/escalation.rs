//! Who is told when nobody acknowledges.

use std::time::Duration;

use serde_json::json;
use tocsin_model::{Alert, AlertStatus, NoticeKind, Severity, Timestamp};
use tocsin_notify::Notifier;

use crate::support::{WatchedOutbox, alert, at, config};

fn notifier(steps: serde_json::Value) -> Result<Notifier, String> {
    let dir = tempfile::tempdir().unwrap();
    let channels = json!({
        "team": {"type": "stdout"},
        "pager": {"type": "stdout", "route": {"each": "unacknowledged"}},
    });
    let config = config(json!({"channels": channels, "escalation": steps}));
    let outbox = WatchedOutbox::open(dir.path());
    Notifier::new(&config, dir.path(), outbox).map_err(|error| error.to_string())
}

/// Channel and alert of the notices that are due so many minutes after the alerts.
fn due(notifier: &Notifier, alerts: &[Alert], minutes: i64) -> Vec<(String, String)> {
    let now = Timestamp(at(9).0 + minutes * 60_000_000_000);
    let notices = notifier.unacknowledged(alerts, now);
    assert!(notices.iter().all(|notice| notice.kind == NoticeKind::Unacknowledged));
    notices.into_iter().map(|notice| (notice.channel, notice.alert.id.0)).collect()
}

fn of_incident(number: u32, incident: u64) -> Alert {
    let mut alert = alert(number, Severity::High);
    alert.triage.incident = Some(incident);
    alert.raised = alert.raised.plus(Duration::from_millis(u64::from(number)));
    alert
}

#[test]
fn steps_are_taken_until_somebody_acknowledges() {
    let notifier = notifier(json!([
        {"after_minutes": 10, "channel": "team"},
        {"after_minutes": 30, "channel": "pager", "min_severity": "critical"},
    ]))
    .unwrap();
    assert_eq!(notifier.escalates_within(), Some(Duration::from_secs(90 * 60)));
    let (high, worst) = (alert(1, Severity::High), alert(2, Severity::Critical));
    let all = [high.clone(), worst.clone(), alert(3, Severity::Medium)];
    let both = |channel: &str| {
        vec![(channel.to_owned(), high.id.0.clone()), (channel.to_owned(), worst.id.0.clone())]
    };
    assert_eq!(due(&notifier, &all, 9), []);
    let mut told = due(&notifier, &all, 11);
    told.sort();
    let mut expected = both("team");
    expected.sort();
    assert_eq!(told, expected);
    let told = due(&notifier, &all, 31);
    assert!(told.contains(&("pager".to_owned(), worst.id.0.clone())), "{told:?}");
    assert!(!told.contains(&("pager".to_owned(), high.id.0.clone())), "{told:?}");
    // What is as old as that is nobody's emergency any more.
    assert_eq!(due(&notifier, &all, 24 * 60), []);
    for change in [
        |alert: &mut Alert| alert.status = AlertStatus::Acknowledged,
        |alert: &mut Alert| alert.status = AlertStatus::Closed,
        |alert: &mut Alert| alert.triage.owner = Some("ana".into()),
        |alert: &mut Alert| alert.historical = true,
        |alert: &mut Alert| alert.triage.exception = Some(1),
    ] {
        let mut handled = high.clone();
        change(&mut handled);
        assert_eq!(due(&notifier, &[handled], 31), []);
    }
}

#[test]
fn an_incident_is_one_notice_and_in_good_hands_when_one_of_its_alerts_is() {
    let notifier = notifier(json!([{"after_minutes": 10, "channel": "pager"}])).unwrap();
    let all = [of_incident(2, 7), of_incident(1, 7), of_incident(3, 8)];
    let told = due(&notifier, &all, 11);
    let expected =
        [("pager".to_owned(), all[1].id.0.clone()), ("pager".to_owned(), all[2].id.0.clone())];
    assert_eq!(told, expected);
    let mut seen = all.clone();
    seen[0].status = AlertStatus::Acknowledged;
    assert_eq!(due(&notifier, &seen, 11), [("pager".to_owned(), all[2].id.0.clone())]);
}

#[test]
fn conditions_count_and_a_channel_may_be_there_for_nothing_else() {
    let steps = json!([
        {"after_minutes": 10, "channel": "pager", "when": "source.ip: 198.51.0.1"},
    ]);
    let notifier = notifier(steps).unwrap();
    let all = [alert(1, Severity::High), alert(2, Severity::High)];
    assert_eq!(due(&notifier, &all, 11), [("pager".to_owned(), all[0].id.0.clone())]);
    let usual = notifier.notices(&all[0], NoticeKind::Raised, at(9));
    let usual: Vec<&str> = usual.iter().map(|notice| notice.channel.as_str()).collect();
    assert_eq!(usual, ["log", "team"]);
}

#[test]
fn steps_that_make_no_sense_are_refused() {
    for (steps, expected) in [
        (json!([{"after_minutes": 1, "channel": "boss"}]), "there is no channel \"boss\""),
        (
            json!([{"after_minutes": 1, "channel": "team"}, {"after_minutes": 2, "channel": "team"}]),
            "escalation[1]: channel team stands in two steps",
        ),
        (json!([{"after_minutes": 99999, "channel": "team"}]), "at most"),
        (json!([{"after_minutes": 1, "channel": "team", "when": "a:("}]), "escalation[0]: when"),
    ] {
        let error = notifier(steps).err().unwrap();
        assert!(error.contains(expected), "{error}");
    }
}
