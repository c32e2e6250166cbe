//! [`Notice`]: one delivery of an alert to one channel.

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, AlertId};

/// Why somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The alert was raised.
    Raised,
    /// Its severity went up.
    Escalated,
    /// Nobody has acknowledged the alert in time.
    Unacknowledged,
    /// Somebody tries the channel out.
    Test,
}

impl NoticeKind {
    /// The word used in keys and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Escalated => "escalated",
            Self::Unacknowledged => "unacknowledged",
            Self::Test => "test",
        }
    }
}

/// One delivery to one channel, with the alert as it was when the notice was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Name of the channel in the configuration.
    pub channel: String,
    /// Why.
    pub kind: NoticeKind,
    /// The alert.
    pub alert: Alert,
}

impl Notice {
    /// Key that never repeats for different deliveries and always repeats for the same one:
    /// what the outbox refuses to hold twice and receivers can deduplicate by.
    pub fn key(alert: &AlertId, kind: NoticeKind, severity: &str, channel: &str) -> String {
        format!("{alert}:{}:{severity}:{channel}", kind.as_str())
    }
}
