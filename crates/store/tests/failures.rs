//! What is committed survives: `kill -9`, a full disk, torn files, a second process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tocsin_model::{Event, EventId, Timestamp, field};
use tocsin_store::{Embedded, EventStore, Filter, Options, StoreError};

/// Tells a test that it runs as the process to be killed, and where.
const CHILD_DIR: &str = "TOCSIN_STORE_TEST_DIR";

fn event(number: u64) -> Event {
    let mut event = Event::default();
    event.set_original(&format!("Failed password for user{number} from 192.0.2.1 port 22"));
    event.id = EventId { stream: 1, offset: number };
    event.time = Timestamp(1_795_219_200_000_000_000 + number as i64 * 1_000_000);
    event.received = event.time;
    event.push_str(field::USER_NAME, &format!("user{number}"));
    event
}

fn events(from: u64, to: u64) -> Vec<Event> {
    (from..to).map(event).collect()
}

fn open(dir: &Path) -> Embedded {
    Embedded::open(dir, Options::default()).unwrap()
}

fn count(store: &Embedded) -> u64 {
    store.count(&Filter::All, None, None).unwrap()
}

/// Runs one test of this file in a process of its own.
fn child(test: &str, dir: &Path, wrap: &[&str]) -> Command {
    let me = std::env::current_exe().unwrap();
    let mut command = match wrap.split_first() {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(me);
            command
        }
        None => Command::new(me),
    };
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(CHILD_DIR, dir).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The numbers that the child says it has committed.
fn committed(child: &mut Child) -> impl Iterator<Item = u64> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map_while(Result::ok).filter_map(|line| {
        let at = line.find("committed ")?;
        line[at + 10..].split_whitespace().next()?.parse().ok()
    })
}

#[test]
fn killed_child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let store = open(Path::new(&dir));
    let mut done = store.payload().unwrap().map_or(0, |payload| payload.parse().unwrap());
    loop {
        let next = done + 1 + done % 97;
        store.append(&events(done, next)).unwrap();
        store.commit(&next.to_string()).unwrap();
        println!("committed {next}");
        done = next;
    }
}

#[test]
fn kill_9_leaves_events_and_payload_of_the_same_commit() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 1..=8 {
        let mut child = child("killed_child", dir.path(), &[]).spawn().unwrap();
        let mut said = committed(&mut child);
        let told = (0..round * 2).filter_map(|_| said.next()).last();
        child.kill().unwrap();
        child.wait().unwrap();
        let told = said.last().or(told).expect("the child committed nothing");
        let store = open(dir.path());
        let payload: u64 = store.payload().unwrap().unwrap().parse().unwrap();
        assert!(payload >= told && told > last, "{payload} {told} {last}");
        assert_eq!(count(&store), payload);
        for number in [0, payload / 2, payload - 1] {
            let id = EventId { stream: 1, offset: number };
            assert_eq!(store.get(id).unwrap(), Some(event(number).to_json()));
        }
        last = told;
    }
}

#[test]
fn full_child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let dir = Path::new(&dir);
    let store = open(dir);
    let ballast = dir.join("ballast");
    let (mut done, mut refused) = (0, 0);
    while refused < 3 {
        let next = done + 5000;
        let mut stored =
            store.append(&events(done, next)).and_then(|()| store.commit(&next.to_string()));
        if done == 10_000 && refused == 0 {
            // Something else fills the disk now.
            let room = vec![1; 1 << 20];
            let mut all = Vec::new();
            while std::fs::write(&ballast, &all).is_ok() {
                all.extend_from_slice(&room);
            }
        }
        while let Err(error) = stored {
            assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
            assert!(error.is_retryable());
            assert_eq!(count(&store), done, "{error}");
            assert_eq!(store.payload().unwrap(), Some(done.to_string()));
            refused += 1;
            println!("refused {error}");
            if refused == 3 {
                std::fs::remove_file(&ballast).unwrap();
            }
            stored =
                store.append(&events(done, next)).and_then(|()| store.commit(&next.to_string()));
        }
        done = next;
    }
    assert_eq!(count(&store), done);
    drop(store);
    let store = open(dir);
    assert_eq!((count(&store), store.payload().unwrap()), (done, Some(done.to_string())));
    println!("committed {done}");
}

