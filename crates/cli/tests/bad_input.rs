//! Bad input gives a clear message and harms nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};

use support::{Server, Setup, json_lines, output, tocsin, wait_for};

const NO_INPUTS: &str = "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n";

/// Runs `tocsin run` with a configuration that must be refused; what it said.
fn refused(setup: &Setup) -> String {
    let (code, _, errors) = output(tocsin().args(["run", "--config"]).arg(&setup.config), b"");
    assert!(code == 1 || code == 2, "exit {code}: {errors}");
    errors
}

#[test]
fn mistakes_in_the_configuration_are_named() {
    let table = [
        ("sever: {}\n", "unknown key \"sever\", did you mean \"server\"?"),
        ("collect:\n  files:\n    - path: [x]\n", "did you mean \"paths\"?"),
        ("alerts:\n  allow_list: [10.0.0.0/99]\n", "is neither an address nor a network"),
        ("notify:\n  channels:\n    ops:\n      type: emial\n", "did you mean \"email\"?"),
        ("notify:\n  channels:\n    ops:\n      type: webhook\n", "url"),
    ];
    for (text, expected) in table {
        let said = refused(&Setup::new(text));
        assert!(said.contains(expected), "{text:?} said {said}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let setup = Setup::new(NO_INPUTS);
    let text = fs::read_to_string(&setup.config).unwrap();
    fs::write(&setup.config, text.replace("127.0.0.1:0", &addr.to_string())).unwrap();
    let said = refused(&setup);
    assert!(said.contains(&addr.to_string()) && said.contains("in use"), "{said}");
}

#[test]
fn a_data_directory_that_cannot_be_used_is_named() {
    let setup = Setup::new(NO_INPUTS);
    fs::write(setup.path("data"), "a file stands here").unwrap();
    let said = refused(&setup);
    assert!(said.contains("/data") && said.contains("server.data_dir"), "{said}");
}

#[test]
fn a_data_directory_in_use_is_named() {
    let setup = Setup::new(NO_INPUTS);
    let _server = Server::start(&setup.config);
    let said = refused(&setup);
    assert!(said.contains("another process has this data directory open"), "{said}");
}

#[test]
fn hostile_bytes_on_every_input_harm_nothing() {
    let setup = Setup::new(
        "collect:\n  discover: false\n  syslog: { udp: 127.0.0.1:0, tcp: 127.0.0.1:0 }\n  \
         files:\n    - { paths: [DIR/app.log], start: beginning }\n",
    );
    let mut file = fs::File::create(setup.path("app.log")).unwrap();
    let long = vec![b'x'; 1024 * 1024 + 5];
    for line in [&b"\xff\xfe\x00 invalid"[..], b"crlf line\r", b"{\"broken\": ", b"", &long] {
        file.write_all(line).unwrap();
        file.write_all(b"\n").unwrap();
    }
    let server = Server::start(&setup.config);
    let port = |word: &str| -> String {
        wait_for("the address of a listener", || {
            let errors = server.errors();
            let line = errors.lines().find(|line| line.to_lowercase().contains(word))?;
            let addr = line.split_whitespace().find(|part| part.starts_with("127.0.0.1:"))?;
            Some(addr.trim_end_matches([',', ')', ':']).to_owned())
        })
    };
    let mut stream = TcpStream::connect(port("tcp")).unwrap();
    stream.write_all(b"99999999999 <13>nonsense\n<13>half a frame").unwrap();
    drop(stream);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"<999>\x00\xff", port("udp")).unwrap();
    let bodies: &[&[u8]] = &[b"{\"events\": [1, \"x\", {}]}", b"\xff", b"[", b"", b"null"];
    for body in bodies {
        let (status, answer) = server.ask("POST", "/ingest", body).unwrap();
        assert!((200..500).contains(&status), "{answer}");
        let _: serde_json::Value = serde_json::from_str(&answer).unwrap();
    }
    let (status, _) =
        server.ask("POST", "/ingest", b"{\"events\":[{\"message\":\"still here\"}]}").unwrap();
    assert_eq!(status, 200);
    wait_for("the event after the noise", || {
        let found = server.get("/api/v1/events?q=%22still%20here%22")?;
        (found["total"].as_u64()? == 1).then_some(())
    });
    wait_for("the long line, cut and counted", || {
        let status = server.get("/api/v1/status")?;
        let inputs = status["inputs"].as_array()?;
        inputs.iter().any(|input| input["dropped"]["oversize"].as_u64() == Some(1)).then_some(())
    });
    assert!(server.terminate().as_secs() < 5);
}

#[test]
fn parse_answers_one_for_one_whatever_the_bytes() {
    let mut input = Vec::new();
    let lines: &[&[u8]] =
        &[b"", b"\xff\xff", b"{", b"\x00", b"Nov 21 00:11:50 vm sshd[1]: x", b"<"];
    for line in lines {
        input.extend_from_slice(line);
        input.extend_from_slice(b"\r\n");
    }
    let (code, out, _) = output(tocsin().arg("parse"), &input);
    assert_eq!(code, 0);
    assert_eq!(json_lines(&out).len(), lines.len());
}

#[test]
fn a_broken_rule_is_named_and_the_rest_still_run() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    fs::create_dir(&rules).unwrap();
    let good = "title: Good\nlogsource: {category: test}\ndetection:\n  selection:\n    a: 1\n  condition: selection\n";
    fs::write(rules.join("good.yml"), good).unwrap();
    fs::write(rules.join("bad.yml"), good.replace("condition: selection", "condition: selektion"))
        .unwrap();
    let scan = |extra: &[&str]| {
        let mut command = tocsin();
        command.args(["scan", "--no-route", "--findings", "--rules"]).arg(&rules).args(extra);
        output(command.args(["--", "-"]), b"{\"a\": 1}\n{\"a\": 2}\n")
    };
    let (code, out, errors) = scan(&[]);
    assert_eq!(code, 2);
    assert!(errors.contains("bad.yml:") && errors.contains("selektion"), "{errors}");
    let found = json_lines(&out);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["tocsin"]["finding"]["line"], 1);
    let (code, out, _) = scan(&["--strict"]);
    assert_eq!((code, out.as_str()), (2, ""));
}

