//! Sending over real sockets and into files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

use std::future::pending;
use std::time::Duration;

use serde_json::Value as Json;
use tocsin_model::Timestamp;
use tocsin_simulate::send::{SendError, SendOptions, Summary, Target, send};
use tocsin_simulate::traffic::{Format, Scenario, SyslogForm, Traffic, TrafficOptions};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

fn traffic() -> Traffic {
    let start = Timestamp::parse_rfc3339("2026-11-02T08:00:00Z").unwrap();
    Traffic::new(&TrafficOptions { scenario: Scenario::all(), seed: 1, start, rate: 50.0 })
}

fn options(target: &str, count: u64) -> SendOptions {
    SendOptions {
        target: target.parse::<Target>().unwrap(),
        syslog: SyslogForm::Rfc5424,
        rate: None,
        count: Some(count),
        duration: None,
        notice: |_| (),
    }
}

fn expected(count: usize) -> Vec<String> {
    traffic().take(count).map(|item| item.syslog(SyslogForm::Rfc5424)).collect()
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn tcp_is_a_line_a_message() {
    let (listener, address) = listen().await;
    let options = options(&format!("tcp://{address}"), 1_200);
    let receive = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    let (summary, text) = tokio::join!(send(traffic(), &options, pending()), receive);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines, expected(1_200));
    let Summary { sent, refused, attack } = summary.unwrap();
    assert_eq!((sent, refused), (1_200, 0));
    assert!(attack > 100, "{attack}");
}

#[tokio::test]
async fn tcp_connects_again_when_the_peer_goes_away() {
    let (listener, address) = listen().await;
    let mut options = options(&format!("tcp://{address}"), 60);
    options.rate = Some(200.0);
    let receive = async {
        let mut lines = Vec::new();
        let (stream, _) = listener.accept().await.unwrap();
        let mut reader = BufReader::new(stream).lines();
        lines.push(reader.next_line().await.unwrap().unwrap());
        drop(reader);
        let (stream, _) = listener.accept().await.unwrap();
        let mut reader = BufReader::new(stream).lines();
        while let Some(line) = reader.next_line().await.unwrap() {
            lines.push(line);
        }
        lines
    };
    let (summary, lines) = tokio::join!(send(traffic(), &options, pending()), receive);
    assert_eq!(summary.unwrap().sent, 60);
    let expected = expected(60);
    assert_eq!(lines.first(), expected.first());
    assert_eq!(lines.last(), expected.last());
}

#[tokio::test]
async fn udp_is_a_datagram_a_message() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut options = options(&format!("udp://{}", socket.local_addr().unwrap()), 40);
    options.syslog = SyslogForm::Rfc3164;
    let summary = send(traffic(), &options, pending()).await.unwrap();
    assert_eq!(summary.sent, 40);
    let mut buffer = [0; 4_096];
    for item in traffic().take(40) {
        let length = socket.recv(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], item.syslog(SyslogForm::Rfc3164).as_bytes());
    }
}

/// Reads one request and answers it; the body.
async fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &str) -> Json {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("post /ingest http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    let length = head.split_once("content-length: ").unwrap().1.lines().next().unwrap();
    let mut request = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut request).await.unwrap();
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await.unwrap();
    serde_json::from_slice(&request).unwrap()
}

#[tokio::test]
async fn http_batches_are_sent_again_when_told_so_and_refusals_are_counted() {
    let (listener, address) = listen().await;
    let options = options(&format!("http://{address}"), 700);
    let receive = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let busy = answer(&mut stream, "429 Too Many Requests", "Retry-After: 0\r\n", "{}").await;
        let stops = answer(&mut stream, "503 Stopping", "Retry-After: 0\r\n", "").await;
        // The peer goes away without an answer.
        drop(stream);
        let (mut stream, _) = listener.accept().await.unwrap();
        let some = r#"{"accepted":497,"refused":[{"index":1,"reason":"x"}],"refused_total":3}"#;
        let first = answer(&mut stream, "200 OK", "", some).await;
        assert_eq!((&busy, &stops), (&first, &first));
        let second = answer(&mut stream, "400 Bad Request", "", "not JSON").await;
        [first, second]
    };
    let (summary, batches) = tokio::join!(send(traffic(), &options, pending()), receive);
    let summary = summary.unwrap();
    assert_eq!((summary.sent, summary.refused), (497, 203));
    let events = batches.iter().flat_map(|batch| batch["events"].as_array().unwrap());
    for (event, item) in events.zip(traffic()) {
        assert_eq!(*event, item.ingest());
        if item.format() == Format::Auth {
            assert_eq!(event["format"], "auth");
        }
    }
}

#[tokio::test]
async fn files_are_added_to() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mixed.log");
    std::fs::write(&file, "before\n").unwrap();
    send(traffic(), &options(file.to_str().unwrap(), 900), pending()).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let expected: Vec<String> = traffic().take(900).map(|item| item.line()).collect();
    assert_eq!(text, format!("before\n{}\n", expected.join("\n")));

    let logs = format!("{}/logs/", dir.path().display());
    send(traffic(), &options(&logs, 900), pending()).await.unwrap();
    for format in Format::ALL {
        let text = std::fs::read_to_string(format!("{logs}{}", format.file_name())).unwrap();
        let of_format = traffic().take(900).filter(|item| item.format() == format);
        let expected: Vec<String> = of_format.map(|item| item.line()).collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{format:?}");
    }
}

#[tokio::test]
async fn it_keeps_to_its_rate_and_stops_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path().join("a").to_str().unwrap(), 1_000_000);
    options.rate = Some(500.0);
    options.count = None;
    options.duration = Some(Duration::from_millis(400));
    let summary = send(traffic(), &options, pending()).await.unwrap();
    assert_eq!(summary.sent, 201, "at 0, 2, … 400 ms");

    options.duration = None;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    stop.send(()).unwrap();
    let stopped = async {
        let _ = stopped.await;
    };
    assert!(send(traffic(), &options, stopped).await.unwrap().sent < 1_000);
}

#[tokio::test]
async fn what_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("missing/a.log");
    let error = send(traffic(), &options(file.to_str().unwrap(), 1), pending()).await.unwrap_err();
    assert!(matches!(&error, SendError::Write { .. }));
    assert!(error.to_string().contains("missing/a.log"), "{error}");
}
