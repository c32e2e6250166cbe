//! Fuzzing that runs on stable: seeds are mutated, or rules made up, by a generator that is seeded
//! itself, until the time is over or something breaks. What breaks (a panic, a difference, a slow
//! input) is made small and written down.
//!
//! `cargo xtask fuzz [TARGET] [--seconds N] [--seed N]`, or with files: these only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a development tool")]

#[path = "../tests/common/mod.rs"]
mod common;
mod corpus;
mod mutate;
mod shrink;
mod targets;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mutate::Mutator;
use targets::Target;

/// How long each target is fuzzed when nothing is said.
const SECONDS: u64 = 60;
/// How often in a row an input has to be slow.
const SLOW_TIMES: u32 = 4;
/// One input that takes longer than this is a finding.
const SLOW: Duration = Duration::from_secs(5);
/// The longest input, in bytes.
const INPUT_BYTES_MAX: usize = 64 * 1024;

struct Args {
    targets: Vec<String>,
    seconds: u64,
    seed: u64,
    files: Vec<PathBuf>,
    out: PathBuf,
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(message) => {
            eprintln!("fuzz: {message}; targets are {}", targets::NAMES.join(", "));
            return ExitCode::from(2);
        }
    };
    targets::catch_panics();
    let mut clean = true;
    for name in &args.targets {
        let mut target = targets::target(name);
        clean &= if args.files.is_empty() {
            fuzz(&mut target, &args)
        } else {
            replay(&mut target, &args.files)
        };
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn args() -> Result<Args, String> {
    let mut args = Args {
        targets: Vec::new(),
        seconds: SECONDS,
        seed: 1,
        files: Vec::new(),
        out: PathBuf::from("target/fuzz-found"),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = |name: &str| {
            let value = words.next().and_then(|text| text.parse().ok());
            value.ok_or_else(|| format!("{name} needs a number"))
        };
        match word.as_str() {
            "--seconds" => args.seconds = number("--seconds")?,
            "--seed" => args.seed = number("--seed")?,
            "--out" => args.out = words.next().ok_or("--out needs a directory")?.into(),
            name if targets::NAMES.contains(&name) => args.targets.push(word),
            path if Path::new(path).is_file() => args.files.push(path.into()),
            other => return Err(format!("{other:?} is no target and no file")),
        }
    }
    if args.targets.is_empty() {
        args.targets = targets::NAMES.iter().map(|name| (*name).to_owned()).collect();
    }
    Ok(args)
}

/// Mutates until the time is over; whether nothing broke.
fn fuzz(target: &mut Target, args: &Args) -> bool {
    let seeds = (target.seeds)();
    let mut mutator = Mutator::new(args.seed, &seeds);
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let mut tried = 0_u64;
    let mut broken: Vec<String> = Vec::new();
    // The seeds themselves first.
    let mut waiting: Vec<Vec<u8>> = seeds.clone();
    while Instant::now() < end {
        let input = waiting.pop().unwrap_or_else(|| mutator.next(INPUT_BYTES_MAX));
        tried += 1;
        let Some(problem) = attempt(target, &input) else { continue };
        if broken.contains(&problem.place) {
            continue;
        }
        broken.push(problem.place.clone());
        let small = if target.whole {
            input
        } else {
            let same = |input: &[u8]| {
                attempt(target, input).is_some_and(|found| found.place == problem.place)
            };
            shrink::shrink(input, same)
        };
        report(target.name, args, &small, &problem);
    }
    println!("{}: {tried} inputs of seed {}, {} problems", target.name, args.seed, broken.len());
    broken.is_empty()
}

fn replay(target: &mut Target, files: &[PathBuf]) -> bool {
    let mut clean = true;
    for file in files {
        let input = std::fs::read(file).unwrap();
        let problem = attempt(target, &input);
        clean &= problem.is_none();
        let said = problem.map_or_else(|| "nothing".to_owned(), |problem| problem.message);
        println!("{} {}: {said}", target.name, file.display());
    }
    clean
}

/// What went wrong with an input.
struct Problem {
    /// Tells one problem from another: where it panicked, or what kind it is.
    place: String,
    message: String,
}

/// What is wrong with an input. What was slow once may have waited for a busy machine: it has to
/// be slow again.
fn attempt(target: &mut Target, input: &[u8]) -> Option<Problem> {
    let mut problem = attempt_once(target, input);
    for _ in 1..SLOW_TIMES {
        if problem.as_ref().is_some_and(|problem| problem.place == "slow") {
            problem = attempt_once(target, input);
        }
    }
    problem
}

fn attempt_once(target: &mut Target, input: &[u8]) -> Option<Problem> {
    let start = Instant::now();
    let caught = targets::caught(|| (target.run)(input));
    let took = start.elapsed();
    match caught {
        Err((place, message)) => Some(Problem { place, message }),
        Ok(Err(message)) => {
            let place = message.split(':').next().unwrap_or("").to_owned();
            Some(Problem { place, message })
        }
        Ok(Ok(())) if took > SLOW => {
            Some(Problem { place: "slow".to_owned(), message: format!("took {took:?}") })
        }
        Ok(Ok(())) => None,
    }
}

fn report(name: &str, args: &Args, input: &[u8], problem: &Problem) {
    let dir = args.out.join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let hash = input.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let path = dir.join(format!("{hash:016x}"));
    std::fs::write(&path, input).unwrap();
    println!("{name}: {}\n  {}\n  in {}", problem.place, problem.message, path.display());
}
