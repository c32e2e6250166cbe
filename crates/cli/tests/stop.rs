//! SIGTERM: the stop takes no longer than configured, whatever clients do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use support::{PATIENCE, Server, Setup};

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
