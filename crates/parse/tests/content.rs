//! The definitions in `content/` load without complaint and their samples give what is expected.
//!
//! `UPDATE_SAMPLES=1 cargo test -p tocsin-parse --test content` writes the expected events anew;
//! read the difference before committing it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use tocsin_content::FileKind;
use tocsin_parse::{Options, Parser, check_samples, sample_events};

fn content() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../content")
}

#[test]
fn definitions_load() {
    let (packs, unread) = tocsin_content::read_dir(&content());
    assert_eq!(unread, []);
    let (parser, diagnostics) = Parser::load(&packs, Options::default());
    let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(shown, Vec::<String>::new());
    assert!(parser.sources().len() >= 15);
    for hint in ["auth", "ssh", "syslog", "nginx", "apache", "web", "json", "app"] {
        assert!(parser.source(hint).is_some(), "{hint}");
    }
    assert!(parser.source("openssh.sshd").is_some());
    assert!(parser.source("nonsense").is_none());
}

#[test]
fn samples_give_what_is_expected() {
    if std::env::var_os("UPDATE_SAMPLES").is_some() {
        update();
    }
    let (packs, _) = tocsin_content::read_dir(&content());
    let report = check_samples(&packs);
    let shown: Vec<String> = report.diagnostics.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    assert_eq!(report.without, Vec::<String>::new(), "sources without a sample");
}

fn update() {
    let (packs, _) = tocsin_content::read_dir(&content());
    let (parser, _) = Parser::load(&packs, Options::default());
    for pack in &packs {
        for file in pack.of_kind(FileKind::Sample).filter(|file| file.inner.ends_with(".log")) {
            let folder = file.inner.split('/').nth(1).unwrap();
            let events = sample_events(&parser, &format!("{}.{folder}", pack.name), &file.bytes);
            // One event a line, so that a change shows as the line it is.
            let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
            let text = format!("[\n{}\n]\n", lines.join(",\n"));
            std::fs::write(file.path.replace(".log", ".event.json"), text).unwrap();
        }
    }
}

#[test]
fn the_schema_for_editors_is_current() {
    let path = content().join("source.schema.json");
    let schema = tocsin_parse::definition::json_schema();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("UPDATE_SAMPLES").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "run with UPDATE_SAMPLES=1 to write {}", path.display());
}

#[test]
fn the_documentation_of_sources_is_current() {
    let (packs, _) = tocsin_content::read_dir(&content());
    let text = tocsin_parse::sources_markdown(&packs);
    let path = content().join("../docs/sources.md");
    if std::env::var_os("UPDATE_SAMPLES").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "run with UPDATE_SAMPLES=1 to write {}", path.display());
}
