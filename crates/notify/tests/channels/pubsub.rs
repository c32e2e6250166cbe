//! Pub/Sub at Google's own fake of it (`pstest`), with tokens of a service account.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value as Json, json};
use tocsin_model::Severity;

use crate::support::http::{RudeServer, answer};
use crate::support::{Running, alert, one_channel};

/// A key that nobody uses for anything else.
const KEY: &str = include_str!("support/service_account.pem");

struct Fake {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Fake {
    /// `None`, with a notice, where it has not been built.
    fn start() -> Option<Self> {
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("counterparts/pubsub");
        if !built.exists() {
            // Past the harness, which keeps what a passing test prints to itself.
            let why = "skipped: no fake of Pub/Sub (cargo xtask test builds it with Go)";
            let _ = writeln!(std::io::stdout(), "{why}");
            return None;
        }
        let mut command = Command::new(built);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut fake =
            Self { child, input, output: BufReader::new(output), address: String::new() };
        fake.address = fake.line();
        Some(fake)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn messages(&mut self) -> Vec<Json> {
        writeln!(self.input).unwrap();
        serde_json::from_str(&self.line()).unwrap()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn channel(address: &str, rest: &Json) -> tocsin_notify::NotifyConfig {
    let mut channel = json!({
        "type": "pubsub", "project": "tocsin", "topic": "alerts",
        "endpoint": format!("http://{address}"), "timeout_seconds": 5,
    });
    channel.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    one_channel(channel)
}

#[tokio::test]
async fn alerts_are_messages_of_the_topic() {
    let Some(mut fake) = Fake::start() else { return };
    let running = Running::start(&channel(&fake.address, &json!({})));
    let told = running.notifier.test("ops").await.unwrap();
    assert!(told.starts_with("published to projects/tocsin/topics/alerts as message "), "{told}");
    let mut big = alert(1, Severity::High);
    big.reason = "x".repeat(300_000);
    running.submit(&[big.clone(), alert(2, Severity::Low)]);
    running.until_delivered(2).await;
    let messages = fake.messages();
    assert_eq!(messages.len(), 3);
    let of_alert = messages
        .iter()
        .find(|message| message["attributes"]["severity"] == "high")
        .unwrap_or_else(|| panic!("{messages:?}"));
    assert_eq!(of_alert["attributes"]["kind"], "raised");
    assert_eq!(of_alert["attributes"]["rule"], "ssh_brute_force");
    let data: Json = serde_json::from_str(of_alert["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["alert"]["event"]["id"], big.id.0);
    assert_eq!(data["alert"]["message"].as_str().unwrap().len(), 300_000);
    running.stop().await;
    // The service's own answer to a topic that is not there.
    let other = channel(&fake.address, &json!({"topic": "nowhere"}));
    let refused = Running::start(&other).notifier.test("ops").await.unwrap_err().to_string();
    assert!(refused.contains("gRPC status 5") && refused.contains("nowhere"), "{refused}");
}

#[tokio::test]
async fn a_service_account_gets_a_token_and_a_wrong_key_is_told() {
    let granted = r#"{"access_token": "ya29.secret-token", "expires_in": 3600}"#;
    let tokens = RudeServer::start(vec![answer("200 OK", "", granted)]).await;
    // Something that is no Pub/Sub, and repeats what it is told.
    let elsewhere = RudeServer::start(vec![answer("400 Bad", "", "ya29.secret-token")]).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.json");
    let key = json!({
        "type": "service_account", "client_email": "tocsin@example.iam.gserviceaccount.com",
        "private_key_id": "k1", "private_key": KEY, "token_uri": format!("{}token", tokens.url()),
    });
    std::fs::write(&path, key.to_string()).unwrap();
    let config = channel(&elsewhere.address.to_string(), &json!({"key_file": path}));
    let refused = Running::start(&config).notifier.test("ops").await.unwrap_err().to_string();
    assert!(!refused.contains("secret-token"), "{refused}");
    let asked = tokens.requests().remove(0);
    let assertion = asked.split("assertion=").nth(1).unwrap().trim();
    let parts: Vec<&str> = assertion.split('.').collect();
    let read =
        |part: &str| -> Json { serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap() };
    assert_eq!(
        (read(parts[0])["alg"].clone(), read(parts[0])["kid"].clone()),
        (json!("RS256"), json!("k1"))
    );
    let claims = read(parts[1]);
    assert_eq!(claims["iss"], "tocsin@example.iam.gserviceaccount.com");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/pubsub");
    assert_eq!(claims["aud"], format!("{}token", tokens.url()));
    assert_eq!(BASE64.decode(parts[2]).unwrap().len(), 256);

    let denied =
        RudeServer::start(vec![answer("400 Bad", "", r#"{"error": "invalid_grant"}"#)]).await;
    let mut wrong = key.clone();
    wrong["token_uri"] = json!(denied.url());
    std::fs::write(&path, wrong.to_string()).unwrap();
    let refused = Running::start(&config).notifier.test("ops").await.unwrap_err().to_string();
    assert!(
        refused.contains("no token for tocsin@example") && refused.contains("invalid_grant"),
        "{refused}"
    );
}

#[test]
fn what_is_wrong_is_told_by_its_key_and_never_the_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.json");
    let outbox = || crate::support::WatchedOutbox::open(dir.path());
    for (text, rest, expected) in [
        ("", json!({"project": ""}), "project: give its id"),
        ("", json!({"topic": "a/b"}), "topic: give its id"),
        ("", json!({"endpoint": "http://192.0.2.1"}), "must begin with https://"),
        ("", json!({"key_file": "/no/such"}), "key_file /no/such"),
        ("secret123", json!({"key_file": path}), "is no key of a service account"),
        (
            r#"{"client_email": "a@b", "private_key": "secret123"}"#,
            json!({"key_file": path}),
            "private_key is no PEM",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let config = channel("127.0.0.1:9", &rest);
        let made = tocsin_notify::Notifier::new(&config, dir.path(), outbox());
        let error = made.err().unwrap().to_string();
        assert!(error.contains(expected) && !error.contains("secret123"), "{rest}: {error}");
    }
}
