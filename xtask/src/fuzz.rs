//! `cargo xtask fuzz`: mutates rules, conditions, events, sources and what comes over the network
//! until something panics or differs from the plain evaluator. In: a target and how long. Out:
//! what broke, made small, in `target/fuzz-found`. The fuzzers themselves are `crates/detect/fuzz`
//! and `crates/collect/fuzz`; they run on stable.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{heading, passes};
use crate::workspace::{self, target_dir};

/// Targets of the network.
const WIRE: &[&str] =
    &["ingest", "bulk", "hec", "loki", "otlp", "gelf", "lumberjack", "fluent", "msgpack", "frames"];

/// Arguments of `fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// What to fuzz: rules, conditions, events, sources, state, matcher, correlations; of the
    /// network ingest, bulk, hec, loki, otlp, gelf, lumberjack, fluent, msgpack, frames; default
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
    let (wire, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        args.targets.iter().partition(|target| WIRE.iter().any(|name| target.as_os_str() == *name));
    let mut clean = true;
    if wire.is_empty() || !others.is_empty() {
        clean &= fuzz(args, ["tocsin-detect", "fuzz"], &others)?;
    }
    if others.is_empty() {
        clean &= fuzz(args, ["tocsin-collect", "fuzz-wire"], &wire)?;
    }
    Ok(clean)
}

fn fuzz(args: &Args, [package, example]: [&str; 2], targets: &[&PathBuf]) -> Result<bool> {
    heading("building the fuzzer");
    let what = ["-p", package, "--example", example, "--profile", "fuzz", "--locked"];
    let mut command = workspace::cargo();
    command.arg("run").args(what).arg("--").args(targets);
    command.args(["--seconds", &args.seconds.to_string(), "--seed", &args.seed.to_string()]);
    command.arg("--out").arg(target_dir().join("fuzz-found"));
    passes(&mut command)
}
