//! Mail at a mail server that is not ours: aiosmtpd, into a maildir.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::json;
use tocsin_model::{NoticeKind, Severity};

use crate::support::{PATIENCE, Running, alert, one_channel};

/// The Python that aiosmtpd is installed for; `None`, with a notice, where it is not.
fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients/bin/python3");
    let has = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-c", "import aiosmtpd"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if has(&python) {
        return Some(python);
    }
    use std::io::Write;
    // Past the harness, which keeps what a passing test prints to itself.
    let _ = writeln!(std::io::stdout(), "skipped: no aiosmtpd (cargo xtask test installs it)");
    None
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn server(python: &Path, maildir: &Path) -> (Server, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(python);
    command.args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}")]);
    command.args(["-c", "aiosmtpd.handlers.Mailbox"]).arg(maildir);
    let server = Server(command.stdin(Stdio::null()).spawn().unwrap());
    let started = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(started.elapsed() < PATIENCE, "aiosmtpd does not listen");
        tokio::task::yield_now().await;
    }
    (server, port)
}

#[tokio::test]
async fn a_mail_server_takes_both_bodies_and_the_conversation_of_an_incident() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let maildir = dir.path().join("mail");
    let (_server, port) = server(&python, &maildir).await;
    let config = one_channel(json!({
        "type": "email", "host": "127.0.0.1", "port": port, "tls": "none",
        "from": "Tocsin <tocsin@example.com>", "to": ["ops@example.com"],
        "route": {"each": "alert"},
    }));
    let running = Running::start(&config);
    let answer = running.notifier.test("ops").await.unwrap();
    assert!(answer.starts_with("250"), "the server's own answer: {answer}");
    let mut first = alert(1, Severity::High);
    first.reason = "5 failed logins <b>from</b> é & 192.0.2.1".into();
    let (mut second, third) = (alert(2, Severity::Critical), alert(3, Severity::Low));
    (first.triage.incident, second.triage.incident) = (Some(7), Some(7));
    running.submit(std::slice::from_ref(&first));
    running.submit_as(&[second], NoticeKind::Escalated);
    running.submit(std::slice::from_ref(&third));
    running.until_delivered(3).await;
    running.stop().await;

    // Read by Python's own parser.
    let script = "import json,sys,mailbox,email.policy,email\n\
        out=[]\n\
        for m in mailbox.Maildir(sys.argv[1], create=False):\n\
        \x20   m=email.message_from_bytes(m.as_bytes(), policy=email.policy.default)\n\
        \x20   out.append({'subject':m['subject'],'id':m['message-id'],'to':m['to'],\n\
        \x20     'reply':m['in-reply-to'],'refs':m['references'],'type':m.get_content_type(),\n\
        \x20     'parts':[p.get_content_type() for p in m.iter_parts()],\n\
        \x20     'plain':m.get_body(('plain',)).get_content(),\n\
        \x20     'html':m.get_body(('html',)).get_content()})\n\
        print(json.dumps(out))";
    let out = Command::new(&python).args(["-c", script]).arg(&maildir).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let mails: Vec<serde_json::Value> = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(mails.len(), 4);
    let about = |what: &str| {
        let found = mails.iter().find(|mail| mail["subject"].as_str().unwrap().contains(what));
        found.unwrap_or_else(|| panic!("no mail about {what}: {mails:?}"))
    };
    let (raised, worse, other) = (about("[high] SSH"), about("escalated: "), about("[low] SSH"));
    for mail in &mails {
        assert_eq!(mail["type"], "multipart/alternative");
        assert_eq!(mail["parts"], json!(["text/plain", "text/html"]));
        assert_eq!(mail["reply"], mail["refs"]);
    }
    assert_eq!(raised["reply"], "<incident.7@example.com>");
    assert_eq!(raised["reply"], worse["reply"]);
    assert_eq!(other["reply"], format!("<{}@example.com>", third.id));
    assert_ne!(raised["id"], worse["id"]);
    let (plain, html) = (raised["plain"].as_str().unwrap(), raised["html"].as_str().unwrap());
    assert!(plain.contains("5 failed logins <b>from</b> é & 192.0.2.1"), "{plain}");
    assert!(html.contains("&lt;b&gt;from&lt;/b&gt; é &amp; 192.0.2.1"), "{html}");
}
