//! Lines that ordinary traffic and attacks both log.

use std::net::Ipv4Addr;

use super::item::{Draft, Request};
use super::place::address_of;
use super::random::Random;

/// One connection to an SSH server.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// Host connected to.
    pub host: &'static str,
    /// Process that serves it.
    pub pid: u32,
    /// Who connects.
    pub source: Ipv4Addr,
    /// From which port.
    pub port: u32,
}

impl Ssh {
    /// A new connection.
    pub fn new(random: &mut Random, host: &'static str, source: Ipv4Addr) -> Self {
        Self { host, pid: random.between(1_200, 64_000), source, port: random.client_port() }
    }

    fn says(&self, text: String) -> Draft {
        Draft::auth(self.host, "sshd", self.pid, text)
    }

    /// PAM's line beside a refused password.
    pub fn pam_failure(&self, user: &str) -> Draft {
        let source = self.source;
        self.says(format!(
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={source}  user={user}"
        ))
    }

    /// A user that does not exist.
    pub fn invalid_user(&self, user: &str) -> Draft {
        let Self { source, port, .. } = self;
        self.says(format!("Invalid user {user} from {source} port {port}"))
    }

    /// A refused password; `known` says whether the user exists.
    pub fn failed(&self, user: &str, known: bool) -> Draft {
        let Self { source, port, .. } = self;
        let invalid = if known { "" } else { "invalid user " };
        self.says(format!("Failed password for {invalid}{user} from {source} port {port} ssh2"))
    }

    /// A login; `key` is the fingerprint where one was used.
    pub fn accepted(&self, user: &str, key: Option<&str>) -> Draft {
        let Self { source, port, .. } = self;
        self.says(match key {
            Some(key) => format!(
                "Accepted publickey for {user} from {source} port {port} ssh2: ED25519 SHA256:{key}"
            ),
            None => format!("Accepted password for {user} from {source} port {port} ssh2"),
        })
    }

    /// PAM opens the session.
    pub fn opened(&self, user: &str, uid: u32) -> Draft {
        self.says(format!(
            "pam_unix(sshd:session): session opened for user {user}(uid={uid}) by {user}(uid=0)"
        ))
    }

    /// PAM closes the session.
    pub fn closed(&self, user: &str) -> Draft {
        self.says(format!("pam_unix(sshd:session): session closed for user {user}"))
    }

    /// The client ends the session.
    pub fn disconnected(&self, user: &str) -> [Draft; 2] {
        let Self { source, port, .. } = self;
        [
            self.says(format!(
                "Received disconnect from {source} port {port}:11: disconnected by user"
            )),
            self.says(format!("Disconnected from user {user} {source} port {port}")),
        ]
    }

    /// The client goes without having logged in.
    pub fn given_up(&self, user: &str, known: bool) -> Draft {
        let Self { source, port, .. } = self;
        let which = if known { "authenticating" } else { "invalid" };
        self.says(format!(
            "Connection closed by {which} user {user} {source} port {port} [preauth]"
        ))
    }
}

/// A TCP packet that ufw dropped.
pub fn dropped(random: &mut Random, host: &'static str, source: Ipv4Addr, port: u32) -> Draft {
    let (target, ttl, id) = (address_of(host), random.between(38, 246), random.between(1, 65_535));
    let (from, uptime) = (random.client_port(), random.between(100_000, 900_000));
    let (micros, window) =
        (random.between(0, 999_999), random.pick(&[1024, 14_600, 29_200, 65_535]));
    Draft::firewall(
        host,
        format!(
            "[{uptime}.{micros:06}] [UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:2b:7f:10:52:54:00:9c:01:ee:08:00 \
             SRC={source} DST={target} LEN=44 TOS=0x00 PREC=0x00 TTL={ttl} ID={id} PROTO=TCP \
             SPT={from} DPT={port} WINDOW={window} RES=0x00 SYN URGP=0"
        ),
    )
}

/// A request without a user or a page that led there.
pub fn request(
    source: Ipv4Addr,
    (method, target): (&'static str, &str),
    (status, bytes): (u16, u32),
    agent: &'static str,
) -> Request {
    let (target, referrer) = (target.to_owned(), String::new());
    Request { source, user: None, method, target, status, bytes, referrer, agent }
}
