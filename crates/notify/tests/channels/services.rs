//! Services with templates: what they are sent fits their schemas whatever an alert holds, and
//! reaches the right address with the right token; what is wrong with a channel is told before.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tocsin_content::{FileKind, Pack, PackFile};
use tocsin_model::{Alert, Notice, NoticeKind, Severity};
use tocsin_notify::view::{AlertView, Message, SummaryView};
use tocsin_notify::{Notifier, NotifyConfig, Services, faults, try_out};
use tocsin_simulate::catch::{CatchOptions, Catcher, CaughtHttp};

use crate::payloads::{hostile, made_of};
use crate::schema;
use crate::support::http::{RudeServer, answer};
use crate::support::{WatchedOutbox, alert, at, config, one_channel};

fn schema_of(service: &str) -> Json {
    let path = format!("{}/tests/channels/schemas/{service}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn message(alert: Alert, link: bool) -> Message {
    let notice = Notice { channel: "ops".to_owned(), kind: NoticeKind::Raised, alert };
    let page = link.then_some("https://tocsin.example");
    Message::Alert(Box::new(AlertView::new(&notice, page)))
}

fn summary(text: &str) -> Message {
    Message::Summary(SummaryView {
        key: "0123".to_owned(),
        title: "5000 more alerts, held back by the rate limit".to_owned(),
        count: 5000,
        severity: Severity::Critical,
        rules: vec![(text.chars().take(200).collect(), Severity::Critical, 5000); 20],
        titles: vec![text.chars().take(160).collect(); 10],
        alerts: vec!["0".repeat(32); 100],
        link: Some("https://tocsin.example/alerts".to_owned()),
    })
}

#[test]
fn every_service_gets_what_its_schema_allows() {
    let services = Services::shipped();
    for (service, _) in services.list() {
        let schema = schema_of(service);
        let mut messages = vec![];
        for (number, severity) in Severity::ALL.into_iter().enumerate() {
            messages.push(message(alert(number as u32, severity), number % 2 == 0));
        }
        for (number, text) in hostile().iter().enumerate() {
            messages.push(message(made_of(text, number as u32), true));
            messages.push(summary(text));
        }
        for message in messages {
            let body = services.payload(service, &message).unwrap();
            let faults = schema::faults(&schema, &body);
            assert!(faults.is_empty(), "{service}: {faults:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_fits_every_schema(text in ".{0,400}", times in 1usize..30, link: bool) {
        let services = Services::shipped();
        let text = text.repeat(times);
        for (service, _) in services.list() {
            let schema = schema_of(service);
            for message in [message(made_of(&text, 1), link), summary(&text)] {
                let faults = schema::faults(&schema, &services.payload(service, &message).unwrap());
                prop_assert!(faults.is_empty(), "{}: {:?}", service, faults);
            }
        }
    }
}

#[test]
fn text_has_no_power_in_markup() {
    let evil = "<b>x</b> [a](https://evil.example) *b* `c` <!channel> @everyone";
    let services = Services::shipped();
    let message = message(made_of(evil, 1), false);
    let bodies = |service: &str| services.payload(service, &message).unwrap();
    let telegram = bodies("telegram");
    let text = telegram["text"].as_str().unwrap();
    assert!(text.contains("&lt;b&gt;x&lt;/b&gt;") && !text.contains("<b>x"), "{text}");
    let teams = bodies("teams").to_string();
    assert!(teams.contains("\\\\[a\\\\]\\\\(https"), "{teams}");
    assert!(bodies("slack").to_string().contains("&lt;!channel&gt;"));
}

fn header_of(request: &CaughtHttp, name: &str) -> String {
    let found = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

/// Configuration of a service, the path it is to reach, a header, and where the token stands.
fn table(base: &str) -> Vec<(Json, &'static str, Option<(&'static str, &'static str)>)> {
    let channel = |kind: &str, more: Json| {
        let mut all = json!({"type": kind, "url": base});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    vec![
        (channel("slack", json!({})), "/", None),
        (channel("discord", json!({})), "/?wait=true", None),
        (channel("teams", json!({})), "/", None),
        (channel("pagerduty", json!({"token": "R0UTINGKEY"})), "/", None),
        (
            channel("opsgenie", json!({"token": "0123-4567"})),
            "/",
            Some(("authorization", "GenieKey 0123-4567")),
        ),
        (
            channel("telegram", json!({"token": "12:AbC-d_e", "target": "-1001"})),
            "/bot12:AbC-d_e/sendMessage",
            None,
        ),
        (
            channel("ntfy", json!({"token": "tk_abc12345", "target": "alerts"})),
            "/",
            Some(("authorization", "Bearer tk_abc12345")),
        ),
        (channel("alertmanager", json!({})), "/api/v2/alerts", None),
    ]
}

#[tokio::test]
async fn every_service_is_reached_as_its_template_says() {
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let base = format!("http://{}", catcher.http_addr().unwrap());
    let dir = tempfile::tempdir().unwrap();
    for (at, (channel, path, header)) in table(&base).into_iter().enumerate() {
        let kind = channel["type"].as_str().unwrap().to_owned();
        let answer = try_out(&one_channel(channel), "ops", dir.path()).await.unwrap();
        assert!(answer.starts_with("200"), "{kind}: {answer}");
        let requests = catcher.requests();
        let request = &requests[at];
        assert_eq!(request.path, path, "{kind}");
        if let Some((name, value)) = header {
            assert_eq!(header_of(request, name), value, "{kind}");
        }
        let faults = schema::faults(&schema_of(&kind), &request.body);
        assert!(faults.is_empty(), "{kind}: {faults:?}");
    }
}

#[tokio::test]
async fn an_answer_means_what_the_service_says() {
    let text = "about: a form\nneeds: [url]\nsend: form\nsuccess: [202]\nplain_http: true\n\
        body: '{\"what\": {{ title }}}'\n";
    let file = PackFile {
        kind: FileKind::Channel,
        path: "own/channels/own.yml".to_owned(),
        inner: "channels/own.yml".to_owned(),
        bytes: text.as_bytes().to_vec(),
        built_in: false,
    };
    let (services, wrong) = Services::load(&[Pack { name: "own".to_owned(), files: vec![file] }]);
    assert!(wrong.is_empty(), "{wrong:?}");
    let taken = RudeServer::start(vec![answer("202 Accepted", "", "later")]).await;
    let not = RudeServer::start(vec![answer("200 OK", "", "a page of a proxy")]).await;
    let dir = tempfile::tempdir().unwrap();
    let tried = async |server: &RudeServer| {
        let channel = json!({"type": "service", "service": "own", "url": server.url()});
        let config = NotifyConfig { services: services.clone(), ..one_channel(channel) };
        try_out(&config, "ops", dir.path()).await
    };
    assert!(tried(&taken).await.unwrap().starts_with("202 Accepted: later"));
    let asked = taken.requests().remove(0);
    assert!(asked.contains("application/x-www-form-urlencoded"), "{asked}");
    assert!(asked.contains("what=%5Binformational%5D+test"), "{asked}");
    let refused = tried(&not).await.unwrap_err().to_string();
    assert!(refused.contains("200 OK: a page of a proxy"), "{refused}");
}

#[test]
fn what_is_wrong_with_a_channel_is_told_before() {
    let dir = tempfile::tempdir().unwrap();
    let template = dir.path().join("body.j2");
    std::fs::write(&template, "{\"text\":\n {{ titel }}}").unwrap();
    let table = [
        (json!({"type": "pagerduty"}), "token is missing; give token, token_file or token_env"),
        (json!({"type": "telegram", "token": "x"}), "target is missing"),
        (json!({"type": "telegram", "token": "a b?c", "target": "1"}), "characters that no token"),
        (json!({"type": "slack", "url": "https://x.example", "token": "x"}), "token means nothing"),
        (json!({"type": "slack", "url": "http://x.example"}), "must begin with https://"),
        (json!({"type": "opsgenie", "token": "a\nb"}), "not with this token"),
        (json!({"type": "ntfy", "target": "a", "token_env": "TOCSIN_TEST_NOT_SET"}), "is not set"),
        (
            json!({"type": "webhook", "url": "http://x.example", "template": template}),
            "body.json:2",
        ),
        (json!({"type": "webhook", "url": "http://x.example", "template": "/no/such"}), "/no/such"),
        (json!({"type": "service", "url": "https://x.example"}), "service is missing"),
        (json!({"type": "service", "service": "duty"}), "service: there is none called \"duty\""),
        (json!({"type": "slack", "service": "duty"}), "service means nothing to slack"),
        (json!({"type": "syslog"}), "host is missing"),
        (json!({"type": "stdout", "route": {"when": "host.name: ("}}), "route: when: "),
        (json!({"type": "stdout", "route": {"hours": ["always"]}}), "route: hours: "),
    ];
    for (channel, part) in table {
        let found = faults(&one_channel(channel.clone()), dir.path());
        let [(_, fault)] = &found[..] else { panic!("{channel}: {found:?}") };
        assert!(fault.contains(part), "{channel}: {fault}");
    }
}

#[tokio::test]
async fn a_webhook_sends_what_its_template_says() {
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let template = dir.path().join("body.j2");
    let text = "{\"what\": {{ title }}, \"how\": {{ severity_number }}, \"who\": {{ alert.rule.name if alert else none }}}";
    std::fs::write(&template, text).unwrap();
    let channel = json!({
        "type": "webhook", "url": format!("http://{}/x", catcher.http_addr().unwrap()),
        "template": template, "signing_secret": "abc",
    });
    try_out(&one_channel(channel), "ops", dir.path()).await.unwrap();
    let requests = catcher.requests();
    let title = "[informational] test: Test notice";
    assert!(requests[0].body["what"].as_str().unwrap().starts_with(title), "{}", requests[0].body);
    assert_eq!(
        (&requests[0].body["how"], &requests[0].body["who"]),
        (&json!(1), &json!("Test notice"))
    );
    assert!(header_of(&requests[0], "webhook-signature").starts_with("v1,"));
}

#[tokio::test]
async fn routes_choose_alerts() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = WatchedOutbox::open(dir.path());
    let channel = |route: Json| json!({"type": "stdout", "route": route});
    let config = config(json!({"channels": {
        "all": {"type": "stdout"},
        "web": channel(json!({"when": "host.name: web-*"})),
        "db": channel(json!({"when": "host.name: db-*"})),
        "day": channel(json!({"hours": ["08:00-18:00"], "zone": "UTC"})),
        "night": channel(json!({"hours": ["18:00-08:00"], "zone": "UTC"})),
    }}));
    let notifier = Notifier::new(&config, dir.path(), outbox).unwrap();
    let told = notifier.notices(&alert(1, Severity::High), NoticeKind::Raised, at(0));
    let names: Vec<&str> = told.iter().map(|notice| notice.channel.as_str()).collect();
    assert_eq!(names, ["all", "day", "log", "web"], "{}", at(0));
}

#[tokio::test]
async fn syslog_messages_arrive_whole() {
    let dir = tempfile::tempdir().unwrap();
    let udp = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = udp.local_addr().unwrap().port();
    let channel = json!({"type": "syslog", "host": "127.0.0.1", "port": port});
    try_out(&one_channel(channel), "ops", dir.path()).await.unwrap();
    let mut buffer = vec![0; 65_536];
    let length = udp.recv(&mut buffer).await.unwrap();
    let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
    assert!(
        text.starts_with("<110>1 ") && text.contains(" tocsin - alert - CEF:0|Tocsin|"),
        "{text}"
    );

    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    let channel = json!({"type": "syslog", "host": "127.0.0.1", "port": port, "protocol": "tcp", "format": "json"});
    let sent = one_channel(channel.clone());
    let read = async {
        let (mut stream, _) = tcp.accept().await.unwrap();
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text).await.unwrap();
        text
    };
    let (text, answer) = tokio::join!(read, try_out(&sent, "ops", dir.path()));
    answer.unwrap();
    let (length, rest) = text.split_once(' ').unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), rest.len());
    let (_, json) = rest.split_once(" alert - ").unwrap();
    assert_eq!(serde_json::from_str::<Json>(json).unwrap()["rule"]["name"], "Test notice");
    drop(tcp);
    let refused = try_out(&one_channel(channel), "ops", dir.path()).await.unwrap_err().to_string();
    assert!(refused.contains("127.0.0.1") && refused.contains("refused"), "{refused}");
}
