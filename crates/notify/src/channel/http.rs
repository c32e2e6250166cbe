//! What the webhook and services share: one POST, and how to read its answer.

use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, RETRY_AFTER, TRANSFER_ENCODING, UPGRADE,
};
use reqwest::{Client, StatusCode, Url};
use tocsin_model::with_causes;

use super::{Failure, SendError, redact, tls};
use crate::error::NotifyError;
use crate::secret::Secret;
use crate::view::clean;

/// The most of an answer's body that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 4096;
/// The most of an answer that is shown, in characters.
const ANSWER_CHARS_MAX: usize = 300;
/// Shorter parts of an address are no secrets.
const SECRET_BYTES_MIN: usize = 8;
/// The longest wait that a service may ask for.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// What is sent unless it is said.
const JSON: &str = "application/json";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the body of an answer is waited for; its status has told everything that counts.
const BODY_WAIT_MAX: Duration = Duration::from_secs(1);
/// Headers that a configuration may not set: the length and framing of a request are ours.
const OWN_HEADERS: [HeaderName; 4] = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE];

/// One address to POST to.
pub(crate) struct HttpPost {
    client: Client,
    url: Url,
    content_type: &'static str,
    answers: Answers,
    /// What must not be seen in answers.
    secrets: Vec<String>,
}

/// Which statuses of an answer mean what; every other is about the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answers {
    /// It was taken.
    pub(crate) success: Vec<u16>,
    /// Something is wrong with this one message.
    pub(crate) refused: Vec<u16>,
    /// Wait as long as `Retry-After` says.
    pub(crate) wait: Vec<u16>,
}

impl Default for Answers {
    fn default() -> Self {
        let refused = vec![400, 413, 415, 422];
        Self { success: (200..=299).collect(), refused, wait: vec![429, 503] }
    }
}

/// Whether plain http:// may leave this machine.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum PlainHttp {
    Anywhere,
    Loopback,
}

