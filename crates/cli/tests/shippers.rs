//! An attack on sshd, told by every protocol there is, raises the alert that it raises when it is
//! read from a file: spoken by hand, by public clients, and by rsyslog.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use serde_json::json;
use support::{PATIENCE, Server, Setup, output, skipped, text_at, wait_for};
use tocsin_model::Timestamp;

/// More than the rule needs.
const FAILURES: usize = 7;

const CONFIG: &str = "\
collect:
  discover: false
  journald: { mode: \"off\" }
  syslog: { udp: \"off\", tcp: \"off\", tls: 127.0.0.1:0 }
  gelf: { udp: 127.0.0.1:0, tcp: 127.0.0.1:0 }
  lumberjack: { tcp: 127.0.0.1:0 }
  fluent: { tcp: 127.0.0.1:0 }
  otlp: { grpc: 127.0.0.1:0 }
";

fn server(setup: &Setup) -> Server {
    Server::start(&setup.config)
}

/// Where a listener listens, as the server says it at its start.
fn address(server: &Server, what: &str) -> String {
    wait_for(what, || {
        let said = server.errors();
        let (_, rest) = said.split_once(&format!("{what} on "))?;
        rest.split_whitespace().next().filter(|_| rest.contains('\n')).map(str::to_owned)
    })
}

/// Failed logins from one address, as sshd's lines in a file.
fn attack(from: &str) -> Vec<String> {
    let now = Timestamp::from_system(SystemTime::now());
    let line = |at| {
        format!("{now} gate sshd[70{at}]: Failed password for root from {from} port 400{at} ssh2")
    };
    (0..FAILURES).map(line).collect()
}

fn alerted(server: &Server, from: &str) {
    wait_for(&format!("an alert about {from}: {}", server.errors()), || {
        let alerts = server.alerts();
        alerts.into_iter().find(|alert| {
            text_at(alert, "rule.name") == "Login brute force from one address"
                && text_at(alert, "source.ip") == from
        })
    });
}

/// Sends bytes and reads as many of the answer.
fn tell(address: &str, bytes: &[u8], answer: usize) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answered = vec![0; answer];
    stream.read_exact(&mut answered).unwrap();
    answered
}

fn short(bytes: &[u8]) -> Vec<u8> {
    [&[0xd9, bytes.len() as u8], bytes].concat()
}

#[test]
fn every_protocol_raises_the_alert_that_a_file_raises() {
    let setup = Setup::new(CONFIG);
    let server = server(&setup);
    let post = |path: &str, body: String| {
        let (status, answer) = server.ask("POST", path, body.as_bytes()).unwrap();
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
    };
    let lines = attack("192.0.2.1");
    let action = |line: &String| format!("{{\"index\":{{}}}}\n{}\n", json!({"message": line}));
    post("/logs/_bulk", lines.iter().map(action).collect());
    let lines = attack("192.0.2.2");
    let event = |line: &String| json!({"event": line, "source": "/var/log/auth.log"}).to_string();
    post("/services/collector/event", lines.iter().map(event).collect());
    let lines = attack("192.0.2.3");
    let value = |(at, line): (usize, &String)| json!([at.to_string(), line]);
    let values: Vec<_> = lines.iter().enumerate().map(value).collect();
    post(
        "/loki/api/v1/push",
        json!({"streams": [{"stream": {"job": "auth"}, "values": values}]}).to_string(),
    );
    let lines = attack("192.0.2.4");
    let record = |line: &String| json!({"body": {"stringValue": line}});
    let records: Vec<_> = lines.iter().map(record).collect();
    post(
        "/v1/logs",
        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string(),
    );

    // Without the frame: the program stands in a field of its own.
    let bare = |line: &str| line.split_once("]: ").unwrap().1.to_owned();
    let gelf = |line: &String| {
        json!({"version": "1.1", "host": "gate", "short_message": bare(line), "_program": "sshd"})
            .to_string()
    };
    let messages: Vec<String> = attack("192.0.2.5").iter().map(gelf).collect();
    tell(&address(&server, "GELF over TCP"), messages.join("\0").as_bytes(), 0);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for message in attack("192.0.2.6").iter().map(gelf) {
        let (first, second) = message.as_bytes().split_at(20);
        for (number, part) in [(0, first), (1, second)] {
            let id = (message.len() as u64 ^ message.as_ptr() as u64).to_le_bytes();
            let chunk = [b"\x1e\x0f", &id[..], &[number, 2], part].concat();
            socket.send_to(&chunk, address(&server, "GELF over UDP")).unwrap();
        }
    }
    let mut frames = b"2W\0\0\0\x07".to_vec();
    for (at, line) in attack("192.0.2.7").iter().enumerate() {
        let text = json!({"message": line}).to_string();
        frames.extend([b"2J", &(at as u32 + 1).to_be_bytes()[..]].concat());
        frames.extend((text.len() as u32).to_be_bytes());
        frames.extend(text.as_bytes());
    }
    assert_eq!(tell(&address(&server, "Lumberjack"), &frames, 6), b"2A\0\0\0\x07");
    let mut message = [&b"\x93\xa4auth\x97"[..]].concat();
    for line in attack("192.0.2.8") {
        message.extend([b"\x92\x00\x81\xa7message", &short(line.as_bytes())[..]].concat());
    }
    message.extend(b"\x81\xa5chunk\xa2c1");
    assert_eq!(tell(&address(&server, "Fluent forward"), &message, 8), b"\x81\xa3ack\xa2c1");
    (1..=8).for_each(|last| alerted(&server, &format!("192.0.2.{last}")));
}

/// The Python that public clients are installed for; `None`, with a notice, where it is not.
fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients/bin/python3");
    if !python.exists() {
        skipped(&format!(
            "no public clients at {} (cargo xtask test installs them)",
            python.display()
        ));
        return None;
    }
    Some(python)
}

