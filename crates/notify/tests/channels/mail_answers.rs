//! Mail servers that behave badly: what becomes of the mail, and what people are told.

use serde_json::{Value as Json, json};
use tocsin_catalog::OutboxState;
use tocsin_model::Severity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::support::smtp::{Reply, RudeMailServer, certificates, say, usual};
use crate::support::{Running, alert, config};

/// What a server says, by command.
type Script = fn(&str) -> Reply;

async fn send(server: &RudeMailServer, more: Json, usual_ms: u64) -> Running {
    let mut channel = json!({
        "type": "email", "host": "127.0.0.1", "port": server.address.port(), "tls": "none",
        "from": "tocsin@example.com", "to": ["a@example.com"], "timeout_seconds": 20,
    });
    channel.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config = config(json!({
        "channels": {"ops": channel}, "retry_ms_min": usual_ms, "retry_ms_max": usual_ms,
    }));
    let running = Running::start(&config);
    running.submit(&[alert(0, Severity::High)]);
    running
}

/// Name, script, what becomes of the mail and after how many tries, and what people are told.
type Row = (&'static str, Script, (OutboxState, u32), &'static str);

const PENDING: (OutboxState, u32) = (OutboxState::Pending, 1);
const DEAD: (OutboxState, u32) = (OutboxState::Dead, tocsin_notify::worker::MESSAGE_TRIES_MAX);

fn greetings() -> Vec<Row> {
    vec![
        (
            "busy",
            |c| if c.is_empty() { say("421 too busy") } else { usual(c) },
            PENDING,
            "connecting: 421 ",
        ),
        (
            "no service",
            |c| if c.is_empty() { say("554 go away") } else { usual(c) },
            PENDING,
            "connecting: 554 ",
        ),
        (
            "garbage",
            |c| if c.is_empty() { say("\u{1b}[2J\0\u{7f}") } else { usual(c) },
            PENDING,
            "connecting: ",
        ),
        (
            "http",
            |c| if c.is_empty() { say("HTTP/1.1 400 Bad") } else { usual(c) },
            PENDING,
            "connecting: ",
        ),
        (
            "an endless line",
            |c| match c {
                "" => Reply::ForEver("250-".repeat(1000)),
                other => usual(other),
            },
            PENDING,
            "connecting: ",
        ),
        (
            "endless lines",
            |c| match c {
                "" => Reply::ForEver("220-and again\r\n".repeat(100)),
                other => usual(other),
            },
            PENDING,
            "said more than 32768 bytes",
        ),
    ]
}

fn refusals() -> Vec<Row> {
    vec![
        (
            "sender refused",
            |c| if c.starts_with("MAIL") { say("550 5.7.1 not you") } else { usual(c) },
            PENDING,
            "sender: 550 ",
        ),
        (
            "recipient unknown",
            |c| if c.starts_with("RCPT") { say("550 5.1.1 who?") } else { usual(c) },
            PENDING,
            "recipients: 550 ",
        ),
        (
            "greylisted",
            |c| if c.starts_with("RCPT") { say("450 4.2.0 later") } else { usual(c) },
            PENDING,
            "recipients: 450 ",
        ),
        (
            "mailbox full",
            |c| if c == "." { say("452 4.2.2 full") } else { usual(c) },
            PENDING,
            "mail: 452 ",
        ),
        ("spam", |c| if c == "." { say("554 5.7.1 spam") } else { usual(c) }, DEAD, "mail: 554 "),
        (
            "too big",
            |c| if c == "." { say("552 5.3.4 too big") } else { usual(c) },
            DEAD,
            "mail: 552 ",
        ),
        (
            "no data",
            |c| if c == "DATA" { say("503 5.5.1 no") } else { usual(c) },
            PENDING,
            "recipients: 503 ",
        ),
        (
            "gone before the answer",
            |c| if c == "." { Reply::Close } else { usual(c) },
            PENDING,
            "mail: ",
        ),
        (
            "silent greeting",
            |c| if c.is_empty() { Reply::Hang } else { usual(c) },
            PENDING,
            "no answer within 1 seconds",
        ),
        (
            "silent answer",
            |c| if c == "." { Reply::Hang } else { usual(c) },
            PENDING,
            "no answer within 1 seconds",
        ),
    ]
}

#[tokio::test]
async fn what_the_server_says_decides() {
    let mut checks = JoinSet::new();
    for (name, script, fate, reason) in greetings().into_iter().chain(refusals()) {
        checks.spawn(check(name, script, fate, reason));
    }
    let mut failed = 0;
    while let Some(checked) = checks.join_next().await {
        failed += usize::from(checked.is_err());
    }
    assert_eq!(failed, 0, "each has said why");
}

async fn check(name: &str, script: Script, (state, attempts): (OutboxState, u32), reason: &str) {
    let server = RudeMailServer::start(script).await;
    let usual_ms = if state == OutboxState::Dead { 1 } else { 100_000 };
    let seconds = if reason.starts_with("no answer") { 1 } else { 20 };
    let running = send(&server, json!({"timeout_seconds": seconds}), usual_ms).await;
    let item = || running.outbox.items("ops").remove(0);
    running.outbox.until(name, || item().state == state && item().attempts == attempts).await;
    let error = item().last_error.unwrap();
    assert!(error.contains(reason), "{name}: {error}");
    assert!(!error.contains(char::is_control) && error.chars().count() <= 300, "{name}: {error}");
    assert!(running.stats().problem.unwrap().contains(reason), "{name}");
}

