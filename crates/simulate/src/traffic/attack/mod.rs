//! The attacks: each a script of entries with the least time between them. In: who attacks, and
//! random numbers. Out: drafts. All addresses are from the ranges kept for documentation.

mod host;
mod login;
mod network;
mod web;

use std::net::Ipv4Addr;
use std::time::Duration;

use super::item::Draft;
use super::random::Random;
use super::scenario::Attack;

/// One entry of a script.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The least time since the entry before it.
    pub after: Duration,
    /// The entry.
    pub draft: Draft,
}

/// Collects a script.
#[derive(Debug, Default)]
struct Script {
    steps: Vec<Step>,
}

impl Script {
    fn after(&mut self, millis: u64, draft: Draft) {
        self.steps.push(Step { after: Duration::from_millis(millis), draft });
    }
}

/// The `turn`th playing of an attack: each turn has an address or a victim of its own.
pub fn script(attack: Attack, turn: usize, source: Ipv4Addr, random: &mut Random) -> Vec<Step> {
    let mut script = Script::default();
    match attack {
        Attack::SshBruteForce => login::ssh_brute_force(&mut script, source, random),
        Attack::PasswordSpraying => login::password_spraying(&mut script, source, random),
        Attack::CredentialStuffing => login::credential_stuffing(&mut script, source, random),
        Attack::SqlInjection => web::sql_injection(&mut script, source, random),
        Attack::PathTraversal => web::path_traversal(&mut script, source, random),
        Attack::WebScanner => web::scanner(&mut script, source, random),
        Attack::RequestFlood => web::request_flood(&mut script, source, random),
        Attack::PortScan => network::port_scan(&mut script, source, random),
        Attack::PrivilegeEscalation => host::privilege_escalation(&mut script, turn, random),
        Attack::Malware => host::malware(&mut script, turn, source, random),
    }
    script.steps
}

/// Hands out attackers' addresses, each once before any comes again.
#[derive(Debug)]
pub struct Attackers {
    next: u32,
}

impl Attackers {
    /// Addresses in each of the three ranges for documentation.
    const RANGE: u32 = 254;

    /// Starts somewhere that the seed decides.
    pub fn new(random: &mut Random) -> Self {
        Self { next: random.between(0, 3 * Self::RANGE - 1) }
    }

    /// The next address.
    pub fn next(&mut self) -> Ipv4Addr {
        // 337 and 762 have no common divisor, so every address has its turn.
        self.next = (self.next + 337) % (3 * Self::RANGE);
        let last = (self.next % Self::RANGE + 1) as u8;
        match self.next / Self::RANGE {
            0 => Ipv4Addr::new(192, 0, 2, last),
            1 => Ipv4Addr::new(198, 51, 100, last),
            _ => Ipv4Addr::new(203, 0, 113, last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attacker_has_a_turn_before_any_has_two() {
        let mut attackers = Attackers::new(&mut Random::new(3));
        let drawn: std::collections::BTreeSet<_> = (0..762).map(|_| attackers.next()).collect();
        assert_eq!(drawn.len(), 762);
    }
}
