//! The scenarios that can be asked for.

use std::str::FromStr;

/// An attack that can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attack {
    /// Passwords guessed over SSH until one is right.
    SshBruteForce,
    /// Leaked passwords tried at the login of a web site (401s).
    CredentialStuffing,
    /// SQL in URLs.
    SqlInjection,
    /// Many ports asked for.
    PortScan,
    /// sudo and su by a service account, then a new administrator.
    PrivilegeEscalation,
    /// An endpoint agent reports that malware was started.
    Malware,
    /// Paths that are not there, secrets that should not be.
    WebScanner,
    /// Very many requests at once.
    RequestFlood,
    /// URLs that climb out of the site.
    PathTraversal,
    /// One password tried for many users over SSH.
    PasswordSpraying,
}

impl Attack {
    /// Every attack, those with few lines first: where entries are few, these show soonest.
    pub const ALL: [Self; 10] = [
        Self::Malware,
        Self::SshBruteForce,
        Self::SqlInjection,
        Self::PrivilegeEscalation,
        Self::PathTraversal,
        Self::PasswordSpraying,
        Self::PortScan,
        Self::CredentialStuffing,
        Self::WebScanner,
        Self::RequestFlood,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::SshBruteForce => "ssh-brute-force",
            Self::CredentialStuffing => "credential-stuffing",
            Self::SqlInjection => "sql-injection",
            Self::PortScan => "port-scan",
            Self::PrivilegeEscalation => "privilege-escalation",
            Self::Malware => "malware",
            Self::WebScanner => "web-scanner",
            Self::RequestFlood => "request-flood",
            Self::PathTraversal => "path-traversal",
            Self::PasswordSpraying => "password-spraying",
        }
    }
}

/// What to play: ordinary traffic with these attacks in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scenario {
    /// The attacks, each once.
    pub attacks: Vec<Attack>,
}

impl Scenario {
    /// Every attack.
    pub fn all() -> Self {
        Self { attacks: Attack::ALL.to_vec() }
    }

    /// No attack.
    pub fn quiet() -> Self {
        Self::default()
    }

    /// Every name that can be asked for.
    pub fn names() -> Vec<&'static str> {
        let attacks = Attack::ALL.iter().map(|attack| attack.name());
        ["all", "quiet"].into_iter().chain(attacks).collect()
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut scenario = Self::quiet();
        for name in text.split(',').map(str::trim) {
            let found = match name {
                "all" => Attack::ALL.to_vec(),
                "quiet" => Vec::new(),
                _ => match Attack::ALL.iter().find(|attack| attack.name() == name) {
                    Some(attack) => vec![*attack],
                    None => {
                        let names = Self::names().join(", ");
                        return Err(format!("no scenario {name:?}; there are: {names}"));
                    }
                },
            };
            for attack in found {
                if !scenario.attacks.contains(&attack) {
                    scenario.attacks.push(attack);
                }
            }
        }
        Ok(scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in Scenario::names() {
            assert!(name.parse::<Scenario>().is_ok(), "{name}");
        }
        let two: Scenario = "port-scan, malware,port-scan".parse().unwrap();
        assert_eq!(two.attacks, [Attack::PortScan, Attack::Malware]);
        assert_eq!("quiet".parse(), Ok(Scenario::quiet()));
        let error = "ssh".parse::<Scenario>().unwrap_err();
        assert!(error.contains("\"ssh\"") && error.contains("ssh-brute-force"), "{error}");
    }
}
