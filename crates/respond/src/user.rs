//! [`Users`]: disables users by a program of yours, and whom never to disable.
//!
//! In: the name of a user. Out: the program's success or its complaint; why a user is spared. No
//! name that could mean something to a shell or be taken for an option reaches the program.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::firewall::{FirewallError, run};
use crate::guard::Refusal;

/// Users with a lower number are the system's.
const UID_MIN: u32 = 1000;
/// `nobody` has this number, and is the system's too.
const UID_NOBODY: u32 = 65_534;
/// The longest name, bytes.
const NAME_BYTES_MAX: usize = 128;

#[derive(Debug, Clone)]
pub(crate) struct Users {
    script: Option<PathBuf>,
    allow: Vec<String>,
}

impl Users {
    pub(crate) fn new(script: Option<PathBuf>, allow: &[String]) -> Self {
        Self { script, allow: allow.to_vec() }
    }

    /// Why a user must not be disabled by anybody.
    pub(crate) fn refuses(&self, name: &str) -> Option<Refusal> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
        self.refuses_by(name, &passwd, own.trim())
    }

    fn refuses_by(&self, name: &str, passwd: &str, own: &str) -> Option<Refusal> {
        let because = |why: String| Some(Refusal::User(why));
        if self.script.is_none() {
            return because("no program disables users here (respond.user_script)".to_owned());
        }
        let plain =
            |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '\\' | '$');
        if name.is_empty()
            || name.len() > NAME_BYTES_MAX
            || name.starts_with('-')
            || !name.chars().all(plain)
        {
            return because("that is no name of a user".to_owned());
        }
        let same = |other: &String| other.eq_ignore_ascii_case(name);
        if self.allow.iter().any(same) {
            return Some(Refusal::Allowed("respond.allow_users".to_owned()));
        }
        // DOMAIN\user and user@domain are the user, too.
        let bare = name.rsplit('\\').next().unwrap_or(name);
        let bare = bare.split('@').next().unwrap_or(bare);
        if ["root", "administrator", "system"].iter().any(|one| bare.eq_ignore_ascii_case(one)) {
            return because(format!("{name} is never disabled"));
        }
        let entry = passwd.lines().find(|line| line.split(':').next() == Some(bare))?;
        let number = entry.split(':').nth(2).unwrap_or("");
        if number == own {
            return because(format!("{name} started Tocsin"));
        }
        let of_system =
            number.parse().is_ok_and(|number: u32| number < UID_MIN || number == UID_NOBODY);
        if of_system { because(format!("{name} is a user of the system")) } else { None }
    }

    pub(crate) async fn disable(&self, name: &str, time: Duration) -> Result<(), FirewallError> {
        let seconds = time.as_secs().max(1).to_string();
        match &self.script {
            Some(script) => run(script, ["disable", name, &seconds]).await.map(drop),
            None => Ok(()),
        }
    }

    pub(crate) async fn enable(&self, name: &str) -> Result<(), FirewallError> {
        match &self.script {
            Some(script) => run(script, ["enable", name]).await.map(drop),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_never_disabled() {
        let users = Users::new(Some("/bin/true".into()), &["Boss".to_owned()]);
        let passwd = "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n\
                      ana:x:1000:1000::/home/ana:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n\
                      eve:x:1001:1001::/home/eve:/bin/sh\n";
        let table = [
            ("eve", ""),
            ("CORP\\eve", ""),
            ("unknown@example.com", ""),
            ("root", "never disabled"),
            ("CORP\\Administrator", "never disabled"),
            ("www-data", "of the system"),
            ("nobody", "of the system"),
            ("ana", "started Tocsin"),
            ("boss", "respond.allow_users"),
            ("--help", "no name"),
            ("eve; reboot", "no name"),
            ("", "no name"),
        ];
        for (name, expected) in table {
            let refusal = users.refuses_by(name, passwd, "1000");
            let told = refusal.map_or(String::new(), |refusal| refusal.to_string());
            assert!(
                told.contains(expected) && told.is_empty() == expected.is_empty(),
                "{name}: {told}"
            );
        }
        let none = Users::new(None, &[]);
        assert!(none.refuses("eve").is_some());
    }
}
