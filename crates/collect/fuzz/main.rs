//! Fuzzing of what comes over the network: seeds are mutated until the time is over or something
//! panics, is slow, or depends on where its bytes were split. What breaks is made small and
//! written down.
//!
//! `cargo xtask fuzz [TARGET] [--seconds N] [--seed N]`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a development tool")]

#[path = "../../detect/fuzz/mutate.rs"]
mod mutate;
#[path = "../../detect/fuzz/shrink.rs"]
mod shrink;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mutate::Mutator;
use targets::{NAMES, Run};

/// One input that takes longer than this is a finding.
const SLOW: Duration = Duration::from_secs(5);
/// The longest input, in bytes.
const INPUT_BYTES_MAX: usize = 64 * 1024;

fn main() -> ExitCode {
    let (mut seconds, mut seed) = (60, 1);
    let (mut out, mut names) = (PathBuf::from("target/fuzz-found"), Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => seconds = words.next().unwrap().parse().unwrap(),
            "--seed" => seed = words.next().unwrap().parse().unwrap(),
            "--out" => out = words.next().unwrap().into(),
            name if NAMES.contains(&name) => names.push(word),
            other => {
                eprintln!("fuzz: {other:?} is no target; targets are {}", NAMES.join(", "));
                return ExitCode::from(2);
            }
        }
    }
    if names.is_empty() {
        names = NAMES.iter().map(|name| (*name).to_owned()).collect();
    }
    std::panic::set_hook(Box::new(|_| {}));
    let mut clean = true;
    for name in &names {
        clean &= fuzz(name, Duration::from_secs(seconds), seed, &out.join(name));
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Mutates until the time is over; whether nothing broke.
fn fuzz(name: &str, time: Duration, seed: u64, out: &std::path::Path) -> bool {
    let (seeds, run) = targets::target(name);
    let mut mutator = Mutator::new(seed, &seeds);
    let end = Instant::now() + time;
    let (mut tried, mut broken) = (0_u64, Vec::new());
    let mut waiting = seeds.clone();
    while Instant::now() < end {
        let input = waiting.pop().unwrap_or_else(|| mutator.next(INPUT_BYTES_MAX));
        tried += 1;
        let Some(problem) = attempt(run, &input) else { continue };
        if broken.contains(&problem) {
            continue;
        }
        let small = shrink::shrink(input, |input| attempt(run, input).as_ref() == Some(&problem));
        std::fs::create_dir_all(out).unwrap();
        let path = out.join(format!("{:016x}", broken.len()));
        std::fs::write(&path, &small).unwrap();
        println!("{name}: {problem}\n  in {}", path.display());
        broken.push(problem);
    }
    println!("{name}: {tried} inputs of seed {seed}, {} problems", broken.len());
    broken.is_empty()
}

/// What went wrong with an input.
fn attempt(run: Run, input: &[u8]) -> Option<String> {
    let start = Instant::now();
    match catch_unwind(AssertUnwindSafe(|| run(input))) {
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Some(format!("panicked: {}", text.unwrap_or_default()))
        }
        Ok(Err(message)) => Some(message),
        Ok(Ok(())) if start.elapsed() > SLOW => Some("slow".to_owned()),
        Ok(Ok(())) => None,
    }
}
