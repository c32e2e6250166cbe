//! Seeds: the shipped rules, sources and samples, the tables of the tests.

use std::path::{Path, PathBuf};

use tocsin_content::{FileKind, builtin_packs, yaml};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Rule files.
pub fn rules() -> Vec<Vec<u8>> {
    let packs = builtin_packs();
    let shipped = packs.iter().flat_map(|pack| pack.of_kind(FileKind::Rule));
    let mut out: Vec<Vec<u8>> = shipped.map(|file| file.bytes.clone()).collect();
    for case in cases() {
        let text = |key: &str| case.get(key).and_then(yaml::Node::as_text);
        if let Some(rule) = text("rule") {
            out.push(rule.into());
        }
        let indented = |text: &str, by: &str| -> String {
            text.lines().map(|line| format!("{by}{line}\n")).collect()
        };
        if let Some(search) = text("search") {
            let search = indented(search, "    ");
            out.push(
                format!(
                    "title: t\nname: x\nlogsource: {{ category: test }}\ndetection:\n  s:\n\
                     {search}  condition: s\n"
                )
                .into(),
            );
        }
        if let Some(correlation) = text("correlation") {
            let correlation = indented(correlation, "  ");
            out.push(
                format!(
                    "title: a\nname: a\nlogsource: {{}}\ndetection: {{ s: {{ r: a }}, condition: \
                     s }}\n---\ntitle: b\nname: b\nlogsource: {{}}\ndetection: {{ s: {{ r: b }}, \
                     condition: s }}\n---\ntitle: t\ncorrelation:\n{correlation}"
                )
                .into(),
            );
        }
    }
    out
}

/// Conditions over the identifiers of the target.
pub fn conditions() -> Vec<Vec<u8>> {
    let texts = [
        "s1",
        "s1 and not s2 or _s1",
        "not (s1 or not_sel) and a-b",
        "1 of s* and all of them",
        "any of *s* or all of _*",
        "not not s1 and (s2 or (a-b and not 1 of s*))",
        "all of s*1 or not_sel",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Lines of logs and JSON events.
pub fn lines() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for case in cases() {
        for key in ["fires", "silent"] {
            for node in case.get(key).and_then(yaml::Node::as_seq).unwrap_or(&[]) {
                out.push(node.to_json().to_string().into_bytes());
            }
        }
    }
    for (_, sample) in sources() {
        out.extend(sample.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    }
    out.retain(|line| !line.is_empty());
    out
}

/// Source definitions with lines that they read.
pub fn sources() -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut out = Vec::new();
    for vendor in children(&root().join("../../content")) {
        for source in children(&vendor.join("sources")) {
            let Ok(definition) = std::fs::read(source.join("source.yml")) else { continue };
            let samples = children(&source.join("samples"));
            let mut logs =
                samples.iter().filter(|path| path.extension().is_some_and(|e| e == "log"));
            let log = logs.next().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
            out.push((definition, log));
        }
    }
    out
}

fn cases() -> Vec<yaml::Node> {
    let mut out = Vec::new();
    for path in children(&root().join("tests/checklist")) {
        let text = std::fs::read_to_string(path).unwrap();
        let table = yaml::parse(&text).unwrap().remove(0);
        out.extend(table.get("cases").and_then(yaml::Node::as_seq).unwrap_or(&[]).to_vec());
    }
    out
}

fn children(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
