//! Planned filter → Tantivy query for one index.

use std::borrow::Cow;
use std::ops::Bound;
use std::sync::Arc;

use tantivy::DateTime;
use tantivy::columnar::MonotonicallyMappableToU64;
use tantivy::query::{
    AllQuery, BooleanQuery, EmptyQuery, ExistsQuery, PhraseQuery, Query, RangeQuery,
};
use tantivy::schema::{Field, Term, Type};
use tocsin_model::{EventId, Timestamp};

use crate::embedded::keys::{Accept, ColumnQuery, Keys, KeysQuery, NotQuery};
use crate::embedded::schema::{Fields, dynamic_column};
use crate::embedded::terms::TermsQuery;
use crate::embedded::tokens::{LINE_END, MESSAGE_START};
use crate::plan::Node;
use crate::test::{Canon, Class, Number, Test, time_range, whole_range};

/// Builds the query for one index.
pub(crate) struct Compiler<'a> {
    pub fields: &'a Fields,
}

impl Compiler<'_> {
    /// The query of a node.
    pub(crate) fn query(&self, node: &Node) -> Box<dyn Query> {
        match node {
            Node::All => Box::new(AllQuery),
            Node::None => Box::new(EmptyQuery),
            Node::And(nodes) => all(nodes.iter().map(|node| self.query(node)).collect()),
            Node::Or(nodes) => any(nodes.iter().map(|node| self.query(node)).collect()),
            Node::Not(node) => Box::new(NotQuery(self.query(node))),
            Node::Exists(name) => self.exists(name),
            Node::Ids(ids) => any(ids.iter().map(|id| self.id(*id)).collect()),
            Node::Value { field, class, test } => self.value(field, *class, test),
            Node::Words { field, class, phrases, all: each } => {
                let texts = self.texts(field, *class);
                let found = phrases.iter().map(|words| self.phrase(&texts, *class, words));
                if *each { all(found.collect()) } else { any(found.collect()) }
            }
            Node::Word { field, class, test } => {
                let scan = |field: &Field| -> Box<dyn Query> {
                    Box::new(KeysQuery { field: *field, keys: scan_keys(Vec::new(), test, true) })
                };
                any(self.texts(field, *class).iter().map(scan).collect())
            }
        }
    }

    /// Events from `from` (included) to `to` (not).
    pub(crate) fn span(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Box<dyn Query> {
        if from.is_none() && to.is_none() {
            return Box::new(AllQuery);
        }
        let term = |time: Timestamp| date_term(self.fields.timestamp, time.0);
        Box::new(RangeQuery::new(
            from.map_or(Bound::Unbounded, |time| Bound::Included(term(time))),
            to.map_or(Bound::Unbounded, |time| Bound::Excluded(term(time))),
        ))
    }

    /// The event of this id.
    pub(crate) fn id(&self, id: EventId) -> Box<dyn Query> {
        let is = |field, value| {
            let term = Term::from_field_u64(field, value);
            Box::new(RangeQuery::new(Bound::Included(term.clone()), Bound::Included(term)))
                as Box<dyn Query>
        };
        all(vec![is(self.fields.offset, id.offset), is(self.fields.stream, id.stream)])
    }

    /// The field or one below it: by name, or by the columns there are.
    fn exists(&self, name: &str) -> Box<dyn Query> {
        let name = if name == crate::ANY_TEXT { "event.original" } else { name };
        let below = format!("{name}.");
        let mut ways = vec![exact(self.fields.names, vec![name.as_bytes().to_vec()])];
        for column in self.fields.columns() {
            if column == name || column.starts_with(&below) {
                ways.push(Box::new(ExistsQuery::new(column.to_owned(), false)));
            }
        }
        let keys = Keys::Scan { prefix: below.into_bytes(), accept: Arc::new(|_: &[u8]| true) };
        ways.push(Box::new(KeysQuery { field: self.fields.names, keys }));
        any(ways)
    }

    fn value(&self, name: &str, class: Class, test: &Test) -> Box<dyn Query> {
        match class {
            Class::Time => return times(self.fields.timestamp, test),
            Class::Ingested => return times(self.fields.ingested, test),
            _ => {}
        }
        let Some(field) = self.fields.typed(name).filter(|_| class != Class::Dynamic) else {
            return self.dynamic(name, test);
        };
        let typed: Box<dyn Query> = match class {
            Class::Keyword => return self.keyword(name, field, test),
            Class::Long => longs(field, test),
            Class::Ip => addresses(field, test),
            _ => times(field, test),
        };
        // A value that did not fit its field is in the dynamic one.
        any(vec![typed, self.dynamic(name, test)])
    }

    /// Texts that are one key each.
    fn keyword(&self, name: &str, field: Field, test: &Test) -> Box<dyn Query> {
        let keys = text_keys(test);
        if self.fields.is_indexed(field) {
            return Box::new(KeysQuery { field, keys });
        }
        texts_in(name.to_owned(), keys, |text| Some(Term::from_field_text(field, text)))
    }

    /// A field that the dictionary does not know, or a value that did not fit its field.
    fn dynamic(&self, name: &str, test: &Test) -> Box<dyn Query> {
        match self.fields.numbers {
            None => dynamic_keys(self.fields.dynamic, name, test, true),
            Some(numbers) => {
                let texts = self.dynamic_texts(name, text_keys(test));
                any(vec![texts, dynamic_keys(numbers, name, test, false)])
            }
        }
    }

    fn dynamic_texts(&self, name: &str, keys: Keys) -> Box<dyn Query> {
        texts_in(dynamic_column(name), keys, |text| {
            // A term cannot say a name with a backslash.
            (!name.contains('\\')).then(|| {
                let mut term = Term::from_field_json_path(self.fields.dynamic, name, true);
                term.append_type_and_str(text);
                term
            })
        })
    }

    /// The text fields to look for words in.
    fn texts(&self, name: &str, class: Class) -> Vec<Field> {
        match class {
            Class::AnyText => {
                self.fields.typed("message").into_iter().chain([self.fields.line]).collect()
            }
            _ => self.fields.typed(name).into_iter().collect(),
        }
    }

    /// A phrase in one of the texts, or across the cut between raw line and message.
    fn phrase(&self, texts: &[Field], class: Class, words: &[String]) -> Box<dyn Query> {
        let mut ways: Vec<Box<dyn Query>> =
            texts.iter().map(|field| phrase_in(*field, words.to_vec())).collect();
        if let (Class::AnyText, Some(message)) = (class, self.fields.typed("message")) {
            for cut in 1..words.len() {
                let mut head = words[..cut].to_vec();
                head.push(LINE_END.to_string());
                let mut tail = vec![MESSAGE_START.to_string()];
                tail.extend_from_slice(&words[cut..]);
                let head = phrase_in(self.fields.line, head);
                ways.push(all(vec![head, phrase_in(message, tail)]));
            }
        }
        any(ways)
    }
}

