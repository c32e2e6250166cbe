//! What trips parsers of logs, one test for each kind (frames have their own file): times, programs, double telling,
//! users, addresses, bytes, access logs, hints.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Case, PARSER, parser, shown};
use jiff::tz::TimeZone;
use tocsin_parse::Options;

/// Checks `name=value` pairs of the event of a line.
fn check(line: &str, expected: &[(&str, &str)]) {
    let (event, _) = Case::of(line).parse(&PARSER);
    for (name, value) in expected {
        assert_eq!(shown(&event, name), *value, "{name} of {line}");
    }
}

/// 2: no year and no zone.
#[test]
fn missing_year_and_zone() {
    let table = [
        ("Dec 31 23:59:59 vm sshd[1]: x", "2027-01-01T00:00:05Z", "UTC", "2026-12-31T23:59:59Z"),
        ("Jan  1 00:00:01 vm sshd[1]: x", "2027-01-01T00:00:05Z", "UTC", "2027-01-01T00:00:01Z"),
        ("Feb 29 12:00:00 vm sshd[1]: x", "2028-03-01T00:00:00Z", "UTC", "2028-02-29T12:00:00Z"),
        (
            "Nov 21 00:11:50 vm sshd[1]: x",
            "2026-11-21T12:00:00Z",
            "Europe/Berlin",
            "2026-11-20T23:11:50Z",
        ),
        (
            "2026-07-21 00:11:50 vm sshd[1]: x",
            "2026-11-21T12:00:00Z",
            "Europe/Berlin",
            "2026-07-20T22:11:50Z",
        ),
        (
            "2026-07-21T00:11:50Z vm sshd[1]: x",
            "2026-11-21T12:00:00Z",
            "Europe/Berlin",
            "2026-07-21T00:11:50Z",
        ),
    ];
    for (line, received, zone, expected) in table {
        let options = Options { zone: TimeZone::get(zone).unwrap(), ..Options::default() };
        let (event, _) = Case { received, ..Case::of(line) }.parse(&parser(options));
        assert_eq!(event.time.to_string(), expected, "{line} {zone}");
    }
}

/// 3 and 4: the names of sshd's processes; servers that take keys only.
#[test]
fn programs_of_sshd_and_key_only_servers() {
    for program in ["sshd", "sshd-session", "sshd-auth"] {
        let line = format!(
            "Nov 21 00:11:50 vm {program}[1]: Connection closed by invalid user pi 192.0.2.10 port 5 [preauth]"
        );
        check(
            &line,
            &[
                ("event.outcome", "failure"),
                ("user.name", "pi"),
                ("source.ip", "192.0.2.10"),
                ("event.action", "ssh_login_aborted"),
                ("process.name", program),
            ],
        );
    }
}

/// 5: one attempt counts once, repeated ones as often as they are told.
#[test]
fn attempts_count_once() {
    let table = [
        ("Failed password for root from 192.0.2.10 port 22 ssh2", "1"),
        ("message repeated 4 times: [ Failed password for root from 192.0.2.10 port 22 ssh2]", "4"),
        (
            "message repeated 2 times: [ Connection closed by authenticating user root 192.0.2.10 port 2 [preauth]]",
            "0",
        ),
        (
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.10  user=root",
            "0",
        ),
        (
            "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.10  user=root",
            "0",
        ),
        (
            "error: maximum authentication attempts exceeded for root from 192.0.2.10 port 22 ssh2 [preauth]",
            "0",
        ),
        ("Connection closed by authenticating user root 192.0.2.10 port 22 [preauth]", "0"),
        ("Invalid user admin from 192.0.2.10 port 22", "0"),
    ];
    for (body, attempts) in table {
        let line = format!("Nov 21 00:11:50 vm sshd[1]: {body}");
        check(&line, &[("tocsin.attempts", attempts), ("event.outcome", "failure")]);
    }
    check(
        "Nov 21 00:11:50 vm webmin[1]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.10  user=root",
        &[("tocsin.attempts", "2"), ("source.ip", "192.0.2.10")],
    );
}

