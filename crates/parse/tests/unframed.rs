//! Lines without a frame say nothing of who wrote them: they are taken as sshd's only where the
//! sender, the configuration or the path says so, or on standard input. Else whoever prints its users' input at the
//! start of a line could be made to report logins that never were.

mod common;

use common::{Case, PARSER, shown};

const BARE: &str = "Failed password for root from 192.0.2.10 port 22 ssh2";

#[test]
fn bare_lines_of_sshd() {
    let table = [
        (None, None, "unparsed"),
        (None, Some("/srv/app/app.log"), "unparsed"),
        (None, Some("/srv/auth-service/app.log"), "unparsed"),
        (None, Some("/var/log/auth.log"), "openssh.sshd"),
        (None, Some("/var/log/auth.log.1"), "openssh.sshd"),
        (None, Some("auth.log"), "openssh.sshd"),
        // What somebody gives by hand.
        (None, Some("stdin"), "openssh.sshd"),
        (None, Some("/var/log/secure"), "openssh.sshd"),
        (None, Some("/var/log/secure-20261121"), "openssh.sshd"),
        (None, Some("/var/log/sshd.log"), "openssh.sshd"),
        (Some("auth"), None, "openssh.sshd"),
        (Some("ssh"), Some("/srv/app/app.log"), "openssh.sshd"),
        (Some("openssh.sshd"), Some("/srv/app/app.log"), "openssh.sshd"),
        (Some("web"), Some("/var/log/auth.log"), "unparsed"),
        (Some("app"), None, "unparsed"),
    ];
    for (hint, path, expected) in table {
        let (event, explained) = Case { hint, path, ..Case::of(BARE) }.parse(&PARSER);
        assert_eq!(explained.source, expected, "{hint:?} {path:?}");
        let attempts = if expected == "unparsed" { "" } else { "1" };
        assert_eq!(shown(&event, "tocsin.attempts"), attempts, "{hint:?} {path:?}");
    }
}

/// What a program's name is told for needs no path, in any envelope.
#[test]
fn lines_in_a_frame() {
    let table = [
        (format!("sshd[1]: {BARE}"), "openssh.sshd"),
        (format!(r#"{{"program":"sshd","message":"{BARE}"}}"#), "openssh.sshd"),
        (format!(r#"{{"source":"sshd","raw":"{BARE}"}}"#), "openssh.sshd"),
        (format!(r#"{{"source":"auth","raw":"{BARE}"}}"#), "openssh.sshd"),
        (format!(r#"{{"source":"shop","message":"{BARE}"}}"#), "json.generic"),
        (format!("Nov 21 00:11:50 vm shop[1]: {BARE}"), "linux.syslog"),
    ];
    for (line, expected) in table {
        let (_, explained) = Case::of(&line).parse(&PARSER);
        assert_eq!(explained.source, expected, "{line}");
    }
}
