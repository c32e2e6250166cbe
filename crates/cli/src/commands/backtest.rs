//! `tocsin backtest`: what rules would have found in stored history.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};
use serde_json::Value as Json;
use tocsin_engine::backtest::{self, Report, Request, RuleReport, Watch, Which};
use tocsin_engine::content::{Choice, Content, Rules};
use tocsin_engine::exceptions::ExceptionBook;
use tocsin_model::Timestamp;
use tocsin_store::Embedded;

use crate::common_args::{ConfigArgs, HistoryArgs, print_diagnostics};
use crate::signals::Signals;
use crate::terminal::{Progress, counted, safe};

/// Arguments of `backtest`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    history: HistoryArgs,
    /// Rule: its id, name, title, or a file.
    #[arg(required_unless_present = "all_rules", conflicts_with = "all_rules")]
    rule: Option<String>,
    /// Every rule, as a table.
    #[arg(long)]
    all_rules: bool,
    /// Rule files or directories, instead of the shipped rules. May be given again.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Only events that match this query.
    #[arg(long, value_name = "KQL", default_value = "")]
    query: String,
    /// Alerts shown of each rule.
    #[arg(long, value_name = "N", default_value_t = 3)]
    samples: usize,
    /// Also what exceptions hide.
    #[arg(long)]
    ignore_exceptions: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// How often the progress line is drawn again.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Runs the command.
///
/// # Errors
/// When the store cannot be read or output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let which = match &args.rule {
        None => Which::All,
        Some(rule) if PathBuf::from(rule).is_file() => {
            Which::Text(std::fs::read_to_string(rule).with_context(|| rule.clone())?)
        }
        Some(rule) => Which::Named(rule.clone()),
    };
    let choice = Choice {
        rules: if args.rules.is_empty() { Rules::Shipped } else { Rules::Only(args.rules.clone()) },
        route: true,
    };
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &choice);
    let chosen = match backtest::choose(&content, &which) {
        Ok(chosen) => chosen,
        Err(message) => {
            eprintln!("tocsin: {}", safe(&message));
            return Ok(ExitCode::from(2));
        }
    };
    print_diagnostics(&chosen.diagnostics);
    let (filter, from, to) = match args.history.load(&args.query) {
        Ok(asked) => asked,
        Err(code) => return Ok(code),
    };
    let store = args.history.open(&loaded.config)?;
    let chosen = if args.ignore_exceptions {
        chosen
    } else {
        let data = args.history.data.as_ref().unwrap_or(&loaded.config.server.data_dir);
        let book = ExceptionBook::open_dir(data, Vec::new())?;
        chosen.but_for(book.current(), Timestamp::from_system(SystemTime::now()))
    };
    let samples = if args.all_rules && !args.json { 0 } else { args.samples };
    let request = Request { filter, from, to, samples, gentle: false };
    let report = watched(store, move |store, watch| {
        backtest::run(store, &chosen, &loaded.config.alerts, &request, watch)
    })?;
    let mut out = io::stdout().lock();
    if args.json || (!io::stdout().is_terminal() && !args.all_rules) {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else if args.all_rules {
        print_table(&report, &mut out)?;
    } else {
        for rule in &report.rules {
            print_rule(rule, &mut out)?;
        }
    }
    summarise(&report);
    Ok(ExitCode::SUCCESS)
}

/// Runs it on a thread of its own, shows how far it is, and ends it early on Ctrl-C.
///
/// # Errors
/// When it fails, or signals cannot be heard.
pub fn watched(
    store: Embedded,
    work: impl FnOnce(&Embedded, &Watch) -> Result<Report, tocsin_store::StoreError> + Send + 'static,
) -> anyhow::Result<Report> {
    let watch = Arc::new(Watch::default());
    let shared = watch.clone();
    let mut progress = Progress::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let mut work = tokio::task::spawn_blocking(move || work(&store, &shared));
        let mut every = tokio::time::interval(PROGRESS_EVERY);
        loop {
            tokio::select! {
                done = &mut work => return Ok::<_, anyhow::Error>(done??),
                () = signals.wait() => watch.cancel.store(true, Ordering::Relaxed),
                _ = every.tick() => {
                    let (done, total) =
                        (watch.done.load(Ordering::Relaxed), watch.total.load(Ordering::Relaxed));
                    progress.show(done, total, "of history");
                }
            }
        }
    });
    progress.clear();
    report
}

