//! What is asked of the provider: where its parts are, tokens for a code, more about somebody, its
//! keys.
//!
//! In: the configuration. Out: answers within limits of time and size. Follows no redirects and
//! never says a secret.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tocsin_engine::config::OidcConfig;
use tocsin_model::with_causes;
use tokio::sync::Mutex;

use super::token::Keys;

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long an answer may take in all.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// The longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// For how long it is known where the provider's parts are.
const KNOWN_FOR: Duration = Duration::from_secs(60);
/// The most of a refusal that is told in the log, characters.
const SHOWN_CHARS_MAX: usize = 200;

/// Where the provider's parts are, as it says itself.
#[derive(Debug, Deserialize)]
pub struct Parts {
    issuer: String,
    /// Where somebody signs in.
    pub authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: Option<String>,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// What the provider gives for a code.
#[derive(Deserialize)]
pub struct Tokens {
    /// Says who somebody is.
    pub id_token: String,
    access_token: Option<String>,
}

/// The provider.
pub struct Provider {
    config: OidcConfig,
    issuer: String,
    client: Client,
    parts: Mutex<Option<(Instant, Arc<Parts>)>>,
}

impl Provider {
    /// Of the configuration; none when none is configured.
    ///
    /// # Errors
    /// When `ca_file` cannot be used.
    pub fn new(config: &OidcConfig) -> Result<Option<Self>, String> {
        let Some(issuer) = config.issuer.clone() else { return Ok(None) };
        let tls = tocsin_engine::tls_client(config.ca_file.as_deref())
            .map_err(|error| error.to_string())?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("tocsin/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIME_MAX)
            .timeout(ANSWER_TIME_MAX)
            .build()
            .map_err(|error| with_causes(&error))?;
        Ok(Some(Self { config: config.clone(), issuer, client, parts: Mutex::new(None) }))
    }

    /// What is configured.
    pub fn config(&self) -> &OidcConfig {
        &self.config
    }

    /// How it names itself.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where its parts are.
    ///
    /// # Errors
    /// When it cannot be reached or says something else than it should.
    pub async fn parts(&self) -> Result<Arc<Parts>, String> {
        let mut held = self.parts.lock().await;
        if let Some((_, parts)) = held.as_ref().filter(|(at, _)| at.elapsed() < KNOWN_FOR) {
            return Ok(Arc::clone(parts));
        }
        let issuer = self.issuer.trim_end_matches('/');
        let place = format!("{issuer}/.well-known/openid-configuration");
        let parts: Parts = self.answer("its description", self.client.get(place)).await?;
        if parts.issuer != self.issuer {
            return Err(format!(
                "the provider calls itself {:?}; write that as server.oidc.issuer",
                parts.issuer
            ));
        }
        let parts = Arc::new(parts);
        *held = Some((Instant::now(), Arc::clone(&parts)));
        Ok(parts)
    }

    /// Tokens for a code.
    ///
    /// # Errors
    /// When the provider gives none.
    pub async fn tokens(
        &self,
        parts: &Parts,
        code: &str,
        verifier: &str,
        redirect: &str,
    ) -> Result<Tokens, String> {
        let id = self.config.client_id.as_str();
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let mut request = self.client.post(&parts.token_endpoint);
        let secret = self.secret().await?;
        let methods = &parts.token_endpoint_auth_methods_supported;
        let takes = |method: &str| methods.iter().any(|one| one == method);
        match &secret {
            // What nobody says is the first of these (RFC 8414).
            Some(secret) if methods.is_empty() || takes("client_secret_basic") => {
                let both = STANDARD.encode(format!("{}:{}", escaped(id), escaped(secret)));
                request = request.header(AUTHORIZATION, format!("Basic {both}"));
            }
            Some(secret) => pairs.extend([("client_id", id), ("client_secret", secret)]),
            None => pairs.push(("client_id", id)),
        }
        let request =
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form(&pairs));
        self.answer("its tokens", request).await
    }

    /// Its keys.
    ///
    /// # Errors
    /// When it does not show them.
    pub async fn keys(&self, parts: &Parts) -> Result<Keys, String> {
        self.answer("its keys", self.client.get(&parts.jwks_uri)).await
    }

    /// What else it says of somebody, where it does.
    ///
    /// # Errors
    /// When it is asked and does not answer.
    pub async fn more(&self, parts: &Parts, tokens: &Tokens) -> Result<Option<Json>, String> {
        let (Some(place), Some(token)) = (&parts.userinfo_endpoint, &tokens.access_token) else {
            return Ok(None);
        };
        let request = self.client.get(place).bearer_auth(token);
        self.answer("its userinfo", request).await.map(Some)
    }

    /// The secret, read each time: it may have been renewed.
    async fn secret(&self) -> Result<Option<String>, String> {
        let Some(path) = self.config.client_secret_file.clone() else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || {
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        });
        let text = read.await.map_err(|error| error.to_string())?;
        text.map(|text| Some(text.trim().to_owned()))
            .map_err(|error| format!("server.oidc.client_secret_file: {error}"))
    }

    async fn answer<T: DeserializeOwned>(
        &self,
        what: &str,
        request: RequestBuilder,
    ) -> Result<T, String> {
        let request = request.header(ACCEPT, "application/json");
        let told = |message: String| format!("{what}: {message}");
        let mut answer = request.send().await.map_err(|error| told(with_causes(&error)))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| told(with_causes(&error)))? {
            if bytes.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(told(format!("more than {ANSWER_BYTES_MAX} bytes")));
            }
            bytes.extend_from_slice(&part);
        }
        if !status.is_success() {
            // Of a refusal only the words that the protocol has for it: the rest may hold anything.
            let said: Json = serde_json::from_slice(&bytes).unwrap_or_default();
            let words = ["error", "error_description"].map(|name| said[name].as_str());
            let words: Vec<&str> = words.into_iter().flatten().collect();
            let words: String = words.join(": ").chars().take(SHOWN_CHARS_MAX).collect();
            return Err(told(format!("answered {status} {}", words.escape_debug())));
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| told(format!("not as it should be: {error}")))
    }
}

/// Names and values as a form sends them.
pub fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A name or secret as it goes into a `Basic` header (RFC 6749, 2.3.1).
fn escaped(text: &str) -> String {
    form(&[("", text)]).trim_start_matches('=').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_secrets_are_escaped() {
        assert_eq!(form(&[("a", "b c"), ("d", "&=+ü")]), "a=b+c&d=%26%3D%2B%C3%BC");
        assert_eq!(escaped("=a:b/c"), "%3Da%3Ab%2Fc");
        assert_eq!(escaped(""), "");
    }
}
