//! The `tocsin` binary: one file a command under `commands/`.
//!
//! In: arguments, `tocsin.yml`, `TOCSIN_…` variables. Out: exit codes — 0 done, 1 failed, 2 bad
//! input. Everything a command does is in the crates below; here it is only asked for and shown.

mod banner;
mod commands;
mod common_args;
mod doubts;
mod memory;
mod signals;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{
    alerts, backtest, backup, ban, catch, check, config, exception, explain, export, geoip, import,
    intel, new, notify, parse, risk, rules, run, scan, search, silence, simulate, sources,
};

/// The system's allocator costs more than matching does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Security monitoring in one binary: collects logs, detects attacks, tells people.
#[derive(Parser)]
#[command(name = "tocsin", version, about, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watch logs, detect, store, alert, and serve the page.
    Run(run::Args),
    /// Look for attacks in files or standard input, by the events' own time.
    Scan(scan::Args),
    /// Find stored events.
    Search(search::Args),
    /// Say what rules would have found in stored history.
    Backtest(backtest::Args),
    /// Write stored events to a Parquet file, for DuckDB, Spark and pandas.
    Export(export::Args),
    /// Save everything in one file, also while Tocsin runs.
    Backup(backup::BackupArgs),
    /// Make a data directory of a backup.
    Restore(backup::RestoreArgs),
    /// Prove that no stored event was changed or removed, or find the spot.
    Verify(backup::VerifyArgs),
    /// Turn log lines on standard input into ECS JSON, one object a line.
    Parse(parse::Args),
    /// Show what can be read, and what of some lines is not understood.
    Sources(sources::Args),
    /// Start a source for lines that nobody reads yet.
    New(new::Args),
    /// Check the configuration and packs, and run the tests inside them.
    Check(check::Args),
    /// Say why a rule does or does not match an event.
    Explain(explain::Args),
    /// Show what the loaded rules cover.
    Rules(rules::Args),
    /// Print the configuration in force and where each value came from.
    Config(config::Args),
    /// List alerts and incidents, acknowledge and close them.
    Alerts(alerts::Args),
    /// Show addresses, users and hosts by what their alerts add up to.
    Risk(risk::Args),
    /// Show which sources send, and which have stopped.
    Silence(silence::Args),
    /// Block addresses for a while, list bans and lift them.
    Ban(ban::Args),
    /// Make, list and remove exceptions: what nobody is to be alerted of.
    Exception(exception::Args),
    /// Where addresses are and whose they are; fetch the databases that say so.
    Geoip(geoip::Args),
    /// What others warn of: feeds of indicators, and looking for them in history.
    Intel(intel::Args),
    /// Try out the channels that tell people.
    Notify(notify::Args),
    /// Make realistic traffic with attacks in it and send it somewhere.
    Simulate(simulate::Args),
    /// Receive mail and webhooks on loopback and show them, for trying channels.
    Catch(catch::Args),
    /// Store a file's events in a data directory and leave; for measuring and moving history.
    Import(import::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(args),
        Command::Scan(args) => scan::run(args),
        Command::Search(args) => search::run(args),
        Command::Backtest(args) => backtest::run(args),
        Command::Export(args) => export::run(args),
        Command::Backup(args) => backup::run_backup(args),
        Command::Restore(args) => backup::run_restore(args),
        Command::Verify(args) => backup::run_verify(args),
        Command::Parse(args) => parse::run(args),
        Command::Sources(args) => sources::run(args),
        Command::New(args) => new::run(args),
        Command::Check(args) => check::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Rules(args) => rules::run(args),
        Command::Config(args) => config::run(args),
        Command::Alerts(args) => alerts::run(args),
        Command::Risk(args) => risk::run(args),
        Command::Silence(args) => silence::run(args),
        Command::Ban(args) => ban::run(args),
        Command::Exception(args) => exception::run(args),
        Command::Geoip(args) => geoip::run(args),
        Command::Intel(args) => intel::run(args),
        Command::Notify(args) => notify::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Catch(args) => catch::run(args),
        Command::Import(args) => import::run(args),
    };
    result.unwrap_or_else(|error| {
        if terminal::is_broken_pipe(&error) {
            // The reader of our output has seen enough.
            return ExitCode::SUCCESS;
        }
        eprintln!("tocsin: {error:#}");
        ExitCode::from(1)
    })
}
