//! Secrets reach the service, and nothing else: no error, log, `Debug` or status shows them, even
//! when the service repeats all it was told.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value as Json, json};
use tocsin_model::Severity;
use tocsin_notify::{Notifier, NotifyConfig};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::http::{Manner, RudeServer};
use crate::support::smtp::{RudeMailServer, say, usual};
use crate::support::{Running, WatchedOutbox, alert, one_channel};

/// Parts of every secret used here.
const SECRETS: [&str; 3] = ["hunter2", "aHVudGVyMg", "aHVudGVyMi1odW50ZXIy"];
const SECRET: &str = "hunter2-hunter2";

/// Everything that is logged, of all levels and all crates.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logged {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn logged() -> &'static Logged {
    static LOGGED: OnceLock<Logged> = OnceLock::new();
    LOGGED.get_or_init(|| {
        let logged = Logged::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_writer(logged.clone())
            .with_ansi(false);
        subscriber.init();
        logged
    })
}

fn assert_hidden(name: &str, text: &str) {
    for secret in SECRETS {
        let at = text.find(secret);
        let near = at.map(|at| &text[text.floor_char_boundary(at.saturating_sub(80))..at]);
        assert!(near.is_none(), "{name}: after {near:?}");
    }
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let logged = logged();
    let echo = RudeServer::start(vec![Manner::Echo]).await;
    let (host, url) = (echo.address, echo.url());
    let mail = RudeMailServer::start(|command| match command {
        command if command.starts_with("AUTH") => say(&format!("535 {command} hunter2-hunter2")),
        other => usual(other),
    });
    let mail = mail.await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, format!("{url}{SECRET}\n")).unwrap();
    let login = json!({"type": "email", "host": "127.0.0.1", "port": mail.address.port(),
        "tls": "none", "from": "a@b.example", "to": ["c@d.example"], "user": "u",
        "password": SECRET});
    let table = [
        ("path", json!({"type": "webhook", "url": format!("{url}services/T0/{SECRET}")})),
        ("query", json!({"type": "webhook", "url": format!("{url}?token={SECRET}&a=b")})),
        ("fragment", json!({"type": "webhook", "url": format!("{url}#{SECRET}")})),
        ("user", json!({"type": "webhook", "url": format!("http://{SECRET}:pw@{host}/")})),
        ("password", json!({"type": "webhook", "url": format!("http://u:{SECRET}@{host}/")})),
        ("file", json!({"type": "webhook", "url_file": file})),
        (
            "bearer",
            json!({"type": "webhook", "url": url,
                          "headers": {"Authorization": format!("Bearer {SECRET}")}}),
        ),
        ("key", json!({"type": "webhook", "url": url, "headers": {"X-Key": SECRET}})),
        ("signature", json!({"type": "webhook", "url": url, "signing_secret": SECRET})),
        ("slack", json!({"type": "slack", "url": format!("{url}services/{SECRET}")})),
        ("discord", json!({"type": "discord", "url": format!("{url}api/webhooks/1/{SECRET}")})),
        ("mail", login),
        ("dead", json!({"type": "slack", "url": format!("http://127.0.0.1:1/{SECRET}")})),
    ];
    for (name, channel) in table {
        let config = one_channel(channel);
        assert_hidden(name, &format!("{config:?} {}", serde_json::to_string(&config).unwrap()));
        let running = Running::start(&config);
        running.submit(&[alert(0, Severity::High)]);
        let item = running.until_failed().await;
        assert_hidden(name, &item.last_error.unwrap());
        assert_hidden(name, &format!("{:?}", running.stats()));
        let error = running.notifier.test("ops").await.unwrap_err();
        assert_hidden(name, &format!("{error} {error:?}"));
    }
    assert!(!echo.requests().is_empty() && !mail.heard().is_empty());
    let said = echo.requests().concat() + &mail.heard().concat();
    assert!(said.contains(SECRET), "the service does get it");
    let logs = String::from_utf8_lossy(&logged.0.lock().unwrap()).into_owned();
    assert!(logs.contains("channel ops: "), "something was logged");
    assert_hidden("logs", &logs);
}

#[test]
fn no_refusal_of_a_configuration_repeats_a_secret() {
    let hook = |url: &str| json!({"type": "webhook", "url": url});
    let https = "https://x.example/";
    let number = 7_723_456_789u64;
    let table: Vec<Json> = vec![
        hook("hunter2"),
        hook("ftp://hunter2.example/hunter2"),
        hook("https://hunter2:hunter2@[::x/"),
        hook("https://x.example:hunter2/"),
        json!({"type": "slack", "url": "http://x.example/hunter2"}),
        json!({"type": "webhook", "url": https, "headers": {"A": "hunter2\n"}}),
        json!({"type": "webhook", "url": https, "signing_secret": "whsec_hunter2!"}),
        json!({"type": "webhook", "url": https, "signing_secret": number}),
        json!({"type": "webhook", "url": https, "headers": {"A": number}}),
        json!({"type": "webhook", "url": number}),
        json!({"type": "webhook", "url": ["hunter2"]}),
        json!({"type": "webhook", "url": {"hunter2": 1}}),
        json!({"type": "slack", "url": https, "password": "hunter2"}),
        json!({"type": "email", "host": "h.example", "from": "a@b.example", "to": ["c@d.example"],
               "password": number}),
        json!({"type": "email", "host": "h.example", "from": "a@b.example", "to": ["c@d.example"],
               "password": "hunter2"}),
    ];
    for channel in table {
        let whole = json!({"channels": {"ops": channel}});
        let error = match serde_json::from_value::<NotifyConfig>(whole) {
            Err(error) => error.to_string(),
            Ok(config) => {
                let dir = tempfile::tempdir().unwrap();
                match Notifier::new(&config, dir.path(), WatchedOutbox::open(dir.path())) {
                    Ok(_) => panic!("this cannot work: {channel}"),
                    Err(error) => format!("{error} {error:?}"),
                }
            }
        };
        assert_hidden(&error, &error);
        assert!(!error.contains("7723456789"), "{error}");
    }
}
