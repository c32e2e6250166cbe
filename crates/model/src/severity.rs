//! [`Severity`]: how bad an alert is, in Sigma's five levels.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Sigma's `level`, lowest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nobody needs to act.
    Informational,
    /// Low.
    Low,
    /// Medium; what a rule without a level gets.
    #[default]
    Medium,
    /// High.
    High,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// All, lowest first.
    pub const ALL: [Self; 5] =
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word Sigma uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The number for ECS `event.severity`: 1, 21, 47, 73, 99 (the scale of ECS-based SIEMs).
    pub fn number(self) -> u8 {
        match self {
            Self::Informational => 1,
            Self::Low => 21,
            Self::Medium => 47,
            Self::High => 73,
            Self::Critical => 99,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or_else(|| {
            format!(
                "unknown severity {text:?}, use one of informational, low, medium, high, critical"
            )
        })
    }
}
