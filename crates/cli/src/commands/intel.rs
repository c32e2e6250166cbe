//! `tocsin intel`: what others warn of. Works on the data directory, also while Tocsin runs,
//! which takes over what is added within a second.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use tocsin_engine::config::Loaded;
use tocsin_engine::intel::{FeedStatus, IntelBook, Kind, found_in, given, hunt, read_file};

use crate::common_args::ConfigArgs;
use crate::terminal::safe;

/// The largest file that is imported, bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Arguments of `intel`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the feeds and how they are doing; with a value, who warns of it.
    List(ListArgs),
    /// Add an indicator of one's own.
    Add(AddArgs),
    /// Take an indicator of one's own back.
    Remove(RemoveArgs),
    /// Add the indicators of a file to one's own.
    Import(ImportArgs),
    /// Look for all indicators in stored history; what is found becomes alerts.
    Hunt(HuntArgs),
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// An address, domain, URL, hash or e-mail address.
    value: Option<String>,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct AddArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// An address, network, domain, URL, hash or e-mail address.
    value: String,
    /// What it is: address, network, domain, url, hash, email (default: by its looks).
    #[arg(long)]
    kind: Option<String>,
    /// How sure it is, 0 to 100.
    #[arg(long, default_value_t = 80)]
    confidence: u8,
    /// Days until it is over (default: never).
    #[arg(long, value_name = "DAYS")]
    expires: Option<u32>,
    /// What it is about.
    #[arg(long, default_value = "")]
    about: String,
}

#[derive(clap::Args)]
struct RemoveArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its value.
    value: String,
}

#[derive(clap::Args)]
struct ImportArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// File; `-` is standard input.
    file: PathBuf,
    /// Its form: plain, csv, json, misp, stix.
    #[arg(long, default_value = "plain")]
    format: String,
}

#[derive(clap::Args)]
struct HuntArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// How many days of history.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the data directory cannot be used.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = match &args.command {
        Command::List(args) => &args.config,
        Command::Add(args) => &args.config,
        Command::Remove(args) => &args.config,
        Command::Import(args) => &args.config,
        Command::Hunt(args) => &args.config,
    };
    let loaded = match config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let book = IntelBook::open(&loaded.config, Arc::default());
    match args.command {
        Command::List(args) => Ok(list(&book, &args)),
        Command::Add(args) => Ok(add(&book, &args)),
        Command::Remove(args) => Ok(match book.remove(&args.value) {
            Ok(0) => refuse(&format!("{} was not added by hand", args.value)),
            Ok(_) => ExitCode::SUCCESS,
            Err(why) => refuse(&why),
        }),
        Command::Import(args) => import(&book, &args),
        Command::Hunt(args) => hunt_now(&loaded, &args),
    }
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("tocsin: {}", safe(why));
    ExitCode::from(2)
}

fn list(book: &IntelBook, args: &ListArgs) -> ExitCode {
    if let Some(value) = &args.value {
        let found = match found_in(&book.current(), value) {
            Ok(found) => found,
            Err(why) => return refuse(&why),
        };
        for one in &found {
            let indicator = &one.indicator;
            if args.json {
                println!("{}", json!({ "feed": &*one.feed, "indicator": indicator }));
                continue;
            }
            let (kind, sure) = (indicator.kind.as_str(), indicator.confidence);
            let (value, about) = (safe(&indicator.value), safe(&indicator.about));
            println!("{}: {kind} {value}, confidence {sure}  {about}", safe(&one.feed));
        }
        if found.is_empty() && !args.json {
            println!("nobody warns of {}", safe(value));
        }
        return ExitCode::SUCCESS;
    }
    for feed in book.status() {
        if args.json {
            println!("{}", json!(feed));
            continue;
        }
        let FeedStatus { name, format, source, indicators, bytes, fetched, refused, .. } = feed;
        let fetched = fetched.map_or_else(|| "never fetched".to_owned(), |at| format!("of {at}"));
        let refused: u64 = refused.values().sum();
        let (name, source) = (safe(&name), safe(&source));
        println!(
            "{name:<20} {indicators:>9} indicators, {fetched}, {refused} refused, {} MB, {format} {source}",
            bytes.div_ceil(1_000_000)
        );
    }
    ExitCode::SUCCESS
}

fn add(book: &IntelBook, args: &AddArgs) -> ExitCode {
    let kind = match args.kind.as_deref().map(|word| (word, Kind::parse(word))) {
        Some((word, None)) => return refuse(&format!("{word:?} is no kind of indicator")),
        Some((_, kind)) => kind,
        None => None,
    };
    let given = given(&args.value, kind, args.confidence, args.expires, &args.about);
    match given.and_then(|one| book.add(std::slice::from_ref(&one)).map(|_| one)) {
        Ok(one) => {
            println!("{} {} is in force", one.kind.as_str(), safe(&one.value));
            ExitCode::SUCCESS
        }
        Err(why) => refuse(&why),
    }
}

fn import(book: &IntelBook, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    if args.file.as_os_str() == "-" {
        std::io::stdin().take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    } else {
        let file = std::fs::File::open(&args.file)
            .map_err(|error| anyhow::anyhow!("{}: {error}", args.file.display()))?;
        file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    }
    let name = args.file.display();
    let read = read_file(&text, &args.format);
    let (indicators, refused) = match read {
        Ok(read) => read,
        Err(why) => return Ok(refuse(&format!("{name}: {why}"))),
    };
    Ok(match book.add(&indicators) {
        Ok(new) => {
            println!("{} indicators, {new} new; {refused} refused", indicators.len());
            ExitCode::SUCCESS
        }
        Err(why) => refuse(&why),
    })
}

fn hunt_now(loaded: &Loaded, args: &HuntArgs) -> anyhow::Result<ExitCode> {
    let found = hunt::in_dir(&loaded.config, args.days).map_err(anyhow::Error::msg)?;
    if args.json {
        println!("{}", json!(found));
    } else {
        let hunt::Found { events, matched, alerts, ids } = found;
        println!("{events} events, {matched} with an indicator not known then, {alerts} alerts");
        ids.iter().for_each(|id| println!("  {id}"));
    }
    Ok(ExitCode::SUCCESS)
}
