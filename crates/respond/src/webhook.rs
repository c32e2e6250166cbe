//! [`Webhook`]: blocks where somebody else does it, by requests that a template describes.
//!
//! In: an address and how long. Out: the answer's success or its complaint. A template is JSON: the
//! requests that block and those that unblock, with `{address}`, `{family}`, `{seconds}`, the
//! settings it asks for, and what earlier answers gave. Tokens go to the configured service only
//! and are never told.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::{Client, Method, Url};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::config::WebhookConfig;

/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// The most of an answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Characters of an answer that are told.
const ANSWER_CHARS_MAX: usize = 300;
/// Things that one request finds and later ones are made for.
const FOUND_MAX: usize = 100;
/// Templates that are shipped.
const SHIPPED: [(&str, &str); 2] = [
    ("cloudflare", include_str!("../templates/cloudflare.json")),
    ("opnsense", include_str!("../templates/opnsense.json")),
];

/// A template as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    /// What it is for.
    about: String,
    /// Address of the API, where it is the same for everybody.
    #[serde(default)]
    url: Option<String>,
    /// Settings that it needs.
    #[serde(default)]
    needs: Vec<String>,
    /// Headers of every request.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    block: Vec<Request>,
    unblock: Vec<Request>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    /// Below the address of the API.
    path: String,
    #[serde(default)]
    body: Option<Json>,
    /// What the answer must say, by pointer.
    #[serde(default)]
    expect: BTreeMap<String, Json>,
    /// An answer with any of these values, by pointer, is as good.
    #[serde(default)]
    or: Vec<BTreeMap<String, Json>>,
    /// Pointer to a list in the answer: the requests after this one are made for each of it.
    #[serde(default)]
    each: Option<String>,
    /// Names for values of each, by pointer into it.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

type Names = BTreeMap<String, String>;

/// A service that blocks.
#[derive(Debug, Clone)]
pub struct Webhook {
    template: Template,
    base: Url,
    names: Names,
    /// Not to be told.
    secrets: Vec<String>,
    client: Client,
}

