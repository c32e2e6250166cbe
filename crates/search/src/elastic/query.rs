//! Queries.

use serde_json::{Map, Value as Json};
use tocsin_model::{EventId, Timestamp};
use tocsin_store::{ANY_TEXT, Bound, Filter, Matcher, WordsMode};

use crate::elastic::dates::Zone;
use crate::elastic::lucene::{self, Lucene};
use crate::elastic::{ElasticError, Result, field_name, simple};
use crate::fields::{Kind, kind_of};
use crate::literal::Literal;
use crate::value::Target;

/// The deepest nesting of queries.
const DEPTH_MAX: usize = 50;
/// The most values of `terms` and `ids`.
const TERMS_MAX: usize = 65_536;

/// Kinds of queries, for refusals.
const KINDS: &str = "match_all, match_none, match, match_phrase, match_phrase_prefix, \
    match_bool_prefix, multi_match, term, terms, range, bool, constant_score, exists, wildcard, \
    prefix, regexp, ids, query_string, simple_query_string, dis_max, boosting, nested";
/// What is known of queries of words beside the query itself; anything else would change what is
/// meant. Scores are not given, so what only weighs is read over.
const WORD_OPTIONS: &[&str] = &[
    "query",
    "operator",
    "boost",
    "_name",
    "lenient",
    "analyzer",
    "zero_terms_query",
    "auto_generate_synonyms_phrase_query",
    "max_expansions",
    "fields",
    "type",
    "tie_breaker",
];

/// Reads a query; `now` is for date math.
pub fn parse_query(query: &Json, now: Timestamp) -> Result<Filter> {
    Reader { now }.query(query, "query", 0)
}

pub(super) struct Reader {
    pub now: Timestamp,
}

impl Reader {
    fn query(&self, query: &Json, path: &str, depth: usize) -> Result<Filter> {
        if depth > DEPTH_MAX {
            return Err(ElasticError::new(path, format!("nested more than {DEPTH_MAX} deep")));
        }
        let Some(object) = query.as_object() else {
            return Err(ElasticError::new(path, "must be an object with one kind of query"));
        };
        let mut entries = object.iter();
        let (Some((kind, body)), None) = (entries.next(), entries.next()) else {
            let message = format!("must name one kind of query, found {}", object.len());
            return Err(ElasticError::new(path, message));
        };
        let path = format!("{path}.{kind}");
        let filter = self.kind(kind, body, &path, depth)?;
        // What the store would refuse is refused with its place.
        match Matcher::new(&filter) {
            Ok(_) => Ok(filter),
            Err(error) => Err(ElasticError::new(path, error.to_string())),
        }
    }

    fn kind(&self, kind: &str, body: &Json, path: &str, depth: usize) -> Result<Filter> {
        match kind {
            "match_all" => Ok(Filter::All),
            "match_none" => Ok(Filter::Or(Vec::new())),
            "bool" => self.boolean(body, path, depth),
            "constant_score" => match body.get("filter") {
                Some(filter) => self.query(filter, &format!("{path}.filter"), depth + 1),
                None => Err(ElasticError::new(path, "needs a filter")),
            },
            "match" => self.match_words(body, path),
            "match_phrase" => self.phrase(body, path),
            "match_phrase_prefix" | "match_bool_prefix" => self.word_prefix(body, path),
            "multi_match" => self.multi_match(body, path),
            "term" => {
                let (field, body) = one_field(body, path)?;
                self.term(field, option(body, "value"), flag(body, "case_insensitive"), path)
            }
            "terms" => self.terms(body, path),
            "range" => self.range(body, path),
            "exists" => match body.get("field").and_then(Json::as_str) {
                Some(field) => Ok(exists(field_name(field))),
                None => Err(ElasticError::new(path, "needs a field")),
            },
            "wildcard" | "prefix" | "regexp" => self.pattern(kind, body, path),
            "ids" => self.ids(body, path),
            "query_string" => self.query_string(body, path),
            "simple_query_string" => self.simple(body, path),
            "dis_max" => match body.get("queries").and_then(Json::as_array) {
                Some(all) => {
                    let path = format!("{path}.queries");
                    let each = all.iter().map(|query| self.query(query, &path, depth + 1));
                    Ok(Filter::Or(each.collect::<Result<_>>()?))
                }
                None => Err(ElasticError::new(path, "needs queries")),
            },
            "boosting" => self.inner(body, "positive", path, depth),
            // What the objects of a list have is not kept apart; see docs/store.md.
            "nested" => self.inner(body, "query", path, depth),
            other => Err(ElasticError::new(
                path,
                format!("the query {other:?} is not supported; known are {KINDS}"),
            )),
        }
    }

