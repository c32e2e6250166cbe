//! Edited rules come into force while Tocsin runs; a broken edit changes nothing but what is said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs;

use support::{Server, Setup, text_at, wait_for};

const CONFIG: &str = "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n\
    content:\n  builtin: true\n  rules: [DIR/rules]\n\
    detect: { lateness_seconds: 0 }\n";

/// A rule for events with `event.action: <action>`.
fn rule(name: &str, action: &str) -> String {
    format!(
        "title: {name}\nname: {name}\nlevel: high\nlogsource: {{ category: application }}\n\
         detection:\n  selection:\n    event.action: {action}\n  condition: selection\n"
    )
}

/// Three of `base` within a day.
fn correlation(base: &str) -> String {
    format!(
        "title: three\nname: three\nlevel: high\ncorrelation:\n  type: event_count\n  \
         rules: [{base}]\n  group-by: [host.name]\n  timespan: 1d\n  condition: {{ gte: 3 }}\n"
    )
}

fn send(server: &Server, action: &str) {
    let event = format!(
        "{{\"events\":[{{\"event.action\":\"{action}\",\"event.category\":\"process\",\
         \"host\":\"h\"}}]}}"
    );
    let (status, body) = server.ask("POST", "/ingest", event.as_bytes()).unwrap();
    assert_eq!(status, 200, "{body}");
}

fn fired(server: &Server, rule: &str) -> bool {
    server.alerts().iter().any(|alert| text_at(alert, "rule.name") == rule)
}

fn problems(server: &Server) -> String {
    server.get("/api/v1/rules").unwrap()["problems"].to_string()
}

#[test]
fn edits_take_effect_and_windows_stay() {
    let setup = Setup::new(CONFIG);
    fs::create_dir(setup.path("rules")).unwrap();
    fs::write(setup.path("rules/counted.yml"), rule("counted", "tick")).unwrap();
    fs::write(setup.path("rules/three.yml"), correlation("counted")).unwrap();
    fs::write(setup.path("rules/edited.yml"), rule("edited", "before")).unwrap();
    let server = Server::start(&setup.config);
    assert_eq!(problems(&server), "[]");
    send(&server, "tick");
    send(&server, "tick");
    send(&server, "before");
    wait_for("the rule as it was", || fired(&server, "edited").then_some(()));

    fs::write(setup.path("rules/edited.yml"), rule("edited again", "after")).unwrap();
    wait_for("the edit", || {
        send(&server, "after");
        fired(&server, "edited again").then_some(())
    });

    let broken =
        rule("edited again", "after").replace("condition: selection", "condition: selektion");
    fs::write(setup.path("rules/edited.yml"), broken).unwrap();
    let said = wait_for("the refusal", || {
        let said = problems(&server);
        said.contains("selektion").then_some(said)
    });
    assert!(said.contains("edited.yml:8") && said.contains("the version before stays"), "{said}");
    let rules = server.get("/api/v1/rules").unwrap().to_string();
    assert!(rules.contains("edited again"), "{rules}");

    let new = rule("new", "x").replace("event.action", "event.action|endswiht");
    fs::write(setup.path("rules/new.yml"), new).unwrap();
    wait_for("the refusal of a new file", || server.errors().contains("endswiht").then_some(()));
    fs::remove_file(setup.path("rules/new.yml")).unwrap();

    fs::write(setup.path("rules/counted.yml"), rule("renamed", "tick")).unwrap();
    wait_for("the refusal of what breaks another file", || {
        problems(&server).contains("three.yml").then_some(())
    });
    assert!(server.get("/api/v1/rules").unwrap().to_string().contains("\"three\""));

    fs::remove_file(setup.path("rules/edited.yml")).unwrap();
    fs::write(setup.path("rules/counted.yml"), rule("counted", "tick")).unwrap();
    wait_for("the mended rules", || (problems(&server) == "[]").then_some(()));
    assert!(!server.get("/api/v1/rules").unwrap().to_string().contains("edited again"));

    assert!(!fired(&server, "three"));
    send(&server, "tick");
    wait_for("the window that was open all the time", || fired(&server, "three").then_some(()));
}
