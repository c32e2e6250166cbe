//! `tocsin new source`: a pack with a source for lines that nobody reads yet, made from those
//! lines, as a start that passes `tocsin check`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, bail};
use bytes::Bytes;
use serde_json::Value as Json;
use tocsin_content::{builtin_packs, read_dir};
use tocsin_model::{Event, Position, Record, Timestamp, field};
use tocsin_parse::{Options, Parser, check_samples, sample_events, shape};

use crate::common_args::print_diagnostics;
use crate::terminal::{counted, safe};

/// Arguments of `new`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// A source: how to know and read the lines of one log.
    Source(SourceArgs),
}

/// Arguments of `new source`.
#[derive(clap::Args)]
struct SourceArgs {
    /// Who makes the program: the pack's name (`acme`).
    vendor: String,
    /// What the source is called in the pack (`shop`).
    name: String,
    /// A file with some of its lines.
    #[arg(long, value_name = "FILE")]
    sample: PathBuf,
    /// Where packs are (`content.packs` of the configuration).
    #[arg(long, value_name = "DIR", default_value = "packs")]
    dir: PathBuf,
}

/// The most lines taken as samples.
const LINES_MAX: usize = 20;
/// The most patterns written.
const PATTERNS_MAX: usize = 12;
/// Longest line taken, in bytes.
const LINE_BYTES_MAX: usize = 4096;

/// Runs the command.
///
/// # Errors
/// When a name or the sample cannot be used, or something cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Command::Source(args) = args.command;
    for name in [&args.vendor, &args.name] {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            bail!("{name:?} is no name: small letters, digits and `_` only");
        }
    }
    let text =
        fs::read(&args.sample).with_context(|| format!("cannot read {}", args.sample.display()))?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && line.len() <= LINE_BYTES_MAX)
        .take(LINES_MAX)
        .collect();
    if lines.is_empty() {
        bail!("{} holds no lines", args.sample.display());
    }
    let folder = args.dir.join(&args.vendor).join("sources").join(&args.name);
    if folder.exists() {
        bail!("{} is there already", folder.display());
    }
    let (parser, _) = Parser::load(&builtin_packs(), Options::default());
    let seen = look_at(&parser, &lines);
    tell_known(&seen);
    write(&args, &folder, &lines, &definition(&args, &seen))?;
    finish(&args, &folder)
}

/// A line and what is known of it.
struct Seen {
    /// What stands behind the frame.
    body: String,
    program: Option<String>,
    source: String,
    understood: bool,
    framed: bool,
}

fn look_at(parser: &Parser, lines: &[&str]) -> Vec<Seen> {
    let mut worker = parser.worker();
    let mut event = Event::default();
    let received = Timestamp::from_system(SystemTime::now());
    let input: Arc<str> = "sample".into();
    let mut seen = Vec::new();
    for line in lines {
        let record = Record {
            input: input.clone(),
            position: Position { stream: 0, offset: 0, next: 1 },
            received,
            bytes: Bytes::copy_from_slice(line.as_bytes()),
            hint: None,
            peer: None,
            path: None,
        };
        let explained = worker.parse_explained(&record, &mut event);
        let framed = !explained.frame.is_empty();
        let body = if framed { event.get_str(field::MESSAGE).unwrap_or(line) } else { line };
        seen.push(Seen {
            body: body.to_owned(),
            program: event.get_str(field::LOG_SYSLOG_APPNAME).map(str::to_owned),
            understood: worker.doubts().understood && !explained.source.ends_with(".generic"),
            source: explained.source,
            framed,
        });
    }
    seen
}

fn tell_known(seen: &[Seen]) {
    for (number, seen) in seen.iter().enumerate().filter(|(_, seen)| seen.understood) {
        println!("note: line {} is read already, as {}", number + 1, seen.source);
    }
}

/// The text of `source.yml`.
fn definition(args: &SourceArgs, seen: &[Seen]) -> String {
    let SourceArgs { vendor, name, .. } = args;
    let mut text = format!(
        "about: {vendor} {name}\n\
         setup: Say here what to switch on at the vendor.\n\
         hints: [{name}]\n\
         paths: []\n\
         order: 45\n"
    );
    let first = &seen[0];
    if first.body.trim_start().starts_with('{') {
        text.push_str(&of_json(seen));
    } else {
        text.push_str(&of_text(seen));
    }
    text.push_str("set: { event.kind: event, event.category: [host], event.type: [info] }\n");
    text
}

/// Keys that all objects have say what they are.
fn of_json(seen: &[Seen]) -> String {
    let objects = seen.iter().filter_map(|seen| serde_json::from_str::<Json>(&seen.body).ok());
    let mut common: Option<BTreeSet<String>> = None;
    for object in objects {
        let keys: BTreeSet<String> = match object.as_object() {
            Some(members) => members.keys().cloned().collect(),
            None => continue,
        };
        common = Some(match common {
            Some(known) => known.intersection(&keys).cloned().collect(),
            None => keys,
        });
    }
    let keys: Vec<String> = common.unwrap_or_default().into_iter().take(4).collect();
    let mut text = String::from("match:\n  - json:\n");
    for key in &keys {
        text.push_str(&format!("      {}: '*'\n", quoted(key)));
    }
    text.push_str(
        "# ECS field: the keys it is read from, the first present counts.\n\
         fields:\n  message: [message, msg]\n  source.address: [src_ip, remote_addr, client_ip, ip]\n  \
         user.name: [user, username]\n  event.action: [action, event]\n\
         time: [timestamp, '@timestamp', time, ts]\n",
    );
    text
}