impl HttpPost {
    /// `headers` go with every request.
    pub(crate) fn new(
        url: Option<Secret>,
        plain: PlainHttp,
        headers: HeaderMap,
        ca_file: Option<&Path>,
        timeout_seconds: u64,
    ) -> Result<Self, NotifyError> {
        let wrong = |why: &str| NotifyError::Config(why.to_owned());
        let url = url.ok_or_else(|| wrong("url is missing; give url, url_file or url_env"))?;
        // The error of `parse` does not repeat the address, which may hold a token.
        let url: Url = url
            .reveal()
            .trim()
            .parse()
            .map_err(|error| wrong(&format!("url is not an address: {error}")))?;
        match url.scheme() {
            "https" => {}
            "http" if plain == PlainHttp::Anywhere || is_loopback(&url) => {}
            "http" => return Err(wrong("url holds a secret, so it must begin with https://")),
            _ => return Err(wrong("url must begin with http:// or https://")),
        }
        if let Some(name) = OWN_HEADERS.iter().find(|name| headers.contains_key(*name)) {
            return Err(wrong(&format!("header {name} is set by Tocsin itself; remove it")));
        }
        let secrets = secrets(&url, &headers);
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config(ca_file)?)
            .user_agent(concat!("tocsin/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(super::timeout(timeout_seconds))
            .build()
            .map_err(|error| {
                wrong(&format!("http cannot be set up: {}", with_causes(&error.without_url())))
            })?;
        Ok(Self { client, url, content_type: JSON, answers: Answers::default(), secrets })
    }

    /// Keeps a text out of answers.
    pub(crate) fn hide(&mut self, secret: &str) {
        if secret.len() >= SECRET_BYTES_MIN {
            self.secrets.push(secret.to_owned());
        }
    }

    /// Sends something else than JSON, to something that answers in its own way.
    pub(crate) fn speaking(mut self, content_type: &'static str, answers: Answers) -> Self {
        (self.content_type, self.answers) = (content_type, answers);
        self
    }

    /// Posts a body and gives the answer: status and the start of its body.
    pub(crate) async fn post(
        &self,
        body: Vec<u8>,
        headers: HeaderMap,
    ) -> Result<String, SendError> {
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", self.content_type)
            .headers(headers)
            .body(body);
        let mut response = request.send().await.map_err(|error| {
            SendError::channel(redact(&with_causes(&error.without_url()), &self.secrets))
        })?;
        let status = response.status();
        let wait = retry_after(response.headers(), SystemTime::now());
        let mut text = Vec::new();
        let reading = async {
            while text.len() < ANSWER_BYTES_MAX
                && let Ok(Some(part)) = response.chunk().await
            {
                text.extend_from_slice(&part[..part.len().min(ANSWER_BYTES_MAX - text.len())]);
            }
        };
        // What there is by then is shown.
        let _ = tokio::time::timeout(BODY_WAIT_MAX, reading).await;
        // Masked before it is cut, so that no half of a secret is left.
        let text = clean(&redact(&String::from_utf8_lossy(&text), &self.secrets), ANSWER_CHARS_MAX);
        let answer = if text.is_empty() { status.to_string() } else { format!("{status}: {text}") };
        judge(&self.answers, status, wait, answer)
    }
}

/// The parts of an address and the headers that may be secret: a service that repeats them in
/// its answer must not put them into our logs.
fn secrets(url: &Url, headers: &HeaderMap) -> Vec<String> {
    let mut secrets: Vec<String> = vec![url.to_string()];
    secrets.push(format!("{}?{}", url.path(), url.query().unwrap_or("")));
    secrets.push(url.path().to_owned());
    secrets.extend(url.path_segments().into_iter().flatten().map(str::to_owned));
    secrets.extend(url.query().map(str::to_owned));
    secrets.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    secrets.push(url.username().to_owned());
    if let Some(password) = url.password() {
        secrets.push(password.to_owned());
        secrets.push(BASE64.encode(format!("{}:{password}", url.username())));
    }
    for value in headers.values().filter_map(|value| value.to_str().ok()) {
        secrets.push(value.to_owned());
        // `Bearer …`: services repeat the token alone.
        secrets.extend(value.split_ascii_whitespace().skip(1).map(str::to_owned));
    }
    // Ordinary words of a path are no secrets, and masking them would make answers unreadable.
    secrets.retain(|text| text.len() >= SECRET_BYTES_MIN);
    // The longest first, so that nothing is left of what holds another.
    secrets.sort_by_key(|text| std::cmp::Reverse(text.len()));
    secrets.dedup();
    secrets
}

fn judge(
    answers: &Answers,
    status: StatusCode,
    wait: Option<Duration>,
    answer: String,
) -> Result<String, SendError> {
    let number = status.as_u16();
    let kind = match wait {
        _ if answers.success.contains(&number) => return Ok(answer),
        Some(wait) if answers.wait.contains(&number) => Failure::Wait(wait.min(RETRY_AFTER_MAX)),
        _ if answers.refused.contains(&number) => Failure::Message,
        _ if status.is_redirection() => {
            let answer = format!("{answer} (redirects are not followed; set the final address)");
            return Err(SendError { kind: Failure::Channel, answer });
        }
        _ => Failure::Channel,
    };
    Err(SendError { kind, answer })
}

/// Seconds, in fractions as Discord says them, or a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    // A date that has passed says: now.
    Some(SystemTime::from(date).duration_since(now).unwrap_or_default())
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged() {
        let wait = Some(Duration::from_secs(7));
        let table = [
            (200, None, None),
            (204, None, None),
            (302, None, Some(Failure::Channel)),
            (400, None, Some(Failure::Message)),
            (401, None, Some(Failure::Channel)),
            (404, None, Some(Failure::Channel)),
            (413, None, Some(Failure::Message)),
            (429, wait, Some(Failure::Wait(Duration::from_secs(7)))),
            (429, None, Some(Failure::Channel)),
            (503, Some(Duration::MAX), Some(Failure::Wait(RETRY_AFTER_MAX))),
            (500, wait, Some(Failure::Channel)),
        ];
        for (status, wait, want) in table {
            let status = StatusCode::from_u16(status).unwrap();
            let got = judge(&Answers::default(), status, wait, String::new())
                .err()
                .map(|error| error.kind);
            assert_eq!(got, want, "{status}");
        }
    }

    #[test]
    fn retry_after_is_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, want) in [
            ("3", Some(3000)),
            ("0.5", Some(500)),
            ("-1", None),
            ("NaN", None),
            ("1e300", None),
            ("soon", None),
            ("", None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30_000)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers, now), want.map(Duration::from_millis), "{text}");
        }
    }
}
