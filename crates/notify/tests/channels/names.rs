//! Names of channels and other configuration that cannot work is refused at the start, by name.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tocsin_model::Severity;
use tocsin_notify::{Notifier, NotifyConfig};
use tocsin_simulate::catch::{CatchOptions, Catcher};

use crate::support::{Running, WatchedOutbox, alert, config};

fn refused(dir: &Path, outbox: &Arc<WatchedOutbox>, config: &NotifyConfig) -> String {
    match Notifier::new(config, dir, outbox.clone()) {
        Ok(_) => panic!("this cannot work"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_cannot_work_is_refused_with_the_remedy() {
    let mail = |tls: &str, host: &str| {
        json!({"type": "email", "host": host, "tls": tls,
        "from": "a@b.example", "to": ["c@d.example"]})
    };
    let with = |mut base: Json, key: &str, value: Json| {
        base[key] = value;
        base
    };
    let hook = json!({"type": "webhook", "url": "https://x.example/"});
    let long = "n".repeat(65);
    let table: Vec<(&str, Json, &str)> = vec![
        ("", json!({"type": "stdout"}), "not a usable name"),
        ("../up", json!({"type": "log"}), "not a usable name"),
        (".hidden", json!({"type": "log"}), "not a usable name"),
        ("a\r\nb", json!({"type": "stdout"}), "not a usable name"),
        (&long, json!({"type": "stdout"}), "1 to 64 characters"),
        ("log", hook.clone(), "belongs to the alert log; give the webhook channel another"),
        ("two", json!({"type": "log", "path": "/tmp"}), "is not a regular file"),
        ("w", json!({"type": "webhook"}), "channel w: url is missing; give url, url_file or"),
        ("w", json!({"type": "webhook", "url": "x"}), "url is not an address"),
        ("w", json!({"type": "webhook", "url": "ftp://x.example/"}), "http:// or https://"),
        ("s", json!({"type": "slack", "url": "http://x.example/"}), "must begin with https://"),
        ("d", json!({"type": "discord", "url": "http://10.0.0.1/"}), "must begin with https://"),
        ("w", with(hook.clone(), "headers", json!({"a b": "c"})), "\"a b\" is not a header name"),
        ("w", with(hook.clone(), "headers", json!({"A": "b\r\nc"})), "\"A\" has a value that no"),
        (
            "w",
            with(hook.clone(), "headers", json!({"Content-Length": "5"})),
            "content-length is set by Tocsin itself",
        ),
        ("w", with(hook.clone(), "signing_secret", json!("whsec_!")), "is not base64"),
        ("w", with(hook.clone(), "ca_file", json!("/nowhere/ca.pem")), "ca_file /nowhere/ca.pem: "),
        ("w", with(hook, "url_env", json!("TOCSIN_NOT_SET")), "only one of url, url_file and"),
        ("m", mail("starttls", " "), "host is missing"),
        ("m", mail("none", "mail.example"), "only for loopback addresses; mail.example is none"),
        ("m", mail("none", "10.0.0.1"), "only for loopback"),
        ("m", mail("tls", "not a host"), "tls cannot be set up for not a host"),
        ("m", with(mail("tls", "h.example"), "to", json!([])), "to is empty"),
        ("m", with(mail("tls", "h.example"), "to", json!(["x"])), "to: \"x\" is not an address"),
        ("m", with(mail("tls", "h.example"), "from", json!("a@b\r\nBcc: c@d")), "from: "),
        ("m", with(mail("tls", "h.example"), "user", json!("u")), "user is given without a pass"),
        ("m", with(mail("tls", "h.example"), "password", json!("p")), "password is given without"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let outbox = WatchedOutbox::open(dir.path());
    for (name, channel, want) in table {
        let error = refused(dir.path(), &outbox, &config(json!({"channels": {name: channel}})));
        assert!(error.contains(want), "{name:?}: {error}");
        assert!(!error.contains('\r'), "{error:?}");
    }
}

#[test]
fn two_logs_in_one_file_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.ndjson");
    let outbox = WatchedOutbox::open(dir.path());
    let error = refused(
        dir.path(),
        &outbox,
        &config(json!({"channels": {
            "a": {"type": "log", "path": path}, "b": {"type": "log", "path": path},
        }})),
    );
    assert!(error.contains("channel b: writes to the same file as channel a"), "{error}");
}

#[tokio::test]
async fn a_name_in_any_language_works_everywhere() {
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let http = format!("http://{}/", catcher.http_addr().unwrap());
    let port = catcher.smtp_addr().unwrap().port();
    let config = config(json!({"channels": {
        "équipe sécu 🚨 <a>": {"type": "webhook", "url": http},
        "почта %": {"type": "email", "host": "127.0.0.1", "port": port, "tls": "none",
                    "from": "Tocsin <tocsin@bücher.example>", "to": ["ops@example.com"]},
        "журнал": {"type": "log"},
    }}));
    let running = Running::start(&config);
    running.submit(&[alert(0, Severity::High)]);
    assert!(catcher.wait_until(crate::support::PATIENCE, |caught| caught.len() == 2).await);
    let request = catcher.requests().remove(0);
    let key = request.header("webhook-id");
    assert!(
        key.ends_with(":raised:high:%c3%a9quipe%20s%c3%a9cu%20%f0%9f%9a%a8%20%3ca%3e"),
        "{key}"
    );
    assert_eq!(request.body["channel"], "équipe sécu 🚨 <a>");
    let mail = catcher.mails().remove(0);
    let id = mail.header("message-id");
    assert!(id.is_ascii() && !id.contains(' ') && id.ends_with("@localhost>"), "{id}");
    let log = running.dir.path().join("журнал.ndjson");
    let logged = || std::fs::read_to_string(&log).unwrap().lines().count() == 1;
    running.outbox.until("logged", logged).await;
}
