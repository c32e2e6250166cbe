//! Definition → [`Plan`], with mistakes at their places.

use std::collections::BTreeMap;
use std::sync::Arc;

use tocsin_content::yaml::Place;
use tocsin_content::{Diagnostic, Node};
use tocsin_model::FieldId;
use tocsin_model::value::OwnedValue;

use super::definition::{Constant, Constants, Decode, Definition, Lookup, Message, When, Words};
use super::dispatch::Dispatch;
use super::plan::{
    Assign, Decoder, DecoderKind, FieldRule, Grok, Joined, Line, LookupPlan, Plan, Read, TEMPS_MAX,
    Table, Test, WhenPlan,
};
use super::sink::{DESTINATION, Kind, SOURCE, Target};
use crate::grok::Pattern;

/// Compiles a definition. Mistakes are added to `diagnostics`; what is wrong is left out.
pub(crate) fn compile(
    pack: &str,
    name: &str,
    path: &str,
    definition: &Definition,
    root: &Node,
    diagnostics: &mut Vec<Diagnostic>,
) -> Plan {
    let mut compiler =
        Compiler { path, root, definition, temps: Vec::new(), place: root.place, diagnostics };
    let mut plan = Plan {
        dataset: format!("{pack}.{name}"),
        module: pack.to_owned(),
        decode: None,
        messages: compiler.messages(),
        fields: Vec::new(),
        time: Vec::new(),
        lookups: Vec::new(),
        whens: Vec::new(),
        dispatch: None,
        defaults: Vec::new(),
        temps: 0,
    };
    plan.decode = definition.decode.as_ref().map(|decode| compiler.decode(decode));
    let under = plan.decode.as_ref().map_or("", |decode| decode.under.as_str()).to_owned();
    compiler.at("fields");
    plan.fields = compiler.fields(&definition.fields, &under);
    compiler.at("time");
    plan.time = compiler.times(&definition.time, &under);
    compiler.at("lookup");
    plan.lookups = definition.lookup.iter().filter_map(|lookup| compiler.lookup(lookup)).collect();
    for (index, when) in definition.when.iter().enumerate() {
        compiler.at_item("when", index);
        plan.whens.push(compiler.when(when));
    }
    plan.dispatch = Dispatch::of(&plan.whens);
    compiler.at("set");
    plan.defaults = compiler.assigns(&definition.set);
    plan.temps = compiler.temps.len();
    plan
}

struct Compiler<'c> {
    path: &'c str,
    root: &'c Node,
    definition: &'c Definition,
    temps: Vec<String>,
    place: Place,
    diagnostics: &'c mut Vec<Diagnostic>,
}

