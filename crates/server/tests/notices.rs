//! Deliveries that were given up, over the API: listed, tried again; channels tried out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod common;

use common::{Answer, Rig, alert, now};
use serde_json::{Value as Json, json};
use tocsin_model::{Notice, NoticeKind, Severity};
use tocsin_notify::NotifyConfig;

async fn post(rig: &Rig, path: &str, body: &Json) -> Answer {
    let body = body.to_string();
    rig.ask("POST", path, &[("content-type", "application/json")], body.as_bytes()).await
}

#[tokio::test]
async fn what_was_given_up_is_listed_and_tried_again() {
    let rig = Rig::with(|config| {
        let text = json!({"channels": {
            // Nobody listens there.
            "ops": {"type": "webhook", "url": "http://127.0.0.1:1/hook/secret-part"},
        }});
        config.notify = serde_json::from_value::<NotifyConfig>(text).unwrap();
    })
    .await;
    let catalog = rig.handle.catalog.clone();
    let alert = alert(1, Severity::High, "192.0.2.1", now());
    let notice = |channel: &str| Notice {
        channel: channel.to_owned(),
        kind: NoticeKind::Raised,
        alert: alert.clone(),
    };
    catalog.save(&[], &[notice("ops"), notice("log")]).unwrap();
    let keys: Vec<String> =
        catalog.outbox_list(None, 10).unwrap().into_iter().map(|item| item.key).collect();
    catalog.outbox_dead_all(&keys, "404: no such hook").unwrap();

    let dead = rig.get("/api/v1/notices/dead").await.json();
    assert_eq!(dead["total"], 2);
    let ops = rig.get("/api/v1/notices/dead?channel=ops").await.json();
    assert_eq!(
        (&ops["total"], &ops["notices"][0]["answer"]),
        (&json!(1), &json!("404: no such hook"))
    );
    assert_eq!(ops["notices"][0]["title"], "SSH brute force");
    let none = post(&rig, "/api/v1/notices/retry", &json!({"keys": ["no such key"]})).await;
    assert_eq!(none.json(), json!({"retried": 0}));
    let some = post(&rig, "/api/v1/notices/retry", &json!({"channel": "ops"})).await;
    assert_eq!(some.json(), json!({"retried": 1}));
    let item = &catalog.outbox_due_of("ops", now(), 10).unwrap()[0];
    assert_eq!((item.attempts, item.notice.alert.id.clone()), (0, alert.id.clone()));
    assert_eq!(rig.get("/api/v1/notices/dead").await.json()["total"], 1);

    let wrong = post(&rig, "/api/v1/notices/retry", &json!({"channel": "opps"})).await;
    assert!(wrong.status == 400 && wrong.failure().contains("opps"), "{}", wrong.text());
    let tried = post(&rig, "/api/v1/channels/ops/test", &json!({})).await.json();
    assert_eq!(tried["delivered"], false);
    let answer = tried["answer"].as_str().unwrap();
    assert!(answer.contains("refused") && !answer.contains("secret-part"), "{answer}");
    let unknown = post(&rig, "/api/v1/channels/opps/test", &json!({})).await;
    assert!(unknown.status == 404 && unknown.failure().contains("log, ops"), "{}", unknown.text());
    rig.stop().await;
}
