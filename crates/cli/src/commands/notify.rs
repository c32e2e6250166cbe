//! `tocsin notify`: trying out channels.

use std::process::ExitCode;

use tocsin_notify::{LOG_CHANNEL, NotifyError};

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
            let channels = &loaded.config.notify.channels;
            for name in channels.keys() {
                println!("{}", safe(name));
            }
            if !channels.contains_key(LOG_CHANNEL) {
                println!("{LOG_CHANNEL}");
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (name, data_dir) = (&args.channel, &config.server.data_dir);
    match runtime.block_on(tocsin_notify::try_out(&config.notify, name, data_dir)) {
        Ok(answer) => {
            println!("{}: {}", safe(name), safe(&answer));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("tocsin: {}", safe(&error.to_string()));
            let unknown = matches!(error, NotifyError::UnknownChannel { .. });
            Ok(ExitCode::from(if unknown { 2 } else { 1 }))
        }
    }
}