    fn inner(&self, body: &Json, key: &str, path: &str, depth: usize) -> Result<Filter> {
        match body.get(key) {
            Some(query) => self.query(query, &format!("{path}.{key}"), depth + 1),
            None => Err(ElasticError::new(path, format!("needs {key}"))),
        }
    }

    fn boolean(&self, body: &Json, path: &str, depth: usize) -> Result<Filter> {
        let Some(object) = body.as_object() else {
            return Err(ElasticError::new(path, "must be an object"));
        };
        for key in object.keys() {
            let known = ["must", "filter", "should", "must_not", "minimum_should_match"];
            let weighs = ["boost", "_name", "adjust_pure_negative"];
            if !known.contains(&key.as_str()) && !weighs.contains(&key.as_str()) {
                return Err(ElasticError::new(path, format!("{key:?} is not known here")));
            }
        }
        let clauses = |key: &str| -> Result<Vec<Filter>> {
            let path = format!("{path}.{key}");
            match object.get(key) {
                None | Some(Json::Null) => Ok(Vec::new()),
                Some(Json::Array(all)) => {
                    all.iter().map(|query| self.query(query, &path, depth + 1)).collect()
                }
                Some(one) => Ok(vec![self.query(one, &path, depth + 1)?]),
            }
        };
        let mut all = clauses("must")?;
        all.extend(clauses("filter")?);
        let should = clauses("should")?;
        let least = match object.get("minimum_should_match") {
            None | Some(Json::Null) => usize::from(all.is_empty() && !should.is_empty()),
            Some(value) => least(value, should.len(), path)?,
        };
        all.extend(at_least(should, least, path)?);
        let not = clauses("must_not")?;
        all.extend(not.into_iter().map(|filter| Filter::Not(Box::new(filter))));
        Ok(match all.len() {
            0 => Filter::All,
            1 => all.remove(0),
            _ => Filter::And(all),
        })
    }

    fn match_words(&self, body: &Json, path: &str) -> Result<Filter> {
        let (field, body) = one_field(body, path)?;
        known_options(body, path)?;
        let value = option(body, "query");
        let all = option_of(body, "operator")
            .and_then(Json::as_str)
            .is_some_and(|operator| operator.eq_ignore_ascii_case("and"));
        let mode = if all { WordsMode::All } else { WordsMode::Any };
        self.one(field, value, Some(mode), path)
    }

    fn phrase(&self, body: &Json, path: &str) -> Result<Filter> {
        let (field, body) = one_field(body, path)?;
        known_options(body, path)?;
        self.one(field, option(body, "query"), Some(WordsMode::Phrase), path)
    }

    fn word_prefix(&self, body: &Json, path: &str) -> Result<Filter> {
        let (field, body) = one_field(body, path)?;
        let text = text_of(option(body, "query"), path)?;
        let (before, last) = text.trim().rsplit_once(' ').unwrap_or(("", text.trim()));
        let field = field_name(field);
        let prefix = Filter::Prefix { field: field.to_owned(), value: last.to_owned() };
        if before.is_empty() || !is_text(field) {
            let whole = Filter::Prefix { field: field.to_owned(), value: text.clone() };
            return Ok(if is_text(field) { prefix } else { whole });
        }
        let owned = Some(field.to_owned()).filter(|field| field != ANY_TEXT);
        let mode = WordsMode::Phrase;
        Ok(Filter::Words { field: owned, text: before.to_owned(), mode }.and(prefix))
    }

    fn multi_match(&self, body: &Json, path: &str) -> Result<Filter> {
        let text = body.get("query").ok_or_else(|| ElasticError::new(path, "needs a query"))?;
        known_options(body, path)?;
        let phrase = match body.get("type").and_then(Json::as_str) {
            None | Some("best_fields" | "most_fields") => false,
            Some("phrase") => true,
            Some(other) => {
                let message = format!("the type {other:?} is not supported");
                return Err(ElasticError::new(path, message));
            }
        };
        let all = body
            .get("operator")
            .and_then(Json::as_str)
            .is_some_and(|operator| operator.eq_ignore_ascii_case("and"));
        let mode = match (phrase, all) {
            (true, _) => WordsMode::Phrase,
            (_, true) => WordsMode::All,
            _ => WordsMode::Any,
        };
        let fields: Vec<String> = body
            .get("fields")
            .and_then(Json::as_array)
            .map(|fields| fields.iter().filter_map(Json::as_str).map(unboosted).collect())
            .unwrap_or_default();
        if fields.is_empty() || fields.iter().any(|field| field == "*") {
            return self.one(ANY_TEXT, text, Some(mode), path);
        }
        // A value that makes no sense for some of them is for the others.
        let ways = fields.iter().map(|field| self.one(field, text, Some(mode), path));
        let ways: Vec<Filter> = ways.filter_map(Result::ok).collect();
        Ok(Filter::Or(ways))
    }