/// Whether a small file system can be mounted, without being root outside.
fn can_mount(dir: &Path) -> bool {
    let probe = Command::new("unshare")
        .args(["--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs"])
        .arg(dir)
        .output();
    let can = probe.is_ok_and(|probe| probe.status.success());
    if !can {
        // Past the harness, which keeps what a passing test prints to itself.
        let _ = writeln!(
            std::io::stdout(),
            "skipped: this machine lets nobody mount a small tmpfs (unshare)"
        );
    }
    can
}

#[test]
fn a_full_disk_refuses_keeps_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=24m tmpfs \"$TOCSIN_STORE_TEST_DIR\" && exec \"$0\" \"$@\"";
    let wrap = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount];
    if !can_mount(dir.path()) {
        return;
    }
    let output = child("full_child", dir.path(), &wrap).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("committed "), "{out}\n{err}");
    assert!(out.contains("the disk is full"), "{out}\n{err}");
}

#[test]
fn read_only_child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let error = Embedded::open(Path::new(&dir), Options::default()).err().unwrap();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    println!("refused {error}");
}

#[test]
fn a_read_only_directory_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o ro tmpfs \"$TOCSIN_STORE_TEST_DIR\" && exec \"$0\" \"$@\"";
    let wrap = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount];
    if !can_mount(dir.path()) {
        return;
    }
    let output = child("read_only_child", dir.path(), &wrap).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(out.contains(&format!("{}: cannot write", dir.path().display())), "{out}");
}

#[test]
fn a_second_opening_is_refused_until_the_first_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = Embedded::open(dir.path(), Options::default()).err().unwrap();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("another process has this data directory open"));
    drop(store);
    open(dir.path());
}

#[test]
fn what_was_not_committed_is_gone_and_can_be_appended_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append(&events(0, 10)).unwrap();
    store.commit("10").unwrap();
    store.append(&events(10, 20)).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!((count(&store), store.payload().unwrap().as_deref()), (10, Some("10")));
    store.append(&events(10, 20)).unwrap();
    store.commit("20").unwrap();
    assert_eq!(count(&store), 20);
}

#[test]
fn damaged_files_are_told_with_their_place() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 4] = [
        ("torn meta", |dir| {
            let meta = dir.join("meta.json");
            let text = std::fs::read(&meta).unwrap();
            std::fs::write(&meta, &text[..text.len() / 2]).unwrap();
        }),
        ("no meta", |dir| std::fs::remove_file(dir.join("meta.json")).unwrap()),
        ("missing segment file", |dir| std::fs::remove_file(segment(dir, "store")).unwrap()),
        ("torn segment file", |dir| {
            let file = segment(dir, "term");
            let bytes = std::fs::read(&file).unwrap();
            std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        store.append(&events(0, 100)).unwrap();
        store.commit("100").unwrap();
        drop(store);
        let partition = partition(dir.path());
        damage(&partition);
        let error = Embedded::open(dir.path(), Options::default()).err();
        let error = error.unwrap_or_else(|| panic!("{name}: opened"));
        assert!(matches!(error, StoreError::Damaged { .. }), "{name}: {error:?}");
        let text = error.to_string();
        assert!(text.contains("p000001-2026-11-21") && text.contains("backup"), "{name}: {text}");
    }
}

fn partition(dir: &Path) -> std::path::PathBuf {
    let mut all = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    all.find(|path| path.is_dir()).unwrap()
}

fn segment(dir: &Path, extension: &str) -> std::path::PathBuf {
    let mut all = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    all.find(|path| path.extension().is_some_and(|e| e == extension)).unwrap()
}

#[test]
fn remains_of_an_interrupted_creation_or_deletion_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["p000001-2026-11-21.making", "p000000-2026-11-20.gone"] {
        std::fs::create_dir_all(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("x"), "x").unwrap();
    }
    let store = open(dir.path());
    store.append(&events(0, 3)).unwrap();
    store.commit("3").unwrap();
    assert_eq!(count(&store), 3);
    let left: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('p'))
        .collect();
    assert_eq!(left, ["p000001-2026-11-21"]);
}

