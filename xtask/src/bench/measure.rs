//! Runs a command and says what it cost.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::process::describe;

/// What a run cost.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was run.
    pub name: String,
    /// Events it worked on.
    pub events: u64,
    /// User and system time of the process and what it started.
    pub cpu_seconds: f64,
    /// Time on the clock.
    pub wall_seconds: f64,
}

impl Figure {
    /// Events per CPU second.
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.cpu_seconds.max(1e-6)
    }
}

/// Runs it with its output thrown away.
///
/// # Errors
/// When it cannot be started or fails.
pub fn run(name: &str, events: u64, command: &mut Command) -> Result<Figure> {
    let before = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let start = Instant::now();
    let output = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot run {}", describe(command)))?;
    let wall_seconds = start.elapsed().as_secs_f64();
    let messages = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = messages.lines().rev().take(5).collect();
    ensure!(output.status.success(), "{} failed:\n{}", describe(command), last.join("\n"));
    let after = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok(Figure {
        name: name.to_owned(),
        events,
        cpu_seconds: cpu_seconds(&after) - cpu_seconds(&before),
        wall_seconds,
    })
}

fn cpu_seconds(usage: &Usage) -> f64 {
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    microseconds as f64 / 1e6
}