#[test]
fn files_that_cannot_be_scanned_are_named() {
    let (code, _, errors) = output(tocsin().args(["scan", "/does/not/exist"]), b"");
    assert_eq!(code, 2);
    assert!(errors.contains("/does/not/exist"), "{errors}");
    let (code, _, errors) = output(tocsin().args(["scan", "--source", "nonsense", "-"]), b"");
    assert_eq!(code, 2);
    assert!(errors.contains("nonsense"), "{errors}");
}

#[test]
fn settings_that_make_no_sense_are_told() {
    for (text, told) in [
        ("respond: { mode: shoot }", "use one of off, dry_run, enforce"),
        ("respond: { severity: huge }", "severity: \"huge\" is none of informational"),
        ("respond: { allow: [everybody] }", "\"everybody\" is neither"),
        ("respond: { with: script }", "needs the path of a program"),
        ("respond: { for_seconds: 0 }", "a second at least"),
        ("respond: { with: webhook }", "needs cloudflare, opnsense or a file"),
        ("respond: { routes: [{ when: '*' }] }", "it fits every alert"),
        ("respond: { routes: [{ when: 'a:(' }] }", "respond.routes[0].when"),
        ("respond: { routes: [{ when: 'a: b', field: url.path }] }", "nobody can be blocked by"),
        ("respond: { user_script: /no/such }", "/no/such is no file"),
        ("silence: { factor: 0 }", "silence.factor: at least 1"),
        ("risk: { threshold: 0 }", "risk.threshold"),
        ("notify: { escalation: [{ after_minutes: 5, channel: boss }] }", "no channel \"boss\""),
    ] {
        let setup = Setup::new(&format!("{text}\n"));
        let (code, out, said) =
            output(tocsin().args(["check", "--config"]).arg(&setup.config), b"");
        assert!(code != 0 && format!("{out}{said}").contains(told), "{text}: {out}{said}");
    }
}
