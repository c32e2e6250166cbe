//! What a list of alerts is made of: how many by severity, status, owner, rule and entity, when
//! they were raised, and in which groups they fall.
//!
//! In: a query. Out: counts. One pass over one index; alerts themselves are never read, unless
//! the query asks for text.

use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::types::ValueRef;
use rusqlite::{Row, params_from_iter};
use serde::Serialize;
use tocsin_model::{AlertStatus, Disposition, Severity, Timestamp};

use crate::Catalog;
use crate::alerts::severity_of;
use crate::error::Result;
use crate::query::{AlertQuery, Conditions, SeriesBucket, every_severity};
use crate::values::ValueCount;

/// The most values told of one facet.
const VALUES_MAX: usize = 12;
/// The most groups told.
pub const GROUPS_MAX: usize = 1000;
/// About so many buckets the series has.
const BUCKETS_WANTED: i64 = 60;
/// Buckets of a group's own small series.
const SPARK_BUCKETS: usize = 12;
/// Widths a bucket may have, seconds.
const WIDTHS: [i64; 16] = [
    1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000,
    31_536_000,
];
/// The columns, in the order of their reading.
const COLUMNS: &str = "raised, severity, status, disposition, owner, rule_id, rule_title, \
    source_ip, user_name, host_name, tactics, incident";

/// What alerts are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The rule.
    Rule,
    /// The source address.
    Source,
    /// The user.
    User,
    /// The host.
    Host,
    /// The incident.
    Incident,
    /// Rule and source address.
    RuleAndSource,
}

/// Alerts that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertGroup {
    /// What to ask for to get them: parameters of the list (`rule`, `source`, `user`, `host`,
    /// `incident`); `-` is none, incident 0 likewise.
    pub query: BTreeMap<&'static str, String>,
    /// For people.
    pub title: String,
    /// Alerts.
    pub alerts: u64,
    /// Of them not closed.
    pub open: u64,
    /// Of them closed.
    pub closed: u64,
    /// Of them closed as a false positive.
    pub false_positive: u64,
    /// The worst severity.
    pub severity: Severity,
    /// Different source addresses.
    pub sources: u64,
    /// Different rules.
    pub rules: u64,
    /// When the first was raised.
    pub first: Timestamp,
    /// When the last was raised.
    pub last: Timestamp,
    /// Alerts over the time of the series, in twelve equal parts.
    pub spark: [u64; SPARK_BUCKETS],
}

/// What a list of alerts is made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Facets {
    /// Alerts that match.
    pub total: u64,
    /// By facet (`severity`, `status`, `disposition`, `owner`, `rule`, `tactic`, `source`, `user`,
    /// `host`) its most frequent values, counted as if the query did not ask for that facet.
    pub facets: BTreeMap<&'static str, Vec<ValueCount>>,
    /// Titles of the rules that are named.
    pub titles: BTreeMap<String, String>,
    /// By time; empty buckets are there.
    pub series: Vec<SeriesBucket>,
    /// Width of a bucket, seconds.
    pub bucket_seconds: u64,
    /// Groups, the worst first, then the one with the newest alert; at most [`GROUPS_MAX`].
    pub groups: Vec<AlertGroup>,
    /// How many groups there are.
    pub groups_total: u64,
}

/// The facets in the order of their reading.
const FACETS: [&str; 9] =
    ["severity", "status", "disposition", "owner", "rule", "tactic", "source", "user", "host"];
const SEVERITY: usize = 0;
const STATUS: usize = 1;
const DISPOSITION: usize = 2;
const OWNER: usize = 3;
const RULE: usize = 4;
const TACTIC: usize = 5;
const SOURCE: usize = 6;
const USER: usize = 7;
const HOST: usize = 8;

/// Texts as small numbers.
#[derive(Default)]
struct Texts {
    ids: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Texts {
    fn id(&mut self, text: &str) -> u32 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.texts.len() as u32;
        self.ids.insert(text.to_owned(), id);
        self.texts.push(text.to_owned());
        id
    }

    fn text(&self, id: u32) -> &str {
        self.texts.get(id as usize).map_or("", String::as_str)
    }
}

/// One alert as the index has it. Texts are numbers; no text is the empty one.
struct Line {
    raised: i64,
    severity: i64,
    values: [u32; FACETS.len()],
    title: u32,
    incident: i64,
}

