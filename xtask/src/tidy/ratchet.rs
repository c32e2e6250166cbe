//! Lengths and the list of exceptions that only shrinks (`xtask/tidy-ratchet.txt`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Finding;
use super::rust::Function;
use crate::workspace;

const LIST: &str = "xtask/tidy-ratchet.txt";
const HEAD: &str = "\
# Files and functions that are longer than they should be, and how long they may be.
# Entries only shrink: `cargo xtask tidy --shrink` lowers them; adding one is refused.
";

/// How long something is, beside how long it may be.
pub struct Length {
    path: PathBuf,
    line: usize,
    key: String,
    lines: usize,
    lines_max: usize,
}

impl Length {
    /// A file's.
    pub fn of_file(path: &Path, lines: usize, lines_max: usize) -> Self {
        let key = format!("file {}", path.display());
        Self { path: path.to_owned(), line: 0, key, lines, lines_max }
    }

    /// A function's.
    pub fn of_function(path: &Path, function: &Function, lines_max: usize) -> Self {
        let key = format!("function {}#{}", path.display(), function.name);
        let Function { line, lines, .. } = *function;
        Self { path: path.to_owned(), line, key, lines, lines_max }
    }
}

/// Compares lengths with limits and exceptions, and the exceptions with those of the last commits.
pub fn check(lengths: &[Length], shrink: bool, findings: &mut Vec<Finding>) -> Result<()> {
    let path = workspace::root().join(LIST);
    let mut list = read(&std::fs::read_to_string(&path).unwrap_or_default());
    let before = list.clone();
    let mut longest: BTreeMap<&str, &Length> = BTreeMap::new();
    for length in lengths {
        let known = longest.entry(&length.key).or_insert(length);
        if length.lines > known.lines {
            *known = length;
        }
    }
    for (key, length) in &longest {
        let allowed = list.get(*key).copied();
        if length.lines > allowed.unwrap_or(length.lines_max).max(length.lines_max) {
            let what = key.split(' ').next().unwrap_or("");
            let message = match allowed {
                Some(allowed) => format!(
                    "{what} of {} lines grew over the {allowed} that {LIST} grants; split it",
                    length.lines
                ),
                None => format!(
                    "{what} of {} lines, over the {} of a screen; split it",
                    length.lines, length.lines_max
                ),
            };
            findings.push(Finding::new(&length.path, length.line, message));
        }
    }
    list.retain(|key, allowed| match longest.get(key.as_str()) {
        Some(length) if length.lines > length.lines_max => {
            *allowed = (*allowed).min(length.lines);
            true
        }
        _ => false,
    });
    if list != before {
        if shrink {
            std::fs::write(&path, print(&list)).with_context(|| format!("cannot write {LIST}"))?;
        } else {
            let message = "grants more than is needed now; run `cargo xtask tidy --shrink`";
            findings.push(Finding::new(Path::new(LIST), 0, message));
        }
    }
    check_history(&before, findings);
    Ok(())
}

/// Entries that the last two commits did not have, or had lower.
fn check_history(list: &BTreeMap<String, usize>, findings: &mut Vec<Finding>) {
    for commit in ["HEAD", "HEAD~1"] {
        let shown = Command::new("git")
            .args(["show", &format!("{commit}:{LIST}")])
            .current_dir(workspace::root())
            .output();
        let Ok(shown) = shown else { return };
        if !shown.status.success() {
            // The list did not exist then.
            continue;
        }
        let old = read(&String::from_utf8_lossy(&shown.stdout));
        for (key, lines) in list {
            if old.get(key).is_none_or(|granted| lines > granted) {
                let message = format!("{key}: an entry was added or raised; entries only shrink");
                findings.push(Finding::new(Path::new(LIST), 0, message));
            }
        }
    }
}

fn read(text: &str) -> BTreeMap<String, usize> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (key, lines) = line.rsplit_once(' ')?;
            Some((key.to_owned(), lines.parse().ok()?))
        })
        .collect()
}

fn print(list: &BTreeMap<String, usize>) -> String {
    let mut text = HEAD.to_owned();
    for (key, lines) in list {
        let _ = writeln!(text, "{key} {lines}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_as_it_is_printed() {
        let list: BTreeMap<String, usize> =
            [("file a b.rs".to_owned(), 600), ("function a.rs#f".to_owned(), 80)].into();
        assert_eq!(read(&print(&list)), list);
    }
}
