//! Arguments that several commands take, and what they mean.

use std::path::PathBuf;
use std::process::ExitCode;

use tocsin_content::{Diagnostic, Level};
use tocsin_engine::config::{Loaded, load, read, verify};

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
