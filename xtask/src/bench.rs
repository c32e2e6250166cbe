//! `cargo xtask bench`: how many events a CPU second is good for. In: lines made here from a
//! seed. Out: a table, also of other tools on the same file in the same run, and a line per
//! figure in `target/bench-history.ndjson`, so that a slower commit is seen.
//!
//! CPU seconds are user and system time of the whole process, start-up included.

mod events;
mod history;
mod lines;
mod measure;
mod mixed;
mod sigma;
mod sources;
mod store;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{heading, run as run_command};
use crate::workspace::{self, target_dir, which};
use crate::{install, ui};
use measure::Figure;

/// Lines of the file that everything is measured on.
const LINES: u64 = 1_000_000;
/// Structured events that detection is measured on.
const EVENTS: u64 = 300_000;
/// Each of our own figures is the best of so many runs: what disturbs a run only slows it.
const RUNS: u32 = 3;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Lines to ECS JSON, and so of each of many sources.
    Parse,
    /// Lines through every shipped rule.
    Detect,
    /// Mixed events over syslog into a running server, then questions and backtests.
    Store,
    /// What a million indicators and the rest of enriching cost.
    Intel,
    /// How often baselines are right, on labelled data with planted anomalies.
    Baselines,
    /// All of parse, detect and store.
    All,
}

/// Arguments of `bench`.
#[derive(clap::Args)]
pub struct Args {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// How many lines.
    #[arg(long, default_value_t = LINES)]
    lines: u64,
    /// Leave out other tools.
    #[arg(long)]
    no_others: bool,
    /// Sigma rules to measure detection with, instead of those beside the checkout.
    #[arg(long)]
    rules: Option<PathBuf>,
    /// How many structured events; default 300,000, and 2,000,000 into the store.
    #[arg(long)]
    events: Option<u64>,
    /// Compare with rsigma on the same events, installing it where it is missing.
    #[arg(long)]
    rsigma: bool,
    /// Use the release build that is there.
    #[arg(long)]
    no_build: bool,
}

/// Runs the command.
///
/// # Errors
/// When something cannot be built, or a run fails.
pub fn run(args: &Args) -> Result<bool> {
    if let Some(example) = example(args.what) {
        run_command(workspace::cargo().args([
            "run",
            "--release",
            "--locked",
            "-q",
            "-p",
            "tocsin-enrich",
            "--example",
            example,
        ]))?;
        return Ok(true);
    }
    if !args.no_build {
        ui::build()?;
        heading("building in release (some minutes the first time)");
        run_command(workspace::cargo().args([
            "build",
            "--release",
            "--locked",
            "-p",
            "tocsin-cli",
        ]))?;
    }
    let tocsin = workspace::tocsin("release");
    if !tocsin.is_file() {
        bail!("{} is missing; run without --no-build", tocsin.display());
    }
    let dir = target_dir().join("bench");
    std::fs::create_dir_all(&dir)?;
    let rules = args.rules.as_deref();
    let mut figures = Vec::new();
    if args.what != What::Store {
        figures.extend(measure_lines(args, &tocsin, &dir)?);
    }
    if matches!(args.what, What::Detect | What::All) {
        let events = args.events.unwrap_or(EVENTS);
        figures.extend(sigma::run(&tocsin, rules, events, args.rsigma, &dir)?);
    }
    if matches!(args.what, What::Store | What::All) {
        let events = args.events.unwrap_or(store::EVENTS);
        figures.extend(store::run(&tocsin, rules, events, &dir)?);
    }
    print(&figures);
    history::compare_and_add(&target_dir().join("bench-history.ndjson"), &figures)?;
    Ok(true)
}

/// The example that measures it, where one does.
fn example(what: What) -> Option<&'static str> {
    match what {
        What::Intel => Some("intel"),
        What::Baselines => Some("baselines"),
        _ => None,
    }
}

/// A file of lines, through our stages and through other tools.
fn measure_lines(args: &Args, tocsin: &Path, dir: &Path) -> Result<Vec<Figure>> {
    let file = lines::sshd(dir, args.lines)?;
    heading(&format!("{} sshd lines, {}", args.lines, file.display()));
    let mut figures = ours(args, tocsin, &file, dir)?;
    if args.what == What::Parse {
        figures.extend(sources::run(tocsin, dir)?);
    }
    if !args.no_others && matches!(args.what, What::Detect | What::All) {
        install::for_bench()?;
        figures.extend(others(args, &file, dir)?);
    }
    Ok(figures)
}

