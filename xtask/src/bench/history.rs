//! Figures of earlier commits: one JSON object a line.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::measure::Figure;
use crate::workspace;

/// A difference below this is noise.
const NOISE: f64 = 0.05;

/// Says how each figure compares with the last one of the same name and size, then adds them.
///
/// # Errors
/// When the file cannot be written.
pub fn compare_and_add(path: &Path, figures: &[Figure]) -> Result<()> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let known: Vec<Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    println!();
    for figure in figures {
        let last = known
            .iter()
            .rev()
            .find(|old| old["name"] == figure.name.as_str() && old["events"] == figure.events);
        if let Some((commit, rate)) = last
            .and_then(|old| Some((old["commit"].as_str()?, old["events_per_cpu_second"].as_f64()?)))
        {
            let change = figure.rate() / rate - 1.0;
            let word = if change < -NOISE {
                "SLOWER"
            } else if change > NOISE {
                "faster"
            } else {
                "same"
            };
            println!("{:<18} {word} than {commit}: {:+.1} %", figure.name, change * 100.0);
        }
    }
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let (commit, date) = (workspace::commit(), jiff::Timestamp::now().to_string());
    for figure in figures {
        let line = json!({
            "commit": commit,
            "date": date,
            "name": figure.name,
            "events": figure.events,
            "cpu_seconds": figure.cpu_seconds,
            "wall_seconds": figure.wall_seconds,
            "events_per_cpu_second": figure.rate().round(),
        });
        writeln!(file, "{line}")?;
    }
    println!("history: {}", path.display());
    Ok(())
}