/// Values of a dynamic field by their keys: of other kinds than texts, and texts where asked for.
fn dynamic_keys(field: Field, name: &str, test: &Test, texts: bool) -> Box<dyn Query> {
    let mut path = name.replace('.', "\u{1}").into_bytes();
    path.push(0);
    if let Test::Values(wanted) = test {
        let mut keys = Vec::new();
        let mut add = |code: Type, bytes: &[u8]| {
            let mut key = path.clone();
            key.push(code.to_code());
            key.extend_from_slice(bytes);
            keys.push(key);
        };
        for one in wanted {
            if texts {
                add(Type::Str, one.text.as_bytes());
            }
            match one.text.as_str() {
                "true" => add(Type::Bool, &true.to_u64().to_be_bytes()),
                "false" => add(Type::Bool, &false.to_u64().to_be_bytes()),
                _ => {}
            }
            match one.number {
                Some(Number::Float(number)) => add(Type::F64, &number.to_u64().to_be_bytes()),
                Some(Number::Int(number)) => match i64::try_from(number) {
                    Ok(number) => add(Type::I64, &number.to_u64().to_be_bytes()),
                    Err(_) => {
                        if let Ok(number) = u64::try_from(number) {
                            add(Type::U64, &number.to_be_bytes());
                        }
                    }
                },
                None => {}
            }
        }
        return exact(field, keys);
    }
    let start = path.len();
    let test = test.clone();
    let accept: Accept = Arc::new(move |key: &[u8]| {
        key.get(start..).and_then(dynamic_canon).is_some_and(|canon| test.accepts(&canon))
    });
    Box::new(KeysQuery { field, keys: Keys::Scan { prefix: path, accept } })
}

/// A value of the dynamic field as its key has it: type and bytes.
fn dynamic_canon(bytes: &[u8]) -> Option<Canon<'_>> {
    let (code, value) = bytes.split_first()?;
    let number = || Some(u64::from_be_bytes(value.try_into().ok()?));
    Some(match Type::from_code(*code)? {
        Type::Str => Canon::Text(Cow::Borrowed(std::str::from_utf8(value).ok()?)),
        Type::I64 => Canon::Int(i64::from_u64(number()?).into()),
        Type::U64 => Canon::Int(number()?.into()),
        Type::F64 => Canon::Float(f64::from_u64(number()?)),
        Type::Bool => Canon::Bool(bool::from_u64(number()?)),
        _ => return None,
    })
}

/// Events with one of some texts in a column. One text that a term can say is read only where the
/// rest of the question leaves events.
fn texts_in(column: String, keys: Keys, term: impl FnOnce(&str) -> Option<Term>) -> Box<dyn Query> {
    let one = match &keys {
        Keys::Exact(keys) if keys.len() == 1 => std::str::from_utf8(&keys[0]).ok().and_then(term),
        _ => None,
    };
    match one {
        Some(one) => Box::new(RangeQuery::new(Bound::Included(one.clone()), Bound::Included(one))),
        None => Box::new(TermsQuery { column, keys }),
    }
}

