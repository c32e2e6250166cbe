//! What programs do by the clock, and what a firewall drops all day.

use std::net::Ipv4Addr;

use super::Plan;
use crate::traffic::item::Draft;
use crate::traffic::lines::{dropped, request};
use crate::traffic::place::{HOSTS, WEB_HOSTS};
use crate::traffic::random::Random;

const JOBS: &[(&str, &str)] = &[
    ("root", "command -v debian-sa1 > /dev/null && debian-sa1 1 1"),
    ("root", "test -x /usr/bin/certbot && certbot -q renew"),
    ("www-data", "php /srv/shop/artisan schedule:run"),
    ("backup", "/usr/local/bin/backup-run --incremental"),
];

const UNITS: &[(&str, &str)] = &[
    ("logrotate.service", "Rotate log files"),
    ("fstrim.service", "Discard unused blocks on filesystems"),
    ("apt-daily.service", "Daily apt download activities"),
    ("man-db.service", "Daily man-db regeneration"),
    ("systemd-tmpfiles-clean.service", "Cleanup of Temporary Directories"),
];

/// Ports that worms ask for.
const NOISE_PORTS: &[u32] = &[23, 445, 3389, 2323, 8080, 5060, 6379, 8728];

/// Where the health check comes from.
const MONITOR: Ipv4Addr = Ipv4Addr::new(10, 20, 2, 5);

pub(super) fn cron(plan: &mut Plan, random: &mut Random) {
    let host = random.pick(HOSTS);
    let (user, command) = random.pick(JOBS);
    let pid = random.between(1_200, 64_000);
    let uid = match user {
        "root" => 0,
        "www-data" => 33,
        _ => 34,
    };
    let session = |text| Draft::auth(host, "CRON", pid, text);
    plan.at(
        0,
        session(format!(
            "pam_unix(cron:session): session opened for user {user}(uid={uid}) by {user}(uid=0)"
        )),
    );
    plan.at(2, Draft::syslog(host, "CRON", pid + 1, format!("({user}) CMD ({command})")));
    plan.at(
        random.between(40, 900),
        session(format!("pam_unix(cron:session): session closed for user {user}")),
    );
}

pub(super) fn unit(plan: &mut Plan, random: &mut Random) {
    let host = random.pick(HOSTS);
    let (unit, about) = random.pick(UNITS);
    let says = |text| Draft::syslog(host, "systemd", 1, text);
    plan.at(0, says(format!("Starting {unit} - {about}...")));
    let end = random.between(300, 4_000);
    plan.at(end, says(format!("{unit}: Deactivated successfully.")));
    plan.at(end + 1, says(format!("Finished {unit} - {about}.")));
}

pub(super) fn health_check(plan: &mut Plan) {
    for (at, host) in (0..).zip(WEB_HOSTS) {
        let request = request(MONITOR, ("GET", "/health"), (200, 15), "uptime-check/1.4");
        plan.at(at * 20, Draft::web(host, request));
    }
}

/// One address, one port, one to three packets.
pub(super) fn background_noise(plan: &mut Plan, random: &mut Random) {
    let source = random.visitor();
    let port = random.pick(NOISE_PORTS);
    for again in 0..random.between(1, 3) {
        plan.at(again * 1_020, dropped(random, "gate", source, port));
    }
}
