//! Mail that arrives: in the clear on loopback, by STARTTLS, by TLS from the start, with a login,
//! by an authority of one's own.

use std::path::Path;

use serde_json::{Value as Json, json};
use tocsin_model::{NoticeKind, Severity};
use tocsin_simulate::catch::{CatchOptions, Catcher};

use crate::support::smtp::certificates;
use crate::support::{PATIENCE, Running, alert, config, one_channel};

/// How a catcher and a channel meet.
struct Meeting {
    name: &'static str,
    server: &'static str,
    client: &'static str,
    host: &'static str,
    certificate_for: &'static str,
    trusts: bool,
    /// What is said of it when it fails.
    refused: &'static str,
}

const fn meeting(name: &'static str, server: &'static str, client: &'static str) -> Meeting {
    Meeting {
        name,
        server,
        client,
        host: "localhost",
        certificate_for: "localhost",
        trusts: true,
        refused: "",
    }
}

async fn catcher(kind: &str, certificate_for: &str, dir: &Path) -> Catcher {
    let (_, tls) = certificates(dir, certificate_for);
    let options = CatchOptions {
        smtp: Some(([127, 0, 0, 1], 0).into()),
        tls: (kind != "none").then_some(tls),
        tls_from_start: kind == "tls",
        login: Some(("tocsin".to_owned(), "s3cret pass".to_owned())),
        ..CatchOptions::default()
    };
    Catcher::start(options).await.unwrap()
}

fn channel(catcher: &Catcher, tls: &str, host: &str) -> Json {
    json!({
        "type": "email", "host": host, "port": catcher.smtp_addr().unwrap().port(), "tls": tls,
        "from": "Tocsin <tocsin@example.com>", "to": ["Ops <ops@example.com>", "boss@example.com"],
        "user": "tocsin", "password": "s3cret pass", "timeout_seconds": 5,
    })
}

#[tokio::test]
async fn encryption_is_demanded_and_checked() {
    let wrong_name = Meeting {
        certificate_for: "other.example",
        refused: "not valid for name",
        ..meeting("a certificate for another", "starttls", "starttls")
    };
    let stranger = "UnknownIssuer";
    for meeting in [
        meeting("plain", "none", "none"),
        meeting("starttls", "starttls", "starttls"),
        meeting("tls", "tls", "tls"),
        Meeting { host: "127.0.0.1", certificate_for: "127.0.0.1", ..meeting("ip", "tls", "tls") },
        Meeting { trusts: false, refused: stranger, ..meeting("unknown", "starttls", "starttls") },
        Meeting { trusts: false, refused: stranger, ..meeting("unknown", "tls", "tls") },
        Meeting { refused: "not supported", ..meeting("no starttls there", "none", "starttls") },
        Meeting { refused: "tls: ", ..meeting("plain where tls is wanted", "none", "tls") },
        Meeting { refused: "", ..meeting("plain offered starttls", "starttls", "none") },
        wrong_name,
        Meeting {
            certificate_for: "other.example",
            refused: "not valid for name",
            ..meeting("a certificate for another", "tls", "tls")
        },
    ] {
        meet(meeting).await;
    }
}

async fn meet(meeting: Meeting) {
    let Meeting { name, .. } = meeting;
    let dir = tempfile::tempdir().unwrap();
    let catcher = catcher(meeting.server, meeting.certificate_for, dir.path()).await;
    let mut channel = channel(&catcher, meeting.client, meeting.host);
    if meeting.trusts {
        channel["ca_file"] = json!(dir.path().join("ca.pem"));
    }
    let running = Running::start(&one_channel(channel));
    running.submit(&[alert(0, Severity::High)]);
    if meeting.refused.is_empty() {
        running.until_delivered(1).await;
        let mail = catcher.mails().remove(0);
        assert_eq!(mail.encrypted, meeting.client != "none", "{name}");
        assert_eq!(mail.login.as_deref(), Some("tocsin"), "{name}");
        assert_eq!(mail.from, "tocsin@example.com");
        assert_eq!(mail.to, ["ops@example.com", "boss@example.com"]);
    } else {
        let item = running.until_failed().await;
        let error = item.last_error.unwrap();
        assert!(error.contains(meeting.refused), "{name}: {error}");
        assert!(!error.contains("s3cret"), "{name}: {error}");
        assert!(catcher.mails().is_empty(), "{name}");
        assert_eq!(running.counts(), [1, 0, 0], "{name}: it waits");
    }
}

