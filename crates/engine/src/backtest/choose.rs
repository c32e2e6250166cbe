//! Which rules a backtest runs: those asked for, and those that they are built on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tocsin_content::{Diagnostic, FileKind, Level, Node, PackFile, yaml};
use tocsin_detect::{Options, RuleSet};
use tocsin_model::{Finding, RuleMeta, Timestamp};

use crate::content::Content;
use crate::exceptions::Exceptions;

/// Which rules are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Every rule there is.
    All,
    /// The rule of this id, name or title.
    Named(String),
    /// The rules of these ids.
    Several(Vec<String>),
    /// All rules of this text, which is YAML.
    Text(String),
}

/// Rules to run, and those of them that are reported.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// What runs.
    pub(super) rules: RuleSet,
    /// How.
    pub(super) options: Options,
    /// Ids of what is reported; `None` is everything.
    wanted: Option<BTreeSet<String>>,
    /// What is wrong with the rules asked for.
    pub diagnostics: Vec<Diagnostic>,
    /// What nobody would be told of, and as of when.
    exceptions: Option<(Arc<Exceptions>, Timestamp)>,
}

impl Chosen {
    /// Leaves out what these exceptions hide at a time; it is counted.
    #[must_use]
    pub fn but_for(mut self, exceptions: Arc<Exceptions>, time: Timestamp) -> Self {
        self.exceptions = Some((exceptions, time));
        self
    }

    /// The exception that hides a finding.
    pub(super) fn hides(&self, finding: &Finding) -> Option<u64> {
        let (exceptions, time) = self.exceptions.as_ref()?;
        exceptions.hides_at(finding, *time)
    }

    /// Whether it is every rule there is.
    pub(super) fn is_everything(&self) -> bool {
        self.wanted.is_none()
    }

    /// Whether the findings of a rule are reported.
    pub(super) fn is_wanted(&self, rule: &RuleMeta) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.contains(&rule.id))
    }
}

/// Path of rules that are given as text, for people.
pub const TEXT_PATH: &str = "the rule";

/// Chooses rules.
///
/// # Errors
/// When there is no such rule (with the nearest name), or when it is refused.
pub fn choose(content: &Content, which: &Which) -> Result<Chosen, String> {
    let options = content.options.clone();
    match which {
        Which::All => Ok(Chosen {
            rules: content.rules.clone(),
            options,
            wanted: None,
            diagnostics: vec![],
            exceptions: None,
        }),
        Which::Named(name) => {
            let meta = find(content, name)?;
            let documents = documents(&content.rule_files);
            let start = documents.iter().position(|document| document.is(&meta));
            let Some(start) = start else {
                return Err(format!("the file of rule {name:?} cannot be found"));
            };
            let closure = closure(&documents, vec![start]);
            of_files(content, &closure, |rule| {
                rule.id == meta.id || (rule.title == meta.title && rule.path == meta.path)
            })
        }
        Which::Several(ids) => {
            let documents = documents(&content.rule_files);
            let known = ids.iter().filter_map(|id| content.rules.get(id));
            let starts = known.filter_map(|meta| documents.iter().position(|one| one.is(&meta)));
            let closure = closure(&documents, starts.collect());
            of_files(content, &closure, |rule| ids.contains(&rule.id))
        }
        Which::Text(text) => {
            of_files(content, &of_text(content, text), |rule| rule.path == TEXT_PATH)
        }
    }
}

/// The documents that a rule given as text is made of: its own, those that it refers to, filters.
pub fn of_text(content: &Content, text: &str) -> Vec<PackFile> {
    let file = PackFile {
        kind: FileKind::Rule,
        path: TEXT_PATH.to_owned(),
        inner: TEXT_PATH.to_owned(),
        bytes: text.as_bytes().to_vec(),
        built_in: false,
    };
    let mut files = vec![file];
    files.extend(content.rule_files.iter().cloned());
    let documents = documents(&files);
    let own = |at: &usize| documents[*at].file.path == TEXT_PATH;
    let starts: Vec<usize> = (0..documents.len()).filter(own).collect();
    closure(&documents, starts)
}

/// The text of a rule, and of those that it refers to.
pub fn text_of(content: &Content, meta: &RuleMeta) -> Vec<PackFile> {
    let documents = documents(&content.rule_files);
    let Some(start) = documents.iter().position(|document| document.is(meta)) else {
        return Vec::new();
    };
    let own = documents[start].file.clone();
    let rest = closure(&documents, vec![start]).into_iter();
    let rest = rest.filter(|file| file.bytes != own.bytes && !is_filter(file));
    std::iter::once(own.clone()).chain(rest).collect()
}

