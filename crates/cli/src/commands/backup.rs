//! `tocsin backup`, `restore`, `verify`: keeping what was collected, and proving it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tocsin_engine::backup;
use tocsin_store::{PartitionState, Shelf};

use crate::common_args::ConfigArgs;
use crate::terminal::counted;

/// Arguments of `backup`.
#[derive(clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Data directory (default: `server.data_dir`); may be in use.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// File to write, for example `tocsin.tar.zst`; it must not be there.
    file: PathBuf,
}

/// Arguments of `restore`.
#[derive(clap::Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Data directory to make (default: `server.data_dir`); it must be empty or absent.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// What `tocsin backup` wrote.
    file: PathBuf,
}

/// Arguments of `verify`.
#[derive(clap::Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Data directory (default: `server.data_dir`); may be in use.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A digest that an earlier `verify` printed: it must still be in the chain.
    #[arg(long, value_name = "DIGEST")]
    expect: Option<String>,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

fn data_dir(config: &ConfigArgs, data: Option<PathBuf>) -> Result<PathBuf, ExitCode> {
    match data {
        Some(data) => Ok(data),
        None => config.load().map(|loaded| loaded.config.server.data_dir),
    }
}

/// The data directory, and the shelf of its archive where that is elsewhere.
fn with_shelf(
    config: &ConfigArgs,
    data: Option<PathBuf>,
) -> Result<(PathBuf, Option<Arc<dyn Shelf>>), ExitCode> {
    let loaded = config.load()?;
    let config = loaded.config;
    let data = data.unwrap_or(config.server.data_dir);
    let shelf = config.store.shelf(&data);
    Ok((data, shelf))
}

fn said(done: Result<backup::Copied, String>, what: &str) -> ExitCode {
    match done {
        Ok(copied) => {
            let megabytes = copied.bytes as f64 / 1e6;
            println!("{} {what}, {megabytes:.1} MB", counted(copied.files as usize, "file"));
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("tocsin: {message}");
            ExitCode::from(1)
        }
    }
}

/// Runs `backup`.
///
/// # Errors
/// Never; failures are said and are the exit code.
pub fn run_backup(args: BackupArgs) -> anyhow::Result<ExitCode> {
    match data_dir(&args.config, args.data) {
        Ok(data) => Ok(said(backup::backup(&data, &args.file), "saved")),
        Err(code) => Ok(code),
    }
}

/// Runs `restore`.
///
/// # Errors
/// Never; failures are said and are the exit code.
pub fn run_restore(args: RestoreArgs) -> anyhow::Result<ExitCode> {
    match data_dir(&args.config, args.data) {
        Ok(data) => Ok(said(backup::restore(&args.file, &data), "restored")),
        Err(code) => Ok(code),
    }
}

/// Runs `verify`: 0 when nothing was changed or removed, else 1 and the spots.
///
/// # Errors
/// When the data directory cannot be read.
pub fn run_verify(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let (data, shelf) = match with_shelf(&args.config, args.data) {
        Ok(found) => found,
        Err(code) => return Ok(code),
    };
    let store = data.join("store");
    let found = match shelf {
        Some(shelf) => tocsin_store::verify_with(&store, shelf.as_ref())?,
        None => tocsin_store::verify(&store)?,
    };
    let mut missing = None;
    if let Some(expected) = &args.expect {
        let chain = std::fs::read_to_string(data.join("store/seals.ndjson")).unwrap_or_default();
        let there = chain.contains(&format!("\"digest\":\"{expected}\""));
        missing = (!there || expected.is_empty()).then_some(expected);
    }
    let good = found.is_intact() && missing.is_none();
    if args.json {
        println!("{}", serde_json::to_string(&found)?);
    } else {
        for (name, state) in &found.partitions {
            let word = match state {
                PartitionState::Intact => "intact".to_owned(),
                PartitionState::Archived => "intact, in the archive".to_owned(),
                PartitionState::Open => "being written; sealed when it is closed".to_owned(),
                PartitionState::Deleted => "deleted by retention".to_owned(),
                PartitionState::Missing => "MISSING: nobody here deleted it".to_owned(),
                PartitionState::Unsealed => "NOT SEALED: it was closed without a seal".to_owned(),
                PartitionState::Unread(why) => format!("NOT COMPARED, cannot be read: {why}"),
                PartitionState::Changed(files) => format!("CHANGED: {}", files.join(", ")),
            };
            println!("{name}  {word}");
        }
        for line in &found.broken {
            println!("seals.ndjson  BROKEN: {line}");
        }
        if let Some(expected) = missing {
            println!("seals.ndjson  REPLACED: {expected} is not in it");
        }
        match &found.last {
            Some(last) => println!("last digest {last} (keep it elsewhere, for --expect)"),
            None => println!("nothing is sealed yet: the first day is not over"),
        }
    }
    Ok(ExitCode::from(u8::from(!good)))
}
