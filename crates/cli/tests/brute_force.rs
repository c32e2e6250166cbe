//! One generic rule finds brute force on every service that logs logins: for each source, the
//! first failed login in its samples, six times from one address and twice from another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use support::{json_lines, output, text_at, tocsin};
use tocsin_content::FileKind;
use tocsin_model::{Event, Position, Record, Timestamp, Value, field};
use tocsin_parse::{Options, Parser, SAMPLES_RECEIVED};

/// Services that have a login and must be found. Logins to web servers are counted by their access
/// logs, in the rule for HTTP.
const SERVICES: &[&str] = &[
    "asterisk.security",
    "authelia.server",
    "aws.cloudtrail",
    "cef.event",
    "cisco.asa_auth",
    "cisco.ios",
    "cowrie.honeypot",
    "dovecot.mail",
    "dropbear.sshd",
    "fortinet.fortigate",
    "fortinet.fortigate_csv",
    "freeswitch.server",
    "ftp.proftpd",
    "ftp.pureftpd",
    "ftp.vsftpd",
    "github.audit",
    "gitlab.auth",
    "google.workspace",
    "grafana.server",
    "iis.access",
    "json.generic",
    "keycloak.events",
    "kubernetes.audit",
    "leef.event",
    "linux.auditd",
    "linux.pam",
    "linux.syslog",
    "linux.xrdp",
    "logfmt.generic",
    "mail.courier",
    "mail.cyrus",
    "mail.exim",
    "mail.roundcube",
    "mail.sendmail",
    "microsoft.defender",
    "microsoft.exchange",
    "microsoft.m365",
    "microsoft.signin",
    "mikrotik.routeros",
    "mongodb.server",
    "mssql.errorlog",
    "mysql.server",
    "nextcloud.server",
    "okta.system",
    "openssh.sshd",
    "openvpn.server",
    "paloalto.panos",
    "pfsense.webgui",
    "postfix.mail",
    "postgresql.server",
    "proxmox.daemon",
    "samba.smbd",
    "selfhosted.logins",
    "sonicwall.firewall",
    "sophos.sfos",
    "vaultwarden.server",
    "vmware.esxi",
    "wazuh.alerts",
    "webmin.miniserv",
    "windows.eventlog",
    "windows.security",
    "windows.text",
    "wordpress.auth",
    "xmpp.ejabberd",
    "zeek.zeek",
];

/// A failed login of a source, with another address put in.
struct Login {
    source: String,
    line: String,
    ip: String,
}

fn logins() -> Vec<Login> {
    let content = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content");
    let (packs, _) = tocsin_content::read_dir(&content);
    let (parser, _) = Parser::load(&packs, Options::default());
    let mut worker = parser.worker();
    let mut event = Event::default();
    let mut found: Vec<Login> = Vec::new();
    let files = packs.iter().flat_map(|pack| pack.of_kind(FileKind::Sample));
    for file in files.filter(|file| file.inner.ends_with(".log")) {
        for line in file.text().lines() {
            let record = Record {
                input: "stdin".into(),
                position: Position { stream: 0, offset: 0, next: 1 },
                received: Timestamp::parse_rfc3339(SAMPLES_RECEIVED).unwrap(),
                bytes: line.as_bytes().to_vec().into(),
                hint: None,
                peer: None,
                path: None,
            };
            let explained = worker.parse_explained(&record, &mut event);
            let ip = event.get_str(field::SOURCE_IP).unwrap_or("none");
            let failed = event.get_str(field::EVENT_OUTCOME) == Some("failure");
            let once = matches!(event.get(field::TOCSIN_ATTEMPTS), Some(Value::Int(1)));
            let known = found.iter().any(|login| login.source == explained.source);
            if failed && once && !known && line.contains(ip) && ip.contains('.') {
                let source = explained.source;
                found.push(Login { source, line: line.to_owned(), ip: ip.to_owned() });
            }
        }
    }
    found
}

#[test]
fn brute_force_on_every_service() {
    let logins = logins();
    let mut lines = String::new();
    for (number, login) in logins.iter().enumerate() {
        for (network, times) in [("203.0.113", 6), ("198.18.0", 2)] {
            let line = login.line.replace(&login.ip, &format!("{network}.{}", number + 1));
            (0..times).for_each(|_| lines.push_str(&format!("{line}\n")));
        }
    }
    let (_, out, said) = output(tocsin().args(["scan", "-", "--json"]), lines.as_bytes());
    let alerts = json_lines(&out);
    let brute: BTreeSet<String> = alerts
        .iter()
        .filter(|alert| text_at(alert, "rule.name").contains("brute force"))
        .map(|alert| text_at(alert, "source.ip"))
        .collect();
    assert!(brute.iter().all(|ip| ip.starts_with("203.0.113.")), "{brute:?}");
    let fired: BTreeSet<&str> = logins
        .iter()
        .enumerate()
        .filter(|(number, _)| brute.contains(&format!("203.0.113.{}", number + 1)))
        .map(|(_, login)| login.source.as_str())
        .collect();
    let missing: Vec<&&str> = SERVICES.iter().filter(|name| !fired.contains(**name)).collect();
    assert!(missing.is_empty(), "silent: {missing:?}, found: {fired:?}\n{said}");
}
