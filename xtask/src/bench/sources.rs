//! Lines per CPU second of each source: its samples, over and over, once with the source found by
//! itself and once with the source given.

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
const RUNS: u32 = 2;

/// Measures all of them.
///
/// # Errors
/// When samples are not there or the binary cannot be run.
pub fn run(tocsin: &Path, dir: &Path) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for source in SOURCES {
        let file = repeated(source, dir)?;
        for (kind, args) in [("found", vec![]), ("given", vec!["--source", source])] {
            let mut best: Option<Figure> = None;
            for _ in 0..RUNS {
                let mut command = Command::new(tocsin);
                command.arg("parse").args(&args).stdin(File::open(&file)?);
                let figure = measure::run(&format!("{source}, {kind}"), LINES, &mut command)?;
                if best.as_ref().is_none_or(|best| figure.cpu_seconds < best.cpu_seconds) {
                    best = Some(figure);
                }
            }
            figures.extend(best);
        }
        std::fs::remove_file(&file)?;
    }
    Ok(figures)
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
