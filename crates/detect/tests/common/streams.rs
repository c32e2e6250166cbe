//! A slow, plain evaluator of correlations: rules and a whole stream in, findings out. It looks at
//! every window anew, in the order of time, and keeps nothing from one to the next.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tocsin_content::{Node, yaml};

use super::reference::{self, as_text, condition_holds};

/// An event: its time in nanoseconds, its number, its fields.
#[derive(Debug, Clone)]
pub struct Item {
    pub time: i64,
    pub number: u64,
    pub json: Json,
}

/// A match of a rule, or a finding of an inner correlation.
#[derive(Debug, Clone)]
struct Match {
    /// Time, then the number of the (last) event: the order of matches.
    at: (i64, u64),
    /// Places in the list of rules; none when it only clears the window.
    places: Vec<usize>,
    clears: bool,
    group: Vec<String>,
    value: Vec<String>,
    /// Events behind it, newest last.
    events: Vec<Json>,
    /// Whether it is of a rule, and not of an inner correlation.
    direct: bool,
}

/// A finding: title, group, time.
pub type Found = (String, Vec<String>, i64);

/// Findings of a correlation, with the events behind each.
struct Hit {
    group: Vec<String>,
    at: (i64, u64),
    events: Vec<Json>,
}

/// All findings of every correlation in `text`, by title, whether or not it would alert.
pub fn findings(text: &str, items: &[Item]) -> Vec<Found> {
    let documents = yaml::parse(text).unwrap();
    let mut found = Vec::new();
    for document in documents.iter().filter(|one| one.get("correlation").is_some()) {
        let title = document.get("title").unwrap().as_text().unwrap();
        for hit in hits(document, &documents, items) {
            found.push((title.to_owned(), hit.group, hit.at.0));
        }
    }
    found.sort();
    found
}

fn named<'n>(documents: &'n [Node], name: &str) -> &'n Node {
    let is = |node: &&Node| {
        ["name", "id"].iter().any(|key| node.get(key).and_then(Node::as_text) == Some(name))
    };
    documents.iter().find(is).unwrap()
}

fn texts(node: Option<&Node>) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
    nodes.iter().map(|node| node.as_text().unwrap().to_owned()).collect()
}

/// The first text at a field of an event.
fn first(event: &Json, field: &str) -> Option<String> {
    match event.get(field)? {
        Json::Array(items) => items.iter().find_map(as_text),
        value => as_text(value),
    }
}

/// Every match of the rules of a correlation, in order.
fn matches_of(document: &Node, documents: &[Node], items: &[Item]) -> Vec<Match> {
    let correlation = document.get("correlation").unwrap();
    let rules = texts(correlation.get("rules"));
    let clearing = texts(document.get("tocsin").and_then(|own| own.get("reset_by")));
    let by = texts(correlation.get("group-by"));
    let fields = texts(correlation.get("condition").and_then(|node| node.get("field")));
    let mut names: Vec<&String> = rules.iter().chain(&clearing).collect();
    names.sort();
    names.dedup();
    let mut out: Vec<Match> = Vec::new();
    for name in names {
        let places: Vec<usize> = (0..rules.len()).filter(|place| rules[*place] == *name).collect();
        let clears = clearing.contains(name);
        let rule = named(documents, name);
        let alias = |field: &String| -> String {
            let aliases = correlation.get("aliases").and_then(|node| node.get(field));
            let own = aliases.and_then(|node| node.get(name)).and_then(Node::as_text);
            own.unwrap_or(field).to_owned()
        };
        let (by, fields): (Vec<String>, Vec<String>) =
            (by.iter().map(alias).collect(), fields.iter().map(alias).collect());
        let direct = rule.get("correlation").is_none();
        let mut put = |at, events: Vec<Json>, get: &dyn Fn(&str) -> Option<String>| {
            let group: Option<Vec<String>> = by.iter().map(|field| get(field)).collect();
            let value: Option<Vec<String>> = fields.iter().map(|field| get(field)).collect();
            let (Some(group), true) = (group, value.is_some() || clears) else { return };
            let value = value.unwrap_or_default();
            out.push(Match { at, places: places.clone(), clears, group, value, events, direct });
        };
        if direct {
            for item in items.iter().filter(|item| reference::matches(rule, &item.json, &[])) {
                let get = |field: &str| first(&item.json, field);
                put((item.time, item.number), vec![item.json.clone()], &get);
            }
            continue;
        }
        let inner_by = texts(rule.get("correlation").unwrap().get("group-by"));
        for hit in hits(rule, documents, items) {
            let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
            for event in hit.events.iter().rev() {
                let get = |field: &str| match inner_by.iter().position(|name| name == field) {
                    Some(place) => Some(hit.group[place].clone()),
                    None => first(event, field),
                };
                let group: Option<Vec<String>> = by.iter().map(|field| get(field)).collect();
                let whole = fields.iter().all(|field| get(field).is_some()) || clears;
                if group.is_some_and(|group| whole && seen.insert(group)) {
                    put(hit.at, vec![hit.events.last().unwrap().clone()], &get);
                }
            }
        }
    }
    out.sort_by(|left, right| {
        (left.at, left.clears, &left.places).cmp(&(right.at, right.clears, &right.places))
    });
    out
}

