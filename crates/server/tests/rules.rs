//! Rules made on the page, sources, and lines read for a try.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Rig, login, now};
use serde_json::{Value as Json, json};
use tocsin_model::FieldId;

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
