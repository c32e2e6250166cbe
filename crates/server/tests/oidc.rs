//! Signing in with a provider of identities: who gets in as what, and every way in which nobody
//! does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Form, Json as Answered, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::{Answer, Rig};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

const PASSWORD: &str = "correct horse battery";

/// What the provider of a test does.
#[derive(Default)]
struct Ways {
    issuer: String,
    /// Changes of the claims in the ID token.
    claims: HashMap<&'static str, Json>,
    /// What the userinfo says.
    more: Json,
    /// The key that signs is not the one that is shown.
    other_key: bool,
    /// Nonce and challenge by code.
    begun: HashMap<String, (String, String)>,
}

type Shared = Arc<Mutex<Ways>>;

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

/// A provider on loopback, and what it does.
async fn provider() -> (String, Shared) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let more = json!({ "sub": "1", "preferred_username": "ann", "groups": ["soc"] });
    let ways = Shared::new(Mutex::new(Ways { issuer: issuer.clone(), more, ..Ways::default() }));
    let described = {
        let issuer = issuer.clone();
        move || async move {
            Answered(json!({ "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"),
                "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/keys"),
                "userinfo_endpoint": format!("{issuer}/me") }))
        }
    };
    let routes = Router::new()
        .route("/.well-known/openid-configuration", get(described))
        .route("/auth", get(authorize))
        .route("/token", post(token))
        .route(
            "/keys",
            get(async || {
                let x = encoded(pair(1).public_key().as_ref());
                Answered(json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] }))
            }),
        )
        .route(
            "/me",
            get(async |State(ways): State<Shared>, headers: HeaderMap| {
                assert_eq!(headers["authorization"], "Bearer access");
                Answered(ways.lock().unwrap().more.clone())
            }),
        )
        .with_state(Arc::clone(&ways));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (issuer, ways)
}

/// Somebody signs in there; answers with where the browser goes then.
async fn authorize(
    State(ways): State<Shared>,
    Query(asked): Query<HashMap<String, String>>,
) -> String {
    assert_eq!(asked["scope"], "openid profile email");
    assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", "tocsin"));
    assert_eq!(asked["code_challenge_method"], "S256");
    let code = format!("code{}", ways.lock().unwrap().begun.len());
    let begun = (asked["nonce"].clone(), asked["code_challenge"].clone());
    ways.lock().unwrap().begun.insert(code.clone(), begun);
    format!("{}?code={code}&state={}", asked["redirect_uri"], asked["state"])
}

