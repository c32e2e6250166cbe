//! A channel as written: all keys of all types. Reading it first keeps the place of a mistyped
//! key in the error, which a tagged enum alone would lose.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use super::{
    ChannelConfig, KafkaMechanism, MailTls, MinSeverity, RateLimit, RouteConfig, SyslogProtocol,
};
use crate::secret::Secret;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Log,
    Stdout,
    Webhook,
    Slack,
    Discord,
    Teams,
    Pagerduty,
    Opsgenie,
    Telegram,
    Ntfy,
    Alertmanager,
    Service,
    Syslog,
    Pubsub,
    Kafka,
    Email,
}

/// Forms of any channel.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Text,
    Json,
    Cef,
}

/// A secret on its way through.
struct Plain(Secret);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Secret::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.reveal())
    }
}

macro_rules! raw_channel {
    ($($key:ident: $type:ty,)*) => {
        /// Secrets are plain text here, so this does not implement `Debug`.
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct RawChannel {
            #[serde(rename = "type", skip_serializing)]
            kind: Kind,
            $(
                #[serde(default, skip_serializing_if = "Option::is_none")]
                $key: Option<$type>,
            )*
        }
    };
}

raw_channel! {
    brokers: Vec<String>,
    ca_file: PathBuf,
    certificate_file: PathBuf,
    digest_at: String,
    digest_zone: String,
    endpoint: String,
    format: Format,
    from: String,
    headers: BTreeMap<String, Plain>,
    host: String,
    key_file: PathBuf,
    mechanism: KafkaMechanism,
    min_severity: MinSeverity,
    password: Plain,
    password_env: String,
    password_file: PathBuf,
    path: PathBuf,
    port: u16,
    project: String,
    protocol: SyslogProtocol,
    rate_limit: RateLimit,
    route: RouteConfig,
    service: String,
    signing_secret: Plain,
    signing_secret_env: String,
    signing_secret_file: PathBuf,
    target: String,
    template: PathBuf,
    timeout_seconds: u64,
    tls: MailTls,
    to: Vec<String>,
    topic: String,
    token: Plain,
    token_env: String,
    token_file: PathBuf,
    url: Plain,
    url_env: String,
    url_file: PathBuf,
    user: String,
}

impl RawChannel {
    /// The channel, when it has no key of another type.
    pub(super) fn into_channel(self) -> Result<ChannelConfig, String> {
        let keys = serde_json::to_value(&self).map_err(|error| error.to_string())?;
        Ok(match self.kind {
            Kind::Log => ChannelConfig::Log(typed("log", keys)?),
            Kind::Stdout => ChannelConfig::Stdout(typed("stdout", keys)?),
            Kind::Webhook => ChannelConfig::Webhook(typed("webhook", keys)?),
            Kind::Slack => ChannelConfig::Slack(typed("slack", keys)?),
            Kind::Discord => ChannelConfig::Discord(typed("discord", keys)?),
            Kind::Teams => ChannelConfig::Teams(typed("teams", keys)?),
            Kind::Pagerduty => ChannelConfig::Pagerduty(typed("pagerduty", keys)?),
            Kind::Opsgenie => ChannelConfig::Opsgenie(typed("opsgenie", keys)?),
            Kind::Telegram => ChannelConfig::Telegram(typed("telegram", keys)?),
            Kind::Ntfy => ChannelConfig::Ntfy(typed("ntfy", keys)?),
            Kind::Alertmanager => ChannelConfig::Alertmanager(typed("alertmanager", keys)?),
            Kind::Service => ChannelConfig::Service(typed("service", keys)?),
            Kind::Syslog => ChannelConfig::Syslog(typed("syslog", keys)?),
            Kind::Pubsub => ChannelConfig::Pubsub(typed("pubsub", keys)?),
            Kind::Kafka => ChannelConfig::Kafka(typed("kafka", keys)?),
            Kind::Email => ChannelConfig::Email(typed("email", keys)?),
        })
    }
}

fn typed<T: DeserializeOwned>(kind: &str, keys: Json) -> Result<T, String> {
    // All values have their types already, so what remains is a key of another kind.
    serde_json::from_value(keys).map_err(|error| format!("in a channel of type {kind}: {error}"))
}
