//! `tocsin sources` and `tocsin new source`: what is not understood is shown, and what is made of
//! it passes the check and reads those lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use support::{json_lines, output, tocsin};

const LINES: &str = "Nov 21 00:12:00 vm shop[77]: order 12 of 'bob' from 192.0.2.10 refused
Nov 21 00:12:01 vm shop[77]: order 13 of 'anna' from 192.0.2.11 refused
Nov 21 00:12:02 vm sshd[77]: Failed password for root from 192.0.2.10 port 22 ssh2
a bare line (100%) that nobody knows
";

#[test]
fn sources_are_listed() {
    let (code, out, said) = output(tocsin().arg("sources"), b"");
    assert_eq!(code, 0, "{said}");
    assert!(out.lines().any(|line| line.starts_with("openssh.sshd ")), "{out}");
    let (code, out, _) = output(tocsin().args(["sources", "nginx.access"]), b"");
    assert!(code == 0 && out.contains("switch on: "), "{out}");
    let (code, _, said) = output(tocsin().args(["sources", "nonsense"]), b"");
    assert!(code == 2 && said.contains("no such source"), "{said}");
}

#[test]
fn what_is_not_understood_is_shown_by_shape() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("some.log");
    std::fs::write(&path, LINES).unwrap();
    let ask = |more: &[&str]| {
        let mut command = tocsin();
        command.arg("sources").args(more).arg("--unparsed").arg(&path);
        output(&mut command, b"")
    };
    let (code, out, said) = ask(&["--json"]);
    assert_eq!(code, 0, "{said}");
    let shapes = json_lines(&out);
    assert_eq!(shapes.len(), 2, "{out}");
    assert_eq!(shapes[0]["count"], 2);
    assert_eq!(shapes[0]["source"], "linux.syslog");
    assert_eq!(shapes[1]["source"], "unparsed");
    let (_, out, _) = ask(&["--lines"]);
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(out.lines().all(|line| LINES.contains(line)), "{out}");
}

#[test]
fn a_new_source_passes_the_check_and_reads_its_lines() {
    let dir = tempfile::tempdir().unwrap();
    let packs = dir.path().join("packs");
    let samples = [
        ("text", LINES.lines().take(2).collect::<Vec<_>>().join("\n")),
        ("bare", "shop 1.2: it's a (bare) line, 100% of 192.0.2.10\n".to_owned()),
        ("json", "{\"shop\":\"a\",\"ts\":\"2026-11-21T00:12:00Z\",\"n\":1}\n".to_owned()),
    ];
    for (name, lines) in &samples {
        let path = dir.path().join(format!("{name}.log"));
        std::fs::write(&path, lines).unwrap();
        let mut command = tocsin();
        command.args(["new", "source", "acme", name, "--sample"]).arg(&path);
        command.arg("--dir").arg(&packs);
        let (code, out, said) = output(&mut command, b"");
        assert_eq!(code, 0, "{name}: {out}{said}");
        let (code, _, said) = output(&mut command, b"");
        assert!(code == 1 && said.contains("there already"), "{said}");
    }
    let (code, out, said) = output(tocsin().arg("check").arg(&packs), b"");
    assert_eq!(code, 0, "{out}{said}");
    assert!(out.contains("4 sample lines read"), "{out}");
    let events = std::fs::read_to_string(packs.join("acme/sources/text/samples/text.event.json"));
    let events = events.unwrap();
    assert!(events.contains("acme.text") && events.contains("192.0.2.11"), "{events}");
}

#[test]
fn a_batch_in_one_line_is_as_many_events() {
    let logins: Vec<String> = (0..8)
        .map(|second| {
            format!(
                "{{\"eventVersion\":\"1.08\",\"userIdentity\":{{\"type\":\"IAMUser\",\
                 \"userName\":\"alice\"}},\"eventTime\":\"2026-11-21T00:12:0{second}Z\",\
                 \"eventSource\":\"signin.amazonaws.com\",\"eventName\":\"ConsoleLogin\",\
                 \"awsRegion\":\"us-east-1\",\"sourceIPAddress\":\"192.0.2.10\",\
                 \"errorMessage\":\"Failed authentication\",\
                 \"responseElements\":{{\"ConsoleLogin\":\"Failure\"}}}}"
            )
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trail.json");
    // Twice the same, so that it is lines and no document.
    std::fs::write(&path, format!("{{\"Records\":[{}]}}\n{{\"a\":1}}\n", logins.join(",")))
        .unwrap();
    let (_, out, said) = output(tocsin().args(["scan", "--json"]).arg(&path), b"");
    let alerts = json_lines(&out);
    let of = |alert: &serde_json::Value| support::text_at(alert, "source.ip");
    assert!(alerts.iter().any(|alert| of(alert) == "192.0.2.10"), "{out}{said}");
    assert!(said.contains("9 events") || said.contains("9 lines"), "{said}");
    let (_, out, _) = output(tocsin().args(["scan", "--findings"]).arg(&path), b"");
    assert!(out.lines().all(|line| !line.contains("1099511627776")), "{out}");
}
