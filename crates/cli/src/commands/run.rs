//! `tocsin run`: the server.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tocsin_content::Level;
use tocsin_engine::config::Loaded;
use tocsin_engine::content::{Choice, Content};
use tocsin_engine::{Engine, Handle};
use tocsin_model::Severity;
use tokio_util::sync::CancellationToken;

use crate::common_args::{ConfigArgs, print_diagnostics};
use crate::signals::{Asked, Signals};
use crate::terminal::{safe, start_log};

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
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let file = args.config.path().map(|path| path.display().to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(serve(loaded, file));
    runtime.shutdown_background();
    result
}

async fn serve(loaded: Loaded, file: Option<String>) -> anyhow::Result<ExitCode> {
    let config = loaded.config;
    let stop_max = Duration::from_secs(config.server.stop_seconds_max);
    let mut signals = Signals::new()?;
    let content = Content::load(&config.content, &config.detect, &Choice::default());
    print_diagnostics(&content.diagnostics);
    let about_rules = about_rules(&content);
    let engine = Engine::start(config, content).await?;
    let shutdown = CancellationToken::new();
    let server = tocsin_server::serve(engine.handle().clone(), shutdown.clone()).await;
    let server = match server {
        Ok(server) => server,
        Err(error) => {
            engine.stop().await;
            return Err(error.into());
        }
    };
    announce(engine.handle(), &server.addr().to_string(), file.as_deref(), &about_rules);
    while signals.next().await == Asked::Reload {
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

fn about_rules(content: &Content) -> String {
    let rules = content.rules.rules();
    let of = |severity| rules.iter().filter(|rule| rule.severity == severity).count();
    let refused = content.diagnostics.iter().filter(|found| found.level == Level::Error).count();
    let packs: Vec<&str> = content.packs.iter().map(|pack| pack.name.as_str()).collect();
    format!(
        "{} rules ({} critical, {} high, {} medium) and {} sources from packs {}{}",
        rules.len(),
        of(Severity::Critical),
        of(Severity::High),
        of(Severity::Medium),
        content.parser.sources().len(),
        packs.join(", "),
        if refused > 0 {
            format!("; {refused} files or rules refused, see above")
        } else {
            String::new()
        },
    )
}

/// Says on standard error what is watched, with which rules, and what is not and why.
fn announce(handle: &Handle, addr: &str, file: Option<&str>, about_rules: &str) {
    let file = file.unwrap_or("none, all defaults (`tocsin config` shows them)");
    eprintln!("tocsin {} is watching", env!("CARGO_PKG_VERSION"));
    eprintln!("  page and API   http://{addr}/");
    eprintln!("  configuration  {}", safe(file));
    eprintln!("  data           {}", handle.config.server.data_dir.display());
    eprintln!("  detection      {}", safe(about_rules));
    let watching = handle.collector.watching();
    let (well, ill): (Vec<_>, Vec<_>) =
        watching.iter().partition(|watched| watched.problem.is_none());
    for watched in well {
        let source = watched.source.as_deref().unwrap_or("found line by line");
        eprintln!("  reading        {} ({})", safe(&watched.what), safe(source));
    }
    for watched in ill {
        let problem = watched.problem.as_deref().unwrap_or("");
        eprintln!("  NOT reading    {}: {}", safe(&watched.what), safe(problem));
    }
    for (name, channel) in &handle.config.notify.channels {
        let least = Severity::from(channel.min_severity());
        eprintln!("  telling        {} ({}, from {least})", safe(name), channel.kind());
    }
}
