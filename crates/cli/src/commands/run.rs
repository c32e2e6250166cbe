//! `tocsin run`: the server.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tocsin_engine::Engine;
use tocsin_engine::config::Loaded;
use tocsin_engine::content::{Choice, Content};
use tokio_util::sync::CancellationToken;

use crate::banner::{about_rules, announce};
use crate::common_args::{ConfigArgs, print_diagnostics};
use crate::doubts::doubts;
use crate::memory;
use crate::signals::{Asked, Signals};
use crate::terminal::start_log;

/// Arguments of `run`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs until SIGTERM or SIGINT, then drains and stops.
///
/// # Errors
/// When the data directory, an address or a channel cannot be used.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    start_log();
    let written = Written::of(args.config.path());
    let (loaded, faults) = args.config.verified();
    if print_diagnostics(&faults) {
        return Ok(ExitCode::from(2));
    }
    memory::small_pages();
    memory::give_back();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(serve(loaded, written));
    runtime.shutdown_background();
    result
}

async fn serve(loaded: Loaded, written: Written) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    let stop_max = Duration::from_secs(config.server.stop_seconds_max);
    let mut signals = Signals::new()?;
    let content = Content::load(&config.content, &config.detect, &Choice::default());
    print_diagnostics(&content.diagnostics);
    print_diagnostics(&doubts(&loaded, &content));
    let about_rules = about_rules(&content);
    let engine = Engine::start(loaded.config, content).await?;
    let shutdown = CancellationToken::new();
    let server = tocsin_server::serve(engine.handle().clone(), shutdown.clone()).await;
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            engine.stop().await;
            return Err(error.into());
        }
    };
    let file = written.path.as_ref().map(|path| path.display().to_string());
    let scheme = if server.is_open() { "https" } else { "http" };
    let page = format!("{scheme}://{}", server.addr());
    announce(engine.handle(), &page, file.as_deref(), &about_rules);
    for (what, address) in server.listening() {
        eprintln!("  reading        {what} on {address}");
    }
    while signals.next().await == Asked::Reload {
        tracing::info!(
            "SIGHUP: reading packs and rules again; tocsin.yml is read at the start only"
        );
        if let Some(path) = written.changed() {
            tracing::warn!("{} changed since the start; restart to apply", path.display());
        }
        engine.reload();
    }
    tracing::info!("stopping: draining what was received");
    shutdown.cancel();
    let stopping = async { tokio::join!(server.join(), engine.stop()) };
    match tokio::time::timeout(stop_max, stopping).await {
        Ok(_) => tracing::info!("stopped"),
        Err(_) => tracing::info!("stopped; what was left is read again at the next start"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration file as it was at the start.
struct Written {
    path: Option<PathBuf>,
    bytes: Option<Vec<u8>>,
}

impl Written {
    fn of(path: Option<PathBuf>) -> Self {
        // A pipe can be read once, and not by us.
        let file = path.as_ref().filter(|path| path.is_file());
        let bytes = file.and_then(|path| std::fs::read(path).ok());
        Self { path, bytes }
    }

    /// The file, when it is another one now.
    fn changed(&self) -> Option<&PathBuf> {
        let (path, bytes) = (self.path.as_ref()?, self.bytes.as_ref()?);
        (std::fs::read(path).ok().as_ref() != Some(bytes)).then_some(path)
    }
}
