//! Cloudflare and OPNsense, as their interfaces are published, on loopback.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tocsin_respond::{Firewall, FirewallKind, RespondConfig, WebhookConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ZONE: &str = "023e105f4ecef8ad9ca31a8372d0c353";
const TOKEN: &str = "v1.0-abcdef0123456789";

/// What a service keeps: id and address of each rule.
type Rules = Arc<Mutex<BTreeMap<String, String>>>;

/// Serves until the test ends; `answer` gets method, target, authorization and body.
async fn serve(rules: Rules, answer: fn(&Rules, &str, &str, &str, &Json) -> (u16, Json)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let (head, length) = loop {
                let mut chunk = [0; 4096];
                let count = stream.read(&mut chunk).await.unwrap();
                bytes.extend_from_slice(&chunk[..count]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let header = |name: &str| {
                        head.lines().find_map(|line| {
                            let (key, value) = line.split_once(": ")?;
                            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
                        })
                    };
                    let length = header("content-length").map_or(0, |text| text.parse().unwrap());
                    if body.len() >= length {
                        break (head.to_owned(), length);
                    }
                }
                assert!(count > 0, "{text}");
            };
            let body = &bytes[bytes.len() - length..];
            let body: Json = serde_json::from_slice(body).unwrap_or_default();
            let mut words = head.split(' ');
            let (method, target) = (words.next().unwrap(), words.next().unwrap());
            let auth = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .starts_with("authorization")
                        .then(|| line.split_once(": ").unwrap().1.to_owned())
                })
                .unwrap_or_default();
            let (status, json) = answer(&rules, method, target, &auth, &body);
            let json = json.to_string();
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{json}",
                json.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

fn cloudflare(rules: &Rules, method: &str, target: &str, auth: &str, body: &Json) -> (u16, Json) {
    let refuse = |status, code: u32, message: &str| {
        let error = json!({"code": code, "message": message});
        (status, json!({"success": false, "errors": [error], "messages": [], "result": null}))
    };
    if auth != format!("Bearer {TOKEN}") {
        return refuse(403, 9109, &format!("Invalid access token {auth}"));
    }
    let base = format!("/client/v4/zones/{ZONE}/firewall/access_rules/rules");
    let Some(rest) = target.strip_prefix(&base) else { return refuse(404, 7003, "no route") };
    let good = |result: Json| {
        (200, json!({"success": true, "errors": [], "messages": [], "result": result}))
    };
    let mut rules = rules.lock().unwrap();
    match (method, rest) {
        ("POST", "") => {
            let value = body["configuration"]["value"].as_str().unwrap();
            let kind = if value.contains(':') { "ip6" } else { "ip" };
            assert_eq!(body["configuration"]["target"], kind);
            assert_eq!((&body["mode"], &body["notes"]), (&json!("block"), &json!("tocsin")));
            if rules.values().any(|known| known == value) {
                return refuse(400, 10009, "firewallaccessrules.api.duplicate_of_existing");
            }
            let id = format!("{:032x}", rules.len() + 1);
            rules.insert(id.clone(), value.to_owned());
            good(json!({"id": id, "mode": "block"}))
        }
        ("GET", query) => {
            let wanted = query
                .split(['?', '&'])
                .find_map(|pair| pair.strip_prefix("configuration.value=").map(str::to_owned));
            let found: Vec<Json> = rules
                .iter()
                .filter(|(_, value)| Some(*value) == wanted.as_ref())
                .map(|(id, value)| json!({"id": id, "configuration": {"value": value}}))
                .collect();
            good(json!(found))
        }
        ("DELETE", id) => match rules.remove(id.trim_start_matches('/')) {
            Some(_) => good(json!({"id": id})),
            None => refuse(404, 10001, "not found"),
        },
        _ => refuse(405, 10000, "method"),
    }
}

fn opnsense(rules: &Rules, method: &str, target: &str, auth: &str, body: &Json) -> (u16, Json) {
    // key:secret
    if auth != "Basic a2V5OnNlY3JldA==" {
        return (401, json!({"status": 401, "message": "Authentication Failed"}));
    }
    assert_eq!(method, "POST");
    let address = body["address"].as_str().unwrap().to_owned();
    let mut rules = rules.lock().unwrap();
    match target {
        "/api/firewall/alias_util/add/blocked" => rules.insert(address.clone(), address),
        "/api/firewall/alias_util/delete/blocked" => rules.remove(&address),
        _ => return (200, json!({"status": "failed", "status_msg": "nonexisting alias"})),
    };
    (200, json!({"status": "done"}))
}

fn firewall(webhook: WebhookConfig) -> Result<Firewall, String> {
    let with = FirewallKind::Webhook;
    Firewall::of(&RespondConfig { with, webhook, ..RespondConfig::default() })
}

