//! Exceptions over the API: tried, confirmed, saved, listed, removed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{Answer, Rig, alert, now};
use serde_json::{Value as Json, json};
use tocsin_model::Severity;

async fn rig() -> Rig {
    let rig = Rig::new().await;
    let mut alerts: Vec<_> =
        (1..=20).map(|id| alert(id, Severity::High, &format!("192.0.2.{id}"), now())).collect();
    alerts[19].triage.exception = Some(7);
    rig.handle.catalog.save(&alerts, &[]).unwrap();
    rig
}

async fn post(rig: &Rig, path: &str, body: &Json) -> Answer {
    let body = body.to_string();
    rig.ask("POST", path, &[("content-type", "application/json")], body.as_bytes()).await
}

#[tokio::test]
async fn an_exception_is_tried_confirmed_listed_and_removed() {
    let rig = rig().await;
    assert_eq!(rig.get("/api/v1/alerts").await.json()["total"], 19);
    assert_eq!(rig.get("/api/v1/alerts?exception=7").await.json()["total"], 1);
    let body = |condition: &str, confirm: bool| {
        json!({
            "rule": "SSH brute force", "condition": condition, "reason": "our scanner",
            "owner": "ana", "expires": "30d", "confirm": confirm, "by": "ben",
        })
    };
    let some = body("source.ip: 192.0.2.0/29", false);
    let tried = post(&rig, "/api/v1/exceptions/preview", &some).await;
    assert_eq!(tried.status, 200, "{}", tried.text());
    let tried = tried.json();
    assert_eq!((&tried["alerts"], &tried["hidden"]), (&json!(19), &json!(7)));
    assert_eq!(tried["needs_confirmation"], false);
    assert_eq!(rig.get("/api/v1/exceptions").await.json(), json!({"exceptions": []}));

    let much = post(&rig, "/api/v1/exceptions", &body("source.ip: 192.0.2.0/24", false)).await;
    assert_eq!(much.status, 409, "{}", much.text());
    assert!(much.failure().contains("19 of 19 alerts"), "{}", much.text());
    assert_eq!(much.json()["error"]["details"]["hidden"], 19);

    let saved = post(&rig, "/api/v1/exceptions", &body("source.ip: 192.0.2.0/24", true)).await;
    assert_eq!(saved.status, 201, "{}", saved.text());
    let saved = saved.json();
    assert_eq!((&saved["rule"], &saved["state"]), (&json!("rule-1"), &json!("active")));
    assert_eq!((&saved["owner"], &saved["created_by"]), (&json!("ana"), &json!("ben")));
    let listed = rig.get("/api/v1/exceptions").await.json();
    assert_eq!(listed["exceptions"][0], saved);

    let one = format!("/api/v1/exceptions/{}", saved["id"]);
    let removed = rig.ask("DELETE", &format!("{one}?by=eva"), &[], b"").await.json();
    assert_eq!((&removed["state"], &removed["removed_by"]), (&json!("removed"), &json!("eva")));
    assert_eq!(rig.ask("DELETE", &one, &[], b"").await.status, 404);
    assert_eq!(rig.get("/api/v1/exceptions").await.json(), json!({"exceptions": []}));
    let all = rig.get("/api/v1/exceptions?all=true").await.json();
    assert_eq!(all["exceptions"][0]["state"], "removed");
    rig.stop().await;
}

#[tokio::test]
async fn allow_lists_are_exceptions_and_bad_ones_are_refused() {
    let rig = rig().await;
    let entry = json!({
        "allow": {"what": "network", "value": "198.51.100.0/24"}, "reason": "office", "owner": "ana",
    });
    let saved = post(&rig, "/api/v1/exceptions", &entry).await;
    assert_eq!(saved.status, 201, "{}", saved.text());
    assert_eq!(saved.json()["allow"], entry["allow"]);
    let table = [
        (
            json!({"condition": "source.ip: (", "reason": "x", "owner": "a"}),
            400,
            "a value is missing",
        ),
        (json!({"condition": "*", "reason": "x"}), 409, "hides every alert"),
        (json!({"condition": "user.name: x", "reason": "x"}), 400, "owner is missing"),
        (json!({"condition": "user.name: x", "owner": "a"}), 400, "reason is missing"),
        (json!({"rule": "none", "condition": "*"}), 400, "no rule in force"),
        (json!({"allow": {"what": "network", "value": "10/8"}}), 400, "neither an address"),
        (json!({"query": "x"}), 400, "unknown field `query`"),
        (json!({}), 400, "give condition or allow"),
    ];
    for (body, status, part) in table {
        let answer = post(&rig, "/api/v1/exceptions", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.failure().contains(part), "{body}: {}", answer.text());
    }
    let place =
        post(&rig, "/api/v1/exceptions/preview", &json!({"condition": "user.name: (a"})).await;
    assert!(place.json()["error"]["start"].is_number(), "{}", place.text());
    for (target, status) in
        [("/api/v1/exceptions?all=maybe", 400), ("/api/v1/alerts?exception=x", 400)]
    {
        assert_eq!(rig.get(target).await.status, status, "{target}");
    }
    assert_eq!(rig.ask("DELETE", "/api/v1/exceptions/x", &[], b"").await.status, 404);
    rig.stop().await;
}
