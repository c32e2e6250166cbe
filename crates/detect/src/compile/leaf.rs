//! [`Leaf`]: one test of one field, ready to run on a value. In: a folded and a raw text, a
//! number, an address. Out: yes or no.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use ahash::AHashSet;
use ipnet::IpNet;
use regex_automata::meta::Regex;
use tocsin_model::Value;

use super::background::Background;
use super::scan::{Needle, Scanner};
use crate::number::{Number, Operator};
use crate::pattern::Pattern;
use crate::rule::{ItemTest, Part, TimePart};
use crate::when;

/// A test of the values of one slot.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The slot whose values are tested.
    pub(crate) slot: u32,
    /// The slot compared with, for field references.
    pub(crate) other: u32,
    /// As written.
    pub(crate) test: Arc<ItemTest>,
    /// Made ready.
    ready: Ready,
}

#[derive(Debug)]
enum Ready {
    /// Nothing to prepare.
    Plain,
    Few,
    Many(Box<ManyTexts>),
    Regexes(Box<[OnceLock<Option<Regex>>]>),
}

/// A long list of texts.
#[derive(Debug)]
struct ManyTexts {
    exact: AHashSet<Box<str>>,
    /// The others, with a text that each must have in it.
    others: Vec<Pattern>,
    /// Places in `others` without such a text.
    open: Vec<usize>,
    finder: OnceLock<Scanner>,
    finder_places: Vec<usize>,
}

/// Longer lists than this are looked up instead of tried one by one.
const FEW_MAX: usize = 8;

/// A value as a leaf sees it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) value: Value<'a>,
    /// As text, as written; `None` when it is no scalar.
    pub(crate) raw: Option<&'a str>,
    /// As text, folded.
    pub(crate) folded: &'a str,
}

impl Leaf {
    /// Prepares a test.
    pub(crate) fn new(slot: u32, other: u32, test: Arc<ItemTest>) -> Self {
        let ready = match &*test {
            ItemTest::Texts { patterns, .. } if patterns.len() > FEW_MAX => {
                Ready::Many(Box::new(ManyTexts::new(patterns)))
            }
            ItemTest::Texts { .. } => Ready::Few,
            ItemTest::Regexes(sources) => {
                Ready::Regexes(sources.iter().map(|_| OnceLock::new()).collect())
            }
            _ => Ready::Plain,
        };
        Self { slot, other, test, ready }
    }

    /// Whether one value passes. Presence, null and field references are decided by the caller.
    pub(crate) fn passes(&self, seen: Seen<'_>) -> bool {
        match &*self.test {
            ItemTest::Texts { patterns, cased } => {
                let Some(raw) = seen.raw else { return false };
                self.text_passes(patterns, if *cased { raw } else { seen.folded })
            }
            ItemTest::Numbers(numbers) => match Number::of_numeric(seen.value) {
                Some(value) => numbers.iter().any(|number| Operator::Eq.holds(value, *number)),
                None => false,
            },
            ItemTest::Regexes(_) => seen
                .raw
                .is_some_and(|raw| self.regex_places().any(|at| self.regex_matches(at, raw))),
            ItemTest::Networks(networks) => {
                seen.raw.and_then(address).is_some_and(|ip| within(networks, ip))
            }
            ItemTest::Compare(operator, numbers) => match Number::of_value(seen.value) {
                Some(value) => numbers.iter().any(|number| operator.holds(value, *number)),
                None => false,
            },
            ItemTest::Time(part, operator, numbers) => {
                match seen.raw.and_then(|raw| time_part(*part, raw)) {
                    Some(value) => numbers.iter().any(|number| operator.holds(value, *number)),
                    None => false,
                }
            }
            ItemTest::Exists | ItemTest::Null | ItemTest::FieldRef { .. } => false,
        }
    }

    fn text_passes(&self, patterns: &[Pattern], text: &str) -> bool {
        match &self.ready {
            Ready::Many(many) => many.matches(text),
            _ => patterns.iter().any(|pattern| pattern.matches(text)),
        }
    }

    fn regex_places(&self) -> impl Iterator<Item = usize> {
        0..match &self.ready {
            Ready::Regexes(list) => list.len(),
            _ => 0,
        }
    }

