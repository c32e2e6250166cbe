//! Rules as written: YAML documents in, typed rules out, with the place and reason of whatever
//! cannot be honoured exactly. Knows nothing of events or of how matching is done.

pub(crate) mod chain;
pub(crate) mod condition;
pub(crate) mod correlation;
pub(crate) mod detection;
pub(crate) mod document;
pub(crate) mod encoded;
pub(crate) mod modifier;
pub(crate) mod regex;
pub(crate) mod sequence;
pub(crate) mod value;

use std::sync::Arc;

use ipnet::IpNet;
use tocsin_content::Node;
use tocsin_content::yaml::Place;
use tocsin_model::RuleMeta;

use crate::number::{Number, Operator};
use crate::pattern::Pattern;
use condition::Condition;
pub(crate) use correlation::CorrelationDoc;

/// Why something in a rule is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// Where.
    pub(crate) place: Place,
    /// Why, and what to do.
    pub(crate) message: String,
}

/// A refusal at a node.
pub(crate) fn refuse<T>(node: &Node, message: impl Into<String>) -> Result<T, Refusal> {
    refuse_at(node.place, message)
}

/// A refusal at a place.
pub(crate) fn refuse_at<T>(place: Place, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { place, message: message.into() })
}

/// `category`, `product`, `service`, folded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(crate) struct LogSource {
    pub(crate) category: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) service: Option<String>,
}

impl LogSource {
    /// The three, in order.
    pub(crate) fn parts(&self) -> [&Option<String>; 3] {
        [&self.category, &self.product, &self.service]
    }

    /// Whether everything that this names is the same in `other`.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.parts().iter().zip(other.parts()).all(|(own, its)| own.is_none() || *own == its)
    }

    /// Whether nothing is named.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts().iter().all(|part| part.is_none())
    }
}

/// `category=a product=b`, or `any`.
impl std::fmt::Display for LogSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return f.write_str("any");
        }
        let mut gap = "";
        for (name, part) in ["category", "product", "service"].iter().zip(self.parts()) {
            if let Some(part) = part {
                write!(f, "{gap}{name}={part}")?;
                gap = " ";
            }
        }
        Ok(())
    }
}

/// What a search identifier asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Search {
    And(Vec<Search>),
    Or(Vec<Search>),
    Not(Box<Search>),
    Item(Item),
}

/// One test of one field; true when any value of the field passes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    /// The field as the rule names it; `None` for keywords, which look into every value.
    pub(crate) field: Option<String>,
    pub(crate) test: ItemTest,
}

/// The test of an [`Item`]; where there are several values, one is enough.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ItemTest {
    /// The value as text.
    Texts { patterns: Vec<Pattern>, cased: bool },
    /// The value is a number (not text) equal to one of these.
    Numbers(Vec<Number>),
    /// The value as text, searched.
    Regexes(Vec<regex::Source>),
    /// The value as an address.
    Networks(Vec<IpNet>),
    /// The value as a number, or text that is one.
    Compare(Operator, Vec<Number>),
    /// The field is there, whatever it holds.
    Exists,
    /// The field is absent or null.
    Null,
    /// The value against that of another field of the same event.
    FieldRef { other: String, part: Part, cased: bool },
    /// A component of the value as a time.
    Time(TimePart, Operator, Vec<Number>),
}

/// Which part of the value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    Whole,
    Contains,
    Start,
    End,
}

/// A component of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum TimePart {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Named searches and the conditions over them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Detection {
    pub(crate) searches: Vec<(String, Search)>,
    /// Any of them makes the rule true.
    pub(crate) conditions: Vec<Condition>,
}

/// A detection rule.
#[derive(Debug, Clone)]
pub(crate) struct RuleDoc {
    pub(crate) meta: Arc<RuleMeta>,
    pub(crate) place: Place,
    pub(crate) log_source: LogSource,
    pub(crate) detection: Detection,
}

/// What a filter applies to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FilterTarget {
    /// Every rule of its log source.
    Any,
    /// The rules with these ids or names.
    Rules(Vec<(String, Place)>),
}

/// A filter: a condition more for the rules it applies to.
#[derive(Debug, Clone)]
pub(crate) struct FilterDoc {
    pub(crate) title: String,
    pub(crate) path: Arc<str>,
    pub(crate) log_source: LogSource,
    pub(crate) target: FilterTarget,
    pub(crate) detection: Detection,
}

/// A document of a rule file.
#[derive(Debug, Clone)]
pub(crate) enum Document {
    Rule(Box<RuleDoc>),
    Correlation(Box<CorrelationDoc>),
    Filter(Box<FilterDoc>),
}
