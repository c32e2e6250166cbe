//! `tocsin ban`: addresses that are kept out. Works on the data directory, also while Tocsin runs,
//! which makes and lifts bans within a second.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use serde_json::{Value as Json, json};
use tocsin_engine::respond::{Ban, BanState, RespondError, Responder, Target, Wish, open_dir};
use tocsin_model::Timestamp;
use tocsin_search::parse_time_range;

use crate::common_args::ConfigArgs;
use crate::terminal::safe;

/// Who the command line is, in what happened to a ban.
const WHO: &str = "command line";
/// The most bytes of a list of bans to take over.
const IMPORT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Arguments of `ban`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Block an address (or disable a user) for a while, unless a guard rail protects it.
    Add(AddArgs),
    /// List the bans that are not over.
    List(ListArgs),
    /// Lift a ban: the address is let in again.
    Lift(LiftArgs),
    /// Take over bans of fail2ban (`fail2ban-client banned`), CrowdSec (`cscli decisions list -o
    /// json`) or a list of addresses.
    Import(ImportArgs),
}

#[derive(clap::Args)]
struct AddArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Whom.
    #[arg(required_unless_present = "user", conflicts_with = "user")]
    address: Option<IpAddr>,
    /// A user, who is disabled (`respond.user_script`), instead of an address.
    #[arg(long)]
    user: Option<String>,
    /// For how long: `1h`, `7d` (default: as a rule would).
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<String>,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Block it although somebody logged in well from there before.
    #[arg(long)]
    confirm: bool,
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Also those that are over, were refused or failed.
    #[arg(long)]
    all: bool,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct ImportArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// File; `-` is standard input.
    file: PathBuf,
    /// For how long, where the list does not say.
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<String>,
}

#[derive(clap::Args)]
struct LiftArgs {
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
        Command::Lift(args) => &args.config,
        Command::Import(args) => &args.config,
    };
    let loaded = match config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let (responder, catalog) = open_dir(&loaded.config).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match args.command {
        Command::Add(args) => runtime.block_on(add(&responder, &args)),
        Command::Import(args) => runtime.block_on(import(&responder, &args)),
        Command::List(args) => list(&catalog.bans(states(args.all), None, usize::MAX)?, args.json),
        Command::Lift(LiftArgs { number, .. }) => match responder.ask_to_lift(number, WHO)? {
            Some(ban) => {
                println!("{} is let in again", ban.what.target);
                Ok(ExitCode::SUCCESS)
            }
            None => refuse(&format!("no ban in force has the number {number}; see ban list")),
        },
    }
}

/// None is all.
fn states(all: bool) -> &'static [BanState] {
    if all { &[] } else { BanState::HELD }
}

async fn add(responder: &Responder, args: &AddArgs) -> anyhow::Result<ExitCode> {
    let lasts = match span(args.lasts.as_deref()) {
        Ok(lasts) => lasts,
        Err(message) => return refuse(&message),
    };
    let target = match (args.address, &args.user) {
        (Some(address), _) => Target::Address(address),
        (None, name) => Target::User(name.clone().unwrap_or_default()),
    };
    let wish = Wish {
        target,
        lasts,
        reason: args.reason.clone(),
        by: WHO.to_owned(),
        alert_id: None,
        despite_login: args.confirm,
    };
    match responder.ask(&wish).await {
        Ok(ban) => {
            println!("ban {} of {} until {}", ban.id, ban.what.target, ban.what.expires);
            Ok(ExitCode::SUCCESS)
        }
        Err(RespondError::Catalog(error)) => Err(error.into()),
        Err(error) => refuse(&error.to_string()),
    }
}

async fn import(responder: &Responder, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let fallback = match span(args.lasts.as_deref()) {
        Ok(lasts) => lasts,
        Err(message) => return refuse(&message),
    };
    let mut text = String::new();
    if args.file.as_os_str() == "-" {
        io::stdin().lock().take(IMPORT_BYTES_MAX).read_to_string(&mut text)?;
    } else {
        let file = std::fs::File::open(&args.file);
        let file = file.with_context(|| args.file.display().to_string())?;
        file.take(IMPORT_BYTES_MAX).read_to_string(&mut text)?;
    }
    let (mut taken, mut left) = (0, 0);
    for found in banned(&text) {
        let wish = Wish {
            target: Target::Address(found.address),
            lasts: found.lasts.or(fallback),
            reason: found.reason,
            by: WHO.to_owned(),
            alert_id: None,
            despite_login: false,
        };
        match responder.ask(&wish).await {
            Ok(_) => taken += 1,
            Err(RespondError::Catalog(error)) => return Err(error.into()),
            Err(error) => {
                left += 1;
                eprintln!("tocsin: {}", safe(&error.to_string()));
            }
        }
    }
    println!("{taken} bans taken over, {left} left out");
    Ok(ExitCode::SUCCESS)
}

