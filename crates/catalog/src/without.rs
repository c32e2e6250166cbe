//! What alerts can be asked for by, and left out by. Pure.

/// What alerts can be left out by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// The rule with this id or title.
    Rule,
    /// A source address.
    Source,
    /// A user.
    User,
    /// A host.
    Host,
}

impl Without {
    /// The one of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "rule" => Self::Rule,
            "source" => Self::Source,
            "user" => Self::User,
            "host" => Self::Host,
            _ => return None,
        })
    }

    /// That an alert has it: SQL with a place for the value.
    pub(crate) fn has(self) -> &'static str {
        match self {
            Self::Rule => "({} IN (rule_id, rule_title))",
            Self::Source => "(coalesce(source_ip, '') = {})",
            Self::User => "(coalesce(user_name, '') = {})",
            Self::Host => "(coalesce(host_name, '') = {})",
        }
    }
}