#[test]
fn days_of_arrival_are_partitions_and_old_ones_go() {
    const DAY: i64 = 86_400_000_000_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for day in 0..3u64 {
        let mut events = events(day * 10, day * 10 + 10);
        for event in &mut events {
            event.time = Timestamp(event.time.0 + day as i64 * DAY);
            event.received = event.time;
        }
        // A late event goes where it arrives, and a clock that jumps back opens no partition.
        events[9].time = Timestamp(events[9].time.0 - DAY);
        events[0].received = Timestamp(events[0].received.0 - i64::from(day == 2) * DAY);
        store.append(&events).unwrap();
        store.commit(&format!("{day}")).unwrap();
        assert_eq!(store.stats().unwrap().partitions, if day == 2 { 2 } else { day + 1 });
    }
    assert_eq!(count(&store), 30);
    let start = event(0).time;
    let second_day = Timestamp(start.0 + DAY);
    assert_eq!(store.count(&Filter::All, None, Some(second_day)).unwrap(), 11);
    assert_eq!(store.delete_before(second_day).unwrap(), 10);
    assert_eq!(count(&store), 20);
    assert_eq!(store.delete_before(Timestamp(i64::MAX)).unwrap(), 0, "the newest stays");
    drop(store);
    let store = open(dir.path());
    assert_eq!((count(&store), store.payload().unwrap().as_deref()), (20, Some("2")));
    assert_eq!(store.stats().unwrap().partitions, 1);
}

#[test]
fn small_partitions_roll_over_and_hold_the_payload_until_the_next_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { partition_documents_max: 10, ..Options::default() };
    let store = Embedded::open(dir.path(), options.clone()).unwrap();
    for part in 0..4 {
        store.append(&events(part * 10, part * 10 + 10)).unwrap();
        store.commit(&part.to_string()).unwrap();
    }
    assert_eq!(store.stats().unwrap().partitions, 4);
    // By size the oldest go first, and no more than has to.
    let size = store.stats().unwrap().disk_bytes;
    assert_eq!(store.shrink_to(size).unwrap(), 0);
    assert_eq!(store.shrink_to(size - 1).unwrap(), 10);
    assert_eq!(store.count(&Filter::All, None, Some(event(10).time)).unwrap(), 0);
    // The fifth partition is made, but nothing is committed to it.
    store.append(&events(40, 50)).unwrap();
    assert_eq!(store.delete_before(Timestamp(i64::MAX)).unwrap(), 20);
    drop(store);
    let store = Embedded::open(dir.path(), options).unwrap();
    assert_eq!((count(&store), store.payload().unwrap().as_deref()), (10, Some("3")));
    store.append(&events(40, 50)).unwrap();
    store.commit("4").unwrap();
    assert_eq!((count(&store), store.payload().unwrap().as_deref()), (20, Some("4")));
}

#[test]
fn limits_are_counted_and_events_kept_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut long = event(1);
    let command = format!("run {}end", "x".repeat(20_000));
    long.push_str(field::PROCESS_COMMAND_LINE, &command);
    let mut line = event(2);
    line.set_original(&"word ".repeat(200_000));
    store.append(&[long.clone(), line.clone()]).unwrap();
    store.commit("2").unwrap();
    assert_eq!(store.get(long.id).unwrap(), Some(long.to_json()));
    assert_eq!(store.get(line.id).unwrap(), Some(line.to_json()));
    assert_eq!(store.stats().unwrap().unindexed_values, 2);
    let starts = |value: &str| Filter::Prefix {
        field: "process.command_line".to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(store.count(&starts("run xxx"), None, None).unwrap(), 1);
}
