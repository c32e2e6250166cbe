//! What people do to alerts over the API: one by one, many at once, with their history.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{Answer, Rig, alert, now};
use serde_json::{Value as Json, json};
use tocsin_engine::Live;
use tocsin_model::{AlertStatus, Contribution, EventId, FieldId, Severity};

async fn rig() -> Rig {
    let rig = Rig::new().await;
    let alerts = [
        alert(1, Severity::High, "192.0.2.1", now()),
        alert(2, Severity::Critical, "192.0.2.1", now()),
        alert(3, Severity::Low, "198.51.100.7", now()),
    ];
    rig.handle.catalog.save(&alerts, &[]).unwrap();
    rig
}

async fn send(rig: &Rig, method: &str, path: &str, body: &Json) -> Answer {
    let body = body.to_string();
    rig.ask(method, path, &[("content-type", "application/json")], body.as_bytes()).await
}

fn one(id: u32) -> String {
    format!("/api/v1/alerts/{id:032x}")
}

#[tokio::test]
async fn an_alert_is_acknowledged_closed_and_told_of() {
    let rig = rig().await;
    let mut live = rig.handle.live.subscribe();
    let seen = send(
        &rig,
        "PATCH",
        &one(1),
        &json!({"status": "acknowledged", "owner": "ana", "version": 1, "by": "ana"}),
    )
    .await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    let core = &seen.json()["tocsin"]["alert"];
    assert_eq!((&core["status"], &core["owner"]), (&json!("acknowledged"), &json!("ana")));
    let Live::Alert(told) = live.recv().await.unwrap();
    assert_eq!((told.status, told.version), (AlertStatus::Acknowledged, 2));
    let late = send(
        &rig,
        "PATCH",
        &one(1),
        &json!({"disposition": "false_positive", "version": 1, "by": "ben"}),
    )
    .await;
    assert_eq!(late.status, 409);
    assert!(late.failure().contains("changed by ana"), "{}", late.text());
    let closed = send(
        &rig,
        "PATCH",
        &one(1),
        &json!({"disposition": "false_positive", "comment": "our <b>scanner</b>", "version": 2}),
    )
    .await;
    let core = closed.json()["tocsin"]["alert"].clone();
    assert_eq!(
        (&core["status"], &core["disposition"]),
        (&json!("closed"), &json!("false_positive"))
    );
    let history = rig.get(&format!("{}/activity", one(1))).await.json();
    let entries = history["activity"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!((&entries[0]["who"], &entries[1]["who"]), (&json!("ana"), &json!("somebody")));
    assert_eq!(entries[1]["comment"], "our <b>scanner</b>");
    let steps = json!([
        {"what": "status", "from": "acknowledged", "to": "closed"},
        {"what": "disposition", "from": null, "to": "false_positive"},
    ]);
    assert_eq!(entries[1]["steps"], steps);
    for (filter, total) in [
        ("status=closed", 1),
        ("status=new", 2),
        ("disposition=false_positive,test", 1),
        ("disposition=duplicate", 0),
        ("owner=ana", 1),
        ("owner=-", 2),
    ] {
        let page = rig.get(&format!("/api/v1/alerts?{filter}")).await.json();
        assert_eq!(page["total"], total, "{filter}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn many_alerts_are_changed_by_query() {
    let rig = rig().await;
    let change =
        json!({"query": {"q": "192.0.2.1"}, "change": {"disposition": "duplicate", "by": "ana"}});
    let answer = send(&rig, "POST", "/api/v1/alerts/change", &change).await;
    let done = answer.json();
    assert_eq!(done["changed"], 2, "{done}");
    let again = send(&rig, "POST", "/api/v1/alerts/change", &change).await;
    assert_eq!(again.json(), json!({"changed": 0, "undo": null}));
    assert_eq!(rig.get("/api/v1/alerts?status=closed").await.json()["total"], 2);
    send(&rig, "PATCH", &one(1), &json!({"comment": "wait", "by": "ben"})).await;
    let undo = json!({"undo": done["undo"], "by": "ana"});
    let undone = send(&rig, "POST", "/api/v1/alerts/undo", &undo).await;
    assert_eq!(undone.json(), json!({"restored": 1, "left": 1}), "ben said something since");
    assert_eq!(rig.get("/api/v1/alerts?status=closed").await.json()["total"], 1);
    let twice = send(&rig, "POST", "/api/v1/alerts/undo", &undo).await;
    assert_eq!(twice.status, 404);
    rig.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_or_comes_from_elsewhere_is_refused() {
    let rig = rig().await;
    let table = [
        (one(1), json!({}), 400, "the change is empty"),
        (one(1), json!({"status": "open"}), 400, "unknown status"),
        (one(1), json!({"disposition": "nice"}), 400, "use true_positive"),
        (one(1), json!({"state": "new"}), 400, "unknown field `state`"),
        (one(1), json!({"comment": " "}), 400, "says nothing"),
        (one(1), json!({"comment": "x", "by": "a,b"}), 400, "without commas"),
        (one(1), json!([]), 400, "not as described"),
        (one(9), json!({"status": "closed"}), 404, "no alert has the id"),
    ];
    for (path, body, status, message) in table {
        let answer = send(&rig, "PATCH", &path, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.failure().contains(message), "{body}: {}", answer.text());
    }
    let good = br#"{"status":"closed"}"#;
    for (headers, status) in [
        (vec![("content-type", "text/plain")], 415),
        (vec![], 415),
        (vec![("content-type", "application/json"), ("origin", "http://evil.example")], 403),
        (vec![("content-type", "application/json"), ("sec-fetch-site", "cross-site")], 403),
    ] {
        let answer = rig.ask("PATCH", &one(1), &headers, good).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
    let long = json!({"comment": "x".repeat(70_000)});
    assert_eq!(send(&rig, "PATCH", &one(1), &long).await.status, 413);
    for (body, message) in [
        (
            json!({"query": {"state": "new"}, "change": {"status": "closed"}}),
            "unknown field `state`",
        ),
        (json!({"query": {"status": "x"}, "change": {"status": "closed"}}), "unknown status"),
        (json!({"query": {}, "change": {"status": "closed", "version": 1}}), "takes no version"),
        (json!({"change": {"status": "closed"}}), "missing field `query`"),
    ] {
        let answer = send(&rig, "POST", "/api/v1/alerts/change", &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.failure().contains(message), "{body}: {}", answer.text());
    }
    assert_eq!(rig.get(&format!("{}/activity", one(9))).await.status, 404);
    assert_eq!(rig.get("/api/v1/alerts?status=new").await.json()["total"], 3);
    assert_eq!(rig.get("/api/v1/alerts?disposition=x").await.status, 400);
    rig.stop().await;
}

#[tokio::test]
async fn a_list_is_counted_grouped_and_read_from_the_middle() {
    let rig = rig().await;
    let facets = rig.get("/api/v1/alerts/facets?severity=high,critical&group=rule").await.json();
    assert_eq!(facets["total"], 2, "{facets}");
    let of = |name: &str| facets["facets"][name].clone();
    assert_eq!(of("source"), json!([{"value": "192.0.2.1", "count": 2}]));
    assert_eq!(of("severity").as_array().unwrap().len(), 3, "as if no severity were asked for");
    assert_eq!(facets["titles"], json!({"rule-1": "SSH brute force"}));
    let group = &facets["groups"][0];
    assert_eq!((&group["query"], &group["alerts"]), (&json!({"rule": "rule-1"}), &json!(2)));
    let drawn = facets["series"].as_array().unwrap().iter();
    assert_eq!(drawn.filter_map(|one| one["by_severity"]["high"].as_u64()).sum::<u64>(), 1);
    for (target, total, shown) in [
        ("source=198.51.100.7", 1, 1),
        ("source=-", 0, 0),
        ("skip=2&limit=50", 3, 1),
        (&format!("id={:032x},{:032x}", 1, 3), 2, 2),
        ("tactic=discovery", 0, 0),
        ("not=source:198.51.100.7", 2, 2),
        ("not=source:198.51.100.7%0Asource:192.0.2.1", 0, 0),
        ("not=user:-", 0, 0),
    ] {
        let page = rig.get(&format!("/api/v1/alerts?lines=false&{target}")).await.json();
        assert_eq!(page["total"], total, "{target}");
        assert_eq!(page["alerts"].as_array().unwrap().len(), shown, "{target}");
    }
    for wrong in
        ["alerts/facets?group=colour", "alerts?lines=no", "alerts?skip=x", "alerts?not=colour:x"]
    {
        assert_eq!(rig.get(&format!("/api/v1/{wrong}")).await.status, 400, "{wrong}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn an_alert_tells_the_conditions_with_their_values() {
    let rig = rig().await;
    let mut event = common::login(7, now(), "192.0.2.1", "failure", Some(1));
    event.push_str(FieldId::intern("event.dataset").unwrap(), "openssh.sshd");
    rig.handle.store.append(&[event.clone()]).unwrap();
    rig.handle.store.commit("{}").unwrap();
    let mut raised = alert(9, Severity::High, "192.0.2.1", now());
    raised.rule.id = "login_brute_force".to_owned();
    raised.count = 12;
    let contribution = |rule: &str, event_id| Contribution {
        event_id,
        time: now(),
        rule_id: rule.into(),
        line: "a login".into(),
    };
    let gone = EventId { stream: 5, offset: 5 };
    raised.events = vec![
        contribution("brute_force_failure", event.id),
        contribution("brute_force_failure", event.id),
        contribution("no-such-rule", gone),
    ];
    rig.handle.catalog.save(&[raised], &[]).unwrap();
    let why = rig.get(&format!("{}/why", one(9))).await.json();
    assert_eq!((&why["in_force"], &why["counted"]), (&json!(true), &json!(12.0)), "{why}");
    assert_eq!(why["takes"]["kind"], "value_sum", "{why}");
    let parts = why["parts"].as_array().unwrap();
    assert_eq!((&parts[0]["events"], &parts[0]["stored"]), (&json!(2), &json!(true)), "{why}");
    assert!(parts[0]["explanation"]["condition"].to_string().contains("event.outcome"), "{why}");
    assert_eq!((&parts[1]["stored"], &parts[1]["explanation"]), (&json!(false), &Json::Null));
    assert_eq!(rig.get(&format!("{}/why", one(99))).await.status, 404);
    rig.stop().await;
}
