//! The modifiers after a field's name: words in, a [`Chain`] that says what is turned into what
//! and what decides out. An unknown word, or one that makes no sense where it stands, refuses.

use tocsin_content::yaml::nearest;

use super::value::Utf16;
use super::{Part, TimePart};
use crate::number::Operator;

/// What turns into another text, in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Transform {
    Windash,
    Utf16(Utf16),
    Base64,
    Base64Offset,
    Position(Part),
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Matcher {
    Text,
    Regex,
    Cidr,
    Compare(Operator),
    Exists,
    FieldRef,
    Time(TimePart),
}

/// A chain of modifiers, understood.
pub(crate) struct Chain {
    pub(crate) transforms: Vec<Transform>,
    pub(crate) matcher: Matcher,
    pub(crate) compare: Option<Operator>,
    pub(crate) all: bool,
    pub(crate) cased: bool,
    pub(crate) neq: bool,
    pub(crate) expand: bool,
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_all: bool,
}

const KNOWN: [&str; 34] = [
    "contains",
    "startswith",
    "endswith",
    "all",
    "cased",
    "neq",
    "exists",
    "windash",
    "base64",
    "base64offset",
    "utf16le",
    "utf16be",
    "utf16",
    "wide",
    "re",
    "i",
    "ignorecase",
    "m",
    "multiline",
    "s",
    "dotall",
    "cidr",
    "lt",
    "lte",
    "gt",
    "gte",
    "fieldref",
    "expand",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
];

impl Chain {
    /// Understands `modifiers`, or says which one it cannot honour.
    pub(crate) fn parse(modifiers: &[&str]) -> Result<Self, String> {
        let mut chain = Self {
            transforms: Vec::new(),
            matcher: Matcher::Text,
            compare: None,
            all: false,
            cased: false,
            neq: false,
            expand: false,
            ignore_case: false,
            multi_line: false,
            dot_all: false,
        };
        for modifier in modifiers {
            chain.add(modifier)?;
        }
        chain.check()?;
        Ok(chain)
    }

    fn add(&mut self, modifier: &str) -> Result<(), String> {
        use Transform::{Base64, Base64Offset, Position, Windash};
        match modifier {
            "contains" => self.transform(Position(Part::Contains))?,
            "startswith" => self.transform(Position(Part::Start))?,
            "endswith" => self.transform(Position(Part::End))?,
            "windash" => self.transform(Windash)?,
            "base64" => self.transform(Base64)?,
            "base64offset" => self.transform(Base64Offset)?,
            "utf16le" | "wide" => self.transform(Transform::Utf16(Utf16::Little))?,
            "utf16be" => self.transform(Transform::Utf16(Utf16::Big))?,
            "utf16" => self.transform(Transform::Utf16(Utf16::Marked))?,
            "all" => self.all = true,
            "cased" => self.cased = true,
            "neq" => self.neq = true,
            "expand" => self.expand = true,
            "re" => self.decide(Matcher::Regex, modifier)?,
            "cidr" => self.decide(Matcher::Cidr, modifier)?,
            "exists" => self.decide(Matcher::Exists, modifier)?,
            "fieldref" => self.decide(Matcher::FieldRef, modifier)?,
            "i" | "ignorecase" => self.flag(modifier, |chain| &mut chain.ignore_case)?,
            "m" | "multiline" => self.flag(modifier, |chain| &mut chain.multi_line)?,
            "s" | "dotall" => self.flag(modifier, |chain| &mut chain.dot_all)?,
            "minute" => self.decide(Matcher::Time(TimePart::Minute), modifier)?,
            "hour" => self.decide(Matcher::Time(TimePart::Hour), modifier)?,
            "day" => self.decide(Matcher::Time(TimePart::Day), modifier)?,
            "week" => self.decide(Matcher::Time(TimePart::Week), modifier)?,
            "month" => self.decide(Matcher::Time(TimePart::Month), modifier)?,
            "year" => self.decide(Matcher::Time(TimePart::Year), modifier)?,
            "lt" | "lte" | "gt" | "gte" => {
                let operator = Operator::parse(modifier).unwrap_or(Operator::Eq);
                match self.matcher {
                    Matcher::Time(_) if self.compare.is_none() => self.compare = Some(operator),
                    _ => self.decide(Matcher::Compare(operator), modifier)?,
                }
            }
            unknown => {
                let hint = nearest(unknown, KNOWN)
                    .map_or_else(String::new, |near| format!(", did you mean {near:?}?"));
                return Err(format!("unknown modifier {unknown:?}{hint}"));
            }
        }
        Ok(())
    }

    fn transform(&mut self, next: Transform) -> Result<(), String> {
        let positioned =
            |list: &[Transform]| list.iter().any(|one| matches!(one, Transform::Position(_)));
        match next {
            Transform::Position(_) if positioned(&self.transforms) => {
                return Err("only one of contains, startswith and endswith can be used".to_owned());
            }
            Transform::Position(_) | Transform::Windash => {}
            _ if positioned(&self.transforms) => {
                return Err("encodings must stand before contains, startswith and endswith: \
                            the wildcards these add cannot be encoded"
                    .to_owned());
            }
            _ => {}
        }
        self.transforms.push(next);
        Ok(())
    }

    fn decide(&mut self, matcher: Matcher, name: &str) -> Result<(), String> {
        if self.matcher != Matcher::Text {
            return Err(format!("modifier {name:?} cannot follow the ones before it"));
        }
        self.matcher = matcher;
        Ok(())
    }

    fn flag(&mut self, name: &str, flag: fn(&mut Self) -> &mut bool) -> Result<(), String> {
        if self.matcher != Matcher::Regex {
            return Err(format!("modifier {name:?} is only understood after re"));
        }
        *flag(self) = true;
        Ok(())
    }

    fn check(&self) -> Result<(), String> {
        let only_positions =
            self.transforms.iter().all(|one| matches!(one, Transform::Position(_)));
        let fits = match self.matcher {
            Matcher::Text => true,
            Matcher::FieldRef => only_positions && !self.expand,
            Matcher::Regex => self.transforms.is_empty(),
            Matcher::Cidr => self.transforms.is_empty() && !self.cased,
            Matcher::Compare(_) | Matcher::Time(_) => {
                self.transforms.is_empty() && !self.cased && !self.expand
            }
            Matcher::Exists => {
                self.transforms.is_empty() && !(self.cased || self.expand || self.all || self.neq)
            }
        };
        if fits { Ok(()) } else { Err("these modifiers cannot be used together".to_owned()) }
    }

    /// Whether the chain makes no sense for keywords.
    pub(crate) fn needs_field(&self) -> bool {
        self.matcher != Matcher::Text && self.matcher != Matcher::Regex
            || self
                .transforms
                .iter()
                .any(|one| matches!(one, Transform::Position(Part::Start | Part::End)))
    }
}