fn ours(args: &Args, tocsin: &Path, file: &Path, dir: &Path) -> Result<Vec<Figure>> {
    let wanted = |what| args.what == what || args.what == What::All;
    let best = |name: &str, make: &mut dyn FnMut() -> Result<Command>| -> Result<Figure> {
        let mut best: Option<Figure> = None;
        for _ in 0..RUNS {
            let figure = measure::run(name, args.lines, &mut make()?)?;
            if best.as_ref().is_none_or(|best| figure.cpu_seconds < best.cpu_seconds) {
                best = Some(figure);
            }
        }
        best.ok_or_else(|| anyhow::anyhow!("no run of {name}"))
    };
    let mut figures = Vec::new();
    if wanted(What::Parse) {
        figures.push(best("parse", &mut || {
            let mut command = Command::new(tocsin);
            command.arg("parse").stdin(std::fs::File::open(file)?);
            Ok(command)
        })?);
    }
    if wanted(What::Detect) {
        figures.push(best("parse + detect", &mut || {
            let mut command = Command::new(tocsin);
            command.args(["scan", "--threads", "1"]).arg(file);
            Ok(command)
        })?);
    }
    if args.what == What::All {
        figures.push(best("into the store", &mut || {
            let data = fresh(dir, "data")?;
            let mut command = Command::new(tocsin);
            command.arg("import").arg(file).arg("--data").arg(data);
            Ok(command)
        })?);
        std::fs::remove_dir_all(dir.join("data"))?;
    }
    Ok(figures)
}

fn fresh(dir: &Path, name: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    if path.exists() {
        std::fs::remove_dir_all(&path)?;
    }
    std::fs::create_dir_all(&path)?;
    Ok(path)
}

/// Other tools, one run each: they take long, and a few per cent do not matter.
fn others(args: &Args, file: &Path, dir: &Path) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    if which("fail2ban-regex").is_some() {
        let mut command = Command::new("fail2ban-regex");
        command.args(["--print-no-missed", "--print-no-ignored"]).arg(file).arg("sshd");
        figures.push(measure::run("fail2ban-regex", args.lines, &mut command)?);
    } else {
        println!("left out: fail2ban-regex is missing (Debian package fail2ban)");
    }
    if which("sec").is_some() {
        let rule = dir.join("sec.conf");
        std::fs::write(&rule, SEC_RULE)?;
        let mut command = Command::new("sec");
        command.arg(format!("--conf={}", rule.display()));
        command.arg(format!("--input={}", file.display()));
        command.args(["--notail", "--quoting", "--log=/dev/null"]);
        figures.push(measure::run("sec, one rule", args.lines, &mut command)?);
    } else {
        println!("left out: sec is missing (Debian package sec)");
    }
    Ok(figures)
}

/// Five failures from one address within a minute, as our rule says it.
const SEC_RULE: &str = "\
type=SingleWithThreshold
ptype=RegExp
pattern=sshd\\[\\d+\\]: Failed password for (?:invalid user )?(.*) from (\\S+) port \\d+
desc=brute force from $2
action=none
window=60
thresh=5
";

fn print(figures: &[Figure]) {
    println!(
        "\n{:<28} {:>10} {:>9} {:>9} {:>17}",
        "", "events", "CPU s", "wall s", "events per CPU s"
    );
    for figure in figures {
        let Figure { name, events, cpu_seconds, wall_seconds } = figure;
        let rate = figure.rate();
        println!("{name:<28} {events:>10} {cpu_seconds:>9.2} {wall_seconds:>9.2} {rate:>17.0}");
    }
    let Some(detect) = figures.iter().find(|figure| figure.name == "parse + detect") else {
        return;
    };
    for other in
        figures.iter().filter(|figure| ["fail2ban-regex", "sec, one rule"].contains(&&*figure.name))
    {
        println!("parse + detect is {:.1} × {}", detect.rate() / other.rate(), other.name);
    }
}
