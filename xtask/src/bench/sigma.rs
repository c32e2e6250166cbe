//! Detection with thousands of Sigma rules on structured events, beside `rsigma` on the same
//! events in the same run. In: a directory of rules (SigmaHQ's, where it is beside the checkout),
//! events made here. Out: figures without the time that loading takes, which is a figure itself.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::events::{self, Kind};
use super::measure::{self, Figure};
use crate::process::{heading, passes};
use crate::workspace::{cargo, root, target_dir};

/// The version that is compared with.
const RSIGMA: &str = "0.23.0";
/// Each figure is the best of so many runs.
const RUNS: u32 = 3;
/// Events of the comparison with a tool that is much slower.
const OTHERS_SHARE: u64 = 10;
/// Correlation rules of the run that has many.
const CORRELATIONS: usize = 500;

/// Measures; empty, with a notice, where there are no rules.
///
/// # Errors
/// When a file cannot be written or a run fails.
pub fn run(
    tocsin: &Path,
    rules: Option<&Path>,
    events: u64,
    rsigma: bool,
    dir: &Path,
) -> Result<Vec<Figure>> {
    let beside = root().join("../shared/corpora/sigmahq/rules");
    let rules = rules.unwrap_or(&beside);
    if !rules.is_dir() {
        println!("left out: {} is missing; name a directory with --rules", rules.display());
        return Ok(Vec::new());
    }
    heading(&format!("{} rules of {}, {events} events", count(rules)?, rules.display()));
    let half = dir.join("half");
    every_second(rules, &half)?;
    let correlated = dir.join("correlated");
    correlations(&correlated)?;
    let mut figures = Vec::new();
    let alone = load(tocsin, &[rules], dir)?;
    println!("loading takes {:.2} CPU s", alone.cpu_seconds);
    for kind in [Kind::Process, Kind::File] {
        let file = events::write(dir, kind, events)?;
        let name = kind.name();
        let all = scan(tocsin, &[rules], &file, (name, events), &alone)?;
        let of_half = load(tocsin, &[&half], dir)?;
        let halved = format!("{name}, half");
        let halved = scan(tocsin, &[&half], &file, (&halved, events), &of_half)?;
        let many = load(tocsin, &[rules, &correlated], dir)?;
        let with = format!("{name}, +{CORRELATIONS} corr.");
        let with = scan(tocsin, &[rules, &correlated], &file, (&with, events), &many)?;
        println!(
            "{name}: twice the rules cost {:+.0} % per event, {CORRELATIONS} correlations leave {:.0} % of the speed",
            (halved.rate() / all.rate() - 1.0) * 100.0,
            with.rate() / all.rate() * 100.0
        );
        two_threads(tocsin, rules, &file, name, &alone)?;
        if rsigma {
            let few = events::write(dir, kind, events / OTHERS_SHARE)?;
            let other = compare(tocsin, rules, &few, (name, events / OTHERS_SHARE), dir)?;
            println!("{name}: {:.1} × rsigma {RSIGMA}", all.rate() / other.rate());
            figures.push(other);
        }
        figures.extend([all, halved, with]);
    }
    figures.push(Figure { name: "load the rules".to_owned(), events: count(rules)?, ..alone });
    Ok(figures)
}

/// A run of the scanner whose output is thrown away, the loading taken off.
fn scan(
    tocsin: &Path,
    rules: &[&Path],
    file: &Path,
    (name, events): (&str, u64),
    load: &Figure,
) -> Result<Figure> {
    let run = || measure::run(name, events, command(tocsin, rules).arg("--").arg(file));
    let best = best(run)?;
    let cpu_seconds = best.cpu_seconds - load.cpu_seconds;
    ensure!(cpu_seconds > 0.0, "{name}: too few events to measure");
    Ok(Figure { cpu_seconds, ..best })
}

fn load(tocsin: &Path, rules: &[&Path], dir: &Path) -> Result<Figure> {
    let nothing = dir.join("nothing.ndjson");
    std::fs::write(&nothing, "{}\n")?;
    best(|| measure::run("load", 1, command(tocsin, rules).arg("--").arg(&nothing)))
}

fn best(run: impl Fn() -> Result<Figure>) -> Result<Figure> {
    let mut best = run()?;
    for _ in 1..RUNS {
        let next = run()?;
        if next.cpu_seconds < best.cpu_seconds {
            best = next;
        }
    }
    Ok(best)
}

fn command(tocsin: &Path, rules: &[&Path]) -> Command {
    threaded(tocsin, rules, 1)
}

fn threaded(tocsin: &Path, rules: &[&Path], threads: u32) -> Command {
    let mut command = Command::new(tocsin);
    command.args(["scan", "--threads", &threads.to_string(), "--rules"]).args(rules);
    command
}

