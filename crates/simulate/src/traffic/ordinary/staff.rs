//! People at work: they log in, use sudo, and sometimes mistype.

use std::time::Duration;

use tocsin_model::Timestamp;

use super::Plan;
use crate::traffic::item::Draft;
use crate::traffic::lines::Ssh;
use crate::traffic::place::{HOSTS, PEOPLE, Person};
use crate::traffic::random::Random;

/// Somebody mistypes a password at most this often.
const BETWEEN_TYPOS: Duration = Duration::from_secs(90);
const KEY: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+";
/// What administrators run.
const COMMANDS: &[&str] = &[
    "/usr/bin/systemctl reload nginx",
    "/usr/bin/systemctl status shop.service",
    "/usr/bin/apt-get update",
    "/usr/bin/journalctl -u shop.service --since today",
    "/usr/bin/tail -n 100 /var/log/nginx/error.log",
    "/usr/sbin/ufw status",
];

/// What people do, and when the next typo may be.
#[derive(Debug)]
pub struct Staff {
    next_typo: Timestamp,
}

impl Staff {
    /// The working day begins.
    pub fn new(start: Timestamp) -> Self {
        Self { next_typo: start.plus(Duration::from_secs(20)) }
    }

    /// Somebody logs in, works a while and leaves.
    pub fn work(&mut self, plan: &mut Plan, now: Timestamp, random: &mut Random) {
        let person = random.pick(PEOPLE);
        let host = random.pick(HOSTS);
        let ssh = Ssh::new(random, host, person.address);
        let mut at = 0;
        // Most have a key; carla and daniel still type.
        let types = matches!(person.name, "carla" | "daniel");
        if types && now >= self.next_typo {
            self.next_typo = now.plus(BETWEEN_TYPOS);
            plan.at(at, ssh.pam_failure(person.name));
            plan.at(at + 1_900, ssh.failed(person.name, true));
            at += 6_500;
        }
        let key = fingerprint(&person);
        plan.at(at, ssh.accepted(person.name, (!types).then_some(key.as_str())));
        plan.at(at + 12, ssh.opened(person.name, person.uid));
        let session = random.between(100, 9_999);
        let logind = |text| Draft::syslog(host, "systemd-logind", 612, text);
        let name = person.name;
        plan.at(at + 20, logind(format!("New session {session} of user {name}.")));
        at += random.between(4_000, 20_000);
        if person.admin && random.percent(60) {
            sudo(plan, at, (host, &person), random);
            at += random.between(3_000, 30_000);
        }
        for line in ssh.disconnected(name) {
            plan.at(at, line);
        }
        plan.at(at + 4, ssh.closed(name));
        plan.at(at + 9, logind(format!("Removed session {session}.")));
    }
}

/// Everybody has one key, always the same.
fn fingerprint(person: &Person) -> String {
    Random::new(u64::from(person.uid)).text(KEY, 43)
}

fn sudo(plan: &mut Plan, at: u32, (host, person): (&'static str, &Person), random: &mut Random) {
    let (name, uid) = (person.name, person.uid);
    let command = random.pick(COMMANDS);
    let auth = |text| Draft::auth(host, "sudo", 0, text);
    plan.at(
        at,
        auth(format!("{name:>8} : TTY=pts/0 ; PWD=/home/{name} ; USER=root ; COMMAND={command}")),
    );
    plan.at(
        at + 6,
        auth(format!(
            "pam_unix(sudo:session): session opened for user root(uid=0) by {name}(uid={uid})"
        )),
    );
    plan.at(
        at + random.between(200, 2_500),
        auth("pam_unix(sudo:session): session closed for user root".to_owned()),
    );
}