/// What is gathered of a group.
struct Gathered {
    query: BTreeMap<&'static str, String>,
    title: String,
    severity: i64,
    closed: u64,
    false_positive: u64,
    raised: Vec<i64>,
    sources: HashSet<u32>,
    rules: HashSet<u32>,
}

struct Pass<'q> {
    query: &'q AlertQuery,
    group_by: Option<GroupBy>,
    texts: Texts,
    /// Numbers of the values that the query asks for, by facet; empty when it asks for none.
    asked: [Vec<u32>; FACETS.len()],
    closed: u32,
    false_positive: u32,
    counts: [HashMap<u32, u64>; FACETS.len()],
    titles: HashMap<u32, u32>,
    matching: Vec<(i64, i64)>,
    groups: HashMap<(u32, u32, i64), Gathered>,
}

impl<'q> Pass<'q> {
    fn new(query: &'q AlertQuery, group_by: Option<GroupBy>) -> Self {
        let mut texts = Texts::default();
        texts.id("");
        let mut of =
            |words: Vec<String>| -> Vec<u32> { words.iter().map(|word| texts.id(word)).collect() };
        let one = |word: &Option<String>| word.iter().cloned().collect::<Vec<_>>();
        let severities = Severity::ALL.into_iter().filter(|severity| {
            (query.severity_in.is_empty() || query.severity_in.contains(severity))
                && query.min_severity.is_none_or(|least| *severity >= least)
                && query.severity.is_none_or(|only| *severity == only)
        });
        let severities: Vec<String> = severities.map(|one| one.as_str().to_owned()).collect();
        let any = severities.len() == Severity::ALL.len();
        let status = query.status_in.iter().chain(&query.status);
        let asked = [
            of(if any { Vec::new() } else { severities }),
            of(status.map(|one| one.as_str().to_owned()).collect()),
            of(query.disposition_in.iter().map(|one| one.as_str().to_owned()).collect()),
            of(one(&query.owner)),
            of(one(&query.rule)),
            of(one(&query.tactic)),
            of(one(&query.source)),
            of(one(&query.user)),
            of(one(&query.host)),
        ];
        let closed = texts.id(AlertStatus::Closed.as_str());
        let false_positive = texts.id(Disposition::FalsePositive.as_str());
        Self {
            query,
            group_by,
            texts,
            asked,
            closed,
            false_positive,
            counts: Default::default(),
            titles: HashMap::new(),
            matching: Vec::new(),
            groups: HashMap::new(),
        }
    }

    fn read(&mut self, row: &Row<'_>) -> rusqlite::Result<Line> {
        let mut text = |column: usize| -> rusqlite::Result<u32> {
            Ok(match row.get_ref(column)? {
                ValueRef::Text(bytes) => {
                    self.texts.id(std::str::from_utf8(bytes).unwrap_or_default())
                }
                _ => 0,
            })
        };
        let mut values = [0; FACETS.len()];
        for (facet, column) in [
            (STATUS, 2),
            (DISPOSITION, 3),
            (OWNER, 4),
            (RULE, 5),
            (SOURCE, 7),
            (USER, 8),
            (HOST, 9),
            (TACTIC, 10),
        ] {
            values[facet] = text(column)?;
        }
        let title = text(6)?;
        let severity: i64 = row.get(1)?;
        values[SEVERITY] = self.texts.id(severity_of(severity).as_str());
        let incident = row.get::<_, Option<i64>>(11)?.unwrap_or(0);
        Ok(Line { raised: row.get(0)?, severity, values, title, incident })
    }

    /// Which facet alone keeps the alert out; `Ok` when none does.
    fn kept_out_by(&self, line: &Line) -> std::result::Result<(), Option<usize>> {
        let mut by = None;
        for facet in 0..FACETS.len() {
            let asked = &self.asked[facet];
            let value = line.values[facet];
            let fits = asked.is_empty()
                || asked.contains(&value)
                || (facet == RULE && asked.contains(&line.title))
                || (facet == TACTIC
                    && self.texts.text(value).split(',').any(|tactic| {
                        asked.iter().any(|wanted| self.texts.text(*wanted) == tactic)
                    }));
            if !fits {
                if by.is_some() {
                    return Err(None);
                }
                by = Some(facet);
            }
        }
        by.map_or(Ok(()), |facet| Err(Some(facet)))
    }