/// How many times as fast two threads are as one, on the clock, the loading taken off. Runs take
/// turns, and the best of each counts: on a busy machine this is the least that can be said.
fn two_threads(tocsin: &Path, rules: &Path, file: &Path, name: &str, load: &Figure) -> Result<()> {
    let mut best = [f64::INFINITY; 2];
    for _ in 0..RUNS {
        for threads in [1, 2] {
            let mut command = threaded(tocsin, &[rules], threads);
            let run = measure::run(name, 1, command.arg("--").arg(file))?;
            let wall = &mut best[threads as usize - 1];
            *wall = wall.min(run.wall_seconds - load.wall_seconds);
        }
    }
    let [one, two] = best;
    ensure!(two > 0.0, "{name}: too few events to measure");
    println!("{name}: two threads are {:.2} × one, on the clock", one / two);
    Ok(())
}

/// Runs the other tool, and says where it finds something else.
fn compare(
    tocsin: &Path,
    rules: &Path,
    file: &Path,
    (name, events): (&str, u64),
    dir: &Path,
) -> Result<Figure> {
    let program = rsigma()?;
    let other = || {
        let mut command = Command::new(&program);
        command.args(["engine", "eval", "--logsource-routing", "-r"]).arg(rules);
        command
    };
    let nothing = dir.join("nothing.ndjson");
    let feed = |file: &Path| -> Result<Stdio> { Ok(std::fs::File::open(file)?.into()) };
    let load = measure::run("load", 1, other().stdin(feed(&nothing)?))?;
    let whole = measure::run(&format!("{name}, rsigma"), events, other().stdin(feed(file)?))?;
    let cpu_seconds = (whole.cpu_seconds - load.cpu_seconds).max(1e-3);
    let theirs = found(other().stdin(feed(file)?))?;
    let ours = found(command(tocsin, &[rules]).arg("--findings").arg("--").arg(file))?;
    let names: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differ = |id: &&&String| ours.get(**id) != theirs.get(**id);
    let different: Vec<_> = names.iter().filter(differ).collect();
    println!("{name}: {} rules found something, {} differ", names.len(), different.len());
    for id in different {
        let of = |found: &BTreeMap<String, u64>| found.get(id.as_str()).copied().unwrap_or(0);
        println!("  {id}: {} here, {} there", of(&ours), of(&theirs));
    }
    Ok(Figure { cpu_seconds, ..whole })
}

/// Findings by the id of their rule.
fn found(command: &mut Command) -> Result<BTreeMap<String, u64>> {
    let output = command.stderr(Stdio::null()).output().context("cannot be run")?;
    let mut found = BTreeMap::new();
    for line in output.stdout.split(|byte| *byte == b'\n') {
        let Ok(value) = serde_json::from_slice::<Value>(line) else { continue };
        let ids = [&value["rule"]["id"], &value["rule_id"], &value["header"]["rule_id"]];
        if let Some(id) = ids.iter().find_map(|id| id.as_str()) {
            *found.entry(id.to_owned()).or_default() += 1;
        }
    }
    Ok(found)
}

/// The other tool, installed where it is missing.
fn rsigma() -> Result<PathBuf> {
    let tools = target_dir().join("tools");
    let program = tools.join("bin/rsigma");
    if !program.is_file() {
        println!("installing rsigma {RSIGMA} into {}", tools.display());
        let mut install = cargo();
        install.args(["install", "--quiet", "--locked", "rsigma", "--version", RSIGMA]);
        install.arg("--root").arg(&tools).env("CARGO_TARGET_DIR", tools.join("build"));
        ensure!(passes(&mut install)?, "rsigma {RSIGMA} could not be installed");
        // Nobody needs what it was built from.
        let _ = std::fs::remove_dir_all(tools.join("build"));
    }
    Ok(program)
}

fn rule_files(rules: &Path) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let mut open = vec![rules.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "yml") {
                out.push(path);
            }
        }
    }
    out.sort();
    Ok(out)
}

fn count(rules: &Path) -> Result<u64> {
    Ok(rule_files(rules)?.len() as u64)
}

/// Copies every second rule.
fn every_second(rules: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for (number, path) in rule_files(rules)?.iter().enumerate().step_by(2) {
        std::fs::copy(path, to.join(format!("{number}.yml")))?;
    }
    Ok(())
}

/// Correlations over rules that match now and then: about one event in ten is counted somewhere.
fn correlations(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut out = BufWriter::new(std::fs::File::create(dir.join("correlations.yml"))?);
    for number in 100..100 + CORRELATIONS {
        writeln!(
            out,
            "title: base {number}\nname: base_{number}\nlogsource: {{ product: windows, category: process_creation }}\n\
             detection:\n  s:\n    CommandLine|contains: 'Letter{number}'\n  condition: s\n---\n\
             title: count {number}\ncorrelation:\n  type: event_count\n  rules: [base_{number}]\n  \
             group-by: [User]\n  timespan: 60s\n  condition: {{ gte: 1000 }}\n---"
        )?;
    }
    writeln!(
        out,
        "title: last\nlogsource: {{ product: none }}\ndetection:\n  s: {{ none: 1 }}\n  condition: s"
    )?;
    Ok(())
}
