//! `cargo xtask fuzz`: mutates rules, conditions, events, sources, lines and what comes over the
//! network until something panics or differs from the plain evaluator. In: a target and how long.
//! Out: what broke, made small, in `target/fuzz-found`. The fuzzers themselves are
//! `crates/detect/fuzz`, `crates/parse/fuzz` and `crates/collect/fuzz`; they run on stable.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{heading, passes};
use crate::workspace::{self, target_dir};

/// The fuzzers: package, example, targets.
const FUZZERS: [(&str, &str, &[&str]); 3] = [
    (
        "tocsin-detect",
        "fuzz",
        &["rules", "conditions", "events", "sources", "state", "matcher", "correlations"],
    ),
    ("tocsin-parse", "fuzz-lines", &["lines", "bodies"]),
    (
        "tocsin-collect",
        "fuzz-wire",
        &[
            "ingest",
            "bulk",
            "hec",
            "loki",
            "otlp",
            "gelf",
            "lumberjack",
            "fluent",
            "msgpack",
            "frames",
        ],
    ),
];

/// Arguments of `fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// What to fuzz: rules, conditions, events, sources, state, matcher, correlations; lines,
    /// bodies; of the network ingest, bulk, hec, loki, otlp, gelf, lumberjack, fluent, msgpack, frames; default
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
    let named = |names: &[&str]| {
        args.targets.iter().any(|target| names.iter().any(|name| target.as_os_str() == *name))
    };
    let mut clean = true;
    for (package, example, names) in FUZZERS {
        if args.targets.is_empty() {
            clean &= fuzz(args, [package, example], &[])?;
        } else if named(names) {
            // What is no other fuzzer's target: this one's targets, and files.
            let others = FUZZERS.iter().filter(|fuzzer| fuzzer.0 != package);
            let others: Vec<&str> = others.flat_map(|fuzzer| fuzzer.2).copied().collect();
            let own = |target: &&PathBuf| others.iter().all(|name| target.as_os_str() != *name);
            let targets: Vec<&PathBuf> = args.targets.iter().filter(own).collect();
            clean &= fuzz(args, [package, example], &targets)?;
        }
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
