//! A commit in the middle of what is being read: after `kill -9` nothing of it is stored twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs;
use std::io::Write;

use support::{Server, Setup, wait_for};

/// More than fits into one epoch (32 MiB of raw lines), with ends of epochs far from ends of
/// batches.
const LINES: u64 = 5_000;
const LINE_BYTES: usize = 15_000;

#[test]
fn a_commit_within_a_batch_repeats_nothing() {
    // Time alone ends no epoch here: only its size does.
    let setup = Setup::new(
        "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  \
         files: [{ paths: [DIR/app.log], start: beginning }]\n",
    );
    let config = fs::read_to_string(&setup.config).unwrap();
    fs::write(&setup.config, config.replace("commit_ms: 100", "commit_ms: 60000")).unwrap();
    let filling = "x".repeat(LINE_BYTES);
    let mut log = fs::File::create(setup.path("app.log")).unwrap();
    for number in 0..LINES {
        writeln!(log, "{{\"n\":{number},\"message\":\"{filling}\"}}").unwrap();
    }
    let server = Server::start(&setup.config);
    let stored =
        wait_for("the first commit", || Some(server.stored()).filter(|stored| *stored > 0));
    server.kill();
    assert!(stored < LINES, "all in one epoch: the lines are too short");

    let config = fs::read_to_string(&setup.config).unwrap();
    fs::write(&setup.config, config.replace("commit_ms: 60000", "commit_ms: 100")).unwrap();
    let server = Server::start(&setup.config);
    wait_for("the rest", || (server.stored() >= LINES).then_some(()));
    writeln!(log, "{{\"n\":{LINES},\"message\":\"the end\"}}").unwrap();
    let found = wait_for("the last line", || {
        let answer = server.ask(
            "POST",
            "/api/v1/search",
            br#"{"limit":0,"aggs":{
            "distinct":{"cardinality":{"field":"n"}},"last":{"max":{"field":"n"}}}}"#,
        )?;
        let answer: serde_json::Value = serde_json::from_str(&answer.1).unwrap();
        (answer["aggregations"]["last"]["value"] == LINES as f64).then_some(answer)
    });
    assert_eq!(found["total"], LINES + 1, "{found}");
    // It is counted just after it can be found.
    wait_for("the count", || (server.stored() > LINES).then_some(()));
    assert_eq!(server.stored(), LINES + 1);
}
