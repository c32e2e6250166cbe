//! The day of the bench in the archive: how large, how dear, how slow to ask.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::serve::Serving;
use super::{Asked, Line, ask};
use crate::process::wait_until;

/// How long archiving may take.
const ARCHIVE_MAX: Duration = Duration::from_secs(1800);
/// The day of arrival that the bench's partition is given: long enough ago to be archived.
const LONG_AGO: &str = "2026-01-15";

/// Closes the partition in `data` as one of a day long ago, lets a server archive it, and asks.
pub fn run(
    tocsin: &Path,
    data: &Path,
    rules: &[PathBuf],
    events: u64,
    raw: u64,
) -> Result<Vec<Line>> {
    let store = data.join("store");
    age(&store)?;
    // An event that arrives today closes the partition, which the next start archives.
    let mut serving = Serving::start(tocsin, data, rules)?;
    serving.send(b"<13>1 2026-01-16T00:00:00Z bench - - - - the next day\n")?;
    let archived = |serving: &Serving| -> Option<u64> {
        serving.status().ok()?["store"]["archived_documents"].as_u64()
    };
    let stored = |serving: &Serving| serving.status().ok()?["store"]["documents"].as_u64();
    let closed = wait_until(ARCHIVE_MAX, || stored(&serving) > Some(events));
    ensure!(closed, "the partition is not closed");
    serving.settle()?;
    serving.stop();
    serving = Serving::start(tocsin, data, rules)?;
    let before = serving.cpu_seconds()?;
    let done = wait_until(ARCHIVE_MAX, || archived(&serving) >= Some(events));
    ensure!(done, "not archived after {} s", ARCHIVE_MAX.as_secs());
    let cpu_seconds = serving.cpu_seconds()? - before;
    let status = serving.status()?;
    let bytes = status["store"]["archived_bytes"].as_u64().context("a status without archive")?;
    let peak = serving.memory("VmHWM")? / super::MEGABYTE;
    let ratio = bytes as f64 / raw as f64;
    let mut lines = vec![
        Line::new("archived bytes ÷ raw", ratio, "", Asked::AtMost(0.45)),
        Line::told("archiving, events per CPU second", events as f64 / cpu_seconds, "events"),
        Line::told("memory, greatest while archiving", peak, "MB"),
    ];
    lines.extend(ask::run(&serving)?.into_iter().map(|line| Line {
        name: format!("archived: {}", line.name),
        asked: None,
        ..line
    }));
    serving.stop();
    Ok(lines)
}

/// Gives the only partition a day of arrival long ago.
fn age(store: &Path) -> Result<()> {
    for entry in std::fs::read_dir(store)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some((number, _)) = name.split_once('-').filter(|(start, _)| start.starts_with('p'))
        {
            std::fs::rename(entry.path(), store.join(format!("{number}-{LONG_AGO}")))?;
        }
    }
    Ok(())
}
