//! Arguments that several commands take, and what they mean.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use tocsin_content::{Diagnostic, Level};
use tocsin_engine::config::{Loaded, load, read, verify};
use tocsin_engine::content::{Choice, Content, Rules};
use tocsin_model::Timestamp;
use tocsin_search::{Context, parse_in, parse_time_range};
use tocsin_store::Filter;

use crate::terminal::safe;

/// Filter, from and to.
type Asked = (Filter, Option<Timestamp>, Option<Timestamp>);

/// Where the configuration is.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigArgs {
    /// Configuration file (default: ./tocsin.yml, then /etc/tocsin/tocsin.yml, when there).
    #[arg(long, short, value_name = "FILE", env = "TOCSIN_CONFIG")]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The file in use, if any.
    pub fn path(&self) -> Option<PathBuf> {
        let usual = ["tocsin.yml", "/etc/tocsin/tocsin.yml"];
        self.config.clone().or_else(|| usual.iter().map(PathBuf::from).find(|path| path.is_file()))
    }

    /// Reads the configuration; what is wrong with it is printed.
    ///
    /// # Errors
    /// The exit code for bad input.
    pub fn load(&self) -> Result<Loaded, ExitCode> {
        load(self.path().as_deref(), variables()).map_err(|errors| {
            print_diagnostics(&errors);
            ExitCode::from(2)
        })
    }

    /// Reads the configuration with everything that keeps `run` from using it. What is wrong is
    /// left out of it.
    pub fn verified(&self) -> (Loaded, Vec<Diagnostic>) {
        let (loaded, mut faults) = read(self.path().as_deref(), variables());
        faults.extend(verify(&loaded));
        if let Err(error) = tocsin_server::listen_address(&loaded.config.server.listen) {
            faults.push(loaded.fault(&["server", "listen"], error.to_string()));
        }
        (loaded, faults)
    }
}

/// Which stored history.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct HistoryArgs {
    /// Data directory (default: `server.data_dir`); may be in use.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Of the last …: `15m`, `24h`, `30d`.
    #[arg(long, value_name = "SPAN", conflicts_with_all = ["from", "to"])]
    pub last: Option<String>,
    /// At or after this time: `2026-11-21`, `2026-11-21T10:00:00Z`, `now-2h`.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

impl HistoryArgs {
    /// What is asked for: filter, from, to. What is wrong with it is printed, with the place.
    ///
    /// # Errors
    /// The exit code for bad input.
    pub fn load(&self, query: &str) -> Result<Asked, ExitCode> {
        self.read(query).map_err(|message| {
            for line in message.lines() {
                eprintln!("tocsin: {}", safe(line));
            }
            ExitCode::from(2)
        })
    }

    fn read(&self, query: &str) -> Result<Asked, String> {
        let now = Timestamp::from_system(SystemTime::now());
        let filter = parse_in(query, Context { now, fields: None }).map_err(|error| {
            let marker = " ".repeat(query[..error.start].chars().count());
            format!("{error}\n  {query}\n  {marker}^")
        })?;
        let text = match (&self.last, &self.from, &self.to) {
            (Some(last), ..) => last.clone(),
            (None, None, None) => String::new(),
            (None, from, to) => {
                let side = |side: &Option<String>| side.clone().unwrap_or_default();
                format!("{}..{}", side(from), side(to))
            }
        };
        let range = parse_time_range(&text, now)?;
        Ok((filter, range.from, range.to))
    }
}

/// The sources alone, without rules; what is wrong with them is printed.
pub fn sources_of(loaded: &Loaded) -> Content {
    let choice = Choice { rules: Rules::Only(Vec::new()), route: true };
    let content = Content::load(&loaded.config.content, &loaded.config.detect, &choice);
    print_diagnostics(&content.diagnostics);
    content
}

fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Prints diagnostics on standard error; whether one of them is an error.
pub fn print_diagnostics(diagnostics: &[Diagnostic]) -> bool {
    for diagnostic in diagnostics {
        eprintln!("{diagnostic}");
    }
    diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
}
