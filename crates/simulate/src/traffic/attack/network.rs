//! Attacks that only the packet filter sees.

use std::net::Ipv4Addr;

use super::Script;
use crate::traffic::lines::dropped;
use crate::traffic::random::Random;

/// Ports that scans begin with.
const PORTS: &[u32] = &[
    21, 22, 23, 25, 53, 80, 110, 111, 135, 139, 143, 389, 443, 445, 993, 995, 1433, 1521, 2049,
    2375, 3306, 3389, 5432, 5900, 5985, 6379, 6443, 8080, 8443, 9200, 11_211, 27_017,
];

pub(super) fn port_scan(script: &mut Script, source: Ipv4Addr, random: &mut Random) {
    let mut ports = PORTS.to_vec();
    for at in (1..ports.len()).rev() {
        let other = random.between(0, u32::try_from(at).unwrap_or(0)) as usize;
        ports.swap(at, other);
    }
    for port in ports {
        script.after(12, dropped(random, "gate", source, port));
    }
}
