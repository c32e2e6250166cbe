//! Which crate may import which: the table in ARCHITECTURE.md against the manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Finding;
use crate::workspace;

const DOCUMENT: &str = "ARCHITECTURE.md";
/// The fenced block of the document that holds the table.
const FENCE: &str = "```arrows";
const PREFIX: &str = "tocsin-";
/// Names that say nothing of what is inside, and so end up holding everything.
const BANNED_NAMES: &[&str] =
    &["common", "core", "utils", "util", "config", "infra", "shared", "misc"];

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Checks names of crates, and imports against the table, both ways.
pub fn check(findings: &mut Vec<Finding>) -> Result<()> {
    let document = std::fs::read_to_string(workspace::root().join(DOCUMENT))
        .with_context(|| format!("cannot read {DOCUMENT}, which has the table of arrows"))?;
    let (allowed, table_line) = read_table(&document);
    if allowed.is_empty() {
        findings.push(Finding::new(Path::new(DOCUMENT), 0, format!("no {FENCE} block")));
        return Ok(());
    }
    let mut manifests: Vec<(String, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(workspace::root().join("crates"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let path = PathBuf::from("crates").join(&name).join("Cargo.toml");
        if workspace::root().join(&path).is_file() {
            manifests.push((name, path));
        }
    }
    manifests.sort();
    for (name, path) in &manifests {
        let text = std::fs::read_to_string(workspace::root().join(path))?;
        check_crate(name, path, &text, &allowed, findings);
    }
    for name in allowed.keys() {
        if !manifests.iter().any(|(known, _)| known == name) {
            let message = format!("the table names crate {name:?}, which does not exist");
            findings.push(Finding::new(Path::new(DOCUMENT), table_line, message));
        }
    }
    Ok(())
}

fn check_crate(
    name: &str,
    path: &Path,
    manifest: &str,
    allowed: &Arrows,
    findings: &mut Vec<Finding>,
) {
    if BANNED_NAMES.contains(&name) {
        let message = "no crate of this name: say what it is about";
        findings.push(Finding::new(path, 0, message));
    }
    let Some(allowed) = allowed.get(name) else {
        let message = format!("crate {name:?} is not in the table of arrows of {DOCUMENT}");
        findings.push(Finding::new(path, 0, message));
        return;
    };
    let imports = imports(manifest);
    for (import, line) in &imports {
        if !allowed.contains(import) {
            let message = format!(
                "{name} must not import {import}; a new arrow is a commit of its own and edits {DOCUMENT}"
            );
            findings.push(Finding::new(path, *line, message));
        }
    }
    for import in allowed {
        if !imports.iter().any(|(known, _)| known == import) {
            let message = format!("{DOCUMENT} says that {name} imports {import}; it does not");
            findings.push(Finding::new(path, 0, message));
        }
    }
}

/// Our own crates under `[dependencies]`, with the line. What tests import is free.
fn imports(manifest: &str) -> Vec<(String, usize)> {
    let mut section = "";
    let mut imports = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]"
            && let Some(rest) = line.strip_prefix(PREFIX)
        {
            let end = rest.find(['.', ' ', '=']).unwrap_or(rest.len());
            imports.push((rest[..end].to_owned(), index + 1));
        }
    }
    imports
}

/// Lines `crate → import import …` (or `crate` alone) of the block, and where it is.
fn read_table(document: &str) -> (Arrows, usize) {
    let mut lines = document.lines().enumerate();
    let start = lines.find(|(_, line)| line.trim() == FENCE).map_or(0, |(index, _)| index + 1);
    let table = lines
        .take_while(|(_, line)| line.trim() != "```")
        .filter_map(|(_, line)| {
            let (name, imports) = line.split_once('→').unwrap_or((line, ""));
            let imports = imports.split_whitespace().map(str::to_owned).collect();
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), imports))
        })
        .collect();
    (table, start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, manifest: &str) -> Vec<String> {
        let mut findings = Vec::new();
        let (allowed, _) = read_table(document);
        check_crate("parse", Path::new("m"), manifest, &allowed, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn imports_are_held_against_the_table() {
        let table = "x\n```arrows\nmodel\nparse → model content\n```\ny → z\n";
        let manifest = "[dependencies]\ntocsin-model.workspace = true\n";
        let both = format!("{manifest}tocsin-content.workspace = true\n");
        assert!(check(table, &both).is_empty());
        assert!(check(table, manifest)[0].contains("says that parse imports content"));
        let more = format!("{both}tocsin-store = {{ path = \"x\" }}\n");
        assert!(check(table, &more)[0].starts_with("m:4: parse must not import store"));
        let tests = format!("{both}[dev-dependencies]\ntocsin-store.workspace = true\n");
        assert!(check(table, &tests).is_empty());
        assert!(check("", &both)[0].contains("not in the table"));
    }
}
