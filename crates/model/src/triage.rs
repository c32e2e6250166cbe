//! What people decided about an alert: [`Triage`].

use serde::{Deserialize, Serialize};

/// Why an alert was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// An attack.
    TruePositive,
    /// What the rule looks for, but meant to happen.
    BenignTruePositive,
    /// Not what the rule looks for.
    FalsePositive,
    /// Told by another alert.
    Duplicate,
    /// Somebody tried something out.
    Test,
}

impl Disposition {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::TruePositive,
        Self::BenignTruePositive,
        Self::FalsePositive,
        Self::Duplicate,
        Self::Test,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TruePositive => "true_positive",
            Self::BenignTruePositive => "benign_true_positive",
            Self::FalsePositive => "false_positive",
            Self::Duplicate => "duplicate",
            Self::Test => "test",
        }
    }

    /// By its word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What people decided about an alert, beside its status. Detection never changes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Triage {
    /// Why it was closed; only of closed alerts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<Disposition>,
    /// Who works on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Words that people gave it, sorted, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Number of the exception that hides it: nobody is told of it, and lists leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<u64>,
    /// Number of the incident that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<u64>,
}
