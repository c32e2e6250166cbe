//! Which source reads a body: conditions of all sources, found by program, first byte or JSON
//! key, tried in one fixed order, so that the answer never depends on what came before.

use ahash::AHashMap;
use memchr::memmem::Finder;
use tocsin_content::Diagnostic;
use tocsin_model::{Event, FieldId};

use crate::flatten::Flattener;
use crate::grok::{Bytes, Outcome, Pattern, Slots};
use crate::parser::Hint;
use crate::source::compile::tests;
use crate::source::definition::{Definition, Match, Rest};
use crate::source::plan::Test;
use crate::source::run::holds;

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

/// All routes, compiled.
#[derive(Debug, Default)]
pub(crate) struct Router {
    routes: Vec<Route>,
    by_program: AHashMap<String, Vec<u16>>,
    program_globs: Vec<(Test, u16)>,
    by_first: Vec<Vec<u16>>,
    by_key: Vec<u16>,
    rest_json: Vec<u16>,
    rest_syslog: Vec<u16>,
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
        self.by_first = vec![Vec::new(); 256];
        for (number, route) in self.routes.iter().enumerate() {
            let number = number as u16;
            match route.rest_of {
                Some(Rest::Json) => self.rest_json.push(number),
                Some(Rest::Syslog) => self.rest_syslog.push(number),
                None if !route.json.is_empty() => self.by_key.push(number),
                None if !route.programs.is_empty() => {
                    for program in &route.programs {
                        if program.contains('*') {
                            self.program_globs.push((Test::of_text(program), number));
                        } else {
                            self.by_program.entry(program.clone()).or_default().push(number);
                        }
                    }
                }
                None => {
                    let first = first_bytes(route);
                    for byte in (0..=255u8).filter(|byte| first.has(*byte)) {
                        self.by_first[usize::from(byte)].push(number);
                    }
                }
            }
        }
    }

    /// Whether a source asks for this program by its whole name.
    pub(crate) fn knows_program(&self, program: &str) -> bool {
        self.by_program.contains_key(program)
    }

    /// The routes that a text may take, best first.
    pub(crate) fn candidates(&self, look: &Look<'_>, found: &mut Vec<u16>) {
        found.clear();
        let by_name = |name: Option<&str>| name.and_then(|name| self.by_program.get(name));
        if let Some(numbers) = by_name(look.program) {
            found.extend_from_slice(numbers);
        }
        if look.tag != look.program
            && let Some(numbers) = by_name(look.tag)
        {
            found.extend_from_slice(numbers);
        }
        if let Some(tag) = look.tag {
            let globs = self.program_globs.iter().filter(|(glob, _)| glob.text(tag));
            found.extend(globs.map(|(_, number)| *number));
        }
        let named = !found.is_empty() && look.hint.is_none();
        if let Some(first) = look.body.as_bytes().first() {
            found.extend_from_slice(&self.by_first[usize::from(*first)]);
        }
        // What a known program says is its own, whatever words its clients put into it.
        if named {
            let loose = |number: &u16| {
                self.routes.get(usize::from(*number)).is_some_and(|route| route.loose)
            };
            found.retain(|number| !loose(number));
        }
        found.sort_unstable();
        found.dedup();
    }

    /// Whether a text takes a route.
    pub(crate) fn takes(&self, number: u16, look: &Look<'_>, slots: &mut Slots) -> Option<&Route> {
        let route = self.routes.get(usize::from(number))?;
        let fits = self.allows(route, look)
            && (route.prefixes.is_empty()
                || route.prefixes.iter().any(|prefix| look.body.starts_with(prefix.as_str())))
            && (route.contains.is_empty()
                || route.contains.iter().any(|part| part.find(look.body.as_bytes()).is_some()))
            && (route.lines.is_empty()
                || route.lines.iter().any(|line| line.matches(look.body, slots) == Outcome::Fits));
        fits.then_some(route)
    }

    fn allows(&self, route: &Route, look: &Look<'_>) -> bool {
        look.hint.is_none_or(|hint| hint.allowed.get(usize::from(route.source)) == Some(&true))
            && route.framed.is_none_or(|framed| framed == look.framed)
            && (route.hints.is_empty()
                || look.hint.is_some_and(|hint| route.hints.contains(&hint.word)))
            && (route.paths.is_empty() || route.paths.iter().any(|path| path.text(look.path)))
    }

    /// The first source whose keys the JSON object just flattened has.
    pub(crate) fn by_keys(
        &self,
        names: &Flattener,
        event: &Event,
        look: &Look<'_>,
    ) -> Option<&Route> {
        let routes = self.by_key.iter().filter_map(|number| self.routes.get(usize::from(*number)));
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
