//! Who may not talk to the server, and what happens when they do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::time::Duration;

use common::Rig;
use proptest::prelude::*;
use tocsin_server::{CONTENT_SECURITY_POLICY, Error, serve};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn only_requests_to_known_names_are_answered() {
    let rig = Rig::with(|config| {
        config.server.allowed_hosts = vec!["Logs.Example.org".to_owned()];
    })
    .await;
    let port = rig.addr.port();
    let cases = [
        (format!("localhost:{port}"), 200),
        ("localhost".to_owned(), 200),
        (format!("127.0.0.1:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        ("logs.example.org".to_owned(), 200),
        (format!("evil.example:{port}"), 421),
        ("127.0.0.1.evil.example".to_owned(), 421),
        ("0.0.0.0".to_owned(), 421),
        ("user@localhost".to_owned(), 400),
        ("local host".to_owned(), 400),
        ("localhost, evil.example".to_owned(), 400),
        (String::new(), 400),
    ];
    for (host, status) in &cases {
        for path in ["/health", "/", "/api/v1/stream/x", "/nothing"] {
            let answer = rig.ask("GET", path, &[("Host", host)], b"").await;
            if path == "/health" {
                assert_eq!(answer.status, *status, "{host:?}: {}", answer.text());
            }
            assert_eq!(answer.status == 421, *status == 421, "{host:?} {path}");
        }
    }
    let two = [("Host", "localhost"), ("Host", "localhost")];
    assert_eq!(rig.ask("GET", "/health", &two, b"").await.status, 400);
    let none = rig.raw(b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    assert_eq!(none.status, 400);
    let other =
        b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(rig.raw(other).await.status, 400);
    let same =
        b"GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(rig.raw(same).await.status, 200);
    rig.stop().await;
}

#[tokio::test]
async fn other_sites_pages_can_change_nothing() {
    let rig = Rig::new().await;
    let host = rig.addr.to_string();
    let own = format!("http://{host}");
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[], 200),
        (&[("Origin", &own)], 200),
        (&[("Origin", &own), ("Sec-Fetch-Site", "same-origin")], 200),
        (&[("Sec-Fetch-Site", "none")], 200),
        (&[("Origin", "http://evil.example")], 403),
        (&[("Origin", "null")], 403),
        (&[("Origin", "")], 403),
        (&[("Origin", "http://127.0.0.1:1")], 403),
        (&[("Origin", "file://")], 403),
        (&[("Sec-Fetch-Site", "cross-site")], 403),
        (&[("Sec-Fetch-Site", "same-site")], 403),
        (&[("Origin", &own), ("Sec-Fetch-Site", "cross-site")], 403),
    ];
    for (headers, status) in cases {
        let answer = rig.ask("POST", "/ingest", headers, b"[]").await;
        assert_eq!(answer.status, *status, "{headers:?}: {}", answer.text());
        // Reading is safe: the browser gives the answer to no other site.
        let answer = rig.ask("GET", "/status", headers, b"").await;
        assert_eq!(answer.status, 200, "{headers:?}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    rig.stop().await;
}

#[tokio::test]
async fn every_answer_has_the_security_headers_and_a_name() {
    let rig = Rig::new().await;
    let requests = [
        ("GET", "/status", 200),
        ("GET", "/docs", 200),
        ("GET", "/docs/docs.js", 200),
        ("GET", "/docs/nothing.js", 404),
        ("GET", "/assets/missing.js", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1", 404),
        ("POST", "/status", 405),
        ("DELETE", "/api/v1/alerts", 405),
        ("POST", "/nothing", 404),
        ("GET", "/api/v1/alerts?limit=x", 400),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/assets/../../Cargo.toml", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd.txt", 404),
        ("OPTIONS", "/ingest", 405),
        ("TRACE", "/status", 405),
    ];
    let mut names = std::collections::BTreeSet::new();
    for (method, target, status) in requests {
        let answer = rig.ask(method, target, &[("X-Request-Id", "mine")], b"").await;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        assert_eq!(answer.header("content-security-policy"), Some(CONTENT_SECURITY_POLICY));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert!(answer.header("cache-control").is_some(), "{target}");
        let name = answer.header("x-request-id").unwrap().to_owned();
        assert!(name.len() == 16 && names.insert(name), "{target}");
        if status >= 400 {
            assert_eq!(answer.header("content-type"), Some("application/json"), "{target}");
            answer.failure();
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn one_connection_takes_many_requests_and_broken_ones_hurt_nobody() {
    let rig = Rig::new().await;
    let broken: &[&[u8]] = &[
        b"",
        b"\0\0\0\0",
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ];
    for bytes in broken {
        let mut stream = tokio::net::TcpStream::connect(rig.addr).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, bytes).await.unwrap();
        drop(stream);
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(200_000));
    let answer = rig.raw(long.as_bytes()).await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    let host = format!("Host: {}\r\n", rig.addr);
    let twice = format!(
        "GET /health HTTP/1.1\r\n{host}\r\nGET /health HTTP/1.1\r\n{host}Connection: close\r\n\r\n"
    );
    let both = rig.raw(twice.as_bytes()).await;
    assert_eq!(both.status, 200);
    assert_eq!(both.text().matches("{\"status\":\"ok\"}").count(), 2);
    rig.stop().await;
}

#[tokio::test]
async fn addresses_that_cannot_be_used_are_refused_with_the_remedy() {
    let first = Rig::new().await;
    let taken = first.addr.to_string();
    let cases = [
        ("192.0.2.1:7514", "cannot listen for HTTP"),
        ("7514", "127.0.0.1:7514"),
        ("example.org:80", "not an address"),
        (&taken, "server.listen or TOCSIN_SERVER_LISTEN"),
    ];
    for (listen, says) in cases {
        let (handle, _batches, inputs, _dir) =
            common::handle(|config| config.server.listen = listen.to_owned()).await;
        let error: Error = serve(handle, CancellationToken::new()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{listen}: {error}");
        assert!(error.to_string().contains(listen), "{listen}: {error}");
        inputs.cancel();
    }
    first.stop().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_idle_connections() {
    let rig = Rig::new().await;
    let idle = tokio::net::TcpStream::connect(rig.addr).await.unwrap();
    let addr = rig.addr;
    tokio::time::timeout(Duration::from_secs(5), rig.stop()).await.unwrap();
    drop(idle);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is in a target or a header, the server answers or closes, and lives.
    #[test]
    fn no_request_ends_the_server(
        targets in prop::collection::vec("[!-~]{0,60}", 1..6),
        header in "[ -~]{0,60}",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new().await;
            for target in &targets {
                for (method, base) in [
                    ("GET", "/"),
                    ("GET", "/api/v1/alerts?q="),
                    ("GET", "/api/v1/events?q="),
                    ("GET", "/api/v1/events?cursor="),
                    ("POST", "/ingest?"),
                ] {
                    let target = format!("{base}{target}");
                    if target.contains("/stream") {
                        continue;
                    }
                    let headers = [("Content-Type", &*header), ("Accept", &*header)];
                    let answer = rig.ask(method, &target, &headers, &body).await;
                    assert!(answer.status < 500 || answer.status == 503, "{target}: {}", answer.text());
                }
            }
            rig.stop().await;
        });
    }
}
