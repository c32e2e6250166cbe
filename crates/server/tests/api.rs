//! What the API answers, over a real store and catalog.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Rig, alert, login, now};
use serde_json::{Value as Json, json};
use tocsin_collect::DropReason;
use tocsin_engine::handle::Ledger;
use tocsin_model::{EventId, Notice, NoticeKind, Severity};

/// Three alerts and six logins of the last minutes.
async fn busy_rig() -> Rig {
    let rig = Rig::new().await;
    let at = now();
    let ago = |seconds| at.minus(Duration::from_secs(seconds));
    let alerts = [
        alert(1, Severity::High, "192.0.2.1", ago(60)),
        alert(2, Severity::Critical, "192.0.2.1", ago(30)),
        alert(3, Severity::Low, "198.51.100.7", ago(7200)),
    ];
    rig.handle.catalog.save(&alerts, &[]).unwrap();
    let events = [
        login(1, ago(60), "192.0.2.1", "failure", Some(1)),
        login(2, ago(59), "192.0.2.1", "failure", Some(4)),
        login(3, ago(59), "192.0.2.1", "failure", Some(0)),
        login(4, ago(58), "192.0.2.1", "success", None),
        login(5, ago(57), "203.0.113.9", "failure", None),
        login(6, ago(7200), "198.51.100.7", "failure", None),
    ];
    rig.handle.store.append(&events).unwrap();
    rig.handle.store.commit("{}").unwrap();
    rig
}

