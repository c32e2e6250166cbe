//! The `notify` section of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::secret::Secret;

mod raw;

/// Who is told of alerts, and how. The alert log needs no entry here: it is always on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Channels by a name of your choice; `tocsin notify test NAME` tries one out. Default none.
    pub channels: BTreeMap<String, ChannelConfig>,
    /// Address under which people reach the page, for links in notices, for example
    /// https://tocsin.example.com. Default none: notices have no link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_url: Option<String>,
    /// Hours after which a notice that could not be delivered is given up. Default 72. One that
    /// the service refuses for what it says is given up after five tries.
    pub give_up_hours: u64,
    /// Milliseconds before the first retry after a failed delivery; doubles with each one.
    /// Default 1000.
    pub retry_ms_min: u64,
    /// The most milliseconds between retries. Default 600000 (10 minutes).
    pub retry_ms_max: u64,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self {
            channels: BTreeMap::new(),
            page_url: None,
            give_up_hours: 72,
            retry_ms_min: 1000,
            retry_ms_max: 600_000,
        }
    }
}

/// One channel; `type` says which kind.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ChannelConfig {
    /// Alerts as lines of nested ECS JSON in a file.
    Log(LogConfig),
    /// Alerts on standard output.
    Stdout(StdoutConfig),
    /// Alerts as JSON to any HTTP address.
    Webhook(WebhookConfig),
    /// A Slack incoming webhook.
    Slack(SlackConfig),
    /// A Discord webhook.
    Discord(DiscordConfig),
    /// E-mail.
    Email(EmailConfig),
}

impl<'de> Deserialize<'de> for ChannelConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = raw::RawChannel::deserialize(deserializer)?;
        raw.into_channel().map_err(serde::de::Error::custom)
    }
}

impl ChannelConfig {
    /// The word that `type` holds.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Log(_) => "log",
            Self::Stdout(_) => "stdout",
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Discord(_) => "discord",
            Self::Email(_) => "email",
        }
    }

    /// The least severity it is told of.
    pub fn min_severity(&self) -> MinSeverity {
        match self {
            Self::Log(config) => config.min_severity,
            Self::Stdout(config) => config.min_severity,
            Self::Webhook(config) => config.min_severity,
            Self::Slack(config) => config.min_severity,
            Self::Discord(config) => config.min_severity,
            Self::Email(config) => config.min_severity,
        }
    }

    /// Its rate limit; `None` for channels that reach no person directly.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        match self {
            Self::Log(_) | Self::Stdout(_) => None,
            Self::Webhook(config) => Some(config.rate_limit),
            Self::Slack(config) => Some(config.rate_limit),
            Self::Discord(config) => Some(config.rate_limit),
            Self::Email(config) => Some(config.rate_limit),
        }
    }
}

/// A severity in the configuration.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum MinSeverity {
    /// Everything.
    Informational,
    /// Low and above.
    #[default]
    Low,
    /// Medium and above.
    Medium,
    /// High and above.
    High,
    /// Only critical.
    Critical,
}

impl From<MinSeverity> for tocsin_model::Severity {
    fn from(least: MinSeverity) -> Self {
        match least {
            MinSeverity::Informational => Self::Informational,
            MinSeverity::Low => Self::Low,
            MinSeverity::Medium => Self::Medium,
            MinSeverity::High => Self::High,
            MinSeverity::Critical => Self::Critical,
        }
    }
}

/// How many notices a channel sends one by one. What is over is not lost: it is held back in the
/// outbox and goes out together, in one summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    /// The most notices for one rule and group within `per_group_seconds`; 0 means no limit.
    /// Default 3.
    pub per_group: u32,
    /// The window of `per_group`, in seconds. Default 900 (15 minutes).
    pub per_group_seconds: u64,
    /// The most notices of this channel within an hour; 0 means no limit. Default 60.
    pub per_hour: u32,
    /// Seconds for which notices over the limit are gathered before their summary goes out.
    /// Default 300 (5 minutes).
    pub summary_seconds: u64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_group: 3, per_group_seconds: 900, per_hour: 60, summary_seconds: 300 }
    }
}

/// The alert log: one line of nested ECS JSON for each alert raised.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The file. Default alerts.ndjson in the data directory (for a channel that is not named
    /// `log`: NAME.ndjson).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Least severity: informational, low, medium, high or critical. Default low; the channel
    /// named `log` takes everything whatever is said here.
    pub min_severity: MinSeverity,
}

/// Alerts on standard output.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StdoutConfig {
    /// `text` (one short line) or `json` (nested ECS). Default text.
    pub format: StdoutFormat,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
}

/// Form of an alert on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StdoutFormat {
    /// One short line.
    #[default]
    Text,
    /// Nested ECS JSON.
    Json,
}

/// Alerts as JSON, by POST, to any HTTP address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// Address, http:// or https://. One of url, url_file and url_env is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    /// File that holds the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// Environment variable that holds the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_env: Option<String>,
    /// Headers to send with each request, for example `Authorization: Bearer …`. Default none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
    /// Secret that requests are signed with (HMAC-SHA256, headers `webhook-id`,
    /// `webhook-timestamp` and `webhook-signature`). Default none: not signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<Secret>,
    /// File that holds the signing secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret_file: Option<PathBuf>,
    /// Environment variable that holds the signing secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret_env: Option<String>,
    /// PEM file with certificates to trust beside the usual ones. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Seconds that one delivery may take, at most 600. Default 15.
    pub timeout_seconds: u64,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
    /// Rate limit.
    pub rate_limit: RateLimit,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            url_env: None,
            headers: BTreeMap::new(),
            signing_secret: None,
            signing_secret_file: None,
            signing_secret_env: None,
            ca_file: None,
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            rate_limit: RateLimit::default(),
        }
    }
}

const TIMEOUT_SECONDS: u64 = 15;

/// A Slack incoming webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlackConfig {
    /// Webhook address, https://hooks.slack.com/services/…. It is a secret. One of url, url_file
    /// and url_env is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    /// File that holds the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// Environment variable that holds the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_env: Option<String>,
    /// PEM file with certificates to trust beside the usual ones. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Seconds that one delivery may take, at most 600. Default 15.
    pub timeout_seconds: u64,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
    /// Rate limit.
    pub rate_limit: RateLimit,
}

impl Default for SlackConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            url_env: None,
            ca_file: None,
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            rate_limit: RateLimit::default(),
        }
    }
}

/// A Discord webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DiscordConfig {
    /// Webhook address, https://discord.com/api/webhooks/…. It is a secret. One of url, url_file
    /// and url_env is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    /// File that holds the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// Environment variable that holds the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_env: Option<String>,
    /// PEM file with certificates to trust beside the usual ones. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Seconds that one delivery may take, at most 600. Default 15.
    pub timeout_seconds: u64,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
    /// Rate limit.
    pub rate_limit: RateLimit,
}

impl Default for DiscordConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            url_env: None,
            ca_file: None,
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            rate_limit: RateLimit::default(),
        }
    }
}

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
    /// Seconds that one delivery may take, at most 600. Default 15.
    pub timeout_seconds: u64,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
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
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            rate_limit: RateLimit::default(),
        }
    }
}
