//! A clock that jumps three days ahead and back again, under the real binary: everything is stored
//! once, every attack is one alert, and nothing is taken for old and deleted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use support::{Server, Setup, skipped, text_at, tocsin, wait_for};
use tocsin_model::Timestamp;

/// Changes what programs are told of the time.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
const CONFIG: &str = "  archive: { after_days: 1 }\n\
                      collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  \
                      files:\n    - { paths: [DIR/auth.log] }\n";
/// Lines of one attack.
const LINES: u64 = 12;

struct Clock(PathBuf);

impl Clock {
    /// Makes it go wrong by so many seconds from now on, at once.
    fn set(&self, seconds: i64) {
        let next = self.0.with_extension("next");
        fs::write(&next, format!("{seconds:+}")).unwrap();
        fs::rename(next, &self.0).unwrap();
    }

    fn start(&self, config: &Path) -> Server {
        let mut command = tocsin();
        command.env("LD_PRELOAD", FAKETIME);
        command.env("FAKETIME_TIMESTAMP_FILE", &self.0);
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command.args(["run", "--config"]).arg(config);
        Server::start_by(command)
    }
}

/// An attack by an address, written with a clock that is wrong by so many seconds.
fn attack(log: &Path, address: &str, seconds: i64) {
    let mut file = OpenOptions::new().create(true).append(true).open(log).unwrap();
    let now = Timestamp::from_system(SystemTime::now());
    let now = Timestamp(now.0 + seconds * 1_000_000_000);
    for number in 0..LINES {
        writeln!(
            file,
            "{now} gate sshd[{number}]: Failed password for root from {address} port 22 ssh2"
        )
        .unwrap();
    }
}

#[test]
fn a_clock_that_jumps_loses_and_doubles_nothing() {
    if !Path::new(FAKETIME).exists() {
        skipped(&format!("no {FAKETIME} (cargo xtask test installs it)"));
        return;
    }
    let setup = Setup::new(CONFIG);
    let (log, clock) = (setup.path("auth.log"), Clock(setup.path("clock")));
    let jumps = [0, 3 * 86_400, -6 * 3600, 0];
    clock.set(0);
    let mut server = clock.start(&setup.config);
    let mut lines = 0;
    for (place, seconds) in jumps.into_iter().enumerate() {
        clock.set(seconds);
        attack(&log, &format!("198.51.100.{place}"), seconds);
        lines += LINES;
        wait_for("the lines to be stored", || (server.stored() >= lines).then_some(()));
        let address = format!("198.51.100.{place}");
        wait_for("its alert", || {
            server.alerts().iter().any(|alert| text_at(alert, "source.ip") == address).then_some(())
        });
        // The same again with a start at this time.
        server.kill();
        server = clock.start(&setup.config);
    }
    let found = wait_for("everything", || {
        let body = br#"{"q":"event.dataset: openssh.sshd","limit":0}"#;
        let (_, text) = server.ask("POST", "/api/v1/search", body)?;
        let found: serde_json::Value = serde_json::from_str(&text).ok()?;
        (found["total"].as_u64()? >= lines).then_some(found)
    });
    assert_eq!(found["total"], lines);
    // What would be stored or told twice would be before this.
    attack(&log, "203.0.113.1", 0);
    lines += LINES;
    wait_for("the last lines to be stored", || (server.stored() >= lines).then_some(()));
    wait_for("their alert", || {
        server.alerts().iter().any(|a| text_at(a, "source.ip") == "203.0.113.1").then_some(())
    });
    let alerts = server.alerts();
    for place in 0..jumps.len() {
        let address = format!("198.51.100.{place}");
        let own = alerts.iter().filter(|alert| text_at(alert, "source.ip") == address);
        assert_eq!(own.count(), 1, "{address}: {alerts:?}");
    }
    let status = server.get("/status").unwrap();
    assert_eq!(
        (&status["store"]["documents"], &status["problem"]),
        (&lines.into(), &serde_json::Value::Null)
    );
}