fn list(bans: &[Ban], as_json: bool) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    for ban in bans {
        let what = &ban.what;
        if as_json {
            let line = json!({
                "id": ban.id, "address": what.target.to_string(), "state": what.state, "note": what.note,
                "reason": what.reason, "by": what.by, "alert": what.alert_id,
                "rule": what.rule.as_ref().map(|(id, _)| id), "created": ban.created,
                "expires": what.expires, "changed": ban.changed,
            });
            writeln!(out, "{line}")?;
            continue;
        }
        let rule = what.rule.as_ref().map_or("", |(_, title)| title);
        let note = what.note.as_deref().unwrap_or("");
        writeln!(
            out,
            "{:>5}  {:<9} {:<39} until {}  {} ({}) {}",
            ban.id,
            what.state.as_str(),
            safe(&what.target.to_string()),
            what.expires,
            safe(if rule.is_empty() { &what.reason } else { rule }),
            safe(&what.by),
            safe(note)
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn refuse(message: &str) -> anyhow::Result<ExitCode> {
    eprintln!("tocsin: {}", safe(message));
    Ok(ExitCode::from(2))
}

/// A span such as `1h`.
fn span(text: Option<&str>) -> Result<Option<Duration>, String> {
    let Some(text) = text else { return Ok(None) };
    let now = Timestamp::from_system(SystemTime::now());
    let range = parse_time_range(text, now)?;
    match (range.from, range.to) {
        (Some(from), None) => Ok(Some(now.since(from))),
        _ => Err(format!("--for: a span like 1h or 7d, not {text:?}")),
    }
}

/// A ban of somebody else's.
#[derive(Debug, PartialEq)]
struct Found {
    address: IpAddr,
    lasts: Option<Duration>,
    reason: String,
}

/// The bans that a text tells of: CrowdSec's JSON, fail2ban's list, or addresses.
fn banned(text: &str) -> Vec<Found> {
    if let Ok(json) = serde_json::from_str::<Json>(text) {
        let mut found = Vec::new();
        decisions(&json, &mut found);
        return found;
    }
    let mut found = Vec::new();
    let mut jail = String::new();
    let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(line, _)| line));
    for line in lines {
        // [{'sshd': ['192.0.2.1', '192.0.2.2']}, {'nginx': []}]
        for part in line.split(['[', ']', '{', '}', ',', ' ', '\t', '\'', '"']) {
            if let Ok(address) = part.parse() {
                let reason = match jail.as_str() {
                    "" => "taken over from a list".to_owned(),
                    jail => format!("taken over from fail2ban, jail {jail}"),
                };
                found.push(Found { address, lasts: None, reason });
                continue;
            }
            let name = part.trim_end_matches(':');
            if !name.is_empty() && !name.contains(['/', '.']) {
                jail = name.to_owned();
            }
        }
    }
    found
}

/// Decisions of CrowdSec about addresses, wherever they stand.
fn decisions(json: &Json, found: &mut Vec<Found>) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| decisions(item, found)),
        Json::Object(object) => {
            let text = |key: &str| object.get(key).and_then(Json::as_str);
            let of_address = text("scope").is_some_and(|scope| scope.eq_ignore_ascii_case("ip"));
            let bans = text("type").is_none_or(|kind| kind.eq_ignore_ascii_case("ban"));
            if let Some(Ok(address)) = text("value").filter(|_| of_address && bans).map(str::parse)
            {
                let scenario = text("scenario").unwrap_or("a decision");
                found.push(Found {
                    address,
                    lasts: text("duration").and_then(go_duration),
                    reason: format!("taken over from crowdsec: {scenario}"),
                });
            }
            object.get("decisions").into_iter().for_each(|inner| decisions(inner, found));
        }
        _ => {}
    }
}

/// `3h59m12.5s`; `None` when it is none or over.
fn go_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0.0;
    let mut number = String::new();
    for c in text.chars() {
        let unit = match c {
            '0'..='9' | '.' => {
                number.push(c);
                continue;
            }
            'h' => 3600.0,
            'm' => 60.0,
            's' => 1.0,
            _ => return None,
        };
        seconds += std::mem::take(&mut number).parse::<f64>().ok()? * unit;
    }
    let lasts = Duration::try_from_secs_f64(seconds).ok()?;
    (number.is_empty() && lasts.as_secs() > 0).then_some(lasts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_of_others_are_read() {
        let fail2ban = "[{'sshd': ['192.0.2.1', '2001:db8::1']}, {'nginx-http-auth': []}]\n";
        let crowdsec = r#"[{"id":1,"source":{"ip":"192.0.2.9","range":"192.0.2.0/24"},"decisions":[
            {"duration":"3h59m30.5s","scenario":"crowdsecurity/ssh-bf","scope":"Ip","type":"ban","value":"192.0.2.9"},
            {"duration":"1h","scenario":"x","scope":"Range","type":"ban","value":"192.0.2.0/24"},
            {"duration":"1h","scenario":"x","scope":"Ip","type":"captcha","value":"192.0.2.8"}]}]"#;
        let list = "# ours\n192.0.2.3\n192.0.2.0/24 # a network\n\n2001:db8::3\n";
        let told = |text: &str| -> Vec<String> {
            let line = |found: Found| {
                let lasts = found.lasts.map_or(0, |lasts| lasts.as_secs());
                format!("{} {lasts} {}", found.address, found.reason)
            };
            banned(text).into_iter().map(line).collect()
        };
        assert_eq!(
            told(fail2ban),
            [
                "192.0.2.1 0 taken over from fail2ban, jail sshd",
                "2001:db8::1 0 taken over from fail2ban, jail sshd"
            ]
        );
        assert_eq!(
            told(crowdsec),
            ["192.0.2.9 14370 taken over from crowdsec: crowdsecurity/ssh-bf"]
        );
        let list: Vec<String> =
            banned(list).iter().map(|found| found.address.to_string()).collect();
        assert_eq!(list, ["192.0.2.3", "2001:db8::3"]);
        assert_eq!(told("nothing here"), [""; 0]);
    }

    #[test]
    fn spans_of_go_are_read() {
        let table = [
            ("1h", Some(3600)),
            ("59m59.9s", Some(3599)),
            ("-5s", None),
            ("0s", None),
            ("5", None),
            ("x", None),
        ];
        for (text, expected) in table {
            assert_eq!(go_duration(text).map(|lasts| lasts.as_secs()), expected, "{text}");
        }
    }
}
