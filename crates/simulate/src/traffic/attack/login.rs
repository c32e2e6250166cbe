//! Attacks on logins.

use std::net::Ipv4Addr;

use super::Script;
use crate::traffic::item::Draft;
use crate::traffic::lines::{Ssh, request};
use crate::traffic::place::{BROWSERS, HOSTS, WEB_HOSTS};
use crate::traffic::random::Random;

/// Names that are guessed and that hosts do have.
const REAL: &[&str] = &["root", "backup", "anna", "ben"];
/// Names that are guessed and that no host has.
const GUESSED: &[&str] =
    &["admin", "test", "oracle", "ubuntu", "git", "pi", "deploy", "postgres", "user", "guest"];

pub(super) fn ssh_brute_force(script: &mut Script, source: Ipv4Addr, random: &mut Random) {
    let host = random.pick(HOSTS);
    // A tool holds several connections at once and has three tries on each.
    for round in 0..4 {
        let ssh = Ssh::new(random, host, source);
        let known = round % 2 == 0;
        let user = if known { "backup" } else { random.pick(GUESSED) };
        if known {
            script.after(60, ssh.pam_failure(user));
        } else {
            script.after(60, ssh.invalid_user(user));
        }
        for _ in 0..3 {
            script.after(random.between(60, 220).into(), ssh.failed(user, known));
        }
        script.after(40, ssh.given_up(user, known));
    }
    let ssh = Ssh::new(random, host, source);
    script.after(150, ssh.failed("backup", true));
    script.after(180, ssh.accepted("backup", None));
    script.after(10, ssh.opened("backup", 34));
    for line in ssh.disconnected("backup") {
        script.after(1_500, line);
    }
    script.after(20, ssh.closed("backup"));
}

pub(super) fn password_spraying(script: &mut Script, source: Ipv4Addr, random: &mut Random) {
    let host = random.pick(HOSTS);
    let names = REAL.iter().map(|name| (*name, true));
    for (user, known) in names.chain(GUESSED.iter().map(|name| (*name, false))) {
        let ssh = Ssh::new(random, host, source);
        script.after(random.between(150, 400).into(), ssh.failed(user, known));
    }
}

pub(super) fn credential_stuffing(script: &mut Script, source: Ipv4Addr, random: &mut Random) {
    let host = random.pick(WEB_HOSTS);
    let agent = random.pick(BROWSERS);
    let mut ask = |script: &mut Script, millis, method, target: &str, status, user| {
        let size = random.between(160, 190);
        let mut request = request(source, (method, target), (status, size), agent);
        request.user = user;
        script.after(millis, Draft::web(host, request));
    };
    for _ in 0..14 {
        ask(script, 80, "POST", "/api/login", 401, None);
    }
    // One of the leaked passwords is still good, and is then tried inside.
    ask(script, 80, "POST", "/api/login", 200, None);
    for _ in 0..7 {
        ask(script, 120, "GET", "/intranet/reports", 401, Some("anna"));
    }
}