impl Compiler<'_> {
    fn at(&mut self, key: &str) {
        self.place = self.root.get(key).map_or(self.root.place, |node| node.place);
    }

    fn at_item(&mut self, key: &str, index: usize) {
        self.at(key);
        let items = self.root.get(key).and_then(Node::as_seq);
        if let Some(item) = items.and_then(|items| items.get(index)) {
            self.place = item.place;
        }
    }

    fn error(&mut self, message: impl Into<String>) {
        let Place { line, column } = self.place;
        self.diagnostics.push(Diagnostic::error(self.path, line, column, message));
    }

    fn intern(&mut self, name: &str) -> Option<FieldId> {
        let id = FieldId::intern(name);
        if id.is_none() {
            self.error(format!("field {name:?} cannot be numbered: too many field names"));
        }
        id
    }

    fn temp(&mut self, name: &str) -> usize {
        if let Some(at) = self.temps.iter().position(|known| known == name) {
            return at;
        }
        if self.temps.len() >= TEMPS_MAX {
            self.error(format!("more than {TEMPS_MAX} variables"));
            return 0;
        }
        self.temps.push(name.to_owned());
        self.temps.len() - 1
    }

    fn read(&mut self, name: &str) -> Option<Read> {
        if name.starts_with('_') {
            return Some(Read::Temp(self.temp(name)));
        }
        self.intern(name).map(Read::Field)
    }

    /// `field`, or variables put together with a blank (`_date+_time`) or a question mark.
    fn joined(&mut self, name: &str) -> Joined {
        if !name.starts_with('_') {
            return self.read(name).map(|read| (' ', read)).into_iter().collect();
        }
        let mut all = Joined::new();
        let (mut before, mut rest) = (' ', name);
        loop {
            let end = rest.find(['+', '?']).unwrap_or(rest.len());
            all.extend(self.read(&rest[..end]).map(|read| (before, read)));
            if end == rest.len() {
                return all;
            }
            before = if rest[end..].starts_with('?') { '?' } else { ' ' };
            rest = &rest[end + 1..];
        }
    }

    /// `field` or `field` with a kind of conversion.
    fn target(&mut self, name: &str, kind: &str) -> Option<Target> {
        if name.starts_with('_') {
            return Some(Target::Temp(self.temp(name)));
        }
        if kind.is_empty() {
            match name {
                "@timestamp" => return Some(Target::Time),
                "url.original" => return Some(Target::Url),
                "source.address" => return Some(Target::Address(SOURCE)),
                "destination.address" => return Some(Target::Address(DESTINATION)),
                _ => {}
            }
        }
        match (name, kind) {
            ("source.address", "port") => return Some(Target::AddressPort(SOURCE)),
            ("destination.address", "port") => return Some(Target::AddressPort(DESTINATION)),
            ("@timestamp", "utc") => return Some(Target::TimeUtc),
            _ => {}
        }
        let id = self.intern(name)?;
        if kind.is_empty() {
            return Some(Target::Field(id, Kind::of(id)));
        }
        match Kind::named(kind) {
            Some(kind) => Some(Target::Field(id, kind)),
            None => {
                self.error(format!("no conversion {kind:?}"));
                None
            }
        }
    }

    fn decode(&mut self, decode: &Decode) -> Decoder {
        self.at("decode");
        let mut one_byte = |text: &str, default: u8| match text.as_bytes() {
            [] => default,
            [byte] => *byte,
            _ => {
                self.error(format!("{text:?} must be one character"));
                default
            }
        };
        let (kind, from, under, drop_raw) = match decode {
            Decode::Json => (DecoderKind::Json, "", "", false),
            Decode::Cef => (DecoderKind::Cef, "", "cef", false),
            Decode::Leef => (DecoderKind::Leef, "", "leef", false),
            Decode::Audit => (DecoderKind::Audit, "", "", false),
            Decode::WindowsXml => (DecoderKind::WindowsXml, "", "", false),
            Decode::Kv(kv) => {
                let pair = one_byte(&kv.pair, b' ');
                let assign = one_byte(&kv.assign, b'=');
                let kind = DecoderKind::Kv { pair, assign };
                (kind, kv.from.as_str(), kv.under.as_str(), kv.drop_raw)
            }
            Decode::Csv(csv) => {
                let separator = one_byte(&csv.separator, b',');
                let kind = DecoderKind::Csv {
                    separator,
                    columns: csv.columns.clone(),
                    header: csv.header.clone(),
                };
                (kind, csv.from.as_str(), csv.under.as_str(), csv.drop_raw)
            }
        };
        let from = if from.is_empty() { None } else { self.read(from) };
        Decoder { kind, from, under: under.to_owned(), drop_raw }
    }

    fn messages(&mut self) -> Vec<Table> {
        let mut tables: Vec<(String, Table)> = Vec::new();
        for (index, message) in self.definition.messages.iter().enumerate() {
            self.at_item("messages", index);
            if !tables.iter().any(|(on, _)| *on == message.on) {
                let read = if message.on.is_empty() { None } else { self.read(&message.on) };
                let table =
                    Table { on: read, lines: Vec::new(), by_first: Vec::new(), empty: [].into() };
                tables.push((message.on.clone(), table));
            }
            let lines = self.message(message);
            if let Some((_, table)) = tables.iter_mut().find(|(on, _)| *on == message.on) {
                table.lines.extend(lines);
            }
        }
        tables.into_iter().map(|(_, table)| indexed(table)).collect()
    }

    fn message(&mut self, message: &Message) -> Vec<Line> {
        let mut assigns = self.grouped(&message.uses);
        assigns.extend(self.assigns(&message.set));
        let assigns: Arc<[Assign]> = assigns.into();
        let patterns: Vec<_> =
            message.grok.all().iter().filter_map(|text| self.pattern(text)).collect();
        patterns
            .into_iter()
            .map(|(pattern, targets)| Line { pattern, targets, assigns: Arc::clone(&assigns) })
            .collect()
    }

    fn pattern(&mut self, text: &str) -> Option<Grok> {
        let pattern = match Pattern::compile(text) {
            Ok(pattern) => pattern,
            Err(message) => {
                self.error(format!("pattern {text:?}: {message}"));
                return None;
            }
        };
        let mut targets = Vec::new();
        for capture in &pattern.captures {
            targets.push(self.target(&capture.field, &capture.kind)?);
        }
        Some((pattern, targets))
    }

    fn grouped(&mut self, uses: &Words) -> Vec<Assign> {
        let definition = self.definition;
        let mut assigns = Vec::new();
        for name in uses.all() {
            match definition.groups.get(name) {
                Some(group) => assigns.extend(self.assigns(group)),
                None => {
                    let known = definition.groups.keys().map(String::as_str);
                    let near = tocsin_content::yaml::nearest(name, known);
                    let near =
                        near.map_or(String::new(), |near| format!(", did you mean {near:?}?"));
                    self.error(format!("no group {name:?}{near}"));
                }
            }
        }
        assigns
    }

    fn assigns(&mut self, constants: &Constants) -> Vec<Assign> {
        let mut assigns = Vec::new();
        for (name, constant) in constants {
            if let Some(to) = self.read(name) {
                assigns.push(Assign { to, value: owned(constant) });
            }
        }
        assigns
    }

    fn raw_ids(&mut self, names: &Words, under: &str) -> Vec<FieldId> {
        let mut ids = Vec::new();
        for name in names.all() {
            let full = if under.is_empty() { name.clone() } else { format!("{under}.{name}") };
            ids.extend(self.intern(&full));
        }
        ids
    }

    /// `field` or `field|utc`.
    fn times(&mut self, names: &Words, under: &str) -> Vec<(FieldId, bool)> {
        let mut times = Vec::new();
        for name in names.all() {
            let (plain, utc) =
                name.strip_suffix("|utc").map_or((name.as_str(), false), |name| (name, true));
            let ids = self.raw_ids(&Words::One(plain.to_owned()), under);
            times.extend(ids.into_iter().map(|id| (id, utc)));
        }
        times
    }

    fn fields(&mut self, fields: &BTreeMap<String, Words>, under: &str) -> Vec<FieldRule> {
        let mut rules = Vec::new();
        for (name, from) in fields {
            let (name, kind) = name.split_once('|').unwrap_or((name, ""));
            let from = self.raw_ids(from, under);
            if let Some(target) = self.target(name, kind) {
                rules.push(FieldRule { target, from });
            }
        }
        rules
    }

    fn lookup(&mut self, lookup: &Lookup) -> Option<LookupPlan> {
        let (from, to) = (self.read(&lookup.from)?, self.read(&lookup.to)?);
        let table = lookup
            .table
            .iter()
            .filter_map(|(key, value)| Some((key.to_ascii_lowercase(), owned(value)?)))
            .collect();
        Some(LookupPlan { from, to, table, default: lookup.default.as_ref().and_then(owned) })
    }

    fn when(&mut self, when: &When) -> WhenPlan {
        let mut conditions = Vec::new();
        for (name, constant) in &when.condition {
            if let Some(read) = self.read(name) {
                conditions.push((read, tests(constant)));
            }
        }
        let conditions = cheapest_first(conditions);
        let mut assigns = self.grouped(&when.uses);
        assigns.extend(self.assigns(&when.set));
        let mut copies = Vec::new();
        for (to, from) in &when.copy {
            let (to, kind) = to.split_once('|').unwrap_or((to, ""));
            let from = from.all().iter().map(|name| self.joined(name)).collect();
            copies.extend(self.target(to, kind).map(|to| (to, from)));
        }
        let mut groks = Vec::new();
        for (on, patterns) in &when.grok {
            let patterns = patterns.all().iter().filter_map(|text| self.pattern(text)).collect();
            groks.extend(self.read(on).map(|on| (on, patterns)));
        }
        WhenPlan { conditions, assigns, copies, groks }
    }
}

