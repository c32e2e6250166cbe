//! `tocsin config`: what is in force and where it came from.

use std::io::{self, Write};
use std::process::ExitCode;

use tocsin_engine::config::{Origin, json_schema, reference};

use crate::common_args::ConfigArgs;
use crate::terminal::safe;

/// Arguments of `config`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print the JSON Schema of tocsin.yml instead, for editors.
    #[arg(long)]
    schema: bool,
    /// Print every key with its documentation and default instead, as a commented file.
    #[arg(long)]
    reference: bool,
    /// Print only what differs from the defaults.
    #[arg(long)]
    changed: bool,
}

/// Runs the command.
///
/// # Errors
/// When output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if args.schema {
        writeln!(out, "{}", serde_json::to_string_pretty(&json_schema())?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.reference {
        write!(out, "{}", reference())?;
        return Ok(ExitCode::SUCCESS);
    }
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let file = args.config.path().map(|path| path.display().to_string());
    match &file {
        Some(file) => writeln!(out, "# configuration file: {file}")?,
        None => writeln!(out, "# no configuration file")?,
    }
    let width = loaded.settings.iter().map(|setting| setting.key.len()).max().unwrap_or(0);
    for setting in &loaded.settings {
        let origin = match &setting.origin {
            Origin::Default if args.changed => continue,
            Origin::Default => "default".to_owned(),
            Origin::File(line) => format!("{}:{line}", file.as_deref().unwrap_or("")),
            Origin::Variable(name) => name.clone(),
        };
        let value = safe(&setting.value.to_string());
        writeln!(out, "{:<width$}  {value}  # {origin}", setting.key)?;
    }
    Ok(ExitCode::SUCCESS)
}