/// The keys of a field of texts that satisfy the test.
fn text_keys(test: &Test) -> Keys {
    match test {
        Test::Values(wanted) => {
            Keys::Exact(wanted.iter().map(|one| one.text.clone().into_bytes()).collect())
        }
        Test::Prefix(prefix) => scan_keys(prefix.clone().into_bytes(), test, false),
        Test::Pattern(pattern) => scan_keys(pattern.prefix().as_bytes().to_vec(), test, false),
        _ => scan_keys(Vec::new(), test, false),
    }
}

/// Keys that start with the prefix and satisfy the test.
fn scan_keys(prefix: Vec<u8>, test: &Test, words: bool) -> Keys {
    let test = test.clone();
    let accept: Accept = Arc::new(move |key: &[u8]| {
        // The marks are no words.
        let mark = words && key.len() == 1 && key[0] < 0x20;
        !mark
            && std::str::from_utf8(key)
                .is_ok_and(|text| test.accepts(&Canon::Text(Cow::Borrowed(text))))
    });
    Keys::Scan { prefix, accept }
}

fn longs(field: Field, test: &Test) -> Box<dyn Query> {
    let range = |low: i64, high: i64| {
        Box::new(RangeQuery::new(
            Bound::Included(Term::from_field_i64(field, low)),
            Bound::Included(Term::from_field_i64(field, high)),
        )) as Box<dyn Query>
    };
    match test {
        Test::Values(wanted) => {
            let numbers = wanted.iter().filter_map(|one| match one.number {
                Some(Number::Int(number)) => i64::try_from(number).ok(),
                _ => None,
            });
            any(numbers.map(|number| range(number, number)).collect())
        }
        Test::NumberRange(ends) => match whole_range(ends) {
            Some((low, high)) => range(low, high),
            None => Box::new(EmptyQuery),
        },
        _ => column_scan(field, test, |bits| Canon::Int(i64::from_u64(bits).into())),
    }
}

fn times(field: Field, test: &Test) -> Box<dyn Query> {
    let range = |low: i64, high: i64| -> Box<dyn Query> {
        Box::new(RangeQuery::new(
            Bound::Included(date_term(field, low)),
            Bound::Included(date_term(field, high)),
        ))
    };
    match test {
        Test::Values(wanted) => {
            any(wanted.iter().filter_map(|one| one.time).map(|time| range(time, time)).collect())
        }
        Test::TimeRange(ends) => match time_range(ends) {
            Some((low, high)) => range(low, high),
            None => Box::new(EmptyQuery),
        },
        _ => column_scan(field, test, |bits| Canon::Time(i64::from_u64(bits))),
    }
}

fn addresses(field: Field, test: &Test) -> Box<dyn Query> {
    let range = |low: u128, high: u128| {
        let term =
            |address: u128| Term::from_field_ip_addr(field, std::net::Ipv6Addr::from(address));
        Box::new(RangeQuery::new(Bound::Included(term(low)), Bound::Included(term(high))))
            as Box<dyn Query>
    };
    match test {
        Test::Values(wanted) => {
            let mut keys = Vec::new();
            let mut queries = Vec::new();
            for (low, high) in wanted.iter().filter_map(|one| one.network) {
                if low == high {
                    keys.push(low.to_be_bytes().to_vec());
                } else {
                    queries.push(range(low, high));
                }
            }
            queries.push(exact(field, keys));
            any(queries)
        }
        Test::Network(low, high) => range(*low, *high),
        test => {
            let test = test.clone();
            let accept: Accept = Arc::new(move |key: &[u8]| {
                <[u8; 16]>::try_from(key)
                    .is_ok_and(|key| test.accepts(&Canon::Ip(u128::from_be_bytes(key))))
            });
            let keys = Keys::Scan { prefix: Vec::new(), accept };
            Box::new(KeysQuery { field, keys })
        }
    }
}

fn column_scan(field: Field, test: &Test, read: fn(u64) -> Canon<'static>) -> Box<dyn Query> {
    let test = test.clone();
    Box::new(ColumnQuery { field, accept: Arc::new(move |bits| test.accepts(&read(bits))) })
}

fn exact(field: Field, keys: Vec<Vec<u8>>) -> Box<dyn Query> {
    if keys.is_empty() {
        return Box::new(EmptyQuery);
    }
    Box::new(KeysQuery { field, keys: Keys::Exact(keys) })
}

fn phrase_in(field: Field, words: Vec<String>) -> Box<dyn Query> {
    match words.as_slice() {
        [word] => exact(field, vec![word.as_bytes().to_vec()]),
        words => {
            let terms = words.iter().map(|word| Term::from_field_text(field, word)).collect();
            Box::new(PhraseQuery::new(terms))
        }
    }
}

fn date_term(field: Field, nanos: i64) -> Term {
    Term::from_field_date(field, DateTime::from_timestamp_nanos(nanos))
}

fn any(mut queries: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match queries.len() {
        0 => Box::new(EmptyQuery),
        1 => queries.remove(0),
        _ => Box::new(BooleanQuery::union(queries)),
    }
}

fn all(mut queries: Vec<Box<dyn Query>>) -> Box<dyn Query> {
    match queries.len() {
        0 => Box::new(AllQuery),
        1 => queries.remove(0),
        _ => Box::new(BooleanQuery::intersection(queries)),
    }
}
