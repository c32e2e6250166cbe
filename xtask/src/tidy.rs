//! `cargo xtask tidy`: what no compiler checks. In: the project's files and the table of arrows
//! in ARCHITECTURE.md. Out: `file:line: what is wrong, and the remedy`. Changes nothing, except
//! the ratchet list with `--shrink`.

mod arrows;
mod ratchet;
mod rust;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace;

/// The most lines of a function.
const FUNCTION_LINES_MAX: usize = 70;
/// The most lines of a file.
const FILE_LINES_MAX: usize = 500;
/// The biggest file looked into, in bytes; bigger ones are data.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Arguments of `tidy`.
#[derive(clap::Args, Default)]
pub struct Args {
    /// Lower the entries of the ratchet list to what the files are now; adds none.
    #[arg(long)]
    shrink: bool,
}

/// Something that is not tidy.
pub struct Finding {
    path: PathBuf,
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.message),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.message),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the project's files cannot be listed or read.
pub fn run(args: &Args) -> Result<bool> {
    let mut findings = Vec::new();
    let mut lengths = Vec::new();
    for path in workspace::files()? {
        check_file(&path, &mut findings, &mut lengths)?;
    }
    arrows::check(&mut findings)?;
    ratchet::check(&lengths, args.shrink, &mut findings)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => println!("tidy: nothing to say"),
        count => println!("tidy: {count} to mend"),
    }
    Ok(findings.is_empty())
}

fn check_file(
    path: &Path,
    findings: &mut Vec<Finding>,
    lengths: &mut Vec<ratchet::Length>,
) -> Result<()> {
    let full = workspace::root().join(path);
    let about = full.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    if about.len() > FILE_BYTES_MAX {
        return Ok(());
    }
    let bytes = std::fs::read(&full).with_context(|| format!("cannot read {}", path.display()))?;
    let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
    words::check(path, &text, findings);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    if !matches!(extension, "rs" | "ts" | "tsx" | "mjs" | "css") {
        return Ok(());
    }
    lengths.push(ratchet::Length::of_file(path, text.lines().count(), FILE_LINES_MAX));
    if extension == "rs" {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
        if !first.starts_with("//!") {
            let message = "a module opens with `//!`: what flows in, what out, what it never does";
            findings.push(Finding::new(path, 1, message));
        }
        for line in rust::unexplained(&text) {
            let message = "an exception for a whole file says why: add `reason = \"…\"`";
            findings.push(Finding::new(path, line, message));
        }
        for function in rust::functions(&text) {
            lengths.push(ratchet::Length::of_function(path, &function, FUNCTION_LINES_MAX));
        }
    }
    Ok(())
}
