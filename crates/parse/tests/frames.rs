//! Whatever the frame, the body reads the same.

mod common;

use common::{Case, PARSER, shown};
use tocsin_model::field;

/// A line with `{}` for the body, the frames found, the time.
const FRAMES: &[(&str, &str, &str)] = &[
    ("Nov 21 00:11:50 vm sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    ("Nov  1 00:11:50 vm sshd[5]: {}", "rfc3164", "2026-11-01T00:11:50Z"),
    ("<38>Nov 21 00:11:50 vm sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    ("<38>2026-11-21T00:11:50Z vm sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    ("Nov 21 00:11:50.250 vm sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50.25Z"),
    ("Nov 21 00:11:50 <auth.info> vm sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    ("Nov 21 00:11:50 vm auth|security:info sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    ("2026 Nov 21 00:11:50 vm  authpriv info  sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    ("Nov 21 00:11:50 vm daemon notice sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    (
        "Nov 21 00:11:50 relay Message forwarded from vm: sshd[5]: {}",
        "rfc3164",
        "2026-11-21T00:11:50Z",
    ),
    ("Nov 21 2026 00:11:50 vm sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    ("2026-11-21T01:11:50.25+01:00 vm sshd[5]: {}", "iso", "2026-11-21T00:11:50.25Z"),
    ("2026-11-21T01:11:50+0100 vm sshd[5]: {}", "iso", "2026-11-21T00:11:50Z"),
    ("2026-11-21 00:11:50 vm sshd[5]: {}", "iso", "2026-11-21T00:11:50Z"),
    ("Sat 2026-11-21 00:11:50 UTC vm sshd[5]: {}", "journal short-full", "2026-11-21T00:11:50Z"),
    ("1795219910.250000 vm sshd[5]: {}", "journal short-unix", "2026-11-21T00:11:50.25Z"),
    ("[ 12.345] vm sshd[5]: {}", "journal short-monotonic", "2026-11-21T12:00:00Z"),
    ("<38>1 2026-11-21T00:11:50Z vm sshd 5 - - {}", "rfc5424", "2026-11-21T00:11:50Z"),
    ("<38>1 2026-11-21T00:11:50Z vm sshd 5 - - \u{feff}{}", "rfc5424", "2026-11-21T00:11:50Z"),
    (
        r#"<38>1 2026-11-21T00:11:50Z vm sshd 5 id [x@1 a="b ] \" c"][y] {}"#,
        "rfc5424",
        "2026-11-21T00:11:50Z",
    ),
    (
        r#"{"MESSAGE":"{}","SYSLOG_IDENTIFIER":"sshd","_PID":"5","_HOSTNAME":"vm","__REALTIME_TIMESTAMP":"1795219910000000"}"#,
        "journal json",
        "2026-11-21T00:11:50Z",
    ),
    (
        r#"{"timestamp":"2026-11-21T00:11:50+00:00","host":"vm","program":"sshd","pid":"5","message":" {}"}"#,
        "syslog json",
        "2026-11-21T00:11:50Z",
    ),
    (
        r#"{"time":"2026-11-21T00:11:50Z","hostname":"vm","ident":"sshd[5]:","message":"{}"}"#,
        "syslog json",
        "2026-11-21T00:11:50Z",
    ),
    (
        r#"{"log":"Nov 21 00:11:50 vm sshd[5]: {}\n","stream":"stdout","time":"2026-11-21T00:12:00Z"}"#,
        "json > rfc3164",
        "2026-11-21T00:11:50Z",
    ),
    (
        r#"{"version":"1.1","host":"vm","short_message":"{}","timestamp":1795219910,"_application_name":"sshd","pid":5}"#,
        "syslog json",
        "2026-11-21T00:11:50Z",
    ),
    (
        r#"{"textPayload":"Nov 21 00:11:50 vm sshd[5]: {}","timestamp":"2026-11-21T00:12:00Z","logName":"x"}"#,
        "json > rfc3164",
        "2026-11-21T00:11:50Z",
    ),
    (
        "2026-11-21T00:12:00.5Z stdout F Nov 21 00:11:50 vm sshd[5]: {}",
        "cri > rfc3164",
        "2026-11-21T00:11:50Z",
    ),
    (
        "<13>Nov 21 00:12:00 relay Nov 21 00:11:50 vm sshd[5]: {}",
        "rfc3164 > rfc3164",
        "2026-11-21T00:11:50Z",
    ),
    ("Nov 21 00:11:50 vm <auth.info> sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    ("Nov 21 00:11:50 vm [auth.info] sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    ("11/21/2026 00:11:50 vm sshd[5]: {}", "syslog", "2026-11-21T00:11:50Z"),
    ("21/Nov/2026:01:11:50 +0100 vm sshd[5]: {}", "syslog", "2026-11-21T00:11:50Z"),
    ("20261121T001150Z vm sshd[5]: {}", "syslog", "2026-11-21T00:11:50Z"),
    ("125 <38>1 2026-11-21T00:11:50Z vm sshd 5 - - {}", "rfc5424", "2026-11-21T00:11:50Z"),
    ("94 <38>Nov 21 00:11:50 vm sshd[5]: {}", "rfc3164", "2026-11-21T00:11:50Z"),
    (
        "2026 Nov 21 00:12:00 (agent) 192.0.2.200->/var/log/auth.log Nov 21 00:11:50 vm sshd[5]: {}",
        "archive > rfc3164",
        "2026-11-21T00:11:50Z",
    ),
    (
        "2026 Nov 21 00:12:00 relay->/var/log/auth.log Nov 21 00:11:50 vm sshd[5]: {}",
        "archive > rfc3164",
        "2026-11-21T00:11:50Z",
    ),
    (
        r#"{"time":1795219920,"host":"relay","sourcetype":"linux_secure","event":"Nov 21 00:11:50 vm sshd[5]: {}"}"#,
        "json > rfc3164",
        "2026-11-21T00:11:50Z",
    ),
    (
        r#"@cee:{"time":"2026-11-21T00:11:50Z","hostname":"vm","ident":"sshd[5]:","message":"{}"}"#,
        "syslog json",
        "2026-11-21T00:11:50Z",
    ),
    // A line without a year is as old as what is around it.
    (
        r#"{"@timestamp":"2023-11-21T00:12:00Z","message":"Nov 21 00:11:50 vm sshd[5]: {}"}"#,
        "json > rfc3164",
        "2023-11-21T00:11:50Z",
    ),
    ("{}", "", "2026-11-21T12:00:00Z"),
];

#[test]
fn frames() {
    let body = "Failed password for root from 192.0.2.10 port 22 ssh2";
    for (frame, name, time) in FRAMES {
        let line = frame.replace("{}", body);
        // Only a frame says whose line it is; without one the path must.
        let path = name.is_empty().then_some("/var/log/auth.log");
        let (event, explained) = Case { path, ..Case::of(&line) }.parse(&PARSER);
        assert_eq!(
            (explained.frame.as_str(), explained.source.as_str()),
            (*name, "openssh.sshd"),
            "{line}"
        );
        let fields = [
            ("@timestamp", *time),
            ("user.name", "root"),
            ("source.ip", "192.0.2.10"),
            ("source.port", "22"),
            ("event.category", "authentication"),
            ("event.outcome", "failure"),
            ("tocsin.attempts", "1"),
            ("log.source.address", "203.0.113.1"),
        ];
        for (field, value) in fields {
            assert_eq!(shown(&event, field), value, "{field} of {line}");
        }
        if !name.is_empty() {
            assert_eq!(shown(&event, "host.name"), "vm", "{line}");
            assert_eq!(shown(&event, "process.pid"), "5", "{line}");
            assert_eq!(shown(&event, "process.name"), "sshd", "{line}");
            assert_eq!(shown(&event, "message"), body, "{line}");
        }
    }
}

#[test]
fn what_rsyslog_writes_to_elasticsearch_unless_told_otherwise() {
    // Without the program, and with the blank that followed the tag.
    let line = r#"{"message":" Failed password for root from 192.0.2.10 port 22 ssh2","fromhost":"vm","facility":"authpriv","priority":"info","timereported":"2026-11-21T00:11:50+00:00","timegenerated":"2026-11-21T00:11:51+00:00"}"#;
    let (event, explained) = Case::of(line).parse(&PARSER);
    assert_eq!(explained.source, "openssh.sshd");
    for (field, value) in [
        ("@timestamp", "2026-11-21T00:11:50Z"),
        ("source.ip", "192.0.2.10"),
        ("user.name", "root"),
        ("event.outcome", "failure"),
        ("host.name", "vm"),
    ] {
        assert_eq!(shown(&event, field), value, "{field}");
    }
}

/// What stands beside the line in its envelope is the sender's word: addresses are addresses.
#[test]
fn an_envelope_brings_no_address_that_is_none() {
    let line = "Nov 21 00:11:50 vm cron[5]: ran";
    for (said, kept) in
        [("192.0.[.10", ""), ("::ffff:192.0.2.10", "192.0.2.10"), ("2001:DB8::7", "2001:db8::7")]
    {
        let text = format!(r#"{{"log":"{line}\n","stream":"stdout","source":{{"ip":"{said}"}}}}"#);
        let (event, explained) = Case::of(&text).parse(&PARSER);
        assert!(explained.frame.contains(" > "), "{explained:?}");
        assert_eq!(event.get_str(field::SOURCE_IP).unwrap_or(""), kept, "{text}");
    }
}