fn sum(series: &Json, key: &str) -> u64 {
    series.as_array().unwrap().iter().map(|point| point[key].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn the_overview_sums_up_the_range() {
    let rig = busy_rig().await;
    let short = rig.get("/api/v1/overview?last=15m").await.json();
    assert_eq!(short["range"]["bucket_seconds"], 15);
    assert_eq!(short["events"]["total"], 5);
    assert_eq!(sum(&short["events"]["series"], "count"), 5);
    assert_eq!(short["events"]["series"].as_array().unwrap().len(), 60);
    assert_eq!(short["events"]["series"][0]["t"], short["range"]["from"]);
    assert_eq!(short["alerts"]["total"], 2);
    assert_eq!(
        short["alerts"]["by_severity"],
        json!({"critical": 1, "high": 1, "medium": 0, "low": 0, "informational": 0})
    );
    let by_rule = json!([{"rule_id": "rule-1", "title": "SSH brute force", "count": 2}]);
    assert_eq!(short["alerts"]["by_rule"], by_rule);
    let alerts = &short["alerts"]["series"];
    assert_eq!((sum(alerts, "critical"), sum(alerts, "high"), sum(alerts, "low")), (1, 1, 0));
    assert_eq!(alerts.as_array().unwrap().len(), 60);
    // One event says that it stands for four attempts, one that it stands for none.
    let logins = &short["logins"]["series"];
    assert_eq!((sum(logins, "failed"), sum(logins, "succeeded")), (6, 1));
    let sources = json!([
        {"value": "192.0.2.1", "events": 4, "alerts": 2},
        {"value": "203.0.113.9", "events": 1, "alerts": 0}
    ]);
    assert_eq!(short["top_sources"], sources);
    assert_eq!(short["newest_alerts"][0]["tocsin"]["alert"]["severity"], "critical");
    assert_eq!(short["newest_alerts"].as_array().unwrap().len(), 2);

    let day = rig.get("/api/v1/overview").await.json();
    assert_eq!((&day["events"]["total"], &day["alerts"]["total"]), (&json!(6), &json!(3)));
    assert_eq!(day["alerts"]["series"].as_array().unwrap().len(), 96);
    rig.stop().await;
}

#[tokio::test]
async fn alerts_are_filtered_sorted_and_paged() {
    let rig = busy_rig().await;
    let total: &[(&str, u64)] = &[
        ("", 3),
        ("?severity=&status=&limit=", 3),
        ("?severity=high,critical", 2),
        ("?severity=High", 1),
        ("?min_severity=high", 2),
        ("?status=new", 3),
        ("?status=acknowledged,closed", 0),
        ("?rule=rule-1", 3),
        ("?rule=SSH%20brute%20force", 3),
        ("?rule=other", 0),
        ("?q=198.51.100.7", 1),
        ("?q=FAILED", 3),
        ("?last=1h", 2),
        ("?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z", 0),
        ("?historical=true", 0),
        ("?limit=0", 3),
    ];
    for (query, wanted) in total {
        for base in ["/api/v1/alerts", "/alerts"] {
            let answer = rig.get(&format!("{base}{query}")).await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.text());
            assert_eq!(answer.json()["total"], *wanted, "{base}{query}");
        }
    }
    // Counts for the choice of a severity: every other part of the filter holds.
    let every = json!({"critical": 1, "high": 1, "medium": 0, "low": 1, "informational": 0});
    let none = json!({"critical": 0, "high": 0, "medium": 0, "low": 0, "informational": 0});
    let one = json!({"critical": 0, "high": 0, "medium": 0, "low": 1, "informational": 0});
    for (query, wanted) in [
        ("", &every),
        ("?severity=high&limit=0", &every),
        ("?min_severity=critical", &every),
        ("?severity=high&status=closed", &none),
        ("?severity=high&q=198.51.100.7", &one),
    ] {
        let page = rig.get(&format!("/alerts{query}")).await.json();
        assert_eq!(page["by_severity"], *wanted, "{query}");
    }
    let first = rig.get("/api/v1/alerts?order=severity&limit=2").await.json();
    let severity =
        |page: &Json, at: usize| page["alerts"][at]["tocsin"]["alert"]["severity"].clone();
    assert_eq!((severity(&first, 0), severity(&first, 1)), (json!("critical"), json!("high")));
    let next = first["next"].as_str().unwrap();
    let second = rig.get(&format!("/api/v1/alerts?order=severity&limit=2&cursor={next}")).await;
    assert_eq!(severity(&second.json(), 0), "low");
    assert_eq!(second.json()["next"], Json::Null);
    for base in ["/api/v1/alerts", "/alerts"] {
        let one = rig.get(&format!("{base}/{:032x}", 2)).await;
        assert_eq!(one.json()["tocsin"]["alert"]["group"]["source.ip"], "192.0.2.1");
        let none = rig.get(&format!("{base}/nothing")).await;
        assert_eq!(none.status, 404);
        assert!(none.failure().contains("\"nothing\""));
    }
    rig.stop().await;
}

#[tokio::test]
async fn events_are_found() {
    let rig = busy_rig().await;
    let page = rig.get("/api/v1/events?last=1h&limit=2").await.json();
    assert_eq!((&page["total"], &page["partial"]), (&json!(5), &json!(false)));
    assert_eq!(page["events"].as_array().unwrap().len(), 2);
    let next = page["next"].as_str().unwrap();
    let second = rig.get(&format!("/api/v1/events?last=1h&limit=9&cursor={next}")).await.json();
    assert_eq!(second["events"].as_array().unwrap().len(), 3);
    let id = EventId { stream: 1, offset: 4 };
    let one = rig.get(&format!("/api/v1/events/{id}")).await.json();
    assert_eq!(one["event"]["outcome"], "success");
    let none = rig.get(&format!("/api/v1/events/{}", EventId { stream: 9, offset: 9 })).await;
    assert_eq!(none.status, 404);
    none.failure();
    rig.stop().await;
}

#[tokio::test]
async fn queries_are_understood_and_wrong_ones_name_the_place() {
    let rig = busy_rig().await;
    let found = rig.get("/api/v1/events?q=event.outcome:%20success").await.json();
    assert_eq!(found["total"], 1);
    let wrong = rig.get("/api/v1/events?q=event.outcome:%20(success").await;
    assert_eq!(wrong.status, 400);
    wrong.failure();
    let error = &wrong.json()["error"];
    assert!(error["start"].is_u64() && error["end"].is_u64(), "{error}");
    rig.stop().await;
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let rig = Rig::new().await;
    let cases = [
        ("/api/v1/overview?last=2h", "15m, 1h, 24h or 7d"),
        ("/api/v1/overview?lst=1h", "lst"),
        ("/api/v1/alerts?severity=urgent", "urgent"),
        ("/alerts?severity=high,,urgent", "urgent"),
        ("/api/v1/alerts?min_severity=low,high", "min_severity"),
        ("/api/v1/alerts?status=open", "open"),
        ("/api/v1/alerts?limit=1001", "1000"),
        ("/api/v1/alerts?limit=-1", "-1"),
        ("/api/v1/alerts?from=yesterday", "from"),
        ("/api/v1/alerts?last=1h&from=2026-01-01T00:00:00Z", "either last"),
        ("/api/v1/alerts?order=random", "order"),
        ("/api/v1/alerts?historical=maybe", "historical"),
        ("/api/v1/alerts?cursor=x", "cursor"),
        ("/api/v1/alerts?severty=high", "severty"),
        ("/api/v1/alerts?severity=high&severity=low", "severity"),
        ("/api/v1/events?limit=1001", "1000"),
        ("/api/v1/events/zz", "32 hexadecimal"),
        ("/api/v1/alerts/%FF%FE", ""),
        ("/api/v1/events?cursor=%00", ""),
    ];
    for (target, says) in cases {
        let answer = rig.get(target).await;
        assert_eq!(answer.status, 400, "{target}: {}", answer.text());
        assert!(answer.failure().contains(says), "{target}: {}", answer.text());
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_status_says_what_was_received_stored_and_dropped() {
    let rig = busy_rig().await;
    let input = rig.handle.inputs.input("file:/var/log/auth.log");
    input.received(10, 500, now());
    input.dropped(DropReason::Oversize, 2);
    rig.handle.inputs.input("http").dropped(DropReason::Refused, 3);
    rig.handle.progress.stored.store(9, Ordering::Relaxed);
    rig.handle.progress.lag_ms.store(12, Ordering::Relaxed);
    let ledger = Ledger { received: 10, stored: 9 };
    let name = "file:/var/log/auth.log".to_owned();
    rig.handle.progress.set_ledgers(&[(name, ledger)].into());
    let status = rig.get("/status").await.json();
    let events = &status["events"];
    assert_eq!((&events["received"], &events["stored"]), (&json!(13), &json!(9)));
    assert_eq!((&events["dropped"], &events["lag_ms"]), (&json!(3), &json!(12)));
    let file = &status["inputs"][0];
    assert_eq!(
        (&file["received"], &file["stored"], &file["lost"]),
        (&json!(10), &json!(9), &json!(0))
    );
    assert_eq!(file["dropped"], json!({"oversize": 2}));
    assert!(file["last_event"].is_string());
    assert_eq!(status["inputs"][1]["dropped"], json!({"refused": 3}));
    assert_eq!(status["alerts"]["by_rule"], json!({"SSH brute force": 3}));
    assert_eq!(status["alerts"]["by_severity"]["critical"], 1);
    assert_eq!(status["rules"], json!({"loaded": 1, "refused": 0}));
    assert_eq!((&status["store"]["documents"], &status["problem"]), (&json!(6), &Json::Null));
    rig.stop().await;
}

#[tokio::test]
async fn channels_are_shown_with_what_waits_for_them() {
    let rig = Rig::with(|config| {
        let hook = json!({"type": "webhook", "url": "http://127.0.0.1:9/"});
        let hook = serde_json::from_value(hook).unwrap();
        config.notify.channels.insert("hook".to_owned(), hook);
    })
    .await;
    let about = alert(1, Severity::High, "192.0.2.1", now());
    let notice =
        Notice { channel: "gone".to_owned(), kind: NoticeKind::Raised, alert: about.clone() };
    rig.handle.catalog.save(&[about], &[notice]).unwrap();
    let status = rig.get("/status").await.json();
    let channels = status["channels"].as_array().unwrap();
    let of = |name: &str| channels.iter().find(|channel| channel["name"] == name).unwrap();
    assert_eq!((&of("gone")["pending"], &of("hook")["pending"]), (&json!(1), &json!(0)));
    assert_eq!(of("hook")["problem"], Json::Null);
    let metrics = rig.get("/metrics").await.text();
    assert!(metrics.contains("tocsin_notices{channel=\"gone\",state=\"pending\"} 1\n"));
    rig.stop().await;
}

#[tokio::test]
async fn a_problem_shows_in_health_and_status() {
    let rig = Rig::new().await;
    for path in ["/health", "/api/v1/health"] {
        assert_eq!(rig.get(path).await.json(), json!({"status": "ok"}));
    }
    rig.handle.progress.set_problem(Some("the disk is full; free space".to_owned()));
    for path in ["/health", "/api/v1/health"] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.failure(), "the disk is full; free space");
    }
    assert_eq!(rig.get("/status").await.json()["problem"], "the disk is full; free space");
    rig.stop().await;
}

#[tokio::test]
async fn rules_are_listed() {
    let rig = Rig::new().await;
    let rules = rig.get("/api/v1/rules").await.json();
    assert_eq!(rules["total"], 1);
    assert_eq!(rules["rules"][0]["techniques"], json!(["T1110.001"]));
    assert_eq!(rules["rules"][0]["severity"], "high");
    rig.stop().await;
}

#[tokio::test]
async fn metrics_are_what_prometheus_reads() {
    let rig = busy_rig().await;
    rig.handle.inputs.input("file:/tmp/a\"b\\c\nd").received(2, 20, now());
    let answer = rig.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let escaped = "tocsin_events_received_total{input=\"file:/tmp/a\\\"b\\\\c\\nd\"} 2\n";
    assert!(text.contains(escaped), "{text}");
    let raised =
        "tocsin_alerts_total{rule=\"SSH brute force\",rule_id=\"rule-1\",severity=\"high\"} 3\n";
    assert!(text.contains(raised), "{text}");
    let mut families = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let words: Vec<&str> = about.splitn(3, ' ').collect();
            assert!(matches!(words[0], "HELP" | "TYPE") && words.len() == 3, "{line}");
            if words[0] == "TYPE" {
                assert!(families.insert(words[1].to_owned()), "{line} twice");
                assert!(matches!(words[2], "counter" | "gauge"), "{line}");
                assert_eq!(words[2] == "counter", words[1].ends_with("_total"), "{line}");
            }
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(families.contains(name), "{line} has no type");
            line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        }
    }
    rig.stop().await;
}