#[tokio::test]
async fn a_wrong_password_is_seen_and_waits_for_somebody_to_mend_it() {
    let dir = tempfile::tempdir().unwrap();
    let catcher = catcher("tls", "localhost", dir.path()).await;
    let mut good = channel(&catcher, "tls", "localhost");
    good["ca_file"] = json!(dir.path().join("ca.pem"));
    let mut bad = good.clone();
    bad["password"] = json!("wr0ng pass");
    let mut none = good.clone();
    none["user"] = Json::Null;
    none["password"] = Json::Null;

    let running = Running::start(&one_channel(bad));
    running.submit(&[alert(0, Severity::High), alert(1, Severity::High)]);
    let tried = || running.outbox.items("ops").iter().map(|item| item.attempts).sum::<u32>();
    running.outbox.until("tried often", || tried() >= 12).await;
    assert_eq!(running.counts(), [2, 0, 0], "never given up");
    let problem = running.stats().problem.unwrap();
    assert!(problem.starts_with("login: 535 ") && problem.contains("wrong"), "{problem}");
    assert!(!problem.contains("wr0ng"), "{problem}");

    let running = running.restart(&one_channel(none)).await;
    let refused =
        || running.stats().problem.is_some_and(|problem| problem.contains("log in first"));
    running.outbox.until("no login", refused).await;
    assert!(running.stats().problem.unwrap().starts_with("sender: 530 "));

    let running = running.restart(&one_channel(good)).await;
    running.until_delivered(2).await;
    assert_eq!(running.stats().problem, None);
    assert_eq!(catcher.mails().len(), 2);
}

#[tokio::test]
async fn a_mail_says_what_happened() {
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let channel = json!({
        "type": "email", "host": "127.0.0.1", "port": catcher.smtp_addr().unwrap().port(),
        "tls": "none", "from": "Tocsin <tocsin@example.com>", "to": ["ops@example.com"],
        "rate_limit": {"per_group": 0, "per_hour": 2, "summary_seconds": 1},
    });
    let config = config(json!({"channels": {"ops": channel}, "page_url": "https://t.example/"}));
    let running = Running::start(&config);
    let raised = alert(0, Severity::High);
    running.submit(std::slice::from_ref(&raised));
    let mut worse = raised.clone();
    worse.severity = Severity::Critical;
    running.submit_as(&[worse], NoticeKind::Escalated);
    running.submit(&[alert(1, Severity::Low), alert(2, Severity::Medium)]);
    running.until_delivered(4).await;
    assert!(catcher.wait_until(PATIENCE, |caught| caught.len() >= 3).await);

    let mails = catcher.mails();
    let subjects: Vec<&str> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(
        subjects[..2],
        [
            "[high] SSH brute force from 198.51.0.0 on web-1",
            "[critical] escalated: SSH brute force from 198.51.0.0 on web-1",
        ]
    );
    let first = &mails[0];
    let link = format!("https://t.example/alerts/{}", raised.id);
    for part in [&first.text, &first.html] {
        for word in [
            "5 failed logins from 198.51.0.0",
            "T1110.001",
            &link,
            "2026-11-18 ",
            "Failed password for root from 198.51.0.0 port 22 ssh2",
        ] {
            assert!(part.contains(word), "{word} is not in {part}");
        }
    }
    for (name, want) in [
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Tocsin-Severity", "high".to_owned()),
        ("Message-ID", format!("<{}.raised.high.ops@example.com>", raised.id)),
        ("References", format!("<{}@example.com>", raised.id)),
        ("From", "Tocsin <tocsin@example.com>".to_owned()),
        ("To", "ops@example.com".to_owned()),
    ] {
        assert_eq!(first.header(name), want, "{name}");
    }
    assert_eq!(mails[0].header("references"), mails[1].header("references"), "one conversation");
    assert_ne!(mails[0].header("message-id"), mails[1].header("message-id"));
    let rest: String = mails[2..].iter().map(|mail| mail.text.as_str()).collect();
    assert!(rest.contains("held back by the rate limit"), "{rest}");
    assert!(
        rest.contains("1 × [medium] SSH brute force") || rest.contains("2 × [medium]"),
        "{rest}"
    );
}
