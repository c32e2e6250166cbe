//! Correlations.
use std::sync::Arc;
use tocsin_model::{Event, Finding, Timestamp};
use crate::compile::Compiled;
use crate::matcher::Matcher;
use crate::options::Options;
use crate::detector::Counters;

/// Keeps the windows of correlations.
#[derive(Debug)]
pub(crate) struct Correlator { rules: Arc<Compiled> }
impl Correlator {
    pub(crate) fn new(rules: Arc<Compiled>, _options: &Options) -> Self { Self { rules } }
    pub(crate) fn open(&mut self, _event: &Event, _matcher: &mut Matcher, _out: &mut Vec<Finding>) {}
    pub(crate) fn add(&mut self, _number: u32, _event: &Event, _matcher: &Matcher) {}
    pub(crate) fn close(&mut self, _event: &Event, _matcher: &mut Matcher, _out: &mut Vec<Finding>) {}
    pub(crate) fn advance(&mut self, _now: Timestamp, _matcher: &mut Matcher, _out: &mut Vec<Finding>) {}
    pub(crate) fn finish(&mut self, _matcher: &mut Matcher, _out: &mut Vec<Finding>) {}
    pub(crate) fn snapshot(&self) -> Vec<u8> { Vec::new() }
    pub(crate) fn restore(&mut self, _bytes: &[u8]) -> Result<(), String> { Ok(()) }
    pub(crate) fn replace_rules(&mut self, rules: Arc<Compiled>) { self.rules = rules; }
    pub(crate) fn counters(&self) -> Counters { Counters::default() }
}
