//! `tocsin alerts`: the alerts and incidents of a data directory, also while Tocsin runs.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use serde_json::json;
use tocsin_engine::desk::{AlertChange, AlertQuery, CatalogError, Desk};
use tocsin_model::{Alert, AlertStatus, Disposition, Severity, Timestamp};
use tocsin_search::parse_time_range;

use crate::common_args::ConfigArgs;
use crate::terminal::safe;

/// Who changes alerts on the command line when nobody says.
const SOMEBODY: &str = "command line";

/// Arguments of `alerts`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List alerts, the newest first.
    List(ListArgs),
    /// Show one alert with what people did to it.
    Show(ShowArgs),
    /// Say that somebody has seen alerts.
    Ack(ChangeArgs),
    /// Close alerts, with what they were.
    Close(CloseArgs),
    /// Open alerts again.
    Reopen(ChangeArgs),
    /// List incidents: alerts that belong together; or show one with its timeline.
    Incidents(IncidentArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only these: a word in title, reason, address, user, host.
    #[arg(long, short)]
    query: Option<String>,
    /// `new`, `acknowledged`, `closed`, or `open` for the first two.
    #[arg(long, value_parser = ["new", "acknowledged", "closed", "open"])]
    status: Option<String>,
    /// This severity or worse.
    #[arg(long)]
    severity: Option<Severity>,
    /// Of this rule: its id or title.
    #[arg(long)]
    rule: Option<String>,
    /// Raised in the last …: `24h`, `7d`.
    #[arg(long)]
    last: Option<String>,
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
    /// Its id, or how it begins.
    id: String,
}

#[derive(clap::Args)]
struct ChangeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Their ids, or how they begin.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Why.
    #[arg(long)]
    comment: Option<String>,
    /// Who.
    #[arg(long, default_value = SOMEBODY)]
    by: String,
}

#[derive(clap::Args)]
struct CloseArgs {
    #[command(flatten)]
    change: ChangeArgs,
    /// What it was: `true_positive`, `benign_true_positive`, `false_positive`, `duplicate`, `test`.
    #[arg(long = "as", value_name = "DISPOSITION", value_parser = disposition)]
    disposition: Disposition,
}

#[derive(clap::Args)]
struct IncidentArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its number.
    number: Option<u64>,
    /// Only those with an alert that is not closed.
    #[arg(long)]
    open: bool,
    /// At most so many.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

fn disposition(word: &str) -> Result<Disposition, String> {
    let all = Disposition::ALL;
    let known: Vec<&str> = all.iter().map(|one| one.as_str()).collect();
    let found = all.into_iter().find(|one| one.as_str() == word);
    found.ok_or_else(|| format!("is none of {}", known.join(", ")))
}

/// Runs the command.
///
/// # Errors
/// When the data directory cannot be used or output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = match &args.command {
        Command::List(args) => &args.config,
        Command::Show(args) => &args.config,
        Command::Ack(args) | Command::Reopen(args) => &args.config,
        Command::Close(args) => &args.change.config,
        Command::Incidents(args) => &args.config,
    };
    let loaded = match config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let desk = Desk::open(&loaded.config)?;
    let to = |status| AlertChange { status: Some(status), ..AlertChange::default() };
    let done = match args.command {
        Command::List(args) => return list(&desk, &args),
        Command::Incidents(args) => return incidents(&desk, &args),
        Command::Show(args) => show(&desk, &args),
        Command::Ack(args) => change(&desk, to(AlertStatus::Acknowledged), &args),
        Command::Reopen(args) => change(&desk, to(AlertStatus::New), &args),
        Command::Close(args) => {
            let disposition = Some(args.disposition);
            change(&desk, AlertChange { disposition, ..AlertChange::default() }, &args.change)
        }
    };
    match done.as_ref().map_err(|error| error.downcast_ref()) {
        Err(Some(CatalogError::BadRequest(why))) => {
            eprintln!("tocsin: {}", safe(why));
            Ok(ExitCode::from(2))
        }
        _ => done.map(|()| ExitCode::SUCCESS),
    }
}