/// All must hold, so what costs least is asked first: whether a temporary is there at all, which
/// for most events it is not, and last what looks through a whole text.
fn cheapest_first(conditions: Vec<(Read, Vec<Test>)>) -> Vec<(Read, Vec<Test>)> {
    let cost = |(read, tests): &(Read, Vec<Test>)| match read {
        _ if tests.iter().any(Test::looks_through) => 2,
        Read::Temp(_) => 0,
        Read::Field(_) => 1,
    };
    let there = conditions.iter().filter(|one| cost(one) == 2).filter_map(|(read, tests)| {
        let temporary = matches!(read, Read::Temp(_)) && !tests.contains(&Test::Absent);
        temporary.then(|| (*read, vec![Test::Present]))
    });
    let mut all: Vec<_> = there.chain(conditions.iter().cloned()).collect();
    all.sort_by_key(cost);
    all
}

/// Lists the lines by the first byte of the texts they may fit.
fn indexed(mut table: Table) -> Table {
    let numbers = |fits: &dyn Fn(&Line) -> bool| -> Box<[u16]> {
        let lines = table.lines.iter().enumerate();
        lines.filter(|(_, line)| fits(line)).map(|(at, _)| at as u16).collect()
    };
    let by_first =
        (0..=255u8).map(|byte| numbers(&|line| line.pattern.first.0.has(byte))).collect();
    let empty = numbers(&|line| line.pattern.first.1);
    table.by_first = by_first;
    table.empty = empty;
    table
}

/// A constant as a value; `None` for nothing.
pub(crate) fn owned(constant: &Constant) -> Option<OwnedValue> {
    Some(match constant {
        Constant::Nothing(()) => return None,
        Constant::Bool(flag) => OwnedValue::Bool(*flag),
        Constant::Int(number) => OwnedValue::Int(*number),
        Constant::Float(number) => OwnedValue::Float(*number),
        Constant::Text(text) => OwnedValue::Str(text.clone()),
        Constant::List(all) => OwnedValue::List(all.iter().filter_map(owned).collect()),
    })
}

/// The tests a condition's constant means: any of them.
pub(crate) fn tests(constant: &Constant) -> Vec<Test> {
    match constant {
        Constant::Nothing(()) => vec![Test::Absent],
        Constant::Bool(flag) => vec![Test::Is(flag.to_string(), None)],
        Constant::Int(number) => vec![Test::Is(number.to_string(), Some(*number))],
        Constant::Float(number) => vec![Test::Is(number.to_string(), None)],
        Constant::Text(text) => vec![Test::of_text(text)],
        Constant::List(all) => all.iter().flat_map(tests).collect(),
    }
}
