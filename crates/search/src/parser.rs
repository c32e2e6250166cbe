//! KQL text → [`Filter`]: recursive descent.
//!
//! ```text
//! or    := and ("or" and)*
//! and   := not ("and" not)*
//! not   := "not" not | "(" or ")" | clause
//! clause:= field ":" values | field ":" "{" or "}" | field (">=" | ">" | "<=" | "<") value | field "~" regex | value
//! values:= value | "(" values with and, or, not ")"
//! ```

use std::ops::Range;
use std::time::SystemTime;

use tocsin_model::Timestamp;
use tocsin_store::Filter;

use crate::error::QueryError;
use crate::fields::{is_known, known_names, nearest, slip_of};
use crate::literal::{Ch, Literal, trim};
use crate::value::{Target, range, regex};

/// The longest query, bytes.
pub(crate) const QUERY_BYTES_MAX: usize = 64 * 1024;
/// The deepest nesting of parentheses and `not`.
pub(crate) const DEPTH_MAX: usize = 50;

type Result<T> = std::result::Result<T, QueryError>;

/// What a query is read with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What `now` means.
    pub now: Timestamp,
    /// Names that stored events have, beside the dictionary's. With `None` every name is taken
    /// that is not just a slip of a known one.
    pub fields: Option<&'a [String]>,
}

/// Reads a query; the empty query means every event. `now` is the system's clock.
pub fn parse(text: &str) -> Result<Filter> {
    let now = Timestamp::from_system(SystemTime::now());
    parse_in(text, Context { now, fields: None })
}

/// Reads a query in a context.
pub fn parse_in(text: &str, context: Context<'_>) -> Result<Filter> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("the query is longer than {QUERY_BYTES_MAX} bytes");
        return Err(QueryError::new(0..text.len(), message));
    }
    let mut parser = Parser { text, at: 0, context, within: String::new() };
    parser.skip_spaces();
    if parser.at == text.len() {
        return Ok(Filter::All);
    }
    let filter = parser.or(None, 0)?;
    parser.skip_spaces();
    match parser.peek() {
        None => Ok(filter),
        Some(')') => Err(parser.wrong("this parenthesis closes nothing")),
        Some('}') => Err(parser.wrong("this brace closes nothing; quote the value")),
        Some(_) => Err(parser.wrong("write \"and\" or \"or\" before this")),
    }
}

