//! Lines per CPU second of each source: its samples, over and over, once with the source found by
//! itself, once with the source given, and once found where there are forty sources fewer.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::measure::{self, Figure};
use crate::workspace::root;

/// Sources measured, the first ten of those people have, then others with bodies of each kind.
const SOURCES: &[&str] = &[
    "openssh.sshd",
    "windows.security",
    "linux.pam",
    "linux.sudo",
    "nginx.access",
    "apache.error",
    "linux.syslog",
    "linux.auditd",
    "windows.sysmon",
    "linux.firewall",
    "json.generic",
    "aws.cloudtrail",
    "suricata.eve",
    "postfix.mail",
    "postgresql.server",
    "haproxy.http",
    "fortinet.fortigate",
    "paloalto.panos",
    "cisco.asa",
    "cef.event",
];
/// Lines of each file.
const LINES: u64 = 500_000;
/// Each figure is the best of so many runs.
const RUNS: u32 = 3;
/// At least so many sources are left out to see what they cost the others.
const LEFT_OUT: usize = 40;

/// Measures all of them.
///
/// # Errors
/// When samples are not there or the binary cannot be run.
pub fn run(tocsin: &Path, dir: &Path) -> Result<Vec<Figure>> {
    let (fewer, left_out) = fewer(dir)?;
    let fewer = fewer.to_string_lossy();
    let mut figures = Vec::new();
    for source in SOURCES {
        let file = repeated(source, dir)?;
        let kinds = [
            ("found".to_owned(), vec![]),
            ("given".to_owned(), vec!["--source", source]),
            (format!("found, {left_out} sources fewer"), vec!["--config", &fewer]),
        ];
        let mut best: [Option<Figure>; 3] = [None, None, None];
        // In turn, so that what else the machine does falls on all of them.
        for _ in 0..RUNS {
            for (best, (kind, args)) in best.iter_mut().zip(&kinds) {
                let mut command = Command::new(tocsin);
                command.arg("parse").args(args).stdin(File::open(&file)?);
                let figure = measure::run(&format!("{source}, {kind}"), LINES, &mut command)?;
                if best.as_ref().is_none_or(|best| figure.cpu_seconds < best.cpu_seconds) {
                    *best = Some(figure);
                }
            }
        }
        figures.extend(best.into_iter().flatten());
        std::fs::remove_file(&file)?;
    }
    told(&figures, left_out);
    Ok(figures)
}

/// Prints what finding costs, and what more sources cost: of each source, and the middle one.
fn told(figures: &[Figure], left_out: usize) {
    let more = |[all, less]: [&Figure; 2]| (all.cpu_seconds / less.cpu_seconds - 1.0) * 100.0;
    let mut finding = Vec::new();
    let mut adding = Vec::new();
    println!("source                    finding it   {left_out} sources more");
    for (source, of) in SOURCES.iter().zip(figures.chunks_exact(3)) {
        let (find, add) = (more([&of[0], &of[1]]), more([&of[0], &of[2]]));
        println!("{source:<24} {find:>+9.1} %  {add:>+11.1} %");
        finding.push(find);
        adding.push(add);
    }
    for list in [&mut finding, &mut adding] {
        list.sort_by(f64::total_cmp);
    }
    let of = |list: &[f64]| {
        (list.get(list.len() / 2).copied().unwrap_or(0.0), list.last().copied().unwrap_or(0.0))
    };
    let ((find, find_most), (add, add_most)) = (of(&finding), of(&adding));
    println!("the middle one           {find:>+9.1} %  {add:>+11.1} %");
    println!("the most                 {find_most:>+9.1} %  {add_most:>+11.1} %");
}

/// A configuration in which packs that are not measured have nothing in them, and how many sources
/// that leaves out.
fn fewer(dir: &Path) -> Result<(PathBuf, usize)> {
    let content = root().join("content");
    let mut packs: BTreeMap<String, usize> = BTreeMap::new();
    for entry in std::fs::read_dir(&content).with_context(|| content.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let measured =
            SOURCES.iter().any(|source| source.split_once('.').is_some_and(|(p, _)| p == name));
        if let (false, Ok(sources)) = (measured, std::fs::read_dir(entry.path().join("sources"))) {
            packs.insert(name, sources.count());
        }
    }
    let empty = dir.join("fewer");
    let mut left_out = 0;
    for (pack, sources) in packs {
        if left_out >= LEFT_OUT {
            break;
        }
        std::fs::create_dir_all(empty.join(&pack))?;
        let text = format!("name: {pack}\nversion: 0.0.0\nabout: nothing\n");
        std::fs::write(empty.join(&pack).join("pack.yml"), text)?;
        left_out += sources;
    }
    let config = dir.join("fewer.yml");
    let list = serde_json::to_string(&empty)?;
    std::fs::write(&config, format!("content: {{ packs: [{list}] }}\n"))?;
    Ok((config, left_out))
}

/// A file of a source's samples, over and over.
fn repeated(source: &str, dir: &Path) -> Result<PathBuf> {
    let (pack, name) = source.split_once('.').context("a source is pack.name")?;
    let samples = root().join("content").join(pack).join("sources").join(name).join("samples");
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(&samples).with_context(|| samples.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let bytes = std::fs::read(&path)?;
            lines.extend(bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
        }
    }
    lines.retain(|line| !line.is_empty());
    let path = dir.join(format!("{source}.log"));
    let mut out = BufWriter::new(File::create(&path)?);
    for line in lines.iter().cycle().take(usize::try_from(LINES)?) {
        out.write_all(line)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(path)
}
