//! Loading: documents of all files in; a [`Compiled`] rule set and diagnostics out. Here rules
//! meet each other (filters, correlations) and the tables (log sources, fields).

pub(crate) mod arena;
mod background;
pub(crate) mod class;
mod cover;
mod feed;
pub(crate) mod leaf;
pub(crate) mod link;
mod scan;
pub(crate) mod slots;

use std::collections::HashMap;
use std::sync::Arc;

use tocsin_content::yaml::Place;
use tocsin_content::{Diagnostic, PackFile};
use tocsin_model::RuleMeta;

use crate::cost::Meter;
use crate::options::Options;
use crate::rule::condition::Condition;
use crate::rule::{
    CorrelationDoc, Detection, Document, FilterDoc, FilterTarget, LogSource, RuleDoc, document,
};
use crate::tables::Tables;
pub(crate) use arena::Node;
use arena::{Arena, Builder, NodeId};
use background::Background;
use class::{Class, Target};
use cover::Coverer;
use link::Correlation;
use slots::Slots;

/// Everything compiled.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    /// All rules, in load order.
    pub(crate) metas: Vec<Arc<RuleMeta>>,
    pub(crate) by_name: HashMap<String, usize>,
    pub(crate) rules: Vec<Rule>,
    /// Inner ones before those that refer to them.
    pub(crate) correlations: Vec<Correlation>,
    pub(crate) arena: Arena,
    pub(crate) slots: Slots,
    /// Rules by log source.
    pub(crate) classes: Vec<Class>,
    /// Which classes an event is of; `None` when every event is of all.
    pub(crate) router: Option<Class>,
    /// Log source of each class.
    pub(crate) sources: Vec<LogSource>,
    /// Node of each log source, for explanations; `None` for every event.
    pub(crate) source_nodes: Vec<Option<NodeId>>,
    /// What each of `metas` costs.
    pub(crate) meter: Meter,
}

/// A detection rule, compiled.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) meta: Arc<RuleMeta>,
    pub(crate) node: NodeId,
    /// Place of its log source.
    pub(crate) class: usize,
    /// Its searches and those of its filters.
    pub(crate) parts: Vec<RulePart>,
    /// Whether it alerts by itself.
    pub(crate) emits: bool,
    /// Correlations that it feeds.
    pub(crate) feeds: Vec<link::RuleFeed>,
    /// Changes when anything about how it matches does.
    pub(crate) fingerprint: u64,
}

/// Searches and conditions of a rule, or of a filter on it.
#[derive(Debug)]
pub(crate) struct RulePart {
    /// Empty for the rule itself, else the filter's title.
    pub(crate) filter: String,
    pub(crate) searches: Vec<(String, NodeId)>,
    pub(crate) conditions: Vec<Condition>,
}

/// Parses and compiles rule files.
pub(crate) fn load(
    files: &[PackFile],
    tables: &Tables,
    options: &Options,
) -> (Compiled, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut loader = Loader::new(tables);
    for file in files {
        for document in document::parse_file(file, &options.placeholders, &mut diagnostics) {
            loader.sort(document, &mut diagnostics);
        }
    }
    let compiled = loader.compile(options, &mut diagnostics);
    (compiled, diagnostics)
}

/// What has been read so far.
struct Loader {
    rules: Vec<RuleDoc>,
    correlations: Vec<CorrelationDoc>,
    filters: Vec<FilterDoc>,
    /// Ids and names, with the file and line that has them.
    taken: HashMap<String, String>,
    builder: Builder,
}

impl Loader {
    fn new(tables: &Tables) -> Self {
        Self {
            rules: Vec::new(),
            correlations: Vec::new(),
            filters: Vec::new(),
            taken: HashMap::new(),
            builder: Builder::new(tables),
        }
    }

