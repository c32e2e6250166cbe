//! [`Filter`] → [`Node`]: the same tree with every value read and every pattern compiled.

use tocsin_model::EventId;

use crate::error::{Result, StoreError};
use crate::filter::{Filter, WordsMode};
use crate::pattern::Pattern;
use crate::test::{Class, Test, Wanted, parse_network};
use crate::words::{cut, for_each_text, lower_pattern, words};

/// The deepest nesting of a filter.
pub(crate) const DEPTH_MAX: usize = 100;
/// The most words of one phrase or list of words.
pub(crate) const WORDS_MAX: usize = 256;

/// A filter, ready to be asked or turned into an index query.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    All,
    None,
    /// A value of the field satisfies the test. The class is one with values.
    Value {
        field: String,
        class: Class,
        test: Test,
    },
    /// The field, or one below it, has a value.
    Exists(String),
    /// The event is one of these.
    Ids(Vec<EventId>),
    /// All or any of the phrases occur in the text.
    Words {
        field: String,
        class: Class,
        phrases: Vec<Vec<String>>,
        all: bool,
    },
    /// A word of the text satisfies the test.
    Word {
        field: String,
        class: Class,
        test: Test,
    },
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
}

/// Reads a filter; `class_of` says how a field compares.
pub(crate) fn plan(filter: &Filter, class_of: &dyn Fn(&str) -> Class) -> Result<Node> {
    Planner { class_of }.node(filter, 0)
}

struct Planner<'a> {
    class_of: &'a dyn Fn(&str) -> Class,
}

impl Planner<'_> {
    fn node(&self, filter: &Filter, depth: usize) -> Result<Node> {
        if depth > DEPTH_MAX {
            return Err(StoreError::BadRequest(format!(
                "the filter is nested more than {DEPTH_MAX} deep"
            )));
        }
        let each = |filters: &[Filter]| {
            filters.iter().map(|filter| self.node(filter, depth + 1)).collect::<Result<Vec<_>>>()
        };
        match filter {
            Filter::All => Ok(Node::All),
            Filter::And(filters) => Ok(Node::And(each(filters)?)),
            Filter::Or(filters) => Ok(Node::Or(each(filters)?)),
            Filter::Not(filter) => Ok(Node::Not(Box::new(self.node(filter, depth + 1)?))),
            Filter::Term { field, value } => self.values(field, std::slice::from_ref(value)),
            Filter::Terms { field, values } => self.values(field, values),
            Filter::Range { field, lower, upper } => {
                let class = (self.class_of)(field);
                let test = Test::range(field, class, lower, upper)?;
                Ok(Node::Value { field: field.clone(), class, test })
            }
            Filter::Exists { field } => Ok(match (self.class_of)(field) {
                Class::Time | Class::Ingested | Class::Id => Node::All,
                // Its id is below it.
                _ if field == "event" => Node::All,
                _ => Node::Exists(field.clone()),
            }),
            Filter::Prefix { field, value } => {
                self.pattern(field, value, |value| Ok(Test::Prefix(value.to_owned())))
            }
            Filter::Wildcard { field, pattern } => {
                self.pattern(field, pattern, |p| Ok(Test::Pattern(Pattern::wildcard(p))))
            }
            Filter::Regex { field, pattern } => self.regex(field, pattern),
            Filter::Cidr { field, network } => self.network(field, network),
            Filter::Words { field, text, mode } => {
                let field = field.as_deref().unwrap_or(crate::ANY_TEXT);
                self.words(field, text, *mode)
            }
        }
    }

    fn values(&self, field: &str, values: &[String]) -> Result<Node> {
        let class = (self.class_of)(field);
        match class {
            Class::Text | Class::AnyText => {
                let any: Result<Vec<Node>> = values
                    .iter()
                    .map(|value| self.words(field, value, WordsMode::Phrase))
                    .collect();
                Ok(Node::Or(any?))
            }
            Class::Id => Ok(Node::Ids(values.iter().filter_map(|id| EventId::parse(id)).collect())),
            _ => {
                let wanted = values.iter().map(|value| Wanted::parse(value)).collect();
                Ok(Node::Value { field: field.to_owned(), class, test: Test::Values(wanted) })
            }
        }
    }

    fn pattern(
        &self,
        field: &str,
        pattern: &str,
        test: impl Fn(&str) -> Result<Test>,
    ) -> Result<Node> {
        let class = (self.class_of)(field);
        match class {
            Class::Text | Class::AnyText => {
                let test = test(&lower_pattern(pattern))?;
                Ok(Node::Word { field: field.to_owned(), class, test })
            }
            Class::Id | Class::Time | Class::Ingested => Err(StoreError::BadRequest(format!(
                "{field}: takes no pattern; give a whole value or a range"
            ))),
            _ => Ok(Node::Value { field: field.to_owned(), class, test: test(pattern)? }),
        }
    }

    fn regex(&self, field: &str, pattern: &str) -> Result<Node> {
        let class = (self.class_of)(field);
        let by_word = matches!(class, Class::Text | Class::AnyText);
        let test = Test::Pattern(Pattern::regex(field, pattern, by_word)?);
        match class {
            Class::Text | Class::AnyText => Ok(Node::Word { field: field.to_owned(), class, test }),
            _ => self.pattern(field, pattern, |_| Ok(test.clone())),
        }
    }

    fn network(&self, field: &str, network: &str) -> Result<Node> {
        let class = (self.class_of)(field);
        let Some((low, high)) = parse_network(network) else {
            return Err(StoreError::BadRequest(format!(
                "{field}: {network:?} is not a network such as 192.0.2.0/24 or 2001:db8::/32"
            )));
        };
        match class {
            Class::Ip | Class::Keyword | Class::Dynamic => {
                let test = Test::Network(low, high);
                Ok(Node::Value { field: field.to_owned(), class, test })
            }
            _ => Err(StoreError::BadRequest(format!(
                "{field}: holds no addresses, so it is in no network"
            ))),
        }
    }

    fn words(&self, field: &str, text: &str, mode: WordsMode) -> Result<Node> {
        let class = (self.class_of)(field);
        match class {
            Class::Text | Class::AnyText => {}
            // Fields without words: the text is one value, as in Kibana.
            _ => return self.values(field, &[text.to_owned()]),
        }
        // A whole line may be asked for: what of lines is not searched is not asked for either.
        let mut parts = Vec::new();
        match class {
            Class::AnyText => for_each_text(text, |part| parts.push(part)),
            _ => parts.push(text),
        }
        // What stands together is meant together: `a-b` is a phrase of two words.
        let mut phrases: Vec<Vec<String>> = match mode {
            WordsMode::Phrase => parts.into_iter().map(words).collect(),
            WordsMode::All | WordsMode::Any => {
                parts.into_iter().flat_map(str::split_whitespace).map(words).collect()
            }
        };
        phrases.retain(|phrase| !phrase.is_empty());
        if phrases.iter().map(Vec::len).sum::<usize>() > WORDS_MAX {
            return Err(StoreError::BadRequest(format!(
                "{:?}… has more than {WORDS_MAX} words",
                cut(text, 40)
            )));
        }
        if phrases.is_empty() {
            return Ok(Node::None);
        }
        let all = mode != WordsMode::Any;
        Ok(Node::Words { field: field.to_owned(), class, phrases, all })
    }
}
