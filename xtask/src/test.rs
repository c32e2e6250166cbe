//! `cargo xtask test`: every test there is. In: the checkout. Out: the tests' own output and, as
//! the last line, `N passed, N failed`. One target directory and the dev profile for everything,
//! so that nothing is compiled twice.

mod page;
mod tally;

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::outcome::Outcome;
use crate::process::heading;
use crate::{demo, install, ui, workspace};

/// Arguments of `test`.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Install nothing; say what is missing.
    #[arg(long)]
    no_install: bool,
    /// Leave out the page: no Node.js, no browser.
    #[arg(long)]
    no_page: bool,
}

/// Runs the command; whether everything passed.
///
/// # Errors
/// When a tool cannot be started.
pub fn run(args: &Args) -> Result<bool> {
    let mut outcome = Outcome::default();
    if !args.no_install {
        install::for_tests()?;
    }
    if !args.no_page {
        ui::build()?;
    }
    rust(&mut outcome)?;
    if workspace::tocsin("debug").is_file() {
        content(&mut outcome)?;
        demo(&mut outcome);
    } else {
        outcome.not_run("content", "the binary was not built", false);
    }
    if args.no_page {
        outcome.not_run("page", "--no-page", true);
    } else {
        page_units(&mut outcome)?;
        page::run(&mut outcome)?;
    }
    Ok(outcome.finish())
}

/// Unit, integration, end-to-end and documentation tests of every crate.
fn rust(outcome: &mut Outcome) -> Result<()> {
    heading("cargo test");
    let start = Instant::now();
    let mut command = workspace::cargo();
    command.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
    let (counts, good) = tally::run(&mut command, tally::cargo_line)?;
    let failed = counts.failed.max(u64::from(!good));
    outcome.add("rust", counts.passed, failed, start);
    outcome.skipped("rust", &counts.skipped);
    Ok(())
}

/// Tests inside packs, by the binary that users run.
fn content(outcome: &mut Outcome) -> Result<()> {
    heading("tocsin check content");
    let start = Instant::now();
    let mut command = Command::new(workspace::tocsin("debug"));
    command.args(["check", "content"]).current_dir(workspace::root());
    let (counts, good) = tally::run(&mut command, tally::check_line)?;
    let failed = counts.failed.max(u64::from(!good));
    outcome.add("content", counts.passed, failed, start);
    outcome.skipped("content", &counts.skipped);
    Ok(())
}

/// The first of README's two commands.
fn demo(outcome: &mut Outcome) {
    heading("cargo xtask demo --check");
    let start = Instant::now();
    let passed = match demo::run(&demo::Args::check_without_build()) {
        Ok(passed) => passed,
        Err(error) => {
            eprintln!("demo: {error:#}");
            false
        }
    };
    outcome.add("demo", u64::from(passed), u64::from(!passed), start);
}

/// The page's types, lint and unit tests.
fn page_units(outcome: &mut Outcome) -> Result<()> {
    heading("npm test");
    let start = Instant::now();
    let (counts, good) = tally::run(&mut ui::npm(&["test"]), tally::vitest_line)?;
    let failed = counts.failed.max(u64::from(!good));
    outcome.add("page units", counts.passed, failed, start);
    outcome.skipped("page units", &counts.skipped);
    Ok(())
}