/// 6: the forms of PAM.
#[test]
fn forms_of_pam() {
    let table = [
        (
            "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.10  user=bob",
            "bob",
            "192.0.2.10",
        ),
        (
            "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.10 ",
            "",
            "192.0.2.10",
        ),
        (
            "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=host.example  user=bob",
            "bob",
            "",
        ),
        (
            "login[1]: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=bob",
            "bob",
            "",
        ),
        (
            "sshd(pam_unix)[1]: authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.10  user=bob",
            "bob",
            "192.0.2.10",
        ),
        ("unix_chkpwd[1]: password check failed for user (bob)", "bob", ""),
        (
            "sshd[1]: pam_faillock(sshd:auth): Consecutive login failures for user bob account temporarily locked",
            "bob",
            "",
        ),
        ("vsftpd[1]: pam_listfile(vsftpd:auth): Refused user bob for service vsftpd", "bob", ""),
    ];
    for (rest, user, ip) in table {
        let line = format!("Nov 21 00:11:50 vm {rest}");
        check(
            &line,
            &[
                ("event.dataset", "linux.pam"),
                ("event.category", "authentication"),
                ("event.outcome", "failure"),
                ("user.name", user),
                ("source.ip", ip),
            ],
        );
    }
}

/// 7: user names are whatever the client sent; the address is the last one.
#[test]
fn users_that_lie() {
    let table = [
        ("Invalid user  from 192.0.2.10 port 1", ""),
        ("Invalid user  a from 192.0.2.10 port 1", " a"),
        ("Invalid user a b from 192.0.2.10 port 1", "a b"),
        ("Invalid user root from 198.51.100.9 from 192.0.2.10 port 1", "root from 198.51.100.9"),
        (
            "Invalid user x from 198.51.100.9 port 22 ssh2 from 192.0.2.10 port 1",
            "x from 198.51.100.9 port 22 ssh2",
        ),
        (
            "Failed password for invalid user x from 198.51.100.9 port 22 ssh2 from 192.0.2.10 port 1 ssh2",
            "x from 198.51.100.9 port 22 ssh2",
        ),
        ("Failed password for invalid user  from 192.0.2.10 port 1 ssh2", ""),
        (
            "Connection closed by invalid user x 198.51.100.9 port 5 192.0.2.10 port 1 [preauth]",
            "x 198.51.100.9 port 5",
        ),
    ];
    for (body, user) in table {
        let line = format!("Nov 21 00:11:50 vm sshd[1]: {body}");
        check(&line, &[("user.name", user), ("source.ip", "192.0.2.10"), ("source.port", "1")]);
    }
}

