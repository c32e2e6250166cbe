//! What a value means for a field: literal → [`Filter`].

use std::ops::Range;

use tocsin_model::{EventId, Timestamp};
use tocsin_store::{ANY_TEXT, Bound, Filter, Matcher, WordsMode};

use crate::error::QueryError;
use crate::fields::{Kind, kind_of};
use crate::literal::{self, Ch, Literal};
use crate::time::parse_instant;

type Result<T> = std::result::Result<T, QueryError>;

/// The fields that a value is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// None: free words.
    fields: Vec<String>,
}

impl Target {
    /// Message and raw line.
    pub(crate) fn free() -> Self {
        Self { fields: Vec::new() }
    }

    /// One field.
    pub(crate) fn one(name: &str) -> Self {
        Self { fields: vec![name.to_owned()] }
    }

    /// Any of several fields.
    pub(crate) fn many(fields: Vec<String>) -> Self {
        Self { fields }
    }

    /// The filter of a value.
    pub(crate) fn filter(
        &self,
        literal: &Literal,
        place: Range<usize>,
        now: Timestamp,
    ) -> Result<Filter> {
        match self.fields.as_slice() {
            [] => words(None, literal, &place),
            [field] => one_field(field, literal, &place, now),
            many => {
                // A value that makes no sense for some of them is for the others.
                let filters = many.iter().map(|field| one_field(field, literal, &place, now));
                any_of(filters)
            }
        }
    }

    /// Several values of one field as one filter, where they are plain values.
    pub(crate) fn list(&self, filters: &[Filter]) -> Option<Filter> {
        let [field] = self.fields.as_slice() else { return None };
        let values = filters.iter().map(|filter| match filter {
            Filter::Term { value, .. } => Some(value.clone()),
            _ => None,
        });
        Some(Filter::Terms { field: field.clone(), values: values.collect::<Option<_>>()? })
    }
}

fn any_of(filters: impl Iterator<Item = Result<Filter>>) -> Result<Filter> {
    let mut good = Vec::new();
    let mut bad = None;
    for filter in filters {
        match filter {
            Ok(filter) => good.push(filter),
            Err(error) => bad = Some(error),
        }
    }
    match (good.len(), bad) {
        (0, Some(error)) => Err(error),
        (1, _) => Ok(good.remove(0)),
        _ => Ok(Filter::Or(good)),
    }
}

fn one_field(
    field: &str,
    literal: &Literal,
    place: &Range<usize>,
    now: Timestamp,
) -> Result<Filter> {
    let kind = kind_of(field);
    let chars = match literal {
        Literal::Bare(chars) if literal::is_star(chars) => return Ok(Filter::exists(field)),
        _ if kind == Kind::Text => return words(Some(field), literal, place),
        Literal::Quoted(value) => return exact(field, kind, value, place, now),
        Literal::Bare(chars) => chars,
    };
    match literal::text(chars) {
        Some(value) if kind == Kind::Keyword && is_network(&value) => {
            Ok(Filter::Cidr { field: field.to_owned(), network: value })
        }
        Some(value) => exact(field, kind, &value, place, now),
        None if matches!(kind, Kind::Id | Kind::Date) => {
            let message = format!("{field} takes no wildcard; give a whole value or a range");
            Err(QueryError::new(place.clone(), message))
        }
        None => Ok(like(field, chars)),
    }
}

fn like(field: &str, chars: &[Ch]) -> Filter {
    let field = field.to_owned();
    match literal::prefix(chars) {
        Some(value) => Filter::Prefix { field, value },
        None => Filter::Wildcard { field, pattern: literal::pattern(chars) },
    }
}

/// A network, with its length.
fn is_network(value: &str) -> bool {
    value.contains('/') && parses_as_network(value)
}

fn parses_as_network(value: &str) -> bool {
    let filter = Filter::Cidr { field: "source.ip".to_owned(), network: value.to_owned() };
    Matcher::new(&filter).is_ok()
}

fn exact(
    field: &str,
    kind: Kind,
    value: &str,
    place: &Range<usize>,
    now: Timestamp,
) -> Result<Filter> {
    let wrong = |what: &str| {
        Err(QueryError::new(place.clone(), format!("{field} holds {what}; {value:?} is none")))
    };
    match kind {
        Kind::Address if !parses_as_network(value) => {
            wrong("addresses (192.0.2.1, 192.0.2.0/24, 2001:db8::/32)")
        }
        Kind::Address if value.contains('/') => {
            Ok(Filter::Cidr { field: field.to_owned(), network: value.to_owned() })
        }
        Kind::Number if !value.parse::<f64>().is_ok_and(f64::is_finite) => wrong("numbers"),
        Kind::Id if EventId::parse(value).is_none() => wrong("ids of 32 hexadecimal digits"),
        Kind::Date => match parse_instant(value, now) {
            Some((start, end)) => Ok(Filter::Range {
                field: field.to_owned(),
                lower: Bound::Included(start.to_string()),
                upper: Bound::Excluded(end.to_string()),
            }),
            None => wrong("times (2026-11-21, 2026-11-21T10:00:00Z, now-15m)"),
        },
        _ => Ok(Filter::term(field, value)),
    }
}

