//! `tocsin exception`: what nobody is to be alerted of. Works on the data directory, also while
//! Tocsin runs, which takes it over within seconds.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;
use tocsin_engine::config::Loaded;
use tocsin_engine::content::{Choice, Content};
use tocsin_engine::exceptions::{
    Exception, ExceptionBook, ExceptionError, NewException, Preview, Wish,
};
use tocsin_model::Timestamp;

use crate::common_args::ConfigArgs;
use crate::terminal::safe;

/// Arguments of `exception`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make an exception; says what it would have hidden of the last 30 days' alerts.
    Add(Box<AddArgs>),
    /// List the exceptions with what each has hidden.
    List(ListArgs),
    /// Take an exception back.
    Remove(RemoveArgs),
}

#[derive(clap::Args)]
struct AddArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Which alerts, for example `source.ip: 192.0.2.0/24 and user.name: backup`.
    #[arg(value_name = "KQL", required_unless_present = "allowed", conflicts_with = "allowed")]
    condition: Option<String>,
    #[command(flatten)]
    allow: AllowArgs,
    /// Rule that it is about: its id, name or title (default: every rule).
    #[arg(long, conflicts_with = "pack")]
    rule: Option<String>,
    /// Pack that it is about.
    #[arg(long)]
    pack: Option<String>,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Who answers for it.
    #[arg(long)]
    owner: String,
    /// Until when: `30d`, `2026-12-24`, an RFC 3339 time or `never` (default: 90 days).
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Save it although it hides more than 90 % of a rule's alerts.
    #[arg(long)]
    confirm: bool,
    /// Only say what it would have hidden.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[group(id = "allowed", multiple = false)]
struct AllowArgs {
    /// Allow-list this address.
    #[arg(long)]
    address: Option<String>,
    /// Allow-list this network.
    #[arg(long)]
    network: Option<String>,
    /// Allow-list this user.
    #[arg(long)]
    user: Option<String>,
    /// Allow-list this host.
    #[arg(long)]
    host: Option<String>,
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Removed ones too.
    #[arg(long)]
    all: bool,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct RemoveArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its number.
    number: u64,
}

/// Runs the command.
///
/// # Errors
/// When the data directory cannot be used or output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = match &args.command {
        Command::Add(args) => &args.config,
        Command::List(args) => &args.config,
        Command::Remove(args) => &args.config,
    };
    let loaded = match config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let book = ExceptionBook::open_dir(&loaded.config.server.data_dir, Vec::new())?;
    match args.command {
        Command::Add(args) => add(&book, *args, &loaded),
        Command::List(args) => list(&book, &args),
        Command::Remove(args) => remove(&book, &args),
    }
}

fn add(book: &ExceptionBook, args: AddArgs, loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &Choice::default());
    let AllowArgs { address, network, user, host } = args.allow;
    let allowed = [("address", address), ("network", network), ("user", user), ("host", host)];
    let wish = Wish {
        rule: args.rule,
        pack: args.pack,
        condition: args.condition,
        allow: allowed.into_iter().find_map(|(what, value)| Some((what.to_owned(), value?))),
        reason: args.reason,
        owner: args.owner,
        expires: args.expires,
    };
    let mut out = io::stdout().lock();
    let done = book.read(&wish, content.rules.rules()).and_then(|wanted| {
        let preview = book.preview(&wanted)?;
        let saved = match args.dry_run {
            true => None,
            false => Some(book.add(&wanted, args.confirm, &wanted.owner)?),
        };
        Ok((preview, saved))
    });
    match done {
        Ok((preview, saved)) if args.json => {
            let saved = saved.as_ref().map(json_of);
            writeln!(out, "{}", json!({"preview": preview, "exception": saved}))?;
        }
        Ok((preview, saved)) => {
            show_preview(&preview, &mut out)?;
            if let Some(saved) = saved {
                writeln!(out, "exception {} is in force", saved.id)?;
            }
        }
        Err(error) => {
            eprintln!("tocsin: {}", safe(&error.to_string()));
            if let ExceptionError::Confirm(preview) = &error {
                show_preview(preview, &mut out)?;
                eprintln!("tocsin: nothing is saved; --confirm saves it all the same");
            }
            let bad = !matches!(error, ExceptionError::Catalog(_));
            return Ok(ExitCode::from(if bad { 2 } else { 1 }));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show_preview(preview: &Preview, out: &mut impl Write) -> io::Result<()> {
    let Preview { condition, days, alerts, hidden, true_positives, .. } = preview;
    writeln!(out, "condition: {}", safe(condition))?;
    writeln!(
        out,
        "of {alerts} alerts in the last {days} days it would have hidden {hidden}, of which \
         {true_positives} were true positives"
    )?;
    for rule in preview.rules.iter().filter(|rule| rule.hidden > 0) {
        writeln!(out, "{:>8} of {:<8} {}", rule.hidden, rule.alerts, safe(&rule.title))?;
    }
    Ok(())
}

fn list(book: &ExceptionBook, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    for exception in book.list(args.all)? {
        if args.json {
            writeln!(out, "{}", json_of(&exception))?;
            continue;
        }
        let Exception { id, what, hidden, .. } = &exception;
        let about = match (&what.rule_title, &what.pack) {
            (Some(rule), _) => format!("rule {rule:?}"),
            (None, Some(pack)) => format!("pack {pack:?}"),
            (None, None) => "every rule".to_owned(),
        };
        let (state, until) = (state_of(&exception), until(what));
        writeln!(
            out,
            "{id:>4}  {state}  {hidden} hidden  {}\n      {}\n      {} ({}), until {until}",
            safe(&about),
            safe(&what.condition),
            safe(&what.reason),
            safe(&what.owner)
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(book: &ExceptionBook, args: &RemoveArgs) -> anyhow::Result<ExitCode> {
    match book.remove(args.number, "command line")? {
        Some(removed) => {
            println!(
                "exception {} is removed; it had hidden {} alerts",
                removed.id, removed.hidden
            );
            Ok(ExitCode::SUCCESS)
        }
        None => {
            let number = args.number;
            eprintln!("tocsin: no exception in force has the number {number}; see exception list");
            Ok(ExitCode::from(2))
        }
    }
}

fn until(what: &NewException) -> String {
    what.expires.map_or_else(|| "for ever".to_owned(), |time| time.to_string())
}

fn state_of(exception: &Exception) -> &'static str {
    let now = Timestamp::from_system(std::time::SystemTime::now());
    match (&exception.removed, exception.what.expires) {
        (Some(_), _) => "removed",
        (None, Some(expires)) if expires <= now => "expired",
        (None, _) => "active",
    }
}

fn json_of(exception: &Exception) -> serde_json::Value {
    let Exception { id, what, created, created_by, removed, hidden, last_hidden } = exception;
    let mut all = json!({
        "id": id, "state": state_of(exception), "hidden": hidden, "last_hidden": last_hidden,
        "created": created, "created_by": created_by,
        "removed": removed.as_ref().map(|(time, _)| time),
    });
    if let (Some(all), Ok(serde_json::Value::Object(what))) =
        (all.as_object_mut(), serde_json::to_value(what))
    {
        all.extend(what);
    }
    all
}
