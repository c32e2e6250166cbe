//! `cargo xtask demo`: Tocsin at work within a minute. In: nothing but the checkout. Out: the
//! address of the page, and a line for each place that an alert has reached. Everything lives in
//! a temporary directory that goes away at the end.
//!
//! Built in the dev profile, in which our dependencies are optimised and our own crates are not:
//! it compiles in a fraction of a release build, is the same build that the tests use, and is
//! still faster than the demo's traffic by far.

mod proofs;
mod stage;

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::process::{heading, run as run_command};
use crate::{ui, workspace};

pub use stage::Stage;

/// How often the demo looks whether its programs still run.
const LOOK: Duration = Duration::from_millis(500);

/// Arguments of `demo`.
#[derive(clap::Args)]
pub struct Args {
    /// Leave after the check: exit 0 when alerts were everywhere within 10 seconds.
    #[arg(long)]
    check: bool,
    /// Use what is built already.
    #[arg(long)]
    no_build: bool,
}

impl Args {
    /// What `cargo xtask test` runs.
    pub fn check_without_build() -> Self {
        Self { check: true, no_build: true }
    }
}

/// Runs the command; whether alerts were everywhere in time.
///
/// # Errors
/// When something cannot be built or started.
pub fn run(args: &Args) -> Result<bool> {
    if !args.no_build {
        build()?;
    }
    // Before anything is started, so that Ctrl-C leaves nothing behind.
    let interrupted = interrupts()?;
    let mut stage = Stage::set("debug")?;
    stage.print();
    let good = stage.wait_for_proofs();
    if args.check {
        return Ok(good);
    }
    println!("\nCtrl-C stops everything and removes {}", stage.dir().display());
    while interrupted.recv_timeout(LOOK).is_err() {
        if let Some(name) = stage.ended() {
            eprintln!("xtask: {name} has ended by itself; its messages are above");
            return Ok(false);
        }
    }
    println!("\nstopping");
    Ok(good)
}

fn build() -> Result<()> {
    ui::build()?;
    heading("building tocsin (a few minutes the first time)");
    run_command(workspace::cargo().args(["build", "--locked", "--package", "tocsin-cli"]))
}

fn interrupts() -> Result<mpsc::Receiver<()>> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot wait for Ctrl-C")?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if send.send(()).is_err() {
                return;
            }
        }
    });
    Ok(receive)
}