#[tokio::test]
async fn a_server_that_does_not_say_goodbye_got_the_mail_once() {
    let scripts: [Script; 3] = [
        |c| if c == "QUIT" { Reply::Hang } else { usual(c) },
        |c| if c == "QUIT" { Reply::Close } else { usual(c) },
        |c| if c == "QUIT" { say("500 what?") } else { usual(c) },
    ];
    for script in scripts {
        let server = RudeMailServer::start(script).await;
        let running = send(&server, json!({}), 1).await;
        running.until_delivered(1).await;
        assert_eq!(running.stats().failed, 0);
        assert_eq!(server.mails().len(), 1);
    }
}

#[tokio::test]
async fn a_mail_that_is_tried_again_keeps_its_message_id() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let tries = AtomicU32::new(0);
    let server = RudeMailServer::start(move |command| match command {
        // The mail is there, but nobody says so.
        "." if tries.fetch_add(1, Ordering::SeqCst) < 2 => Reply::Close,
        other => usual(other),
    });
    let server = server.await;
    let running = send(&server, json!({}), 1).await;
    running.until_delivered(1).await;
    let ids: Vec<String> = server
        .mails()
        .iter()
        .map(|mail| mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn one_wrong_recipient_does_not_keep_the_mail_from_the_others() {
    let server = RudeMailServer::start(|command| match command {
        "RCPT TO:<left@example.com>" => say("550 5.1.1 no such user"),
        other => usual(other),
    });
    let server = server.await;
    let to = json!({"to": ["left@example.com", "ops@example.com"]});
    let running = send(&server, to, 1).await;
    running.until_delivered(1).await;
    assert_eq!(server.mails().len(), 1);
    let answer = running.notifier.test("ops").await.unwrap();
    assert!(answer.contains("250 fine; but not to left@example.com: "), "{answer}");
    assert!(answer.contains("no such user"), "{answer}");
}

#[tokio::test]
async fn both_ways_to_log_in_work() {
    // `tocsin` and `s3cret` in base64.
    let (user, password) = ("dG9jc2lu", "czNjcmV0");
    let login: Script = |command| match command {
        command if command.starts_with("EHLO") => say("250-here\r\n250 AUTH LOGIN"),
        "AUTH LOGIN" => say("334 VXNlcm5hbWU6"),
        "dG9jc2lu" => say("334 UGFzc3dvcmQ6"),
        "czNjcmV0" => say("235 welcome"),
        other => usual(other),
    };
    let plain: Script = |command| match command {
        command if command.starts_with("EHLO") => say("250-here\r\n250 AUTH PLAIN"),
        "AUTH PLAIN AHRvY3NpbgBzM2NyZXQ=" => say("235 welcome"),
        command if command.starts_with("AUTH") => say("535 no"),
        other => usual(other),
    };
    for (script, said) in
        [(login, vec![user, password]), (plain, vec!["AUTH PLAIN AHRvY3NpbgBzM2NyZXQ="])]
    {
        let server = RudeMailServer::start(script).await;
        let running = send(&server, json!({"user": "tocsin", "password": "s3cret"}), 1).await;
        running.until_delivered(1).await;
        for want in said {
            assert!(server.heard().iter().any(|command| command == want), "{want}");
        }
    }
    let neither: Script = |command| match command {
        command if command.starts_with("EHLO") => say("250-here\r\n250 AUTH CRAM-MD5"),
        other => usual(other),
    };
    let server = RudeMailServer::start(neither).await;
    let running = send(&server, json!({"user": "tocsin", "password": "s3cret"}), 100_000).await;
    let error = running.until_failed().await.last_error.unwrap();
    assert!(error.starts_with("login: ") && error.contains("mechanism"), "{error}");
}

#[tokio::test]
async fn what_was_said_before_tls_is_not_believed() {
    // Somebody in between adds answers to the plain text, for the time after the handshake. The
    // server itself says nothing more.
    let dir = tempfile::tempdir().unwrap();
    let (ca_file, tls) = certificates(dir.path(), "localhost");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let added = "250 here\r\n250 sender\r\n250 recipient\r\n354 data\r\n250 kept\r\n";
    let serving = async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for said in ["220 here\r\n", "250-here\r\n250 STARTTLS\r\n", "220 go on\r\n"] {
            let text = format!("{said}{}", if said == "220 go on\r\n" { added } else { "" });
            stream.write_all(text.as_bytes()).await.unwrap();
            let heard = stream.read(&mut [0; 512]).await.unwrap();
            assert!(heard > 0);
        }
        TlsAcceptor::from(tls).accept(stream).await.is_ok()
    };
    let serving = tokio::spawn(serving);
    let server = RudeMailServer::start(usual).await;
    let more = json!({"tls": "starttls", "host": "localhost", "port": port, "ca_file": ca_file});
    let running = send(&server, more, 100_000).await;
    let error = running.until_failed().await.last_error.unwrap();
    assert!(error.starts_with("tls: "), "{error}");
    assert_eq!(running.counts(), [1, 0, 0]);
    assert!(!serving.await.unwrap());
}
