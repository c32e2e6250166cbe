//! Which source reads a body: conditions of all sources, found by program, first byte or JSON
//! key, tried in one fixed order, so that the answer never depends on what came before.

mod words;

use std::ops::Range;
use std::sync::OnceLock;

use ahash::AHashMap;
use memchr::memmem::Finder;
use tocsin_content::Diagnostic;
use tocsin_model::{Event, FieldId};

use crate::flatten::Flattener;
use crate::grok::{Bytes, Memory, Node, Outcome, Pattern, Slots, Together, Verdict};
use crate::parser::Hint;
use crate::source::compile::tests;
use crate::source::definition::{Definition, Match, Rest};
use crate::source::plan::Test;
use crate::source::run::holds;
use words::Words;

/// A condition on JSON keys: any of the fields holds any of the values.
type JsonTest = (Vec<FieldId>, Vec<Test>);

/// One `match` entry of one source.
#[derive(Debug)]
pub(crate) struct Route {
    pub source: u16,
    order: u32,
    programs: Vec<String>,
    prefixes: Vec<String>,
    contains: Vec<Finder<'static>>,
    lines: Vec<Pattern>,
    /// The texts of `lines`.
    texts: Vec<String>,
    json: Vec<JsonTest>,
    paths: Vec<Test>,
    hints: Vec<String>,
    framed: Option<bool>,
    /// Only when one of the source's messages fits.
    pub fits: bool,
    rest_of: Option<Rest>,
    /// Found by words anywhere in the body, which whoever is logged there may send.
    loose: bool,
}

/// What a record looks like to the router.
#[derive(Clone, Copy)]
pub(crate) struct Look<'l> {
    pub program: Option<&'l str>,
    pub tag: Option<&'l str>,
    pub body: &'l str,
    pub framed: bool,
    pub path: &'l str,
    /// What the sender or the configuration says it is; `None` allows all sources.
    pub hint: Option<&'l Hint>,
}

/// The routes for texts that begin with one byte.
#[derive(Debug, Default)]
struct First {
    routes: Vec<u16>,
    /// Their lines and prefixes as one; made when the first such text comes.
    together: OnceLock<Option<Beginnings>>,
}

/// Lines and prefixes of routes as one.
#[derive(Debug)]
struct Beginnings {
    together: Together,
    /// For each of the routes the numbers of its patterns; none when it has none.
    patterns: Vec<Range<usize>>,
}

/// A route that a text may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    pub number: u16,
    /// Whether the text has the beginning that the route asks for.
    begun: bool,
}

/// What one thread keeps for finding routes, by first byte.
#[derive(Debug, Default)]
pub(crate) struct Memories(Vec<Option<Box<Memory>>>);

/// All routes, compiled.
#[derive(Debug, Default)]
pub(crate) struct Router {
    routes: Vec<Route>,
    by_program: AHashMap<String, Vec<u16>>,
    program_globs: Vec<(Test, u16)>,
    by_first: Vec<First>,
    /// For each field, by its number, the routes that want it and of which it is the key that
    /// fewest others want.
    by_key: Vec<Vec<u16>>,
    rest_json: Vec<u16>,
    rest_syslog: Vec<u16>,
    /// Those found by words anywhere.
    loose: Vec<u16>,
    /// Their words as one; made when the first text comes.
    words: OnceLock<Option<Words>>,
}

impl Router {
    /// Compiles the conditions of one source.
    pub(crate) fn add(
        &mut self,
        source: u16,
        definition: &Definition,
        path: &str,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        for entry in &definition.matches {
            match route(source, definition.order, entry) {
                Ok(route) => self.routes.push(route),
                Err(message) => diagnostics.push(Diagnostic::error(path, 0, 0, message)),
            }
        }
    }

    /// Orders and indexes the routes; to be called once all are added.
    pub(crate) fn finish(&mut self) {
        self.routes.sort_by_key(|route| (route.order, route.source));
        self.by_first.resize_with(256, First::default);
        let mut keyed = Vec::new();
        for (number, route) in self.routes.iter().enumerate() {
            let number = number as u16;
            match route.rest_of {
                Some(Rest::Json) => self.rest_json.push(number),
                Some(Rest::Syslog) => self.rest_syslog.push(number),
                None if !route.json.is_empty() => keyed.push(number),
                None if !route.programs.is_empty() => {
                    for program in &route.programs {
                        if program.contains('*') {
                            self.program_globs.push((Test::of_text(program), number));
                        } else {
                            self.by_program.entry(program.clone()).or_default().push(number);
                        }
                    }
                }
                None if route.loose => self.loose.push(number),
                None => {
                    let first = first_bytes(route);
                    for byte in (0..=255u8).filter(|byte| first.has(*byte)) {
                        self.by_first[usize::from(byte)].routes.push(number);
                    }
                }
            }
        }
        self.index_keys(&keyed);
    }