    fn add(&mut self, line: &Line) {
        self.titles.insert(line.values[RULE], line.title);
        match self.kept_out_by(line) {
            Ok(()) => {
                for facet in 0..FACETS.len() {
                    *self.counts[facet].entry(line.values[facet]).or_default() += 1;
                }
                self.matching.push((line.raised, line.severity));
                self.group(line);
            }
            Err(Some(facet)) => *self.counts[facet].entry(line.values[facet]).or_default() += 1,
            Err(None) => {}
        }
    }

    fn group(&mut self, line: &Line) {
        let Some(by) = self.group_by else { return };
        let value = |facet: usize| line.values[facet];
        let key = match by {
            GroupBy::Rule => (value(RULE), 0, 0),
            GroupBy::Source => (value(SOURCE), 0, 0),
            GroupBy::User => (value(USER), 0, 0),
            GroupBy::Host => (value(HOST), 0, 0),
            GroupBy::Incident => (0, 0, line.incident),
            GroupBy::RuleAndSource => (value(RULE), value(SOURCE), 0),
        };
        let texts = &self.texts;
        let gathered = self.groups.entry(key).or_insert_with(|| named(texts, by, line));
        if by == GroupBy::Incident && line.severity > gathered.severity {
            // An incident is called by the worst of it.
            gathered.title = texts.text(line.title).to_owned();
        }
        gathered.severity = gathered.severity.max(line.severity);
        gathered.closed += u64::from(value(STATUS) == self.closed);
        gathered.false_positive += u64::from(value(DISPOSITION) == self.false_positive);
        gathered.raised.push(line.raised);
        if value(SOURCE) != 0 {
            gathered.sources.insert(value(SOURCE));
        }
        gathered.rules.insert(value(RULE));
    }

    fn finish(self) -> Facets {
        let span = self.span();
        let (series, width) = self.series(span);
        let facets = self.facets();
        let titles = self.titles.iter().map(|(id, title)| {
            (self.texts.text(*id).to_owned(), self.texts.text(*title).to_owned())
        });
        let titles = titles.collect();
        let total = self.matching.len() as u64;
        let groups_total = self.groups.len() as u64;
        let mut groups: Vec<AlertGroup> =
            self.groups.into_values().map(|gathered| gathered.finish(span)).collect();
        groups.sort_by(|a, b| (b.severity, b.last, &a.title).cmp(&(a.severity, a.last, &b.title)));
        groups.truncate(GROUPS_MAX);
        Facets { total, facets, titles, series, bucket_seconds: width, groups, groups_total }
    }

    /// The time that is shown: what the query asks for, else what there is.
    fn span(&self) -> (i64, i64) {
        let raised = || self.matching.iter().map(|(raised, _)| *raised);
        let from = self.query.from.map(|time| time.0).or_else(|| raised().min()).unwrap_or(0);
        let to = self.query.to.map(|time| time.0);
        let to = to.or_else(|| raised().max().map(|last| last + 1)).unwrap_or(from + 1);
        (from, to.max(from.saturating_add(1)))
    }

    fn series(&self, (from, to): (i64, i64)) -> (Vec<SeriesBucket>, u64) {
        let seconds = to.saturating_sub(from) / 1_000_000_000;
        let width = WIDTHS.into_iter().find(|width| seconds / width < BUCKETS_WANTED);
        let width = width.unwrap_or(WIDTHS[WIDTHS.len() - 1]);
        let nanos = width * 1_000_000_000;
        let (start, end) = (from.div_euclid(nanos), (to - 1).div_euclid(nanos));
        // Over a span longer than all widths allow, the newest is what is shown.
        let start = start.max(end - 2 * BUCKETS_WANTED);
        let mut series: Vec<SeriesBucket> = (start..=end)
            .map(|place| SeriesBucket {
                time: Timestamp(place.saturating_mul(nanos)),
                by_severity: every_severity(),
            })
            .collect();
        for (raised, severity) in &self.matching {
            let place = raised.div_euclid(nanos) - start;
            if let Some(slot) = usize::try_from(place).ok().and_then(|at| series.get_mut(at)) {
                *slot.by_severity.entry(severity_of(*severity)).or_default() += 1;
            }
        }
        (series, width.unsigned_abs())
    }

