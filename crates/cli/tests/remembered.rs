//! First sights and usual rates with the real binary: learned from logs that were there before,
//! told once, neither forgotten nor told again by `kill -9`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value as Json;
use support::{Server, Setup, wait_for};
use tocsin_model::Timestamp;

/// Hours of history: somewhat less than the seven days that are read back.
const HOURS: i64 = 160;
/// Failed logins in each of them.
const USUAL: i64 = 24;

const RULE: &str = "title: Host that is new for the user\n\
    id: 0d6f4f7e-5d55-4a3e-9b5c-2f1f6f0f9a11\nlevel: high\n\
    logsource:\n  category: authentication\ndetection:\n  selection:\n    \
    tocsin.first_seen: user_host\n  condition: selection\n\
    tocsin:\n  group_by: [user.name, host.name]\n";

fn append(log: &Path, lines: &[String]) {
    let mut file = OpenOptions::new().create(true).append(true).open(log).unwrap();
    file.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
}

fn login(time: Timestamp, host: &str) -> String {
    format!("{time} {host} sshd[7]: Accepted publickey for ana from 10.0.0.5 port 40001 ssh2")
}

/// Each from another address, as another user.
fn failure(time: Timestamp, number: i64) -> String {
    let (third, last) = (number / 250 % 250, number % 250);
    format!(
        "{time} web sshd[8]: Failed password for invalid user u{number} from 10.9.{third}.{last} \
         port 40001 ssh2"
    )
}

fn ago(hours: i64) -> Timestamp {
    let now = Timestamp::from_system(SystemTime::now());
    Timestamp::from_millis(now.millis() - hours * 3_600_000)
}

fn history(log: &Path) -> u64 {
    let mut lines = Vec::new();
    for hour in (1..=HOURS).rev() {
        lines.push(login(ago(hour), "web"));
        lines.extend((0..USUAL).map(|number| failure(ago(hour), number)));
    }
    append(log, &lines);
    lines.len() as u64
}

/// Titles and what they are about of alerts that somebody was told of, oldest first.
fn told(setup: &Setup, title: &str) -> Vec<Json> {
    let mut alerts = setup.alert_log();
    alerts.retain(|alert| {
        alert["rule"]["name"] == title && alert["tocsin"]["alert"]["historical"] != true
    });
    alerts
}

fn stored(server: &Server, events: u64) {
    wait_for("the events to be stored", || (server.stored() >= events).then_some(()));
}

fn events(server: &Server, query: &str) -> usize {
    let page = server.get(&format!("/api/v1/events?limit=1000&q={query}")).unwrap_or_default();
    page["events"].as_array().map_or(0, Vec::len)
}

#[test]
fn what_is_new_is_told_once_whatever_is_killed() {
    let setup = Setup::new(
        "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  files:\n  \
         - paths: [DIR/auth.log]\ncontent:\n  rules: [DIR/rule.yml]\n\
         first_seen: { learning_days: 3 }\nbaselines: { learning_days: 3 }\n",
    );
    std::fs::write(setup.path("rule.yml"), RULE).unwrap();
    let log = setup.path("auth.log");
    let mut count = history(&log);
    let server = Server::start(&setup.config);
    stored(&server, count);
    assert_eq!(events(&server, "tocsin.first_seen:*"), 0, "everything was learned");
    server.kill();

    // What was learned is still known, and what is new is new once.
    let server = Server::start(&setup.config);
    append(&log, &[login(ago(0), "web"), login(ago(0), "db")]);
    count += 2;
    let title = "Host that is new for the user";
    let first = wait_for("the first alert", || told(&setup, title).pop());
    assert_eq!(first["host"]["name"], "db");
    stored(&server, count);
    server.kill();
    let server = Server::start(&setup.config);
    append(&log, &[login(ago(0), "db"), login(ago(0), "mail")]);
    count += 2;
    let second = wait_for("the second alert", || told(&setup, title).get(1).cloned());
    assert_eq!(second["host"]["name"], "mail");
    stored(&server, count);
    assert_eq!(told(&setup, title).len(), 2);
    assert_eq!(events(&server, "tocsin.first_seen:user_host"), 2);

    // As many in a moment as in a day: told while it lasts, and not again after a crash.
    let title = "Unusual rate";
    assert!(told(&setup, title).is_empty());
    append(&log, &(0..400).map(|number| failure(ago(0), number)).collect::<Vec<_>>());
    count += 400;
    let alert = wait_for("the alert of the rate", || told(&setup, title).pop());
    let reason = alert["message"].as_str().unwrap();
    assert!(
        reason.contains("failed_logins of web") && reason.contains("against a usual"),
        "{reason}"
    );
    stored(&server, count);
    let before = told(&setup, title).len();
    let unusual = events(&server, "tocsin.baseline.name:failed_logins");
    server.kill();
    let server = Server::start(&setup.config);
    append(&log, &[failure(ago(0), 400), login(ago(0), "shop")]);
    stored(&server, count + 2);
    // The alert of something later has been told: nothing is under way any more.
    let title_of_hosts = "Host that is new for the user";
    wait_for("a later alert", || told(&setup, title_of_hosts).get(2).cloned());
    assert_eq!(told(&setup, title).len(), before);
    assert_eq!(events(&server, "tocsin.baseline.name:failed_logins"), unusual);
    server.terminate();
}
