//! Runs a command, passes its output on, and counts tests in it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process::describe;

/// Tests counted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// What tests said they cannot do here, each reason once: they count as passed.
    pub skipped: BTreeSet<String>,
}

/// Runs it; the counts that `read` finds in lines of its output, and whether it exited with 0.
///
/// # Errors
/// When it cannot be started.
pub fn run(command: &mut Command, read: fn(&str) -> Option<Counts>) -> Result<(Counts, bool)> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", describe(command)))?;
    let mut counts = Counts::default();
    if let Some(output) = child.stdout.take() {
        let mut reader = BufReader::new(output);
        let mut line = Vec::new();
        let mut out = std::io::stdout();
        while reader.read_until(b'\n', &mut line)? > 0 {
            out.write_all(&line)?;
            out.flush()?;
            let text = String::from_utf8_lossy(&line);
            if let Some(why) = skipped(&text) {
                counts.skipped.insert(why.to_owned());
            }
            if let Some(found) = read(text.trim()) {
                counts.passed += found.passed;
                counts.failed += found.failed;
            }
            line.clear();
        }
    }
    Ok((counts, child.wait()?.success()))
}

/// What a test says that it cannot do here.
fn skipped(line: &str) -> Option<&str> {
    Some(line.split_once("skipped: ")?.1.trim())
}

/// `test result: ok. 12 passed; 0 failed; 0 ignored; …`
pub fn cargo_line(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    Some(Counts {
        passed: before(rest, " passed")?,
        failed: before(rest, " failed")?,
        ..Counts::default()
    })
}

/// `5 packs, 12 sources, 40 rules; 63 rule tests passed, 0 failed`
pub fn check_line(line: &str) -> Option<Counts> {
    line.contains(" rules; ").then_some(())?;
    let passed = before(line, " rule tests passed").or_else(|| before(line, " passed"))?;
    Some(Counts { passed, failed: before(line, " failed")?, ..Counts::default() })
}

/// `Tests  1 failed | 11 passed (12)`
pub fn vitest_line(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("Tests ")?;
    let failed = before(rest, " failed").unwrap_or(0);
    Some(Counts { passed: before(rest, " passed").unwrap_or(0), failed, ..Counts::default() })
}

/// `11 of 12 page tests passed against http://…`
pub fn page_line(line: &str) -> Option<Counts> {
    let (head, _) = line.split_once(" page tests passed")?;
    let (passed, all) = head.rsplit_once(" of ")?;
    let passed: u64 = passed.trim().parse().ok()?;
    let all: u64 = all.trim().parse().ok()?;
    Some(Counts { passed, failed: all.saturating_sub(passed), ..Counts::default() })
}

/// The number that stands before a word.
fn before(line: &str, word: &str) -> Option<u64> {
    let head = &line[..line.find(word)?];
    let digits = head.len() - head.chars().rev().take_while(char::is_ascii_digit).count();
    head[digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_each_tool() {
        let is = |passed, failed| Some(Counts { passed, failed, ..Counts::default() });
        let cargo = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured";
        assert_eq!(cargo_line(cargo), is(12, 3));
        assert_eq!(cargo_line("test a::b ... ok"), None);
        let check = "5 packs, 12 sources, 40 rules; 63 rule tests passed, 1 failed";
        assert_eq!(check_line(check), is(63, 1));
        assert_eq!(vitest_line("Tests  1 failed | 11 passed (12)"), is(11, 1));
        assert_eq!(vitest_line("Tests  11 passed (11)"), is(11, 0));
        assert_eq!(page_line("9 of 10 page tests passed against http://x"), is(9, 1));
    }

    #[test]
    fn what_was_skipped_is_told() {
        assert_eq!(skipped("test a ... skipped: no b here\n"), Some("no b here"));
        assert_eq!(skipped("test a ... ok"), None);
    }
}