/// Sends an attack with each client and waits for its alert.
fn send_with(server: &Server, clients: &[(&str, String)], network: &str) {
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/send.py");
    for (number, (client, address)) in clients.iter().enumerate() {
        let from = format!("{network}.{}", number + 1);
        let mut command = Command::new(&python);
        command.arg(&script).args([client, address.as_str()]);
        let (code, _, errors) = output(&mut command, attack(&from).join("\n").as_bytes());
        assert_eq!(code, 0, "{client}: {errors}\n{}", server.errors());
        alerted(server, &from);
    }
}

#[test]
fn public_clients_are_believed_and_believe() {
    let setup = Setup::new(CONFIG);
    let server = server(&setup);
    let clients = [
        ("elasticsearch", server.addr().to_owned()),
        ("otlp_http", server.addr().to_owned()),
        ("otlp_grpc", address(&server, "OTLP over gRPC")),
        ("gelf_tcp", address(&server, "GELF over TCP")),
        ("gelf_udp", address(&server, "GELF over UDP")),
        ("graypy", address(&server, "GELF over UDP")),
        ("lumberjack", address(&server, "Lumberjack")),
        ("fluent", address(&server, "Fluent forward")),
    ];
    send_with(&server, &clients, "198.51.100");
}

#[test]
fn public_clients_send_with_tokens_over_tls() {
    let setup = Setup::new(
        "collect:\n  discover: false\n  journald: { mode: \"off\" }\n  syslog: { udp: \"off\", tcp: \"off\" }\n\
         \x20 http: { listen: 127.0.0.1:0, tls: true }\n  otlp: { grpc: 127.0.0.1:0, tls: true }\n\
         \x20 senders: { web1: { token: secret-of-web1 } }\n",
    );
    let server = server(&setup);
    let certificate = setup.path("data/tls/certificate.pem");
    let local = |what: &str| {
        let address = address(&server, what).replace("127.0.0.1", "localhost");
        format!("{address},secret-of-web1,{}", certificate.display())
    };
    let clients = [
        ("elasticsearch_tls", local("senders over HTTP")),
        ("otlp_grpc_tls", local("OTLP over gRPC")),
    ];
    send_with(&server, &clients, "198.51.100");
}

