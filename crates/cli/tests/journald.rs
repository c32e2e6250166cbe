//! The systemd journal: a real `systemd-journald` in a mount namespace of its own, followed by the
//! real binary. What is logged while Tocsin is away, or killed at any moment, is stored once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{Server, Setup, output, skipped, text_at, wait_for};

const JOURNALD: &str = "/lib/systemd/systemd-journald";
const CONFIG: &str = "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  \
                      journald: { mode: \"on\" }\n";
/// What programs find the journal by.
const SOCKET: &str = "/run/systemd/journal/socket";

/// A journal that only those who enter its namespace see.
struct Journal {
    holder: Child,
}

impl Journal {
    /// Starts one; `None`, with a notice, where this machine has none or lets nobody.
    fn start() -> Option<Self> {
        if !Path::new(JOURNALD).exists() {
            skipped(&format!("no {JOURNALD}"));
            return None;
        }
        let script = format!(
            "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal && \
             exec {JOURNALD}"
        );
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut journal = Self { holder: command.spawn().ok()? };
        let seen = format!("/proc/{}/root{SOCKET}", journal.holder.id());
        let up = wait_for("the journal, or its end", || {
            if journal.holder.try_wait().unwrap().is_some() {
                return Some(false);
            }
            // Without the namespace, this is the machine's own.
            let own = journal.enter("mountpoint").args(["-q", "/run"]).output().ok()?;
            (own.status.success() && Path::new(&seen).exists()).then_some(true)
        });
        if !up {
            skipped("this machine lets nobody run a journal in a namespace of its own");
            return None;
        }
        Some(journal)
    }

    /// A program in the sight of this journal.
    fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.holder.id().to_string());
        command.args(["--user", "--mount", "--preserve-credentials", program]);
        command.env_remove("TOCSIN_CONFIG");
        command
    }

    /// Logs failed logins as sshd does.
    fn attack(&self, address: &str, lines: u64) {
        let text: String = (0..lines)
            .map(|port| format!("Failed password for root from {address} port {} ssh2\n", port + 1))
            .collect();
        let mut command = self.enter("systemd-cat");
        command.args(["--identifier=sshd", "--priority=info", "cat"]);
        let (code, _, errors) = output(&mut command, text.as_bytes());
        assert_eq!(code, 0, "{errors}");
    }

    fn tocsin(&self, config: &Path) -> Server {
        let mut command = self.enter(env!("CARGO_BIN_EXE_tocsin"));
        command.args(["run", "--config"]).arg(config);
        Server::start_by(command)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn the_journal_is_followed_and_nothing_is_lost_or_doubled() {
    let Some(journal) = Journal::start() else { return };
    let setup = Setup::new(CONFIG);
    // What was logged before the first start is read, too.
    journal.attack("198.51.100.1", 3);
    let mut lines = 3;
    for round in 2..5 {
        let server = journal.tocsin(&setup.config);
        let address = format!("198.51.100.{round}");
        journal.attack(&address, 8);
        lines += 8;
        wait_for("the alert", || {
            let alerts = server.alerts();
            alerts.iter().any(|alert| text_at(alert, "source.ip") == address).then_some(())
        });
        // The first time most likely before the commit, then after it.
        if round > 2 {
            wait_for("the lines to be stored", || (server.stored() >= lines).then_some(()));
        }
        server.kill();
        journal.attack(&format!("198.51.100.{}", 10 + round), 4);
        lines += 4;
    }
    let server = journal.tocsin(&setup.config);
    let total = |server: &Server| {
        let page = server.get("/api/v1/events?q=event.dataset:openssh.sshd&limit=1&last=7d")?;
        page["total"].as_u64()
    };
    wait_for("everything to be stored", || (total(&server)? >= lines).then_some(()));
    // What would come twice would have come before this.
    journal.attack("198.51.100.99", 1);
    wait_for("the last line", || (total(&server)? > lines).then_some(()));
    assert_eq!(total(&server), Some(lines + 1));
    for round in 2..5 {
        let address = format!("198.51.100.{round}");
        let alerts = server.alerts();
        let own = alerts.iter().filter(|alert| text_at(alert, "source.ip") == address);
        assert_eq!(own.count(), 1, "{address}: {alerts:?}");
    }
    let page = server.get("/api/v1/events?q=source.ip:198.51.100.99&limit=1").unwrap();
    let event = &page["events"][0];
    assert_eq!(text_at(event, "process.name"), "sshd", "{page}");
    assert_eq!(text_at(event, "source.port"), "1", "{page}");
}
