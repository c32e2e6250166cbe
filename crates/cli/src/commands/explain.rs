//! `tocsin explain`: why a rule does or does not match an event.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use bytes::Bytes;
use tocsin_detect::Explained;
use tocsin_engine::content::{Choice, Content, Rules};
use tocsin_model::{Event, Position, Record, Timestamp};

use crate::common_args::{ConfigArgs, print_diagnostics};
use crate::terminal::safe;

/// The largest event read, bytes.
const EVENT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Arguments of `explain`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Rule files or directories, instead of the shipped rules.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Read the event as this source or kind.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Print JSON even on a terminal.
    #[arg(long)]
    json: bool,
    /// The rule: a file with one rule, or the id, name or title of a loaded one.
    rule: String,
    /// File with the event (a JSON object or a raw log line), or `-` for standard input.
    event: PathBuf,
}

/// Runs the command: exit 0 when the rule matches, 1 when it does not, 2 on bad input.
///
/// # Errors
/// When the event cannot be read or output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let file = PathBuf::from(&args.rule);
    let rules = match (args.rules.is_empty(), file.is_file()) {
        (true, true) => Rules::Only(vec![file.clone()]),
        (true, false) => Rules::Shipped,
        (false, _) => Rules::Only(args.rules.clone()),
    };
    let choice = Choice { rules, route: true };
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &choice);
    print_diagnostics(&content.diagnostics);
    let rules = content.rules.rules();
    let wanted = if file.is_file() {
        rules.iter().find(|rule| !rule.correlation).or(rules.first())
    } else {
        rules.iter().find(|rule| {
            rule.id == args.rule
                || rule.name.as_ref() == Some(&args.rule)
                || rule.title == args.rule
        })
    };
    let Some(rule) = wanted else {
        eprintln!("tocsin: no rule {:?}; `tocsin check --list` lists them", args.rule);
        return Ok(ExitCode::from(2));
    };
    let event = read_event(&args, &content)?;
    let Some(explanation) = tocsin_detect::explain(&content.rules, &rule.id, &event) else {
        eprintln!("tocsin: {:?} is a correlation; explain one of the rules it counts", rule.title);
        return Ok(ExitCode::from(2));
    };
    let mut out = io::stdout().lock();
    if args.json || !io::stdout().is_terminal() {
        writeln!(out, "{}", serde_json::to_string_pretty(&explanation)?)?;
    } else {
        let title = safe(&explanation.title);
        match &explanation.counts {
            Some(counts) => writeln!(out, "{title}: {}", safe(counts))?,
            None if explanation.matched => writeln!(out, "{title} matches")?,
            None => writeln!(out, "{title} does not match")?,
        }
        tree(&mut out, &explanation.log_source, 1)?;
        tree(&mut out, &explanation.condition, 1)?;
    }
    Ok(if explanation.matched { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn read_event(args: &Args, content: &Content) -> anyhow::Result<Event> {
    let mut bytes = Vec::new();
    if args.event.as_os_str() == "-" {
        io::stdin().take(EVENT_BYTES_MAX).read_to_end(&mut bytes)?;
    } else {
        let file = std::fs::File::open(&args.event)
            .with_context(|| format!("{} cannot be opened", args.event.display()))?;
        file.take(EVENT_BYTES_MAX).read_to_end(&mut bytes)?;
    }
    let record = Record {
        input: "explain".into(),
        position: Position { stream: 0, offset: 1, next: 2 },
        received: Timestamp::from_system(SystemTime::now()),
        bytes: Bytes::copy_from_slice(bytes.trim_ascii()),
        hint: args.source.as_deref().map(Arc::from),
        peer: None,
        path: None,
    };
    let mut event = Event::default();
    content.parser.worker().parse(&record, &mut event);
    Ok(event)
}

fn tree(out: &mut impl Write, part: &Explained, depth: usize) -> io::Result<()> {
    let mark = if part.matched { '✓' } else { '✗' };
    write!(out, "{}{mark} {}", "  ".repeat(depth), safe(&part.what))?;
    if !part.wanted.is_empty() {
        let wanted: Vec<String> = part.wanted.iter().map(|value| format!("{value:?}")).collect();
        write!(out, " wants {}", safe(&wanted.join(" or ")))?;
    }
    if !part.found.is_empty() {
        let found: Vec<String> =
            part.found.iter().map(|(field, value)| format!("{field} = {value}")).collect();
        write!(out, ", found {}", safe(&found.join(", ")))?;
    }
    writeln!(out)?;
    part.parts.iter().try_for_each(|part| tree(out, part, depth + 1))
}
