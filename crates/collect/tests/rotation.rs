//! Random rotations, crashes and commits: every line arrives exactly once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod harness;

use std::fs;

use harness::{Machine, lines, texts};
use proptest::prelude::*;
use tocsin_collect::Start;

/// What happens to a machine, one after the other.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many lines are written.
    Append(usize),
    /// Half a line is written, and then its end.
    AppendInHalves,
    /// Tocsin stores all lines so far.
    ReceiveAll,
    /// What was received is committed.
    Commit,
    /// `kill -9`, and a new start.
    Restart,
    /// `kill -9`, a rotation, and a new start.
    RotateWhileDown(Rotation),
    Rotate(Rotation),
}

#[derive(Debug, Clone, Copy)]
enum Rotation {
    Rename,
    RenameAndCompress,
    Copy,
}

fn step() -> impl Strategy<Value = Step> {
    let rotation = || {
        prop_oneof![Just(Rotation::Rename), Just(Rotation::RenameAndCompress), Just(Rotation::Copy)]
    };
    prop_oneof![
        4 => (1usize..60).prop_map(Step::Append),
        1 => Just(Step::AppendInHalves),
        3 => Just(Step::ReceiveAll),
        2 => Just(Step::Commit),
        1 => Just(Step::Restart),
        1 => rotation().prop_map(Step::RotateWhileDown),
        2 => rotation().prop_map(Step::Rotate),
    ]
}

/// Rotates as logrotate does: `a.log.1` becomes `a.log.2`, and so on.
fn rotate(machine: &Machine, rotation: Rotation) {
    for number in (1..20).rev() {
        for suffix in ["", ".gz"] {
            let name = format!("a.log.{number}{suffix}");
            if fs::exists(machine.path(&name)).unwrap() {
                machine.rename(&name, &format!("a.log.{}{suffix}", number + 1));
            }
        }
    }
    match rotation {
        Rotation::Rename | Rotation::RenameAndCompress => {
            machine.rename("a.log", "a.log.1");
            machine.append("a.log", "");
        }
        Rotation::Copy => machine.copy_and_truncate("a.log", "a.log.1"),
    }
    if matches!(rotation, Rotation::RenameAndCompress) {
        machine.gzip("a.log.1");
    }
}

async fn walk(pattern: &str, steps: &[Step]) {
    let mut machine = Machine::following(&[pattern], Start::Recent);
    machine.append("a.log", lines(0..5));
    let mut written = 5;
    let mut rotated = false;
    let mut run = machine.start().await;
    // The first look is committed: what comes later is not history.
    machine.receive(&mut run, written).await;
    machine.commit(&run);
    for step in steps {
        match *step {
            Step::Append(count) => {
                machine.append("a.log", lines(written..written + count));
                written += count;
            }
            Step::AppendInHalves => {
                machine.append("a.log", "lin");
                machine.append("a.log", format!("e {written}\n"));
                written += 1;
            }
            Step::ReceiveAll => machine.receive(&mut run, written).await,
            Step::Commit => {
                machine.commit(&run);
                rotated &= machine.safe.len() < written;
            }
            Step::Restart => {
                machine.kill(run).await;
                if rotated {
                    // What was read before a rotation that no checkpoint knows of has another
                    // id when it is read again.
                    machine.forget_uncommitted();
                }
                run = machine.start().await;
            }
            Step::RotateWhileDown(rotation) => {
                machine.kill(run).await;
                machine.forget_uncommitted();
                rotate(&machine, rotation);
                rotated = true;
                run = machine.start().await;
            }
            Step::Rotate(rotation) => {
                rotate(&machine, rotation);
                rotated = true;
            }
        }
    }
    machine.expect_exactly(run, &texts(0..written)).await;
    assert!(machine.arrived[5..].iter().all(|(historical, _)| !historical));
}

/// Line 5 is received, and then only its receiver is ended: the commit after the start does not
/// know of it.
#[tokio::test]
async fn a_commit_holds_what_its_run_received() {
    let steps = [
        Step::RotateWhileDown(Rotation::Rename),
        Step::Commit,
        Step::Append(1),
        Step::ReceiveAll,
        Step::Restart,
        Step::Commit,
        Step::RotateWhileDown(Rotation::RenameAndCompress),
        Step::Append(1),
    ];
    walk("a.log", &steps).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_line_arrives_exactly_once(
        all in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..14),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(walk(if all { "a.log*" } else { "a.log" }, &steps));
    }
}
