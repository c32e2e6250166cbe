//! The `notify` section of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::NotifyError;
use crate::secret::Secret;
use crate::services::Services;

mod kafka;
mod mail;
mod pubsub;
mod raw;
mod service;
mod syslog;

pub use kafka::{KafkaConfig, KafkaMechanism};
pub use mail::{EmailConfig, MailTls};
pub use pubsub::PubsubConfig;
pub use service::ServiceConfig;
pub use syslog::{SyslogConfig, SyslogFormat, SyslogProtocol};

/// Who is told of alerts, and how. The alert log needs no entry here: it is always on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Channels by a name of your choice; `tocsin notify test NAME` tries one out. Default none.
    pub channels: BTreeMap<String, ChannelConfig>,
    /// The services that content brings; whoever reads the content puts them here.
    #[serde(skip)]
    pub services: Services,
    /// Who is told when nobody acknowledges an alert, step by step. Default nobody.
    pub escalation: Vec<EscalationStep>,
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
            services: Services::default(),
            escalation: Vec::new(),
            page_url: None,
            give_up_hours: 72,
            retry_ms_min: 1000,
            retry_ms_max: 600_000,
        }
    }
}

/// A step of escalation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationStep {
    /// Minutes after an alert was raised for which it may go unacknowledged.
    pub after_minutes: u32,
    /// The channel that is told then; each stands in one step.
    pub channel: String,
    /// Least severity of the alert: informational, low, medium, high or critical. Default high.
    #[serde(default = "high")]
    pub min_severity: MinSeverity,
    /// A condition on the alert in the query language. Default every alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

fn high() -> MinSeverity {
    MinSeverity::High
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
    /// A Slack incoming webhook: url.
    Slack(ServiceConfig),
    /// A Discord webhook: url.
    Discord(ServiceConfig),
    /// A webhook of a Microsoft Teams workflow: url.
    Teams(ServiceConfig),
    /// PagerDuty: token.
    Pagerduty(ServiceConfig),
    /// Opsgenie: token.
    Opsgenie(ServiceConfig),
    /// A Telegram bot: token, target.
    Telegram(ServiceConfig),
    /// ntfy: target.
    Ntfy(ServiceConfig),
    /// A Prometheus Alertmanager: url.
    Alertmanager(ServiceConfig),
    /// A service that a pack describes: service.
    Service(ServiceConfig),
    /// Syslog messages to another collector.
    Syslog(SyslogConfig),
    /// Google Cloud Pub/Sub: project, topic.
    Pubsub(PubsubConfig),
    /// Apache Kafka: brokers, topic.
    Kafka(KafkaConfig),
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
            Self::Teams(_) => "teams",
            Self::Pagerduty(_) => "pagerduty",
            Self::Opsgenie(_) => "opsgenie",
            Self::Telegram(_) => "telegram",
            Self::Ntfy(_) => "ntfy",
            Self::Alertmanager(_) => "alertmanager",
            Self::Service(_) => "service",
            Self::Syslog(_) => "syslog",
            Self::Pubsub(_) => "pubsub",
            Self::Kafka(_) => "kafka",
            Self::Email(_) => "email",
        }
    }

    /// Whether a file of a pack says what it sends.
    pub fn needs_services(&self) -> bool {
        !matches!(self.service(), Ok(None))
    }

    /// The service that it tells, if it is one, and what it says to it.
    pub(crate) fn service(&self) -> Result<Option<(&str, &ServiceConfig)>, NotifyError> {
        let wrong = |why: String| Err(NotifyError::Config(why));
        let config = match self {
            Self::Service(config) => {
                let missing = "service is missing; give the name of one that a pack describes";
                return match &config.service {
                    Some(service) => Ok(Some((service, config))),
                    None => wrong(missing.to_owned()),
                };
            }
            Self::Slack(config)
            | Self::Discord(config)
            | Self::Teams(config)
            | Self::Pagerduty(config)
            | Self::Opsgenie(config)
            | Self::Telegram(config)
            | Self::Ntfy(config)
            | Self::Alertmanager(config) => config,
            Self::Log(_)
            | Self::Stdout(_)
            | Self::Webhook(_)
            | Self::Syslog(_)
            | Self::Pubsub(_)
            | Self::Kafka(_)
            | Self::Email(_) => return Ok(None),
        };
        let kind = self.kind();
        match config.service {
            Some(_) => wrong(format!("service means nothing to {kind}; remove it")),
            None => Ok(Some((kind, config))),
        }
    }

    /// What it is told of: the least severity, the route, and its rate limit; no limit for
    /// channels that reach no person directly.
    fn told(&self) -> (MinSeverity, &RouteConfig, Option<RateLimit>) {
        match self {
            Self::Log(config) => (config.min_severity, &config.route, None),
            Self::Stdout(config) => (config.min_severity, &config.route, None),
            Self::Syslog(config) => (config.min_severity, &config.route, None),
            Self::Pubsub(config) => (config.min_severity, &config.route, None),
            Self::Kafka(config) => (config.min_severity, &config.route, None),
            Self::Webhook(config) => (config.min_severity, &config.route, Some(config.rate_limit)),
            Self::Email(config) => (config.min_severity, &config.route, Some(config.rate_limit)),
            Self::Slack(config)
            | Self::Discord(config)
            | Self::Teams(config)
            | Self::Pagerduty(config)
            | Self::Opsgenie(config)
            | Self::Telegram(config)
            | Self::Ntfy(config)
            | Self::Service(config)
            | Self::Alertmanager(config) => {
                (config.min_severity, &config.route, Some(config.rate_limit))
            }
        }
    }

    /// The least severity it is told of.
    pub fn min_severity(&self) -> MinSeverity {
        self.told().0
    }

    /// Which alerts it is told of, beside the severity.
    pub fn route(&self) -> &RouteConfig {
        self.told().1
    }

    /// What there is one notice of.
    pub fn each(&self) -> Each {
        let usual = match self {
            Self::Log(_)
            | Self::Stdout(_)
            | Self::Webhook(_)
            | Self::Syslog(_)
            | Self::Pubsub(_)
            | Self::Kafka(_)
            | Self::Alertmanager(_) => Each::Alert,
            _ => Each::Incident,
        };
        self.route().each.unwrap_or(usual)
    }

    /// Its rate limit; `None` for channels that reach no person directly.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.told().2
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

