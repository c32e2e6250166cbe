//! What can go wrong with channels.

use std::path::PathBuf;

use thiserror::Error;

use crate::notifier::CHANNEL_NAME_CHARS_MAX;
use crate::view::clean;

/// An error of this crate.
#[derive(Debug, Error)]
pub enum NotifyError {
    /// The configuration cannot be used.
    #[error("{0}")]
    Config(String),
    /// A channel's configuration cannot be used.
    #[error("channel {channel}: {message}")]
    Channel {
        /// Its name.
        channel: String,
        /// What is wrong, and the remedy.
        message: String,
    },
    /// No such channel.
    #[error("there is no channel {wanted:?}, there are: {known}")]
    UnknownChannel {
        /// What was asked for.
        wanted: String,
        /// Names that exist, joined by commas.
        known: String,
    },
    /// The alert log cannot be used.
    #[error("alert log {path}: {source}")]
    AlertLog {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A delivery failed; the text is the service's own answer where there is one.
    #[error("channel {channel}: {answer}")]
    Delivery {
        /// The channel.
        channel: String,
        /// Its answer, or why there is none.
        answer: String,
    },
    /// The outbox refused.
    #[error("outbox: {0}")]
    Outbox(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl NotifyError {
    /// Puts a channel's name in front of a configuration error.
    pub(crate) fn in_channel(self, channel: &str) -> Self {
        match self {
            Self::Config(message) => {
                Self::Channel { channel: clean(channel, CHANNEL_NAME_CHARS_MAX), message }
            }
            other => other,
        }
    }
}
