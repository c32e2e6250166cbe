//! `tocsin check`: configuration, packs, and the tests inside them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tocsin_content::{Diagnostic, FileKind, Level};
use tocsin_engine::config::{ContentConfig, Loaded, json_schema};
use tocsin_engine::content::{Choice, Content, Rules};
use tocsin_model::{Event, Position, Record, Timestamp};

use crate::common_args::{ConfigArgs, print_diagnostics};
use crate::doubts::{doubts, empty, unknown_source};
use crate::terminal::{counted, safe};

/// Arguments of `check`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// List the sources and rules that were loaded.
    #[arg(long)]
    list: bool,
    /// Packs, rule files or directories of them, or a configuration file; default: everything
    /// that is in force.
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
}

/// Keys that rules have and configurations have not.
const RULE_KEYS: [&str; 4] = ["title", "detection", "correlation", "filter"];

/// Runs the command: exit 0 when all is well, 2 when something has an error or a test fails.
///
/// # Errors
/// Never; the signature is that of all commands.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut config_args = args.config.clone();
    let path = args.path.as_deref();
    if let Some(path) = path.filter(|path| is_config(path)) {
        config_args.config = Some(path.to_owned());
    }
    let (loaded, faults) = config_args.verified();
    let mut failed = print_diagnostics(&faults);
    let mut content_config = loaded.config.content.clone();
    let mut choice = Choice::default();
    if let Some(path) = path.filter(|path| !is_config(path)) {
        point_at(path, &mut content_config, &mut choice);
    }
    let content = Content::load(&content_config, &loaded.config.detect, &choice);
    failed |= print_diagnostics(&content.diagnostics);
    print_diagnostics(&about_names(path, &loaded, &content));
    // The packs in the binary come without their samples.
    let on_disk: Vec<_> = content
        .packs
        .iter()
        .filter(|pack| pack.of_kind(FileKind::Sample).next().is_some())
        .cloned()
        .collect();
    let samples = tocsin_parse::check_samples(&on_disk);
    failed |= print_diagnostics(&samples.diagnostics);
    failed |=
        print_diagnostics(&tocsin_detect::lint(&content.rule_files, &content.parser.fields()));
    let (passed, broken) = rule_tests(&content);
    failed |= print_diagnostics(&broken);
    let (told, untold) = channel_tests(&content);
    failed |= print_diagnostics(&untold);
    if args.list {
        list(&content);
    }
    let mut summary = vec![format!(
        "{}, {}, {}",
        counted(content.packs.len(), "pack"),
        counted(content.parser.sources().len(), "source"),
        counted(content.rules.rules().len(), "rule"),
    )];
    if !on_disk.is_empty() {
        summary.push(format!("{} read", counted(samples.lines, "sample line")));
    }
    summary.push(format!("{} passed, {} failed", counted(passed, "rule test"), broken.len()));
    if told + untold.len() > 0 {
        summary.push(format!("{} passed, {} failed", counted(told, "channel test"), untold.len()));
    }
    println!("{}", summary.join("; "));
    Ok(if failed { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// What names mean nothing. With a path to content, only that content is there to be named.
fn about_names(path: Option<&Path>, loaded: &Loaded, content: &Content) -> Vec<Diagnostic> {
    match path.filter(|path| !is_config(path)) {
        None => doubts(loaded, content),
        Some(path) => empty(path, content)
            .map(|message| Diagnostic::warning(&path.display().to_string(), 0, 0, message))
            .into_iter()
            .collect(),
    }
}

/// Whether a path is a configuration file rather than content: by its keys, and by its name where
/// there are none.
fn is_config(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The file may be no YAML at all; that is for later to say.
    let keys: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with([' ', '\t', '#', '-']))
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect();
    if keys.iter().any(|key| RULE_KEYS.contains(key)) {
        return false;
    }
    let schema = json_schema();
    let sections = schema.get("properties").and_then(|keys| keys.as_object());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    keys.iter().any(|key| sections.is_some_and(|sections| sections.contains_key(*key)))
        || name.is_some_and(|name| name.starts_with("tocsin") && name.ends_with(".yml"))
}

/// Takes what is at `path` instead of, or beside, the built-in content.
fn point_at(path: &Path, config: &mut ContentConfig, choice: &mut Choice) {
    let is_pack = path.join("pack.yml").is_file();
    let children = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut packs = children.filter(|child| child.path().join("pack.yml").is_file());
    if is_pack || packs.next().is_some() {
        config.packs = vec![path.to_owned()];
        config.rules = Vec::new();
    } else {
        choice.rules = Rules::Only(vec![path.to_owned()]);
    }
}

fn rule_tests(content: &Content) -> (usize, Vec<Diagnostic>) {
    let mut worker = content.parser.worker();
    let received = Timestamp::from_system(SystemTime::now());
    let mut number = 0;
    let mut read = |source: Option<&str>, line: &str| {
        number += 1;
        if let Some(source) = source
            && let Some(message) = unknown_source(source, content)
        {
            return Err(format!("source: {message}"));
        }
        let record = Record {
            input: "test".into(),
            position: Position { stream: 0, offset: number, next: number + 1 },
            received,
            bytes: Bytes::copy_from_slice(line.as_bytes()),
            hint: source.map(Arc::from),
            peer: None,
            path: None,
        };
        let mut event = Event::default();
        worker.parse(&record, &mut event);
        Ok(event)
    };
    let results =
        tocsin_detect::run_tests(&content.rule_files, &content.tables, &content.options, &mut read);
    let mut passed = 0;
    let mut broken = Vec::new();
    for result in results {
        match result.failure {
            None => passed += 1,
            Some(failure) => {
                let message = format!("test {:?} of {:?}: {failure}", result.name, result.rule);
                broken.push(Diagnostic {
                    path: result.path,
                    line: result.line,
                    column: 0,
                    level: Level::Error,
                    message,
                });
            }
        }
    }
    (passed, broken)
}

/// Tests inside the services that packs bring.
fn channel_tests(content: &Content) -> (usize, Vec<Diagnostic>) {
    let results = tocsin_notify::services::run_tests(&content.packs);
    let all = results.len();
    let broken = results.into_iter().filter_map(|result| {
        let message = format!("test {:?}: {}", result.name, result.failure?);
        Some(Diagnostic::error(&result.path, 0, 0, message))
    });
    let broken: Vec<Diagnostic> = broken.collect();
    (all - broken.len(), broken)
}

fn list(content: &Content) {
    for source in content.parser.sources() {
        println!("source  {:<28} {}", safe(&source.name), safe(&source.about));
    }
    for rule in content.rules.rules() {
        let (severity, title) = (rule.severity.as_str(), safe(&rule.title));
        let name = safe(rule.name.as_deref().unwrap_or("-"));
        println!("rule    {severity:<13} {name:<28} {title}  ({})", safe(&rule.id));
    }
}