    /// A value of a field: words of a text, else the exact value.
    fn one(
        &self,
        field: &str,
        value: &Json,
        words: Option<WordsMode>,
        path: &str,
    ) -> Result<Filter> {
        let field = field_name(field);
        if field == "_index" {
            return Ok(Filter::All);
        }
        let text = text_of(value, path)?;
        if let (Some(mode), true) = (words, is_text(field)) {
            let owned = Some(field.to_owned()).filter(|field| field != ANY_TEXT);
            return Ok(Filter::Words { field: owned, text, mode });
        }
        if is_text(field) || !value.is_number() || kind_of(field) != Kind::Date {
            let literal = Literal::Quoted(text);
            let filter = Target::one(field).filter(&literal, 0..0, self.now);
            return filter.map_err(|error| ElasticError::new(path, error.message));
        }
        let time = self.time(value, false, (None, &Zone::utc()), path)?;
        let (lower, upper) = (Bound::Included(time.clone()), Bound::Included(time));
        Ok(Filter::Range { field: field.to_owned(), lower, upper })
    }

    fn term(&self, field: &str, value: &Json, any_case: bool, path: &str) -> Result<Filter> {
        let field = field_name(field);
        if any_case && kind_of(field) == Kind::Keyword {
            let text = text_of(value, path)?;
            let pattern = format!("(?i){}", escape_regex(&text));
            return Ok(Filter::Regex { field: field.to_owned(), pattern });
        }
        // A term of a text is one of its words.
        self.one(field, value, Some(WordsMode::Phrase), path)
    }

    fn terms(&self, body: &Json, path: &str) -> Result<Filter> {
        let object = body.as_object().ok_or_else(|| ElasticError::new(path, "needs a field"))?;
        let mut fields = object.iter().filter(|(name, _)| name.as_str() != "boost");
        let (Some((field, values)), None) = (fields.next(), fields.next()) else {
            return Err(ElasticError::new(path, "needs one field with a list of values"));
        };
        let Some(values) = values.as_array() else {
            let message = "the values must be a list (terms lookup is not supported)";
            return Err(ElasticError::new(path, message));
        };
        if values.len() > TERMS_MAX {
            return Err(ElasticError::new(path, format!("more than {TERMS_MAX} values")));
        }
        let name = field_name(field);
        if matches!(kind_of(name), Kind::Keyword) && name != "_index" {
            let values = values.iter().map(|value| text_of(value, path)).collect::<Result<_>>()?;
            return Ok(Filter::Terms { field: name.to_owned(), values });
        }
        let ways = values.iter().map(|value| self.term(field, value, false, path));
        Ok(Filter::Or(ways.collect::<Result<_>>()?))
    }

    fn pattern(&self, kind: &str, body: &Json, path: &str) -> Result<Filter> {
        let (field, body) = one_field(body, path)?;
        let value = match body {
            Json::Object(object) => {
                let value = object.get("value").or_else(|| object.get(kind));
                value.ok_or_else(|| ElasticError::new(path, "needs a value"))?
            }
            value => value,
        };
        let any_case = flag(body, "case_insensitive");
        let text = text_of(value, path)?;
        let field = field_name(field).to_owned();
        if any_case && !is_text(&field) {
            let pattern = match kind {
                "regexp" => text,
                "prefix" => format!("{}.*", escape_regex(&text)),
                _ => lucene::wildcard_regex(&text),
            };
            return Ok(Filter::Regex { field, pattern: format!("(?i){pattern}") });
        }
        Ok(match kind {
            "regexp" => Filter::Regex { field, pattern: text },
            "prefix" => Filter::Prefix { field, value: text },
            _ => Filter::Wildcard { field, pattern: text },
        })
    }

    fn ids(&self, body: &Json, path: &str) -> Result<Filter> {
        let values = match body.get("values") {
            Some(Json::Array(values)) => values.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => return Err(ElasticError::new(path, "needs values")),
        };
        let known =
            values.iter().filter_map(Json::as_str).filter(|id| EventId::parse(id).is_some());
        let values: Vec<String> = known.map(str::to_owned).take(TERMS_MAX).collect();
        Ok(Filter::Terms { field: "event.id".to_owned(), values })
    }

    fn query_string(&self, body: &Json, path: &str) -> Result<Filter> {
        let (text, options) = self.options_of_text(body, path)?;
        lucene::parse(text, &options).map_err(|message| ElasticError::new(path, message))
    }

