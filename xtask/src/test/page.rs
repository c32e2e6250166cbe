//! The page in a real browser: Tocsin and simulated traffic as in the demo, then the page's own
//! end-to-end tests (`npm run e2e`) against it.

use std::time::Instant;

use anyhow::Result;

use super::tally;
use crate::demo::Stage;
use crate::outcome::Outcome;
use crate::process::heading;
use crate::ui;
use crate::workspace::which;

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
    let mut stage = match Stage::set("debug") {
        Ok(stage) => stage,
        Err(error) => {
            outcome.not_run("page", &format!("{error:#}"), false);
            return Ok(());
        }
    };
    stage.wait_for_proofs();
    let mut command = ui::npm(&["run", "--silent", "e2e"]);
    command.env("TOCSIN_URL", format!("http://{}", stage.address()));
    let (counts, good) = tally::run(&mut command, tally::page_line)?;
    let failed = counts.failed.max(u64::from(!good));
    outcome.add("page", counts.passed, failed, start);
    Ok(())
}
