//! [`Parser`]: all source definitions compiled, shared by the workers.

use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::AHashMap;
use tocsin_content::{Diagnostic, FileKind, Pack, PackFile, yaml};

use crate::Options;
use crate::envelope::Keys;
use crate::headers::{Headers, Named, NamedColumns};
use crate::route::Router;
use crate::source::compile::compile;
use crate::source::definition::{DEFINITION_LINES_MAX, Definition};
use crate::source::lazy::LazyPlan;
use crate::source::plan::Plan;
use crate::worker::Worker;

/// The most sources.
const SOURCES_MAX: usize = 4096;
/// Fewer files than this are not worth another thread.
const FILES_PER_THREAD_MIN: usize = 16;

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
    pub plans: Vec<LazyPlan>,
    pub router: Router,
    pub keys: Keys,
    /// Columns that logs name themselves.
    pub headers: Headers,
    /// Which records may name them.
    pub named: Named,
    /// For each name and hint the sources it allows.
    pub hints: AHashMap<String, Hint>,
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
            named: Named::default(),
            router: Router::default(),
            diagnostics: &mut diagnostics,
        };
        let files: Vec<(&Pack, &PackFile)> = packs
            .iter()
            .flat_map(|pack| pack.of_kind(FileKind::Source).map(move |file| (pack, file)))
            .collect();
        for ((pack, file), decoded) in files.iter().zip(decode_all(&files)) {
            match decoded {
                Ok((definition, root)) => loader.source(pack, file, definition, &root),
                Err(diagnostic) => loader.diagnostics.push(diagnostic),
            }
        }
        let Loader { sources, plans, named, mut router, .. } = loader;
        router.finish();
        let hints = hints(&sources);
        let keys = Keys::default();
        let compiled = Compiled {
            options,
            sources,
            plans,
            router,
            keys,
            headers: Headers::default(),
            named,
            hints,
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
        self.plans().flat_map(crate::document::fields).collect()
    }

    /// Whether a record may name the columns of those after it in the same log. What such a
    /// record says must be known before the next one is parsed: threads that share this parser
    /// wait for it.
    pub fn names_columns(&self, record: &[u8]) -> bool {
        self.compiled.named.in_record(record)
    }

    /// The columns that logs have named so far, for [`Parser::know_columns`] of another parser.
    pub fn columns(&self) -> Vec<NamedColumns> {
        let name = |number: u16| Some(self.sources().get(usize::from(number))?.name.clone());
        self.compiled.headers.known(name)
    }

    /// Takes over what logs have named before, as at a restart in the middle of a log. Sources
    /// that are no more are left out.
    pub fn know_columns(&self, named: &[NamedColumns]) {
        for log in named {
            let place = self.sources().iter().position(|source| source.name == log.source);
            if let Some(number) = place {
                let columns = log.columns.iter().cloned().collect();
                self.compiled.headers.remember(number as u16, &log.path, columns);
            }
        }
    }

    /// The plans, in the order of [`Parser::sources`].
    pub(crate) fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.compiled.plans.iter().map(LazyPlan::get)
    }

    /// A worker for one thread.
    pub fn worker(&self) -> Worker {
        Worker::new(Arc::clone(&self.compiled))
    }

    /// The parser that a worker is of.
    pub(crate) fn of(compiled: &Arc<Compiled>) -> Self {
        Self { compiled: Arc::clone(compiled) }
    }
}

/// A source's file as read, or what is wrong with it.
type Decoded = Result<(Definition, yaml::Node), Diagnostic>;

/// Reads the files of sources, on all cores when there are many: a program that looks at a few
/// lines spends most of its time here.
fn decode_all(files: &[(&Pack, &PackFile)]) -> Vec<Decoded> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(threads).max(FILES_PER_THREAD_MIN);
    let decode_share = |share: &[(&Pack, &PackFile)]| -> Vec<Decoded> {
        share.iter().map(|(_, file)| decode(file)).collect()
    };
    std::thread::scope(|scope| {
        let mut shares = files.chunks(share);
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> =
            shares.map(|share| (share, scope.spawn(move || decode_share(share)))).collect();
        let mut all = decode_share(own);
        for (share, other) in others {
            // What panicked there does so here.
            all.extend(other.join().unwrap_or_else(|_| decode_share(share)));
        }
        all
    })
}

fn decode(file: &PackFile) -> Decoded {
    let text = file.text();
    let lines = text.lines().count();
    if lines > DEFINITION_LINES_MAX {
        let message = format!("{lines} lines, at most {DEFINITION_LINES_MAX}: split the source");
        return Err(Diagnostic::error(&file.path, 0, 0, message));
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
    decoded.map_err(|error| error.at(&file.path))
}

struct Loader<'d> {
    sources: Vec<SourceMeta>,
    plans: Vec<LazyPlan>,
    named: Named,
    router: Router,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Loader<'_> {
    fn source(
        &mut self,
        pack: &Pack,
        file: &PackFile,
        mut definition: Definition,
        root: &yaml::Node,
    ) {
        let name = file.inner.split('/').nth(1).unwrap_or("");
        let full = format!("{}.{name}", pack.name);
        if self.sources.len() >= SOURCES_MAX || self.sources.iter().any(|known| known.name == full)
        {
            let message = format!("source {full} is defined twice, or over {SOURCES_MAX} sources");
            self.diagnostics.push(Diagnostic::error(&file.path, 0, 0, message));
            return;
        }
        let number = self.plans.len() as u16;
        self.router.add(number, &definition, &file.path, self.diagnostics);
        self.named.add(&definition);
        self.sources.push(SourceMeta {
            name: full,
            pack: pack.name.clone(),
            about: std::mem::take(&mut definition.about),
            hints: std::mem::take(&mut definition.hints),
            paths: std::mem::take(&mut definition.paths),
            setup: std::mem::take(&mut definition.setup),
        });
        self.plans.push(if file.built_in {
            LazyPlan::later(&pack.name, name, &file.path, definition)
        } else {
            let path = &file.path;
            LazyPlan::now(compile(&pack.name, name, path, &definition, root, self.diagnostics))
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
