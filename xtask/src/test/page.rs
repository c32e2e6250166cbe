//! The page in a real browser: Tocsin and simulated traffic as in the demo, then the page's own
//! end-to-end tests (`npm run e2e`) against it.

use std::time::Instant;

use anyhow::Result;

use super::tally;
use crate::demo::Stage;
use crate::outcome::Outcome;
use crate::process::{heading, passes};
use crate::ui;
use crate::workspace::{target_dir, tocsin, which};

/// Runs them.
///
/// # Errors
/// When npm cannot be started.
pub fn run(outcome: &mut Outcome) -> Result<()> {
    heading("page tests");
    let start = Instant::now();
    if which("chromium").is_none() {
        outcome.not_run("page", "chromium is missing", false);
        return Ok(());
    }
    let mut total = tally::Counts::default();
    let mut stage = match Stage::set("debug") {
        Ok(stage) => stage,
        Err(error) => {
            outcome.not_run("page", &format!("{error:#}"), false);
            return Ok(());
        }
    };
    stage.wait_for_proofs();
    let base = format!("http://{}", stage.address());
    // Against the real thing, then against a stand-in that can be brought into any state.
    for args in
        [&["run", "--silent", "e2e", "--", "--base", &base][..], &["run", "--silent", "e2e:mock"]]
    {
        let mut npm = ui::npm(args);
        // Accounts are tried with a Tocsin of their own.
        npm.env("E2E_TOCSIN", tocsin("debug"));
        let (counts, good) = tally::run(&mut npm, tally::page_line)?;
        total.passed += counts.passed;
        total.failed += counts.failed.max(u64::from(!good));
        total.skipped.extend(counts.skipped);
    }
    total.failed += u64::from(!screenshots(&base)?);
    outcome.add("page", total.passed, total.failed, start);
    outcome.skipped("page", &total.skipped);
    Ok(())
}

/// Takes a picture of every screen, as they are in `docs/screenshots`; whether it could.
fn screenshots(base: &str) -> Result<bool> {
    let out = target_dir().join("screenshots");
    let text = out.display().to_string();
    let good = passes(&mut ui::npm(&[
        "run",
        "--silent",
        "screenshot",
        "--",
        "--base",
        base,
        "--out",
        &text,
    ]))?;
    if good {
        println!("screens are in {text}; those of the docs are in docs/screenshots");
    }
    Ok(good)
}