/// Every path there is.
const PATHS: &[&str] = &[
    "/api/v1/alerts",
    "/api/v1/alerts/change",
    "/api/v1/alerts/facets",
    "/api/v1/alerts/undo",
    "/api/v1/alerts/{id}",
    "/api/v1/alerts/{id}/activity",
    "/api/v1/alerts/{id}/why",
    "/api/v1/audit",
    "/api/v1/backtests",
    "/api/v1/backtests/{id}",
    "/api/v1/bans",
    "/api/v1/bans/{id}",
    "/api/v1/bans/{id}/activity",
    "/api/v1/channels/{name}/test",
    "/api/v1/context",
    "/api/v1/context/addresses/{ip}",
    "/api/v1/dashboards",
    "/api/v1/events",
    "/api/v1/events/{id}",
    "/api/v1/exceptions",
    "/api/v1/exceptions/preview",
    "/api/v1/exceptions/{id}",
    "/api/v1/fields",
    "/api/v1/fields/{name}/values",
    "/api/v1/health",
    "/api/v1/incidents",
    "/api/v1/incidents/{id}",
    "/api/v1/ingest",
    "/api/v1/intel",
    "/api/v1/intel/feeds/{name}/fetch",
    "/api/v1/intel/hunts",
    "/api/v1/intel/indicators",
    "/api/v1/me",
    "/api/v1/notices/dead",
    "/api/v1/notices/retry",
    "/api/v1/overview",
    "/api/v1/password",
    "/api/v1/risk",
    "/api/v1/risk/{kind}/{entity}",
    "/api/v1/rules",
    "/api/v1/rules/check",
    "/api/v1/rules/draft",
    "/api/v1/rules/foresight",
    "/api/v1/rules/noise",
    "/api/v1/rules/{id}",
    "/api/v1/search",
    "/api/v1/search/export",
    "/api/v1/searches",
    "/api/v1/searches/{id}",
    "/api/v1/session",
    "/api/v1/session/oidc",
    "/api/v1/sessions",
    "/api/v1/sessions/{user}",
    "/api/v1/setup",
    "/api/v1/silence",
    "/api/v1/silence/forget",
    "/api/v1/sources",
    "/api/v1/sources/parse",
    "/api/v1/sources/unparsed",
    "/api/v1/status",
    "/api/v1/stream",
    "/api/v1/tokens",
    "/api/v1/tokens/{name}",
    "/api/v1/users",
    "/api/v1/users/{name}",
    "/metrics",
];

