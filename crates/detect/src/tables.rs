//! [`Tables`]: which events a log source means, and under which names events hold a Sigma field.
//!
//! In: `tables/*.yml` of packs. Out: for a log source a search over events, for a field the
//! names to look under. What a vendor calls things is in those files, not here.

use std::collections::HashMap;
use std::sync::Arc;

use tocsin_content::{Diagnostic, FileKind, Node, Pack, PackFile, yaml};

use crate::fold::fold;
use crate::pattern::Pattern;
use crate::rule::modifier::Placeholders;
use crate::rule::value::{Token, literal};
use crate::rule::{Item, ItemTest, LogSource, Refusal, Search, detection, refuse, refuse_at};

/// How log sources and Sigma's field names meet events.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone, Default)]
struct Inner {
    /// Prefixes of event fields that say nothing, `*` standing for one segment.
    prefixes: Vec<Vec<String>>,
    /// Text inside event field names → what Sigma writes there.
    joins: Vec<(String, String)>,
    /// Sigma field → event fields.
    fields: HashMap<String, Vec<String>>,
    /// The same for rules of one log source.
    scoped: Vec<(LogSource, HashMap<String, Vec<String>>)>,
    /// What a log source means.
    sources: Vec<(LogSource, Search)>,
    /// Searches by name, for use in `sources`.
    conditions: HashMap<String, Search>,
}

const KEYS: [&str; 6] = ["prefixes", "joins", "fields", "scoped", "conditions", "log_sources"];

impl Tables {
    /// Reads the tables of packs (`tables/*.yml`); files of a pack add to those before.
    pub fn from_packs(packs: &[Pack]) -> (Self, Vec<Diagnostic>) {
        let mut inner = Inner::default();
        let mut diagnostics = Vec::new();
        for file in packs.iter().flat_map(|pack| pack.of_kind(FileKind::Table)) {
            if let Err(diagnostic) = inner.read(file) {
                diagnostics.push(diagnostic);
            }
        }
        (Self { inner: Arc::new(inner) }, diagnostics)
    }

    /// The tables embedded in the binary.
    pub fn builtin() -> Self {
        Self::from_packs(&tocsin_content::builtin_packs()).0
    }

