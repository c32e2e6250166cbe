//! `GET /stream`: ticks and alerts as they come, and streams that end when the server does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Rig, alert, now};
use serde_json::Value as Json;
use tocsin_engine::Live;
use tocsin_model::Severity;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

/// Longer than any message takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open stream.
struct Reader {
    lines: tokio::io::Lines<BufReader<OwnedReadHalf>>,
    _write: OwnedWriteHalf,
}

impl Reader {
    async fn open(rig: &Rig) -> Self {
        let stream = TcpStream::connect(rig.addr).await.unwrap();
        let (read, mut write) = stream.into_split();
        let head = format!("GET /api/v1/stream HTTP/1.1\r\nHost: {}\r\n\r\n", rig.addr);
        write.write_all(head.as_bytes()).await.unwrap();
        Self { lines: BufReader::new(read).lines(), _write: write }
    }

    /// The next line, without the marks of chunks; `None` at the end.
    async fn line(&mut self) -> Option<String> {
        timeout(PATIENCE, self.lines.next_line()).await.unwrap().unwrap_or(None)
    }

    /// The next message of a kind.
    async fn message(&mut self, event: &str) -> Json {
        loop {
            let line = self.line().await.expect("the stream ended");
            if line == format!("event: {event}") {
                let data = self.line().await.unwrap();
                return serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn ticks_come_every_second_and_alerts_at_once() {
    let rig = Rig::new().await;
    rig.handle.catalog.save(&[alert(9, Severity::Low, "192.0.2.9", now())], &[]).unwrap();
    let mut reader = Reader::open(&rig).await;
    assert_eq!(reader.line().await.unwrap(), "HTTP/1.1 200 OK");
    let tick = reader.message("tick").await;
    assert_eq!(tick["alerts_total"], 1);
    for key in ["events_per_second", "events_total", "dropped_total", "lag_ms"] {
        assert!(tick[key].is_number(), "{tick}");
    }
    let raised = alert(1, Severity::High, "192.0.2.1\n\ndata: forged", now());
    let mut grown = raised.clone();
    grown.count += 1;
    // Changes of one alert that come together may be one message; the last one is always told.
    for change in [raised, grown] {
        rig.handle.live.send(Live::Alert(Arc::new(change))).unwrap();
    }
    let mut seen = reader.message("alert").await;
    while seen["tocsin"]["alert"]["count"] != 6 {
        seen = reader.message("alert").await;
    }
    assert_eq!(seen["source"]["ip"], "192.0.2.1\n\ndata: forged");
    let next = reader.message("tick").await;
    assert_ne!(next["time"], tick["time"]);
    rig.stop().await;
}

#[tokio::test]
async fn a_stop_ends_streams_at_once() {
    let rig = Rig::new().await;
    let mut reader = Reader::open(&rig).await;
    reader.message("tick").await;
    timeout(Duration::from_secs(5), rig.stop()).await.unwrap();
    while reader.line().await.is_some() {}
}

#[tokio::test]
async fn there_is_a_cap_on_streams_and_closed_ones_make_room() {
    let rig = Rig::new().await;
    let mut readers = Vec::new();
    loop {
        let mut reader = Reader::open(&rig).await;
        let status = reader.line().await.unwrap();
        if status.contains(" 503 ") {
            break;
        }
        assert_eq!(status, "HTTP/1.1 200 OK");
        readers.push(reader);
    }
    assert_eq!(readers.len(), 64);
    // Other requests are answered all the same.
    assert_eq!(rig.get("/health").await.status, 200);
    drop(readers);
    timeout(PATIENCE, async {
        while !Reader::open(&rig).await.line().await.unwrap().contains(" 200 ") {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    rig.stop().await;
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed_and_holds_up_nobody() {
    let rig = Rig::new().await;
    let mut slow = Reader::open(&rig).await;
    let mut quick = Reader::open(&rig).await;
    slow.message("tick").await;
    quick.message("tick").await;
    let mut large = alert(0, Severity::High, "192.0.2.1", now());
    large.reason = "x".repeat(64 * 1024);
    for id in 1..=1000 {
        large.id = alert(id, Severity::High, "", now()).id;
        rig.handle.live.send(Live::Alert(Arc::new(large.clone()))).unwrap();
        tokio::task::yield_now().await;
        if id % 100 == 0 {
            // The quick one reads on while the slow one sleeps.
            quick.message("alert").await;
        }
    }
    let missed = slow.message("resync").await;
    assert!(missed["missed"].as_u64().unwrap() > 0);
    rig.stop().await;
}
