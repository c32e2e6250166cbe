//! `tocsin scan`: attacks in files or standard input, by the events' own time.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::anyhow;
use serde_json::json;
use tocsin_content::Level;
use tocsin_engine::content::{Choice, Content, Rules};
use tocsin_engine::context::ContextBook;
use tocsin_engine::exceptions::{ExceptionBook, is_data_dir};
use tocsin_engine::offline::input::Input;
use tocsin_engine::offline::{LineFinding, Scanner, Seen};
use tocsin_model::{Alert, Severity, Timestamp};

use crate::common_args::{ConfigArgs, print_diagnostics};
use crate::doubts::unknown_source;
use crate::terminal::{Progress, counted, safe};

/// Arguments of `scan`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Rule files or directories, instead of the shipped rules. May be given again.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Read every line as this source (`openssh.sshd`) or kind (`auth`, `web`, `json`, …).
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Try every rule on every event, whatever the rule's log source.
    #[arg(long)]
    no_route: bool,
    /// Print every match, ungrouped, with the number of its input line.
    #[arg(long)]
    findings: bool,
    /// Scan nothing when a rule had to be refused (otherwise the rest runs; exit 2 either way).
    #[arg(long)]
    strict: bool,
    /// Only alerts of this severity or worse.
    #[arg(long, value_name = "LEVEL", default_value = "informational")]
    min_severity: Severity,
    /// Print JSON lines even on a terminal.
    #[arg(long)]
    json: bool,
    /// Threads that parse and match; by default as many as there are cores.
    #[arg(long, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,
    /// Leave out what the exceptions of this data directory hide, and rules that are switched off
    /// there. Default: those of the configuration's, when a configuration is named.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Show also what exceptions hide.
    #[arg(long)]
    ignore_exceptions: bool,
    /// Files, or `-` for standard input: lines, gzip, JSON or Windows .evtx.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// How many records of one file are read before the progress line is drawn again.
const RECORDS_PER_TURN: usize = 4096;

/// The most threads without being asked for more: one thread reads and correlates for all.
const THREADS_DEFAULT_MAX: usize = 8;