    /// The event fields that a Sigma field of a rule stands for, best first.
    pub(crate) fn names(&self, field: &str, source: &LogSource) -> Vec<String> {
        let mut names = vec![field.to_owned()];
        let scoped = self.inner.scoped.iter().filter(|(scope, _)| {
            let same = scope.category.is_some() && scope.category == source.category;
            scope.contains(source) || same && source.contains(scope)
        });
        let maps = scoped.map(|(_, fields)| fields).chain([&self.inner.fields]);
        for name in maps.filter_map(|fields| fields.get(field)).flatten() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// What Sigma calls an event field, when that is not its whole name: known prefixes are cut
    /// off and blanks left out.
    pub(crate) fn canonical(&self, name: &str) -> Option<String> {
        let mut short = self
            .inner
            .prefixes
            .iter()
            .filter_map(|prefix| strip(prefix, name))
            .min_by_key(|rest| rest.len())
            .unwrap_or(name)
            .to_owned();
        for (from, to) in &self.inner.joins {
            if short.contains(from.as_str()) {
                short = short.replace(from.as_str(), to);
            }
        }
        short.retain(|c| c != ' ');
        (short != name && !short.is_empty()).then_some(short)
    }

    /// What an event of this log source looks like; `None` when every event is one.
    pub(crate) fn search(&self, source: &LogSource) -> Option<Search> {
        if source.is_empty() {
            return None;
        }
        let rows: Vec<&(LogSource, Search)> =
            self.inner.sources.iter().filter(|(row, _)| row.contains(source)).collect();
        // The rows that say most about it; what a more exact row says replaces the rest.
        let best: Vec<_> = rows
            .iter()
            .filter(|(row, _)| !rows.iter().any(|(other, _)| *other != *row && row.contains(other)))
            .collect();
        let covered = |part: usize| best.iter().any(|(row, _)| row.parts()[part].is_some());
        let mut all: Vec<Search> = Vec::new();
        let mut seen: Vec<&LogSource> = Vec::new();
        for (row, _) in &best {
            if !seen.contains(&row) {
                seen.push(row);
                let same = best.iter().filter(|(other, _)| other == row);
                let any: Vec<Search> = same.map(|(_, search)| search.clone()).collect();
                all.push(Search::Or(any));
            }
        }
        let covered = [covered(0), covered(1), covered(2)];
        all.extend(general(source, covered));
        let mut any = vec![Search::And(all)];
        if source.parts().iter().zip(covered).any(|(part, covered)| part.is_some() && !covered) {
            // Less than any row says: `category: process_creation` is that of every product.
            let narrower = self.inner.sources.iter().filter(|(row, _)| source.contains(row));
            any.extend(narrower.map(|(_, search)| search.clone()));
        }
        any.push(hint(source));
        Some(Search::Or(any))
    }
}

/// An event may say of which log source it is.
fn hint(source: &LogSource) -> Search {
    let names = ["logsource.category", "logsource.product", "logsource.service"];
    let parts = names.iter().zip(source.parts());
    let said = parts.filter_map(|(name, part)| Some(equals(name, part.as_deref()?)));
    Search::And(said.collect())
}

/// What stands for a part of a log source that the table says nothing of: the pack or dataset
/// that read the event.
fn general(source: &LogSource, covered: [bool; 3]) -> Vec<Search> {
    let open = |part: usize| {
        let value = source.parts()[part].as_deref();
        if covered[part] { None } else { value }
    };
    let mut all = Vec::new();
    if let Some(category) = open(0) {
        all.push(equals("event.category", category));
    }
    match (open(1), open(2)) {
        (Some(product), Some(service)) => {
            let mut any = vec![equals("event.dataset", &format!("{product}.{service}"))];
            // `onelogin.events` of onelogin.
            if service.strip_prefix(product).is_some_and(|rest| rest.starts_with('.')) {
                any.push(equals("event.dataset", service));
            }
            all.push(Search::Or(any));
        }
        (Some(product), None) => all.push(Search::Or(vec![
            equals("event.module", product),
            test("event.dataset", true, &format!("{product}."), false),
        ])),
        (None, Some(service)) => all.push(Search::Or(vec![
            equals("event.dataset", service),
            test("event.dataset", false, &format!(".{service}"), true),
        ])),
        (None, None) => {}
    }
    all
}

fn equals(field: &str, value: &str) -> Search {
    test(field, true, value, true)
}

fn test(field: &str, start: bool, value: &str, end: bool) -> Search {
    let mut tokens = literal(value);
    if !start {
        tokens.insert(0, Token::Star);
    }
    if !end {
        tokens.push(Token::Star);
    }
    let patterns = vec![Pattern::new(&tokens, false)];
    let test = ItemTest::Texts { patterns, cased: false };
    Search::Item(Item { field: Some(field.to_owned()), test })
}

/// What follows `prefix` in a dotted name.
fn strip<'n>(prefix: &[String], name: &'n str) -> Option<&'n str> {
    let mut rest = name;
    for segment in prefix {
        let (head, tail) = rest.split_once('.')?;
        if segment != "*" && segment != head {
            return None;
        }
        rest = tail;
    }
    Some(rest)
}

impl Inner {
    fn read(&mut self, file: &PackFile) -> Result<(), Diagnostic> {
        let documents = yaml::parse(&file.text()).map_err(|error| error.at(&file.path))?;
        for document in &documents {
            self.document(document).map_err(|refusal| {
                let Refusal { place, message } = refusal;
                Diagnostic::error(&file.path, place.line, place.column, message)
            })?;
        }
        Ok(())
    }

    fn document(&mut self, node: &Node) -> Result<(), Refusal> {
        let Some(entries) = node.as_map() else {
            return refuse(node, "a table must be a map");
        };
        // Other kinds of tables may stand beside ours.
        if !entries.iter().any(|(key, _)| KEYS.contains(&key.text.as_str())) {
            return Ok(());
        }
        for (key, value) in entries {
            match key.text.as_str() {
                "prefixes" => {
                    for prefix in names(value)? {
                        let segments = prefix.trim_end_matches('.').split('.');
                        self.prefixes.push(segments.map(str::to_owned).collect());
                    }
                }
                "joins" => {
                    for (from, to) in map(value)? {
                        let to = to.as_text().unwrap_or("").to_owned();
                        self.joins.push((from.text.clone(), to));
                    }
                }
                "fields" => add_fields(&mut self.fields, value)?,
                "scoped" => {
                    for row in list(value)? {
                        let mut fields = HashMap::new();
                        match row.get("fields") {
                            Some(node) => add_fields(&mut fields, node)?,
                            None => return refuse(row, "fields is missing"),
                        }
                        for source in scopes(row)? {
                            self.scoped.push((source, fields.clone()));
                        }
                    }
                }
                "conditions" => {
                    for (name, search) in map(value)? {
                        let search = self.condition(search)?;
                        self.conditions.insert(name.text.clone(), search);
                    }
                }
                "log_sources" => {
                    for row in list(value)? {
                        self.log_source(row)?;
                    }
                }
                other => return refuse_at(key.place, format!("unknown key {other:?}")),
            }
        }
        Ok(())
    }

