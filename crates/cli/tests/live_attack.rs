//! A real attack — hydra against a real sshd, logged by a real rsyslogd — while Tocsin follows
//! the log and is killed in the middle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;
use support::{Server, Setup, shared, text_at, wait_for};
use tocsin_simulate::catch::{CatchOptions, Catcher};

const BRUTE_FORCE: &str = "Login brute force from one address";
const THEN_SUCCESS: &str = "Login brute force from one address, then success";

/// How often the server is killed.
const KILLS: usize = 2;

/// Programs the attack needs; their Debian packages are what `cargo xtask test` installs.
const NEEDED: &[&str] = &[
    "/usr/sbin/sshd",
    "/usr/bin/hydra",
    "/usr/bin/sshpass",
    "/usr/sbin/rsyslogd",
    "/usr/bin/sudo",
];

fn can_attack() -> bool {
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let missing: Vec<_> = NEEDED.iter().filter(|path| !fs::exists(path).unwrap()).collect();
    if !root || !missing.is_empty() {
        support::skipped(&format!("a real attack needs root (is: {root}) and {missing:?}"));
        return false;
    }
    true
}

struct Attack(Child);

impl Attack {
    fn running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn of_rule<'a>(alerts: &'a [Json], title: &str) -> Vec<&'a Json> {
    alerts.iter().filter(|alert| text_at(alert, "rule.name") == title).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alert_arrives_during_the_attack_and_once_despite_kills() {
    let Some(script) = shared("attacks/ssh_bruteforce.sh") else { return };
    if !can_attack() {
        return;
    }
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let mail = catcher.smtp_addr().unwrap();
    let hook = catcher.http_addr().unwrap();
    let setup = Setup::new(&format!(
        "collect:\n  discover: false\n  syslog: {{ udp: null, tcp: null }}\n  files:\n  \
         - paths: [DIR/attack/log/auth.log]\n\
         notify:\n  channels:\n    mail:\n      type: email\n      host: {}\n      port: {}\n      \
         tls: none\n      from: tocsin@example.org\n      to: [ops@example.org]\n      \
         route: {{ each: alert }}\n    \
         hook:\n      type: webhook\n      url: http://{hook}/alert\n",
        mail.ip(),
        mail.port()
    ));
    let log = setup.path("attack/log/auth.log");
    let server = Server::start(&setup.config);
    let attack = Command::new("bash")
        .arg(script)
        .arg(setup.path("attack"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut attack = Attack(attack);

    wait_for("the first alert", || {
        let alerts = server.alerts();
        (!of_rule(&alerts, BRUTE_FORCE).is_empty()).then_some(())
    });
    wait_for("its mail", || (!catcher.mails().is_empty()).then_some(()));
    assert!(attack.running(), "the alert came after the attack was over");
    server.kill();
    let server = Server::start(&setup.config);
    wait_for("the second attacker", || {
        let alerts = server.alerts();
        of_rule(&alerts, BRUTE_FORCE)
            .iter()
            .any(|alert| text_at(alert, "source.ip") == "::1")
            .then_some(())
    });
    server.kill();
    let server = Server::start(&setup.config);
    wait_for("the attack's end", || (!attack.running()).then_some(()));

    let lines = fs::read_to_string(&log).unwrap().lines().count() as u64;
    wait_for("every line to be stored", || (server.stored() >= lines).then_some(()));
    assert_eq!(server.stored(), lines, "{}", server.get("/api/v1/status").unwrap()["inputs"]);
    let alerts = server.alerts();
    check_alerts(&alerts);
    wait_for("every notice to be delivered", || {
        let pending = server.get("/api/v1/status")?["channels"]
            .as_array()?
            .iter()
            .map(|channel| channel["pending"].as_u64().unwrap_or(0))
            .sum::<u64>();
        (pending == 0).then_some(())
    });
    check_told_once(&setup, &catcher, &alerts);
    assert!(server.terminate().as_secs() < 5);
}

fn check_alerts(alerts: &[Json]) {
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for alert in of_rule(alerts, BRUTE_FORCE) {
        let count = alert["tocsin"]["alert"]["count"].as_u64().unwrap();
        assert!(found.insert(text_at(alert, "source.ip"), count).is_none(), "doubled: {alerts:#?}");
    }
    let attackers: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(attackers, ["127.0.0.1", "::1"]);
    assert_eq!(found["::1"], 6);
    assert!(found["127.0.0.1"] >= 19, "{found:?}");
    let success: Vec<String> =
        of_rule(alerts, THEN_SUCCESS).iter().map(|alert| text_at(alert, "source.ip")).collect();
    assert_eq!(success, ["127.0.0.1"]);
}

/// Every alert stands once in the alert log, came once by mail and once by webhook.
fn check_told_once(setup: &Setup, catcher: &Catcher, alerts: &[Json]) {
    let ids: Vec<String> = alerts.iter().map(|alert| text_at(alert, "tocsin.alert.id")).collect();
    let logged = setup.alert_log();
    let mails = catcher.mails();
    let requests = catcher.requests();
    for (id, alert) in ids.iter().zip(alerts) {
        let in_log = logged.iter().filter(|line| text_at(line, "tocsin.alert.id") == *id).count();
        assert_eq!(in_log, 1, "alert log: {alert:#}");
        if alert["event"]["severity"].as_u64().unwrap() < 21 {
            continue;
        }
        let message_ids: Vec<&str> = mails
            .iter()
            .filter_map(|mail| {
                let (_, value) = mail
                    .headers
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case("message-id"))?;
                value.contains(id.as_str()).then_some(value.as_str())
            })
            .collect();
        let keys: Vec<String> = requests
            .iter()
            .map(|request| text_at(&request.body, "key"))
            .filter(|key| key.starts_with(id.as_str()))
            .collect();
        // A kill between the receiver's answer and its receipt repeats a delivery, with its id.
        assert!((1..=1 + KILLS).contains(&message_ids.len()), "mail: {message_ids:?} {alert:#}");
        assert!((1..=1 + KILLS).contains(&keys.len()), "webhook: {keys:?} {alert:#}");
        assert!(message_ids.iter().all(|other| *other == message_ids[0]), "{message_ids:?}");
        assert!(keys.iter().all(|other| *other == keys[0]), "{keys:?}");
    }
}