/// Runs the command.
///
/// # Errors
/// When output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let choice = Choice {
        rules: if args.rules.is_empty() { Rules::Shipped } else { Rules::Only(args.rules.clone()) },
        route: !args.no_route,
    };
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &choice);
    print_diagnostics(&content.diagnostics);
    let refused = content.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
    if refused && args.strict {
        return Ok(ExitCode::from(2));
    }
    if let Some(message) = args.source.as_ref().and_then(|name| unknown_source(name, &content)) {
        eprintln!("tocsin: --source: {}", safe(&message));
        return Ok(ExitCode::from(2));
    }
    let mut scanner =
        Scanner::new(&content, loaded.config.alerts.clone(), args.findings, threads(&args))
            .map_err(|error| anyhow!(error))?;
    scanner.know(Arc::new(ContextBook::open(&loaded.config)));
    match excepting(&args, &loaded.config.server.data_dir) {
        Ok(Some(dir)) => {
            let disabled = loaded.config.alerts.disabled_rules.clone();
            scanner.except(ExceptionBook::open_dir(dir, disabled)?.current());
        }
        Ok(None) => {}
        Err(message) => {
            eprintln!("tocsin: {message}");
            return Ok(ExitCode::from(2));
        }
    }
    if let Some(wanted) = &args.source {
        scanner.expect(sources_of(wanted, &content));
    }
    let mut printer = Printer::new(&args);
    let readable = scan(&args, &mut scanner, &mut printer)?;
    scanner.finish();
    printer.findings(scanner.take_findings(), &args.files)?;
    printer.alerts(scanner.take_alerts())?;
    printer.out.flush()?;
    summarise(&args, scanner.seen(), printer.shown);
    Ok(if refused || !readable { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// The data directory whose exceptions hold: the one that is named, else that of a configuration
/// that is named, once Tocsin has run there.
fn excepting<'a>(args: &'a Args, of_config: &'a Path) -> Result<Option<&'a Path>, String> {
    if args.ignore_exceptions {
        return Ok(None);
    }
    match &args.data {
        Some(dir) if !is_data_dir(dir) => {
            Err(format!("--data {}: no data directory of Tocsin", dir.display()))
        }
        Some(dir) => Ok(Some(dir)),
        None => Ok(Some(of_config).filter(|dir| args.config.config.is_some() && is_data_dir(dir))),
    }
}

fn threads(args: &Args) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    args.threads.map_or(cores.min(THREADS_DEFAULT_MAX), NonZeroUsize::get)
}

/// The sources that a name or a hint means.
fn sources_of(wanted: &str, content: &Content) -> Vec<String> {
    let sources = content.parser.sources().iter();
    let meant = sources
        .filter(|source| source.name == wanted || source.hints.iter().any(|hint| hint == wanted));
    meant.map(|source| source.name.clone()).collect()
}

/// Says on standard error what was read, understood and found: also that it was nothing.
fn summarise(args: &Args, seen: Seen, shown: usize) {
    let what = if args.findings { "match" } else { "alert" };
    let plural = match (shown, args.findings) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    let lines = counted(seen.records as usize, "line");
    eprintln!(
        "{lines} read, {} not understood by any source; {shown} {what}{plural}",
        seen.unparsed
    );
    if seen.hidden > 0 {
        let hidden = counted(seen.hidden as usize, "finding");
        eprintln!("exceptions hid {hidden}; --ignore-exceptions shows them");
    }
    if let Some(source) = &args.source
        && seen.expected == 0
        && seen.records > 0
    {
        let source = safe(source);
        eprintln!("no line fits --source {source}; without it, each line's source is found");
    }
}

/// Reads all inputs side by side, the one whose events are oldest first; whether all could be
/// read.
fn scan(args: &Args, scanner: &mut Scanner, printer: &mut Printer) -> anyhow::Result<bool> {
    let now = Timestamp::from_system(SystemTime::now());
    let hint: Option<Arc<str>> = args.source.as_deref().map(Arc::from);
    let mut inputs: Vec<Option<Input>> = Vec::new();
    let mut total = 0;
    let mut readable = true;
    for (index, path) in args.files.iter().enumerate() {
        match Input::open(index as u64, path, hint.clone(), now) {
            Ok(input) => {
                total += std::fs::metadata(path).map_or(0, |about| about.len());
                scanner.open(index as u64);
                inputs.push(Some(input));
            }
            Err(error) => {
                eprintln!("tocsin: {}: {error}", path.display());
                readable = false;
                inputs.push(None);
            }
        }
    }
    let mut progress = Progress::new();
    let mut done = vec![0; inputs.len()];
    while inputs.iter().any(Option::is_some) {
        for (index, slot) in inputs.iter_mut().enumerate() {
            let Some(input) = slot else { continue };
            // Others' older events come first; a lane that waits needs no more.
            if scanner.is_ahead(index as u64) {
                continue;
            }
            if !turn(scanner, input, index as u64, &mut readable) {
                scanner.close(index as u64);
                *slot = None;
                continue;
            }
            done[index] = input.bytes_read();
        }
        if args.findings {
            printer.findings(scanner.take_findings(), &args.files)?;
        }
        if progress.enabled() {
            progress.show(done.iter().sum(), total, "scanned");
        }
    }
    progress.clear();
    Ok(readable)
}

/// Reads some records of an input; whether there may be more.
fn turn(scanner: &mut Scanner, input: &mut Input, index: u64, readable: &mut bool) -> bool {
    for _ in 0..RECORDS_PER_TURN {
        match input.next_record() {
            Ok(Some(record)) => scanner.take(record),
            Ok(None) => return false,
            Err(error) => {
                eprintln!("tocsin: input {}: {error}", index + 1);
                *readable = false;
                return false;
            }
        }
    }
    true
}

struct Printer {
    out: BufWriter<io::Stdout>,
    table: bool,
    min_severity: Severity,
    /// Alerts or matches printed.
    shown: usize,
}

impl Printer {
    fn new(args: &Args) -> Self {
        let table = io::stdout().is_terminal() && !args.json;
        let out = BufWriter::with_capacity(64 * 1024, io::stdout());
        Self { out, table, min_severity: args.min_severity, shown: 0 }
    }

    fn findings(&mut self, found: Vec<LineFinding>, files: &[PathBuf]) -> io::Result<()> {
        for LineFinding { finding, input, line } in found {
            if finding.rule.severity < self.min_severity {
                continue;
            }
            self.shown += 1;
            let file = files.get(input as usize).map(|path| path.display().to_string());
            if self.table {
                let file = file.unwrap_or_default();
                let severity = finding.rule.severity.as_str();
                writeln!(
                    self.out,
                    "{}:{line}  {severity:<13} {}",
                    safe(&file),
                    safe(&finding.rule.title)
                )?;
                continue;
            }
            serde_json::to_writer(&mut self.out, &finding_json(&finding, file, line))?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn alerts(&mut self, alerts: Vec<Alert>) -> io::Result<()> {
        let alerts: Vec<Alert> =
            alerts.into_iter().filter(|alert| alert.severity >= self.min_severity).collect();
        self.shown += alerts.len();
        if !self.table {
            for alert in &alerts {
                serde_json::to_writer(&mut self.out, &alert.to_json())?;
                self.out.write_all(b"\n")?;
            }
            return Ok(());
        }
        for alert in &alerts {
            let (time, severity) = (alert.raised.to_string(), alert.severity.as_str());
            writeln!(self.out, "{time:<28} {severity:<13} {}", safe(&alert.rule.title))?;
            writeln!(self.out, "{:43}{}", "", safe(&alert.reason))?;
        }
        Ok(())
    }
}

/// A finding as nested ECS JSON with `tocsin.finding.*`.
fn finding_json(
    finding: &tocsin_model::Finding,
    file: Option<String>,
    line: u64,
) -> serde_json::Value {
    let mut value = finding.event.to_json();
    let group: serde_json::Map<String, serde_json::Value> =
        finding.group.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let rule = json!({
        "id": finding.rule.id,
        "name": finding.rule.title,
        "description": finding.rule.description,
    });
    let details = json!({
        "line": line,
        "file": file,
        "rule_name": finding.rule.name,
        "severity": finding.rule.severity,
        "time": finding.time,
        "group": group,
        "count": finding.count,
        "event_count": finding.event_count,
        "window": finding.window.map(|(from, to)| json!({"from": from, "to": to})),
        "matches": finding.matches,
        "events": finding.contributions,
    });
    if let Some(root) = value.as_object_mut() {
        for (key, part) in [("rule", rule), ("tocsin", json!({"finding": details}))] {
            match root.get_mut(key).and_then(serde_json::Value::as_object_mut) {
                Some(known) => {
                    known.extend(part.as_object().cloned().unwrap_or_default());
                }
                None => {
                    root.insert(key.to_owned(), part);
                }
            }
        }
        let severity = finding.rule.severity.number();
        tocsin_model::event::insert_nested(root, "event.severity", json!(severity));
        if !finding.rule.techniques.is_empty() {
            let techniques = json!(finding.rule.techniques);
            tocsin_model::event::insert_nested(root, "threat.technique.id", techniques);
        }
    }
    value
}
