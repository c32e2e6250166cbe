//! Getting files over HTTP, within limits and without secrets in what is said of failures.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use tocsin_model::with_causes;

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long nothing may come.
const READ_MAX: Duration = Duration::from_secs(30);
/// How long a download may take in all.
const TOTAL_MAX: Duration = Duration::from_secs(900);
/// The most of an answer that says no that is shown, characters.
const SHOWN_CHARS_MAX: usize = 200;

/// Gets things.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    client: Client,
}

impl Fetcher {
    /// Trusts the usual certificates, and those of `ca_file`.
    ///
    /// # Errors
    /// When that file cannot be used.
    pub(crate) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let tls = tocsin_notify::tls_client(ca_file).map_err(|error| error.to_string())?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("tocsin/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_MAX)
            .read_timeout(READ_MAX)
            .timeout(TOTAL_MAX)
            .build()
            .map_err(|error| with_causes(&error.without_url()))?;
        Ok(Self { client })
    }

    /// Gets what is at an address.
    ///
    /// # Errors
    /// When it cannot be reached, says no or sends more than `bytes_max`; without the address,
    /// which may hold a secret.
    pub(crate) async fn get(
        &self,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        bytes_max: usize,
    ) -> Result<Vec<u8>, String> {
        let url: Url = url.parse().map_err(|error| format!("no address: {error}"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err("the address must begin with http:// or https://".to_owned());
        }
        let host = url.host_str().unwrap_or("").to_owned();
        let mut request = self.client.get(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut answer = request
            .send()
            .await
            .map_err(|error| format!("{host}: {}", with_causes(&error.without_url())))?;
        let status = answer.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|error| format!("{host}: {}", with_causes(&error.without_url())))?
        {
            if bytes.len() + chunk.len() > bytes_max {
                return Err(format!("{host}: sends more than {bytes_max} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            let said: String =
                String::from_utf8_lossy(&bytes).chars().take(SHOWN_CHARS_MAX).collect();
            return Err(format!("{host}: answers {status}: {}", said.escape_debug()));
        }
        Ok(bytes)
    }
}

/// An `Accept` header.
pub(crate) fn accept(what: &'static str) -> (HeaderName, HeaderValue) {
    (ACCEPT, HeaderValue::from_static(what))
}
