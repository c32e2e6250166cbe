//! `cargo xtask fuzz`: mutates rules, conditions, events and sources until something panics or
//! differs from the plain evaluator. In: a target and how long. Out: what broke, made small, in
//! `target/fuzz-found`. The fuzzer itself is `crates/detect/fuzz`; it runs on stable.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{heading, passes};
use crate::workspace::{self, target_dir};

/// Arguments of `fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// What to fuzz: rules, conditions, events, sources, state, matcher, correlations; default
    /// all. Or a target and files that were written down, to try only those.
    targets: Vec<PathBuf>,
    /// How long each target is fuzzed.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Another seed tries other inputs; the same one tries the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the command; whether nothing broke.
///
/// # Errors
/// When the fuzzer cannot be built.
pub fn run(args: &Args) -> Result<bool> {
    heading("building the fuzzer");
    let what = ["-p", "tocsin-detect", "--example", "fuzz", "--profile", "fuzz", "--locked"];
    let mut command = workspace::cargo();
    command.arg("run").args(what).arg("--").args(&args.targets);
    command.args(["--seconds", &args.seconds.to_string(), "--seed", &args.seed.to_string()]);
    command.arg("--out").arg(target_dir().join("fuzz-found"));
    passes(&mut command)
}