/// Whether an operation cannot be asked without a parameter of the query.
fn wants(operation: &serde_json::Value) -> bool {
    let given = operation["parameters"].as_array();
    given.into_iter().flatten().any(|one| one["in"] == "query" && one["required"] == true)
}

#[tokio::test]
async fn everything_described_answers_and_everything_that_answers_is_described() {
    let rig = busy_rig().await;
    let document = rig.get("/api/openapi.json").await.json();
    assert_eq!(document["openapi"].as_str().unwrap().split('.').next(), Some("3"));
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
            assert!(operation["summary"].is_string(), "{path} has no summary");
            if path.ends_with("/stream") {
                continue;
            }
            let target = path.replace("{id}", "00000000000000000000000000000001");
            let target = target.replace("{name}", "host.name").replace("{ip}", "192.0.2.1");
            let answer = rig.ask(&method.to_uppercase(), &target, &[], b"[]").await;
            // What changes or asks for much wants more than nothing.
            let fits = match answer.status {
                200 => true,
                202 => method == "post",
                // Sends the browser back to the page.
                303 => path.ends_with("/session/oidc"),
                404 => path.contains('{'),
                400 if wants(operation) => true,
                status => method != "get" && matches!(status, 400 | 415),
            };
            assert!(fits, "{method} {path}: {}", answer.text());
            if !methods.as_object().unwrap().contains_key("delete") {
                let wrong = rig.ask("DELETE", &target, &[], b"").await;
                assert_eq!(wrong.status, 405, "{path}");
                wrong.failure();
            }
        }
    }
    let mut described: Vec<&String> = paths.keys().collect();
    described.sort();
    assert_eq!(described, PATHS);
    // Every schema that is referred to is there.
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    rig.stop().await;
}