    /// Whether a source asks for this program.
    pub(crate) fn knows_program(&self, program: &str) -> bool {
        self.by_program.contains_key(program)
            || self.program_globs.iter().any(|(glob, _)| glob.text(program))
    }

    /// The routes that a text may take, best first.
    pub(crate) fn candidates(
        &self,
        look: &Look<'_>,
        memories: &mut Memories,
        found: &mut Vec<Candidate>,
    ) {
        found.clear();
        let whole = |number: &u16| Candidate { number: *number, begun: false };
        let by_name = |name: Option<&str>| name.and_then(|name| self.by_program.get(name));
        if let Some(numbers) = by_name(look.program) {
            found.extend(numbers.iter().map(whole));
        }
        if look.tag != look.program
            && let Some(numbers) = by_name(look.tag)
        {
            found.extend(numbers.iter().map(whole));
        }
        if let Some(tag) = look.tag {
            let globs = self.program_globs.iter().filter(|(glob, _)| glob.text(tag));
            found.extend(globs.map(|(_, number)| whole(number)));
        }
        // What a known program says is its own, whatever words its clients put into it.
        let named = !found.is_empty() && look.hint.is_none();
        if !named && self.may_be_loose(look.body) {
            found.extend(self.loose.iter().map(whole));
        }
        self.by_beginning(look, memories, |candidate| found.push(candidate));
        found.sort_unstable();
        found.dedup();
    }

    /// Whether the text may hold a word of a route that is told by words anywhere.
    fn may_be_loose(&self, body: &str) -> bool {
        let words = self.words.get_or_init(|| {
            let routes = self.loose.iter().filter_map(|at| self.routes.get(usize::from(*at)));
            Words::of(routes.flat_map(|route| &route.contains).map(Finder::needle))
        });
        words.as_ref().is_none_or(|words| words.any_in(body))
    }

    /// Calls `each` with the routes whose lines or prefixes the text may have.
    fn by_beginning(
        &self,
        look: &Look<'_>,
        memories: &mut Memories,
        mut each: impl FnMut(Candidate),
    ) {
        let Some(byte) = look.body.as_bytes().first().map(|byte| usize::from(*byte)) else {
            return;
        };
        let first = &self.by_first[byte];
        let beginnings = first.together.get_or_init(|| self.beginnings(&first.routes));
        let Some(Beginnings { together, patterns }) = beginnings else {
            first
                .routes
                .iter()
                .for_each(|number| each(Candidate { number: *number, begun: false }));
            return;
        };
        memories.0.resize_with(memories.0.len().max(byte + 1), || None);
        let verdict = together.ask(&mut memories.0[byte], look.body);
        for (number, patterns) in first.routes.iter().zip(patterns) {
            let best = patterns.clone().map(&verdict).max().unwrap_or(Verdict::Maybe);
            if best > Verdict::No {
                each(Candidate { number: *number, begun: best == Verdict::Yes });
            }
        }
    }

