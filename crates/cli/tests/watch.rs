//! A source that stops is told of and its alert ends by itself, over a restart; risk and triage on
//! the command line and over the API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::io::Write;

use serde_json::{Value as Json, json};
use support::{Server, Setup, json_lines, output, text_at, tocsin, wait_for};
use tocsin_model::Timestamp;

fn now() -> Timestamp {
    Timestamp::from_system(std::time::SystemTime::now())
}

const INPUT: &str = "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  files:\n  \
                     - paths: [DIR/auth.log]\n";

fn setup(rest: &str) -> Setup {
    let setup = Setup::new(&format!("{INPUT}{rest}"));
    std::fs::write(setup.path("auth.log"), "").unwrap();
    setup
}

fn send(setup: &Setup, lines: &[String]) {
    let mut log = std::fs::OpenOptions::new().append(true).open(setup.path("auth.log")).unwrap();
    for line in lines {
        writeln!(log, "{line}").unwrap();
    }
}

fn failure(user: &str, from: &str) -> String {
    format!("{} web-1 sshd[7]: Failed password for {user} from {from} port 9 ssh2", now())
}

fn ours(server: &Server, rule: &str) -> Vec<Json> {
    let all = server.alerts().into_iter();
    all.filter(|alert| text_at(alert, "rule.id") == rule).collect()
}

fn cli(setup: &Setup, arguments: &[&str]) -> (i32, String, String) {
    output(tocsin().args(arguments).arg("--config").arg(&setup.config), b"")
}

#[test]
fn a_source_that_stops_is_told_of_until_it_sends_again() {
    let setup = setup(
        "silence:\n  \
         expect:\n  - { source: openssh.sshd, host: web-1, seconds: 2 }\n",
    );
    let server = Server::start(&setup.config);
    send(&setup, &[failure("ana", "192.0.2.9")]);
    let alert = wait_for("the alert", || ours(&server, "tocsin-silence").pop());
    assert!(text_at(&alert, "message").contains("openssh.sshd of web-1 is silent"), "{alert}");
    let id = text_at(&alert, "event.id");
    assert!(text_at(&alert, "tocsin.silence.rules").contains("SSH"), "{alert}");
    // The status names it, with what is blind by it.
    let silent = wait_for("the status", || {
        let status = server.get("/api/v1/status")?;
        (status["silent"]["total"] == 1).then(|| status["silent"]["sources"][0].clone())
    });
    assert_eq!((&silent["source"], &silent["host"]), (&json!("openssh.sshd"), &json!("web-1")));
    assert!(silent["blind"].to_string().contains("SSH"), "{silent}");
    server.terminate();

    let (code, list, errors) = cli(&setup, &["silence", "list"]);
    assert_eq!(code, 0, "{errors}");
    assert!(list.starts_with("silent") && list.contains("openssh.sshd of web-1"), "{list}");

    // A restart is no news, and the alert ends when the source sends.
    let server = Server::start(&setup.config);
    send(&setup, &[failure("ana", "192.0.2.9")]);
    let status = |server: &Server| {
        let alert = server.get(&format!("/api/v1/alerts/{id}")).unwrap_or_default();
        text_at(&alert, "tocsin.alert.status")
    };
    wait_for("the end", || (status(&server) == "closed").then_some(()));
    let activity = server.get(&format!("/api/v1/alerts/{id}/activity")).unwrap();
    assert!(activity.to_string().contains("sends again, after"), "{activity}");
    let listed = server.get("/api/v1/silence").unwrap();
    assert_eq!(listed["sources"][0]["limit_seconds"], 2, "{listed}");

    for (body, status) in [
        (json!({"source": "openssh.sshd", "host": "web-1"}), 200),
        (json!({"source": "openssh.sshd", "host": "web-9"}), 404),
        (json!({"source": 7}), 400),
    ] {
        let body = body.to_string();
        let (answered, text) =
            server.ask("POST", "/api/v1/silence/forget", body.as_bytes()).unwrap();
        assert_eq!(answered, status, "{body}: {text}");
    }
    let (code, _, errors) = cli(&setup, &["silence", "forget", "openssh.sshd", "web-9"]);
    assert_eq!((code, errors.contains("no source openssh.sshd")), (2, true), "{errors}");
}

#[test]
fn risk_adds_up_and_alerts_are_closed_on_the_command_line() {
    let setup = setup("risk:\n  threshold: 30\n");
    let server = Server::start(&setup.config);
    let from = "192.0.2.66";
    let lines: Vec<String> = (0..9).map(|_| failure("root", from)).collect();
    send(&setup, &lines);
    let alert = wait_for("the alert about risk", || ours(&server, "tocsin-risk").pop());
    assert!(text_at(&alert, "message").contains("Risk of address 192.0.2.66 is 40"), "{alert}");
    let list = server.get("/api/v1/risk?kind=address").unwrap();
    assert_eq!((&list["total"], &list["entities"][0]["entity"]), (&json!(1), &json!(from)));
    let one = server.get(&format!("/api/v1/risk/address/{from}")).unwrap();
    assert_eq!(one["parts"].as_array().unwrap().len(), 1, "{one}");
    for (path, status) in [
        ("/api/v1/risk?kind=car", 400),
        ("/api/v1/risk/car/x", 404),
        ("/api/v1/risk/user/nobody", 404),
        ("/api/v1/risk/address/192.0.2.66", 200),
    ] {
        assert_eq!(server.ask("GET", path, b"").unwrap().0, status, "{path}");
    }

    let (code, list, errors) = cli(&setup, &["alerts", "list", "--json", "--last", "1h"]);
    assert_eq!(code, 0, "{errors}");
    let alerts = json_lines(&list);
    let force = alerts.iter().find(|alert| text_at(alert, "rule.id") != "tocsin-risk").unwrap();
    let id = text_at(force, "event.id");
    let closing = ["alerts", "close", &id[..8], "--as", "false_positive", "--by", "ana"];
    let (code, out, errors) = cli(&setup, &closing);
    assert!(code == 0 && out.contains("false_positive"), "{out}{errors}");
    let (_, out, _) = cli(&setup, &["alerts", "show", &id]);
    assert!(out.contains("\"who\": \"ana\""), "{out}");
    let (code, out, _) = cli(&setup, &["alerts", "incidents"]);
    assert!(code == 0 && out.contains("open"), "{out}");
    let (code, out, _) = cli(&setup, &["alerts", "incidents", "1"]);
    assert!(code == 0 && out.contains("source.ip: 192.0.2.66"), "{out}");
    let (_, out, _) = cli(&setup, &["rules", "noise"]);
    assert!(out.contains("(1 false_positive)"), "{out}");
    // What was harmless is no risk.
    let (code, out, _) = cli(&setup, &["risk", "show", "address", from]);
    assert!(code == 0 && out.starts_with("address 192.0.2.66: 0"), "{out}");
    let (code, out, _) = cli(&setup, &["risk", "list"]);
    assert_eq!((code, out.contains(from)), (0, false), "{out}");

    for bad in [
        &["alerts", "show", "zz"] as &[&str],
        &["alerts", "show", "0123456789"],
        &["alerts", "close", &id, "--as", "nonsense"],
        &["alerts", "list", "--last", "soon"],
        &["alerts", "incidents", "99"],
        &["risk", "show", "car", "x"],
        &["risk", "show", "user", "nobody"],
    ] {
        let (code, _, errors) = cli(&setup, bad);
        assert!(code == 2 && !errors.is_empty(), "{bad:?}: {code} {errors}");
    }
}
