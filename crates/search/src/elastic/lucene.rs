//! Lucene's query text, as `query_string` and Grafana's query box take it → [`Filter`].
//!
//! `field:value`, `field:(a OR b)`, `field:[1 TO 5]`, `field:{1 TO 5}`, `field:>=5`, `field:*`,
//! `_exists_:field`, `"a phrase"`, `AND`/`&&`, `OR`/`||`, `NOT`/`!`/`-`, `+`, `*`, `?`,
//! `/regex/`. Words without an operator between are any of them, or all with `default_operator`
//! `AND`. Nothing is scored: `^2` and `~1` behind a word are read over.

use tocsin_model::Timestamp;
use tocsin_store::{ANY_TEXT, Bound, Filter};

use crate::elastic::field_name;
use crate::fields::{Kind, kind_of};
use crate::literal::{Ch, Literal};
use crate::time::parse_instant;
use crate::value::Target;

/// The deepest nesting.
const DEPTH_MAX: usize = 50;

/// What a text is read with.
pub(super) struct Lucene {
    /// Fields of words without one; none is message and raw line.
    pub fields: Vec<String>,
    /// Whether words without an operator between must all be there.
    pub all: bool,
    /// For date math.
    pub now: Timestamp,
}

type Result<T> = std::result::Result<T, String>;

/// Reads a text.
pub(super) fn parse(text: &str, context: &Lucene) -> Result<Filter> {
    let mut parser = Parser { chars: text.chars().collect(), at: 0, context };
    parser.spaces();
    if parser.peek().is_none() {
        return Ok(Filter::All);
    }
    let filter = parser.clauses(None, 0)?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.wrong("this closes nothing")),
    }
}

/// `*` and `?` as a regular expression.
pub(super) fn wildcard_regex(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '\\' => push_escaped(&mut out, chars.next().unwrap_or('\\')),
            c => push_escaped(&mut out, c),
        }
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    if c.is_ascii() && !c.is_alphanumeric() {
        out.push('\\');
    }
    out.push(c);
}

struct Parser<'a> {
    chars: Vec<char>,
    at: usize,
    context: &'a Lucene,
}

/// How a clause counts.
#[derive(Clone, Copy, PartialEq)]
enum Occurs {
    Should,
    Must,
    MustNot,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn wrong(&self, message: &str) -> String {
        format!("{message} (at character {})", self.at + 1)
    }