/// What one correlation finds.
fn hits(document: &Node, documents: &[Node], items: &[Item]) -> Vec<Hit> {
    let correlation = document.get("correlation").unwrap();
    let kind = correlation.get("type").unwrap().as_text().unwrap();
    let mut all = matches_of(document, documents, items);
    if kind != "temporal_ordered" {
        once_per_event(&mut all);
    }
    let groups: BTreeSet<Vec<String>> = all.iter().map(|one| one.group.clone()).collect();
    let mut out = Vec::new();
    for group in groups {
        let of_group: Vec<Match> = all.iter().filter(|one| one.group == group).cloned().collect();
        let stream = Stream { correlation, kind, matches: &of_group };
        if stream.waits_for_the_end() {
            stream.closed(&group, &mut out);
        } else {
            stream.sliding(&group, &mut out);
        }
    }
    out.sort_by(|left, right| (left.at, &left.group).cmp(&(right.at, &right.group)));
    out
}

/// An event that several listed rules match is one match.
fn once_per_event(all: &mut Vec<Match>) {
    let mut out: Vec<Match> = Vec::new();
    for one in all.drain(..) {
        let same = |known: &&mut Match| {
            known.at == one.at
                && known.group == one.group
                && known.value == one.value
                && known.direct
                && one.direct
        };
        match out.iter_mut().find(same) {
            Some(known) => {
                known.places.extend(&one.places);
                known.clears |= one.clears;
            }
            None => out.push(one),
        }
    }
    *all = out;
}

struct Stream<'n> {
    correlation: &'n Node,
    kind: &'n str,
    matches: &'n [Match],
}

