//! Exceptions of the real binary: made beside a running Tocsin, in force within seconds, what they
//! hide is counted and can be seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde_json::json;
use support::{Server, Setup, json_lines, output, tocsin, wait_for};

const RULE: &str = "Login brute force from one address";

/// Failed logins from an address, enough for an alert.
fn attack(log: &Path, address: &str, port: u16) {
    let mut file = OpenOptions::new().create(true).append(true).open(log).unwrap();
    for attempt in 0..8 {
        let time = now();
        writeln!(
            file,
            "{time} web sshd[{}]: Failed password for root from {address} port {} ssh2",
            1000 + attempt,
            port + attempt
        )
        .unwrap();
    }
}

/// The time as syslog writes it with RFC 3339 stamps.
fn now() -> String {
    let now = std::time::SystemTime::now();
    tocsin_model::Timestamp::from_system(now).to_string()
}

#[test]
fn an_exception_hides_what_it_names_and_counts_it() {
    let setup = Setup::new(
        "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  files:\n  \
         - paths: [DIR/auth.log]\n",
    );
    let log = setup.path("auth.log");
    std::fs::write(&log, "").unwrap();
    let server = Server::start(&setup.config);
    attack(&log, "192.0.2.1", 4000);
    wait_for("the first alert", || (!server.alerts().is_empty()).then_some(()));

    let exception = |arguments: &[&str]| {
        let mut command = tocsin();
        command.arg("exception").args(arguments).arg("--config").arg(&setup.config);
        output(&mut command, b"")
    };
    let common = ["--reason", "our scanner", "--owner", "ana"];
    let add = |arguments: &[&str]| exception(&[&["add"], arguments, &common[..]].concat());
    let all_of_it = ["--rule", RULE, "source.ip: 192.0.2.0/24"];
    let (code, out, err) = add(&all_of_it);
    assert_eq!(code, 2, "{out}{err}");
    assert!(err.contains("1 of 1 alerts") && err.contains("--confirm"), "{err}");
    let (code, out, err) = add(&["--rule", "Login brute force", "user.name: x"]);
    assert!(code == 2 && err.contains("no rule in force"), "{out}{err}");
    let (code, out, err) = add(&["source.ip: ("]);
    assert!(code == 2 && err.contains("condition: "), "{out}{err}");
    let (code, out, err) = add(&["--network", "198.51.100.0/24"]);
    assert!(code == 0 && out.contains("hidden 0") && out.contains("in force"), "{out}{err}");

    // A running Tocsin that shows it has taken it over.
    wait_for("the exception to be in force", || {
        let list = server.get("/api/v1/exceptions")?;
        (list["exceptions"].as_array()?.len() == 1).then_some(())
    });
    attack(&log, "198.51.100.9", 5000);
    let taken = wait_for("a hidden alert", || {
        let listed = json_lines(&exception(&["list", "--json"]).1);
        (listed[0]["hidden"] == json!(1)).then_some(listed)
    });
    attack(&log, "203.0.113.5", 6000);
    wait_for("the other attacker", || {
        server.alerts().iter().any(is_of("203.0.113.5")).then_some(())
    });
    assert!(!server.alerts().iter().any(is_of("198.51.100.9")));
    assert!(!setup.alert_log().iter().any(is_of("198.51.100.9")), "told of");
    scans_leave_it_out(&setup, &log);
    let number = taken[0]["id"].to_string();
    let kept = server.get(&format!("/api/v1/alerts?exception={number}")).unwrap();
    assert_eq!(
        (&kept["total"], kept["alerts"][0]["source"]["ip"].as_str()),
        (&json!(1), Some("198.51.100.9"))
    );
    let (code, out, _) = exception(&["remove", &number]);
    assert!(code == 0 && out.contains("had hidden 1 alerts"), "{out}");
    assert_eq!(exception(&["remove", &number]).0, 2);
    server.terminate();
}

fn is_of(address: &str) -> impl Fn(&serde_json::Value) -> bool {
    move |alert| alert["source"]["ip"] == address
}

/// A scan shows everything unless it is told where the exceptions are.
fn scans_leave_it_out(setup: &Setup, log: &Path) {
    let scan = |arguments: &[&std::ffi::OsStr]| {
        let (code, out, err) = output(tocsin().arg("scan").args(arguments).arg(log), b"");
        (code, json_lines(&out).iter().any(is_of("198.51.100.9")), err)
    };
    let config = ["--config".as_ref(), setup.config.as_os_str()];
    let (code, shown, err) = scan(&config);
    assert!(code == 0 && !shown && err.contains("exceptions hid "), "{err}");
    let (code, shown, err) = scan(&[&config[..], &["--ignore-exceptions".as_ref()]].concat());
    assert!(code == 0 && shown && !err.contains("hid"), "{err}");
    let (code, shown, _) = scan(&[]);
    assert!(code == 0 && shown);
    let (code, _, err) = scan(&["--data".as_ref(), "/no/such".as_ref()]);
    assert!(code == 2 && err.contains("no data directory of Tocsin"), "{err}");
}
