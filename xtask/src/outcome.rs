//! How many tests passed and failed, step by step, and what could not run.

use std::collections::BTreeSet;
use std::time::Instant;

/// The sum of everything `cargo xtask test` ran.
#[derive(Default)]
pub struct Outcome {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    steps: Vec<String>,
}

impl Outcome {
    /// Adds a step's counts.
    pub fn add(&mut self, step: &str, passed: u64, failed: u64, since: Instant) {
        self.passed += passed;
        self.failed += failed;
        let seconds = since.elapsed().as_secs();
        self.steps.push(format!("{step:<12} {passed:>5} passed {failed:>4} failed {seconds:>5} s"));
    }

    /// Adds what tests of a step said they cannot do here.
    pub fn skipped(&mut self, step: &str, reasons: &BTreeSet<String>) {
        self.steps.extend(reasons.iter().map(|why| format!("{step:<12} skipped: {why}")));
    }

    /// Adds a step that could not run; it counts as failed unless it was left out on purpose.
    pub fn not_run(&mut self, step: &str, why: &str, on_purpose: bool) {
        self.failed += u64::from(!on_purpose);
        let word = if on_purpose { "left out" } else { "not run" };
        self.steps.push(format!("{step:<12} {word}: {why}"));
    }

    /// Prints the table and the last line; whether everything passed.
    pub fn finish(&self) -> bool {
        println!();
        for step in &self.steps {
            println!("{step}");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}