struct Rsyslog(Child);

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a rsyslogd that reads one socket and does `action` with what comes.
fn rsyslog(setup: &Setup, name: &str, global: &str, action: &str) -> (Rsyslog, PathBuf) {
    let (config, socket) =
        (setup.path(&format!("{name}.conf")), setup.path(&format!("{name}.sock")));
    let text = format!(
        "global(workDirectory=\"{}\" {global})\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n\
         input(type=\"imuxsock\" Socket=\"{}\" CreatePath=\"on\")\n{action}\n",
        setup.dir.path().display(),
        socket.display()
    );
    fs::write(&config, text).unwrap();
    let child = Command::new("/usr/sbin/rsyslogd")
        .args(["-n", "-i", "NONE", "-f"])
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("rsyslogd's socket", || socket.exists().then_some(()));
    (Rsyslog(child), socket)
}

/// What sshd writes, by `logger` into a socket.
fn log(socket: &Path, from: &str) {
    for line in attack(from) {
        let text = line.split_once("]: ").unwrap().1;
        let mut command = Command::new("logger");
        command.arg("-u").arg(socket).args(["-t", "sshd", "-p", "auth.info", "--", text]);
        assert!(command.status().unwrap().success());
    }
}

#[test]
fn rsyslog_sends_as_to_elasticsearch_and_over_tls() {
    let modules = Path::new("/usr/lib/x86_64-linux-gnu/rsyslog");
    let needed = ["omelasticsearch.so", "lmnsd_gtls.so", "lmnsd_ossl.so"];
    let missing: Vec<_> = needed.iter().filter(|name| !modules.join(name).exists()).collect();
    if !missing.is_empty() || !Path::new("/usr/sbin/rsyslogd").exists() {
        skipped(&format!("rsyslog and its modules are not there: {missing:?}"));
        return;
    }
    let setup = Setup::new(CONFIG);
    let server = server(&setup);
    let (_, port) = server.addr().rsplit_once(':').unwrap();
    let doc = "template(name=\"doc\" type=\"string\" string=\"{\\\"message\\\":\\\"%rawmsg:::json%\\\",\\\"host\\\":\\\"%hostname:::json%\\\"}\")\n";
    // With a template for the whole line, and with what it writes when told nothing.
    for (number, name, template, named) in
        [(1, "elastic", doc, "template=\"doc\""), (4, "plain", "", "")]
    {
        let action = format!(
            "{template}module(load=\"omelasticsearch\")\n\
             action(type=\"omelasticsearch\" server=\"127.0.0.1\" serverport=\"{port}\" {named} \
             bulkmode=\"on\" searchIndex=\"logs\" searchType=\"\" action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\")"
        );
        let (_daemon, socket) = rsyslog(&setup, name, "", &action);
        let from = format!("203.0.113.{number}");
        log(&socket, &from);
        alerted(&server, &from);
    }
    let tls = address(&server, "syslog over TLS");
    let (_, port) = tls.rsplit_once(':').unwrap();
    let certificate = setup.path("data/tls/certificate.pem");
    for (number, driver) in [(2, "gtls"), (3, "ossl")] {
        let global = format!("defaultNetstreamDriverCAFile=\"{}\"", certificate.display());
        let action = format!(
            "action(type=\"omfwd\" target=\"localhost\" port=\"{port}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" \
             StreamDriver=\"{driver}\" StreamDriverMode=\"1\" StreamDriverAuthMode=\"x509/name\" \
             StreamDriverPermittedPeers=\"localhost\" action.resumeRetryCount=\"-1\" action.resumeInterval=\"1\")"
        );
        let (_daemon, socket) = rsyslog(&setup, driver, &global, &action);
        let from = format!("203.0.113.{number}");
        log(&socket, &from);
        alerted(&server, &from);
    }
}