/// 8: addresses in every dress; names never become addresses.
#[test]
fn addresses() {
    let table = [
        ("192.0.2.10", "192.0.2.10"),
        ("::ffff:192.0.2.10", "192.0.2.10"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("host.example.org", ""),
        ("999.1.1.1", ""),
        ("UNKNOWN", ""),
    ];
    for (written, ip) in table {
        let line =
            format!("Nov 21 00:11:50 vm sshd[1]: Failed password for a from {written} port 5 ssh2");
        check(&line, &[("source.ip", ip), ("user.name", "a"), ("related.ip", ip)]);
    }
    check(
        "Nov 21 00:11:50 vm sshd[1]: Failed password for a from host.example.org port 5 ssh2",
        &[("source.address", "host.example.org"), ("source.domain", "host.example.org")],
    );
}

/// 9: odd bytes are kept.
#[test]
fn odd_bytes() {
    let table: &[(&[u8], &str)] = &[
        (b"Nov 21 00:11:50 vm sshd[1]: Failed password for a\xff from 192.0.2.10 port 5 ssh2\r\n", "a\\xff"),
        (b"Nov 21 00:11:50 vm sshd[1]: Failed password for a\0b from 192.0.2.10 port 5 ssh2\n", "a\0b"),
        ("Nov 21 00:11:50 vm sshd[1]: Failed password for é from 192.0.2.10 port 5 ssh2".as_bytes(), "é"),
    ];
    for (line, user) in table {
        let (event, _) = Case { line, ..Case::of("") }.parse(&PARSER);
        assert_eq!(shown(&event, "user.name"), *user);
        assert_eq!(shown(&event, "source.ip"), "192.0.2.10");
    }
    let long = format!(
        "Nov 21 00:11:50 vm sshd[1]: Failed password for {} from 192.0.2.10 port 5 ssh2",
        "x".repeat(20_000)
    );
    check(&long, &[("source.ip", "192.0.2.10")]);
    for line in ["", " ", "\n", "{", "{}", "[]", "null", "<", "<34>", "<999>x", "\u{feff}"] {
        let (event, _) = Case::of(line).parse(&PARSER);
        assert!(!shown(&event, "event.dataset").is_empty(), "{line:?}");
    }
}

/// 10: access logs.
#[test]
fn access_logs() {
    let time = "[21/Nov/2026:00:13:56 +0000]";
    let table = [
        (
            format!(r#"192.0.2.10 - - {time} "GET /a?b=c HTTP/1.1" 200 39 "-" "x""#),
            "192.0.2.10",
            "GET",
            "/a?b=c",
            "success",
        ),
        (
            format!(r#"example.org:443 192.0.2.10 - - {time} "GET / HTTP/2.0" 404 39 "-" "x""#),
            "192.0.2.10",
            "GET",
            "/",
            "failure",
        ),
        (
            format!(r#"10.0.0.1 192.0.2.10 - - {time} "GET / HTTP/2.0" 404 39 "-" "x" 0.001"#),
            "192.0.2.10",
            "GET",
            "/",
            "failure",
        ),
        (
            format!(r#"2001:db8::10 - bob {time} "POST /x HTTP/1.1" 401 0"#),
            "2001:db8::10",
            "POST",
            "/x",
            "failure",
        ),
        (format!(r#"192.0.2.10 - - {time} "" 400 0 "-" "-""#), "192.0.2.10", "", "", "failure"),
        (
            format!(r#"192.0.2.10 - - {time} "{}" 400 0 "-" "-""#, r"\x16\x03\x01".repeat(300)),
            "192.0.2.10",
            "",
            "",
            "failure",
        ),
        (
            format!(
                r#"192.0.2.10 - - {time} "GET /a\" b HTTP/1.1" 400 0 "-" "{}""#,
                r#"\""#.repeat(2000)
            ),
            "192.0.2.10",
            "GET",
            r#"/a\" b"#,
            "failure",
        ),
    ];
    for (line, ip, method, url, outcome) in table {
        check(
            &line,
            &[
                ("source.ip", ip),
                ("http.request.method", method),
                ("url.original", url),
                ("event.outcome", outcome),
                ("event.category", "web"),
                ("event.dataset", "nginx.access"),
                ("@timestamp", "2026-11-21T00:13:56Z"),
            ],
        );
    }
}

/// nginx's and Apache's access lines look the same: the path or the hint tells.
#[test]
fn apache_by_path_or_hint() {
    let line = r#"192.0.2.10 - - [21/Nov/2026:00:13:56 +0000] "GET / HTTP/1.1" 200 39 "-" "x""#;
    let table = [
        (None, None, "nginx.access"),
        (Some("/var/log/apache2/access.log"), None, "apache.access"),
        (Some("/var/log/httpd/access_log"), None, "apache.access"),
        (Some("/var/log/nginx/access.log"), None, "nginx.access"),
        (None, Some("apache"), "apache.access"),
        (None, Some("web"), "nginx.access"),
        (None, Some("nginx.access"), "nginx.access"),
        (None, Some("apache.access"), "apache.access"),
    ];
    for (path, hint, expected) in table {
        let (_, explained) = Case { path, hint, ..Case::of(line) }.parse(&PARSER);
        assert_eq!(explained.source, expected, "{path:?} {hint:?}");
    }
}

/// Hints narrow the choice, and lose nothing.
#[test]
fn hints() {
    let ssh = "Failed password for root from 192.0.2.10 port 22 ssh2";
    let framed =
        "Nov 21 00:11:50 vm sshd[1]: Failed password for root from 192.0.2.10 port 22 ssh2";
    let json = r#"{"remote_addr":"192.0.2.10","method":"GET","uri":"/","status":200}"#;
    let app = r#"{"event_type":"login_failed","src_ip":"192.0.2.10"}"#;
    let table = [
        (ssh, "auth", "openssh.sshd"),
        (ssh, "ssh", "openssh.sshd"),
        (framed, "auth", "openssh.sshd"),
        (framed, "syslog", "openssh.sshd"),
        (framed, "openssh.sshd", "openssh.sshd"),
        (framed, "unknown-hint", "openssh.sshd"),
        (json, "web", "nginx.access"),
        (json, "nginx", "nginx.access"),
        (app, "json", "json.generic"),
        (app, "app", "json.generic"),
        (app, "auth", "json.generic"),
        ("gibberish", "auth", "unparsed"),
        ("gibberish", "nginx.access", "unparsed"),
        ("gibberish", "none", "unparsed"),
    ];
    for (line, hint, expected) in table {
        let (event, explained) = Case { hint: Some(hint), ..Case::of(line) }.parse(&PARSER);
        assert_eq!(explained.source, expected, "{line} {hint}");
        assert_eq!(shown(&event, "tocsin.parse.error").is_empty(), expected != "unparsed");
    }
}

/// The flat names that applications send.
#[test]
fn flat_names_in_json() {
    check(
        r#"{"timestamp":"2026-11-21T00:12:00Z","src_ip":"192.0.2.10","dest_ip":"198.51.100.1","src_port":"44444","dest_port":443,"user":"bob","http_method":"GET","url":"/a?b=c","status_code":403,"bytes":12,"host":"app-1","source":"shop","event_type":"web_request","ua":"curl/8","referer":"http://x/"}"#,
        &[
            ("@timestamp", "2026-11-21T00:12:00Z"),
            ("source.ip", "192.0.2.10"),
            ("destination.ip", "198.51.100.1"),
            ("source.port", "44444"),
            ("destination.port", "443"),
            ("user.name", "bob"),
            ("http.request.method", "GET"),
            ("url.original", "/a?b=c"),
            ("url.path", "/a"),
            ("url.query", "b=c"),
            ("http.response.status_code", "403"),
            ("http.response.body.bytes", "12"),
            ("host.name", "app-1"),
            ("event.action", "web_request"),
            ("event.category", "web"),
            ("event.outcome", "failure"),
            ("user_agent.original", "curl/8"),
            ("http.request.referrer", "http://x/"),
            ("related.ip", "198.51.100.1,192.0.2.10"),
            ("related.user", "bob"),
            // The sender's own names stay beside.
            ("src_ip", "192.0.2.10"),
            ("user", "bob"),
        ],
    );
}

/// A sender may say what line its event was made from.
#[test]
fn raw_line_in_json() {
    let line = r#"{"event_type":"x","raw":"the \"line\"","src_ip":"192.0.2.10","tags":["a","b"]}"#;
    let (event, _) = Case::of(line).parse(&PARSER);
    assert_eq!(event.original(), "the \"line\"");
    assert_eq!(shown(&event, "source.ip"), "192.0.2.10");
    assert_eq!(shown(&event, "tags"), "a,b");
    let line = r#"{"source":"auth","raw":"Nov 21 00:11:50 vm sshd[1]: Failed password for a from 192.0.2.10 port 5 ssh2"}"#;
    check(line, &[("event.dataset", "openssh.sshd"), ("source.ip", "192.0.2.10")]);
}

/// JSON that a program logs because somebody sent it says neither whose line this is nor when it
/// was written, nor what Tocsin itself keeps about events.
#[test]
fn json_in_a_frame_is_not_believed_about_the_frame() {
    let line = r#"Nov 21 00:11:50 gate myapp[5]: {"@timestamp":"2031-01-01T00:00:00Z","host":{"name":"other"},"raw":"innocent","source.ip":"192.0.2.9","event.category":"authentication","tocsin.attempts":-1000,"tocsin":{"input":"x"}}"#;
    check(
        line,
        &[
            ("host.name", "gate"),
            ("host.hostname", "gate"),
            ("source.ip", "192.0.2.9"),
            ("tocsin.attempts", "0"),
        ],
    );
    let (event, _) = Case::of(line).parse(&PARSER);
    assert_eq!(event.original(), line);
    assert_eq!(event.time.to_string(), "2026-11-21T00:11:50Z");
    assert_ne!(shown(&event, "tocsin.input"), "x");
    let attempts = [("5", "5"), ("99999999999", "10000"), ("\"many\"", "1")];
    for (written, expected) in attempts {
        let line =
            format!(r#"{{"event_type":"login_failed","src_ip":"192.0.2.9","attempts":{written}}}"#);
        check(&line, &[("tocsin.attempts", expected)]);
    }
    let line = "Nov 21 00:11:50 vm sshd[1]: message repeated 2000000000 times: [ Failed password for root from 192.0.2.1 port 22 ssh2]";
    check(line, &[("tocsin.attempts", "10000")]);
}

/// A hint for JSON makes no columns of words that stand in it, or of words alone.
#[test]
fn words_are_no_csv() {
    for line in ["{\"message\":\"while it runs\",\"user\":\"zoe\"}", "{\"message\":\"runs\"}"] {
        let case = Case { hint: Some("json"), ..Case::of(line) };
        let (event, _) = case.parse(&PARSER);
        assert_eq!(shown(&event, "event.dataset"), "json.generic", "{line}");
        assert!(shown(&event, "message").contains("runs"), "{line}");
    }
    let (event, explained) =
        Case { hint: Some("json"), ..Case::of("while it runs") }.parse(&PARSER);
    assert_eq!((explained.source.as_str(), shown(&event, "ts").as_str()), ("unparsed", ""));
}
