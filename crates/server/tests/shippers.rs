//! What shippers speak over HTTP: Elasticsearch, Splunk HEC, Loki, OTLP. What is answered with
//! success has arrived in the journal, and each refusal is told as the protocol tells it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::{Answer, Rig};
use serde_json::json;
use tocsin_collect::wire::protobuf::Writer;
use tocsin_collect::{DropReason, JournalEntry, SenderConfig, Token};

/// The next records that arrive at the pipeline: `input hint bytes`.
async fn arrived(rig: &mut Rig, count: usize) -> Vec<String> {
    let mut records = Vec::new();
    while records.len() < count {
        for record in rig.batches.recv().await.unwrap().records {
            let text = String::from_utf8_lossy(&record.bytes).into_owned();
            let hint = record.hint.as_deref().unwrap_or("-");
            records.push(format!("{} {hint} {text}", record.input));
        }
    }
    assert_eq!(records.len(), count, "{records:?}");
    records
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");

fn loki_protobuf() -> Vec<u8> {
    let entry = Writer::default().put(1, Writer::default().number(1, 1).bytes).put(2, "line").bytes;
    let stream = Writer::default().put(1, r#"{job="x"}"#).put(2, entry).bytes;
    let body = Writer::default().put(1, stream).bytes;
    snap::raw::Encoder::new().compress_vec(&body).unwrap()
}

fn otlp_protobuf() -> Vec<u8> {
    let body = Writer::default().put(1, "line").bytes;
    let scope = Writer::default().put(2, Writer::default().put(5, body).bytes).bytes;
    Writer::default().put(1, Writer::default().put(2, scope).bytes).bytes
}

/// Method, address, type, body, status, part of the answer, and the record.
type Case<'a> = (&'a str, &'a str, (&'a str, &'a str), &'a [u8], u16, &'a str, &'a str);

async fn check(rig: &mut Rig, cases: &[Case<'_>]) {
    for (method, target, kind, body, status, said, record) in cases {
        let answer = rig.ask(method, target, &[*kind], body).await;
        let text = answer.text();
        assert_eq!(answer.status, *status, "{target}: {text}");
        assert!(text.contains(said), "{target}: {text}");
        if !record.is_empty() {
            assert_eq!(arrived(rig, 1).await, [*record], "{target}");
        }
    }
}

#[tokio::test]
async fn elasticsearch_is_taken_and_answered_in_its_words() {
    let mut rig = Rig::new().await;
    let bulk = b"{\"create\":{\"_index\":\"logs\"}}\n{\"a\":1}\n{\"index\":{}}\nbroken\n";
    let one = b"{\"index\":{}}\n{\"a\":1}";
    let brief = "/elasticsearch/_bulk?filter_path=errors,items.*.status";
    let es = r#"elasticsearch - {"a":1}"#;
    let cases: &[Case<'_>] = &[
        ("POST", "/_bulk", JSON, bulk, 200, r#""errors":true"#, es),
        ("PUT", "/logs/_bulk", JSON, one, 200, r#""errors":false"#, es),
        ("POST", brief, JSON, one, 200, r#"{"index":{"status":201}}"#, es),
        ("POST", "/logs/_doc", JSON, b"{\"a\":1}", 201, r#""result":"created""#, es),
        ("PUT", "/logs/_create/7", JSON, b"{\"a\":1}", 201, r#""_id":"7""#, es),
        ("POST", "/logs/_doc", JSON, b"[]", 400, "document_parsing_exception", ""),
        ("POST", "/_bulk", JSON, b"nonsense", 400, r#""status":400"#, ""),
    ];
    check(&mut rig, cases).await;
    let counters = rig.handle.inputs.input("elasticsearch");
    assert_eq!((counters.records(), counters.dropped_count(DropReason::Refused)), (5, 2));
    rig.stop().await;
}

#[tokio::test]
async fn the_event_collector_is_taken_and_answered_in_its_words() {
    let mut rig = Rig::new().await;
    let hec = r#"splunk_hec - {"message":"line","host.name":"h"}"#;
    let event = br#"{"event":"line","host":"h"}"#;
    let half = b"{\"event\":\"line\",\"host\":\"h\"}{}";
    let (base, acks) = ("/services/collector", br#"{"acks":[0,1]}"#);
    let at = |path: &str| format!("{base}{path}");
    let (one, raw) = (at("/event/1.0?channel=1"), at("/raw?host=h"));
    let (ack, plain, health) = (at("/ack?channel=1"), at("/event"), at("/health"));
    let cases: &[Case<'_>] = &[
        ("POST", base, JSON, event, 200, r#""code":0"#, hec),
        ("POST", &one, JSON, event, 200, r#""ackId":0"#, hec),
        ("POST", &ack, JSON, acks, 200, r#"{"0":true,"1":false}"#, ""),
        ("POST", &raw, JSON, b"line\n", 200, r#""text":"Success""#, hec),
        ("POST", &plain, JSON, b"", 400, r#""code":5"#, ""),
        ("POST", &plain, JSON, half, 400, r#""code":12"#, hec),
        ("GET", &health, JSON, b"", 200, r#""code":17"#, ""),
        ("OPTIONS", &plain, JSON, b"", 200, "", ""),
    ];
    check(&mut rig, cases).await;
    rig.stop().await;
}

#[tokio::test]
async fn loki_and_otlp_are_taken_and_answered_in_their_words() {
    let mut rig = Rig::new().await;
    let loki = br#"{"streams":[{"stream":{"job":"x"},"values":[["1000000000","line"]]}]}"#;
    let otlp =
        br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"line"}}]}]}]}"#;
    let (loki_packed, otlp_packed) = (loki_protobuf(), otlp_protobuf());
    let line = r#"{"@timestamp":"1970-01-01T00:00:01Z","message":"line","labels":{"job":"x"}}"#;
    let (pushed, logged) = (format!("loki - {line}"), r#"otlp:http - {"message":"line"}"#);
    let push = "/loki/api/v1/push";
    let cases: &[Case<'_>] = &[
        ("POST", push, JSON, loki, 204, "", &pushed),
        ("POST", push, PROTOBUF, &loki_packed, 204, "", &pushed),
        ("POST", push, JSON, b"{}", 400, "streams", ""),
        ("POST", "/v1/logs", JSON, otlp, 200, "{}", logged),
        ("POST", "/v1/logs", PROTOBUF, &otlp_packed, 200, "", logged),
        ("POST", "/v1/logs", JSON, b"x", 400, r#""code":3"#, ""),
    ];
    check(&mut rig, cases).await;
    rig.stop().await;
}

#[tokio::test]
async fn shippers_find_what_they_look_for_before_they_send() {
    let rig = Rig::new().await;
    let client = ("Accept", "application/vnd.elasticsearch+json; compatible-with=8");
    let about = rig.ask("GET", "/", &[client], b"").await;
    assert_eq!(about.json()["version"]["number"], "8.17.0");
    assert_eq!(about.header("x-elastic-product"), Some("Elasticsearch"));
    for (method, target, status) in [
        ("GET", "/elasticsearch", 200),
        ("HEAD", "/elasticsearch/", 200),
        ("GET", "/_license", 200),
        ("GET", "/_xpack", 200),
        ("GET", "/_cluster/health", 200),
        ("GET", "/_cat/health", 200),
        ("GET", "/_nodes/http", 200),
        ("HEAD", "/_index_template/filebeat-8", 200),
        ("PUT", "/_index_template/filebeat-8", 200),
        ("GET", "/_ilm/policy/filebeat", 200),
        ("PUT", "/_ingest/pipeline/x", 200),
        ("PUT", "/_data_stream/filebeat-8", 200),
        ("HEAD", "/elasticsearch/logs", 200),
        ("PUT", "/elasticsearch/logs", 200),
        ("POST", "/elasticsearch/logs/_search", 404),
        ("GET", "/ready", 200),
    ] {
        let answer = rig.ask(method, target, &[client], b"").await;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        if target.starts_with("/_") {
            let kind = answer.header("content-type").unwrap_or("application/vnd.elasticsearch");
            assert!(
                kind.starts_with("application/vnd.elastic") || target.contains("_cat"),
                "{target}: {kind}"
            );
        }
    }
    // The page is still there for people.
    let page = rig.ask("GET", "/", &[("Accept", "text/html,application/json")], b"").await;
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    rig.stop().await;
}

#[tokio::test]
async fn senders_of_other_machines_have_a_door_of_their_own_that_shows_nothing() {
    let any = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    let (open, _batches, inputs, _dir) = common::handle(|config| {
        config.collect.http.listen = Some(any);
    })
    .await;
    let stop = tokio_util::sync::CancellationToken::new();
    let refused = tocsin_server::serve(open, stop.clone()).await.unwrap_err().to_string();
    assert!(refused.contains("collect.http.listen") && refused.contains("collect.senders"));
    inputs.cancel();
    let mut rig = Rig::with(|config| {
        let token = Some(Token::new("secret-gate"));
        let sender = SenderConfig { token, ..SenderConfig::default() };
        config.collect.senders.insert("gate".to_owned(), sender);
        config.collect.http.listen = Some(any);
    })
    .await;
    let (what, address) = rig.listening()[0];
    assert_eq!(what, "senders over HTTP");
    rig.addr.set_port(address.port());
    let named = [("Host", "logs.example.org"), ("Authorization", "Bearer secret-gate")];
    let body = b"{\"index\":{}}\n{\"a\":1}\n";
    for (method, target, status) in [
        ("POST", "/_bulk", 200),
        ("GET", "/", 200),
        ("GET", "/alerts", 404),
        ("GET", "/api/v1/status", 404),
        ("GET", "/metrics", 404),
        ("GET", "/_bulk", 404),
    ] {
        let answer = rig.ask(method, target, &named, body).await;
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
    }
    assert_eq!(rig.ask("POST", "/_bulk", &named[..1], body).await.status, 401);
    assert_eq!(arrived(&mut rig, 1).await, [r#"elasticsearch:gate - {"a":1}"#]);
    rig.stop().await;
}

async fn sent(rig: &Rig, target: &str, authorization: &str, body: &str) -> Answer {
    let all = [JSON, ("Authorization", authorization)];
    let headers = if authorization.is_empty() { &all[..1] } else { &all[..] };
    rig.ask("POST", target, headers, body.as_bytes()).await
}

#[tokio::test]
async fn named_senders_need_their_token() {
    let mut rig = Rig::with(|config| {
        let sender = |token: &str, source: Option<&str>| SenderConfig {
            token: Some(Token::new(token)),
            source: source.map(str::to_owned),
            ..SenderConfig::default()
        };
        config.collect.senders.insert("web".to_owned(), sender("secret-web", Some("nginx.access")));
        config.collect.senders.insert("gate".to_owned(), sender("secret-gate", None));
    })
    .await;
    let event = r#"{"event":"x"}"#;
    let bulk = "{\"index\":{}}\n{\"a\":1}\n";
    let (loki, otlp) = (json!({"streams": []}).to_string(), "{\"resourceLogs\":[]}".to_owned());
    for (target, body, without, wrong) in [
        ("/ingest", "{\"a\":1}", 401, 401),
        ("/_bulk", bulk, 401, 401),
        ("/_license", "", 401, 401),
        ("/services/collector", event, 401, 403),
        ("/services/collector/ack", "{\"acks\":[]}", 401, 403),
        ("/loki/api/v1/push", &loki, 401, 401),
        ("/v1/logs", &otlp, 401, 401),
    ] {
        assert_eq!(sent(&rig, target, "", body).await.status, without, "{target}");
        assert_eq!(sent(&rig, target, "Bearer nobody", body).await.status, wrong, "{target}");
        let answer = sent(&rig, target, "Bearer secret-gate", body).await;
        assert!(answer.status < 300, "{target}: {}", answer.text());
    }
    assert_eq!(
        arrived(&mut rig, 3).await,
        [
            r#"http:gate json {"a":1}"#,
            r#"elasticsearch:gate - {"a":1}"#,
            r#"splunk_hec:gate - {"message":"x"}"#
        ]
    );
    assert_eq!(sent(&rig, "/services/collector", "Splunk secret-web", event).await.status, 200);
    assert_eq!(arrived(&mut rig, 1).await, [r#"splunk_hec:web nginx.access {"message":"x"}"#]);
    rig.stop().await;
}

#[tokio::test]
async fn when_the_journal_is_full_every_sender_is_told_to_wait() {
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
        bytes: vec![b'x'; 1].into(),
    };
    while rig.handle.journal.append(vec![entry.clone()]).await.is_ok() {}
    let (loki, otlp) = (
        r#"{"streams":[{"stream":{},"values":[["1","x"]]}]}"#,
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}"#,
    );
    for (target, body, status) in [
        ("/_bulk", "{\"index\":{}}\n{\"a\":1}\n", 429),
        ("/services/collector", r#"{"event":"x"}"#, 503),
        ("/loki/api/v1/push", loki, 429),
        ("/v1/logs", otlp, 429),
    ] {
        let answer = sent(&rig, target, "", body).await;
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
        assert!(answer.header("retry-after").is_some(), "{target}");
    }
    rig.stop().await;
}