async fn token(
    State(ways): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Answered<Json> {
    let basic = STANDARD.encode("tocsin:s%3Acret");
    assert_eq!(headers["authorization"], format!("Basic {basic}"));
    let mut ways = ways.lock().unwrap();
    let (nonce, challenge) = ways.begun.remove(&form["code"]).unwrap();
    assert_eq!(encoded(Sha256::digest(&form["code_verifier"])), challenge);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({ "iss": ways.issuer, "aud": "tocsin", "sub": "1", "nonce": nonce,
        "iat": now, "exp": now + 60 });
    for (name, value) in &ways.claims {
        claims[*name] = value.clone();
    }
    let signed = format!("{}.{}", encoded(r#"{"alg":"EdDSA"}"#), encoded(claims.to_string()));
    let signature = pair(if ways.other_key { 2 } else { 1 }).sign(signed.as_bytes());
    let token = format!("{signed}.{}", encoded(signature));
    Answered(json!({ "access_token": "access", "token_type": "Bearer", "id_token": token }))
}

async fn send(rig: &Rig, method: &str, path: &str, cookie: &str, body: &Json) -> Answer {
    let origin = format!("http://{}", rig.addr);
    let headers = [
        ("content-type", "application/json"),
        ("x-tocsin-page", "1"),
        ("origin", origin.as_str()),
        ("cookie", cookie),
    ];
    rig.ask(method, &format!("/api/v1{path}"), &headers, body.to_string().as_bytes()).await
}

/// The cookie of that name which an answer sets.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let set = answer.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case("set-cookie"));
    let first = set.map(|(_, value)| value.split(';').next().unwrap().to_owned());
    first.into_iter().find(|pair| pair.starts_with(&format!("{name}=")) && !pair.ends_with('='))
}

/// A server that takes people of the provider, with a first account.
async fn rig(issuer: &str) -> (Rig, String) {
    let issuer = issuer.to_owned();
    let rig = Rig::with(move |config| {
        let secret = config.server.data_dir.join("client-secret");
        std::fs::write(&secret, "s:cret\n").unwrap();
        let oidc = &mut config.server.oidc;
        oidc.issuer = Some(issuer);
        oidc.client_id = "tocsin".to_owned();
        oidc.client_secret_file = Some(secret);
        oidc.roles.analyst = vec!["soc".to_owned()];
        oidc.roles.admin = vec!["ops".to_owned()];
    })
    .await;
    let early = send(&rig, "POST", "/session/oidc", "", &json!({})).await;
    assert_eq!(early.status, 400, "the first account has a password");
    let path = rig.handle.config.server.data_dir.join("setup-token");
    let token = std::fs::read_to_string(path).unwrap();
    let body = json!({ "token": token, "name": "root", "password": PASSWORD });
    let made = send(&rig, "POST", "/setup", "", &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let session = cookie(&made, "tocsin").unwrap();
    (rig, session)
}

/// Begins here: the browser's cookie, and where the provider sends it back to.
async fn begun(rig: &Rig) -> (String, String) {
    let started = send(rig, "POST", "/session/oidc", "", &json!({ "to": "/alerts/7" })).await;
    assert_eq!(started.status, 200, "{}", started.text());
    let browser = cookie(&started, "tocsin-sign-in").unwrap();
    let url = started.json()["url"].as_str().unwrap().to_owned();
    let tls = tocsin_engine::tls_client(None).unwrap();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap();
    let back = client.get(url).send().await.unwrap().text().await.unwrap();
    let here = format!("http://{}", rig.addr);
    (browser, back.strip_prefix(&here).unwrap().to_owned())
}

async fn come_back(rig: &Rig, browser: &str, back: &str) -> Answer {
    // As a browser does that another site sends.
    let headers = [
        ("cookie", browser),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    rig.ask("GET", back, &headers, b"").await
}

/// Signs in: where the page goes on, and the session.
async fn sign_in(rig: &Rig) -> (String, Option<String>) {
    let (browser, back) = begun(rig).await;
    let answer = come_back(rig, &browser, &back).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    (answer.header("location").unwrap().to_owned(), cookie(&answer, "tocsin"))
}

async fn me(rig: &Rig, session: &str) -> (Json, Json) {
    let me = send(rig, "GET", "/me", session, &json!({})).await.json();
    (me["name"].clone(), me["role"].clone())
}

#[tokio::test]
async fn people_of_the_provider_get_in_with_the_role_of_their_groups() {
    let (issuer, ways) = provider().await;
    let (rig, root) = rig(&issuer).await;
    let (to, session) = sign_in(&rig).await;
    assert_eq!(to, "/alerts/7");
    let session = session.unwrap();
    assert_eq!(me(&rig, &session).await, (json!("ann"), json!("analyst")));
    ways.lock().unwrap().claims.insert("groups", json!(["ops", "soc"]));
    let other = sign_in(&rig).await.1.unwrap();
    assert_eq!(me(&rig, &other).await, (json!("ann"), json!("admin")));
    assert_eq!(me(&rig, &session).await, (Json::Null, Json::Null), "another role, another session");
    ways.lock().unwrap().claims.insert("groups", json!([]));
    assert_eq!(sign_in(&rig).await, ("/overview?signin=role".to_owned(), None));
    assert_eq!(me(&rig, &other).await, (Json::Null, Json::Null), "no role, no session");
    let users = send(&rig, "GET", "/users", &root, &json!({})).await.json();
    let provided: Vec<_> =
        users["users"].as_array().unwrap().iter().map(|user| &user["provided"]).collect();
    assert_eq!(provided, [true, false], "{users}");
    let refused =
        [("PATCH", json!({ "password": PASSWORD })), ("PATCH", json!({ "role": "viewer" }))];
    for (method, body) in refused {
        let answer = send(&rig, method, "/users/ann", &root, &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
    let body = json!({ "name": "ann", "password": "" });
    assert_eq!(send(&rig, "POST", "/session", "", &body).await.status, 401);
    let audit = send(&rig, "GET", "/audit", &root, &json!({})).await.text();
    for told in ["account made as analyst", "role is admin now", "provider's ann"] {
        assert!(audit.contains(told), "{told}: {audit}");
    }
    assert!(!audit.contains("code0"), "nothing secret");
    rig.stop().await;
}

#[tokio::test]
async fn nobody_gets_in_by_an_answer_that_is_not_for_this_sign_in() {
    let (issuer, _ways) = provider().await;
    let (rig, _) = rig(&issuer).await;
    let word = |answer: &Answer| answer.header("location").unwrap().to_owned();
    let (browser, back) = begun(&rig).await;
    let forged = back.replace("state=", "state=0");
    assert_eq!(word(&come_back(&rig, &browser, &forged).await), "/overview?signin=expired");
    let other = come_back(&rig, "tocsin-sign-in=guess", &back).await;
    assert_eq!(word(&other), "/overview?signin=refused", "another browser");
    assert!(cookie(&other, "tocsin").is_none());
    let again = come_back(&rig, &browser, &back).await;
    assert_eq!(word(&again), "/overview?signin=expired", "a state is good once");
    let (browser, back) = begun(&rig).await;
    let denied = back.split("code=").next().unwrap().to_owned() + "error=access_denied&state=";
    let denied = denied + back.split("state=").nth(1).unwrap();
    assert_eq!(word(&come_back(&rig, &browser, &denied).await), "/overview?signin=cancelled");
    let (browser, back) = begun(&rig).await;
    let mixed = format!("{back}&iss=https://evil.example");
    assert_eq!(word(&come_back(&rig, &browser, &mixed).await), "/overview?signin=refused");
    rig.stop().await;
}

#[tokio::test]
async fn nobody_gets_in_by_a_token_that_is_not_right() {
    let (issuer, ways) = provider().await;
    let table = [
        ("nonce", json!("another"), "signin=refused"),
        ("exp", json!(1_000_000_000), "signin=refused"),
        ("iss", json!("https://evil.example"), "signin=refused"),
        ("aud", json!("grafana"), "signin=refused"),
        ("sub", json!("2"), "signin=refused"),
    ];
    let (rig, _) = rig(&issuer).await;
    for (name, value, expected) in table {
        ways.lock().unwrap().claims = HashMap::from([(name, value)]);
        let (to, session) = sign_in(&rig).await;
        assert!(to.ends_with(expected), "{name}: {to}");
        assert_eq!(session, None, "{name}");
        // Or the next one would have to wait.
        ways.lock().unwrap().claims.clear();
        assert!(sign_in(&rig).await.1.is_some(), "{name}");
    }
    ways.lock().unwrap().other_key = true;
    assert_eq!(sign_in(&rig).await, ("/overview?signin=refused".to_owned(), None));
    ways.lock().unwrap().other_key = false;
    ways.lock().unwrap().more =
        json!({ "sub": "1", "preferred_username": "root", "groups": ["soc"] });
    ways.lock().unwrap().claims = HashMap::from([("sub", json!("1"))]);
    assert!(sign_in(&rig).await.1.is_some(), "known already, by another name");
    ways.lock().unwrap().claims = HashMap::from([("sub", json!("9"))]);
    ways.lock().unwrap().more =
        json!({ "sub": "9", "preferred_username": "root", "groups": ["ops"] });
    assert_eq!(sign_in(&rig).await, ("/overview?signin=name".to_owned(), None), "not by the name");
    rig.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_away_keeps_nobody_with_a_password_out() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (rig, _) = rig(&issuer).await;
    let started = send(&rig, "POST", "/session/oidc", "", &json!({})).await;
    assert_eq!(started.status, 503, "{}", started.text());
    let body = json!({ "name": "root", "password": PASSWORD });
    assert_eq!(send(&rig, "POST", "/session", "", &body).await.status, 200);
    let me = rig.get("/api/v1/me").await.json();
    assert_eq!(me["provider"], "single sign-on");
    rig.stop().await;
}