impl Stream<'_> {
    fn span(&self) -> i64 {
        let text = self.correlation.get("timespan").unwrap().as_text().unwrap();
        text.strip_suffix('s').unwrap().parse::<i64>().unwrap() * 1_000_000_000
    }

    fn waits_for_the_end(&self) -> bool {
        let Some(condition) = self.correlation.get("condition") else { return false };
        match condition.as_text() {
            Some(text) => text.split([' ', '(']).any(|word| word == "not"),
            None => ["lt", "lte", "eq", "neq"].iter().any(|name| condition.get(name).is_some()),
        }
    }

    /// At each match, the window that ends there.
    fn sliding(&self, group: &[String], out: &mut Vec<Hit>) {
        let reset = self.matches.iter().any(|one| one.clears);
        for (end, last) in self.matches.iter().enumerate() {
            if last.places.is_empty() {
                continue;
            }
            let mut window: Vec<&Match> = self.matches[..=end].iter().collect();
            if self.kind == "temporal_ordered" {
                window.extend(self.matches[end + 1..].iter().filter(|one| one.at.0 == last.at.0));
            }
            window.retain(|one| one.at.0 >= last.at.0 - self.span());
            if reset {
                let before = window.iter().position(|one| std::ptr::eq(*one, last)).unwrap();
                if let Some(cleared) = window[..before].iter().rposition(|one| one.clears) {
                    window.drain(..=cleared);
                }
            }
            self.look(&window, last.at, Some(last), group, out);
        }
    }

    /// Windows one after the other.
    fn closed(&self, group: &[String], out: &mut Vec<Hit>) {
        let mut decided = i64::MIN;
        loop {
            let next = self.matches.iter().find(|one| !one.places.is_empty() && one.at.0 > decided);
            let Some(next) = next else { return };
            let (start, end) = (next.at.0, next.at.0 + self.span());
            let mut window: Vec<&Match> =
                self.matches.iter().filter(|one| (start..=end).contains(&one.at.0)).collect();
            if let Some(cleared) = window.iter().rposition(|one| one.clears) {
                window.drain(..=cleared);
            }
            if let Some(last) = window.last().map(|last| last.at.1) {
                self.look(&window, (end, last), None, group, out);
            }
            decided = end;
        }
    }

    fn look(
        &self,
        window: &[&Match],
        at: (i64, u64),
        ending: Option<&Match>,
        group: &[String],
        out: &mut Vec<Hit>,
    ) {
        let counting: Vec<&Match> =
            window.iter().filter(|one| !one.places.is_empty()).copied().collect();
        if counting.is_empty() || !self.holds(&counting, ending) {
            return;
        }
        let events = counting.iter().flat_map(|one| one.events.clone()).collect();
        out.push(Hit { group: group.to_vec(), at, events });
    }

    /// Whether the condition holds. With `ending`, a sequence has to end with that match.
    fn holds(&self, window: &[&Match], ending: Option<&Match>) -> bool {
        let rules = texts(self.correlation.get("rules"));
        let ordered = self.kind == "temporal_ordered";
        let matched: BTreeSet<usize> =
            window.iter().flat_map(|one| one.places.iter().copied()).collect();
        let sequences: Vec<Vec<usize>> = if ordered {
            let sets = subsets(rules.len()).into_iter();
            sets.filter(|set| in_order(set, window, ending)).collect()
        } else {
            Vec::new()
        };
        let Some(condition) = self.correlation.get("condition") else {
            return match ordered {
                true => sequences.iter().any(|set| set.len() == rules.len()),
                false => matched.len() == rules.len(),
            };
        };
        let present = |set: &dyn Fn(usize) -> bool| -> Vec<(&str, bool)> {
            rules.iter().enumerate().map(|(place, name)| (name.as_str(), set(place))).collect()
        };
        if let Some(text) = condition.as_text() {
            if !ordered {
                return condition_holds(text, &present(&|place| matched.contains(&place)));
            }
            // Some rules of a sequence make it true; those under `not` are absent altogether.
            return sequences.iter().any(|set| {
                condition_holds(
                    text,
                    &present(&|place| match negated(text, &rules[place]) {
                        true => matched.contains(&place),
                        false => set.contains(&place),
                    }),
                )
            });
        }
        let Some(number) = self.number(window, matched.len(), &sequences) else { return false };
        ["lt", "lte", "gt", "gte", "eq", "neq"].iter().all(|name| {
            let Some(limit) = condition.get(name) else { return true };
            let limit: f64 = limit.as_text().unwrap().parse().unwrap();
            match *name {
                "lt" => number < limit,
                "lte" => number <= limit,
                "gt" => number > limit,
                "gte" => number >= limit,
                "eq" => number == limit,
                _ => number != limit,
            }
        })
    }

    fn number(&self, window: &[&Match], rules: usize, sequences: &[Vec<usize>]) -> Option<f64> {
        let mut numbers: Vec<f64> =
            window.iter().filter_map(|one| one.value.first()?.parse().ok()).collect();
        numbers.sort_by(f64::total_cmp);
        let some = |number: f64| if numbers.is_empty() { None } else { Some(number) };
        let sum: f64 = numbers.iter().sum();
        match self.kind {
            "event_count" => Some(window.len() as f64),
            "value_count" => {
                let values: BTreeSet<&Vec<String>> = window.iter().map(|one| &one.value).collect();
                Some(values.len() as f64)
            }
            "temporal" => Some(rules as f64),
            "temporal_ordered" => Some(sequences.iter().map(Vec::len).max().unwrap_or(0) as f64),
            "value_sum" => some(sum),
            "value_avg" => some(sum / numbers.len() as f64),
            "value_median" => some(percentile(&numbers, 50.0)),
            "value_percentile" => {
                let condition = self.correlation.get("condition").unwrap();
                let percent = condition.get("percentile").unwrap().as_text().unwrap();
                some(percentile(&numbers, percent.parse().unwrap()))
            }
            other => panic!("{other}"),
        }
    }
}

fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let rank = percent / 100.0 * last as f64;
    let below = sorted[rank.floor() as usize];
    let above = sorted[rank.ceil() as usize];
    below + (above - below) * (rank - rank.floor())
}

/// Whether a rule stands under an odd number of `not`s: right after one, or in brackets after one.
fn negated(text: &str, rule: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut depths = vec![false];
    let mut not = false;
    for word in spaced.split_whitespace() {
        let current = *depths.last().unwrap();
        match word {
            "not" => not = !not,
            "(" => {
                depths.push(current != not);
                not = false;
            }
            ")" => {
                depths.pop();
            }
            "and" | "or" => {}
            name => {
                if name == rule {
                    return current != not;
                }
                not = false;
            }
        }
    }
    false
}

fn subsets(of: usize) -> Vec<Vec<usize>> {
    (0..1_usize << of)
        .map(|bits| (0..of).filter(|place| bits >> place & 1 == 1).collect())
        .collect()
}

/// Whether there are different matches of these rules, one after the other, the last of them
/// `ending`.
fn in_order(places: &[usize], window: &[&Match], ending: Option<&Match>) -> bool {
    fn from(
        places: &[usize],
        time: i64,
        used: &mut Vec<usize>,
        window: &[&Match],
        ending: Option<&Match>,
    ) -> bool {
        let Some((place, rest)) = places.split_first() else {
            let last = used.last().map(|at| window[*at]);
            return ending.is_none_or(|ending| last.is_some_and(|one| std::ptr::eq(one, ending)));
        };
        (0..window.len()).any(|at| {
            let one = window[at];
            if one.at.0 < time || used.contains(&at) || !one.places.contains(place) {
                return false;
            }
            used.push(at);
            let found = from(rest, one.at.0, used, window, ending);
            used.pop();
            found
        })
    }
    from(places, i64::MIN, &mut Vec::new(), window, ending)
}
