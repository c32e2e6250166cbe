//! Who may do what: the first account, sessions, roles on every route, tokens, delays, the audit
//! log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Answer, Rig, alert, now};
use serde_json::{Value as Json, json};
use tocsin_model::Severity;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PASSWORD: &str = "correct horse battery";
const JSON: (&str, &str) = ("content-type", "application/json");
const PAGE: (&str, &str) = ("x-tocsin-page", "1");

async fn send(rig: &Rig, method: &str, path: &str, session: Option<&str>, body: &Json) -> Answer {
    let mut headers = vec![JSON, PAGE];
    headers.extend(session.map(|session| ("cookie", session)));
    rig.ask(method, &format!("/api/v1{path}"), &headers, body.to_string().as_bytes()).await
}

/// The cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap_or_else(|| panic!("{}", answer.text()));
    set.split(';').next().unwrap().to_owned()
}

fn setup_token(rig: &Rig) -> String {
    let path = rig.handle.config.server.data_dir.join("setup-token");
    std::fs::read_to_string(path).unwrap()
}

/// Signed in as the first account.
async fn begun(rig: &Rig) -> String {
    let body = json!({ "token": setup_token(rig), "name": "root", "password": PASSWORD });
    let answer = send(rig, "POST", "/setup", None, &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    cookie(&answer)
}

async fn signed_in(rig: &Rig, name: &str) -> String {
    let body = json!({ "name": name, "password": PASSWORD });
    let answer = send(rig, "POST", "/session", None, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    cookie(&answer)
}

#[tokio::test]
async fn without_accounts_everything_works_until_the_first_is_made() {
    let rig = Rig::new().await;
    let me = rig.get("/api/v1/me").await.json();
    assert_eq!(
        me,
        json!({ "accounts": false, "setup": true, "name": null, "role": "admin", "provider": null })
    );
    assert_eq!(rig.get("/api/v1/alerts").await.status, 200);
    let user = json!({ "name": "eve", "role": "admin", "password": PASSWORD });
    assert_eq!(send(&rig, "POST", "/users", None, &user).await.status, 400, "only by the token");
    let file = rig.handle.config.server.data_dir.join("setup-token");
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let token = setup_token(&rig);
    let refused = [
        (json!({ "token": "guess", "name": "root", "password": PASSWORD }), 403),
        (json!({ "token": token, "name": "root", "password": "short" }), 400),
        (json!({ "token": token, "name": "a b", "password": PASSWORD }), 400),
    ];
    for (body, status) in refused {
        assert_eq!(send(&rig, "POST", "/setup", None, &body).await.status, status, "{body}");
    }
    let session = begun(&rig).await;
    assert!(!file.exists(), "the token is used up");
    let again = json!({ "token": token, "name": "eve", "password": PASSWORD });
    assert_eq!(send(&rig, "POST", "/setup", None, &again).await.status, 400);
    assert_eq!(rig.get("/api/v1/alerts").await.status, 401);
    assert_eq!(rig.get("/status").await.status, 401);
    assert_eq!(rig.get("/api/v1/health").await.status, 200);
    assert_eq!(send(&rig, "GET", "/alerts", Some(&session), &json!({})).await.status, 200);
    let me = send(&rig, "GET", "/me", Some(&session), &json!({})).await.json();
    assert_eq!(
        me,
        json!({ "accounts": true, "setup": false, "name": "root", "role": "admin", "provider": null })
    );
    // Events of this machine still come in.
    let event = rig.ask("POST", "/ingest", &[JSON], br#"{"message":"x"}"#).await;
    assert_eq!(event.status, 200, "{}", event.text());
    rig.stop().await;
}

/// What each route needs, written down once more: 0 nothing, 1 viewer, 2 analyst, 3 admin.
fn needed(method: &str, path: &str) -> usize {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    match (method, path) {
        ("get", "/health" | "/me" | "/session/oidc") => 0,
        ("post", "/setup" | "/session" | "/session/oidc" | "/ingest") => 0,
        ("delete", "/session") => 0,
        (_, "/users" | "/users/{name}" | "/tokens" | "/tokens/{name}" | "/audit") => 3,
        (_, "/sessions" | "/sessions/{user}") => 3,
        ("post", "/channels/{name}/test") => 3,
        ("get", _) | ("post", "/search" | "/password" | "/sources/parse") => 1,
        ("post", "/rules/draft" | "/rules/check" | "/searches") => 1,
        ("delete", "/searches/{id}") => 1,
        _ => 2,
    }
}

#[tokio::test]
async fn every_route_wants_its_role() {
    let rig = Rig::new().await;
    let root = begun(&rig).await;
    for name in ["viewer", "analyst", "admin"] {
        let user = json!({ "name": name, "role": name, "password": PASSWORD });
        assert_eq!(send(&rig, "POST", "/users", Some(&root), &user).await.status, 201);
    }
    let mut tokens = vec![None];
    for scope in ["read", "write", "admin", "ingest"] {
        let body = json!({ "name": scope, "scope": scope });
        let made = send(&rig, "POST", "/tokens", Some(&root), &body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        tokens.push(Some(format!("Bearer {}", made.json()["token"].as_str().unwrap())));
    }
    let ingest = tokens.pop().flatten().unwrap();
    let mut sessions = vec![None];
    for name in ["viewer", "analyst", "admin"] {
        sessions.push(Some(signed_in(&rig, name).await));
    }
    let described = rig.ask("GET", "/api/openapi.json", &[("cookie", &root)], b"").await.json();
    let mut walked = 0;
    for (path, methods) in described["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let is_session = path.ends_with("/session") && method == "delete";
            if path.ends_with("/stream") || is_session {
                continue;
            }
            let need = needed(method, path);
            let target = path.replace("{id}", "00000000000000000000000000000001");
            let target = target.replace("{name}", "nobody").replace("{user}", "nobody");
            let verb = method.to_uppercase();
            for role in 0..=3 {
                let by_session = sessions[role].as_deref().map(|session| ("cookie", session));
                let by_token = tokens[role].as_deref().map(|token| ("authorization", token));
                for by in [by_session, by_token] {
                    let mut headers = vec![JSON, PAGE];
                    headers.extend(by);
                    let answer = rig.ask(&verb, &target, &headers, b"[]").await;
                    let door = matches!(answer.status, 401 | 403);
                    let text = answer.text();
                    assert_eq!(door, role < need, "{verb} {path} as {role}: {text}");
                    assert!(
                        !door || (answer.status == 401) == (role == 0),
                        "{verb} {path}: {text}"
                    );
                    walked += 1;
                }
            }
            let headers = [JSON, ("authorization", ingest.as_str())];
            let answer = rig.ask(&verb, &target, &headers, b"[]").await;
            assert_eq!(answer.status == 401, need > 0, "{verb} {path} with an ingest token");
        }
    }
    assert!(walked > 200, "{walked}");
    rig.stop().await;
}

#[tokio::test]
async fn what_is_not_described_needs_a_role_all_the_same() {
    let rig = Rig::new().await;
    begun(&rig).await;
    let hidden = [
        ("GET", "/alerts", 401),
        ("GET", "/docs", 401),
        ("GET", "/api/openapi.json", 401),
        ("POST", "/logs-*/_search", 401),
        ("GET", "/_cat/indices", 401),
        ("PUT", "/api/v1/anything", 401),
        ("GET", "/", 200),
        ("GET", "/settings/users", 200),
    ];
    for (method, target, status) in hidden {
        let answer = rig.ask(method, target, &[("accept", "*/*")], b"").await;
        let built = answer.status != 503;
        assert!(answer.status == status || !built, "{method} {target}: {}", answer.status);
    }
    let page = [("accept", "text/html")];
    let answer = rig.ask("GET", "/_search", &page, b"").await;
    assert_eq!(answer.status, 401, "asking for HTML opens nothing");
    rig.stop().await;
}

#[tokio::test]
async fn sessions_are_kept_to_the_page_and_end() {
    let rig = Rig::new().await;
    let root = begun(&rig).await;
    let user = json!({ "name": "ann", "role": "analyst", "password": PASSWORD });
    assert_eq!(send(&rig, "POST", "/users", Some(&root), &user).await.status, 201);
    let body = json!({ "name": "ann", "password": PASSWORD });
    let answer = send(&rig, "POST", "/session", None, &body).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.contains("; Path=/; HttpOnly; SameSite=Strict; Max-Age="), "{set}");
    let (one, two) = (cookie(&answer), signed_in(&rig, "ann").await);
    assert_ne!(one, two);
    let catalog = std::fs::read(rig.handle.config.server.data_dir.join("catalog.sqlite")).unwrap();
    let wal = std::fs::read(rig.handle.config.server.data_dir.join("catalog.sqlite-wal"));
    let kept = [catalog, wal.unwrap_or_default()].concat();
    let secret = one.split_once('=').unwrap().1.as_bytes();
    assert!(!kept.windows(secret.len()).any(|part| part == secret), "ids are kept as hashes");
    assert!(!kept.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()));
    // Other sites' pages cannot use it.
    let forged: [&[(&str, &str)]; 4] = [
        &[("cookie", &one), JSON],
        &[("cookie", &one), PAGE, ("content-type", "text/plain")],
        &[("cookie", &one), PAGE, JSON, ("origin", "https://evil.example")],
        &[("cookie", &one), PAGE, JSON, ("sec-fetch-site", "cross-site")],
    ];
    for headers in forged {
        let answer = rig.ask("POST", "/api/v1/rules", headers, b"{}").await;
        assert_eq!(answer.status, 403, "{headers:?}: {}", answer.text());
    }
    let twice = format!("{one}; {one}");
    assert_eq!(send(&rig, "GET", "/alerts", Some(&twice), &json!({})).await.status, 401);
    // Signing out ends one session, a new password the others, a new role all.
    assert_eq!(send(&rig, "DELETE", "/session", Some(&one), &json!({})).await.status, 200);
    assert_eq!(send(&rig, "GET", "/alerts", Some(&one), &json!({})).await.status, 401);
    let three = signed_in(&rig, "ann").await;
    let wrong = json!({ "old": "not this one, no", "new": "another horse battery" });
    assert_eq!(send(&rig, "POST", "/password", Some(&three), &wrong).await.status, 403);
    let body = json!({ "old": PASSWORD, "new": PASSWORD.to_uppercase() });
    let changed = send(&rig, "POST", "/password", Some(&three), &body).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    for old in [&two, &three] {
        assert_eq!(send(&rig, "GET", "/alerts", Some(old), &json!({})).await.status, 401);
    }
    let four = cookie(&changed);
    let role = json!({ "role": "viewer" });
    assert_eq!(send(&rig, "PATCH", "/users/ann", Some(&root), &role).await.status, 200);
    assert_eq!(send(&rig, "GET", "/alerts", Some(&four), &json!({})).await.status, 401);
    // The last administrator stays.
    assert_eq!(send(&rig, "DELETE", "/users/root", Some(&root), &json!({})).await.status, 400);
    rig.stop().await;
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let rig = Rig::new().await;
    begun(&rig).await;
    let wrong = json!({ "name": "root", "password": "wrong horse battery" });
    let nobody = json!({ "name": "nobody", "password": "wrong horse battery" });
    let mut said = Vec::new();
    for body in [&wrong, &nobody, &wrong, &nobody, &wrong] {
        let answer = send(&rig, "POST", "/session", None, body).await;
        assert_eq!(answer.status, 401);
        said.push(answer.json()["error"]["message"].clone());
    }
    said.dedup();
    assert_eq!(said.len(), 1, "nothing tells a name that there is: {said:?}");
    let answer = send(&rig, "POST", "/session", None, &wrong).await;
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    let good = json!({ "name": "root", "password": PASSWORD });
    assert_eq!(send(&rig, "POST", "/session", None, &good).await.status, 429, "that one too");
    rig.stop().await;
}

#[tokio::test]
async fn what_was_done_is_written_down_under_the_real_name() {
    let rig = Rig::new().await;
    let root = begun(&rig).await;
    let one = alert(1, Severity::High, "192.0.2.1", now());
    rig.handle.catalog.save(std::slice::from_ref(&one), &[]).unwrap();
    let path = format!("/alerts/{}", one.id);
    let change = json!({ "status": "acknowledged", "by": "somebody else" });
    assert_eq!(send(&rig, "PATCH", &path, Some(&root), &change).await.status, 200);
    let activity =
        send(&rig, "GET", &format!("{path}/activity"), Some(&root), &json!({})).await.json();
    assert_eq!(activity["activity"][0]["who"], "root");
    let user = json!({ "name": "ann", "role": "viewer", "password": PASSWORD });
    send(&rig, "POST", "/users", Some(&root), &user).await;
    let refused = signed_in(&rig, "ann").await;
    send(&rig, "POST", "/rules", Some(&refused), &json!({ "text": "" })).await;
    let audit = send(&rig, "GET", "/audit", Some(&root), &json!({})).await.json();
    let told: Vec<String> = audit["entries"].as_array().unwrap().iter().map(told).collect();
    for wanted in [
        "root setup: first account 201".to_owned(),
        format!("root PATCH /api/v1{path} 200"),
        "root POST /api/v1/users: ann as viewer 201".to_owned(),
        "ann sign in 200".to_owned(),
        "ann POST /api/v1/rules 403".to_owned(),
    ] {
        assert!(told.contains(&wanted), "{wanted}: {told:?}");
    }
    assert!(!audit.to_string().contains(PASSWORD));
    let found = send(&rig, "GET", "/audit?q=sign%20in&limit=1", Some(&root), &json!({})).await;
    assert_eq!(found.json()["entries"][0]["who"], "ann");
    rig.stop().await;
}

fn told(entry: &Json) -> String {
    let text = |key: &str| entry[key].as_str().unwrap().to_owned();
    format!("{} {} {}", text("who"), text("what"), entry["status"])
}

#[tokio::test]
async fn other_machines_get_tls_and_must_sign_in() {
    let rig = Rig::with(|config| config.server.listen = "0.0.0.0:0".to_owned()).await;
    let tls = rig.handle.config.server.data_dir.join("tls");
    assert!(tls.join("certificate.pem").is_file(), "a certificate was made");
    let mut plain = tokio::net::TcpStream::connect(("127.0.0.1", rig.addr.port())).await.unwrap();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    plain.write_all(b"GET /api/v1/alerts HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said).await;
    assert!(!said.starts_with(b"HTTP/"), "nothing is said without TLS");
    rig.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_the_session_it_was_opened_in() {
    let rig = Rig::new().await;
    let session = begun(&rig).await;
    let stream = TcpStream::connect(rig.addr).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let head = format!(
        "GET /api/v1/stream HTTP/1.1\r\nHost: {}\r\nCookie: {session}\r\nConnection: close\r\n\r\n",
        rig.addr
    );
    write.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    read.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let out = send(&rig, "DELETE", "/session", Some(&session), &json!({})).await;
    assert_eq!(out.status, 200, "{}", out.text());
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(20), read.read_to_end(&mut rest));
    end.await.expect("the stream goes on").unwrap();
    let again = rig.ask("GET", "/api/v1/stream", &[("cookie", &session)], b"").await;
    assert_eq!(again.status, 401);
    rig.stop().await;
}
