//! Channels: in goes a [`Message`], out comes the service's answer, or why there is none. Each
//! kind of channel is one file; none knows of queues, retries or limits.

pub mod email;
mod http;
mod kafka;
pub mod log;
mod pubsub;
mod service;
mod stdout;
mod syslog;
mod tls;
pub mod webhook;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{ChannelConfig, NotifyConfig};
use crate::error::NotifyError;
use crate::secret::MASK;
use crate::services::Services;
use crate::view::Message;

pub(crate) use http::{Answers, RETRY_AFTER_MAX};
pub(crate) use service::prepare;
pub use tls::client_config as tls_client;

/// The longest that a delivery may be told to take.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(600);
/// Shorter texts are too common to be masked in answers.
const REDACTED_BYTES_MIN: usize = 4;

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// What it means for later tries.
    pub kind: Failure,
    /// The service's answer, or why there is none. Never holds a secret.
    pub answer: String,
}

/// What a failure means for later tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The service cannot be reached or does not accept this channel now: everything waits.
    Channel,
    /// The service asks to wait this long.
    Wait(Duration),
    /// The service does not like this one message.
    Message,
}

/// The time-out of a configuration, within bounds.
pub(crate) fn timeout(seconds: u64) -> Duration {
    Duration::from_secs(seconds.max(1)).min(TIMEOUT_MAX)
}

impl SendError {
    pub(crate) fn channel(answer: impl Into<String>) -> Self {
        Self { kind: Failure::Channel, answer: answer.into() }
    }
}

/// A channel, ready to send.
pub(crate) enum Channel {
    Log(Arc<log::LogChannel>),
    Stdout(stdout::StdoutChannel),
    Webhook(Box<webhook::WebhookChannel>),
    Service(Box<service::ServiceChannel>),
    Syslog(syslog::SyslogChannel),
    Pubsub(Box<pubsub::PubsubChannel>),
    Kafka(Box<kafka::KafkaChannel>),
    Email(Box<email::EmailChannel>),
}

impl Channel {
    /// Builds a channel from its configuration, which is part of the whole.
    pub(crate) fn build(
        name: &str,
        config: &ChannelConfig,
        whole: &NotifyConfig,
        data_dir: &Path,
    ) -> Result<Self, NotifyError> {
        if let Some((service, config)) = config.service().map_err(|error| error.in_channel(name))? {
            return service::ServiceChannel::new(name, service, config, &whole.services)
                .map(|channel| Self::Service(Box::new(channel)))
                .map_err(|error| error.in_channel(name));
        }
        let built = match config {
            ChannelConfig::Log(config) => {
                let path = crate::trial::log_path(name, config, data_dir);
                log::LogChannel::open(path).map(|channel| Channel::Log(Arc::new(channel)))
            }
            ChannelConfig::Stdout(config) => {
                Ok(Channel::Stdout(stdout::StdoutChannel::new(config.format)))
            }
            ChannelConfig::Webhook(config) => webhook::WebhookChannel::new(name, config)
                .map(|channel| Channel::Webhook(Box::new(channel))),
            ChannelConfig::Email(config) => {
                email::EmailChannel::new(config).map(|channel| Channel::Email(Box::new(channel)))
            }
            ChannelConfig::Pubsub(config) => pubsub::PubsubChannel::new(name, config)
                .map(|channel| Channel::Pubsub(Box::new(channel))),
            ChannelConfig::Kafka(config) => kafka::KafkaChannel::new(name, config)
                .map(|channel| Channel::Kafka(Box::new(channel))),
            ChannelConfig::Syslog(config) => {
                syslog::SyslogChannel::new(config).map(Channel::Syslog)
            }
            other => Err(NotifyError::Config(format!("{} has no template", other.kind()))),
        };
        built.map_err(|error| error.in_channel(name))
    }

    /// The file that the channel writes.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Log(channel) => Some(channel.path()),
            _ => None,
        }
    }

    /// Takes the files of services as they are now; whether this channel's is another.
    pub(crate) fn renew(&self, services: &Services) -> Result<bool, NotifyError> {
        match self {
            Self::Service(channel) => channel.renew(services),
            _ => Ok(false),
        }
    }

    /// Whether the channel stays on this machine and takes many messages in one go.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Log(_) | Self::Stdout(_))
    }

    /// Delivers one message and gives the service's answer.
    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        match self {
            Self::Log(_) | Self::Stdout(_) => self.send_all(vec![message.clone()]).await,
            Self::Webhook(channel) => channel.send(message).await,
            Self::Service(channel) => channel.send(message).await,
            Self::Syslog(channel) => channel.send(message).await,
            Self::Pubsub(channel) => channel.send(message).await,
            Self::Kafka(channel) => channel.send(message).await,
            Self::Email(channel) => channel.send(message).await,
        }
    }

    /// Delivers all of the messages or, by the outcome, none. Only for local channels.
    pub(crate) async fn send_all(&self, messages: Vec<Message>) -> Result<String, SendError> {
        match self {
            Self::Log(channel) => {
                let channel = channel.clone();
                match tokio::task::spawn_blocking(move || channel.append(&messages)).await {
                    Ok(outcome) => outcome,
                    Err(error) => Err(SendError::channel(error.to_string())),
                }
            }
            Self::Stdout(channel) => channel.print(&messages).await,
            _ => Err(SendError::channel("takes messages one by one")),
        }
    }
}

/// Replaces what must not be seen in a service's answer: services like to repeat what they got.
pub(crate) fn redact(answer: &str, secrets: &[String]) -> String {
    let mut out = answer.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= REDACTED_BYTES_MIN) {
        if out.contains(secret.as_str()) {
            out = out.replace(secret.as_str(), MASK);
        }
    }
    out
}