    fn regex(&self, at: usize) -> Option<&Regex> {
        let (Ready::Regexes(list), ItemTest::Regexes(sources)) = (&self.ready, &*self.test) else {
            return None;
        };
        // Compiled when first needed; that it can be was checked when the rule was loaded.
        list.get(at)?.get_or_init(|| sources.get(at)?.compile().ok()).as_ref()
    }

    fn regex_matches(&self, at: usize, raw: &str) -> bool {
        self.regex(at).is_some_and(|regex| regex.is_match(raw))
    }

    /// Compiles what is compiled when first needed, to see whether it can be.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let ItemTest::Regexes(sources) = &*self.test {
            for (at, source) in sources.iter().enumerate() {
                if self.regex(at).is_none() {
                    source.compile()?;
                }
            }
        }
        Ok(())
    }

    /// Which part of a passing value made it pass: bytes of the folded text, or of the raw text
    /// when the test looks at that.
    pub(crate) fn span(&self, seen: Seen<'_>) -> Option<(usize, usize, bool)> {
        match &*self.test {
            ItemTest::Texts { patterns, cased } => {
                let text = if *cased { seen.raw? } else { seen.folded };
                let (start, end) = patterns.iter().find_map(|pattern| pattern.find(text))?;
                Some((start, end, *cased))
            }
            ItemTest::Regexes(_) => {
                let raw = seen.raw?;
                let found = self.regex_places().find_map(|at| self.regex(at)?.find(raw))?;
                Some((found.start(), found.end(), true))
            }
            _ => self.passes(seen).then(|| (0, seen.raw.map_or(0, str::len), true)),
        }
    }
}

impl ManyTexts {
    fn new(patterns: &[Pattern]) -> Self {
        let mut exact = AHashSet::new();
        let mut others = Vec::new();
        for pattern in patterns {
            match pattern {
                Pattern::Exact(text) => {
                    exact.insert(text.clone());
                }
                other => others.push(other.clone()),
            }
        }
        let (open, finder_places) =
            (0..others.len()).partition(|place| others[*place].required().is_none());
        Self { exact, others, open, finder: OnceLock::new(), finder_places }
    }

    fn matches(&self, text: &str) -> bool {
        if self.exact.contains(text) {
            return true;
        }
        if self.open.iter().any(|place| self.others[*place].matches(text)) {
            return true;
        }
        if self.finder_places.len() <= FEW_MAX {
            return self.finder_places.iter().any(|place| self.others[*place].matches(text));
        }
        let finder = self.finder.get_or_init(|| self.build());
        let mut matches = false;
        finder.scan(text.as_bytes(), |found| {
            let place = self.finder_places[found as usize];
            matches = matches || self.others[place].matches(text);
        });
        matches
    }

    fn build(&self) -> Scanner {
        let texts = self.finder_places.iter().filter_map(|place| self.others[*place].required());
        let needles = texts.map(|text| Needle { text: text.into(), start: false, end: false });
        Scanner::new(&needles.collect::<Vec<_>>(), Background::shared())
    }
}

/// An address as text; IPv4 written as IPv6 (`::ffff:10.0.0.1`) is IPv4.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

fn within(networks: &[IpNet], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&ip))
}

fn time_part(part: TimePart, raw: &str) -> Option<Number> {
    let time = when::parse_civil(raw)?;
    let number = match part {
        TimePart::Minute => i128::from(time.minute()),
        TimePart::Hour => i128::from(time.hour()),
        TimePart::Day => i128::from(time.day()),
        TimePart::Week => i128::from(time.date().iso_week_date().week()),
        TimePart::Month => i128::from(time.month()),
        TimePart::Year => i128::from(time.year()),
    };
    Some(Number::Int(number))
}

/// Compares two texts, both folded or both raw.
pub(crate) fn compare_part(part: Part, text: &str, with: &str) -> bool {
    match part {
        Part::Whole => text == with,
        Part::Contains => text.contains(with),
        Part::Start => text.starts_with(with),
        Part::End => text.ends_with(with),
    }
}
