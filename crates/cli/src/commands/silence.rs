//! `tocsin silence`: sources that send, with their rhythm, and those that stopped.

use std::io::{self, Write};
use std::process::ExitCode;

use tocsin_engine::desk::Desk;

use crate::common_args::ConfigArgs;
use crate::terminal::safe;

/// Arguments of `silence`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the sources with their usual pauses; silent ones first.
    List(ListArgs),
    /// Forget a source that will not send again.
    Forget(ForgetArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct ForgetArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its `event.dataset`, for example `openssh.sshd`.
    source: String,
    /// Its host; left away where its events name none.
    #[arg(default_value = "")]
    host: String,
}

/// Runs the command.
///
/// # Errors
/// When the data directory cannot be used or output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = match &args.command {
        Command::List(args) => &args.config,
        Command::Forget(args) => &args.config,
    };
    let loaded = match config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let desk = Desk::open(&loaded.config)?;
    match args.command {
        Command::List(args) => list(&desk, &args),
        Command::Forget(args) => {
            let (source, host) = (safe(&args.source), safe(&args.host));
            if desk.forget(&args.source, &args.host)? == 0 {
                eprintln!("tocsin: no source {source} of host {host:?} is known; see silence list");
                return Ok(ExitCode::from(2));
            }
            println!("{source} is forgotten within a minute, when Tocsin runs");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(desk: &Desk<'_>, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut sources = desk.sources()?;
    sources.sort_by_key(|sending| !sending.source.silent);
    for sending in &sources {
        if args.json {
            writeln!(out, "{}", serde_json::to_string(sending)?)?;
            continue;
        }
        let source = &sending.source;
        let condition = serde_json::to_value(sending.condition)?;
        let condition = condition.as_str().unwrap_or_default().to_owned();
        let last = source.last.map_or_else(|| "never".to_owned(), |last| last.to_string());
        let limit =
            sending.limit_seconds.map_or_else(|| "-".to_owned(), |limit| format!("{limit} s"));
        let usual = sending.usual_seconds;
        writeln!(
            out,
            "{condition:<9}  {:<40}  last {last}  pauses up to {usual} s  alerts after {limit}",
            safe(&source.label())
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