/// Which alerts a channel is told of, beside the least severity.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// A condition on the alert in the query language, for example `host.name: db-*`. Default
    /// every alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Hours of the week, for example `mon-fri 08:00-18:00`, `sat,sun`, `22:00-06:00`; alerts
    /// outside them are not told of here. Default always.
    pub hours: Vec<String>,
    /// Time zone of the hours, as an IANA name. Default the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What there is one notice of: each `incident` (and when it gets worse), each `alert`, or only
    /// what nobody acknowledged (`unacknowledged`). Default incident for channels that people read, alert for log, stdout, webhook, syslog, pubsub,
    /// kafka and alertmanager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
}

/// What there is one notice of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Each {
    /// An incident, and when it gets worse.
    Incident,
    /// An alert.
    Alert,
    /// What nobody acknowledged (`notify.escalation`), and nothing else.
    Unacknowledged,
}

impl RouteConfig {
    fn is_default(&self) -> bool {
        *self == Self::default()
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
    /// Which alerts, beside the severity. Default all.
    #[serde(skip_serializing_if = "RouteConfig::is_default")]
    pub route: RouteConfig,
}

/// Alerts on standard output.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StdoutConfig {
    /// `text` (one short line) or `json` (nested ECS). Default text.
    pub format: StdoutFormat,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
    /// Which alerts, beside the severity. Default all.
    #[serde(skip_serializing_if = "RouteConfig::is_default")]
    pub route: RouteConfig,
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
    /// File with the body as a template: Jinja that gives JSON, as docs/channels.md describes.
    /// Default none: the usual body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PathBuf>,
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
    /// Which alerts, beside the severity. Default all.
    #[serde(skip_serializing_if = "RouteConfig::is_default")]
    pub route: RouteConfig,
    /// Rate limit.
    pub rate_limit: RateLimit,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            url_env: None,
            template: None,
            headers: BTreeMap::new(),
            signing_secret: None,
            signing_secret_file: None,
            signing_secret_env: None,
            ca_file: None,
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            route: RouteConfig::default(),
            rate_limit: RateLimit::default(),
        }
    }
}

const TIMEOUT_SECONDS: u64 = 15;
