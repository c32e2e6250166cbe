//! `POST /ingest`: what is accepted arrives at the pipeline, what is not is named.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use common::{Answer, Rig};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};
use tocsin_collect::{DropReason, JournalEntry};
use tocsin_model::Record;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The server's patience with bodies that find no memory.
const INGEST_WAIT_MAX: Duration = Duration::from_secs(10);

const DAY: Duration = Duration::from_secs(86_400);

/// Limits small enough to run into.
async fn small_rig() -> Rig {
    Rig::with(|config| {
        config.collect.ingest.body_bytes_max = 64 * 1024;
        config.collect.ingest.event_bytes_max = 1024;
    })
    .await
}

async fn post(rig: &Rig, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    rig.ask("POST", "/ingest", headers, body).await
}

/// The next records that arrive at the pipeline.
async fn arrived(rig: &mut Rig, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(rig.batches.recv().await.unwrap().records);
    }
    assert_eq!(records.len(), count);
    records
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn batches_arrive_in_every_form() {
    let mut rig = small_rig().await;
    let long = format!("\"{}\"", "x".repeat(2000));
    let cases: &[(&str, &str, usize, usize)] = &[
        ("application/json", r#"{"events":[{"src_ip":"192.0.2.1"},{"a":1}]}"#, 2, 0),
        ("application/json", r#"[{"a":1},"a line",7]"#, 2, 1),
        ("application/x-ndjson", "{\"a\":1}\n{\"a\":2}\nbroken\n", 2, 1),
        ("application/json", r#"{"format":"auth","raw":"Nov 21 sshd[1]: x"}"#, 1, 0),
        ("text/plain", "one line\nanother\n", 2, 0),
        ("application/json", &format!("[{{\"a\":1}},{long}]"), 1, 1),
    ];
    for (place, (kind, body, accepted, refused)) in cases.iter().enumerate() {
        // Both addresses take it.
        let target = if place % 2 == 0 { "/ingest" } else { "/api/v1/ingest" };
        let answer = rig.ask("POST", target, &[("Content-Type", kind)], body.as_bytes()).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text());
        let json = answer.json();
        assert_eq!(json["accepted"], *accepted, "{body}: {json}");
        assert_eq!(json["refused"].as_array().unwrap().len(), *refused, "{body}: {json}");
        assert_eq!(json["refused_total"], *refused);
        let records = arrived(&mut rig, *accepted).await;
        assert_eq!(records[0].peer, Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(&*records[0].input, "http");
    }
    let counters = rig.handle.inputs.input("http");
    assert_eq!((counters.records(), counters.dropped_count(DropReason::Refused)), (10, 3));
    let status = rig.get("/status").await.json();
    let input = &status["inputs"][0];
    assert_eq!((&input["source"], &input["received"]), (&json!("POST /ingest"), &json!(13)));
    assert!(input["last_event"].is_string());
    rig.stop().await;
}

#[tokio::test]
async fn hints_and_bytes_arrive_as_sent() {
    let mut rig = small_rig().await;
    let body = br#"[{"format":"nginx","raw":"GET /?q=' OR 1=1"},{"user":"root"}]"#;
    assert_eq!(post(&rig, &[], body).await.status, 200);
    let records = arrived(&mut rig, 2).await;
    assert_eq!(records[0].hint.as_deref(), Some("nginx"));
    assert_eq!(&records[0].bytes[..], b"GET /?q=' OR 1=1");
    assert_eq!(records[1].hint.as_deref(), Some("json"));
    rig.stop().await;
}

#[tokio::test]
async fn what_holds_nothing_good_is_refused_with_reasons() {
    let rig = small_rig().await;
    let cases: &[(&str, &[u8])] = &[
        ("application/json", b"{\"events\":"),
        ("application/json", b"[1,2,3]"),
        ("application/json", b"not json at all"),
        ("application/json", b"\xff\xfe\x00"),
        ("application/json", &[b'['; 60_000]),
    ];
    for (kind, body) in cases {
        let answer = post(&rig, &[("Content-Type", kind)], body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let json = answer.json();
        assert_eq!(json["accepted"], 0);
        assert!(json["refused"][0]["reason"].is_string(), "{json}");
    }
    for body in [&b"[]"[..], b"{\"events\":[]}"] {
        let answer = post(&rig, &[("Content-Type", "application/json")], body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let nothing = json!({"accepted": 0, "refused": [], "refused_total": 0, "warnings": [],
            "warnings_total": 0});
        assert_eq!(answer.json(), nothing);
    }
    rig.stop().await;
}

/// Of an answer what was made of each event: `+N` accepted, `!index reason`, `?index field message`.
fn said(json: &Json) -> String {
    let mut said = format!("+{}", json["accepted"]);
    for one in json["warnings"].as_array().unwrap() {
        let text = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
        said.push_str(&format!(" ?{} {} {}", one["index"], text("field"), text("message")));
    }
    for one in json["refused"].as_array().unwrap() {
        said.push_str(&format!(" !{} {}", one["index"], one["reason"].as_str().unwrap()));
    }
    said
}

/// Posts bodies of a type and compares parts of what is said about each, in their order.
async fn check_said(status: u16, cases: &[(&str, &str, &[&str])]) {
    let rig = small_rig().await;
    for (kind, body, expected) in cases {
        let answer = post(&rig, &[("Content-Type", kind)], body.as_bytes()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        let json = answer.json();
        let said = said(&json);
        let mut from = 0;
        for part in *expected {
            let at = said[from..].find(part);
            from += at.unwrap_or_else(|| panic!("{body}: {said}: no {part:?}")) + part.len();
        }
        let count = |list: &str| json[list].as_array().unwrap().len();
        assert_eq!(json["warnings_total"], count("warnings"), "{json}");
        assert_eq!(json["refused_total"], count("refused"), "{json}");
        assert_eq!(count("warnings"), said.matches(" ?").count());
        let whole = expected.iter().any(|part| part.contains(" ?"));
        assert!(whole || count("warnings") == 0, "{body}: {said}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_is_clearly_no_event_is_refused() {
    let json = "application/json";
    check_said(
        400,
        &[
            (json, r#"{"event":[{"user":"x"}]}"#, &["!0", "did you mean \"events\"?"]),
            (json, r#"{"Records":[{"user":"x"}]}"#, &["!0", "did you mean \"events\"?"]),
            (json, r#"{"events":{}}"#, &["!0", "must be a list of events, not an object"]),
            (json, r#"{"events":"x"}"#, &["!0", "must be a list of events, not a text"]),
            (
                json,
                r#"{"format":"nosuch","raw":"x"}"#,
                &["unknown format \"nosuch\"", "hints", "auth,", "nginx,", "openssh.sshd"],
            ),
            (json, r#"{"format":"ngnix","raw":"x"}"#, &["did you mean \"nginx\"?", "hints"]),
            (
                json,
                r#"[{"format":"a1","raw":"x"},{"format":"a2","raw":"x"}]"#,
                &["!0", "openssh.sshd", "!1 unknown format \"a2\"", "named above"],
            ),
            (json, r#"{"format":"auth"}"#, &["!0", "no raw with the log line"]),
            (json, r#"{"format":"auth","raw":5}"#, &["!0", "raw must be a text", "a number"]),
            (json, r#"{"raw":5}"#, &["!0", "raw must be a text"]),
            (json, r#"{"format":"auth","raw":""}"#, &["!0", "raw is empty"]),
            (json, "", &["!0", "the body is empty", "{\"events\":[…]}"]),
            ("text/plain", " \n\n", &["!0", "the body is empty"]),
            (json, "{}", &["!0", "no fields"]),
            ("application/xml", "<event/>", &["!0", "application/xml", "application/json"]),
            ("text/html", "<p>hello</p>", &["!0", "text/html", "text/plain"]),
            ("application/x-protobuf", "\u{1}\u{2}", &["!0", "application/x-protobuf"]),
            ("application/xml", "{broken", &["!0", "not valid JSON"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn what_was_probably_meant_otherwise_is_taken_and_told() {
    let json = "application/json";
    let ahead = format!(r#"{{"time":"{}","user":"x"}}"#, common::now().plus(DAY * 2));
    let soon = format!(r#"{{"time":"{}","user":"x"}}"#, common::now().plus(DAY / 2));
    check_said(
        200,
        &[
            (
                json,
                r#"{"timestamp":"yesterday","user":"x"}"#,
                &["+1 ?0 timestamp \"yesterday\" is no time", "time of receipt is used"],
            ),
            (json, r#"{"ts":"yesterday","time":"2026-11-20T10:00:00Z"}"#, &["+1"]),
            (json, &ahead, &["+1 ?0 time", "more than a day ahead"]),
            (json, &soon, &["+1"]),
            (json, r#"{"@timestamp":"1999-12-31T23:59:59Z"}"#, &["+1 ?0 @timestamp", "2000"]),
            (json, r#"{"timestamp":5,"user":"x"}"#, &["+1 ?0 timestamp"]),
            (
                json,
                r#"[{"user":"x"},{"src_ip":"999.1.2.3"},7]"#,
                &["+2 ?1 src_ip \"999.1.2.3\" is no IP address", " !2"],
            ),
            (json, r#"{"dest_ip":"web.example"}"#, &["+1 ?0 dest_ip"]),
            (json, r#"{"source":{"ip":"nobody"}}"#, &["+1 ?0 source.ip"]),
            (json, r#"{"rhost":"web.example"}"#, &["+1"]),
            (json, r#"{"src_ip":"192.0.2.1:22","dest_ip":"2001:db8::1"}"#, &["+1"]),
            (json, r#"{"src_ip":"-","timestamp":""}"#, &["+1"]),
            (
                json,
                r#"{"format":"auth","raw":"no such line"}"#,
                &["+1 ?0 raw not read as \"auth\"", "kept as it stands"],
            ),
            (json, r#"{"format":"png","raw":"x","user":"x"}"#, &["+1 ?0 format unknown format"]),
            (json, r#"{"events":[{"user":"x"}],"source":"y"}"#, &["+1 ?0 source only the list"]),
            ("application/xml", r#"{"user":"x"}"#, &["+1"]),
            (
                "text/plain",
                "Nov 21 00:11:50 vm sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2",
                &["+1"],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn many_warnings_are_counted_and_the_first_are_told() {
    let mut rig = Rig::new().await;
    let body = format!("[{}]", vec![r#"{"src_ip":"x.y"}"#; 250].join(","));
    let answer = post(&rig, &[], body.as_bytes()).await.json();
    assert_eq!((&answer["accepted"], &answer["warnings_total"]), (&json!(250), &json!(250)));
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 100);
    arrived(&mut rig, 250).await;
    rig.stop().await;
}

#[tokio::test]
async fn packed_bodies_are_unpacked_up_to_the_limit() {
    let mut rig = small_rig().await;
    let packed = [("Content-Encoding", "gzip"), ("Content-Type", "application/json")];
    let answer = post(&rig, &packed, &gzip(br#"[{"a":1}]"#)).await;
    assert_eq!((answer.status, answer.json()["accepted"].as_u64()), (200, Some(1)));
    arrived(&mut rig, 1).await;
    // 64 MiB of spaces in some 64 KiB.
    let bomb = gzip(&vec![b' '; 48 * 1024 * 1024]);
    assert!(bomb.len() < 64 * 1024, "{}", bomb.len());
    let cases: &[(&str, &[u8], u16)] = &[
        ("gzip", &bomb, 413),
        ("gzip", b"this is not gzip", 400),
        ("gzip", &gzip(b"[{\"a\":1}]")[..12], 400),
        ("br", b"x", 415),
        ("gzip, gzip", b"x", 415),
        ("deflate", b"x", 400),
    ];
    for (encoding, body, status) in cases {
        let answer = post(&rig, &[("Content-Encoding", encoding)], body).await;
        assert_eq!(answer.status, *status, "{encoding}: {}", answer.text());
        answer.failure();
    }
    rig.stop().await;
}

#[tokio::test]
async fn bodies_that_are_too_large_are_answered_however_they_are_sent() {
    let rig = small_rig().await;
    let large = vec![b'x'; 1024 * 1024];
    let answer = post(&rig, &[], &large).await;
    assert_eq!(answer.status, 413);
    assert!(answer.failure().contains("collect.ingest.body_bytes_max"));
    let chunk = [b"10000\r\n", &large[..0x10000], b"\r\n"].concat();
    let chunked = [&chunk.repeat(4)[..], b"0\r\n\r\n"].concat();
    let answer = post(&rig, &[("Transfer-Encoding", "chunked")], &chunked).await;
    assert_eq!(answer.status, 413, "{}", answer.text());
    answer.failure();
    // A body that ends before its declared length is nobody's event; there is nobody to answer.
    let head = format!("POST /ingest HTTP/1.1\r\nHost: {}\r\nContent-Length: 99\r\n\r\n", rig.addr);
    let mut stream = tokio::net::TcpStream::connect(rig.addr).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
    drop(stream);
    assert_eq!(rig.get("/health").await.status, 200);
    rig.stop().await;
}

/// Sends the head of a batch and waits until the server asks for the body.
async fn half_sent(rig: &Rig) -> TcpStream {
    let mut stream = TcpStream::connect(rig.addr).await.unwrap();
    let head = format!(
        "POST /ingest HTTP/1.1\r\nHost: {}\r\nContent-Encoding: gzip\r\n\
         Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n",
        rig.addr
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"\x1f").await.unwrap();
    stream
}

#[tokio::test]
async fn clients_that_send_nothing_take_no_memory() {
    let mut rig = Rig::new().await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        idle.push(half_sent(&rig).await);
    }
    // As large as a body may be, packed and unpacked.
    let body = format!("[{{\"a\":1}}]{}", " ".repeat((16 << 20) - 9));
    let packed = [("Content-Encoding", "gzip"), ("Content-Type", "application/json")];
    let start = Instant::now();
    let answer = post(&rig, &packed, &gzip(body.as_bytes())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(start.elapsed() < INGEST_WAIT_MAX, "it waited for memory");
    arrived(&mut rig, 1).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_half_sent_batch_does_not_hold_up_the_stop() {
    let rig = Rig::new().await;
    let mut stream = half_sent(&rig).await;
    timeout(Duration::from_secs(5), rig.stop()).await.expect("the stop takes too long");
    // The connection is dropped.
    let end = timeout(Duration::from_secs(5), stream.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn what_the_journal_has_is_counted_even_when_the_client_is_gone() {
    const EVENTS: usize = 100;
    let mut rig = Rig::new().await;
    let body = format!("[{}]", vec!["{\"a\":1}"; EVENTS].join(","));
    let mut stay = Vec::new();
    for number in 0..40 {
        let mut stream = TcpStream::connect(rig.addr).await.unwrap();
        let request = format!(
            "POST /ingest HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            rig.addr,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        // Gone somewhere on the way, most of them.
        tokio::task::yield_now().await;
        if number % 8 == 0 {
            stay.push(stream);
        }
    }
    let counters = rig.handle.inputs.input("http");
    let mut stored = 0;
    let agree = async {
        // Whoever stays is answered after those before have reached the journal, or have not.
        loop {
            assert_eq!(post(&rig, &[], body.as_bytes()).await.status, 200);
            while let Ok(Some(batch)) =
                timeout(Duration::from_millis(200), rig.batches.recv()).await
            {
                stored += batch.records.len();
            }
            if counters.records() as usize == stored && stored > stay.len() * EVENTS {
                return;
            }
        }
    };
    let agreed = timeout(Duration::from_secs(10), agree).await;
    assert!(agreed.is_ok(), "{} counted, {stored} stored", counters.records());
    rig.stop().await;
}

#[tokio::test]
async fn a_full_journal_says_when_to_come_back() {
    let rig = Rig::with(|config| {
        config.collect.journal.segment_bytes = 4096;
        config.collect.journal.total_bytes_max = 8192;
    })
    .await;
    let entry = JournalEntry {
        input: "http".into(),
        hint: None,
        peer: None,
        received: common::now(),
        bytes: vec![b'x'; 1000].into(),
    };
    while rig.handle.journal.append(vec![entry.clone()]).await.is_ok() {}
    let body = format!("[{{\"a\":\"{}\"}}]", "x".repeat(1000));
    let answer = post(&rig, &[], body.as_bytes()).await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert!(answer.failure().contains("collect.journal.total_bytes_max"));
    rig.stop().await;
}