    /// Puts the lines of routes together, or their prefixes where they have no lines.
    fn beginnings(&self, numbers: &[u16]) -> Option<Beginnings> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut patterns = Vec::new();
        for route in numbers.iter().filter_map(|number| self.routes.get(usize::from(*number))) {
            let start = nodes.len();
            for text in &route.texts {
                nodes.push(Pattern::parse(text)?);
            }
            if route.texts.is_empty() {
                nodes.extend(route.prefixes.iter().map(|prefix| Node::starts_with(prefix)));
            }
            patterns.push(start..nodes.len());
        }
        Some(Beginnings { together: Together::of(&nodes)?, patterns })
    }

    /// Whether a text takes a route.
    pub(crate) fn takes(
        &self,
        candidate: Candidate,
        look: &Look<'_>,
        slots: &mut Slots,
    ) -> Option<&Route> {
        let route = self.routes.get(usize::from(candidate.number))?;
        let mut lines =
            || route.lines.iter().any(|line| line.matches(look.body, slots) == Outcome::Fits);
        let begun_so = candidate.begun && route.lines.is_empty();
        let fits = self.allows(route, look)
            && (route.prefixes.is_empty()
                || begun_so
                || route.prefixes.iter().any(|prefix| look.body.starts_with(prefix.as_str())))
            && (route.contains.is_empty()
                || route.contains.iter().any(|part| part.find(look.body.as_bytes()).is_some()))
            && (route.lines.is_empty() || candidate.begun || lines());
        fits.then_some(route)
    }

    fn allows(&self, route: &Route, look: &Look<'_>) -> bool {
        look.hint.is_none_or(|hint| hint.allowed.get(usize::from(route.source)) == Some(&true))
            && route.framed.is_none_or(|framed| framed == look.framed)
            && (route.hints.is_empty()
                || look.hint.is_some_and(|hint| route.hints.contains(&hint.word)))
            && (route.paths.is_empty() || route.paths.iter().any(|path| path.text(look.path)))
    }

    /// Indexes routes by the rarest of their keys.
    fn index_keys(&mut self, keyed: &[u16]) {
        let mut uses: AHashMap<FieldId, usize> = AHashMap::new();
        for (fields, _) in keyed.iter().flat_map(|at| &self.routes[usize::from(*at)].json) {
            fields.iter().for_each(|id| *uses.entry(*id).or_default() += 1);
        }
        for number in keyed {
            let route = &mut self.routes[usize::from(*number)];
            let used = |(fields, _): &JsonTest| fields.iter().map(|id| uses[id]).sum::<usize>();
            route.json.sort_by_key(used);
            for id in route.json.iter().take(1).flat_map(|(fields, _)| fields) {
                if self.by_key.len() <= id.index() {
                    self.by_key.resize_with(id.index() + 1, Vec::new);
                }
                self.by_key[id.index()].push(*number);
            }
        }
    }

    /// The first source whose keys the JSON object just flattened has.
    pub(crate) fn by_keys(
        &self,
        names: &Flattener,
        event: &Event,
        look: &Look<'_>,
        found: &mut Vec<Candidate>,
    ) -> Option<&Route> {
        found.clear();
        let numbers = names.all().iter().filter_map(|id| self.by_key.get(id.index())).flatten();
        found.extend(numbers.map(|number| Candidate { number: *number, begun: false }));
        found.sort_unstable();
        let routes = found.iter().filter_map(|at| self.routes.get(usize::from(at.number)));
        routes.filter(|route| self.allows(route, look)).find(|route| {
            route.json.iter().all(|(fields, tests)| {
                fields.iter().any(|id| names.saw(*id) && holds(event.get(*id), tests))
            })
        })
    }

    /// The source that reads what is left of a kind of records.
    pub(crate) fn rest(&self, kind: Rest, look: &Look<'_>) -> Option<&Route> {
        let numbers = match kind {
            Rest::Json => &self.rest_json,
            Rest::Syslog => &self.rest_syslog,
        };
        let routes = numbers.iter().filter_map(|number| self.routes.get(usize::from(*number)));
        routes.into_iter().find(|route| self.allows(route, look))
    }
}

fn route(source: u16, order: u32, entry: &Match) -> Result<Route, String> {
    let mut lines = Vec::new();
    for text in entry.line.all() {
        lines.push(Pattern::compile(text).map_err(|message| format!("line {text:?}: {message}"))?);
    }
    let mut json = Vec::new();
    for (keys, value) in &entry.json {
        let fields: Vec<FieldId> = keys.split('|').filter_map(FieldId::intern).collect();
        json.push((fields, tests(value)));
    }
    Ok(Route {
        source,
        order,
        texts: entry.line.all().to_vec(),
        programs: entry.program.all().to_vec(),
        prefixes: entry.prefix.all().to_vec(),
        contains: entry.contains.all().iter().map(|part| Finder::new(part).into_owned()).collect(),
        lines,
        json,
        paths: entry.path.all().iter().map(|path| Test::of_text(path)).collect(),
        hints: entry.hint.all().to_vec(),
        framed: entry.framed,
        fits: entry.fits,
        rest_of: entry.rest_of,
        loose: !entry.contains.all().is_empty()
            && entry.program.all().is_empty()
            && entry.prefix.all().is_empty()
            && entry.json.is_empty()
            && entry.path.all().is_empty()
            && entry.hint.all().is_empty(),
    })
}

/// The bytes a text that takes the route may begin with.
fn first_bytes(route: &Route) -> Bytes {
    let mut first = Bytes::ALL;
    if !route.prefixes.is_empty() {
        first = Bytes::of(route.prefixes.iter().filter_map(|prefix| prefix.bytes().next()));
    } else if !route.lines.is_empty() {
        first = route.lines.iter().fold(Bytes::NONE, |set, line| set.or(line.first.0));
    }
    first
}
