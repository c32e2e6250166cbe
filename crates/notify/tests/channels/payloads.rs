//! What is sent keeps to the limits of its service and gives hostile text no power.

use std::collections::BTreeSet;

use base64::Engine as _;
use hmac::{Hmac, Mac};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use tocsin_model::{Alert, Notice, NoticeKind, Severity};
use tocsin_notify::Services;
use tocsin_notify::view::{AlertView, Message};
use tocsin_simulate::catch::{CatchOptions, Catcher, CaughtMail};

use crate::support::{PATIENCE, Running, alert, config};

/// Texts that attackers would put into user names, addresses and URLs.
pub fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "   ",
        "\n\n\n",
        "a\r\nBcc: victim@example.net\r\n\r\nbody",
        "a\nSubject: other",
        "<!channel> <!here> <@U123> <https://evil.example|click>",
        "@everyone @here <@&1> <@1> <#1>",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "\"><a href=javascript:alert(1)>",
        "nul\0nul",
        "\u{202e}txt.exe\u{202c}\u{2066}\u{200b}\u{feff}",
        "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J",
        "```\n```sh\nrm -rf\n``` `x` ***b*** __u__ ~~s~~ ||s|| > q # h [a](https://evil.example)",
        "=?utf-8?q?Bcc:?= {{7*7}} ${jndi:ldap://x} %s%n",
        ".\r\n.\r\nQUIT",
        "😀é\u{301}\u{301}\u{301}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend(
        ["A", "<", "&", "`", "\\", "@", "😀", "\r\n", "\0", " "]
            .map(|part| part.repeat((1 << 20) / part.len())),
    );
    texts
}

/// An alert that consists of this text wherever others can choose it.
pub fn made_of(text: &str, number: u32) -> Alert {
    let mut alert = alert(number, Severity::High);
    alert.rule.title = text.to_owned();
    alert.rule.description = text.to_owned();
    alert.rule.techniques = vec![text.to_owned(); 20];
    alert.reason = text.to_owned();
    alert.group = vec![("source.ip".to_owned(), text.to_owned()); 12];
    alert.fields = ["source.ip", "user.name", "host.name", "url.original"]
        .map(|field| (field.to_owned(), json!(text)))
        .to_vec();
    let event = alert.events[0].clone();
    alert.events = vec![event; 12];
    alert.events.iter_mut().for_each(|event| event.line = text.into());
    alert
}

fn texts(json: &Json, path: &str, found: &mut Vec<(String, String)>) {
    match json {
        Json::String(text) => found.push((path.to_owned(), text.clone())),
        Json::Array(items) => items.iter().for_each(|item| texts(item, path, found)),
        Json::Object(keys) => {
            keys.iter().for_each(|(key, value)| texts(value, &format!("{path}.{key}"), found));
        }
        _ => {}
    }
}

fn all_texts(json: &Json) -> Vec<(String, String)> {
    let mut found = Vec::new();
    texts(json, "", &mut found);
    found
}

/// Length as the services' languages count it.
fn length(text: &Json) -> usize {
    text.as_str().unwrap().encode_utf16().count()
}

fn assert_visible(text: &str) {
    let hidden = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(hidden), "{:?}", text.chars().take(300).collect::<String>());
}

/// Slack's documented limits of messages and blocks.
fn check_slack(body: &Json) {
    assert!(length(&body["text"]) <= 4000 && length(&body["text"]) > 0);
    assert_eq!((&body["unfurl_links"], &body["unfurl_media"]), (&json!(false), &json!(false)));
    let blocks = body["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()));
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => {
                assert_eq!(block["text"]["type"], "plain_text");
                assert!((1..=150).contains(&length(&block["text"]["text"])));
            }
            "section" => check_section(block),
            "context" => assert!((1..=10).contains(&block["elements"].as_array().unwrap().len())),
            other => panic!("block {other}"),
        }
    }
    for (path, text) in all_texts(body) {
        assert_visible(&text);
        // The only marks are in the link that is ours.
        let ours = path == ".blocks.elements.text" && text.starts_with("<https://t.example/");
        assert!(ours || !text.contains(['<', '>']), "{path}: {text}");
        let entities = text.matches('&').count();
        let known = ["&amp;", "&lt;", "&gt;"].map(|entity| text.matches(entity).count());
        assert_eq!(entities, known.iter().sum::<usize>(), "{path}");
        if text.starts_with("```\n") {
            assert!(text.matches('`').count() == 6 && text.ends_with("\n```"), "{path}");
        }
    }
}

