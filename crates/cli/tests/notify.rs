//! Deliveries that a service refuses are given up, listed with its answer, and sent when they are
//! tried again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::io::Write;

use serde_json::json;
use support::{Server, Setup, json_lines, output, tocsin, wait_for};
use tocsin_simulate::catch::{CatchOptions, Catcher};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_refused_is_sent_when_it_is_tried_again() {
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    catcher.set_status(400);
    let setup = Setup::new(&format!(
        "collect:\n  discover: false\n  syslog: {{ udp: null, tcp: null }}\n  files:\n  \
         - paths: [DIR/auth.log]\nnotify:\n  retry_ms_min: 1\n  retry_ms_max: 10\n  channels:\n    \
         pager:\n      type: pagerduty\n      token: '0123456789'\n      url: http://{}/\n",
        catcher.http_addr().unwrap()
    ));
    std::fs::write(setup.path("auth.log"), "").unwrap();
    let server = Server::start(&setup.config);
    let mut log = std::fs::OpenOptions::new().append(true).open(setup.path("auth.log")).unwrap();
    for attempt in 0..8 {
        let now = tocsin_model::Timestamp::from_system(std::time::SystemTime::now());
        writeln!(
            log,
            "{now} web sshd[1]: Failed password for root from 192.0.2.1 port {attempt} ssh2"
        )
        .unwrap();
    }
    let notify = |arguments: &[&str]| {
        let mut command = tocsin();
        command.arg("notify").args(arguments).arg("--config").arg(&setup.config);
        output(&mut command, b"")
    };
    let dead = wait_for("a delivery to be given up", || {
        let dead = json_lines(&notify(&["dead", "--json"]).1);
        (!dead.is_empty()).then_some(dead)
    });
    let answer = dead[0]["answer"].as_str().unwrap();
    assert!(answer.starts_with("400") && !answer.contains("0123456789"), "{answer}");
    assert_eq!((&dead[0]["channel"], &dead[0]["attempts"]), (&json!("pager"), &json!(5)));
    let (code, _, err) = notify(&["retry", "no such key"]);
    assert!(code == 2 && err.contains("no such delivery"), "{err}");
    let (code, out, err) = notify(&["test", "pager"]);
    assert!(code == 1 && err.contains("400"), "{out}{err}");

    catcher.set_status(202);
    let before = catcher.requests().len();
    let (status, body) = server.ask("POST", "/api/v1/notices/retry", b"{}").unwrap();
    assert_eq!((status, body.as_str()), (200, "{\"retried\":1}"));
    wait_for("the notice", || (catcher.requests().len() > before).then_some(()));
    let sent = &catcher.requests()[before];
    assert_eq!((sent.status, &sent.body["event_action"]), (202, &json!("trigger")));
    assert_eq!(sent.body["routing_key"], "0123456789");
    assert!(json_lines(&notify(&["dead", "--json"]).1).is_empty());
    server.terminate();
}

const DUTY: &str = "about: our duty roster\nneeds: [url, token]\npath: /v1/{{ token }}/calls\n\
    headers: { x-channel: '{{ channel }}' }\nsuccess: [200]\nplain_http: true\nbody: |\n  \
    {\"what\": {{ title }}, \"urgent\": {{ severity_number >= 73 }}}\ntests:\n\
    - name: an alert\n  given: { url: 'https://duty.example', token: abc }\n  request:\n    \
    url: https://duty.example/v1/abc/calls\n    headers: { x-channel: ops }\n    \
    body: { urgent: true, what: '[high] SSH brute force from 192.0.2.1 on web-1' }\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_ones_own_is_checked_and_told() {
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let setup = Setup::new(&format!(
        "content:\n  packs: [DIR/packs]\nnotify:\n  channels:\n    \
         duty: {{ type: service, service: duty, url: 'http://{}', token: abc-123-def }}\n",
        catcher.http_addr().unwrap()
    ));
    std::fs::create_dir_all(setup.path("packs/ours/channels")).unwrap();
    let pack = "name: ours\nversion: 0.1.0\nabout: what is only here\n";
    std::fs::write(setup.path("packs/ours/pack.yml"), pack).unwrap();
    let file = setup.path("packs/ours/channels/duty.yml");
    let run = |arguments: &[&str]| {
        output(tocsin().args(arguments).arg("--config").arg(&setup.config), b"")
    };
    for (text, expected) in [
        (DUTY.replace("severity_number", "severity_numbr"), "channels/duty.yml:7: error: "),
        (DUTY.replace("urgent: true", "urgent: false"), "body.urgent is true, not false"),
        (DUTY.replace("succ", "suc"), "unknown key \"sucess\""),
    ] {
        std::fs::write(&file, text).unwrap();
        let (code, out, err) = run(&["check"]);
        assert!(code == 2 && err.contains(expected), "{out}{err}");
    }
    // What has an error is not there.
    let (code, _, err) = run(&["notify", "test", "duty"]);
    assert!(code == 1 && err.contains("there is none called \"duty\""), "{err}");
    std::fs::write(&file, DUTY).unwrap();
    let (code, out, err) = run(&["check"]);
    assert!(code == 0 && out.contains("channel tests passed, 0 failed"), "{out}{err}");
    let (code, out, err) = run(&["notify", "test", "duty"]);
    assert!(code == 0 && out.starts_with("duty: 200"), "{out}{err}");
    let requests = catcher.requests();
    let request = &requests[0];
    assert_eq!(
        (request.path.as_str(), request.header("x-channel")),
        ("/v1/abc-123-def/calls", "duty")
    );
    assert_eq!(request.body["urgent"], json!(false));
    assert!(request.body["what"].as_str().unwrap().contains("test: Test notice"));

    // A running Tocsin takes edits over; one that is refused, or that wants what the channel does not
    // give, changes nothing but what is said.
    let server = Server::start(&setup.config);
    let told = || {
        let (status, answer) = server.ask("POST", "/api/v1/channels/duty/test", b"{}").unwrap();
        assert_eq!(status, 200, "{answer}");
        catcher.requests().last().unwrap().body.clone()
    };
    assert!(told()["what"].is_string());
    let edited = DUTY.replace("\"what\":", "\"subject\":").replace("what:", "subject:");
    std::fs::write(&file, &edited).unwrap();
    wait_for("the edit", || told()["subject"].is_string().then_some(()));
    for (text, expected) in [
        (edited.replace("severity_number", "severity_numbr"), "duty.yml:7"),
        (edited.replace("[url, token]", "[url, token, target]"), "target is missing"),
    ] {
        std::fs::write(&file, text).unwrap();
        let said = wait_for("what is wrong", || {
            let said = server.get("/api/v1/rules")?["problems"].to_string();
            said.contains(expected).then_some(said)
        });
        assert!(said.contains("the version before stays in force"), "{said}");
        assert!(told()["subject"].is_string(), "{said}");
    }
}
