//! SIGTERM: the stop takes no longer than configured, whatever clients do, and what a log had named
//! before it is known after it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use support::{PATIENCE, Server, Setup, wait_for};

const CONFIG: &str = "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n";

#[test]
fn clients_do_not_hold_up_the_stop() {
    let setup = Setup::new(CONFIG);
    let server = Server::start(&setup.config);
    let addr = server.addr();
    let open = |request: String, wait_for: &str| {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = vec![0; wait_for.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), wait_for);
        stream
    };
    let clients = [
        // Half a batch, which the server is waiting for the rest of.
        open(
            format!(
                "POST /ingest HTTP/1.1\r\nHost: {addr}\r\nContent-Length: 99\r\n\
                 Expect: 100-continue\r\n\r\n[{{"
            ),
            "HTTP/1.1 100 Continue",
        ),
        // A reader of live messages who has stopped reading.
        open(format!("GET /api/v1/stream HTTP/1.1\r\nHost: {addr}\r\n\r\n"), "HTTP/1.1 200 OK"),
        // A connection that is kept for later.
        open(format!("GET /health HTTP/1.1\r\nHost: {addr}\r\n\r\n"), "HTTP/1.1 200 OK"),
    ];
    let took = server.terminate();
    assert!(took <= Duration::from_secs(5), "{took:?}");
    drop(clients);
}

#[test]
fn columns_that_a_log_named_are_known_after_a_restart() {
    let setup = Setup::new(
        "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  \
         files: [{ paths: [DIR/site.log] }]\ncontent: { rules: [DIR/rules] }\n",
    );
    fs::create_dir(setup.path("rules")).unwrap();
    let log = setup.path("site.log");
    // Of two addresses side by side, only the names of the columns tell which is whose.
    fs::write(
        &log,
        "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n\
         #Fields: date time c-ip s-ip cs-method cs-uri-stem sc-status\n\
         2026-11-20 10:00:00 192.0.2.1 198.51.100.9 GET /one 200\n",
    )
    .unwrap();
    let found = |server: &Server, page: &str| {
        let asked = format!(
            "{{\"q\":\"source.ip:192.0.2.1 and destination.ip:198.51.100.9 and \
             url.path:{page}\",\"from\":\"2026-11-20T00:00:00Z\",\"to\":\"2026-11-21T00:00:00Z\"}}"
        );
        let (status, body) = server.ask("POST", "/api/v1/search", asked.as_bytes())?;
        assert_eq!(status, 200, "{body}");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        (answer["total"].as_u64()? == 1).then_some(())
    };
    let server = Server::start(&setup.config);
    wait_for("the first request", || found(&server, "\\\"/one\\\""));
    server.terminate();
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(b"2026-11-20 10:00:01 192.0.2.1 198.51.100.9 GET /two 200\n").unwrap();
    let server = Server::start(&setup.config);
    wait_for("the request after the restart", || found(&server, "\\\"/two\\\""));
    // Content that is read again changes nothing in what logs have named.
    let rule =
        "title: new one\nlogsource: { category: any }\ndetection:\n  a: { b: c }\n  condition: a\n";
    fs::write(setup.path("rules/new.yml"), rule).unwrap();
    wait_for("the new rule", || {
        server.get("/api/v1/rules")?.to_string().contains("new one").then_some(())
    });
    file.write_all(b"2026-11-20 10:00:02 192.0.2.1 198.51.100.9 GET /three 200\n").unwrap();
    wait_for("the request after the reload", || found(&server, "\\\"/three\\\""));
}