fn check_section(block: &Json) {
    let text = block.get("text");
    let fields = block.get("fields").and_then(Json::as_array);
    assert!(text.is_some() || fields.is_some());
    if let Some(text) = text {
        assert!((1..=3000).contains(&length(&text["text"])));
    }
    if let Some(fields) = fields {
        assert!((1..=10).contains(&fields.len()));
        assert!(fields.iter().all(|field| (1..=2000).contains(&length(&field["text"]))));
    }
}

/// Discord's documented limits of embeds.
fn check_discord(body: &Json) {
    assert_eq!(body["allowed_mentions"], json!({"parse": []}));
    let embeds = body["embeds"].as_array().unwrap();
    assert_eq!(embeds.len(), 1);
    let embed = &embeds[0];
    let mut total = length(&embed["title"]) + length(&embed["description"]);
    assert!((1..=256).contains(&length(&embed["title"])));
    assert!(length(&embed["description"]) <= 4096);
    let none = Vec::new();
    let fields = embed["fields"].as_array().unwrap_or(&none);
    assert!(fields.len() <= 25);
    for field in fields {
        total += length(&field["name"]) + length(&field["value"]);
        assert!((1..=256).contains(&length(&field["name"])));
        assert!((1..=1024).contains(&length(&field["value"])));
        assert!(!field["value"].as_str().unwrap().trim().is_empty());
    }
    assert!(total <= 6000, "{total}");
    assert!(embed.get("url").is_none_or(|url| url.as_str().unwrap().starts_with("https://t.ex")));
    for (path, text) in all_texts(body) {
        assert_visible(&text);
        assert!(!text.contains("@everyone") && !text.contains("@here"), "{path}");
        // In a block of code nothing but its end has a meaning.
        let (outside, code) = text.split_once("\n```\n").unwrap_or((&text, "```"));
        assert!(code.ends_with("```") && code.matches('`').count() == 3, "{path}");
        let mut before = ' ';
        for c in outside.chars() {
            let marks = ['<', '*', '`', '~', '|', '[', '_'];
            assert!(!marks.contains(&c) || before == '\\', "{path}: {c}");
            before = if c == '\\' && before == '\\' { ' ' } else { c };
        }
    }
}

fn check_mail(mail: &CaughtMail) {
    assert!(mail.raw.is_ascii() && !mail.raw.contains(&0));
    let raw = String::from_utf8_lossy(&mail.raw);
    assert!(!raw.replace("\r\n", "").contains(['\r', '\n']), "no bare line ends");
    assert!(raw.lines().all(|line| line.len() <= 998));
    let names: Vec<String> = mail.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    let want = [
        "from",
        "to",
        "date",
        "subject",
        "message-id",
        "references",
        "in-reply-to",
        "auto-submitted",
        "x-tocsin-severity",
        "mime-version",
        "content-type",
    ];
    let unique: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(unique, BTreeSet::from(want));
    assert_eq!(unique.len(), names.len(), "each header once");
    assert_eq!(
        (mail.header("to"), mail.to.as_slice()),
        ("ops@example.com", &["ops@example.com".to_owned()][..])
    );
    assert!(mail.subject.starts_with("[high]") && mail.subject.chars().count() <= 160);
    assert_visible(&mail.subject);
    assert_visible(&mail.text.replace('\r', ""));
    assert_visible(&mail.html.replace('\r', ""));
    let tags = [
        "!doctype", "html", "head", "meta", "title", "body", "h2", "p", "table", "tr", "td", "pre",
        "a",
    ];
    for tag in mail.html.split('<').skip(1) {
        let name = tag.trim_start_matches('/').split([' ', '>']).next().unwrap();
        assert!(tags.contains(&name), "{name}");
    }
    assert!(mail.raw.len() < 64 * 1024);
}

