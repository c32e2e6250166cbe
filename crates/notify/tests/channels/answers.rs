//! What a service answers, what becomes of the notice, and what people are told.

use serde_json::{Value as Json, json};
use tocsin_catalog::OutboxState;
use tocsin_model::Severity;
use tokio::task::JoinSet;

use crate::support::http::{Manner, RudeServer, answer};
use crate::support::{Running, alert, config};

/// What becomes of a notice.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Delivered,
    /// Tried again after the usual pause.
    Retried,
    /// Tried again after a pause of so many seconds, that the service asked for.
    RetriedAfter(u64),
    /// Tried again soon, then given up.
    Buried,
}

/// The usual pause of these tests, in milliseconds: nothing is tried twice within a test.
const USUAL_MS: u64 = 100_000;

fn say(bytes: &str) -> Manner {
    Manner::Say(bytes.as_bytes().to_vec())
}

fn statuses() -> Vec<(&'static str, Manner, Fate, &'static str)> {
    use Fate::{Buried, Delivered, Retried, RetriedAfter};
    vec![
        ("200", answer("200 OK", "", "ok"), Delivered, ""),
        ("204", say("HTTP/1.1 204 No Content\r\n\r\n"), Delivered, ""),
        ("299", answer("299 Odd", "", ""), Delivered, ""),
        (
            "400",
            answer("400 Bad Request", "", "no text\nat all"),
            Buried,
            "400 Bad Request: no text\\u{a}at all",
        ),
        ("413", answer("413 Content Too Large", "", ""), Buried, "413 Payload Too Large"),
        ("422", answer("422 Unprocessable", "", "{}"), Buried, "422 Unprocessable Entity: {}"),
        ("401", answer("401 Unauthorized", "", "who?"), Retried, "401 Unauthorized: who?"),
        ("403", answer("403 Forbidden", "", "invalid_token"), Retried, "403 Forbidden: invalid_"),
        ("404", answer("404 Not Found", "", "no_service"), Retried, "404 Not Found: no_service"),
        ("410", answer("410 Gone", "", "channel_is_archived"), Retried, "410 Gone: channel_is_"),
        (
            "500",
            answer("500 Oops", "", "<html>\u{1b}[31m"),
            Retried,
            "500 Internal Server Error: <html>\\u{1b}[31m",
        ),
        ("502", answer("502 Bad Gateway", "", ""), Retried, "502 Bad Gateway"),
        (
            "301",
            answer("301 Moved", "Location: http://127.0.0.1:1/\r\n", ""),
            Retried,
            "301 Moved Permanently (redirects are not followed; set the final address)",
        ),
        ("307", answer("307 Elsewhere", "Location: /other\r\n", ""), Retried, "redirects are not"),
        (
            "429",
            answer("429 Slow", "Retry-After: 1800\r\n", "rate"),
            RetriedAfter(1800),
            "429 Too Many Requests: rate",
        ),
        (
            "429 in fractions",
            answer("429 Slow", "Retry-After: 1799.5\r\n", ""),
            RetriedAfter(1800),
            "429",
        ),
        (
            "429 for a year",
            answer("429 Slow", "Retry-After: 31536000\r\n", ""),
            RetriedAfter(3600),
            "429",
        ),
        (
            "429 by date",
            answer("429 Slow", "Retry-After: Fri, 31 Dec 2399 23:59:59 GMT\r\n", ""),
            RetriedAfter(3600),
            "429",
        ),
        ("429 for no time", answer("429 Slow", "Retry-After: 0\r\n", ""), Retried, "429"),
        ("429 in words", answer("429 Slow", "Retry-After: later\r\n", ""), Retried, "429"),
        ("429 bare", answer("429 Slow", "", ""), Retried, "429 Too Many Requests"),
        ("503", answer("503 Full", "Retry-After: 1800\r\n", ""), RetriedAfter(1800), "503"),
        ("500 with a wish", answer("500 Oops", "Retry-After: 1800\r\n", ""), Retried, "500"),
    ]
}

