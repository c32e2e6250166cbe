//! `tocsin notify`: trying out channels.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use tocsin_catalog::Catalog;
use tocsin_notify::Notifier;

use crate::common_args::ConfigArgs;
use crate::terminal::safe;

/// Arguments of `notify`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Send a test notice to a channel and show the real answer.
    Test(TestArgs),
    /// List the channels of the configuration.
    List(ListArgs),
}

/// Arguments of `notify test`.
#[derive(clap::Args)]
struct TestArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Name of the channel in the configuration.
    channel: String,
}

/// Arguments of `notify list`.
#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
///
/// # Errors
/// When the channel cannot be made or the service refuses the notice.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Test(args) => test(args),
        Command::List(args) => {
            let loaded = match args.config.load() {
                Ok(loaded) => loaded,
                Err(code) => return Ok(code),
            };
            for name in loaded.config.notify.channels.keys() {
                println!("{}", safe(name));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn test(args: TestArgs) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let config = loaded.config;
    if !config.notify.channels.contains_key(&args.channel) {
        let known: Vec<&str> = config.notify.channels.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        eprintln!("tocsin: no channel {:?} in the configuration; there are: {known}", args.channel);
        return Ok(ExitCode::from(2));
    }
    // The test stands outside the outbox of a running server.
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let catalog = Arc::new(Catalog::open(scratch.path())?);
    let notifier = Notifier::new(&config.notify, scratch.path(), catalog)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(notifier.test(&args.channel)) {
        Ok(answer) => {
            println!("{}: {}", safe(&args.channel), safe(&answer));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("tocsin: {}: {}", safe(&args.channel), safe(&error.to_string()));
            Ok(ExitCode::from(1))
        }
    }
}
