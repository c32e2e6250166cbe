//! A responder at work, with a script for a firewall.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use tocsin_catalog::{BanState, Catalog};
use tocsin_respond::{FirewallKind, Mode, RespondConfig, Responder, Wish};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

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
    let told = dir.path().join("told");
    let script = dir.path().join("firewall");
    std::fs::write(&script, format!("#!/bin/sh\necho $1 $2 >> {}\n", told.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let config = RespondConfig {
        mode: Mode::Enforce,
        with: FirewallKind::Script,
        script: Some(script),
        ..RespondConfig::default()
    };
    let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
    let responder = Responder::new(&config, catalog.clone(), Arc::new(|_, _| Ok(None))).unwrap();
    let responder = Arc::new(responder);
    let (_alerts, waiting) = mpsc::channel(1);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(responder.clone().run(waiting, shutdown.clone()));

    let wish = Wish {
        address: "203.0.113.66".parse().unwrap(),
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
