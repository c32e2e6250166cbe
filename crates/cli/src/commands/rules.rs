//! `tocsin rules`: what the loaded rules cover.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value as Json, json};
use tocsin_engine::content::{Choice, Content, Rules};
use tocsin_engine::desk::{Desk, Noise};

use crate::common_args::{ConfigArgs, print_diagnostics};
use crate::terminal::safe;

/// Arguments of `rules`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// ATT&CK coverage as a Navigator layer (JSON).
    Coverage(Which),
    /// List the rules: severity, id, name, title, pack.
    List(Which),
    /// How often each rule raised an alert, how they were closed, and how noisy that makes it.
    Noise(NoiseArgs),
}

#[derive(clap::Args)]
struct NoiseArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Over so many days.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// Which rules, and the configuration.
#[derive(clap::Args)]
struct Which {
    #[command(flatten)]
    config: ConfigArgs,
    /// Rule files or directories, instead of the shipped rules.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let which = match &args.command {
        Command::Noise(args) => return noise(args),
        Command::Coverage(which) | Command::List(which) => which,
    };
    let loaded = match which.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let rules =
        if which.rules.is_empty() { Rules::Shipped } else { Rules::Only(which.rules.clone()) };
    let choice = Choice { rules, route: true };
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &choice);
    print_diagnostics(&content.diagnostics);
    let mut out = io::stdout().lock();
    match args.command {
        Command::Coverage(_) => {
            writeln!(out, "{}", serde_json::to_string_pretty(&layer(&content))?)?;
        }
        Command::Noise(_) | Command::List(_) => {
            for rule in content.rules.rules() {
                let severity = rule.severity.as_str();
                let (title, pack) = (safe(&rule.title), safe(&rule.pack));
                let name = safe(rule.name.as_deref().unwrap_or("-"));
                writeln!(
                    out,
                    "{severity:<13} {:<36} {name:<28} {title}  [{pack}]",
                    safe(&rule.id)
                )?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn noise(args: &NoiseArgs) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let mut out = io::stdout().lock();
    if !args.json {
        writeln!(out, "score  alerts  open  hidden  rule (how its alerts were closed)")?;
    }
    for rule in Desk::open(&loaded.config)?.noise(args.days)? {
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&rule)?)?;
            continue;
        }
        let Noise { title, alerts, open, hidden, score, .. } = &rule;
        let closed: Vec<String> =
            rule.closed.iter().map(|(why, count)| format!("{count} {why}")).collect();
        let closed =
            if closed.is_empty() { String::new() } else { format!(" ({})", closed.join(", ")) };
        writeln!(out, "{score:>5}  {alerts:>6}  {open:>4}  {hidden:>6}  {}{closed}", safe(title))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A layer of the ATT&CK Navigator, format 4.5: a technique's score is its number of rules.
fn layer(content: &Content) -> Json {
    let mut covered: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in content.rules.rules() {
        for technique in &rule.techniques {
            covered.entry(technique).or_default().push(&rule.title);
        }
    }
    let most = covered.values().map(Vec::len).max().unwrap_or(1);
    let techniques: Vec<Json> = covered
        .iter()
        .map(|(technique, titles)| {
            json!({
                "techniqueID": technique,
                "score": titles.len(),
                "comment": titles.join("\n"),
                "enabled": true,
            })
        })
        .collect();
    json!({
        "name": "Tocsin rules",
        "description": "Number of loaded rules by technique",
        "domain": "enterprise-attack",
        "versions": { "layer": "4.5" },
        "gradient": { "colors": ["#ffffff", "#66b1ff"], "minValue": 0, "maxValue": most },
        "techniques": techniques,
    })
}
