//! `tocsin import`: a file's events into a data directory, the way they go live.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::{Context, anyhow};
use tocsin_engine::content::{Choice, Content};
use tocsin_engine::offline::import::Importer;
use tocsin_engine::offline::input::Input;
use tocsin_model::Timestamp;

use crate::common_args::{ConfigArgs, print_diagnostics};
use crate::terminal::Progress;

/// Arguments of `import`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Data directory to store into; it must not be in use.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Read every line as this source or kind.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Files, or `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be read or the data directory cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &Choice::default());
    print_diagnostics(&content.diagnostics);
    let started = Instant::now();
    let mut importer =
        Importer::open(&content, &loaded.config, &args.data).map_err(|error| anyhow!(error))?;
    let hint: Option<Arc<str>> = args.source.as_deref().map(Arc::from);
    let now = Timestamp::from_system(SystemTime::now());
    let mut progress = Progress::new();
    for (index, path) in args.files.iter().enumerate() {
        let total = std::fs::metadata(path).map_or(0, |about| about.len());
        let mut input = Input::open(index as u64, path, hint.clone(), now)
            .with_context(|| path.display().to_string())?;
        let mut records = 0_u64;
        while let Some(record) = input.next_record()? {
            importer.take(record).map_err(|error| anyhow!(error))?;
            records += 1;
            if records.is_multiple_of(10_000) {
                progress.show(input.bytes_read(), total, &path.display().to_string());
            }
        }
    }
    let imported = importer.finish().map_err(|error| anyhow!(error))?;
    progress.clear();
    println!(
        "{} events and {} alerts stored in {:.1} s",
        imported.events,
        imported.alerts,
        started.elapsed().as_secs_f64()
    );
    Ok(ExitCode::SUCCESS)
}