fn summarise(report: &Report) {
    let seconds = report.took_ms as f64 / 1000.0;
    let ended = if report.cancelled { ", ended early" } else { "" };
    eprintln!(
        "{} in {} events by {}, {} ({seconds:.1} s{ended})",
        counted(report.findings as usize, "match").replace("matchs", "matches"),
        report.events,
        counted(report.rules.len(), "rule"),
        counted(report.alerts as usize, "alert"),
    );
}

fn print_table(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:>8} {:>9}  {:<13} {:<20} RULE", "ALERTS", "MATCHES", "SEVERITY", "LAST")?;
    let (found, silent): (Vec<_>, Vec<_>) = report.rules.iter().partition(|rule| rule.findings > 0);
    for rule in found {
        let last = rule.last.map_or(String::new(), |time| time.to_string());
        let last = last.get(..19).unwrap_or("-");
        let (alerts, findings, severity) = (rule.alerts, rule.findings, rule.severity.as_str());
        writeln!(
            out,
            "{alerts:>8} {findings:>9}  {severity:<13} {last:<20} {}",
            safe(&rule.title)
        )?;
    }
    if !silent.is_empty() {
        writeln!(out, "{} matched nothing", counted(silent.len(), "rule"))?;
    }
    Ok(())
}

fn print_rule(rule: &RuleReport, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{} ({}, {})", safe(&rule.title), rule.severity.as_str(), safe(&rule.id))?;
    writeln!(out, "  alerts {}, matches {}", rule.alerts, rule.findings)?;
    if rule.allowed > 0 {
        writeln!(out, "  on the allow-list {}", rule.allowed)?;
    }
    if rule.hidden > 0 {
        writeln!(out, "  hidden by exceptions {} (--ignore-exceptions)", rule.hidden)?;
    }
    if let (Some(first), Some(last)) = (rule.first, rule.last) {
        writeln!(out, "  first {first}, last {last}")?;
    }
    let most = rule.days.iter().map(|day| day.findings).max().unwrap_or(1).max(1);
    for day in &rule.days {
        let bar = "█".repeat((day.findings * 40).div_ceil(most) as usize);
        writeln!(out, "  {} {:>9} {bar}", day.day, day.findings)?;
    }
    for group in &rule.groups {
        writeln!(out, "  {:>9} {}", group.findings, safe(&group.group))?;
    }
    for sample in &rule.samples {
        let time = sample["@timestamp"].as_str().unwrap_or("");
        let reason = text_at(sample, &["tocsin", "alert", "reason"])
            .or_else(|| text_at(sample, &["message"]))
            .unwrap_or_default();
        writeln!(out, "  {time:<28} {}", safe(reason))?;
    }
    Ok(())
}

fn text_at<'j>(value: &'j Json, path: &[&str]) -> Option<&'j str> {
    path.iter().try_fold(value, |value, part| value.get(part))?.as_str()
}

impl HistoryArgs {
    /// Opens the store to read, also while `run` writes it.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(&self, config: &tocsin_engine::Config) -> anyhow::Result<Embedded> {
        let data = self.data.as_ref().unwrap_or(&config.server.data_dir);
        let dir = data.join("store");
        if !dir.is_dir() {
            return Err(anyhow!(
                "{}: no events are stored there; give the data directory with --data",
                data.display()
            ));
        }
        Ok(Embedded::open_to_read_with(&dir, config.store.shelf(data))?)
    }
}
