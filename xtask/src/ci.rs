//! `cargo xtask ci`: everything that must hold before a change lands, cheapest first.

use anyhow::Result;

use crate::process::{heading, passes};
use crate::{deny, test, tidy, ui, workspace};

/// Arguments of `ci`.
#[derive(clap::Args)]
pub struct Args {
    /// Go on after a failure and say all of them at the end.
    #[arg(long)]
    keep_going: bool,
}

/// A step's name, and what runs it.
type Step = (&'static str, fn() -> Result<bool>);

/// Runs the command; whether everything passed.
///
/// # Errors
/// When a tool cannot be started.
pub fn run(args: &Args) -> Result<bool> {
    let steps: [Step; 5] = [
        ("format", format),
        ("tidy", tidy),
        ("clippy", clippy),
        ("deny", deny::run),
        ("test", || test::run(&test::Args::default())),
    ];
    let mut failed = Vec::new();
    for (name, step) in steps {
        if !step()? {
            failed.push(name);
            if !args.keep_going {
                break;
            }
        }
    }
    match failed.is_empty() {
        true => println!("ci: all good"),
        false => println!("ci: failed: {}", failed.join(", ")),
    }
    Ok(failed.is_empty())
}

fn format() -> Result<bool> {
    heading("cargo fmt --check");
    passes(workspace::cargo().args(["fmt", "--all", "--check"]))
}

fn tidy() -> Result<bool> {
    heading("tidy");
    tidy::run(&tidy::Args::default())
}

fn clippy() -> Result<bool> {
    // The page first: the binary embeds it.
    ui::build()?;
    heading("cargo clippy");
    let args = ["clippy", "--quiet", "--workspace", "--all-targets", "--locked", "--"];
    passes(workspace::cargo().args(args).args(["-D", "warnings"]))
}