    fn facets(&self) -> BTreeMap<&'static str, Vec<ValueCount>> {
        let mut all = BTreeMap::new();
        for (facet, name) in FACETS.into_iter().enumerate() {
            let mut counts: HashMap<&str, u64> = HashMap::new();
            for (id, count) in &self.counts[facet] {
                let text = self.texts.text(*id);
                let parts = if facet == TACTIC { text.split(',').collect() } else { vec![text] };
                for part in parts {
                    *counts.entry(part).or_default() += count;
                }
            }
            // Nobody is an owner to ask for; no host is not.
            if facet != OWNER {
                counts.remove("");
            }
            let mut values: Vec<ValueCount> = counts
                .into_iter()
                .map(|(value, count)| ValueCount { value: or_none(value), count })
                .collect();
            values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
            values.truncate(VALUES_MAX);
            all.insert(name, values);
        }
        all
    }
}

/// A value as a parameter asks for it.
fn or_none(value: &str) -> String {
    if value.is_empty() { "-".to_owned() } else { value.to_owned() }
}

fn named(texts: &Texts, by: GroupBy, line: &Line) -> Gathered {
    let text = |facet: usize| or_none(texts.text(line.values[facet]));
    let title = || texts.text(line.title).to_owned();
    let (query, title) = match by {
        GroupBy::Rule => (vec![("rule", text(RULE))], title()),
        GroupBy::Source => (vec![("source", text(SOURCE))], text(SOURCE)),
        GroupBy::User => (vec![("user", text(USER))], text(USER)),
        GroupBy::Host => (vec![("host", text(HOST))], text(HOST)),
        GroupBy::Incident => {
            let number = line.incident.to_string();
            (vec![("incident", number)], title())
        }
        GroupBy::RuleAndSource => (vec![("rule", text(RULE)), ("source", text(SOURCE))], title()),
    };
    Gathered {
        query: query.into_iter().collect(),
        title,
        severity: 0,
        closed: 0,
        false_positive: 0,
        raised: Vec::new(),
        sources: HashSet::new(),
        rules: HashSet::new(),
    }
}

impl Gathered {
    fn finish(self, (from, to): (i64, i64)) -> AlertGroup {
        let mut spark = [0; SPARK_BUCKETS];
        let length = i128::from(to) - i128::from(from);
        for raised in &self.raised {
            let place = (i128::from(*raised) - i128::from(from)) * SPARK_BUCKETS as i128 / length;
            if let Some(slot) = usize::try_from(place).ok().and_then(|at| spark.get_mut(at)) {
                *slot += 1;
            }
        }
        let alerts = self.raised.len() as u64;
        AlertGroup {
            query: self.query,
            title: self.title,
            alerts,
            open: alerts - self.closed,
            closed: self.closed,
            false_positive: self.false_positive,
            severity: severity_of(self.severity),
            sources: self.sources.len() as u64,
            rules: self.rules.len() as u64,
            first: Timestamp(self.raised.iter().copied().min().unwrap_or_default()),
            last: Timestamp(self.raised.iter().copied().max().unwrap_or_default()),
            spark,
        }
    }
}

impl Catalog {
    /// What the alerts of a query are made of. Its page, cursor and order do not count.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn facets(&self, query: &AlertQuery, group_by: Option<GroupBy>) -> Result<Facets> {
        // What is a facet is judged here, for the counts of values that are not asked for.
        let base = AlertQuery {
            severity: None,
            severity_in: Vec::new(),
            min_severity: None,
            status: None,
            status_in: Vec::new(),
            disposition_in: Vec::new(),
            owner: None,
            rule: None,
            tactic: None,
            source: None,
            user: None,
            host: None,
            ..query.clone()
        };
        let conditions = Conditions::of(&base);
        let sql = format!("SELECT {COLUMNS} FROM alerts{}", conditions.sql);
        let mut pass = Pass::new(query, group_by);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(&conditions.values))?;
            while let Some(row) = rows.next()? {
                let line = pass.read(row)?;
                pass.add(&line);
            }
            Ok(())
        })?;
        Ok(pass.finish())
    }
}
