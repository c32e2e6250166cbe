//! What a client sends is logged with it: a whole line of any other product, sent as a user name, a
//! browser's name or a command, must neither change whose line it is nor whose address is told.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;

use common::{PARSER, shown};
use tocsin_content::FileKind;
use tocsin_model::{Event, Position, Record, Timestamp};

/// The source and a line of it with `{}` for what the client sent, where quotes are escaped or not.
const LINES: &[(&str, &str, bool)] = &[
    (
        "nginx.access",
        r#"203.0.113.5 - - [21/Nov/2026:00:11:50 +0000] "GET / HTTP/1.1" 200 10 "-" "{}""#,
        true,
    ),
    ("nginx.access", r#"203.0.113.5 - - [21/Nov/2026:00:11:50 +0000] "{}" 400 10 "-" "-""#, true),
    (
        "openssh.sshd",
        "Nov 21 00:11:50 vm sshd[5]: Failed password for invalid user {} from 203.0.113.5 port 9 ssh2",
        false,
    ),
    (
        "openssh.sshd",
        "Nov 21 00:11:50 vm sshd[5]: Bad protocol version identification '{}' from 203.0.113.5 port 9",
        false,
    ),
    (
        "apache.error",
        "[Sat Nov 21 00:11:50.1 2026] [auth_basic:error] [pid 5] [client 203.0.113.5:9] AH01618: user {} not found: /x",
        false,
    ),
    (
        "dovecot.mail",
        "Nov 21 00:11:50 vm dovecot: imap-login: Aborted login (auth failed, 1 attempts in 2 secs): user=<{}>, method=PLAIN, rip=203.0.113.5, lip=192.0.2.1",
        false,
    ),
    (
        "postfix.mail",
        "Nov 21 00:11:50 vm postfix/smtpd[5]: warning: unknown[203.0.113.5]: SASL LOGIN authentication failed: x, sasl_username={}",
        false,
    ),
    (
        "postfix.mail",
        "Nov 21 00:11:50 vm postfix/smtpd[5]: warning: non-SMTP command from unknown[203.0.113.5]: {}",
        false,
    ),
];
/// A source whose lines stand among another's.
const WITHIN_APACHE: (&str, &str) = ("apache.error", "modsecurity.audit");
/// Longest text a client is taken to send, in bytes.
const SENT_BYTES_MAX: usize = 700;

/// Every sample line of every source.
fn samples() -> Vec<String> {
    let content = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content");
    let (packs, _) = tocsin_content::read_dir(&content);
    let files = packs.iter().flat_map(|pack| pack.of_kind(FileKind::Sample));
    let logs = files.filter(|file| file.inner.ends_with(".log"));
    let mut lines = Vec::new();
    for log in logs {
        let text = String::from_utf8_lossy(&log.bytes);
        let short = |line: &str| line.chars().take(SENT_BYTES_MAX).collect::<String>();
        lines.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(short));
    }
    lines
}

#[test]
fn no_line_sent_by_a_client_is_taken_for_another() {
    let samples = samples();
    assert!(samples.len() > 1000, "{}", samples.len());
    let mut worker = PARSER.worker();
    let received = Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let mut event = Event::default();
    let mut wrong = Vec::new();
    for (source, line, quoted) in LINES {
        for sample in &samples {
            let sent = match quoted {
                true => sample.replace('\\', r"\\").replace('"', "\\\""),
                false => sample.clone(),
            };
            let line = line.replace("{}", &sent);
            let record = Record {
                input: "test".into(),
                position: Position { stream: 7, offset: 9, next: 10 },
                received,
                bytes: line.clone().into_bytes().into(),
                hint: None,
                peer: None,
                path: None,
            };
            worker.parse(&record, &mut event);
            let (dataset, address) = (shown(&event, "event.dataset"), shown(&event, "source.ip"));
            // ModSecurity writes into the same log, and the client's address is the same there.
            let kept = dataset == *source || (*source, &*dataset) == WITHIN_APACHE;
            if !kept || address != "203.0.113.5" {
                wrong.push(format!("{dataset} {address}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
