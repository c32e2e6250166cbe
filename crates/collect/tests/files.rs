//! Following files: what grows, appears, is rotated, and is read again after a crash.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod harness;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use harness::{Machine, lines, texts};
use tocsin_collect::{DropReason, Start};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn what_is_there_is_history_and_what_grows_is_live() {
    let mut machine = Machine::following(&["*.log", "*/*.log"], Start::Recent);
    machine.append("a.log", "old 1\nold 2\nhal");
    let mut run = machine.start().await;
    machine.receive(&mut run, 2).await;
    machine.append("a.log", "f\r\nnew\n");
    machine.append("b.log", "in a new file\n");
    fs::create_dir(machine.path("sub")).unwrap();
    machine.append("sub/c.log", "in a new directory\n");
    machine.receive(&mut run, 6).await;
    let mut live = machine.arrived.split_off(2);
    assert_eq!(machine.arrived, [(true, "old 1".into()), (true, "old 2".into())]);
    live.sort();
    let expected = ["half", "in a new directory", "in a new file", "new"];
    assert_eq!(live, expected.map(|text| (false, text.to_owned())));
    let watching = run.collector.watching();
    let a = machine.path("a.log");
    let a = watching.iter().find(|watched| watched.what == a.to_str().unwrap()).unwrap();
    assert_eq!((a.source.as_deref(), &a.problem), (Some("auth"), &None));
    machine.kill(run).await;
}

#[tokio::test]
async fn any_bytes_are_passed_through_and_long_lines_cut() {
    let mut machine = Machine::following(&["a.log"], Start::Beginning);
    machine.config.limits.line_bytes_max = 10;
    machine.append("a.log", b"\0\0\0hole\n\n\r\n\xff\0x\n0123456789\r\n0123456789abc\nlast");
    let run = machine.start().await;
    let expected = ["hole", "\u{fffd}\0x", "0123456789", "0123456789"];
    machine.expect_exactly(run, &expected.map(String::from)).await;
    let input = machine.stats.input(&format!("file:{}", machine.path("a.log").display()));
    assert_eq!((input.records(), input.dropped_count(DropReason::Oversize)), (4, 1));
}

#[tokio::test]
async fn where_to_begin_is_a_choice() {
    let table = [
        (Start::End, 0, vec![(false, "c".to_owned())]),
        (Start::Beginning, 0, ["a", "b", "c"].map(|text| (false, text.to_owned())).to_vec()),
        (Start::Recent, 0, vec![(true, "a".into()), (true, "b".into()), (false, "c".into())]),
        (Start::Recent, 9, vec![(false, "c".to_owned())]),
    ];
    for (start, days, expected) in table {
        let mut machine = Machine::following(&["a.log"], start);
        machine.append("a.log", "a\nb\n");
        let file = File::open(machine.path("a.log")).unwrap();
        file.set_modified(SystemTime::now() - DAY * days).unwrap();
        let mut run = machine.start().await;
        machine.append("a.log", "c\n");
        machine.receive(&mut run, expected.len()).await;
        assert_eq!(machine.arrived, expected, "{start:?} {days}");
        machine.kill(run).await;
    }
}

#[tokio::test]
async fn rotated_files_of_the_last_days_are_history_too() {
    let mut machine = Machine::following(&["auth.log"], Start::Recent);
    for (name, range, days) in
        [("auth.log.3", 0..5, 9), ("auth.log.2", 5..10, 3), ("auth.log.1", 10..15, 2)]
    {
        machine.append(name, lines(range));
        let file = File::open(machine.path(name)).unwrap();
        file.set_modified(SystemTime::now() - DAY * days).unwrap();
    }
    machine.append("auth.log", lines(15..20));
    machine.gzip("auth.log.2");
    let mut run = machine.start().await;
    machine.receive(&mut run, 15).await;
    machine.append("auth.log", lines(20..22));
    machine.receive(&mut run, 17).await;
    assert_eq!(machine.texts(), texts(5..22));
    assert!(machine.arrived[..15].iter().all(|(historical, _)| *historical));
    assert!(machine.arrived[15..].iter().all(|(historical, _)| !historical));
    machine.commit(&run);
    machine.kill(run).await;
    let run = machine.start().await;
    machine.expect_exactly(run, &texts(5..22)).await;
}