    fn sort(&mut self, document: Document, diagnostics: &mut Vec<Diagnostic>) {
        let (meta, place) = match &document {
            Document::Rule(rule) => (&rule.meta, rule.place),
            Document::Correlation(correlation) => (&correlation.meta, correlation.place),
            Document::Filter(filter) => return self.filters.push((**filter).clone()),
        };
        for key in std::iter::once(&meta.id).chain(&meta.name) {
            if let Some(first) = self.taken.get(key) {
                let message = format!("{key:?} is already the id or name of the rule at {first}");
                return diagnostics.push(error(meta, place, message));
            }
        }
        let at = format!("{}:{}", meta.path, place.line);
        for key in std::iter::once(&meta.id).chain(&meta.name) {
            self.taken.insert(key.clone(), at.clone());
        }
        match document {
            Document::Rule(rule) => self.rules.push(*rule),
            Document::Correlation(correlation) => self.correlations.push(*correlation),
            Document::Filter(_) => {}
        }
    }

    fn compile(mut self, options: &Options, diagnostics: &mut Vec<Diagnostic>) -> Compiled {
        let targets = self.filter_targets(diagnostics);
        let docs = std::mem::take(&mut self.rules);
        let mut rules = Vec::with_capacity(docs.len());
        let mut classes = Classes::default();
        for doc in &docs {
            if let Some(rule) = self.rule(doc, &targets, &mut classes, diagnostics) {
                rules.push(rule);
            }
        }
        let correlations = link::link(
            std::mem::take(&mut self.correlations),
            &mut rules,
            &classes.sources,
            &mut self.builder,
            options,
            diagnostics,
        );
        self.index(rules, correlations, classes, options)
    }