fn oddities() -> Vec<(&'static str, Manner, Fate, &'static str)> {
    use Fate::{Delivered, Retried};
    let chunked = |status: &str| {
        format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes()
    };
    let mebibyte = format!("100000\r\n{}\r\n", "A".repeat(1 << 20)).into_bytes();
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc".to_vec();
    let huge = answer("500 Oops", "", &"B".repeat(8 << 20));
    let header = (b"HTTP/1.1 200 OK\r\n".to_vec(), b"X-Again: and again\r\n".to_vec());
    vec![
        ("silence", Manner::SayAndHang(Vec::new()), Retried, "timed out"),
        ("half a head", Manner::SayAndHang(b"HTTP/1.1 200".to_vec()), Retried, "timed out"),
        ("a body that hangs", Manner::SayAndHang(half.clone()), Delivered, ""),
        ("a body cut short", Manner::Say(half), Delivered, ""),
        (
            "an error that hangs",
            Manner::SayAndHang(b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nabc".to_vec()),
            Retried,
            "500 Internal Server Error: abc",
        ),
        ("an endless body", Manner::SayForEver(chunked("200 OK"), mebibyte.clone()), Delivered, ""),
        ("an endless error", Manner::SayForEver(chunked("500 Oops"), mebibyte), Retried, "AAAA…"),
        ("a huge error", huge, Retried, "BBBB…"),
        ("an endless head", Manner::SayForEver(header.0, header.1), Retried, "message head is too"),
        ("garbage", say("\0\u{1}\u{2}\u{3}\r\n\r\n\r\n"), Retried, "invalid HTTP version"),
        ("another protocol", say("220 mail.example ESMTP\r\n"), Retried, "invalid HTTP version"),
        ("a close", Manner::Close, Retried, "connection closed"),
        ("a reset", Manner::Reset, Retried, "error sending request: "),
    ]
}

#[tokio::test]
async fn each_answer_has_its_consequence_and_its_reason() {
    let mut checks = JoinSet::new();
    for (name, manner, fate, reason) in statuses().into_iter().chain(oddities()) {
        let url = |server: &RudeServer| json!({"type": "webhook", "url": server.url()});
        checks.spawn(check(name, manner, fate, reason, url));
    }
    let mut failed = 0;
    while let Some(checked) = checks.join_next().await {
        failed += usize::from(checked.is_err());
    }
    assert_eq!(failed, 0, "each has said why");
}

#[tokio::test]
async fn slack_and_discord_are_judged_alike() {
    for kind in ["slack", "discord"] {
        for (name, manner, fate, reason) in [
            ("ok", answer("200 OK", "", "ok"), Fate::Delivered, ""),
            (
                "bad",
                answer("400 Bad Request", "", "invalid_blocks"),
                Fate::Buried,
                "invalid_blocks",
            ),
            ("gone", answer("404 Not Found", "", "Unknown Webhook"), Fate::Retried, "Unknown Web"),
            (
                "limit",
                answer("429 Slow", "Retry-After: 900.1\r\n", "{}"),
                Fate::RetriedAfter(900),
                "429 Too Many Requests: {}",
            ),
        ] {
            let url = move |server: &RudeServer| json!({"type": kind, "url": server.url()});
            check(name, manner, fate, reason, url).await;
        }
    }
}

async fn check(
    name: &str,
    manner: Manner,
    fate: Fate,
    reason: &str,
    channel: impl Fn(&RudeServer) -> Json,
) {
    let server = RudeServer::start(vec![manner]).await;
    let mut channel = channel(&server);
    channel["timeout_seconds"] = json!(if reason == "timed out" { 1 } else { 20 });
    // What is given up is tried a few times before.
    let usual = if fate == Fate::Buried { 1 } else { USUAL_MS };
    let config = config(json!({
        "channels": {"ops": channel}, "retry_ms_min": usual, "retry_ms_max": usual,
    }));
    let running = Running::start(&config);
    running.submit(&[alert(0, Severity::High)]);
    let item = || running.outbox.items("ops").remove(0);
    let done = || match fate {
        Fate::Buried => item().state == OutboxState::Dead,
        _ => item().attempts > 0,
    };
    running.outbox.until(name, done).await;

    if fate == Fate::Buried {
        running.until_counted_dead(1).await;
    }
    let (item, stats) = (item(), running.stats());
    let error = item.last_error.clone().unwrap_or_default();
    assert!(error.contains(reason) && error.chars().count() < 400, "{name}: {error}");
    assert!(!error.contains(char::is_control), "{name}: {error}");
    let wait = item.next_try.since(item.updated);
    let within =
        |from: u64, to: u64| wait.as_millis() as u64 + 10 >= from && wait.as_millis() as u64 <= to;
    match fate {
        Fate::Delivered => {
            assert_eq!(item.state, OutboxState::Delivered, "{name}: {error}");
            assert_eq!((stats.delivered, stats.failed), (1, 0), "{name}");
        }
        Fate::Retried => {
            assert_eq!((item.state, item.attempts), (OutboxState::Pending, 1), "{name}");
            assert!(within(USUAL_MS / 2, USUAL_MS), "{name}: {wait:?}");
            assert_eq!((stats.delivered, stats.failed), (0, 1), "{name}");
        }
        Fate::RetriedAfter(seconds) => {
            assert_eq!((item.state, item.attempts), (OutboxState::Pending, 1), "{name}");
            assert!(within(seconds * 1000 - 1000, seconds * 1000 + 1000), "{name}: {wait:?}");
        }
        Fate::Buried => {
            let tries = tocsin_notify::worker::MESSAGE_TRIES_MAX;
            assert_eq!((item.attempts, stats.dead), (tries, 1), "{name}");
            assert_eq!(server.requests().len(), tries as usize, "{name}");
        }
    }
    match fate {
        Fate::Delivered => assert_eq!(stats.problem, None, "{name}"),
        _ => assert_eq!(stats.problem, Some(error), "{name}"),
    }
}

#[tokio::test]
async fn a_disliked_notice_does_not_hold_up_the_others() {
    let bad = answer("400 Bad Request", "", "not this one");
    let server = RudeServer::start(vec![bad, answer("200 OK", "", "")]).await;
    let config = config(json!({
        "channels": {"ops": {"type": "webhook", "url": server.url()}}, "retry_ms_min": 20,
    }));
    let running = Running::start(&config);
    let alerts: Vec<_> = (0..4).map(|number| alert(number, Severity::High)).collect();
    running.submit(&alerts);
    running.until_delivered(4).await;
    let first = running.outbox.items("ops").remove(0);
    assert_eq!(first.attempts, 2);
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn trying_a_channel_out_gives_the_real_answer() {
    for (manner, want) in [
        (answer("200 OK", "", "ok"), Ok("200 OK: ok")),
        (answer("404 Not Found", "", "no_team"), Err("channel ops: 404 Not Found: no_team")),
        (answer("302 Found", "", ""), Err("redirects are not followed")),
        (Manner::Close, Err("channel ops: ")),
    ] {
        let server = RudeServer::start(vec![manner]).await;
        let channel = json!({"type": "slack", "url": server.url(), "min_severity": "critical"});
        let running = Running::start(&crate::support::one_channel(channel));
        let answer = running.notifier.test("ops").await.map_err(|error| error.to_string());
        match want {
            Ok(want) => assert_eq!(answer.unwrap(), want),
            Err(want) => assert!(answer.as_ref().unwrap_err().contains(want), "{answer:?}"),
        }
        assert!(server.requests()[0].contains("test: Test notice"));
    }
    let running = Running::start(&config(json!({})));
    let error = running.notifier.test("nobody").await.unwrap_err().to_string();
    assert_eq!(error, "there is no channel \"nobody\", there are: log");
    let answer = running.notifier.test("log").await.unwrap();
    assert!(answer.ends_with("alerts.ndjson can be written"), "{answer}");
    assert!(running.log_lines().is_empty(), "a test is no alert");
}