#[tokio::test]
async fn history_goes_on_after_a_crash_in_the_middle() {
    let mut machine = Machine::following(&["auth.log"], Start::Recent);
    machine.append("auth.log.1", lines(0..40_000));
    machine.append("auth.log", lines(40_000..80_000));
    for stop in [1, 20_000, 45_000, 60_000, 70_000] {
        let mut run = machine.start().await;
        machine.receive(&mut run, stop).await;
        machine.commit(&run);
        machine.kill(run).await;
    }
    machine.append("auth.log", "live\n");
    let run = machine.start().await;
    let expected: Vec<_> = texts(0..80_000).into_iter().chain(["live".to_owned()]).collect();
    machine.expect_exactly(run, &expected).await;
    let live: Vec<_> = machine.arrived.iter().filter(|(historical, _)| !historical).collect();
    assert_eq!((live.len(), live[0].1.as_str()), (1, "live"));
}

#[tokio::test]
async fn a_renamed_file_is_finished_before_the_new_one() {
    let mut machine = Machine::following(&["a.log*"], Start::Beginning);
    machine.append("a.log", lines(0..1000));
    let mut run = machine.start().await;
    machine.receive(&mut run, 1).await;
    machine.append("a.log", lines(1000..30_000));
    machine.rename("a.log", "a.log.1");
    machine.append("a.log", lines(30_000..30_010));
    machine.receive(&mut run, 30_010).await;
    assert_eq!(machine.texts(), texts(0..30_010));
    // Programs write to the old file until they are told to open the new one.
    machine.append("a.log.1", "late\n");
    machine.receive(&mut run, 30_011).await;
    machine.rename("a.log.1", "a.log.2");
    machine.rename("a.log", "a.log.1");
    machine.append("a.log", lines(30_010..30_020));
    let expected: Vec<_> = texts(0..30_020).into_iter().chain(["late".to_owned()]).collect();
    machine.expect_exactly(run, &expected).await;
}

#[tokio::test]
async fn a_truncated_file_is_read_from_its_new_beginning() {
    let mut machine = Machine::following(&["a.log*"], Start::Beginning);
    machine.append("a.log", "same first line\n");
    let mut run = machine.start().await;
    machine.receive(&mut run, 1).await;
    machine.append("a.log", lines(0..10));
    machine.receive(&mut run, 11).await;
    // The same content again is not the same records.
    machine.copy_and_truncate("a.log", "a.log.1");
    machine.append("a.log", "same first line\n");
    machine.receive(&mut run, 12).await;
    machine.append("a.log", lines(10..20));
    machine.receive(&mut run, 22).await;
    machine.copy_and_truncate("a.log", "a.log.2");
    machine.append("a.log", lines(20..21));
    let same = ["same first line"; 2].map(String::from);
    let expected: Vec<_> = texts(0..21).into_iter().chain(same).collect();
    machine.expect_exactly(run, &expected).await;
}

