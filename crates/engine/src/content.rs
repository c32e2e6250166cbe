//! Packs and rules → a parser and a rule set, with everything that was refused.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use tocsin_content::{Diagnostic, FileKind, Pack, PackFile};
use tocsin_detect::{RuleSet, Tables};
use tocsin_model::Event;
use tocsin_notify::Services;
use tocsin_parse::Parser;

use crate::config::{ContentConfig, DetectConfig};
use crate::dashboards::{self, Dashboard};

pub use tocsin_detect::{Explanation, RuleSource, Takes, TestResult};

/// Which rules to load.
#[derive(Debug, Clone, Default)]
pub enum Rules {
    /// Those of the packs and of the configuration.
    #[default]
    Shipped,
    /// Only these files and directories.
    Only(Vec<PathBuf>),
}

/// How content is loaded, beside the configuration.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Which rules.
    pub rules: Rules,
    /// Whether events go only to rules of their log source.
    pub route: bool,
}

impl Default for Choice {
    fn default() -> Self {
        Self { rules: Rules::Shipped, route: true }
    }
}

/// Everything content gives: ready to run.
pub struct Content {
    /// The packs, for their descriptions and tests.
    pub packs: Vec<Pack>,
    /// Reads records.
    pub parser: Parser,
    /// Rules, compiled.
    pub rules: RuleSet,
    /// The rule files that `rules` was made of.
    pub rule_files: Vec<PackFile>,
    /// Log sources and field names.
    pub tables: Tables,
    /// How rules are matched.
    pub options: tocsin_detect::Options,
    /// Panels of the packs.
    pub dashboards: Vec<Dashboard>,
    /// What services are sent.
    pub services: Services,
    /// What was refused or looks wrong.
    pub diagnostics: Vec<Diagnostic>,
}

impl Content {
    /// Loads packs and rules. Never fails as a whole: what is broken is left out and named in
    /// [`Content::diagnostics`].
    pub fn load(content: &ContentConfig, detect: &DetectConfig, choice: &Choice) -> Self {
        Self::compile(Files::read(content, &choice.rules), detect, choice)
    }

    /// Makes content of files.
    pub(crate) fn compile(files: Files, detect: &DetectConfig, choice: &Choice) -> Self {
        let Files { packs, loose, mut diagnostics } = files;
        let zone = zone(detect, &mut diagnostics);
        let options = tocsin_parse::Options { zone, ..tocsin_parse::Options::default() };
        let (parser, found) = Parser::load(&packs, options);
        diagnostics.extend(found);
        let (tables, found) = Tables::from_packs(&packs);
        diagnostics.extend(found);
        let mut rule_files = match choice.rules {
            Rules::Only(_) => Vec::new(),
            Rules::Shipped => {
                packs.iter().flat_map(|pack| pack.of_kind(FileKind::Rule)).cloned().collect()
            }
        };
        rule_files.extend(loose);
        let options = options_of(detect, choice.route);
        let (rules, found) = tocsin_detect::load(&rule_files, &tables, &options);
        diagnostics.extend(found);
        let (dashboards, found) = dashboards::load(&packs);
        diagnostics.extend(found);
        let (services, found) = Services::load(&packs);
        diagnostics.extend(found);
        Self {
            packs,
            parser,
            rules,
            rule_files,
            tables,
            options,
            dashboards,
            services,
            diagnostics,
        }
    }

    /// For every rule what it reads, and whether one of some events is of that.
    pub fn log_sources(&self, events: &[Event]) -> Vec<RuleSource> {
        tocsin_detect::log_sources(&self.rules, events)
    }

    /// Why a rule, by id or name, does or does not match an event; `None` when there is no such rule.
    pub fn explain(&self, rule: &str, event: &Event) -> Option<Explanation> {
        tocsin_detect::explain(&self.rules, rule, event)
    }

    /// Compiles some rule files with the tables of this content.
    pub fn compile_rules(&self, files: &[PackFile]) -> (RuleSet, Vec<Diagnostic>) {
        tocsin_detect::load(files, &self.tables, &self.options)
    }

    /// Runs the tests in some rule files; `read` parses a line with the named source.
    pub fn run_tests(
        &self,
        files: &[PackFile],
        read: &mut dyn FnMut(Option<&str>, &str) -> Result<Event, String>,
    ) -> Vec<TestResult> {
        tocsin_detect::run_tests(files, &self.tables, &self.options, read)
    }

    /// The longest cooldown of any rule, or the default when that is longer.
    pub fn longest_cooldown(&self, default: Duration) -> Duration {
        let of_rules = self.rules.rules().iter().filter_map(|rule| rule.cooldown);
        of_rules.max().unwrap_or(default).max(default)
    }
}

/// Content as it was read, before anything is made of it.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) packs: Vec<Pack>,
    /// Rule files that are in no pack.
    pub(crate) loose: Vec<PackFile>,
    /// What could not be read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Files {
    /// Reads what the configuration names.
    pub(crate) fn read(content: &ContentConfig, rules: &Rules) -> Self {
        let (packs, mut diagnostics) = read_packs(content);
        let paths = match rules {
            Rules::Only(paths) => paths,
            Rules::Shipped => &content.rules,
        };
        let (loose, found) = tocsin_content::read_rules(paths);
        diagnostics.extend(found);
        Self { packs, loose, diagnostics }
    }

    /// Every file, of packs and loose.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut PackFile> {
        self.packs.iter_mut().flat_map(|pack| &mut pack.files).chain(&mut self.loose)
    }
}

fn read_packs(content: &ContentConfig) -> (Vec<Pack>, Vec<Diagnostic>) {
    let mut packs = if content.builtin { tocsin_content::builtin_packs() } else { Vec::new() };
    let mut diagnostics = Vec::new();
    for root in &content.packs {
        let (own, found) = tocsin_content::read_dir(root);
        diagnostics.extend(found);
        for pack in own {
            // A user's pack with the name of a built-in one stands in its place.
            packs.retain(|known| known.name != pack.name);
            packs.push(pack);
        }
    }
    (packs, diagnostics)
}

/// The services that packs of one's own bring, beside those of the binary.
pub(crate) fn services(content: &ContentConfig) -> Services {
    let packs: Vec<Pack> =
        content.packs.iter().flat_map(|root| tocsin_content::read_dir(root).0).collect();
    Services::load(&packs).0
}

fn options_of(detect: &DetectConfig, route: bool) -> tocsin_detect::Options {
    let mut options = tocsin_detect::Options {
        route,
        placeholders: detect.placeholders.clone().into_iter().collect(),
        lateness: Duration::from_secs(detect.lateness_seconds),
        ..tocsin_detect::Options::default()
    };
    options.limits.groups_max = detect.groups_max;
    options.limits.state_bytes_max = detect.state_bytes_max;
    options
}

fn zone(detect: &DetectConfig, diagnostics: &mut Vec<Diagnostic>) -> TimeZone {
    let Some(name) = &detect.zone else { return TimeZone::system() };
    TimeZone::get(name).unwrap_or_else(|error| {
        diagnostics.push(Diagnostic::error("detect.zone", 0, 0, error.to_string()));
        TimeZone::system()
    })
}