fn check_webhook(request: &tocsin_simulate::catch::CaughtHttp, sent: &Alert) {
    let body = &request.body;
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["version", "kind", "key", "channel", "severity", "title", "url", "alert"]);
    assert_eq!((&body["version"], &body["kind"]), (&json!(1), &json!("raised")));
    assert_eq!((&body["channel"], &body["severity"]), (&json!("hook"), &json!("high")));
    assert_eq!(body["alert"], sent.to_json(), "nothing of the alert is changed");
    assert_eq!(body["url"], format!("https://t.example/alerts/{}", sent.id));
    assert_visible(body["title"].as_str().unwrap());
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("user-agent").starts_with("tocsin/"));
    assert_eq!(request.header("x-team"), "blue");
    let id = request.header("webhook-id");
    assert_eq!(body["key"], id);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"key").unwrap();
    mac.update(format!("{id}.{}.", request.header("webhook-timestamp")).as_bytes());
    mac.update(&request.raw);
    let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(request.header("webhook-signature"), format!("v1,{signature}"));
}

#[tokio::test]
async fn hostile_text_arrives_within_limits_and_without_power() {
    let catcher = Catcher::start(CatchOptions::on_free_ports()).await.unwrap();
    let url = |path: &str| format!("http://{}/{path}", catcher.http_addr().unwrap());
    let free = json!({"per_group": 0, "per_hour": 0});
    let config = config(json!({"page_url": "https://t.example/", "channels": {
        "hook": {"type": "webhook", "url": url("hook"), "headers": {"X-Team": "blue"},
                 "signing_secret": "key", "rate_limit": free},
        "slack": {"type": "slack", "url": url("slack"), "rate_limit": free},
        "discord": {"type": "discord", "url": url("discord?thread_id=7"), "rate_limit": free},
        "mail": {"type": "email", "host": "127.0.0.1", "tls": "none", "rate_limit": free,
                 "port": catcher.smtp_addr().unwrap().port(), "from": "Tocsin <t@example.com>",
                 "to": ["ops@example.com"]},
    }}));
    // The generic webhook carries alerts whole, so these are not as large as below.
    let alerts: Vec<Alert> = hostile()
        .iter()
        .zip(0..)
        .map(|(text, number)| made_of(&text.chars().take(2000).collect::<String>(), number))
        .collect();
    let running = Running::start(&config);
    running.submit(&alerts);
    let all = alerts.len() * 4;
    assert!(catcher.wait_until(PATIENCE, |caught| caught.len() == all).await);

    let requests = catcher.requests();
    let of = |path: &str| requests.iter().filter(|r| r.path == path).collect::<Vec<_>>();
    let hooks = of("/hook");
    assert_eq!(hooks.len(), alerts.len());
    hooks.iter().zip(&alerts).for_each(|(request, alert)| check_webhook(request, alert));
    let slack = of("/slack");
    assert_eq!(slack.len(), alerts.len());
    slack.iter().for_each(|request| check_slack(&request.body));
    let discord = of("/discord?thread_id=7&wait=true");
    assert_eq!(discord.len(), alerts.len());
    discord.iter().for_each(|request| check_discord(&request.body));
    let mails = catcher.mails();
    assert_eq!(mails.len(), alerts.len());
    mails.iter().for_each(check_mail);
    for (mail, alert) in mails.iter().zip(&alerts) {
        assert!(mail.header("message-id").contains(&alert.id.0));
    }
}

fn payload(service: &str, message: &Message) -> Result<Json, tocsin_notify::NotifyError> {
    Services::shipped().payload(service, message)
}

fn view(alert: Alert, link: bool) -> Message {
    let notice = Notice { channel: "c".to_owned(), kind: NoticeKind::Raised, alert };
    Message::Alert(Box::new(AlertView::new(&notice, link.then_some("https://t.example"))))
}

#[test]
fn a_mebibyte_of_anything_is_cut() {
    for text in hostile() {
        let message = view(made_of(&text, 0), true);
        check_slack(&payload("slack", &message).unwrap());
        check_discord(&payload("discord", &message).unwrap());
    }
    // Much white space at the end must cost no more than reading it.
    let begin = std::time::Instant::now();
    let text = format!("{}{}", "x".repeat(700), " ".repeat(4 << 20));
    assert_eq!(tocsin_notify::view::clean(&text, 600).chars().count(), 600);
    // With a look at the rest for each of them it would be hours.
    assert!(begin.elapsed() < std::time::Duration::from_secs(60));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_keeps_to_the_limits(text in ".{0,400}", times in 1usize..30, link: bool) {
        let message = view(made_of(&text.repeat(times), 0), link);
        check_slack(&payload("slack", &message).unwrap());
        check_discord(&payload("discord", &message).unwrap());
    }
}
