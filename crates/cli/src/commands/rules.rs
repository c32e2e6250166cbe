//! `tocsin rules`: what the loaded rules cover, how noisy and how costly they are, and switches.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value as Json, json};
use tocsin_engine::backtest::{self, Request, RuleReport};
use tocsin_engine::content::{Choice, Content, Rules};
use tocsin_engine::desk::{Desk, Noise};

use crate::commands::backtest::watched;
use crate::common_args::{ConfigArgs, HistoryArgs, print_diagnostics};
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
    /// What each rule costs: measured over stored history.
    Cost(CostArgs),
    /// Switch a rule on, whatever `alerts.disabled_rules` says. A running Tocsin takes it over.
    On(SwitchArgs),
    /// Switch a rule off: it raises no alert. A running Tocsin takes it over.
    Off(SwitchArgs),
}

#[derive(clap::Args)]
struct CostArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    history: HistoryArgs,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct SwitchArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The rule: its id or name.
    rule: String,
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
    match &args.command {
        Command::Coverage(which) => show(which, |content, out| {
            Ok(writeln!(out, "{}", serde_json::to_string_pretty(&layer(content))?)?)
        }),
        Command::List(which) => show(which, list),
        Command::Noise(args) => noise(args),
        Command::Cost(args) => cost(args),
        Command::On(args) => switch(args, true),
        Command::Off(args) => switch(args, false),
    }
}

/// Loads rules and shows what is wanted of them.
fn show(
    which: &Which,
    what: impl FnOnce(&Content, &mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let loaded = match which.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let rules =
        if which.rules.is_empty() { Rules::Shipped } else { Rules::Only(which.rules.clone()) };
    let choice = Choice { rules, route: true };
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &choice);
    print_diagnostics(&content.diagnostics);
    what(&content, &mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

fn list(content: &Content, out: &mut dyn Write) -> anyhow::Result<()> {
    for rule in content.rules.rules() {
        let severity = rule.severity.as_str();
        let (title, pack) = (safe(&rule.title), safe(&rule.pack));
        let name = safe(rule.name.as_deref().unwrap_or("-"));
        writeln!(out, "{severity:<13} {:<36} {name:<28} {title}  [{pack}]", safe(&rule.id))?;
    }
    Ok(())
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

/// Goes through history with all rules and tells what each took of it.
fn cost(args: &CostArgs) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let (filter, from, to) = match args.history.load("") {
        Ok(asked) => asked,
        Err(code) => return Ok(code),
    };
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &Choice::default());
    let chosen = backtest::choose(&content, &backtest::Which::All).map_err(anyhow::Error::msg)?;
    let store = args.history.open(&loaded.config)?;
    let request = Request { filter, from, to, samples: 0, gentle: false };
    let mut report = watched(store, move |store, watch| {
        backtest::run(store, &chosen, &loaded.config.alerts, &request, watch)
    })?;
    if report.rules.iter().all(|rule| rule.cost.is_none()) {
        eprintln!("tocsin: {} events are too few to measure rules over", report.events);
        return Ok(ExitCode::from(2));
    }
    let nanos = |rule: &RuleReport| rule.cost.map_or(0.0, |cost| cost.nanos_per_event);
    report.rules.sort_by(|a, b| nanos(b).total_cmp(&nanos(a)).then_with(|| a.title.cmp(&b.title)));
    let mut out = io::stdout().lock();
    if !args.json {
        writeln!(out, "ns an event  share  looked at  rule (over {} events)", report.events)?;
    }
    for rule in &report.rules {
        let Some(cost) = rule.cost else { continue };
        if args.json {
            let line = json!({ "rule_id": rule.id, "title": rule.title, "cost": cost });
            writeln!(out, "{line}")?;
            continue;
        }
        let (nanos, share) = (cost.nanos_per_event, 100.0 * cost.share);
        let looked_at = 100.0 * cost.looked_at;
        writeln!(out, "{nanos:>11.1}  {share:>4.1}%  {looked_at:>8.1}%  {}", safe(&rule.title))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn switch(args: &SwitchArgs, enabled: bool) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &Choice::default());
    let Some(rule) = content.rules.get(&args.rule) else {
        eprintln!("tocsin: no rule has the id or name {:?} (tocsin rules list)", args.rule);
        return Ok(ExitCode::from(2));
    };
    let who = std::env::var("USER").unwrap_or_else(|_| "command line".to_owned());
    Desk::open(&loaded.config)?.switch_rule(&rule.id, enabled, &who)?;
    let way = if enabled { "on" } else { "off" };
    writeln!(io::stdout().lock(), "{way}: {}", safe(&rule.title))?;
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