    /// A word such as `AND`, with something that ends it behind.
    fn word(&mut self, word: &str) -> bool {
        let end = self.at + word.chars().count();
        let is = self.chars.get(self.at..end).is_some_and(|w| w.iter().copied().eq(word.chars()));
        let after = self.chars.get(end).copied();
        let ends = !word.starts_with(char::is_alphabetic)
            || after.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '"'));
        if is && ends {
            self.at = end;
            self.spaces();
        }
        is && ends
    }

    /// Clauses up to the end or a `)`. AND binds what is on both sides of it.
    fn clauses(&mut self, field: Option<&str>, depth: usize) -> Result<Filter> {
        if depth > DEPTH_MAX {
            return Err(self.wrong("nested too deep"));
        }
        let mut all: Vec<(Occurs, Filter)> = Vec::new();
        let mut next_and = false;
        while self.peek().is_some_and(|c| c != ')') {
            if self.word("AND") || self.word("&&") {
                if let Some((occurs @ Occurs::Should, _)) = all.last_mut() {
                    *occurs = Occurs::Must;
                }
                next_and = true;
                continue;
            }
            if self.word("OR") || self.word("||") {
                // `a AND b OR c AND d` is read as two groups.
                let group = combine(std::mem::take(&mut all), self.context.all);
                let rest = self.or_rest(group, field, depth)?;
                return Ok(rest);
            }
            let mut occurs = if next_and { Occurs::Must } else { Occurs::Should };
            next_and = false;
            if self.word("NOT") || self.sign('!') || self.sign('-') {
                occurs = Occurs::MustNot;
            } else if self.sign('+') {
                occurs = Occurs::Must;
            }
            let clause = self.clause(field, depth)?;
            all.push((occurs, clause));
            self.spaces();
        }
        if all.is_empty() || next_and {
            return Err(self.wrong("something to search for is missing here"));
        }
        Ok(combine(all, self.context.all))
    }

    fn or_rest(&mut self, first: Filter, field: Option<&str>, depth: usize) -> Result<Filter> {
        if matches!(&first, Filter::All) {
            return Err(self.wrong("there is nothing before OR"));
        }
        let rest = self.clauses(field, depth + 1)?;
        Ok(match rest {
            Filter::Or(mut all) => {
                all.insert(0, first);
                Filter::Or(all)
            }
            rest => Filter::Or(vec![first, rest]),
        })
    }

    fn sign(&mut self, sign: char) -> bool {
        let found =
            self.peek() == Some(sign) && self.peek_at(1).is_some_and(|c| !c.is_whitespace());
        self.at += usize::from(found);
        found
    }

    fn clause(&mut self, field: Option<&str>, depth: usize) -> Result<Filter> {
        if self.peek() == Some('(') {
            self.at += 1;
            self.spaces();
            let inner = self.clauses(field, depth + 1)?;
            if self.peek() != Some(')') {
                return Err(self.wrong("a parenthesis is not closed"));
            }
            self.at += 1;
            self.suffix();
            return Ok(inner);
        }
        if field.is_none()
            && let Some(name) = self.field()
        {
            if name == "_exists_" {
                let of = self.bare_text();
                return Ok(Filter::exists(field_name(&of)));
            }
            return match self.peek() {
                Some('(') => self.clause(Some(&name), depth + 1),
                _ => self.value(Some(&name)),
            };
        }
        self.value(field)
    }

    /// `name:`, taken when it is there.
    fn field(&mut self) -> Option<String> {
        let start = self.at;
        let mut name = String::new();
        while let Some(c) = self.peek() {
            match c {
                ':' if !name.is_empty() => {
                    self.at += 1;
                    self.spaces();
                    return Some(name);
                }
                '\\' => {
                    self.at += 1;
                    name.extend(self.peek());
                }
                c if c.is_alphanumeric() || "._-@*".contains(c) => name.push(c),
                _ => break,
            }
            self.at += 1;
        }
        self.at = start;
        None
    }

    fn bare_text(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| !c.is_whitespace() && c != ')') {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    /// `^2`, `~1`: weights and closeness, which change nothing here.
    fn suffix(&mut self) {
        while matches!(self.peek(), Some('^' | '~')) {
            self.at += 1;
            while self.peek().is_some_and(|c| c.is_ascii_digit() || c == '.') {
                self.at += 1;
            }
        }
    }

    fn value(&mut self, field: Option<&str>) -> Result<Filter> {
        match self.peek() {
            Some('[' | '{') => self.range(field),
            Some('>' | '<') => self.compared(field),
            Some('/') => self.regex(field),
            Some('"') => {
                let text = self.quoted()?;
                self.suffix();
                self.targeted(field, &Literal::Quoted(text))
            }
            _ => {
                let chars = self.bare();
                if chars.is_empty() {
                    return Err(self.wrong("a value is missing here"));
                }
                self.suffix();
                self.bare_value(field, chars)
            }
        }
    }

    fn bare_value(&self, field: Option<&str>, chars: Vec<char>) -> Result<Filter> {
        let mut literal = Vec::new();
        let mut single = false;
        let mut rest = chars.iter().copied();
        while let Some(c) = rest.next() {
            match c {
                '*' => literal.push(Ch::Star),
                '?' => {
                    single = true;
                    literal.push(Ch::Plain('?'));
                }
                '\\' => literal.extend(rest.next().map(Ch::Escaped)),
                c => literal.push(Ch::Plain(c)),
            }
        }
        if !single {
            return self.targeted(field, &Literal::Bare(literal));
        }
        let pattern: String = chars.into_iter().collect();
        let fields = self.fields(field);
        let ways =
            fields.into_iter().map(|field| Filter::Wildcard { field, pattern: pattern.clone() });
        Ok(one_of(ways.collect()))
    }

    /// The fields meant; message and raw line when there are none.
    fn fields(&self, field: Option<&str>) -> Vec<String> {
        match field {
            Some(name) => vec![field_name(name).to_owned()],
            None if self.context.fields.is_empty() => vec![ANY_TEXT.to_owned()],
            None => self.context.fields.iter().map(|f| field_name(f).to_owned()).collect(),
        }
    }

    fn targeted(&self, field: Option<&str>, literal: &Literal) -> Result<Filter> {
        let fields = self.fields(field);
        let target = match fields.as_slice() {
            [one] if one == ANY_TEXT => Target::free(),
            [one] => Target::one(one),
            many => Target::many(many.to_vec()),
        };
        target.filter(literal, 0..0, self.context.now).map_err(|error| error.message)
    }

    fn bare(&mut self) -> Vec<char> {
        let start = self.at;
        while let Some(c) = self.peek() {
            match c {
                '\\' => self.at += 1,
                '(' | ')' | '"' | '[' | ']' | '{' | '}' | '^' | '~' => break,
                c if c.is_whitespace() => break,
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(self.chars.len());
        self.chars[start..self.at].to_vec()
    }

    fn quoted(&mut self) -> Result<String> {
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '"' => return Ok(text),
                '\\' => {
                    text.extend(self.peek());
                    self.at += 1;
                }
                c => text.push(c),
            }
        }
        Err(self.wrong("a quote is not closed"))
    }

    fn regex(&mut self, field: Option<&str>) -> Result<Filter> {
        self.at += 1;
        let mut pattern = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '/' => {
                    let ways = self
                        .fields(field)
                        .into_iter()
                        .map(|field| Filter::Regex { field, pattern: pattern.clone() });
                    return Ok(one_of(ways.collect()));
                }
                '\\' if self.peek() == Some('/') => {}
                c => pattern.push(c),
            }
        }
        Err(self.wrong("a regular expression is not closed with /"))
    }

    /// `[a TO b]`, `{a TO b}`, mixed.
    fn range(&mut self, field: Option<&str>) -> Result<Filter> {
        let open = self.peek() == Some('[');
        self.at += 1;
        let close = self.chars[self.at..].iter().position(|c| matches!(c, ']' | '}'));
        let Some(close) = close.map(|close| close + self.at) else {
            return Err(self.wrong("a range is not closed"));
        };
        let inner: String = self.chars[self.at..close].iter().collect();
        let included = self.chars[close] == ']';
        self.at = close + 1;
        let Some((low, high)) = inner.split_once(" TO ") else {
            return Err(self.wrong("a range is written [a TO b]"));
        };
        let lower = self.bound(field, low.trim(), open, !open)?;
        let upper = self.bound(field, high.trim(), included, included)?;
        self.ranged(field, lower, upper)
    }

    /// `>5`, `>=5`, `<5`, `<=5`.
    fn compared(&mut self, field: Option<&str>) -> Result<Filter> {
        let above = self.peek() == Some('>');
        self.at += 1;
        let included = self.peek() == Some('=');
        self.at += usize::from(included);
        self.spaces();
        let value = match self.peek() {
            Some('"') => self.quoted()?,
            _ => self.bare().into_iter().collect(),
        };
        // The end of what has been rounded, for `>` and `<=`.
        let bound = self.bound(field, &value, included, above != included)?;
        match above {
            true => self.ranged(field, bound, Bound::Unbounded),
            false => self.ranged(field, Bound::Unbounded, bound),
        }
    }

    fn bound(&self, field: Option<&str>, text: &str, included: bool, end: bool) -> Result<Bound> {
        let text = text.trim_matches('"');
        if text.is_empty() || text == "*" {
            return Ok(Bound::Unbounded);
        }
        let name = field.map(field_name).unwrap_or_default();
        let value = match kind_of(name) {
            Kind::Date => {
                let millis = text.parse().ok().filter(|_| text.len() > 9);
                let millis = millis.map(Timestamp::from_millis).map(|time| (time, time));
                let span = millis.or_else(|| parse_instant(text, self.context.now));
                let Some((start, after)) = span else {
                    return Err(self.wrong(&format!("{text:?} is no time")));
                };
                let last = if after > start { Timestamp(after.0 - 1) } else { after };
                if end { last.to_string() } else { start.to_string() }
            }
            _ => text.to_owned(),
        };
        Ok(if included { Bound::Included(value) } else { Bound::Excluded(value) })
    }

    fn ranged(&self, field: Option<&str>, lower: Bound, upper: Bound) -> Result<Filter> {
        match field {
            Some(field) => Ok(Filter::Range { field: field_name(field).to_owned(), lower, upper }),
            None => Err(self.wrong("a range needs a field before it")),
        }
    }
}

fn one_of(mut ways: Vec<Filter>) -> Filter {
    if ways.len() == 1 { ways.remove(0) } else { Filter::Or(ways) }
}

/// Clauses as Lucene puts them together: what must, what must not, and else any (or all).
fn combine(clauses: Vec<(Occurs, Filter)>, all: bool) -> Filter {
    let (mut must, mut should) = (Vec::new(), Vec::new());
    for (occurs, filter) in clauses {
        match occurs {
            Occurs::Must => must.push(filter),
            Occurs::MustNot => must.push(Filter::Not(Box::new(filter))),
            Occurs::Should if all => must.push(filter),
            Occurs::Should => should.push(filter),
        }
    }
    let positive = must.iter().any(|filter| !matches!(filter, Filter::Not(_)));
    if !positive && !should.is_empty() {
        must.insert(0, one_of(should));
    }
    match must.len() {
        0 => Filter::All,
        1 => must.remove(0),
        _ => Filter::And(must),
    }
}