pub(crate) struct Parser<'a> {
    text: &'a str,
    at: usize,
    context: Context<'a>,
    /// What the names of fields begin with inside braces, with the dot behind; empty outside.
    within: String,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    /// An error at the next character.
    fn wrong(&self, message: &str) -> QueryError {
        let len = self.peek().map_or(0, char::len_utf8);
        QueryError::new(self.at..self.at + len, message)
    }

    /// Whether the word stands here, with something that ends it behind.
    fn is_keyword(&self, word: &str) -> bool {
        let rest = self.rest();
        let Some(head) = rest.get(..word.len()) else { return false };
        let after = rest[word.len()..].chars().next();
        head.eq_ignore_ascii_case(word)
            && after.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '"'))
    }

    fn take_keyword(&mut self, word: &str) -> bool {
        self.skip_spaces();
        let found = self.is_keyword(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn or(&mut self, field: Option<&Target>, depth: usize) -> Result<Filter> {
        let mut all = vec![self.and(field, depth)?];
        while self.take_keyword("or") {
            all.push(self.and(field, depth)?);
        }
        if all.len() == 1 {
            return Ok(all.remove(0));
        }
        Ok(field.and_then(|field| field.list(&all)).unwrap_or(Filter::Or(all)))
    }

    fn and(&mut self, field: Option<&Target>, depth: usize) -> Result<Filter> {
        let mut all = vec![self.not(field, depth)?];
        while self.take_keyword("and") {
            all.push(self.not(field, depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::And(all) })
    }

    fn not(&mut self, field: Option<&Target>, depth: usize) -> Result<Filter> {
        self.skip_spaces();
        if depth > DEPTH_MAX {
            return Err(self.wrong(&format!("nested more than {DEPTH_MAX} deep")));
        }
        if self.take_keyword("not") {
            return Ok(Filter::Not(Box::new(self.not(field, depth + 1)?)));
        }
        let start = self.at;
        if !self.take("(") {
            return match field {
                Some(field) => self.value(field),
                None => self.clause(depth),
            };
        }
        let inner = self.or(field, depth + 1)?;
        self.skip_spaces();
        if !self.take(")") {
            let open = QueryError::new(start..start + 1, "this parenthesis is never closed");
            let here = self.wrong("write \"and\" or \"or\" before this");
            return Err(if self.peek().is_none() { open } else { here });
        }
        Ok(inner)
    }

    fn clause(&mut self, depth: usize) -> Result<Filter> {
        for word in ["and", "or"] {
            if self.is_keyword(word) {
                let place = self.at..self.at + word.len();
                let message = format!("there is nothing before \"{word}\"; quote it to search it");
                return Err(QueryError::new(place, message));
            }
        }
        let start = self.at;
        if let Some(name) = self.field_name()? {
            let end = self.at;
            self.skip_spaces();
            if let Some(filter) = self.fielded(&name, start..end, depth)? {
                return Ok(filter);
            }
        }
        self.at = start;
        if !self.within.is_empty() {
            return Err(self.wrong("name a field: inside braces only parts of one are searched"));
        }
        self.value(&Target::free())
    }

    /// `user: { first: "Alice" and last: "White" }`: clauses about parts of a field.
    fn nested(&mut self, name: &Literal, place: Range<usize>, depth: usize) -> Result<Filter> {
        let name = match name {
            Literal::Quoted(name) => Some(name.clone()),
            Literal::Bare(chars) => crate::literal::text(chars),
        };
        let Some(name) = name else {
            return Err(QueryError::new(place, "a name before { must have no *"));
        };
        let open = self.at;
        self.take("{");
        let outer = self.within.clone();
        self.within = format!("{outer}{name}.");
        let inner = self.or(None, depth + 1)?;
        self.within = outer;
        self.skip_spaces();
        if self.take("}") {
            return Ok(inner);
        }
        let never = QueryError::new(open..open + 1, "this brace is never closed");
        let here = self.wrong("write \"and\" or \"or\" before this");
        Err(if self.peek().is_none() { never } else { here })
    }

    /// What follows a field's name; `None` when it is none.
    fn fielded(
        &mut self,
        name: &Literal,
        place: Range<usize>,
        depth: usize,
    ) -> Result<Option<Filter>> {
        let operator = [":", ">=", "<=", ">", "<", "~"].into_iter().find(|o| self.take(o));
        let Some(mut operator) = operator else { return Ok(None) };
        if operator == ":" {
            let after = self.at;
            self.skip_spaces();
            if self.peek() == Some('{') {
                return self.nested(name, place, depth).map(Some);
            }
            self.at = after;
        }
        let target = self.target(name, place)?;
        self.skip_spaces();
        if operator == ":" {
            // As many write it.
            operator = [">=", "<=", ">", "<"].into_iter().find(|o| self.take(o)).unwrap_or(":");
            self.skip_spaces();
        }
        let start = self.at;
        match operator {
            ":" if self.peek() == Some('(') => self.not(Some(&target), depth + 1).map(Some),
            ":" => self.value(&target).map(Some),
            "~" => {
                let literal = self.literal()?;
                regex(&target, &literal, start..self.at).map(Some)
            }
            _ => {
                let literal = self.literal()?;
                range(&target, operator, &literal, start..self.at, self.context.now).map(Some)
            }
        }
    }

    fn value(&mut self, target: &Target) -> Result<Filter> {
        self.skip_spaces();
        let start = self.at;
        let literal = self.literal()?;
        target.filter(&literal, start..self.at, self.context.now)
    }

    /// A field's name, up to the operator or space that ends it; `None` when there is no name.
    fn field_name(&mut self) -> Result<Option<Literal>> {
        if self.peek() == Some('"') {
            return self.quoted().map(|name| Some(Literal::Quoted(name)));
        }
        let mut chars = Vec::new();
        while let Some(c) = self.peek() {
            if c.is_whitespace()
                || matches!(c, ':' | '<' | '>' | '~' | '(' | ')' | '"')
                || (c == '}' && !self.within.is_empty())
            {
                break;
            }
            chars.push(self.bare_char(c));
        }
        Ok((!chars.is_empty()).then_some(Literal::Bare(chars)))
    }

    fn bare_char(&mut self, c: char) -> Ch {
        self.at += c.len_utf8();
        match (c, self.peek()) {
            ('*', _) => Ch::Star,
            ('\\', Some(next)) => {
                self.at += next.len_utf8();
                Ch::Escaped(next)
            }
            _ => Ch::Plain(c),
        }
    }

    /// A value, quoted or bare.
    fn literal(&mut self) -> Result<Literal> {
        if self.peek() == Some('"') {
            return self.quoted().map(Literal::Quoted);
        }
        let mut chars = Vec::new();
        let mut one_word = true;
        while let Some(c) = self.peek() {
            if c.is_whitespace() {
                let here = self.at;
                self.skip_spaces();
                if ["and", "or", "not"].into_iter().any(|word| self.is_keyword(word)) {
                    break;
                }
                chars.extend(self.text[here..self.at].chars().map(Ch::Plain));
                one_word = false;
                continue;
            }
            match c {
                '(' | ')' | '"' => break,
                '}' if !self.within.is_empty() => break,
                // A value of one word may hold colons: addresses, times, URLs.
                ':' | '<' | '>' if !one_word => {
                    return Err(self.wrong(
                        "write \"and\" or \"or\" between two clauses, or quotes around the value",
                    ));
                }
                '{' | '}' if chars.is_empty() => {
                    return Err(
                        self.wrong("a brace stands behind the name of a field; quote the value")
                    );
                }
                c => chars.push(self.bare_char(c)),
            }
        }
        let chars = trim(chars);
        if chars.is_empty() {
            return Err(self.wrong("a value is missing here"));
        }
        Ok(Literal::Bare(chars))
    }

    fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match (c, self.peek()) {
                ('"', _) => return Ok(value),
                ('\\', Some(next)) => {
                    self.at += next.len_utf8();
                    match next {
                        'n' => value.push('\n'),
                        'r' => value.push('\r'),
                        't' => value.push('\t'),
                        '"' | '\\' => value.push(next),
                        // Only these are escapes, so that paths and expressions need no doubling.
                        other => value.extend(['\\', other]),
                    }
                }
                _ => value.push(c),
            }
        }
        Err(QueryError::new(start..self.text.len(), "this quote is never closed"))
    }

    /// The fields that a name means.
    fn target(&self, name: &Literal, place: Range<usize>) -> Result<Target> {
        match name {
            // A quoted name is taken as it is.
            Literal::Quoted(name) => Ok(Target::one(&format!("{}{name}", self.within))),
            Literal::Bare(chars) if !self.within.is_empty() => {
                let outer = self.within.chars().map(Ch::Plain);
                self.named(&outer.chain(chars.iter().copied()).collect::<Vec<_>>(), place)
            }
            Literal::Bare(chars) => self.named(chars, place),
        }
    }

    fn named(&self, chars: &[Ch], place: Range<usize>) -> Result<Target> {
        match crate::literal::text(chars) {
            Some(name) => {
                self.check_name(&name, place)?;
                Ok(Target::one(&name))
            }
            None if crate::literal::is_star(chars) => Ok(Target::free()),
            None => self.matching(&crate::literal::pattern(chars), place),
        }
    }

    fn check_name(&self, name: &str, place: Range<usize>) -> Result<()> {
        if is_known(name) || name == tocsin_store::ANY_TEXT {
            return Ok(());
        }
        let suggestion = match self.context.fields {
            None => slip_of(name),
            Some(stored) => {
                let below = |known: &String| {
                    known.strip_prefix(name).is_some_and(|r| r.is_empty() || r.starts_with('.'))
                };
                if stored.iter().any(below) {
                    return Ok(());
                }
                nearest(name, all_names(stored))
            }
        };
        match (suggestion, self.context.fields) {
            (None, None) => Ok(()),
            (Some(other), _) => Err(QueryError::new(
                place,
                format!("no field {name}; did you mean {other}? (quote the name to search it)"),
            )),
            (None, Some(_)) => Err(QueryError::new(
                place,
                format!("no event has a field {name} (quote the name to search it all the same)"),
            )),
        }
    }

    /// The fields whose names match a wildcard.
    fn matching(&self, pattern: &str, place: Range<usize>) -> Result<Target> {
        let stored = self.context.fields.unwrap_or_default();
        let mut found: Vec<String> = all_names(stored)
            .filter(|name| tocsin_store::wildcard_matches(pattern, name))
            .map(str::to_owned)
            .collect();
        found.sort();
        found.dedup();
        if found.is_empty() {
            return Err(QueryError::new(place, "no field has a name like this"));
        }
        Ok(Target::many(found))
    }
}

fn all_names(stored: &[String]) -> impl Iterator<Item = &str> {
    known_names().map(|name| -> &str { name }).chain(stored.iter().map(String::as_str))
}
