//! `tocsin export`: stored events as a Parquet file.

use std::path::PathBuf;
use std::process::ExitCode;

use tocsin_engine::backtest::Watch;
use tocsin_engine::export::export;
use tocsin_store::ScanRequest;

use crate::common_args::{ConfigArgs, HistoryArgs};
use crate::terminal::safe;

/// Arguments of `export`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    history: HistoryArgs,
    /// File to write, for example `november.parquet`; it must not be there.
    file: PathBuf,
    /// Only events that match this query.
    #[arg(default_value = "")]
    query: String,
}

/// Runs the command.
///
/// # Errors
/// When the store cannot be read.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let (filter, from, to) = match args.history.load(&args.query) {
        Ok(asked) => asked,
        Err(code) => return Ok(code),
    };
    let store = args.history.open(&loaded.config)?;
    let request = ScanRequest { filter, from, to };
    match export(&store, &request, &args.file, &Watch::default()) {
        Ok(events) => {
            let bytes = std::fs::metadata(&args.file)?.len() as f64 / 1e6;
            println!("{events} events, {bytes:.1} MB");
            Ok(ExitCode::SUCCESS)
        }
        Err(message) => {
            eprintln!("tocsin: {}", safe(&message));
            Ok(ExitCode::from(1))
        }
    }
}
