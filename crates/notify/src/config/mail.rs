//! A channel of e-mail.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MinSeverity, RateLimit, RouteConfig, TIMEOUT_SECONDS};
use crate::error::NotifyError;
use crate::secret::Secret;
use crate::worker::Digest;

/// How a mail connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// Begins in plain text and must switch to TLS before anything is said.
    #[default]
    Starttls,
    /// TLS from the start.
    Tls,
    /// Not encrypted; only to this machine.
    None,
}

/// E-mail over SMTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EmailConfig {
    /// Mail server. Needed.
    pub host: String,
    /// Its port. Default 587 for starttls, 465 for tls, 25 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Encryption: `starttls` (demanded, never skipped), `tls`, or `none` (only to a loopback
    /// address). Default starttls.
    pub tls: MailTls,
    /// Sender, `tocsin@example.com` or `Tocsin <tocsin@example.com>`. Needed.
    pub from: String,
    /// Recipients, each gets every mail. At least one is needed.
    pub to: Vec<String>,
    /// User to log in as. Default none: no login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password to log in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// File that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// PEM file with certificates to trust beside the usual ones. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Time of day, `08:00`, at which one mail tells of everything since the day before, instead of
    /// a mail for each. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest_at: Option<String>,
    /// Time zone of `digest_at`, as an IANA name. Default the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest_zone: Option<String>,
    /// Seconds that one delivery may take, at most 600. Default 15.
    pub timeout_seconds: u64,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
    /// Which alerts, beside the severity. Default all.
    #[serde(skip_serializing_if = "RouteConfig::is_default")]
    pub route: RouteConfig,
    /// Rate limit.
    pub rate_limit: RateLimit,
}

impl Default for EmailConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: None,
            tls: MailTls::default(),
            from: String::new(),
            to: Vec::new(),
            user: None,
            password: None,
            password_file: None,
            password_env: None,
            ca_file: None,
            digest_at: None,
            digest_zone: None,
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            route: RouteConfig::default(),
            rate_limit: RateLimit::default(),
        }
    }
}

impl EmailConfig {
    /// When its digest goes out, if it has one.
    pub(crate) fn digest(&self) -> Option<Result<Digest, NotifyError>> {
        let at = self.digest_at.as_ref()?;
        Some(Digest::new(at, self.digest_zone.as_deref()))
    }
}
