//! `simple_query_string`: words with `+` (and), `|` (or), `-` (not), `"phrases"`, `start*` and
//! parentheses → [`Filter`]. What does not close is read as if it did: this language has no errors.

use tocsin_store::Filter;

use crate::elastic::lucene::{self, Lucene};

/// The deepest nesting.
const DEPTH_MAX: usize = 50;

/// Reads a text.
pub(super) fn parse(text: &str, context: &Lucene) -> Result<Filter, String> {
    let mut parser = Parser { chars: text.chars().collect(), at: 0, context };
    let mut whole = parser.group(0)?;
    // A `)` too many.
    while parser.at < parser.chars.len() {
        parser.at += 1;
        whole = combined(whole, parser.group(0)?, context.all);
    }
    Ok(whole.unwrap_or(Filter::All))
}

/// From left to right, without precedence.
fn combined(left: Option<Filter>, right: Option<Filter>, all: bool) -> Option<Filter> {
    match (left, right) {
        (Some(left), Some(right)) if all => Some(left.and(right)),
        (Some(Filter::Or(mut ways)), Some(right)) => {
            ways.push(right);
            Some(Filter::Or(ways))
        }
        (Some(left), Some(right)) => Some(Filter::Or(vec![left, right])),
        (left, right) => left.or(right),
    }
}

struct Parser<'a> {
    chars: Vec<char>,
    at: usize,
    context: &'a Lucene,
}

impl Parser<'_> {
    fn group(&mut self, depth: usize) -> Result<Option<Filter>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested more than {DEPTH_MAX} deep"));
        }
        let (mut whole, mut all, mut not) = (None, self.context.all, false);
        while let Some(&c) = self.chars.get(self.at) {
            let part = match c {
                ')' => break,
                c if c.is_whitespace() => {
                    self.at += 1;
                    continue;
                }
                '+' | '|' => {
                    self.at += 1;
                    all = c == '+';
                    continue;
                }
                '-' => {
                    self.at += 1;
                    not = !not;
                    continue;
                }
                '(' => {
                    self.at += 1;
                    let inner = self.group(depth + 1)?;
                    self.at += usize::from(self.chars.get(self.at) == Some(&')'));
                    inner
                }
                '"' => {
                    self.at += 1;
                    let phrase = self.until(&['"']);
                    self.at += 1;
                    self.weight();
                    Some(self.leaf(&format!("\"{}\"", escaped(&phrase)))?)
                }
                _ => {
                    let word = self.until(&['+', '|', '(', ')', '"', ' ', '\t', '\n']);
                    let word = word.split('~').next().unwrap_or_default();
                    match word.strip_suffix('*') {
                        _ if word.is_empty() => None,
                        Some("") => Some(Filter::All),
                        Some(start) => Some(self.leaf(&format!("{}*", escaped(start)))?),
                        None => Some(self.leaf(&format!("\"{}\"", escaped(word)))?),
                    }
                }
            };
            let part = if not { part.map(|part| Filter::Not(Box::new(part))) } else { part };
            whole = combined(whole, part, all);
            (all, not) = (self.context.all, false);
        }
        Ok(whole)
    }

    /// Up to one of these, which stays; `\` takes the next as it is.
    fn until(&mut self, ends: &[char]) -> String {
        let mut text = String::new();
        while let Some(&c) = self.chars.get(self.at) {
            if ends.contains(&c) {
                break;
            }
            self.at += 1;
            if c == '\\' {
                text.extend(self.chars.get(self.at));
                self.at += 1;
            } else {
                text.push(c);
            }
        }
        text
    }

    /// `~2` behind a phrase.
    fn weight(&mut self) {
        if self.chars.get(self.at) == Some(&'~') {
            self.until(&[' ', ')', '|', '+']);
        }
    }

    fn leaf(&self, text: &str) -> Result<Filter, String> {
        lucene::parse(text, self.context)
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii() && !c.is_ascii_alphanumeric() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
