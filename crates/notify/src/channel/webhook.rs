//! The generic webhook: one JSON object by POST.
//!
//! ```json
//! {"version":1, "kind":"raised", "key":"…", "channel":"ops", "severity":"high",
//!  "title":"[high] SSH brute force from 192.0.2.1 on web-1", "url":"https://…", "alert":{nested ECS}}
//! ```
//! `kind` is `raised`, `escalated`, `test`, or `summary`; a summary has `summary` in place of
//! `alert`: `{"count":12, "rules":[{"rule":"…","severity":"high","count":9}], "alerts":[ids]}`.
//! `Idempotency-Key` and `webhook-id` hold the key, which repeats when a delivery is tried again.
//! With a signing secret the request is signed as Standard Webhooks describes: `webhook-signature`
//! is `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.

use std::path::Path;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value as Json, json};
use sha2::Sha256;
use tocsin_model::Timestamp;

use super::http::{HttpPost, PlainHttp};
use super::{Failure, SendError};
use crate::config::WebhookConfig;
use crate::error::NotifyError;
use crate::secret::Secret;
use crate::template::{Settings, TEMPLATE_BYTES_MAX, Template};
use crate::view::Message;

/// Version of the body's shape.
pub const BODY_VERSION: u32 = 1;

pub(crate) struct WebhookChannel {
    name: String,
    post: HttpPost,
    key: Option<Vec<u8>>,
    template: Option<Template>,
}

impl WebhookChannel {
    pub(crate) fn new(name: &str, config: &WebhookConfig) -> Result<Self, NotifyError> {
        let url = Secret::resolve(
            "url",
            config.url.as_ref(),
            config.url_file.as_ref(),
            config.url_env.as_deref(),
        )?;
        let secret = Secret::resolve(
            "signing_secret",
            config.signing_secret.as_ref(),
            config.signing_secret_file.as_ref(),
            config.signing_secret_env.as_deref(),
        )?;
        let mut headers = HeaderMap::new();
        for (name, value) in &config.headers {
            let wrong = |why: &str| NotifyError::Config(format!("header {name:?} {why}"));
            let key = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| wrong("is not a header name"))?;
            let mut value = HeaderValue::from_str(value.reveal())
                .map_err(|_| wrong("has a value that no header may have"))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let post = HttpPost::new(
            url,
            PlainHttp::Anywhere,
            headers,
            config.ca_file.as_deref(),
            config.timeout_seconds,
        )?;
        let key = secret.map(|secret| signing_key(&secret)).transpose()?;
        let template =
            config.template.as_deref().map(|path| read_template(name, path)).transpose()?;
        Ok(Self { name: name.to_owned(), post, key, template })
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        let body = match &self.template {
            None => body(&self.name, message),
            Some(template) => {
                let body = template.render(message);
                body.map_err(|answer| SendError { kind: Failure::Message, answer })?
            }
        };
        let body = body.to_string().into_bytes();
        let now = Timestamp::from_system(SystemTime::now()).millis() / 1000;
        let headers = headers(message.key(), now, &body, self.key.as_deref())
            .map_err(|error| SendError::channel(error.to_string()))?;
        self.post.post(body, headers).await
    }
}

fn read_template(channel: &str, path: &Path) -> Result<Template, NotifyError> {
    let unreadable = |why: String| {
        NotifyError::Config(format!("template: {} cannot be used: {why}", path.display()))
    };
    let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > TEMPLATE_BYTES_MAX {
        return Err(unreadable(format!("it is larger than {TEMPLATE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    Template::new(&text, Settings { channel: channel.to_owned(), ..Settings::default() })
}

fn headers(
    id: &str,
    now: i64,
    body: &[u8],
    key: Option<&[u8]>,
) -> Result<HeaderMap, reqwest::header::InvalidHeaderValue> {
    let mut headers = HeaderMap::new();
    let id = HeaderValue::from_str(id)?;
    headers.insert("idempotency-key", id.clone());
    headers.insert("webhook-id", id.clone());
    headers.insert("webhook-timestamp", HeaderValue::from(now));
    if let Some(key) = key {
        let signature = sign(key, id.as_bytes(), now, body);
        headers.insert("webhook-signature", HeaderValue::from_str(&signature)?);
    }
    Ok(headers)
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
fn sign(key: &[u8], id: &[u8], timestamp: i64, body: &[u8]) -> String {
    // A key of any length is fine for HMAC, so this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(id);
    mac.update(format!(".{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

/// `whsec_` and base64, as Standard Webhooks writes secrets; anything else is taken as it is.
fn signing_key(secret: &Secret) -> Result<Vec<u8>, NotifyError> {
    match secret.reveal().strip_prefix("whsec_") {
        Some(encoded) => BASE64.decode(encoded).map_err(|_| {
            NotifyError::Config("signing_secret begins with whsec_ but is not base64".to_owned())
        }),
        None => Ok(secret.reveal().as_bytes().to_vec()),
    }
}

/// The documented body.
pub(super) fn body(channel: &str, message: &Message) -> Json {
    let mut body = json!({
        "version": BODY_VERSION,
        "kind": "summary",
        "key": message.key(),
        "channel": channel,
        "severity": message.severity(),
        "title": message.title(),
    });
    match message {
        Message::Alert(view) => {
            body["kind"] = json!(view.kind.as_str());
            put_url(&mut body, view.link.as_deref());
            body["alert"] = view.alert.to_json();
        }
        Message::Summary(view) => {
            put_url(&mut body, view.link.as_deref());
            let rules = view.rules.iter().map(
                |(rule, severity, count)| json!({"rule": rule, "severity": severity, "count": count}),
            );
            body["summary"] = json!({
                "count": view.count,
                "rules": rules.collect::<Vec<_>>(),
                "alerts": view.alerts,
            });
        }
    }
    body
}

fn put_url(body: &mut Json, url: Option<&str>) {
    if let Some(url) = url {
        body["url"] = json!(url);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_follow_standard_webhooks() {
        // The example of the Standard Webhooks specification.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let key = signing_key(&secret).unwrap();
        let signature =
            sign(&key, b"msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(signing_key(&Secret::new("plain")).unwrap(), b"plain");
        assert!(signing_key(&Secret::new("whsec_?")).is_err());
    }
}
