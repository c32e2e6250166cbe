//! [`Parser`]: all source definitions compiled, shared by the workers.

use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::AHashMap;
use tocsin_content::{Diagnostic, FileKind, Pack, PackFile, yaml};

use crate::Options;
use crate::envelope::Keys;
use crate::headers::Headers;
use crate::route::Router;
use crate::source::compile::compile;
use crate::source::definition::{DEFINITION_LINES_MAX, Definition};
use crate::source::plan::Plan;
use crate::worker::Worker;

/// The most sources.
const SOURCES_MAX: usize = 4096;

/// What people need to know about a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceMeta {
    /// Full name, `pack.source`, which is `event.dataset`.
    pub name: String,
    /// Pack it is in.
    pub pack: String,
    /// One line about it.
    pub about: String,
    /// Words that senders and configuration may use for it.
    pub hints: Vec<String>,
    /// Where its log usually is.
    pub paths: Vec<String>,
    /// What to switch on at the vendor.
    pub setup: String,
}

/// Everything that workers share.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub options: Options,
    pub sources: Vec<SourceMeta>,
    pub plans: Vec<Plan>,
    pub router: Router,
    pub keys: Keys,
    /// Columns that logs name themselves.
    pub headers: Headers,
    /// For each name and hint the sources it allows.
    pub hints: AHashMap<String, Hint>,
    /// The most variables of any plan.
    pub temps: usize,
}

/// What a name or hint allows.
#[derive(Debug)]
pub(crate) struct Hint {
    /// The name or hint itself.
    pub word: String,
    /// By source.
    pub allowed: Vec<bool>,
    /// The one source it names, which then needs no condition.
    pub named: Option<u16>,
}

/// All source definitions, compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Parser {
    compiled: Arc<Compiled>,
}

impl Default for Parser {
    /// One that knows no source.
    fn default() -> Self {
        Self::load(&[], Options::default()).0
    }
}

impl Parser {
    /// Compiles the source definitions of `packs`. A broken one is a diagnostic, the rest work.
    pub fn load(packs: &[Pack], options: Options) -> (Self, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut loader = Loader {
            sources: Vec::new(),
            plans: Vec::new(),
            router: Router::default(),
            diagnostics: &mut diagnostics,
        };
        for pack in packs {
            for file in pack.of_kind(FileKind::Source) {
                loader.file(pack, file);
            }
        }
        let (sources, plans, mut router) = (loader.sources, loader.plans, loader.router);
        router.finish();
        let hints = hints(&sources);
        let temps = plans.iter().map(|plan| plan.temps).max().unwrap_or(0);
        let keys = Keys::default();
        let compiled = Compiled {
            options,
            sources,
            plans,
            router,
            keys,
            headers: Headers::default(),
            hints,
            temps,
        };
        (Self { compiled: Arc::new(compiled) }, diagnostics)
    }

    /// The sources, by name.
    pub fn sources(&self) -> &[SourceMeta] {
        &self.compiled.sources
    }

    /// The first source with this full name or hint.
    pub fn source(&self, name_or_hint: &str) -> Option<&SourceMeta> {
        let known = &self.compiled.sources;
        known.iter().find(|source| source.name == name_or_hint).or_else(|| {
            known.iter().find(|source| source.hints.iter().any(|hint| hint == name_or_hint))
        })
    }

    /// Whether a record may ask for this source, or for the sources of this hint.
    pub fn knows(&self, name_or_hint: &str) -> bool {
        self.compiled.hints.contains_key(name_or_hint)
    }

    /// The hints of all sources.
    pub fn hints(&self) -> BTreeSet<&str> {
        self.compiled.sources.iter().flat_map(|source| &source.hints).map(String::as_str).collect()
    }

    /// The names of all fields that the sources write.
    pub fn fields(&self) -> BTreeSet<&'static str> {
        self.plans().iter().flat_map(crate::document::fields).collect()
    }

    /// The plans, in the order of [`Parser::sources`].
    pub(crate) fn plans(&self) -> &[Plan] {
        &self.compiled.plans
    }

    /// A worker for one thread.
    pub fn worker(&self) -> Worker {
        Worker::new(Arc::clone(&self.compiled))
    }
}

struct Loader<'d> {
    sources: Vec<SourceMeta>,
    plans: Vec<Plan>,
    router: Router,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Loader<'_> {
    fn file(&mut self, pack: &Pack, file: &PackFile) {
        let text = file.text();
        let lines = text.lines().count();
        if lines > DEFINITION_LINES_MAX {
            let message =
                format!("{lines} lines, at most {DEFINITION_LINES_MAX}: split the source");
            self.diagnostics.push(Diagnostic::error(&file.path, 0, 0, message));
            return;
        }
        let decoded = yaml::parse(&text).and_then(|mut documents| {
            let root = if documents.is_empty() { None } else { Some(documents.remove(0)) };
            let root = root.ok_or_else(|| yaml::YamlError {
                place: yaml::Place::default(),
                message: "no source definition".to_owned(),
            })?;
            let definition: Definition = root.decode()?;
            Ok((definition, root))
        });
        match decoded {
            Ok((definition, root)) => self.source(pack, file, definition, &root),
            Err(error) => self.diagnostics.push(error.at(&file.path)),
        }
    }

    fn source(&mut self, pack: &Pack, file: &PackFile, definition: Definition, root: &yaml::Node) {
        let name = file.inner.split('/').nth(1).unwrap_or("");
        let full = format!("{}.{name}", pack.name);
        if self.sources.len() >= SOURCES_MAX || self.sources.iter().any(|known| known.name == full)
        {
            let message = format!("source {full} is defined twice, or over {SOURCES_MAX} sources");
            self.diagnostics.push(Diagnostic::error(&file.path, 0, 0, message));
            return;
        }
        let plan = compile(&pack.name, name, &file.path, &definition, root, self.diagnostics);
        let number = self.plans.len() as u16;
        self.router.add(number, &definition, &file.path, self.diagnostics);
        self.plans.push(plan);
        self.sources.push(SourceMeta {
            name: full,
            pack: pack.name.clone(),
            about: definition.about,
            hints: definition.hints,
            paths: definition.paths,
            setup: definition.setup,
        });
    }
}

fn hints(sources: &[SourceMeta]) -> AHashMap<String, Hint> {
    let mut hints: AHashMap<String, Hint> = AHashMap::new();
    let none = |word: &str| Hint {
        word: word.to_owned(),
        allowed: vec![false; sources.len()],
        named: None,
    };
    for (number, source) in sources.iter().enumerate() {
        for word in &source.hints {
            hints.entry(word.clone()).or_insert_with(|| none(word)).allowed[number] = true;
        }
    }
    for (number, source) in sources.iter().enumerate() {
        let mut named = none(&source.name);
        named.allowed[number] = true;
        named.named = Some(number as u16);
        hints.insert(source.name.clone(), named);
    }
    hints
}
