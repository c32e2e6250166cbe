//! `cargo xtask`: the commands of development, one file each. `demo` and `test` are what README
//! promises; `ci` is what runs before a change lands; `tidy` keeps the house as
//! ARCHITECTURE.md says it is; `bench` measures speed; `soak` kills the server often. Never part of what users run.

mod bench;
mod ci;
mod demo;
mod deny;
mod fuzz;
mod http;
mod install;
mod outcome;
mod process;
mod soak;
mod test;
mod tidy;
mod ui;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development commands of Tocsin", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything and show Tocsin at work on simulated attacks, in a temporary directory.
    Demo(demo::Args),
    /// Run every test: unit, content, end-to-end, page; installs what they need.
    Test(test::Args),
    /// What runs before a change lands: format, clippy, tidy, licences, then every test.
    Ci(ci::Args),
    /// Check the style that no compiler checks: headers, lengths, arrows between crates, words.
    Tidy(tidy::Args),
    /// Measure speed in a release build, beside other tools on the same file.
    Bench(bench::Args),
    /// Kill the server a hundred times under load and count what it stored and told.
    Soak(soak::Args),
    /// Mutate rules, conditions, events and sources until something breaks.
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Tidy(args) => tidy::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
