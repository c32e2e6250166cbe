//! `tocsin geoip`: where addresses are and whose they are; fetching the databases that say so.

use std::net::IpAddr;
use std::process::ExitCode;

use serde_json::json;
use tocsin_engine::config::Loaded;
use tocsin_engine::context::ContextBook;
use tocsin_engine::geoip::{FREE, Free, USUAL, attribution, update};
use tocsin_model::Timestamp;

use crate::common_args::ConfigArgs;
use crate::terminal::safe;

/// Arguments of `geoip`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Fetch the free databases into the data directory; a running Tocsin takes them over.
    Update(UpdateArgs),
    /// List the databases in force, and what is wrong with any.
    List(ListArgs),
    /// Say what is known of addresses.
    Lookup(LookupArgs),
}

#[derive(clap::Args)]
struct UpdateArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Which: `country` (CC0), `asn` (RouteViews and DB-IP, CC BY 4.0), `city` (DB-IP, CC BY 4.0).
    /// Default: `country`, and `asn` where the registry has it.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Registry to fetch from, instead of `geoip.registry`.
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct LookupArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Addresses.
    #[arg(required = true)]
    addresses: Vec<IpAddr>,
    /// Print JSON, one object a line.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the data directory cannot be read.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = match &args.command {
        Command::Update(args) => &args.config,
        Command::List(args) => &args.config,
        Command::Lookup(args) => &args.config,
    };
    let loaded = match config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    match args.command {
        Command::Update(args) => fetch(&loaded, &args),
        Command::List(args) => list(&loaded, &args),
        Command::Lookup(args) => lookup(&loaded, &args),
    }
}

fn fetch(loaded: &Loaded, args: &UpdateArgs) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    let registry = args.registry.as_deref().unwrap_or(&config.geoip.registry);
    let mut wanted: Vec<&Free> = Vec::new();
    let usual = args.names.is_empty();
    let names = if usual { USUAL.map(str::to_owned).to_vec() } else { args.names.clone() };
    for name in &names {
        let Some(free) = FREE.iter().find(|free| free.name == *name) else {
            let known: Vec<&str> = FREE.iter().map(|free| free.name).collect();
            eprintln!("tocsin: no database {:?}; there are {}", safe(name), known.join(", "));
            return Ok(ExitCode::from(2));
        };
        wanted.push(free);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut failed = false;
    for free in wanted {
        let updated = match runtime.block_on(update(registry, &config.server.data_dir, free)) {
            Ok(updated) => updated,
            // The others may be had. What was not asked for by name may be missing.
            Err(message) => {
                eprintln!("tocsin: {}: {}", free.name, safe(&message));
                failed |= !usual || free.name == USUAL[0];
                continue;
            }
        };
        let version = safe(&updated.version);
        match updated.files.as_slice() {
            [] => println!("{}: {version} is there already", free.name),
            files => {
                let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
                let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
                let (about, licence) = (free.about, free.licence);
                println!("{}: {version}, {about}, {licence}", free.name);
                println!("  {} ({} MB)", safe(&names.join(", ")), bytes / 1_000_000);
            }
        }
        if let Some(attribution) = free.attribution {
            println!("  {attribution}");
        }
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn list(loaded: &Loaded, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let status = ContextBook::open(&loaded.config).status();
    if args.json {
        println!("{}", json!(status));
    } else {
        for one in &status.databases {
            let seconds = i64::try_from(one.built).unwrap_or(0);
            let made = Timestamp::from_millis(seconds.saturating_mul(1000)).to_string();
            let date = made.split('T').next().unwrap_or("");
            let (kind, size) = (safe(&one.kind), one.bytes / 1_000_000);
            println!("{}  {kind}, of {date}, {size} MB", safe(&one.path));
        }
        if status.databases.is_empty() {
            println!("no databases; `tocsin geoip update` fetches one");
        }
        for line in &status.attribution {
            println!("{line}");
        }
    }
    Ok(if status.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn lookup(loaded: &Loaded, args: &LookupArgs) -> anyhow::Result<ExitCode> {
    let book = ContextBook::open(&loaded.config);
    let context = book.current();
    for address in &args.addresses {
        let place = context.geo.find(*address);
        if args.json {
            let location = place.location.map(|(lat, lon)| json!({ "lat": lat, "lon": lon }));
            println!(
                "{}",
                json!({
                    "ip": address,
                    "geo": {
                        "country_iso_code": place.country,
                        "country_name": place.country_name,
                        "region_name": place.region,
                        "city_name": place.city,
                        "location": location,
                    },
                    "as": { "number": place.number, "organization": place.organization },
                })
            );
            continue;
        }
        let system = place.number.map(|number| format!("AS{number}"));
        let words: Vec<String> = [
            place.city,
            place.region,
            place.country_name.or(place.country),
            system,
            place.organization,
        ]
        .into_iter()
        .flatten()
        .collect();
        let words = if words.is_empty() { "nothing known".to_owned() } else { words.join(", ") };
        println!("{address}  {}", safe(&words));
    }
    if !args.json {
        let names = context.geo.databases().iter().map(|database| database.name.as_str());
        for line in attribution(names) {
            println!("{line}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
