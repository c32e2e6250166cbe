//! A responder at work, with a script for a firewall.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tocsin_catalog::{Ban, BanState, Catalog, Target};
use tocsin_model::rule::Block;
use tocsin_model::{Alert, AlertId, RuleMeta, Severity, Timestamp};
use tocsin_respond::{
    Firewall, FirewallKind, Mode, More, RespondConfig, Responder, Surroundings, Wish,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Writes a program. A shell of its own writes it: a file this process has open for writing is
/// "busy" for as long as a child that another test starts just then still shares it.
fn program(path: &Path, text: &str) {
    let write = r#"printf %s "$1" > "$0" && chmod 755 "$0""#;
    let status = Command::new("sh").args(["-c", write]).arg(path).arg(text).status().unwrap();
    assert!(status.success(), "{status}");
}

/// A program that writes down what it is told, and where it does.
fn script(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    let (path, told) = (dir.join(name), dir.join(format!("{name}.told")));
    program(&path, &format!("#!/bin/sh\necho $1 $2 >> {}\n", told.display()));
    (path, told)
}

/// Waits until a ban is in a state.
async fn until(catalog: &Catalog, id: u64, state: BanState) {
    let reached = async {
        while catalog.ban(id).unwrap().unwrap().what.state != state {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap();
}

#[tokio::test]
async fn what_another_process_asks_for_is_done_in_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (script, told) = script(dir.path(), "firewall");
    let config = RespondConfig {
        mode: Mode::Enforce,
        with: FirewallKind::Script,
        script: Some(script),
        ..RespondConfig::default()
    };
    let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
    let responder = Responder::new(&config, catalog.clone(), Surroundings::none()).unwrap();
    let responder = Arc::new(responder);
    let (_alerts, waiting) = mpsc::channel(1);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(responder.clone().run(waiting, shutdown.clone()));

    let wish = Wish {
        target: Target::parse("203.0.113.66").unwrap(),
        lasts: Some(Duration::from_secs(600)),
        reason: "a test".into(),
        by: "anna".into(),
        alert_id: None,
        despite_login: false,
    };
    let id = responder.ask(&wish).await.unwrap().id;
    until(&catalog, id, BanState::Active).await;
    responder.ask_to_lift(id, "ben").unwrap().unwrap();
    until(&catalog, id, BanState::Lifted).await;
    let steps = catalog.ban_activity(id).unwrap();
    let who: Vec<&str> = steps.iter().map(|step| step.who.as_str()).collect();
    assert_eq!(who, ["anna", "anna", "ben", "ben"]);
    let told = std::fs::read_to_string(told).unwrap();
    assert_eq!(told, "block 203.0.113.66\nunblock 203.0.113.66\n");
    shutdown.cancel();
    running.await.unwrap();
}

fn alert(number: u8, block: Option<Block>, severity: Severity) -> Alert {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    Alert {
        id: AlertId(format!("{number:032x}")),
        rule: RuleMeta {
            id: "r".into(),
            title: "A rule".into(),
            severity,
            block,
            ..RuleMeta::default()
        },
        severity,
        group: vec![("source.ip".into(), format!("198.51.100.{number}"))],
        first_seen: now,
        last_seen: now,
        raised: now,
        count: 1,
        findings: 1,
        status: tocsin_model::AlertStatus::New,
        triage: tocsin_model::Triage::default(),
        historical: false,
        reason: "because".into(),
        fields: vec![("user.name".into(), format!("intruder{number}").into())],
        events: Vec::new(),
        matches: Vec::new(),
        version: 1,
    }
}

/// Waits for five bans; each one's target, state and seconds, the first first.
async fn five_bans(catalog: &Catalog) -> (Vec<Ban>, Vec<(String, BanState, u64)>) {
    let reached = async {
        while catalog.bans(&[], None, 100).unwrap().len() < 5 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap();
    let bans = catalog.bans(&[], None, 100).unwrap();
    let one = |ban: &Ban| {
        let lasts = ban.what.expires.since(ban.created).as_secs_f64().round() as u64;
        (ban.what.target.to_string(), ban.what.state, lasts)
    };
    let told = bans.iter().rev().map(one).collect();
    (bans, told)
}

#[tokio::test]
async fn rules_say_whom_to_block_and_one_that_blocks_everybody_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (firewall, blocked) = script(dir.path(), "firewall");
    let (accounts, disabled) = script(dir.path(), "accounts");
    let config = RespondConfig {
        mode: Mode::Enforce,
        with: FirewallKind::Script,
        script: Some(firewall),
        user_script: Some(accounts),
        per_rule_hour_max: 3,
        routes: vec![tocsin_respond::BanRoute {
            when: "rule.id: r".into(),
            field: "source.ip".into(),
            for_seconds: Some(60),
        }],
        ..RespondConfig::default()
    };
    config.check().unwrap();
    let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
    let around = Surroundings {
        // The condition is read elsewhere: alerts of low severity take the first route.
        routes: Arc::new(|alert| (alert.severity == Severity::Low).then_some(0)),
        ..Surroundings::none()
    };
    let responder = Arc::new(Responder::new(&config, catalog.clone(), around).unwrap());
    let (alerts, waiting) = mpsc::channel(16);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(responder.clone().run(waiting, shutdown.clone()));
    let whom = |field: &str| {
        Some(Block::Whom { field: field.into(), lasts: Some(Duration::from_secs(7200)) })
    };
    let all = [
        alert(1, whom("source.ip"), Severity::Informational),
        alert(2, Some(Block::Never), Severity::Critical),
        alert(3, whom("user.name"), Severity::Medium),
        alert(4, None, Severity::Medium),
        alert(5, None, Severity::Low),
        alert(6, whom("source.ip"), Severity::High),
        alert(7, None, Severity::Critical),
    ];
    for alert in all {
        alerts.send(More::Alert(Arc::new(alert))).await.unwrap();
    }
    let (bans, told) = five_bans(&catalog).await;
    let expected = [
        ("198.51.100.1", BanState::Active, 7200),
        ("user intruder3", BanState::Active, 7200),
        ("198.51.100.5", BanState::Active, 60),
        ("198.51.100.6", BanState::Refused, 7200),
        ("198.51.100.7", BanState::Refused, 3600),
    ];
    let expected: Vec<(String, BanState, u64)> =
        expected.map(|(target, state, lasts)| (target.to_owned(), state, lasts)).into();
    assert_eq!(told, expected);
    let note = bans[0].what.note.as_deref().unwrap();
    assert!(note.contains("perhaps it matches everybody (respond.per_rule_hour_max)"), "{note}");
    // Undone by one call.
    let user = bans.iter().find(|ban| ban.what.target.address().is_none()).unwrap();
    responder.lift(user.id, "ana", "a mistake").await.unwrap().unwrap();
    let told = std::fs::read_to_string(disabled).unwrap();
    assert_eq!(told, "disable intruder3\nenable intruder3\n");
    let told = std::fs::read_to_string(blocked).unwrap();
    assert_eq!(told, "block 198.51.100.1\nblock 198.51.100.5\n");
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_disabled_user_is_enabled_when_the_time_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let (accounts, told) = script(dir.path(), "accounts");
    let config = RespondConfig {
        mode: Mode::Enforce,
        user_script: Some(accounts),
        ..RespondConfig::default()
    };
    let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
    let responder = Responder::new(&config, catalog.clone(), Surroundings::none()).unwrap();
    let responder = Arc::new(responder);
    let (_alerts, waiting) = mpsc::channel(1);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(responder.clone().run(waiting, shutdown.clone()));
    let wish = |name: &str| Wish {
        target: Target::User(name.into()),
        lasts: Some(Duration::from_secs(1)),
        reason: "a test".into(),
        by: "anna".into(),
        alert_id: None,
        despite_login: false,
    };
    let refused = responder.block(&wish("root")).await.unwrap_err().to_string();
    assert_eq!(refused, "user root is not blocked: root is never disabled");
    let ban = responder.block(&wish("intruder")).await.unwrap();
    until(&catalog, ban.id, BanState::Expired).await;
    assert_eq!(std::fs::read_to_string(told).unwrap(), "disable intruder\nenable intruder\n");
    shutdown.cancel();
    running.await.unwrap();
}

/// A firewall that is a script.
fn scripted(path: PathBuf) -> Firewall {
    let with = FirewallKind::Script;
    Firewall::of(&RespondConfig { with, script: Some(path), ..RespondConfig::default() }).unwrap()
}

#[tokio::test]
async fn a_script_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let (path, told) = (dir.path().join("firewall"), dir.path().join("told"));
    program(&path, &format!("#!/bin/sh\necho \"$@\" >> {}\n", told.display()));
    let firewall = scripted(path);
    let address = "2001:db8::1".parse().unwrap();
    firewall.prepare().await.unwrap();
    firewall.block(address, Duration::from_secs(90)).await.unwrap();
    firewall.unblock(address).await.unwrap();
    assert_eq!(firewall.blocked().await, Ok(None));
    let told = std::fs::read_to_string(told).unwrap();
    assert_eq!(told, "block 2001:db8::1 90\nunblock 2001:db8::1\n");
}

#[tokio::test]
async fn complaints_of_a_script_are_passed_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("firewall");
    program(&path, "#!/bin/sh\necho no rights >&2\nexit 3\n");
    let address = "192.0.2.1".parse().unwrap();
    let error = scripted(path).block(address, Duration::from_secs(9)).await.unwrap_err();
    assert!(error.to_string().contains("exit status: 3 no rights"), "{error}");
}
