//! Attackers of one host are one incident: people are told of it once, programs of every alert.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::io::Write;

use serde_json::json;
use support::{Server, Setup, wait_for};
use tocsin_simulate::catch::{CatchOptions, Catcher};

const ATTACKERS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn attackers_of_one_host_are_one_incident_and_one_notice() {
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let http = catcher.http_addr().unwrap();
    let setup = Setup::new(&format!(
        "collect:\n  discover: false\n  syslog: {{ udp: null, tcp: null }}\n  files:\n  \
         - paths: [DIR/auth.log]\nnotify:\n  channels:\n    \
         people: {{ type: ntfy, url: 'http://{http}', target: ops }}\n    \
         program: {{ type: webhook, url: 'http://{http}/hook' }}\n"
    ));
    std::fs::write(setup.path("auth.log"), "").unwrap();
    let server = Server::start(&setup.config);
    let mut log = std::fs::OpenOptions::new().append(true).open(setup.path("auth.log")).unwrap();
    for attacker in 1..=ATTACKERS {
        for attempt in 0..8 {
            let now = tocsin_model::Timestamp::from_system(std::time::SystemTime::now());
            let (user, from) = (format!("user{attacker}"), format!("192.0.2.{attacker}"));
            writeln!(
                log,
                "{now} web sshd[{attacker}]: Failed password for {user} from {from} port {attempt} ssh2"
            )
            .unwrap();
        }
    }
    let to = |path: &str| catcher.requests().iter().filter(|sent| sent.path == path).count();
    wait_for("every alert at the webhook", || (to("/hook") >= ATTACKERS).then_some(()));
    wait_for("the notice", || (to("/") >= 1).then_some(()));

    let list = server.get("/api/v1/incidents?status=open").unwrap();
    assert_eq!((&list["total"], &list["incidents"][0]["alerts"]), (&json!(1), &json!(ATTACKERS)));
    let id = list["incidents"][0]["id"].to_string();
    let one = server.get(&format!("/api/v1/incidents/{id}")).unwrap();
    let lines = one["timeline"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["alerts"]), (1, &json!(ATTACKERS)), "{one}");
    let of = server.get(&format!("/api/v1/alerts?incident={id}")).unwrap();
    assert_eq!(of["total"], json!(ATTACKERS));
    assert_eq!(of["alerts"][0]["tocsin"]["alert"]["incident"], list["incidents"][0]["id"]);
    let close = json!({"query": {"incident": id}, "change": {"disposition": "false_positive"}});
    let (status, _) =
        server.ask("POST", "/api/v1/alerts/change", close.to_string().as_bytes()).unwrap();
    assert_eq!(status, 200);
    assert_eq!(server.get("/api/v1/incidents?status=open").unwrap()["total"], 0);
    let noise = server.get("/api/v1/rules/noise").unwrap();
    assert_eq!(noise["rules"][0]["closed"]["false_positive"], json!(ATTACKERS), "{noise}");

    for (path, status) in [
        ("/api/v1/incidents?status=closed", 400),
        ("/api/v1/incidents?limit=x", 400),
        ("/api/v1/incidents/99", 404),
        ("/api/v1/incidents/x", 404),
        ("/api/v1/alerts?incident=x", 400),
        ("/api/v1/rules/noise?last=long", 400),
    ] {
        assert_eq!(server.ask("GET", path, b"").unwrap().0, status, "{path}");
    }
    server.terminate();
    assert_eq!(to("/"), 1, "people were told more than once");
}
