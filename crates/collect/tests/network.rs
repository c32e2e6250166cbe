//! Syslog over real sockets, and what the journal holds of it over restarts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod harness;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use harness::{Machine, PATIENCE, Run, nothing};
use tocsin_collect::DropReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn listening() -> Machine {
    let mut config = nothing();
    (config.syslog.udp, config.syslog.tcp) = (Some(ANY_PORT), Some(ANY_PORT));
    Machine::new(config)
}

async fn connect(run: &Run) -> TcpStream {
    TcpStream::connect(run.collector.tcp_addr().unwrap()).await.unwrap()
}

/// Waits until the other side has closed the connection.
async fn closed(connection: &mut TcpStream) {
    let read = tokio::time::timeout(PATIENCE, connection.read(&mut [0; 1])).await;
    assert!(matches!(read.unwrap(), Ok(0) | Err(_)));
}

#[tokio::test]
async fn every_framing_gives_the_messages_as_sent() {
    let mut machine = listening();
    let mut run = machine.start().await;
    let mut connection = connect(&run).await;
    connection.write_all(b"<34>by line\n15 <34>by\nlength!\n<34>ha").await.unwrap();
    machine.receive(&mut run, 2).await;
    connection.write_all(b"lf\r\n").await.unwrap();
    machine.receive(&mut run, 3).await;
    connection.write_all(b"99 <34>never finished").await.unwrap();
    drop(connection);
    machine.receive(&mut run, 4).await;
    let udp = UdpSocket::bind(ANY_PORT).unwrap();
    let address = run.collector.udp_addr().unwrap();
    for datagram in [&b"<34>1 - host \xff\n"[..], b"", b"\n", b"<34>two\nlines\0\n"] {
        udp.send_to(datagram, address).unwrap();
    }
    machine.receive(&mut run, 6).await;
    let expected = [
        "<34>by line",
        "<34>by\nlength!",
        "<34>half",
        "<34>never finished",
        "<34>1 - host \u{fffd}",
        "<34>two\nlines",
    ];
    assert_eq!(machine.texts(), expected);
    let watching: Vec<_> =
        run.collector.watching().into_iter().map(|w| (w.input, w.problem)).collect();
    assert_eq!(watching, [("syslog:tcp".to_owned(), None), ("syslog:udp".to_owned(), None)]);
    machine.expect_exactly(run, &expected.map(String::from)).await;
    assert_eq!(machine.stats.input("syslog:tcp").records(), 4);
    assert_eq!(machine.stats.input("syslog:udp").records(), 2);
}

#[tokio::test]
async fn records_know_their_sender() {
    let machine = listening();
    let mut run = machine.start().await;
    let mut connection = connect(&run).await;
    connection.write_all(b"<34>x\n").await.unwrap();
    let batch = tokio::time::timeout(PATIENCE, run.batches.recv()).await.unwrap().unwrap();
    let record = &batch.records[0];
    assert_eq!((&*record.input, &record.hint), ("syslog:tcp", &None));
    assert_eq!(record.peer, Some(Ipv4Addr::LOCALHOST.into()));
    assert!(!batch.historical);
    run.shutdown.cancel();
    run.collector.join().await;
}

#[tokio::test]
async fn what_was_received_survives_a_crash_and_comes_once() {
    let mut machine = listening();
    let mut sent = Vec::new();
    for round in 0..4 {
        let mut run = machine.start().await;
        let mut connection = connect(&run).await;
        for number in 0..500 {
            let line = format!("<34>round {round} message {number}");
            connection.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            sent.push(line);
        }
        drop(connection);
        machine.receive(&mut run, sent.len() - 250).await;
        machine.commit(&run);
        machine.receive(&mut run, sent.len() - 100).await;
        // Everything is safe in the journal once it is counted.
        let received = machine.stats.input("syslog:tcp");
        while received.records() < sent.len() as u64 {
            tokio::task::yield_now().await;
        }
        machine.kill(run).await;
    }
    let run = machine.start().await;
    machine.expect_exactly(run, &sent).await;
    assert_eq!(machine.texts(), sent);
}

