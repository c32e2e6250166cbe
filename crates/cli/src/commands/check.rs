//! `tocsin check`: configuration, packs, and the tests inside them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use tocsin_content::{Diagnostic, FileKind, Level};
use tocsin_engine::config::ContentConfig;
use tocsin_engine::content::{Choice, Content, Rules};
use tocsin_model::{Event, Position, Record, Timestamp};

use crate::common_args::{ConfigArgs, print_diagnostics};
use crate::terminal::safe;

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
    let loaded = match config_args.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let mut content_config = loaded.config.content.clone();
    let mut choice = Choice::default();
    if let Some(path) = path.filter(|path| !is_config(path)) {
        point_at(path, &mut content_config, &mut choice);
    }
    let content = Content::load(&content_config, &loaded.config.detect, &choice);
    let mut failed = print_diagnostics(&content.diagnostics);
    // The packs in the binary come without their samples.
    let on_disk: Vec<_> = content
        .packs
        .iter()
        .filter(|pack| pack.of_kind(FileKind::Sample).next().is_some())
        .cloned()
        .collect();
    let samples = tocsin_parse::check_samples(&on_disk);
    failed |= print_diagnostics(&samples.diagnostics);
    print_diagnostics(&tocsin_detect::lint(&content.rule_files, &content.parser.fields()));
    let (passed, broken) = rule_tests(&content);
    failed |= print_diagnostics(&broken);
    if args.list {
        list(&content);
    }
    println!(
        "{} packs, {} sources, {} rules; {} sample lines read; {passed} rule tests passed, {} failed",
        content.packs.len(),
        content.parser.sources().len(),
        content.rules.rules().len(),
        samples.lines,
        broken.len(),
    );
    Ok(if failed { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// Whether a path is a configuration file rather than content: by its name.
fn is_config(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    path.is_file() && name.is_some_and(|name| name.starts_with("tocsin") && name.ends_with(".yml"))
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
        event
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

fn list(content: &Content) {
    for source in content.parser.sources() {
        println!("source  {:<28} {}", safe(&source.name), safe(&source.about));
    }
    for rule in content.rules.rules() {
        println!("rule    {:<13} {}  ({})", rule.severity.as_str(), safe(&rule.title), rule.id);
    }
}
