//! Channels: in goes a [`Message`], out comes the service's answer, or why there is none. Each
//! kind of channel is one file; none knows of queues, retries or limits.

pub mod discord;
pub mod email;
mod http;
pub mod log;
pub mod slack;
mod stdout;
mod tls;
pub mod webhook;

use std::path::Path;
use std::time::Duration;

use crate::config::ChannelConfig;
use crate::error::NotifyError;
use crate::view::Message;

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

impl SendError {
    pub(crate) fn channel(answer: impl Into<String>) -> Self {
        Self { kind: Failure::Channel, answer: answer.into() }
    }
}

/// A channel, ready to send.
pub(crate) enum Channel {
    Log(log::LogChannel),
    Stdout(stdout::StdoutChannel),
    Webhook(Box<webhook::WebhookChannel>),
    Slack(slack::SlackChannel),
    Discord(discord::DiscordChannel),
    Email(Box<email::EmailChannel>),
}

impl Channel {
    /// Builds a channel from its configuration.
    pub(crate) fn build(
        name: &str,
        config: &ChannelConfig,
        data_dir: &Path,
    ) -> Result<Self, NotifyError> {
        let built = match config {
            ChannelConfig::Log(config) => {
                let default = if name == crate::LOG_CHANNEL { "alerts" } else { name };
                let default = || data_dir.join(format!("{default}.ndjson"));
                let path = config.path.clone().unwrap_or_else(default);
                log::LogChannel::open(path).map(Channel::Log)
            }
            ChannelConfig::Stdout(config) => {
                Ok(Channel::Stdout(stdout::StdoutChannel::new(config.format)))
            }
            ChannelConfig::Webhook(config) => webhook::WebhookChannel::new(name, config)
                .map(|channel| Channel::Webhook(Box::new(channel))),
            ChannelConfig::Slack(config) => slack::SlackChannel::new(config).map(Channel::Slack),
            ChannelConfig::Discord(config) => {
                discord::DiscordChannel::new(config).map(Channel::Discord)
            }
            ChannelConfig::Email(config) => {
                email::EmailChannel::new(config).map(|channel| Channel::Email(Box::new(channel)))
            }
        };
        built.map_err(|error| error.in_channel(name))
    }

    /// Delivers messages and gives each one's outcome. Local channels take the whole batch at
    /// once; of the others only the first message is tried.
    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        match self {
            Self::Log(channel) => channel.append(std::slice::from_ref(message)),
            Self::Stdout(channel) => channel.print(std::slice::from_ref(message)),
            Self::Webhook(channel) => channel.send(message).await,
            Self::Slack(channel) => channel.send(message).await,
            Self::Discord(channel) => channel.send(message).await,
            Self::Email(channel) => channel.send(message).await,
        }
    }

    /// Delivers many messages in one go, where the channel is local and can; `None` where each
    /// has to be sent by itself.
    pub(crate) fn send_batch(&self, messages: &[Message]) -> Option<Result<String, SendError>> {
        match self {
            Self::Log(channel) => Some(channel.append(messages)),
            Self::Stdout(channel) => Some(channel.print(messages)),
            _ => None,
        }
    }
}
