//! A disk that fills up and has room again, one that cannot be written, and one that lost the end
//! of a file, under the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use support::{Server, Setup, free_addr, output, skipped, text_at, tocsin, wait_for};

const CONFIG: &str = "collect:\n  discover: false\n  syslog: { udp: null, tcp: null }\n  \
                      files:\n    - { paths: [DIR/auth.log] }\n";
/// Room that is left when something else has filled the disk, bytes.
const LEFT: usize = 1 << 20;

/// A command in whose sight a small file system of its own is at `dir`; `None`, with a notice,
/// where nobody may mount one.
fn mounted(dir: &Path, options: &str) -> Option<Command> {
    fs::create_dir_all(dir).unwrap();
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c"]);
        command.env_remove("TOCSIN_CONFIG");
        command
    };
    let mount = format!("mount -t tmpfs -o {options} tmpfs '{}'", dir.display());
    let can = unshare().arg(&mount).output().is_ok_and(|tried| tried.status.success());
    if !can {
        skipped("this machine lets nobody mount a small tmpfs (unshare)");
        return None;
    }
    let mut command = unshare();
    command.arg(format!("{mount} && exec \"$0\" \"$@\"")).arg(env!("CARGO_BIN_EXE_tocsin"));
    Some(command)
}

/// Appends failed logins; every line is `size` bytes or more.
fn append(log: &Path, numbers: std::ops::Range<u64>, size: usize) {
    let mut file = OpenOptions::new().create(true).append(true).open(log).unwrap();
    for number in numbers {
        let now = tocsin_model::Timestamp::from_system(std::time::SystemTime::now());
        // Nothing that compresses well.
        let noise: String = (0..size / 16)
            .map(|at| {
                let mixed = (number << 20 | at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                format!("{:016x}", mixed ^ (mixed >> 29))
            })
            .collect();
        writeln!(file, "{now} gate sshd[{number}]: Failed password for {noise} from 198.51.100.7 port 4000 ssh2").unwrap();
    }
}

fn ballast(data: &Path) -> PathBuf {
    data.join("ballast")
}

/// Fills the file system but for a little.
fn fill(data: &Path) {
    let mut file = File::create(ballast(data)).unwrap();
    let piece = vec![1; 1 << 18];
    let mut bytes = 0;
    while file.write_all(&piece).is_ok() {
        bytes += piece.len();
    }
    file.set_len(bytes.saturating_sub(LEFT) as u64).unwrap();
}

#[test]
fn a_full_disk_makes_inputs_wait_and_nothing_is_lost() {
    let setup = Setup::new(CONFIG);
    let (data, log) = (setup.path("data"), setup.path("auth.log"));
    append(&log, 0..100, 64);
    let Some(mut command) = mounted(&data, "size=96m") else { return };
    command.args(["run", "--config"]).arg(&setup.config);
    let server = Server::start_by(command);
    wait_for("the first lines", || (server.stored() >= 100).then_some(()));
    let inside = PathBuf::from(format!("/proc/{}/root{}", server.pid(), data.display()));
    fill(&inside);
    append(&log, 100..1200, 2000);
    let problem = wait_for("the problem to be told", || {
        let status = server.get("/api/v1/status")?;
        Some(status["problem"].as_str()?.to_owned())
    });
    assert!(problem.contains("full") || problem.contains("No space left"), "{problem}");
    assert_eq!(server.ask("GET", "/health", b"").map(|(code, _)| code), Some(503));
    // What is stored is found meanwhile, and what is acknowledged is stored in the end.
    let page = server.get("/api/v1/events?q=process.pid:7&limit=1&last=7d").unwrap();
    assert_eq!(page["total"], 1, "{page}");
    let posted = br#"{"events":[{"message":"posted while full"}]}"#;
    let acknowledged = matches!(server.ask("POST", "/ingest", posted), Some((200, _)));

    fs::remove_file(ballast(&inside)).unwrap();
    wait_for("everything to be stored", || {
        let page = server.get("/api/v1/events?q=event.dataset:openssh.sshd&limit=1&last=7d")?;
        (page["total"].as_u64()? >= 1200).then_some(())
    });
    let page = server.get("/api/v1/events?q=event.dataset:openssh.sshd&limit=1&last=7d").unwrap();
    assert_eq!(page["total"], 1200, "stored twice");
    let input = |status: &Json| {
        let input = status["inputs"].as_array()?.iter().find(|input| {
            ["name", "source"].iter().any(|key| text_at(input, key).contains("auth.log"))
        })?;
        Some((input["received"].as_u64()?, input["stored"].as_u64()?))
    };
    wait_for("the end of the problem and the ledger", || {
        let status = server.get("/api/v1/status").filter(|status| status["problem"].is_null())?;
        (input(&status)? == (1200, 1200)).then_some(())
    });
    if acknowledged {
        wait_for("the acknowledged event", || {
            let page = server.get("/api/v1/events?q=message:posted&limit=1&last=7d")?;
            (page["total"] == 1).then_some(())
        });
    }
}

#[test]
fn datagrams_that_a_full_disk_cannot_take_are_counted_and_told() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let free = free_addr();
    let setup = Setup::new(&format!(
        "collect:\n  discover: false\n  syslog: {{ udp: \"{free}\", tcp: null }}\n"
    ));
    let data = setup.path("data");
    let Some(mut command) = mounted(&data, "size=64m") else { return };
    command.args(["run", "--config"]).arg(&setup.config);
    let server = Server::start_by(command);
    let send = |number: u32| {
        let line = format!(
            "<38>Nov 21 00:00:01 gate sshd[{number}]: Failed password for root from 198.51.100.7 port 22 ssh2"
        );
        socket.send_to(line.as_bytes(), free).unwrap();
    };
    let input = || {
        let status = server.get("/status")?;
        let inputs = status["inputs"].as_array()?.clone();
        inputs.into_iter().find(|input| text_at(input, "source").contains(&free.to_string()))
    };
    let number = |input: &Json, key: &str| input[key].as_u64().unwrap_or(0);
    wait_for("the first datagrams", || {
        send(1);
        (number(&input()?, "stored") >= 5).then_some(())
    });
    let inside = PathBuf::from(format!("/proc/{}/root{}", server.pid(), data.display()));
    fill(&inside);
    let piece = vec![1; 4096];
    let mut rest = OpenOptions::new().append(true).open(ballast(&inside)).unwrap();
    wait_for("datagrams to be lost", || {
        // Whatever the program frees is filled again.
        while rest.write_all(&piece).is_ok() {}
        (0..50).for_each(send);
        let input = input()?;
        let lost = number(&input["dropped"], "journal_full");
        (lost > 0 && number(&input, "lost") >= lost && !input["problem"].is_null()).then_some(())
    });
    let status = server.get("/status").unwrap();
    assert!(status["events"]["dropped"].as_u64() > Some(0), "{status}");
    drop(rest);
    fs::remove_file(ballast(&inside)).unwrap();
    // What is taken again ends the problem.
    (0..5).for_each(send);
    let input = wait_for("the ledger to add up", || {
        let input = input()?;
        let settled = number(&input, "stored") + number(&input, "lost");
        let whole = input["problem"].is_null() && settled == number(&input, "received");
        (whole && input["balanced"] == true && input["under_way"] == 0).then_some(input)
    });
    let (_, metrics) = server.ask("GET", "/metrics", b"").unwrap();
    let name = text_at(&input, "name");
    assert!(
        metrics.contains(&format!("tocsin_ledger_balanced{{input=\"{name}\"}} 1")),
        "{metrics}"
    );
    assert!(metrics.contains("reason=\"journal_full\""), "{metrics}");
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_with_its_name() {
    let setup = Setup::new(CONFIG);
    let data = setup.path("data");
    let Some(mut command) = mounted(&data, "ro") else { return };
    command.args(["run", "--config"]).arg(&setup.config);
    let (code, _, said) = output(&mut command, b"");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&data.display().to_string()) && said.contains("data_dir"), "{said}");
}

#[test]
fn a_file_that_lost_its_end_is_refused_with_its_place() {
    let setup = Setup::new(CONFIG);
    append(&setup.path("auth.log"), 0..50, 64);
    let server = Server::start(&setup.config);
    wait_for("the lines", || (server.stored() >= 50).then_some(()));
    server.kill();
    let store = setup.path("data/store");
    let partition = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path());
    let partition = partition.into_iter().find(|path| path.is_dir()).unwrap();
    let files = fs::read_dir(&partition).unwrap().map(|entry| entry.unwrap().path());
    let torn =
        files.into_iter().find(|path| path.extension().is_some_and(|e| e == "fast")).unwrap();
    let file = OpenOptions::new().write(true).open(&torn).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let mut command = tocsin();
    command.args(["run", "--config"]).arg(&setup.config);
    let (code, _, said) = output(&mut command, b"");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&partition.display().to_string()), "{said}");
}