fn config(
    template: &str,
    url: String,
    setting: (&str, &str),
    token: &std::path::Path,
) -> WebhookConfig {
    WebhookConfig {
        template: template.into(),
        url: Some(url),
        settings: [(setting.0.to_owned(), setting.1.to_owned())].into(),
        token_file: Some(token.to_owned()),
        ..WebhookConfig::default()
    }
}

async fn blocks_and_unblocks(firewall: &Firewall, rules: &Rules) {
    let addresses: [IpAddr; 2] = ["192.0.2.66".parse().unwrap(), "2001:db8::66".parse().unwrap()];
    firewall.prepare().await.unwrap();
    for address in addresses {
        firewall.block(address, Duration::from_secs(60)).await.unwrap();
        // What is blocked already is no failure.
        firewall.block(address, Duration::from_secs(60)).await.unwrap();
    }
    let kept: Vec<String> = rules.lock().unwrap().values().cloned().collect();
    assert_eq!(kept, ["192.0.2.66", "2001:db8::66"]);
    for address in addresses {
        firewall.unblock(address).await.unwrap();
        // Nor what is not.
        firewall.unblock(address).await.unwrap();
    }
    assert!(rules.lock().unwrap().is_empty());
}

#[tokio::test]
async fn cloudflare_blocks_and_unblocks() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let rules = Rules::default();
    let url = format!("{}/client/v4", serve(rules.clone(), cloudflare).await);
    let good = firewall(config("cloudflare", url.clone(), ("zone", ZONE), &token)).unwrap();
    blocks_and_unblocks(&good, &rules).await;
    // A wrong token: the service's answer, without the token that it repeats.
    std::fs::write(&token, "v1.0-wrong0123456789\n").unwrap();
    let wrong = firewall(config("cloudflare", url.clone(), ("zone", ZONE), &token)).unwrap();
    let address = "192.0.2.66".parse().unwrap();
    let error = wrong.block(address, Duration::from_secs(60)).await.unwrap_err().to_string();
    assert!(error.contains("403") && error.contains("Invalid access token Bearer ***"), "{error}");
    // No value reaches another resource.
    let sly = firewall(config("cloudflare", url, ("zone", "../../accounts"), &token)).unwrap();
    let error = sly.block(address, Duration::from_secs(60)).await.unwrap_err().to_string();
    assert!(error.contains("%2Faccounts") || error.contains("..%2F"), "{error}");
}

#[tokio::test]
async fn opnsense_blocks_and_unblocks() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "key:secret").unwrap();
    let rules = Rules::default();
    let url = serve(rules.clone(), opnsense).await;
    let good = firewall(config("opnsense", url.clone(), ("alias", "blocked"), &token)).unwrap();
    blocks_and_unblocks(&good, &rules).await;
    let other = firewall(config("opnsense", url, ("alias", "nowhere"), &token)).unwrap();
    let error = other.block("192.0.2.66".parse().unwrap(), Duration::from_secs(60)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("nonexisting alias"), "{error}");
}

#[tokio::test]
async fn a_service_that_is_down_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "key:secret").unwrap();
    let url = "http://127.0.0.1:9".to_owned();
    let down = firewall(config("opnsense", url, ("alias", "blocked"), &token)).unwrap();
    let error = down.unblock("192.0.2.66".parse().unwrap()).await.unwrap_err().to_string();
    assert!(error.starts_with("POST /api/firewall/alias_util/delete/blocked: "), "{error}");
}

#[test]
fn what_is_wrong_is_told_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "key:secret").unwrap();
    let template = |text: &str| {
        let path = dir.path().join("own.json");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = || config("opnsense", "https://192.0.2.1".into(), ("alias", "blocked"), &token);
    assert!(firewall(good()).is_ok());
    let own =
        template(r#"{"about":"x","block":[{"method":"POST","path":"/{adress}"}],"unblock":[]}"#);
    let table = [
        (WebhookConfig { template: String::new(), ..good() }, "template", "needs cloudflare"),
        (WebhookConfig { template: "cloudflair".into(), ..good() }, "template", "neither"),
        (WebhookConfig { template: own, ..good() }, "template", "nothing is called \"adress\""),
        (WebhookConfig { settings: BTreeMap::new(), ..good() }, "settings", "alias is missing"),
        (WebhookConfig { token_file: None, ..good() }, "token_file", "give token_file"),
        (WebhookConfig { url: None, ..good() }, "url", "is missing"),
        (WebhookConfig { url: Some("http://192.0.2.1".into()), ..good() }, "url", "https://"),
        (WebhookConfig { ca_file: Some(token.clone()), ..good() }, "ca_file", "no PEM certificate"),
    ];
    for (config, key, expected) in table {
        let error = firewall(config).unwrap_err();
        assert!(
            error.starts_with(&format!("respond.webhook.{key}: ")) && error.contains(expected),
            "{key}: {error}"
        );
    }
}
