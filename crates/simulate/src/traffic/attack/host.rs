//! Attacks from inside a host.

use std::net::Ipv4Addr;

use serde_json::json;

use super::Script;
use crate::traffic::item::Draft;
use crate::traffic::place::{DESKS, HOSTS, PEOPLE};
use crate::traffic::random::Random;

/// Service accounts that get taken over, and their home.
const SERVICES: &[(&str, u32, &str)] =
    &[("www-data", 33, "/var/www"), ("backup", 34, "/var/backups"), ("shop", 998, "/srv/shop")];
/// Names under which an attacker stays.
const STAYERS: &[&str] = &["support", "sysadm", "helpdesk", "monitor", "svc-update"];
/// Programs that are no invoices.
const PROGRAMS: &[&str] = &["invoice_4711.exe", "delivery-note.scr", "update-viewer.exe"];

pub(super) fn privilege_escalation(script: &mut Script, turn: usize, random: &mut Random) {
    let host = HOSTS[turn % HOSTS.len()];
    let (user, uid, home) = SERVICES[turn % SERVICES.len()];
    let stayer = STAYERS[turn % STAYERS.len()];
    let pid = random.between(20_000, 60_000);
    let auth = |app, pid, text| Draft::auth(host, app, pid, text);
    script.after(
        100,
        auth("sudo", pid, format!(
            "{user:>8} : user NOT in sudoers ; TTY=pts/1 ; PWD={home} ; USER=root ; COMMAND=/bin/bash"
        )),
    );
    for again in 1..=3 {
        let pid = pid + again;
        script.after(
            700,
            auth("su", pid, format!(
                "pam_unix(su:auth): authentication failure; logname={user} uid={uid} euid=0 tty=/dev/pts/1 ruser={user} rhost=  user=root"
            )),
        );
        script.after(150, auth("su", pid, format!("FAILED SU (to root) {user} on pts/1")));
    }
    let new = random.between(1_010, 1_900);
    let account = pid + 20;
    script.after(900, auth("useradd", account, format!("new group: name={stayer}, GID={new}")));
    script.after(
        20,
        auth("useradd", account, format!(
            "new user: name={stayer}, UID={new}, GID={new}, home=/home/{stayer}, shell=/bin/bash, from=/dev/pts/1"
        )),
    );
    script.after(400, auth("usermod", account + 7, format!("add '{stayer}' to group 'sudo'")));
    script.after(5, auth("usermod", account + 7, format!("add '{stayer}' to shadow group 'sudo'")));
}

pub(super) fn malware(script: &mut Script, turn: usize, source: Ipv4Addr, random: &mut Random) {
    let host = DESKS[turn % DESKS.len()];
    let person = PEOPLE[turn % PEOPLE.len()].name;
    let program = random.pick(PROGRAMS);
    let agent = |keys| Draft::json(host, "endpoint-agent", keys);
    let hash = random.hex(64);
    script.after(
        50,
        agent(vec![
            ("level", json!("info")),
            ("event_type", json!("file_saved")),
            ("user", json!(person)),
            ("process", json!("mail-client.exe")),
            ("file_path", json!(format!("C:\\Users\\{person}\\Downloads\\{program}"))),
            ("message", json!(format!("mail-client.exe saved {program}"))),
        ]),
    );
    script.after(
        300,
        agent(vec![
            ("level", json!("critical")),
            ("event_type", json!("malware_execution")),
            ("user", json!(person)),
            ("process", json!(program)),
            ("file_path", json!(format!("C:\\Users\\{person}\\Downloads\\{program}"))),
            ("sha256", json!(hash)),
            (
                "message",
                json!(format!("{program} was started by {person} and is known as a trojan")),
            ),
        ]),
    );
    script.after(
        250,
        agent(vec![
            ("level", json!("warning")),
            ("event_type", json!("network_connection")),
            ("user", json!(person)),
            ("process", json!(program)),
            ("dest_ip", json!(source.to_string())),
            ("dest_port", json!(443)),
            ("proto", json!("tcp")),
            ("message", json!(format!("{program} connected to {source}:443"))),
        ]),
    );
}
