//! `cargo xtask soak`: what takes too long for every change. `kill`: the server is killed a hundred
//! times under load on files, TCP, HTTP and `_bulk`; then everything is counted.

use anyhow::Result;

use crate::process::{heading, passes};
use crate::workspace::cargo;

/// What to do for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// `kill -9` at arbitrary moments.
    Kill,
}

/// Arguments of `soak`.
#[derive(clap::Args)]
pub struct Args {
    /// What to do.
    #[arg(value_enum, default_value = "kill")]
    what: What,
    /// How often.
    #[arg(long, default_value_t = 100)]
    times: u32,
}

/// Runs the command.
///
/// # Errors
/// When cargo cannot be started.
pub fn run(args: &Args) -> Result<bool> {
    match args.what {
        What::Kill => {
            heading(&format!("{} times kill -9 under load", args.times));
            let test = ["test", "--locked", "-p", "tocsin-cli", "--test", "kill"];
            let mut command = cargo();
            command.args(test).args(["--", "--nocapture"]);
            passes(command.env("TOCSIN_TEST_KILLS", args.times.to_string()))
        }
    }
}
