//! GELF, Lumberjack, Fluent forward and TLS over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod harness;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use harness::{Machine, PATIENCE, Run, nothing};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tocsin_collect::{DropReason, Token};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn connect(run: &Run, input: &str) -> TcpStream {
    TcpStream::connect(run.collector.address(input).unwrap()).await.unwrap()
}

async fn answer(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    timeout(PATIENCE, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

/// Waits until something of an input was dropped for a reason.
async fn dropped(machine: &Machine, input: &str, reason: DropReason) {
    let input = machine.stats.input(input);
    let counted = async {
        while input.dropped_count(reason) == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, counted).await.unwrap();
}

fn event(number: u32, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    [b"2J", &number.to_be_bytes()[..], &length.to_be_bytes(), text.as_bytes()].concat()
}

#[tokio::test]
async fn beats_wait_for_their_acknowledgement_while_the_journal_is_full() {
    let mut config = nothing();
    config.lumberjack.tcp = Some(ANY_PORT);
    config.journal.total_bytes_max = 64 << 10;
    let mut machine = Machine::new(config);
    let mut run = machine.start().await;
    let mut beat = connect(&run, "lumberjack").await;
    let text = format!("{{\"message\":\"{}\"}}", "x".repeat(10_000));
    let mut sent = 0;
    let input = machine.stats.input("lumberjack");
    let problem = |machine: &Machine| {
        machine
            .stats
            .snapshot()
            .into_iter()
            .find_map(|s| s.problem.filter(|_| s.input == "lumberjack"))
    };
    // The engine takes nothing, so the journal fills.
    while problem(&machine).is_none() {
        sent += 1;
        let frame = [b"2W\0\0\0\x01", &event(sent, &text)[..]].concat();
        beat.write_all(&frame).await.unwrap();
        let settled = async {
            while input.records() < u64::from(sent) && problem(&machine).is_none() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, settled).await.unwrap();
    }
    // What is safe is acknowledged, and the last one is not.
    for number in 1..sent {
        assert_eq!(answer(&mut beat, 6).await, [b"2A", &number.to_be_bytes()[..]].concat());
    }
    assert_eq!(beat.try_read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    machine.receive(&mut run, sent as usize - 1).await;
    machine.commit(&run);
    loop {
        match answer(&mut beat, 6).await.as_slice() {
            // We are still there.
            [b'2', b'A', 0, 0, 0, 0] => {}
            last => break assert_eq!(last, [b"2A", &sent.to_be_bytes()[..]].concat()),
        }
    }
    let expected = vec![text; sent as usize];
    machine.receive(&mut run, expected.len()).await;
    machine.expect_exactly(run, &expected).await;
}

#[tokio::test]
async fn what_is_no_gelf_is_counted_and_the_rest_is_taken() {
    let mut config = nothing();
    (config.gelf.udp, config.gelf.tcp) = (Some(ANY_PORT), Some(ANY_PORT));
    config.limits.frame_bytes_max = 100;
    let mut machine = Machine::new(config);
    let mut run = machine.start().await;
    let mut sender = connect(&run, "gelf:tcp").await;
    let long = format!("{{\"short_message\":\"{}\"}}", "x".repeat(100));
    let bytes =
        format!("{{\"short_message\":\"a\"}}\0nonsense\0{long}\0{{\"short_message\":\"b\"}}\n");
    sender.write_all(bytes.as_bytes()).await.unwrap();
    machine.receive(&mut run, 2).await;
    sender.write_all(b"{\"short_message\":\"c\"}").await.unwrap();
    drop(sender);
    machine.receive(&mut run, 3).await;
    assert_eq!(machine.stats.input("gelf:tcp").dropped_count(DropReason::Refused), 2);
    let socket = UdpSocket::bind(ANY_PORT).unwrap();
    let address = run.collector.address("gelf:udp").unwrap();
    for datagram in [&b"nonsense"[..], b"\x1e\x0f", b"{\"short_message\":\"d\"}"] {
        socket.send_to(datagram, address).unwrap();
    }
    let expected = ["a", "b", "c", "d"].map(|text| format!("{{\"message\":\"{text}\"}}"));
    machine.receive(&mut run, 4).await;
    dropped(&machine, "gelf:udp", DropReason::Refused).await;
    dropped(&machine, "gelf:udp", DropReason::InvalidFrame).await;
    machine.expect_exactly(run, &expected).await;
}

#[tokio::test]
async fn fluent_senders_must_know_the_key() {
    let mut config = nothing();
    config.fluent.tcp = Some(ANY_PORT);
    config.fluent.shared_key = Some(Token::new("the key"));
    let mut machine = Machine::new(config);
    let mut run = machine.start().await;
    for key in ["another", "the key"] {
        let mut sender = connect(&run, "fluent").await;
        let helo = answer(&mut sender, 47).await;
        assert!(helo.starts_with(b"\x92\xa4HELO\x83\xa5nonce\xb0"), "{helo:x?}");
        let nonce = &helo[14..30];
        let proof = {
            use sha2::Digest;
            let mut hasher = sha2::Sha512::new();
            for part in [b"salt", &b"host"[..], nonce, key.as_bytes()] {
                hasher.update(part);
            }
            hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let mut ping = b"\x96\xa4PING\xa4host\xa4salt\xd9\x80".to_vec();
        ping.extend(proof.as_bytes());
        ping.extend(b"\xa0\xa0");
        sender.write_all(&ping).await.unwrap();
        let pong = answer(&mut sender, 7).await;
        assert_eq!(pong[6], if key == "the key" { 0xc3 } else { 0xc2 });
        if key == "the key" {
            sender.write_all(b"\x94\xa1t\x05\x81\xa1a\x01\x81\xa5chunk\xa1c").await.unwrap();
            // The rest of the greeting, then the acknowledgement.
            answer(&mut sender, 1 + 7 + 130).await;
            assert_eq!(answer(&mut sender, 7).await, b"\x81\xa3ack\xa1c");
        }
    }
    machine.receive(&mut run, 1).await;
    dropped(&machine, "fluent", DropReason::Unauthorized).await;
    let line = r#"{"a":1,"@timestamp":"1970-01-01T00:00:05Z","fluent.tag":"t"}"#.to_owned();
    machine.expect_exactly(run, &[line]).await;
}

#[tokio::test]
async fn over_tls_a_sender_shows_its_certificate_where_one_is_asked_for() {
    let home = tempfile::TempDir::new().unwrap();
    let mut config = nothing();
    config.syslog.tls = Some(ANY_PORT);
    let machine = Machine::new(config.clone());
    let run = machine.start().await;
    run.shutdown.cancel();
    drop(run.batches);
    run.collector.join().await;
    // The certificate that was made signs itself, so it can be asked for, too.
    let made = machine.dir.path().join("tls/certificate.pem");
    config.tls.client_ca_file = Some(made.clone());
    let mut machine = Machine::new(config);
    std::fs::create_dir(machine.dir.path().join("tls")).unwrap();
    for name in ["certificate.pem", "key.pem"] {
        let from = made.with_file_name(name);
        std::fs::copy(&from, machine.dir.path().join("tls").join(name)).unwrap();
        std::fs::copy(&from, home.path().join(name)).unwrap();
    }
    let mut run = machine.start().await;
    let connector = |own: bool| {
        let chain: Vec<_> =
            CertificateDer::pem_file_iter(&made).unwrap().collect::<Result<_, _>>().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(chain.clone());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let key = rustls::pki_types::PrivateKeyDer::from_pem_file(home.path().join("key.pem"));
        let client = match own {
            true => builder.with_client_auth_cert(chain, key.unwrap()).unwrap(),
            false => builder.with_no_client_auth(),
        };
        TlsConnector::from(Arc::new(client))
    };
    let name = ServerName::try_from("localhost").unwrap();
    let plain = connect(&run, "syslog:tls").await;
    if let Ok(mut stream) = connector(false).connect(name.clone(), plain).await {
        let _ = stream.write_all(b"<34>nobody\n").await;
        let _ = timeout(PATIENCE, stream.read(&mut [0; 1])).await.unwrap();
    }
    dropped(&machine, "syslog:tls", DropReason::Unauthorized).await;
    let plain = connect(&run, "syslog:tls").await;
    let mut stream = connector(true).connect(name, plain).await.unwrap();
    stream.write_all(b"7 <34>one<34>two\n").await.unwrap();
    machine.receive(&mut run, 2).await;
    machine.expect_exactly(run, &["<34>one".to_owned(), "<34>two".to_owned()]).await;
}