#[tokio::test]
async fn long_messages_are_cut_and_silent_connections_closed() {
    let mut machine = listening();
    machine.config.limits.frame_bytes_max = 8;
    machine.config.limits.idle_s = 1;
    let mut run = machine.start().await;
    let mut connection = connect(&run).await;
    connection.write_all(b"<34>12345678\n20 <34>12345678901234567890\n<34>ab").await.unwrap();
    closed(&mut connection).await;
    machine.receive(&mut run, 4).await;
    assert_eq!(machine.texts(), ["<34>1234", "<34>1234", "7890", "<34>ab"]);
    assert_eq!(machine.stats.input("syslog:tcp").dropped_count(DropReason::Oversize), 2);
    machine.kill(run).await;
}

#[tokio::test]
async fn only_so_many_connections_are_held() {
    let mut machine = listening();
    machine.config.limits.connections_max = 1;
    let mut run = machine.start().await;
    let mut first = connect(&run).await;
    first.write_all(b"<34>one\n").await.unwrap();
    machine.receive(&mut run, 1).await;
    closed(&mut connect(&run).await).await;
    let refused = machine.stats.input("syslog:tcp").dropped_count(DropReason::TooManyConnections);
    assert_eq!(refused, 1);
    first.write_all(b"<34>two\n").await.unwrap();
    machine.receive(&mut run, 2).await;
    machine.kill(run).await;
}

#[tokio::test]
async fn a_full_journal_holds_tcp_back_and_drops_udp_visibly() {
    let mut machine = listening();
    machine.config.journal.total_bytes_max = 64 << 10;
    let mut run = machine.start().await;
    let mut connection = connect(&run).await;
    // The engine takes nothing, so the journal fills.
    let line = |number: usize| format!("<34>{number} {}", "x".repeat(1000));
    let writer = tokio::spawn(async move {
        for number in 0..500 {
            connection.write_all(format!("{}\n", line(number)).as_bytes()).await.unwrap();
        }
    });
    let problem = |machine: &Machine, input: &str| {
        let inputs = machine.stats.snapshot();
        inputs.into_iter().find(|snapshot| snapshot.input == input).and_then(|s| s.problem)
    };
    let waiting = async {
        while problem(&machine, "syslog:tcp").is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    assert!(problem(&machine, "syslog:tcp").unwrap().contains("journal is full"));
    let udp = UdpSocket::bind(ANY_PORT).unwrap();
    // Too large for what room there may be left.
    udp.send_to(&[b'x'; 60_000], run.collector.udp_addr().unwrap()).unwrap();
    let input = machine.stats.input("syslog:udp");
    let dropped = async {
        while input.dropped_count(DropReason::JournalFull) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, dropped).await.unwrap();
    // Once events are stored, everybody goes on by itself and nothing of TCP is missing.
    while machine.stored.len() < 500 {
        let next = machine.stored.len() + 1;
        machine.receive(&mut run, next).await;
        machine.commit(&run);
    }
    writer.await.unwrap();
    assert_eq!(machine.texts(), (0..500).map(line).collect::<Vec<_>>());
    assert_eq!(problem(&machine, "syslog:tcp"), None);
    machine.kill(run).await;
}

#[tokio::test]
async fn a_port_in_use_is_told_and_stops_nothing_else() {
    let taken = std::net::TcpListener::bind(ANY_PORT).unwrap();
    let mut machine = listening();
    machine.config.syslog.tcp = Some(taken.local_addr().unwrap());
    let mut run = machine.start().await;
    assert_eq!(run.collector.tcp_addr(), None);
    let watching = run.collector.watching();
    let problem = watching.iter().find(|watched| watched.input == "syslog:tcp").unwrap();
    let problem = problem.problem.as_deref().unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(problem.contains(&port) && problem.contains("collect.syslog"), "{problem}");
    let udp = UdpSocket::bind(ANY_PORT).unwrap();
    udp.send_to(b"<34>x", run.collector.udp_addr().unwrap()).unwrap();
    machine.receive(&mut run, 1).await;
    machine.kill(run).await;
}
