//! `tocsin notify`: trying out channels.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;
use tocsin_notify::outbox::DeadLetters;
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
    /// List deliveries that were given up, with the service's last answer.
    Dead(DeadArgs),
    /// Try deliveries again that were given up.
    Retry(RetryArgs),
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

/// Arguments of `notify dead`.
#[derive(clap::Args)]
struct DeadArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Of this channel only.
    #[arg(long)]
    channel: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// Arguments of `notify retry`.
#[derive(clap::Args)]
struct RetryArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Of this channel only.
    #[arg(long)]
    channel: Option<String>,
    /// Keys, as `notify dead` shows them.
    #[arg(value_name = "KEY", required_unless_present = "all", conflicts_with = "all")]
    keys: Vec<String>,
    /// Everything that was given up.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
///
/// # Errors
/// When the channel cannot be made or the service refuses the notice.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Test(args) => test(args),
        Command::Dead(args) => dead(&args),
        Command::Retry(args) => retry(&args),
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

fn dead(args: &DeadArgs) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let letters = DeadLetters::open(&loaded.config.server.data_dir)?;
    let (items, total) = letters.list(args.channel.as_deref(), args.limit)?;
    let mut out = io::stdout().lock();
    for item in &items {
        let (answer, alert) = (item.last_error.as_deref().unwrap_or(""), &item.notice.alert);
        if args.json {
            let line = json!({
                "key": item.key, "channel": item.notice.channel, "kind": item.notice.kind,
                "alert": alert.id, "title": alert.rule.title, "attempts": item.attempts,
                "answer": answer, "given_up": item.updated,
            });
            writeln!(out, "{line}")?;
            continue;
        }
        let (channel, title) = (safe(&item.notice.channel), safe(&alert.rule.title));
        writeln!(out, "{}  {channel}  {title}", safe(&item.key))?;
        writeln!(
            out,
            "    given up {} after {} tries: {}",
            item.updated,
            item.attempts,
            safe(answer)
        )?;
    }
    if total > items.len() as u64 {
        eprintln!("tocsin: {} of {total}; --limit shows more", items.len());
    }
    Ok(ExitCode::SUCCESS)
}

fn retry(args: &RetryArgs) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let letters = DeadLetters::open(&loaded.config.server.data_dir)?;
    let retried = letters.retry(args.channel.as_deref(), &args.keys)?;
    if retried == 0 && !args.all {
        eprintln!("tocsin: no such delivery was given up; see notify dead");
        return Ok(ExitCode::from(2));
    }
    println!("{retried} wait again; a running tocsin sends them within a minute");
    Ok(ExitCode::SUCCESS)
}