    fn simple(&self, body: &Json, path: &str) -> Result<Filter> {
        let (text, options) = self.options_of_text(body, path)?;
        simple::parse(text, &options).map_err(|message| ElasticError::new(path, message))
    }

    fn options_of_text<'j>(&self, body: &'j Json, path: &str) -> Result<(&'j str, Lucene)> {
        let Some(text) = body.get("query").and_then(Json::as_str) else {
            return Err(ElasticError::new(path, "needs a query"));
        };
        let mut fields: Vec<String> = body
            .get("fields")
            .and_then(Json::as_array)
            .map(|fields| fields.iter().filter_map(Json::as_str).map(unboosted).collect())
            .unwrap_or_default();
        fields.extend(body.get("default_field").and_then(Json::as_str).map(str::to_owned));
        fields.retain(|field| field != "*");
        let all = body.get("default_operator").and_then(Json::as_str);
        let all = all.is_some_and(|operator| operator.eq_ignore_ascii_case("and"));
        Ok((text, Lucene { fields, all, now: self.now }))
    }
}

/// Refuses what would change the meaning and is not known.
fn known_options(body: &Json, path: &str) -> Result<()> {
    for (key, value) in body.as_object().into_iter().flatten() {
        let means_nothing = match key.as_str() {
            "fuzziness" | "slop" | "prefix_length" => {
                matches!(text_of(value, path).as_deref(), Ok("0"))
            }
            key => WORD_OPTIONS.contains(&key),
        };
        if !means_nothing && !value.is_null() {
            return Err(ElasticError::new(path, format!("the option {key:?} is not supported")));
        }
    }
    Ok(())
}

/// `field^3` without its weight: nothing is scored here.
fn unboosted(field: &str) -> String {
    field.split('^').next().unwrap_or(field).to_owned()
}

fn is_text(field: &str) -> bool {
    field == ANY_TEXT || kind_of(field) == Kind::Text
}

fn exists(field: &str) -> Filter {
    match field {
        "_index" | "event.id" => Filter::All,
        field => Filter::exists(field),
    }
}

/// The one field of a query, with what it says of it.
pub(super) fn one_field<'j>(body: &'j Json, path: &str) -> Result<(&'j str, &'j Json)> {
    let fields: Option<&Map<String, Json>> = body.as_object();
    let mut fields = fields.into_iter().flatten().filter(|(name, _)| *name != "boost");
    match (fields.next(), fields.next()) {
        (Some((field, body)), None) => Ok((field, body)),
        _ => Err(ElasticError::new(path, "needs one field")),
    }
}

/// `{"value": x}` or `x`.
fn option<'j>(body: &'j Json, key: &str) -> &'j Json {
    body.as_object().and_then(|object| object.get(key)).unwrap_or(body)
}

fn option_of<'j>(body: &'j Json, key: &str) -> Option<&'j Json> {
    body.as_object()?.get(key)
}

fn flag(body: &Json, key: &str) -> bool {
    option_of(body, key).and_then(Json::as_bool).unwrap_or(false)
}

pub(super) fn text_of(value: &Json, path: &str) -> Result<String> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(flag) => Ok(flag.to_string()),
        _ => Err(ElasticError::new(path, "the value must be a text, a number or a boolean")),
    }
}

fn escape_regex(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if !c.is_alphanumeric() && c.is_ascii() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `minimum_should_match`: a number, or percents.
fn least(value: &Json, clauses: usize, path: &str) -> Result<usize> {
    let number = match value {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => match text.strip_suffix('%') {
            Some(percent) => percent.parse::<i64>().ok().map(|p| p * clauses as i64 / 100),
            None => text.parse().ok(),
        },
        _ => None,
    };
    let Some(number) = number else {
        return Err(ElasticError::new(path, "minimum_should_match must be a number or percents"));
    };
    let number = if number < 0 { number + clauses as i64 } else { number };
    Ok(usize::try_from(number).unwrap_or(0).min(clauses.max(1)))
}

/// At least so many of these.
fn at_least(should: Vec<Filter>, least: usize, path: &str) -> Result<Option<Filter>> {
    match least {
        0 => Ok(None),
        1 => Ok(Some(Filter::Or(should))),
        all if all == should.len() => Ok(Some(Filter::And(should))),
        // All ways to choose two: enough for what people write.
        2 if should.len() <= 16 => {
            let mut pairs = Vec::new();
            for (at, one) in should.iter().enumerate() {
                for other in &should[at + 1..] {
                    pairs.push(Filter::And(vec![one.clone(), other.clone()]));
                }
            }
            Ok(Some(Filter::Or(pairs)))
        }
        _ => Err(ElasticError::new(
            path,
            "minimum_should_match is supported for 0, 1, 2 of at most 16 clauses, and all",
        )),
    }
}