fn is_filter(file: &PackFile) -> bool {
    let nodes = yaml::parse(&file.text()).unwrap_or_default();
    nodes.first().is_some_and(|node| node.get("filter").is_some())
}

fn of_files(
    content: &Content,
    files: &[PackFile],
    wanted: impl Fn(&RuleMeta) -> bool,
) -> Result<Chosen, String> {
    let options = content.options.clone();
    let (rules, diagnostics) = tocsin_detect::load(files, &content.tables, &options);
    let ids: BTreeSet<String> =
        rules.rules().iter().filter(|rule| wanted(rule)).map(|rule| rule.id.clone()).collect();
    if ids.is_empty() {
        let mut reasons =
            diagnostics.iter().filter(|d| d.level == Level::Error).map(ToString::to_string);
        let none = || "there is no rule in it".to_owned();
        return Err(reasons.next().unwrap_or_else(none));
    }
    Ok(Chosen { rules, options, wanted: Some(ids), diagnostics, exceptions: None })
}

/// The rule of an id, name or title.
fn find(content: &Content, name: &str) -> Result<RuleMeta, String> {
    if let Some(meta) = content.rules.get(name) {
        return Ok((*meta).clone());
    }
    let rules = content.rules.rules();
    let by_title = rules.iter().find(|rule| rule.title.eq_ignore_ascii_case(name));
    let file = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    let by_file = rules.iter().find(|rule| {
        Path::new(&rule.path).file_stem().and_then(|stem| stem.to_str()) == Some(file)
    });
    if let Some(meta) = by_title.or(by_file) {
        return Ok((**meta).clone());
    }
    let names = rules.iter().flat_map(|rule| {
        rule.name.iter().map(String::as_str).chain([rule.id.as_str(), rule.title.as_str()])
    });
    let near = yaml::nearest(name, names);
    let near = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
    Err(format!("no rule has the id, name or title {name:?}{near} (tocsin rules list)"))
}

/// One YAML document of a rule file.
struct Document {
    file: PackFile,
    names: Vec<String>,
    title: String,
    refers_to: Vec<String>,
    /// Sigma filters change other rules.
    is_filter: bool,
}

impl Document {
    fn is(&self, meta: &RuleMeta) -> bool {
        self.names.contains(&meta.id) || (self.title == meta.title && self.file.path == meta.path)
    }
}

fn documents(files: &[PackFile]) -> Vec<Document> {
    let mut all = Vec::new();
    for file in files {
        let text = file.text();
        let mut part = String::new();
        for line in text.split_inclusive('\n').chain(["---"]) {
            if line.trim_end() != "---" {
                part.push_str(line);
                continue;
            }
            let bytes = std::mem::take(&mut part);
            // What cannot be read was refused when content was loaded.
            if let Ok(nodes) = yaml::parse(&bytes)
                && let Some(node) = nodes.first()
            {
                let file = PackFile { bytes: bytes.into_bytes(), ..file.clone() };
                all.push(document(file, node));
            }
        }
    }
    all
}

fn document(file: PackFile, node: &Node) -> Document {
    let text = |node: &Node, key: &str| {
        node.get(key).and_then(Node::as_text).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let names = ["id", "name"].iter().filter_map(|key| text(node, key)).collect();
    let rules_of = |key: &str| {
        let rules = node.get(key).and_then(|part| part.get("rules"));
        let list = rules.and_then(Node::as_seq).unwrap_or_default();
        list.iter().filter_map(Node::as_text).map(str::to_owned).collect::<Vec<_>>()
    };
    Document {
        names,
        title: text(node, "title").unwrap_or_default(),
        refers_to: rules_of("correlation"),
        is_filter: node.get("filter").is_some(),
        file,
    }
}

/// The documents that some start from, those that they refer to, and all filters.
fn closure(documents: &[Document], mut open: Vec<usize>) -> Vec<PackFile> {
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, document) in documents.iter().enumerate() {
        for name in &document.names {
            by_name.entry(name).or_insert(at);
        }
    }
    open.extend((0..documents.len()).filter(|at| documents[*at].is_filter));
    let mut taken = BTreeSet::new();
    while let Some(at) = open.pop() {
        if taken.insert(at) {
            let refers_to = documents[at].refers_to.iter();
            open.extend(refers_to.filter_map(|name| by_name.get(name.as_str()).copied()));
        }
    }
    taken.into_iter().map(|at| documents[at].file.clone()).collect()
}
