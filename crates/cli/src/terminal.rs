//! The terminal: log output, safe text, tables, a progress line.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// What is logged unless `TOCSIN_LOG` says otherwise. The Kafka client tells of every connection, and
/// what fails is told by whoever uses it.
const LEVELS: &str = "info,rskafka=off";

/// Sends the program's own log to standard error. `TOCSIN_LOG` sets the level (default `info`).
pub fn start_log() {
    let filter = EnvFilter::try_from_env("TOCSIN_LOG").unwrap_or_else(|_| EnvFilter::new(LEVELS));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    // A second start in one process keeps the first.
    let _ = builder.try_init();
}

/// Whether an error only says that nobody reads our output any more.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Text from outside made safe for a terminal: control and direction-changing characters are
/// shown as `\u{…}`.
pub fn safe(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// A number with its noun: `1 rule`, `2 rules`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A line on standard error that is written over, only on a terminal.
pub struct Progress {
    shown: bool,
    enabled: bool,
}

impl Progress {
    /// Nothing shown yet.
    pub fn new() -> Self {
        Self { shown: false, enabled: io::stderr().is_terminal() }
    }

    /// Whether anybody sees it.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Shows how far a piece of work is.
    pub fn show(&mut self, done: u64, total: u64, what: &str) {
        if !self.enabled {
            return;
        }
        let part = if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) };
        let filled = (part * 30.0) as usize;
        let bar: String = (0..30).map(|at| if at < filled { '█' } else { '░' }).collect();
        eprint!("\r{bar} {:>3.0} % {what}\x1b[K", part * 100.0);
        let _ = io::stderr().flush();
        self.shown = true;
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
            self.shown = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_not_obeyed() {
        assert_eq!(safe("a\x1b[31mb\u{202e}c"), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(safe("größe"), "größe");
    }
}