    /// A row: a log source with `when`, or with `categories` or `services` that each have their
    /// own condition.
    fn log_source(&mut self, row: &Node) -> Result<(), Refusal> {
        let mut any = false;
        for (key, service) in [("categories", false), ("services", true)] {
            let Some(rows) = row.get(key) else { continue };
            for (name, when) in map(rows)? {
                let when = self.condition(when)?;
                for mut source in scopes(row)? {
                    let part = if service { &mut source.service } else { &mut source.category };
                    *part = Some(fold(&name.text));
                    self.sources.push((source, when.clone()));
                }
            }
            any = true;
        }
        if let Some(when) = row.get("when") {
            let when = self.condition(when)?;
            for source in scopes(row)? {
                self.sources.push((source, when.clone()));
            }
            any = true;
        }
        if any { Ok(()) } else { refuse(row, "needs when, categories or services") }
    }

    /// A search as in a rule, in which the key `is` names one of `conditions`.
    fn condition(&self, node: &Node) -> Result<Search, Refusal> {
        if let Some(items) = node.as_seq() {
            let any = items.iter().map(|item| self.condition(item));
            return Ok(Search::Or(any.collect::<Result<_, _>>()?));
        }
        let mut all = Vec::new();
        let mut rest = Vec::new();
        for (key, value) in map(node)? {
            if key.text != "is" {
                rest.push((key.clone(), value.clone()));
                continue;
            }
            for name in names(value)? {
                match self.conditions.get(&name) {
                    Some(search) => all.push(search.clone()),
                    None => return refuse(value, format!("condition {name:?} is not defined")),
                }
            }
        }
        if !rest.is_empty() {
            let kind = yaml::Kind::Map(rest);
            let rest = Node { place: node.place, kind };
            all.push(detection::search(&rest, &Placeholders::new())?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Search::And(all) })
    }
}

fn map(node: &Node) -> Result<&[(yaml::Key, Node)], Refusal> {
    node.as_map()
        .map_or_else(|| refuse(node, format!("expected a map, found {}", node.describe())), Ok)
}

fn list(node: &Node) -> Result<&[Node], Refusal> {
    node.as_seq()
        .map_or_else(|| refuse(node, format!("expected a list, found {}", node.describe())), Ok)
}

fn names(node: &Node) -> Result<Vec<String>, Refusal> {
    let items = node.as_seq().unwrap_or(std::slice::from_ref(node));
    items
        .iter()
        .map(|item| match item.as_text() {
            Some(text) => Ok(text.to_owned()),
            None => refuse(item, "expected a name"),
        })
        .collect()
}

/// The log sources a row is about: each combination of its categories, products and services.
fn scopes(row: &Node) -> Result<Vec<LogSource>, Refusal> {
    let part = |key: &str| -> Result<Vec<Option<String>>, Refusal> {
        match row.get(key) {
            None => Ok(vec![None]),
            Some(node) => Ok(names(node)?.iter().map(|name| Some(fold(name))).collect()),
        }
    };
    let (categories, products, services) = (part("category")?, part("product")?, part("service")?);
    let mut out = Vec::new();
    for category in &categories {
        for product in &products {
            for service in &services {
                let (category, product) = (category.clone(), product.clone());
                out.push(LogSource { category, product, service: service.clone() });
            }
        }
    }
    Ok(out)
}

fn add_fields(fields: &mut HashMap<String, Vec<String>>, node: &Node) -> Result<(), Refusal> {
    for (key, value) in map(node)? {
        fields.entry(key.text.clone()).or_default().extend(names(value)?);
    }
    Ok(())
}
