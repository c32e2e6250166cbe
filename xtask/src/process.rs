//! Running other programs: shown as they are run, stopped when we stop.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a program gets between being asked to stop and being killed.
const STOP_SECONDS_MAX: u64 = 6;
/// How often a condition that has no event is looked at.
const LOOK_MS: u64 = 50;

/// Prints a heading for a step.
pub fn heading(text: &str) {
    println!("\n── {text}");
}

/// Runs a command with our own output; an error names it when it fails.
///
/// # Errors
/// When it cannot be started or exits with anything but 0.
pub fn run(command: &mut Command) -> Result<()> {
    if !passes(command)? {
        bail!("{} failed", describe(command));
    }
    Ok(())
}

/// Runs a command with our own output; whether it exited with 0.
///
/// # Errors
/// When it cannot be started.
pub fn passes(command: &mut Command) -> Result<bool> {
    let status = command.status().with_context(|| format!("cannot run {}", describe(command)))?;
    Ok(status.success())
}

/// A command as people would type it.
pub fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program()).to_string_lossy();
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    format!("{name} {}", args.join(" ")).trim_end().to_owned()
}

/// A program in the background; asked to stop, then killed, when dropped.
pub struct Background {
    name: String,
    child: Child,
}

impl Background {
    /// Starts it without standard input.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", describe(command)))?;
        Ok(Self { name: name.to_owned(), child })
    }

    /// What it was called at the start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to stop, waits, kills it if it does not.
    pub fn stop(&mut self) {
        if !self.is_running() {
            return;
        }
        if let Ok(id) = i32::try_from(self.child.id()) {
            // Failing means that it has ended since.
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        let ended = wait_until(Duration::from_secs(STOP_SECONDS_MAX), || !self.is_running());
        if !ended {
            eprintln!("xtask: {} did not stop within {STOP_SECONDS_MAX} s, killing it", self.name);
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Looks at a condition until it holds or the time is over; whether it holds.
pub fn wait_until(most: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if start.elapsed() > most {
            return false;
        }
        std::thread::sleep(Duration::from_millis(LOOK_MS));
    }
}