fn list(desk: &Desk<'_>, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let now = Timestamp::from_system(SystemTime::now());
    let range = match &args.last {
        None => None,
        Some(last) => match parse_time_range(&format!("last {last}"), now) {
            Ok(range) => Some(range),
            Err(error) => {
                eprintln!("tocsin: --last {}: {}", safe(last), safe(&error));
                return Ok(ExitCode::from(2));
            }
        },
    };
    let status_in = match args.status.as_deref() {
        Some("new") => vec![AlertStatus::New],
        Some("acknowledged") => vec![AlertStatus::Acknowledged],
        Some("closed") => vec![AlertStatus::Closed],
        Some(_) => vec![AlertStatus::New, AlertStatus::Acknowledged],
        None => Vec::new(),
    };
    let query = AlertQuery {
        status_in,
        min_severity: args.severity,
        rule: args.rule.clone(),
        text: args.query.clone(),
        from: range.and_then(|range| range.from),
        limit: args.limit,
        ..AlertQuery::default()
    };
    let page = desk.alerts(&query)?;
    let mut out = io::stdout().lock();
    for alert in &page.alerts {
        match args.json {
            true => writeln!(out, "{}", alert.to_json())?,
            false => line(alert, &mut out)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(alert: &Alert, out: &mut impl Write) -> io::Result<()> {
    let id = alert.id.0.get(..8).unwrap_or(&alert.id.0);
    let (severity, status) = (alert.severity.as_str(), alert.status.as_str());
    let state = alert.triage.disposition.map_or(status, Disposition::as_str);
    writeln!(out, "{id}  {}  {severity:<8}  {state:<12}  {}", alert.raised, safe(&alert.reason))
}

fn show(desk: &Desk<'_>, args: &ShowArgs) -> anyhow::Result<()> {
    let (alert, activity) = desk.alert(&args.id)?;
    let shown = json!({"alert": alert.to_json(), "activity": activity});
    writeln!(io::stdout().lock(), "{}", serde_json::to_string_pretty(&shown)?)?;
    Ok(())
}

fn change(desk: &Desk<'_>, wanted: AlertChange, args: &ChangeArgs) -> anyhow::Result<()> {
    let wanted = AlertChange { comment: args.comment.clone(), ..wanted };
    let mut out = io::stdout().lock();
    for id in &args.ids {
        line(&desk.change(id, &wanted, &args.by)?, &mut out)?;
    }
    Ok(())
}

fn incidents(desk: &Desk<'_>, args: &IncidentArgs) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if let Some(number) = args.number {
        let Some((incident, timeline)) = desk.incident(number)? else {
            eprintln!("tocsin: no incident has the number {number}; see alerts incidents");
            return Ok(ExitCode::from(2));
        };
        if args.json {
            let all = json!({"incident": incident, "timeline": timeline});
            writeln!(out, "{all}")?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(out, "{} ({}, {})", safe(&incident.title), incident.severity, incident.status)?;
        for (field, value) in &incident.entities {
            writeln!(out, "  {}: {}", safe(field), safe(value))?;
        }
        for line in timeline {
            let times =
                if line.alerts > 1 { format!(" ({} alerts)", line.alerts) } else { String::new() };
            let severity = line.severity.as_str();
            writeln!(out, "{}  {severity:<8}  {}{times}", line.time, safe(&line.reason))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (incidents, total) = desk.incidents(args.open, args.limit)?;
    for incident in &incidents {
        if args.json {
            writeln!(out, "{}", serde_json::to_string(incident)?)?;
            continue;
        }
        let (severity, status) = (incident.severity.as_str(), incident.status);
        writeln!(
            out,
            "{:>5}  {}  {severity:<8}  {status:<6}  {}",
            incident.id,
            incident.last_seen,
            safe(&incident.title)
        )?;
    }
    if !args.json && total > incidents.len() as u64 {
        writeln!(out, "… of {total}; --limit shows more")?;
    }
    Ok(ExitCode::SUCCESS)
}