/// Words of a text field: quoted a phrase; bare any of them, or with no field all of them.
fn words(field: Option<&str>, literal: &Literal, place: &Range<usize>) -> Result<Filter> {
    let owned = field.map(str::to_owned);
    let no_word = |text: &str| {
        Err(QueryError::new(place.clone(), format!("there is no word in {text:?} to search for")))
    };
    let chars = match literal {
        Literal::Quoted(text) if !has_word(text) => return no_word(text),
        Literal::Quoted(text) => {
            return Ok(Filter::Words { field: owned, text: text.clone(), mode: WordsMode::Phrase });
        }
        Literal::Bare(chars) => chars,
    };
    if literal::is_star(chars) {
        return Ok(Filter::All);
    }
    let mode = if field.is_some() { WordsMode::Any } else { WordsMode::All };
    let mut plain: Vec<String> = Vec::new();
    let mut filters = Vec::new();
    for part in literal::split_spaces(chars) {
        match literal::text(part) {
            // Escaped spaces separate words all the same.
            Some(text) => {
                let words = text.split_whitespace().filter(|word| has_word(word));
                plain.extend(words.map(str::to_owned));
            }
            None => filters.extend(word_patterns(field, part, mode)),
        }
    }
    if !plain.is_empty() {
        let text = plain.join(" ");
        filters.insert(0, Filter::Words { field: owned, text, mode });
    }
    match (filters.len(), mode) {
        (0, _) => no_word(&literal::pattern(chars)),
        (1, _) => Ok(filters.remove(0)),
        (_, WordsMode::Any) => Ok(Filter::Or(filters)),
        _ => Ok(Filter::And(filters)),
    }
}

/// `*.exe` → the word `exe`; `fail*` → words that start so; `*a.b*` → both.
fn word_patterns(field: Option<&str>, part: &[Ch], mode: WordsMode) -> Option<Filter> {
    let mut all: Vec<Filter> = literal::split_words(part)
        .into_iter()
        .filter(|word| !literal::is_star(word))
        .map(|word| match literal::text(word) {
            Some(text) => Filter::Words { field: field.map(str::to_owned), text, mode },
            None => like(field.unwrap_or(ANY_TEXT), word),
        })
        .collect();
    if all.len() > 1 { Some(Filter::And(all)) } else { all.pop() }
}

fn has_word(text: &str) -> bool {
    text.contains(char::is_alphanumeric)
}

/// `field >= value` and its kin. A time that is a whole day (or hour, …) counts as a whole.
pub(crate) fn range(
    target: &Target,
    operator: &str,
    literal: &Literal,
    place: Range<usize>,
    now: Timestamp,
) -> Result<Filter> {
    let value = match literal {
        Literal::Quoted(value) => Some(value.clone()),
        Literal::Bare(chars) => literal::text(chars),
    };
    let Some(value) = value else {
        return Err(QueryError::new(place, "a range takes no wildcard"));
    };
    if target.fields.is_empty() {
        return Err(QueryError::new(place, "a range needs a field"));
    }
    let one = |field: &String| {
        let (lower, upper) = if kind_of(field) == Kind::Date {
            let Some((start, end)) = parse_instant(&value, now) else {
                let message = format!("{value:?} is no time (2026-11-21T10:00:00Z, now-15m)");
                return Err(QueryError::new(place.clone(), message));
            };
            let included = |time: Timestamp| Bound::Included(time.to_string());
            let excluded = |time: Timestamp| Bound::Excluded(time.to_string());
            match operator {
                ">=" => (included(start), Bound::Unbounded),
                ">" => (included(end), Bound::Unbounded),
                "<=" => (Bound::Unbounded, excluded(end)),
                _ => (Bound::Unbounded, excluded(start)),
            }
        } else {
            let value = value.clone();
            match operator {
                ">=" => (Bound::Included(value), Bound::Unbounded),
                ">" => (Bound::Excluded(value), Bound::Unbounded),
                "<=" => (Bound::Unbounded, Bound::Included(value)),
                _ => (Bound::Unbounded, Bound::Excluded(value)),
            }
        };
        checked(Filter::Range { field: field.clone(), lower, upper }, &place)
    };
    any_of(target.fields.iter().map(one))
}

/// `field ~ "expression"`: the whole value must match.
pub(crate) fn regex(target: &Target, literal: &Literal, place: Range<usize>) -> Result<Filter> {
    let pattern = match literal {
        Literal::Quoted(pattern) => pattern.clone(),
        Literal::Bare(_) => {
            return Err(QueryError::new(place, "put the regular expression in quotes"));
        }
    };
    let one = |field: &str| {
        checked(Filter::Regex { field: field.to_owned(), pattern: pattern.clone() }, &place)
    };
    match target.fields.as_slice() {
        [] => one(ANY_TEXT),
        fields => any_of(fields.iter().map(|field| one(field))),
    }
}

/// The filter, if the store would take it.
fn checked(filter: Filter, place: &Range<usize>) -> Result<Filter> {
    match Matcher::new(&filter) {
        Ok(_) => Ok(filter),
        Err(error) => Err(QueryError::new(place.clone(), error.to_string())),
    }
}