impl Webhook {
    /// The service that the configuration names.
    ///
    /// # Errors
    /// What is missing or wrong, with its key.
    pub fn new(config: &WebhookConfig) -> Result<Self, String> {
        let key = |key: &str, why: String| format!("respond.webhook.{key}: {why}");
        let template = read_template(config)?;
        let about = &template.about;
        let mut names: Names = config.settings.clone();
        for need in template.needs.iter().filter(|need| *need != "token") {
            if names.get(need).is_none_or(|value| value.trim().is_empty()) {
                return Err(key("settings", format!("{need} is missing ({about})")));
            }
        }
        let token = token(config)?;
        if template.needs.iter().any(|need| need == "token") && token.is_none() {
            return Err(key("token_file", format!("give token_file or token_env ({about})")));
        }
        let mut secrets = Vec::new();
        if let Some(token) = token {
            let basic = BASE64.encode(&token);
            secrets = vec![token.clone(), basic.clone()];
            names.extend([("token".to_owned(), token), ("basic".to_owned(), basic)]);
        }
        let base = config.url.clone().or_else(|| template.url.clone());
        let base = base.ok_or_else(|| key("url", format!("is missing ({about})")))?;
        let base: Url = base
            .trim_end_matches('/')
            .parse()
            .map_err(|error| key("url", format!("{base:?} is no address: {error}")))?;
        let loopback = match base.host_str() {
            Some("localhost") => true,
            Some(host) => host
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback()),
            None => false,
        };
        if base.scheme() != "https" && !(base.scheme() == "http" && loopback) {
            return Err(key(
                "url",
                "a token goes there, so it must begin with https://".to_owned(),
            ));
        }
        let webhook = Self { base, names, secrets, client: client(config)?, template };
        webhook.try_out().map_err(|why| key("template", why))?;
        Ok(webhook)
    }

    /// Fills every request once.
    fn try_out(&self) -> Result<(), String> {
        let mut names = self.about(IpAddr::from([192, 0, 2, 1]), 60);
        for request in self.template.block.iter().chain(&self.template.unblock) {
            self.request(request, &names)?;
            names.extend(request.keep.keys().map(|name| (name.clone(), "x".to_owned())));
        }
        Ok(())
    }

    /// Asks for an address to be blocked.
    ///
    /// # Errors
    /// What the service says.
    pub async fn block(&self, address: IpAddr, seconds: u64) -> Result<(), String> {
        self.all(&self.template.block, self.about(address, seconds)).await
    }

    /// Asks for an address to be let in.
    ///
    /// # Errors
    /// What the service says.
    pub async fn unblock(&self, address: IpAddr) -> Result<(), String> {
        self.all(&self.template.unblock, self.about(address, 0)).await
    }

    fn about(&self, address: IpAddr, seconds: u64) -> Names {
        let (family, target) = if address.is_ipv4() { ("4", "ip") } else { ("6", "ip6") };
        let mut names = self.names.clone();
        names.extend([
            ("address".to_owned(), address.to_string()),
            ("family".to_owned(), family.to_owned()),
            ("target".to_owned(), target.to_owned()),
            ("seconds".to_owned(), seconds.to_string()),
        ]);
        names
    }

    /// Makes requests in turn; those after one that finds things are made for each of them.
    async fn all(&self, requests: &[Request], names: Names) -> Result<(), String> {
        let mut all = vec![names];
        for request in requests {
            let mut next = Vec::new();
            for names in all {
                let answer = self.one(request, &names).await?;
                let Some(list) = &request.each else {
                    next.push(names);
                    continue;
                };
                let found = answer.pointer(list).and_then(Json::as_array).into_iter().flatten();
                for item in found.take(FOUND_MAX) {
                    let mut names = names.clone();
                    for (name, pointer) in &request.keep {
                        let value = item.pointer(pointer).and_then(Json::as_str).unwrap_or("");
                        names.insert(name.clone(), value.to_owned());
                    }
                    next.push(names);
                }
            }
            all = next;
        }
        Ok(())
    }

    fn request(&self, request: &Request, names: &Names) -> Result<reqwest::Request, String> {
        let method: Method =
            request.method.parse().map_err(|_| format!("{:?} is no method", request.method))?;
        // What is put into a path is encoded, so that no value reaches another resource.
        let path = fill(&request.path, names, &|value| {
            let safe = |b: u8| b.is_ascii_alphanumeric() || b"-._~:".contains(&b);
            let encode = |b: u8| {
                if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") }
            };
            value.bytes().map(encode).collect()
        })?;
        let url = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        let url: Url = url.parse().map_err(|error| format!("{:?}: {error}", request.path))?;
        let mut builder = self.client.request(method, url);
        for (name, value) in &self.template.headers {
            builder = builder.header(name, fill(value, names, &str::to_owned)?);
        }
        if let Some(body) = &request.body {
            builder = builder.json(&fill_json(body, names)?);
        }
        builder.build().map_err(|error| self.hide(&error.to_string()))
    }

    async fn one(&self, request: &Request, names: &Names) -> Result<Json, String> {
        let built = self.request(request, names)?;
        let what = format!("{} {}", built.method(), built.url().path());
        let failed = |why: String| self.hide(&format!("{what}: {why}"));
        let mut answer = self.client.execute(built).await.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            failed(cause.unwrap_or_else(|| error.to_string()))
        })?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| failed(error.to_string()))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(failed("the answer is too long".to_owned()));
            }
        }
        let json: Json = serde_json::from_slice(&bytes).unwrap_or_default();
        let says = |wanted: &BTreeMap<String, Json>| {
            wanted.iter().all(|(pointer, value)| json.pointer(pointer) == Some(value))
        };
        let good = status.is_success() && says(&request.expect);
        if good || request.or.iter().any(|wanted| !wanted.is_empty() && says(wanted)) {
            return Ok(json);
        }
        let text: String =
            String::from_utf8_lossy(&bytes).trim().chars().take(ANSWER_CHARS_MAX).collect();
        Err(failed(format!("{status} {text}")))
    }

    fn hide(&self, text: &str) -> String {
        let secrets = self.secrets.iter().filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

fn read_template(config: &WebhookConfig) -> Result<Template, String> {
    let name = config.template.trim();
    let key = |why: String| format!("respond.webhook.template: {why}");
    let shipped = SHIPPED.iter().find(|(known, _)| *known == name);
    let text = match shipped {
        Some((_, text)) => (*text).to_owned(),
        None if name.is_empty() => {
            return Err(key("`with: webhook` needs cloudflare, opnsense or a file".to_owned()));
        }
        None => std::fs::read_to_string(name).map_err(|error| {
            key(format!("{name} is neither cloudflare, opnsense nor a file: {error}"))
        })?,
    };
    serde_json::from_str(&text).map_err(|error| key(format!("{name}: {error}")))
}

fn token(config: &WebhookConfig) -> Result<Option<String>, String> {
    let token = match (&config.token_file, &config.token_env) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path);
            text.map_err(|error| {
                format!("respond.webhook.token_file: {}: {error}", path.display())
            })?
        }
        (None, Some(name)) => std::env::var(name)
            .map_err(|_| format!("respond.webhook.token_env: {name} is not set"))?,
        (None, None) => return Ok(None),
    };
    Ok(Some(token.trim().to_owned()).filter(|token| !token.is_empty()))
}

/// A client that trusts the usual roots, this machine's, and a file of the user's.
fn client(config: &WebhookConfig) -> Result<Client, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &config.ca_file {
        roots.add_parsable_certificates(certificates(path)?);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("respond.webhook: tls cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("tocsin/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(REQUEST_MAX)
        .build()
        .map_err(|error| format!("respond.webhook: {error}"))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let fail = |why: String| format!("respond.webhook.ca_file: {}: {why}", path.display());
    let found = read.map_err(|error| fail(error.to_string()))?;
    if found.is_empty() { Err(fail("holds no PEM certificate".to_owned())) } else { Ok(found) }
}

/// Puts values where their names stand in braces; `{{` is a brace.
fn fill(text: &str, names: &Names, shape: &dyn Fn(&str) -> String) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            filled.push('{');
            rest = after;
            continue;
        }
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("{text:?}: a brace is not closed"))?;
        let value =
            names.get(name).ok_or_else(|| format!("{text:?}: nothing is called {name:?}"))?;
        filled.push_str(&shape(value));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn fill_json(json: &Json, names: &Names) -> Result<Json, String> {
    Ok(match json {
        Json::String(text) => Json::String(fill(text, names, &str::to_owned)?),
        Json::Array(items) => {
            let items = items.iter().map(|item| fill_json(item, names));
            Json::Array(items.collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let mut filled = Map::new();
            for (key, value) in members {
                filled.insert(key.clone(), fill_json(value, names)?);
            }
            Json::Object(filled)
        }
        other => other.clone(),
    })
}
