//! [`Tokens`]: access tokens of Google's cloud, for the key of a service account or for the
//! machine's own account; each is asked for when the last one ends.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use reqwest::{Client, Url};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;
use tocsin_model::Timestamp;

use super::super::tls;
use crate::error::NotifyError;

const SCOPE: &str = "https://www.googleapis.com/auth/pubsub";
/// Where a machine in Google's cloud asks for its own token.
const METADATA: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
/// How long a signed request for a token is good.
const ASSERTION_SECONDS: i64 = 3600;
/// A token is not used any more so long before it ends.
const MARGIN: Duration = Duration::from_secs(60);
/// How long asking for one may take.
const ASK_MAX: Duration = Duration::from_secs(10);
/// Characters of an answer that are told.
const ANSWER_CHARS_MAX: usize = 200;

/// The key of a service account, as Google writes it.
#[derive(Deserialize)]
struct Key {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: String,
    #[serde(default = "token_uri")]
    token_uri: String,
}

fn token_uri() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

struct Account {
    email: String,
    key_id: String,
    token_uri: Url,
    key: RsaKeyPair,
}

pub(super) struct Tokens {
    client: Client,
    /// `None`: the machine's.
    account: Option<Account>,
    held: Mutex<Option<(String, Instant)>>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

impl Tokens {
    pub(super) fn new(
        key_file: Option<&Path>,
        ca_file: Option<&Path>,
    ) -> Result<Self, NotifyError> {
        let account = key_file.map(read_key).transpose()?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config(ca_file)?)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ASK_MAX)
            .build()
            .map_err(|error| NotifyError::Config(format!("tls cannot be set up: {error}")))?;
        Ok(Self { client, account, held: Mutex::new(None) })
    }

    /// A token that is good for a while.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn token(&self) -> Result<String, String> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((token, until)) = held
            && Instant::now() < until
        {
            return Ok(token);
        }
        let request = match &self.account {
            None => self.client.get(METADATA).header("metadata-flavor", "Google"),
            Some(account) => {
                let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
                let body = format!("grant_type={grant}&assertion={}", account.assertion()?);
                self.client
                    .post(account.token_uri.clone())
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(body)
            }
        };
        let failed = |why: String| match &self.account {
            None => format!(
                "no token of this machine's account: {why}; outside of Google's cloud give key_file"
            ),
            Some(account) => format!("no token for {}: {why}", account.email),
        };
        let answer = request.send().await.map_err(|error| failed(cause(&error)))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| failed(cause(&error)))?;
        if !status.is_success() {
            let text: String = text.trim().chars().take(ANSWER_CHARS_MAX).collect();
            return Err(failed(format!("{status} {text}")));
        }
        let granted: Granted =
            serde_json::from_str(&text).map_err(|error| failed(format!("the answer: {error}")))?;
        let lasts = Duration::from_secs(granted.expires_in).saturating_sub(MARGIN);
        let until = Instant::now() + lasts;
        let token = granted.access_token;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.clone(), until));
        Ok(token)
    }

    /// The token that is held is not believed any more.
    pub(super) fn forget(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Account {
    /// A signed request for a token (RFC 7523).
    fn assertion(&self) -> Result<String, String> {
        let now = Timestamp::from_system(SystemTime::now()).millis() / 1000;
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email, "scope": SCOPE, "aud": self.token_uri.as_str(),
            "iat": now, "exp": now + ASSERTION_SECONDS,
        });
        let part = |json: &serde_json::Value| BASE64.encode(json.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| "the key of the service account cannot sign".to_owned())?;
        Ok(format!("{text}.{}", BASE64.encode(signature)))
    }
}

fn read_key(path: &Path) -> Result<Account, NotifyError> {
    let wrong = |why: String| NotifyError::Config(format!("key_file {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    // What is wrong is told without its text: it holds the key.
    let key: Key = serde_json::from_str(&text).map_err(|error| {
        wrong(format!("is no key of a service account (JSON, line {})", error.line()))
    })?;
    let pem = PrivatePkcs8KeyDer::from_pem_slice(key.private_key.as_bytes())
        .map_err(|_| wrong("private_key is no PEM (PKCS #8)".to_owned()))?;
    let pair = RsaKeyPair::from_pkcs8(pem.secret_pkcs8_der())
        .map_err(|error| wrong(format!("private_key: {error}")))?;
    let token_uri: Url = key
        .token_uri
        .parse()
        .map_err(|error| wrong(format!("token_uri is no address: {error}")))?;
    Ok(Account { email: key.client_email, key_id: key.private_key_id, token_uri, key: pair })
}

fn cause(error: &reqwest::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause.unwrap_or_else(|| error.to_string())
}
