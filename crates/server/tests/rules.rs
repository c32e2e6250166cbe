//! Rules made on the page, sources, and lines read for a try.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{Answer, Rig, login, now};
use serde_json::{Value as Json, json};
use tocsin_model::{FieldId, Timestamp};

async fn post(rig: &Rig, target: &str, body: &Json) -> Answer {
    let body = body.to_string();
    rig.ask("POST", target, &[("content-type", "application/json")], body.as_bytes()).await
}

async fn drafted(rig: &Rig, query: &str, title: &str) -> String {
    let answer = post(rig, "/api/v1/rules/draft", &json!({ "q": query, "title": title })).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_query_becomes_a_rule() {
    let rig = Rig::new().await;
    let queries = [
        "user.name: root",
        "event.outcome: failure and source.ip: 192.0.2.0/24 and not user.name: (a or b)",
        "http.response.status_code >= 400 and url.path: /admin* or message: \"out of memory\"",
        "process.name: (sshd or sudo) and user.name: *",
        r#"url.path ~ "/wp-.*""#,
        "failed password",
    ];
    for query in queries {
        let text = drafted(&rig, query, "One").await;
        let checked = post(&rig, "/api/v1/rules/check", &json!({ "text": text })).await;
        let json = checked.json();
        let problems = json["problems"].as_array().unwrap();
        let wrong = problems.iter().any(|problem| problem["level"] == "error");
        assert!(!wrong, "{query}: {json}\n{text}");
        assert_eq!(json["rules"][0]["title"], "One", "{query}");
        let body = json!({ "text": text });
        let started = post(&rig, "/api/v1/backtests", &body).await;
        assert!(matches!(started.status, 202 | 409), "{query}: {}", started.text());
    }
    let wrong = post(&rig, "/api/v1/rules/draft", &json!({ "q": "user.name: (" })).await;
    assert_eq!((wrong.status, wrong.json()["error"]["start"].is_u64()), (400, true));
    rig.stop().await;
}

#[tokio::test]
async fn faults_have_places() {
    let rig = Rig::new().await;
    let good = drafted(&rig, "user.name: root", "One").await;
    let tests =
        "tests:\n  - name: root\n    fires: false\n    events:\n      - { user.name: root }\n";
    let table = [
        (good.replace("condition: selection", "condition: selektion"), "selektion", 1),
        ("title: [".to_owned(), "", 1),
        ("just text".to_owned(), "", 0),
        (String::new(), "there is no rule", 0),
        (format!("{good}{tests}"), "test \"root\"", 1),
    ];
    for (text, expected, least_line) in table {
        let json = post(&rig, "/api/v1/rules/check", &json!({ "text": text })).await.json();
        let problem = &json["problems"][0];
        assert!(problem["message"].as_str().unwrap().contains(expected), "{text}: {json}");
        assert!(problem["line"].as_u64().unwrap() >= least_line, "{text}: {json}");
        let saved = post(&rig, "/api/v1/rules", &json!({ "text": text })).await;
        assert_eq!(saved.status, 400, "{text}: {}", saved.text());
    }
    assert!(!rig.handle.config.own_rules().exists(), "nothing was written");
    rig.stop().await;
}

#[tokio::test]
async fn rules_are_saved_in_their_own_place() {
    let rig = Rig::new().await;
    let own = rig.handle.config.own_rules();
    for (title, file) in [
        ("Root logs in", "root_logs_in.yml"),
        ("../../etc/passwd", "______etc_passwd.yml"),
        ("日本", "rule.yml"),
        ("Root logs in", "root_logs_in_2.yml"),
    ] {
        let text = drafted(&rig, "user.name: root", title).await;
        let saved = post(&rig, "/api/v1/rules", &json!({ "text": text })).await;
        assert_eq!(saved.status, 201, "{title}: {}", saved.text());
        assert_eq!(saved.json()["path"], json!(own.join(file)), "{title}");
        assert_eq!(std::fs::read_to_string(own.join(file)).unwrap(), text);
    }
    let names: Vec<_> = std::fs::read_dir(&own).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(names.len(), 4, "nothing else was written");
    // The id of a rule in a pack is taken.
    let text = drafted(&rig, "user.name: root", "Mine").await;
    let id = text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let taken = text.replace(id, "f23ea1bf-4408-411b-9952-ccee7212483b");
    let answer = post(&rig, "/api/v1/rules", &json!({ "text": taken })).await;
    assert_eq!(answer.status, 409, "{}", answer.text());
    // Rules of packs cannot be removed.
    let target = "/api/v1/rules/login_brute_force";
    let answer = rig.ask("DELETE", target, &[], b"").await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    rig.stop().await;
}

#[tokio::test]
async fn rules_have_texts_tests_and_figures() {
    let rig = Rig::new().await;
    let json = rig.get("/api/v1/rules/login_brute_force").await.json();
    assert_eq!(json["title"], "Login brute force from one address");
    let texts = json["texts"].as_array().unwrap();
    assert!(texts.len() > 1, "the rules it refers to are there");
    assert!(texts[0]["text"].as_str().unwrap().contains("correlation:"));
    let tests = json["tests"].as_array().unwrap();
    assert!(!tests.is_empty() && tests.iter().all(|test| test["failure"].is_null()), "{json}");
    assert_eq!(json["source_seen"], false);
    assert_eq!(rig.get("/api/v1/rules/no-such").await.status, 404);
    let list = rig.get("/api/v1/rules").await.json();
    assert_eq!(list["rules"][0]["fired"], 0);
    rig.stop().await;
}

#[tokio::test]
async fn sources_are_counted() {
    let rig = Rig::new().await;
    let dataset = FieldId::intern("event.dataset").unwrap();
    let events = (1..=3).map(|number| {
        let mut event = login(number, now(), "192.0.2.1", "failure", None);
        event.push_str(dataset, "openssh.sshd");
        event
    });
    let events: Vec<_> = events.collect();
    rig.handle.store.append(&events).unwrap();
    rig.handle.store.commit("{}").unwrap();
    let json = rig.get("/api/v1/sources").await.json();
    let sources = json["sources"].as_array().unwrap();
    let counted: u64 = sources.iter().map(|source| source["events"].as_u64().unwrap()).sum();
    let named = |name: &str| sources.iter().find(|source| source["name"] == name).unwrap();
    assert_eq!(counted, 3);
    assert_eq!(named("openssh.sshd")["events"], 3);
    assert_eq!(named("nginx.access")["events"], 0);
    assert!(named("openssh.sshd")["about"].as_str().is_some_and(|about| !about.is_empty()));
    rig.stop().await;
}

#[tokio::test]
async fn lines_are_read_for_a_try() {
    let rig = Rig::new().await;
    let line =
        "Mar  4 09:15:02 gate sshd[811]: Failed password for root from 192.0.2.44 port 40112 ssh2";
    let body = json!({ "lines": [line, "nothing known"] });
    let json = post(&rig, "/api/v1/sources/parse", &body).await.json();
    assert_eq!(json["parsed"][0]["source"], "openssh.sshd");
    assert_eq!(json["parsed"][0]["event"]["user"]["name"], "root");
    assert_eq!(json["parsed"][1]["source"], Json::Null);
    let many = vec!["x"; 101];
    for body in [json!({ "lines": many }), json!({ "lines": ["x"], "source": "no.such" })] {
        let answer = post(&rig, "/api/v1/sources/parse", &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    rig.stop().await;
}

/// Sends a change.
async fn patch(rig: &Rig, target: &str, body: &Json) -> Answer {
    let body = body.to_string();
    rig.ask("PATCH", target, &[("content-type", "application/json")], body.as_bytes()).await
}

#[tokio::test]
async fn rules_are_switched() {
    let rig = Rig::with(|config| config.alerts.disabled_rules = vec!["rule-1".to_owned()]).await;
    let enabled = async || rig.get("/api/v1/rules").await.json()["rules"][0]["enabled"].clone();
    assert_eq!(enabled().await, json!(false), "as the configuration has it");
    for (body, expected) in [
        (json!({ "enabled": true }), true),
        (json!({ "enabled": false }), false),
        (json!({ "enabled": null }), false),
    ] {
        let answer = patch(&rig, "/api/v1/rules/rule-1", &body).await;
        assert_eq!(answer.json(), json!({ "id": "rule-1", "enabled": expected }), "{body}");
        assert_eq!(enabled().await, json!(expected), "{body}");
    }
    assert_eq!(patch(&rig, "/api/v1/rules/nobody", &json!({})).await.status, 404);
    assert_eq!(patch(&rig, "/api/v1/rules/rule-1", &json!({ "on": true })).await.status, 400);
    rig.stop().await;
}

/// Asks until a backtest or foresight is done.
async fn done(rig: &Rig, target: &str) -> Json {
    for _ in 0..600 {
        let json = rig.get(target).await.json();
        if json["state"] != "running" {
            return json;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{target} goes on and on");
}

fn failures(rig: &Rig, count: u64) {
    let mut events = Vec::new();
    for at in 0..count {
        let time = Timestamp(now().0 - (at as i64 + 1) * 1_000_000);
        let mut event = login(at, time, "192.0.2.1", "failure", Some(1));
        let user = if at % 2 == 0 { "root" } else { "ann" };
        event.push_str(FieldId::intern("user.name").unwrap(), user);
        events.push(event);
    }
    rig.handle.store.append(&events).unwrap();
    rig.handle.store.commit("{}").unwrap();
}

#[tokio::test]
async fn what_a_change_of_a_rule_changes_is_told() {
    let rig = Rig::with(|config| config.content.rules.push(config.own_rules())).await;
    failures(&rig, 40);
    let before = drafted(&rig, "user.name: root", "Somebody").await;
    let saved = post(&rig, "/api/v1/rules", &json!({ "text": before })).await;
    assert_eq!(saved.status, 201, "{}", saved.text());
    let id = saved.json()["ids"][0].clone();
    let after = before.replace("root", "ann");
    let body = json!({ "text": after, "against": id });
    let started = post(&rig, "/api/v1/backtests", &body).await;
    assert_eq!(started.status, 202, "{}", started.text());
    let number = started.json()["id"].as_u64().unwrap();
    let report = done(&rig, &format!("/api/v1/backtests/{number}")).await["report"].clone();
    assert_eq!(report["rules"][0]["findings"], 20, "{report}");
    assert_eq!(report["before"]["rules"][0]["findings"], 20, "{report}");
    let difference = &report["difference"];
    let count = |name: &str| difference[name].as_u64().unwrap();
    assert_eq!((count("same"), count("new"), count("gone")), (1, 0, 0), "by address: {report}");
    let matches = (count("same_matches"), count("new_matches"), count("gone_matches"));
    assert_eq!(matches, (0, 20, 20), "{report}");
    assert_eq!(difference["new_lines"].as_array().unwrap().len(), 20);
    for (body, status) in [
        (json!({ "all_rules": true, "against": "x" }), 400),
        (json!({ "text": after, "against": "no-such-rule" }), 400),
    ] {
        let answer = post(&rig, "/api/v1/backtests", &body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    rig.stop().await;
}

#[tokio::test]
async fn rules_that_are_off_are_foreseen() {
    let off = ["login_brute_force", "sudo_denied"];
    let off: Vec<String> = off.into_iter().map(str::to_owned).collect();
    let rig = Rig::with(|config| config.alerts.disabled_rules = off).await;
    failures(&rig, 40);
    let told = done(&rig, "/api/v1/rules/foresight").await;
    assert_eq!(told["error"], Json::Null, "{told}");
    let rules = told["rules"].as_array().unwrap();
    assert_eq!(told["off"], json!(rules.len()), "{told}");
    let loud = rules.iter().find(|rule| rule["alerts"].as_u64() > Some(0)).expect("it would fire");
    assert_eq!(loud["days"], 30);
    let name = loud["rule_id"].as_str().unwrap();
    let answer = patch(&rig, &format!("/api/v1/rules/{name}"), &json!({ "enabled": true })).await;
    assert!(matches!(answer.status, 200 | 404), "{}", answer.text());
    assert_eq!(rig.get("/api/v1/rules/foresight").await.json()["state"], "done", "it is kept");
    rig.stop().await;
}

#[tokio::test]
async fn searches_are_kept() {
    let rig = Rig::new().await;
    let body = json!({ "name": "Roots", "q": "user.name: root", "last": "24h",
        "columns": ["user.name"], "shared": true });
    let kept = post(&rig, "/api/v1/searches", &body).await;
    assert_eq!(kept.status, 201, "{}", kept.text());
    let id = kept.json()["id"].as_u64().unwrap();
    let list = rig.get("/api/v1/searches").await.json();
    assert_eq!(list["searches"][0]["q"], json!("user.name: root"));
    assert_eq!(list["searches"][0]["yours"], json!(true));
    for (body, status) in [
        (json!({ "name": "x", "q": "user.name: (" }), 400),
        (json!({ "name": "", "q": "" }), 400),
        (json!({ "name": "x", "last": "soon" }), 400),
        (json!({ "name": "x", "order": "up" }), 400),
        (json!({ "name": "x", "what": 1 }), 400),
    ] {
        assert_eq!(post(&rig, "/api/v1/searches", &body).await.status, status, "{body}");
    }
    let target = format!("/api/v1/searches/{id}");
    assert_eq!(rig.ask("DELETE", &target, &[], b"").await.status, 200);
    assert_eq!(rig.ask("DELETE", &target, &[], b"").await.status, 404);
    rig.stop().await;
}
