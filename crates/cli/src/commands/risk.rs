//! `tocsin risk`: addresses, users and hosts by what their alerts add up to.

use std::io::{self, Write};
use std::process::ExitCode;

use tocsin_engine::desk::Desk;
use tocsin_engine::watch::{EntityKind, Risk};

use crate::common_args::ConfigArgs;
use crate::terminal::safe;

/// Arguments of `risk`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List entities, the highest risk first.
    List(ListArgs),
    /// Show what the risk of one is made of.
    Show(ShowArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only of this kind: `address`, `user` or `host`.
    #[arg(value_parser = kind)]
    kind: Option<EntityKind>,
    /// At most so many.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// `address`, `user` or `host`.
    #[arg(value_parser = kind)]
    kind: EntityKind,
    /// Which.
    entity: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn kind(word: &str) -> Result<EntityKind, String> {
    EntityKind::of_word(word).ok_or_else(|| "is none of address, user, host".to_owned())
}

/// Runs the command.
///
/// # Errors
/// When the data directory cannot be used or output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = match &args.command {
        Command::List(args) => &args.config,
        Command::Show(args) => &args.config,
    };
    let loaded = match config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let desk = Desk::open(&loaded.config)?;
    match args.command {
        Command::List(args) => list(&desk, &args),
        Command::Show(args) => show(&desk, &args),
    }
}

fn list(desk: &Desk<'_>, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let (entities, total) = desk.risks(args.kind, args.limit)?;
    for risk in &entities {
        if args.json {
            writeln!(out, "{}", serde_json::to_string(risk)?)?;
            continue;
        }
        let Risk { kind, entity, score, alerts, .. } = risk;
        let rules: Vec<&str> = risk.rules.iter().map(|(title, _)| title.as_str()).collect();
        let (kind, rules) = (kind.as_str(), safe(&rules.join(", ")).to_string());
        writeln!(out, "{score:>6.0}  {kind:<7}  {:<28}  {alerts} alerts  {rules}", safe(entity))?;
    }
    if !args.json && total > entities.len() as u64 {
        writeln!(out, "… of {total}; --limit shows more")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(desk: &Desk<'_>, args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let Some(risk) = desk.risk(args.kind, &args.entity)? else {
        eprintln!("tocsin: no alert is about {}", safe(&args.entity));
        return Ok(ExitCode::from(2));
    };
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&risk)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let kind = risk.kind.as_str();
    writeln!(out, "{kind} {}: {:.0}", safe(&risk.entity), risk.score)?;
    for part in &risk.parts {
        let harmless = part.harmless.as_deref().map_or(String::new(), |why| format!("  ({why})"));
        let (now, points, time) = (part.now, part.points, part.time);
        let (title, id) = (safe(&part.title), &part.alert_id);
        writeln!(out, "{now:>6.1} of {points:>4.0}  {time}  {id}  {title}{harmless}")?;
    }
    Ok(ExitCode::SUCCESS)
}
