//! SigmaHQ's rules load, and its regression data fires through `scan`, routed by log source.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use support::{json_lines, output, shared, tocsin};

/// The folders of rules that need nothing else.
const FOLDERS: [&str; 3] = ["rules", "rules-emerging-threats", "rules-threat-hunting"];

/// Files under a directory whose name ends so.
fn files(dir: &Path, end: &str, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, end, out);
        } else if path.to_string_lossy().ends_with(end) {
            out.push(path);
        }
    }
}

/// The value of a `key: value` line of a small YAML file.
fn value<'t>(text: &'t str, key: &str) -> impl Iterator<Item = &'t str> {
    let start = format!("{key}: ");
    text.lines().filter_map(move |line| {
        line.trim_start_matches(['-', ' ']).strip_prefix(&start).map(str::trim)
    })
}

#[test]
fn every_rule_loads_or_is_refused_for_a_missing_placeholder() {
    let Some(root) = shared("corpora/sigmahq") else { return };
    let mut command = tocsin();
    command.args(["rules", "list", "--rules"]);
    let mut there = Vec::new();
    for folder in FOLDERS {
        command.arg(root.join(folder));
        files(&root.join(folder), ".yml", &mut there);
    }
    let (_, out, errors) = output(&mut command, b"");
    let refused: Vec<&str> = errors.lines().filter(|line| line.contains(": error: ")).collect();
    let unexpected: Vec<&&str> =
        refused.iter().filter(|line| !line.contains("placeholder")).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert!(there.len() > 3000 && refused.len() <= 2, "{refused:#?}");
    assert_eq!(out.lines().count() + refused.len(), there.len());
}

#[test]
fn every_recorded_attack_is_found_by_its_rule() {
    let Some(root) = shared("corpora/sigmahq") else { return };
    let mut rules = HashMap::new();
    let mut paths = Vec::new();
    for folder in FOLDERS {
        files(&root.join(folder), ".yml", &mut paths);
    }
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let id = value(&text, "id").next().unwrap().to_owned();
        rules.insert(id, path);
    }
    let mut infos = Vec::new();
    files(&root.join("regression_data"), "info.yml", &mut infos);
    assert_eq!(infos.len(), 203);
    let mut missed = Vec::new();
    let mut tried = 0;
    for info in infos {
        let text = fs::read_to_string(&info).unwrap();
        let tested = text.split_once("rule_metadata:").unwrap().1;
        let id = value(tested, "id").next().unwrap();
        let wanted: usize =
            value(tested, "match_count").next().map_or(1, |count| count.parse().unwrap());
        for path in value(tested, "path").filter(|path| path.ends_with(".evtx")) {
            let mut command = tocsin();
            command.args(["scan", "--findings", "--rules"]).arg(&rules[id]);
            let (code, out, errors) = output(command.arg("--").arg(root.join(path)), b"");
            let found = json_lines(&out).len();
            tried += 1;
            if code != 0 || found < wanted {
                missed.push(format!("{path}: {found} of {wanted}: {errors}"));
            }
        }
    }
    assert!(tried > 195, "only {tried} recordings were tried");
    assert!(missed.is_empty(), "{missed:#?}");
}