/// Rotations while Tocsin is not running, each with the names that must not matter.
#[tokio::test]
async fn what_was_rotated_while_tocsin_was_down_is_not_lost() {
    type Rotate = fn(&Machine);
    let table: [(&str, Rotate); 6] = [
        ("rename", |machine| {
            machine.rename("a.log", "a.log.1");
            machine.append("a.log", lines(20..30));
        }),
        ("rename twice, compressed", |machine| {
            machine.rename("a.log", "a.log-20261120");
            machine.append("a.log", lines(20..25));
            machine.gzip("a.log-20261120");
            machine.rename("a.log", "a.log-20261121");
            machine.append("a.log", lines(25..30));
        }),
        ("copy and truncate", |machine| {
            machine.copy_and_truncate("a.log", "a.log.1");
            machine.append("a.log", lines(20..30));
        }),
        ("copy and truncate twice", |machine| {
            machine.copy_and_truncate("a.log", "a.log.1");
            machine.append("a.log", lines(20..25));
            machine.rename("a.log.1", "a.log.2");
            machine.gzip("a.log.2");
            machine.copy_and_truncate("a.log", "a.log.1");
            machine.append("a.log", lines(25..30));
        }),
        ("truncated and longer than before", |machine| {
            machine.copy_and_truncate("a.log", "a.1.log");
            machine.append("a.log", lines(20..30));
        }),
        ("only more", |machine| machine.append("a.log", lines(20..30))),
    ];
    for pattern in ["a.log", "a*"] {
        for (name, rotate) in table {
            println!("{pattern}: {name}");
            let mut machine = Machine::following(&[pattern], Start::Recent);
            machine.append("a.log", lines(0..5));
            let mut run = machine.start().await;
            machine.receive(&mut run, 5).await;
            machine.append("a.log", lines(5..10));
            machine.receive(&mut run, 10).await;
            machine.commit(&run);
            machine.kill(run).await;
            machine.append("a.log", lines(10..20));
            rotate(&machine);
            for _ in 0..2 {
                let run = machine.start().await;
                machine.expect_exactly(run, &texts(0..30)).await;
            }
            assert_eq!(machine.texts(), texts(0..30));
            assert!(machine.arrived[5..].iter().all(|(historical, _)| !historical));
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_read_when_it_can() {
    let mut machine = Machine::following(&["a.log", "missing.log", "none*"], Start::Beginning);
    machine.append("b.log", "good\n");
    let b = machine.path("b.log").to_str().unwrap().to_owned();
    machine.config.files[0].paths.push(b);
    // Even root cannot read this.
    symlink("a.log", machine.path("a.log")).unwrap();
    let mut run = machine.start().await;
    machine.receive(&mut run, 1).await;
    let problem = |name: &str| {
        let watching = run.collector.watching();
        let what = machine.path(name).to_str().unwrap().to_owned();
        watching.into_iter().find(|watched| watched.what == what).and_then(|w| w.problem)
    };
    assert!(problem("a.log").unwrap().contains("cannot read"));
    assert!(problem("missing.log").unwrap().contains("waiting for it"));
    assert!(problem("none*").unwrap().contains("waiting for it"));
    assert_eq!(problem("b.log"), None);
    fs::remove_file(machine.path("a.log")).unwrap();
    machine.append("a.log", "readable\n");
    machine.append("missing.log", "there\n");
    machine.append("none.log", "one\n");
    machine.receive(&mut run, 4).await;
    let watching = run.collector.watching();
    let found = ["a.log", "b.log", "missing.log", "none.log"];
    let found = found.map(|name| machine.path(name).to_str().unwrap().to_owned());
    assert_eq!(watching.iter().map(|watched| &watched.what).collect::<Vec<_>>(), found.each_ref());
    assert!(watching.iter().all(|watched| watched.problem.is_none()), "{watching:?}");
    machine.kill(run).await;
}

#[tokio::test]
async fn a_file_that_is_moved_onto_another_is_new() {
    let mut machine = Machine::following(&["a.log"], Start::Beginning);
    machine.append("a.log", lines(0..5));
    let mut run = machine.start().await;
    machine.receive(&mut run, 5).await;
    machine.append("other", lines(5..10));
    machine.rename("other", "a.log");
    machine.receive(&mut run, 10).await;
    machine.commit(&run);
    machine.kill(run).await;
    let run = machine.start().await;
    machine.expect_exactly(run, &texts(0..10)).await;
}

#[tokio::test]
async fn usual_logs_are_followed_unless_another_holds_the_same() {
    let mut machine = Machine::following(&[], Start::Recent);
    machine.config.files.clear();
    machine.config.discover = true;
    let log = machine.dir.path().join("root/var/log");
    fs::create_dir_all(log.join("nginx")).unwrap();
    fs::write(log.join("syslog"), "kernel: a\nb\n").unwrap();
    fs::write(log.join("kern.log"), "kernel: a\n").unwrap();
    fs::write(log.join("nginx/access.log"), "get\n").unwrap();
    let mut run = machine.start().await;
    machine.receive(&mut run, 3).await;
    fs::write(log.join("auth.log"), "login\n").unwrap();
    machine.receive(&mut run, 4).await;
    let sources: Vec<_> = run.collector.watching().into_iter().filter_map(|w| w.source).collect();
    assert_eq!(sources, ["syslog", "nginx"]);
    let expected = ["kernel: a", "b", "get", "login"].map(String::from);
    machine.expect_exactly(run, &expected).await;
}