    /// Rules by id or name that each filter names; wrong names refuse the filter.
    fn filter_targets(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Vec<FilterDoc> {
        let filters = std::mem::take(&mut self.filters);
        let known = |name: &str| {
            self.rules
                .iter()
                .any(|rule| rule.meta.id == name || rule.meta.name.as_deref() == Some(name))
        };
        for filter in &filters {
            let FilterTarget::Rules(names) = &filter.target else { continue };
            for (name, place) in names.iter().filter(|(name, _)| !known(name)) {
                let message = format!("filter names rule {name:?}, which is not loaded");
                let (line, column) = (place.line, place.column);
                diagnostics.push(Diagnostic::warning(&filter.path, line, column, message));
            }
        }
        filters
    }

    fn rule(
        &mut self,
        doc: &RuleDoc,
        filters: &[FilterDoc],
        classes: &mut Classes,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Rule> {
        let applying: Vec<&FilterDoc> =
            filters.iter().filter(|filter| applies(filter, doc)).collect();
        let first_leaf = self.builder.arena.leaves.len();
        let own = self.part(String::new(), &doc.detection, &doc.log_source);
        let mut parts = vec![own];
        for filter in &applying {
            parts.push(self.part(filter.title.clone(), &filter.detection, &doc.log_source));
        }
        for leaf in &self.builder.arena.leaves[first_leaf..] {
            if let Err(message) = leaf.check() {
                diagnostics.push(error(&doc.meta, doc.place, message));
                return None;
            }
        }
        let nodes: Vec<NodeId> = parts.iter().map(|(_, node)| *node).collect();
        let node = self.builder.and(nodes);
        let mut fingerprint = link::Fingerprint::new();
        fingerprint.add(&(&doc.log_source, &doc.detection));
        for filter in &applying {
            fingerprint.add(&filter.detection);
        }
        Some(Rule {
            meta: Arc::clone(&doc.meta),
            node,
            class: classes.place(&doc.log_source),
            parts: parts.into_iter().map(|(part, _)| part).collect(),
            emits: true,
            feeds: Vec::new(),
            fingerprint: fingerprint.value(),
        })
    }

    fn part(
        &mut self,
        filter: String,
        detection: &Detection,
        source: &LogSource,
    ) -> (RulePart, NodeId) {
        let builder = &mut self.builder;
        let searches: Vec<(String, NodeId)> = detection
            .searches
            .iter()
            .map(|(name, search)| (name.clone(), builder.search(search, source)))
            .collect();
        let nodes: Vec<NodeId> = searches.iter().map(|(_, node)| *node).collect();
        let any = detection.conditions.iter();
        let any = any.map(|condition| builder.condition(condition, &nodes)).collect();
        let node = builder.or(any);
        (RulePart { filter, searches, conditions: detection.conditions.clone() }, node)
    }

    fn index(
        mut self,
        rules: Vec<Rule>,
        correlations: Vec<Correlation>,
        classes: Classes,
        options: &Options,
    ) -> Compiled {
        let source_nodes: Vec<Option<NodeId>> = classes
            .sources
            .iter()
            .map(|source| {
                let search = self.builder.tables.search(source)?;
                Some(self.builder.search(&search, &LogSource::default()))
            })
            .collect();
        let Builder { arena, slots, .. } = self.builder;
        let background = Background::shared();
        let mut coverer = Coverer::new(&arena, background);
        let mut grouped: Vec<Vec<Target>> = vec![Vec::new(); classes.sources.len().max(1)];
        for (number, rule) in rules.iter().enumerate() {
            let class = if options.route { rule.class } else { 0 };
            grouped[class].push(Target { node: rule.node, number: number as u32 });
        }
        let mut make = |targets| Class::new(targets, &arena, &mut coverer, background);
        let mut compiled_classes: Vec<Class> = grouped.into_iter().map(&mut make).collect();
        let mut router = options.route.then(|| make(routes(&source_nodes)));
        let mut number = 0;
        for class in compiled_classes.iter_mut().chain(&mut router) {
            number = class.number_indexes(number);
        }
        let mut metas: Vec<Arc<RuleMeta>> =
            rules.iter().map(|rule| Arc::clone(&rule.meta)).collect();
        metas.extend(correlations.iter().map(|correlation| Arc::clone(&correlation.meta)));
        let mut by_name = HashMap::new();
        for (place, meta) in metas.iter().enumerate() {
            by_name.insert(meta.id.clone(), place);
            by_name.extend(meta.name.clone().map(|name| (name, place)));
        }
        Compiled {
            meter: Meter::of(metas.len()),
            metas,
            by_name,
            rules,
            correlations,
            arena,
            slots,
            classes: compiled_classes,
            router,
            sources: classes.sources,
            source_nodes,
        }
    }
}

/// The log sources as targets of the router; those without a condition are always looked at.
fn routes(nodes: &[Option<NodeId>]) -> Vec<Target> {
    let numbered = nodes.iter().enumerate();
    numbered.filter_map(|(at, node)| Some(Target { node: (*node)?, number: at as u32 })).collect()
}

/// Whether a filter is meant for a rule: by log source, and by name unless it is for any.
fn applies(filter: &FilterDoc, rule: &RuleDoc) -> bool {
    let named = match &filter.target {
        FilterTarget::Any => true,
        FilterTarget::Rules(names) => names
            .iter()
            .any(|(name, _)| rule.meta.id == *name || rule.meta.name.as_ref() == Some(name)),
    };
    named && filter.log_source.contains(&rule.log_source)
}

/// An error about a rule.
pub(crate) fn error(meta: &RuleMeta, place: Place, message: String) -> Diagnostic {
    Diagnostic::error(&meta.path, place.line, place.column, message)
}

/// Log sources as they come up.
#[derive(Default)]
struct Classes {
    sources: Vec<LogSource>,
    places: HashMap<LogSource, usize>,
}

impl Classes {
    fn place(&mut self, source: &LogSource) -> usize {
        if let Some(place) = self.places.get(source) {
            return *place;
        }
        let place = self.sources.len();
        self.sources.push(source.clone());
        self.places.insert(source.clone(), place);
        place
    }
}