/// Patterns made from the lines, one for each shape.
fn of_text(seen: &[Seen]) -> String {
    let programs: BTreeSet<&str> = seen.iter().filter_map(|seen| seen.program.as_deref()).collect();
    let mut shapes = BTreeSet::new();
    let mut patterns = Vec::new();
    for seen in seen {
        if shapes.insert(shape(&seen.body)) && patterns.len() < PATTERNS_MAX {
            patterns.push(pattern(&seen.body));
        }
    }
    let mut text = String::from("match:\n");
    if programs.is_empty() {
        let framed = seen.iter().any(|seen| seen.framed);
        text.push_str(&format!(
            "  - {{ framed: {framed}, fits: true, line: ['%{{GREEDYDATA}}'] }}\n"
        ));
    } else {
        let names: Vec<String> = programs.iter().map(|name| quoted(name)).collect();
        text.push_str(&format!("  - {{ program: [{}] }}\n", names.join(", ")));
    }
    text.push_str(
        "# Give the parts that differ the names of fields: %{USER:user.name}, %{ADDR:source.address}.\n\
         messages:\n",
    );
    for pattern in patterns {
        text.push_str(&format!("  - grok: {}\n", quoted(&pattern)));
        text.push_str("    set: { event.action: message }\n");
    }
    text
}

/// A pattern that fits a line and those that look like it.
fn pattern(line: &str) -> String {
    let mut pattern = String::new();
    let mut addressed = false;
    let mut rest = line.trim_end();
    while let Some(first) = rest.chars().next() {
        if matches!(first, '"' | '\'')
            && let Some(end) = rest[1..].find(first)
        {
            pattern.push_str(&format!("{first}%{{DATA}}{first}"));
            rest = &rest[end + 2..];
            continue;
        }
        if first.is_alphanumeric() {
            let end = rest.find([' ', ',']).unwrap_or(rest.len());
            if rest[..end].parse::<std::net::IpAddr>().is_ok() {
                pattern.push_str(if addressed { "%{ADDR}" } else { "%{ADDR:source.address}" });
                addressed = true;
                rest = &rest[end..];
                continue;
            }
            let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if word.bytes().all(|byte| byte.is_ascii_digit()) {
                pattern.push_str(r"\d+");
            } else if word.bytes().any(|byte| byte.is_ascii_digit()) {
                pattern.push_str("[0-9A-Za-z]+");
            } else {
                pattern.push_str(word);
            }
            rest = after;
            continue;
        }
        if r"\.+*?()[]{}|^$%".contains(first) {
            pattern.push('\\');
        }
        pattern.push(first);
        rest = &rest[first.len_utf8()..];
    }
    pattern
}

/// A text as YAML in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn write(args: &SourceArgs, folder: &Path, lines: &[&str], definition: &str) -> anyhow::Result<()> {
    let samples = folder.join("samples");
    fs::create_dir_all(&samples).with_context(|| format!("cannot make {}", samples.display()))?;
    let pack = args.dir.join(&args.vendor).join("pack.yml");
    if !pack.exists() {
        let text = format!("name: {0}\nversion: 0.1.0\nabout: Logs of {0}\n", args.vendor);
        fs::write(&pack, text).with_context(|| format!("cannot write {}", pack.display()))?;
    }
    let file = |name: &str| samples.join(format!("{}{name}", args.name));
    fs::write(folder.join("source.yml"), definition)?;
    fs::write(file(".log"), lines.join("\n") + "\n")?;
    Ok(())
}

/// Writes what the new source makes of the samples, and checks all of it.
fn finish(args: &SourceArgs, folder: &Path) -> anyhow::Result<ExitCode> {
    let (packs, unread) = read_dir(&args.dir);
    let mut failed = print_diagnostics(&unread);
    let mut all = builtin_packs();
    all.retain(|known| packs.iter().all(|pack| pack.name != known.name));
    all.extend(packs.iter().cloned());
    let (parser, diagnostics) = Parser::load(&all, Options::default());
    failed |= print_diagnostics(&diagnostics);
    let log = folder.join("samples").join(format!("{}.log", args.name));
    let source = format!("{}.{}", args.vendor, args.name);
    let events = sample_events(&parser, &source, &fs::read(&log)?);
    let lines: Vec<String> = events.iter().map(Json::to_string).collect();
    let expected = folder.join("samples").join(format!("{}.event.json", args.name));
    fs::write(&expected, format!("[\n{}\n]\n", lines.join(",\n")))?;
    let report = check_samples(&read_dir(&args.dir).0);
    failed |= print_diagnostics(&report.diagnostics);
    let shown = safe(&folder.display().to_string());
    println!("wrote {shown}: source.yml and {} with their events", counted(events.len(), "sample"));
    println!(
        "next: give the patterns fields, then `tocsin check {}`",
        safe(&args.dir.display().to_string())
    );
    Ok(if failed { ExitCode::from(2) } else { ExitCode::SUCCESS })
}
