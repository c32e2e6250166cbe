//! The store as people use it: a day of mixed traffic over TCP syslog into `tocsin run`, with all
//! shipped rules and SigmaHQ's for Linux and web servers, then questions, backtests, a start and
//! the archive.
//! In: the release build. Out: a table of figures beside what was asked for.

mod archive;
mod ask;
mod live;
mod serve;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::measure::Figure;
use super::{fresh, mixed};
use crate::process::{describe, heading};
use crate::workspace::root;
use serve::Serving;

/// Events of the figures in the documentation.
pub const EVENTS: u64 = 2_000_000;
/// The rule that is tried on everything stored.
const ONE_RULE: &str = "Login brute force from one address";
/// Rules that are loaded besides the shipped ones, below a directory of SigmaHQ's.
const RULE_DIRECTORIES: &[&str] = &["linux", "web"];
/// How long an idle server is left alone before its memory is looked at.
const IDLE: Duration = Duration::from_secs(10);
const MEGABYTE: f64 = 1e6;

/// One line of the table.
pub struct Line {
    /// What was measured.
    pub name: String,
    /// What it was.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What was asked for.
    pub asked: Option<Asked>,
}

/// What a figure should be.
#[derive(Clone, Copy)]
pub enum Asked {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Line {
    /// A line.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str, asked: Asked) -> Self {
        Self { name: name.into(), value, unit, asked: Some(asked) }
    }

    fn told(name: &str, value: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), value, unit, asked: None }
    }
}

/// Measures and prints.
///
/// # Errors
/// When the server cannot be started or does not answer.
pub fn run(tocsin: &Path, rules: Option<&Path>, events: u64, dir: &Path) -> Result<Vec<Figure>> {
    let file = mixed::write(dir, events)?;
    let raw = file.metadata()?.len();
    let rules = directories(rules);
    heading(&format!(
        "{events} mixed events, {} bytes each, {}",
        raw / events.max(1),
        file.display()
    ));
    let data = fresh(dir, "store")?;
    let mut lines = Vec::new();
    let mut serving = Serving::start(tocsin, &data, &rules)?;
    let before = serving.cpu_seconds()?;
    let wall = live::pour(&serving, &file, events)?;
    let cpu_seconds = serving.cpu_seconds()? - before;
    let rate = events as f64 / wall.as_secs_f64();
    lines.push(Line::new("sustained", rate, "events/s", Asked::AtLeast(40_000.0)));
    lines.push(Line::told("per CPU second", events as f64 / cpu_seconds, "events"));
    let peak = serving.memory("VmHWM")? / MEGABYTE;
    lines.push(Line::new("memory, greatest", peak, "MB", Asked::AtMost(512.0)));
    serving.settle()?;
    let disk = serving.disk_bytes()?;
    lines.push(Line::new("bytes on disk ÷ raw", disk / raw as f64, "", Asked::AtMost(0.9)));
    lines.extend(ask::run(&serving)?);
    serving.stop();
    let begin = Instant::now();
    serving = Serving::start(tocsin, &data, &rules)?;
    let ready = begin.elapsed().as_secs_f64();
    lines.push(Line::new("start until ready", ready, "s", Asked::AtMost(1.0)));
    std::thread::sleep(IDLE);
    let idle = serving.memory("VmRSS")? / MEGABYTE;
    lines.push(Line::new("memory, idle", idle, "MB", Asked::AtMost(64.0)));
    serving.stop();
    lines.extend(backtests(tocsin, &data, &rules)?);
    lines.extend(archive::run(tocsin, &data, &rules, events, raw)?);
    std::fs::remove_dir_all(&data)?;
    print(&lines);
    print(&live::latency(tocsin, &rules, dir)?);
    Ok(vec![Figure {
        name: "store, mixed".to_owned(),
        events,
        cpu_seconds,
        wall_seconds: wall.as_secs_f64(),
    }])
}

/// Directories of rules, with a notice where there are none.
fn directories(rules: Option<&Path>) -> Vec<PathBuf> {
    let beside = root().join("../shared/corpora/sigmahq/rules");
    let of = rules.unwrap_or(&beside);
    let found: Vec<PathBuf> =
        RULE_DIRECTORIES.iter().map(|name| of.join(name)).filter(|path| path.is_dir()).collect();
    if found.is_empty() {
        println!("shipped rules only: {} is missing; name a directory with --rules", of.display());
    }
    found
}

fn backtests(tocsin: &Path, data: &Path, rules: &[PathBuf]) -> Result<Vec<Line>> {
    let base = || {
        let mut command = Command::new(tocsin);
        command.env("TOCSIN_SERVER_DATA_DIR", data).args(["backtest", "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let clock = |mut command: Command| -> Result<f64> {
        let begin = Instant::now();
        let status = command.status().with_context(|| describe(&command))?;
        ensure!(status.success(), "{} failed", describe(&command));
        Ok(begin.elapsed().as_secs_f64())
    };
    let all = "--from=2026-01-01T00:00:00Z";
    let mut one = base();
    one.args([ONE_RULE, all]);
    let mut lines = vec![Line::new("backtest of one rule", clock(one)?, "s", Asked::AtMost(5.0))];
    let every = rules.first().and_then(|first| first.parent());
    if let Some(every) = every {
        let mut command = base();
        command.args(["--all-rules", all, "--rules"]).arg(every);
        let name = "backtest of all of SigmaHQ";
        lines.push(Line::new(name, clock(command)?, "s", Asked::AtMost(30.0)));
    }
    Ok(lines)
}

fn print(lines: &[Line]) {
    println!("\n{:<44} {:>12} {:<9} asked", "", "", "");
    for Line { name, value, unit, asked } in lines {
        let digits = if *value < 10.0 { 2 } else { usize::from(*value < 1000.0) };
        let asked = match asked {
            None => String::new(),
            Some(Asked::AtLeast(least)) if value >= least => format!("≥ {least}"),
            Some(Asked::AtLeast(least)) => format!("≥ {least}  MISSED"),
            Some(Asked::AtMost(most)) if value <= most => format!("≤ {most}"),
            Some(Asked::AtMost(most)) => format!("≤ {most}  MISSED"),
        };
        println!("{name:<44} {value:>12.digits$} {unit:<9} {asked}");
    }
}
