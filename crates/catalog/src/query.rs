//! Alerts: pages, counts and series.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::types::Value as Sql;
use rusqlite::{params, params_from_iter};
use serde::{Deserialize, Serialize};
use tocsin_model::{Alert, AlertId, AlertStatus, Disposition, Severity, Timestamp};

use crate::alerts::{id_and_json, severity_of};
use crate::error::{Result, refuse};
use crate::without::Without;
use crate::{Catalog, whole};

/// The most alerts of one page.
pub const PAGE_ALERTS_MAX: usize = 1000;
/// The most buckets of one series.
pub const SERIES_BUCKETS_MAX: u64 = 10_000;

/// Which alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertQuery {
    /// Exactly this severity.
    pub severity: Option<Severity>,
    /// One of these severities; empty is any.
    pub severity_in: Vec<Severity>,
    /// This severity or worse.
    pub min_severity: Option<Severity>,
    /// In this state.
    pub status: Option<AlertStatus>,
    /// In one of these states; empty is any.
    pub status_in: Vec<AlertStatus>,
    /// Closed for one of these reasons; empty is any.
    pub disposition_in: Vec<Disposition>,
    /// Worked on by this person; the empty text is nobody.
    pub owner: Option<String>,
    /// Of the rule with this id or title.
    pub rule: Option<String>,
    /// Occurs in title, reason, group or carried values; case does not count.
    pub text: Option<String>,
    /// Raised at or after.
    pub from: Option<Timestamp>,
    /// Raised before.
    pub to: Option<Timestamp>,
    /// Read back from history, or not.
    pub historical: Option<bool>,
    /// Only those that this exception hid; `None`: only those that no exception hid.
    pub exception: Option<u64>,
    /// Of this incident; 0 is none.
    pub incident: Option<u64>,
    /// With one of these ids; empty is any.
    pub ids: Vec<String>,
    /// With this source address; the empty text is none.
    pub source: Option<String>,
    /// With this user; the empty text is none.
    pub user: Option<String>,
    /// With this host; the empty text is none.
    pub host: Option<String>,
    /// What must not be: by name, as they are asked for above.
    pub not: Vec<(Without, String)>,
    /// Of a rule with this ATT&CK tactic.
    pub tactic: Option<String>,
    /// Leaves out so many before the page; counts from the cursor, when there is one.
    pub skip: usize,
    /// Alerts wanted, at most [`PAGE_ALERTS_MAX`].
    pub limit: usize,
    /// [`AlertPage::next`] of the page before.
    pub cursor: Option<String>,
    /// Order.
    pub order: AlertOrder,
}

impl Default for AlertQuery {
    fn default() -> Self {
        Self {
            severity: None,
            severity_in: Vec::new(),
            min_severity: None,
            status: None,
            status_in: Vec::new(),
            disposition_in: Vec::new(),
            owner: None,
            rule: None,
            text: None,
            from: None,
            to: None,
            historical: None,
            exception: None,
            incident: None,
            ids: Vec::new(),
            source: None,
            user: None,
            host: None,
            not: Vec::new(),
            tactic: None,
            skip: 0,
            limit: 50,
            cursor: None,
            order: AlertOrder::default(),
        }
    }
}

/// Order of alerts; ties go by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertOrder {
    /// Last raised first.
    #[default]
    Newest,
    /// First raised first.
    Oldest,
    /// Last seen first.
    LastSeen,
    /// Worst first, then last raised.
    Severity,
}

impl AlertOrder {
    /// The two columns it goes by, before the id, and whether the greatest comes first.
    fn columns(self) -> (&'static str, &'static str, bool) {
        match self {
            Self::Newest => ("raised", "raised", true),
            Self::Oldest => ("raised", "raised", false),
            Self::LastSeen => ("last_seen", "last_seen", true),
            Self::Severity => ("severity", "raised", true),
        }
    }

    fn keys(self, alert: &Alert) -> (i64, i64) {
        match self {
            Self::Newest | Self::Oldest => (alert.raised.0, alert.raised.0),
            Self::LastSeen => (alert.last_seen.0, alert.last_seen.0),
            Self::Severity => (i64::from(alert.severity.number()), alert.raised.0),
        }
    }
}

/// A page of alerts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertPage {
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// How many match in all.
    pub total: u64,
    /// Give it back as [`AlertQuery::cursor`]; `None` on the last page.
    pub next: Option<String>,
}

/// How many alerts there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AlertCounts {
    /// In all.
    pub total: u64,
    /// By severity; every severity is there.
    pub by_severity: BTreeMap<Severity, u64>,
    /// By status; every status that occurs.
    pub by_status: BTreeMap<String, u64>,
    /// By rule, the most frequent first.
    pub by_rule: Vec<RuleCount>,
}

/// How many alerts a rule has raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// The rule's id.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// Alerts.
    pub count: u64,
}

/// What became of a rule's alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleRecord {
    /// The rule's id.
    pub rule_id: String,
    /// Alerts.
    pub fired: u64,
    /// When the last was raised.
    pub last: Timestamp,
    /// Closed as a false positive.
    pub false_positive: u64,
    /// Closed in any way.
    pub closed: u64,
}

/// Alerts raised in one span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesBucket {
    /// Start of the span.
    pub time: Timestamp,
    /// Alerts by severity; every severity is there.
    pub by_severity: BTreeMap<Severity, u64>,
}

/// Conditions and their values.
pub(crate) struct Conditions {
    pub(crate) sql: String,
    pub(crate) values: Vec<Sql>,
}

impl Conditions {
    fn add(&mut self, condition: &str, value: impl Into<Sql>) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.values.push(value.into());
        self.sql.push_str(&condition.replace("{}", &format!("?{}", self.values.len())));
    }

    /// The column holds one of `values`; nothing is asked when there are none.
    fn add_any(&mut self, column: &str, values: impl ExactSizeIterator<Item = Sql>) {
        if values.len() == 0 {
            return;
        }
        let first = self.values.len() + 1;
        self.values.extend(values);
        let places: Vec<String> =
            (first..=self.values.len()).map(|place| format!("?{place}")).collect();
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(&format!("{column} IN ({})", places.join(", ")));
    }

    pub(crate) fn of(query: &AlertQuery) -> Self {
        let mut all = Self { sql: String::new(), values: Vec::new() };
        match query.exception {
            Some(id) => all.add("exception = {}", i64::try_from(id).unwrap_or(i64::MAX)),
            None => all.sql.push_str(" WHERE exception IS NULL"),
        }
        if query.incident == Some(0) {
            all.sql.push_str(" AND incident IS NULL");
        } else if let Some(id) = query.incident {
            all.add("incident = {}", i64::try_from(id).unwrap_or(i64::MAX));
        }
        if let Some(severity) = query.severity {
            all.add("severity = {}", i64::from(severity.number()));
        }
        all.add_any("severity", query.severity_in.iter().map(|one| i64::from(one.number()).into()));
        if let Some(severity) = query.min_severity {
            all.add("severity >= {}", i64::from(severity.number()));
        }
        if let Some(status) = query.status {
            all.add("status = {}", status.as_str().to_owned());
        }
        all.add_any("status", query.status_in.iter().map(|one| one.as_str().to_owned().into()));
        all.add_any(
            "disposition",
            query.disposition_in.iter().map(|one| one.as_str().to_owned().into()),
        );
        if let Some(owner) = &query.owner {
            all.add("coalesce(owner, '') = {}", owner.clone());
        }
        all.add_any("id", query.ids.iter().map(|id| id.clone().into()));
        for (what, value) in [
            (Without::Rule, &query.rule),
            (Without::Source, &query.source),
            (Without::User, &query.user),
            (Without::Host, &query.host),
        ] {
            if let Some(value) = value {
                all.add(what.has(), value.clone());
            }
        }
        for (what, value) in &query.not {
            all.add(&format!("NOT {}", what.has()), value.clone());
        }
        if let Some(tactic) = &query.tactic {
            all.add("instr(',' || tactics || ',', ',' || {} || ',') > 0", tactic.clone());
        }
        if let Some(text) = query.text.as_deref().filter(|text| !text.is_empty()) {
            all.add("instr(search_text, {}) > 0", text.to_lowercase());
        }
        if let Some(from) = query.from {
            all.add("raised >= {}", from.0);
        }
        if let Some(to) = query.to {
            all.add("raised < {}", to.0);
        }
        if let Some(historical) = query.historical {
            all.add("historical = {}", i64::from(historical));
        }
        all
    }
}

impl Catalog {
    /// A page of alerts.
    pub fn alerts(&self, query: &AlertQuery) -> Result<AlertPage> {
        let limit = query.limit.min(PAGE_ALERTS_MAX);
        let (first, second, descending) = query.order.columns();
        let mut conditions = Conditions::of(query);
        let count_sql = format!("SELECT count(*) FROM alerts{}", conditions.sql);
        let count_values = conditions.values.clone();
        if let Some(cursor) = &query.cursor {
            let (a, b, id) = read_cursor(cursor)?;
            let sign = if descending { "<" } else { ">" };
            conditions.add(&format!("({first}, {second}, id) {sign} ({{}}, "), a);
            // The rest of the row value: three values, one condition.
            conditions.values.extend([Sql::Integer(b), Sql::Text(id)]);
            let last = conditions.values.len();
            conditions.sql.push_str(&format!("?{}, ?{last})", last - 1));
        }
        let direction = if descending { "DESC" } else { "ASC" };
        // Which, by an index alone; only those of the page are read.
        let sql = format!(
            "SELECT alerts.id, alerts.json FROM (
                SELECT id AS wanted, {first} AS a, {second} AS b FROM alerts{} \
             ORDER BY {first} {direction}, {second} {direction}, id {direction} LIMIT {} OFFSET {}
             ) CROSS JOIN alerts ON alerts.id = wanted
             ORDER BY a {direction}, b {direction}, wanted {direction}",
            conditions.sql,
            limit + 1,
            query.skip
        );
        let (total, rows) = self.read(|connection| {
            let mut count = connection.prepare_cached(&count_sql)?;
            let total = count.query_row(params_from_iter(count_values), |row| whole(row, 0))?;
            let mut page = connection.prepare_cached(&sql)?;
            let rows = page.query_map(params_from_iter(conditions.values), id_and_json)?;
            Ok((total, rows.collect::<rusqlite::Result<Vec<_>>>()?))
        })?;
        let more = rows.len() > limit;
        let alerts = self.decode(rows.into_iter().take(limit))?;
        let next = alerts.last().filter(|_| more).map(|last| write_cursor(query.order, last));
        Ok(AlertPage { alerts, total, next })
    }

    /// How many alerts match by severity, whatever severities the query asks for; every severity
    /// is there. Page and order do not count.
    pub fn severity_counts(&self, query: &AlertQuery) -> Result<BTreeMap<Severity, u64>> {
        let any = AlertQuery {
            severity: None,
            severity_in: Vec::new(),
            min_severity: None,
            ..query.clone()
        };
        let conditions = Conditions::of(&any);
        let sql =
            format!("SELECT severity, count(*) FROM alerts{} GROUP BY severity", conditions.sql);
        self.read(|connection| {
            let mut counts = every_severity();
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(&conditions.values))?;
            while let Some(row) = rows.next()? {
                *counts.entry(severity_of(row.get(0)?)).or_default() += whole(row, 1)?;
            }
            Ok(counts)
        })
    }

    /// How many alerts were raised from `from` (included) to `to` (not), by severity, status and
    /// rule.
    pub fn alert_counts(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<AlertCounts> {
        let span = params![from.map_or(i64::MIN, |t| t.0), to.map_or(i64::MAX, |t| t.0)];
        self.read(|connection| {
            let mut counts =
                AlertCounts { by_severity: every_severity(), ..AlertCounts::default() };
            let mut statement = connection.prepare_cached(
                "SELECT severity, status, count(*) FROM alerts
                 WHERE raised >= ?1 AND raised < ?2 AND exception IS NULL
                 GROUP BY severity, status",
            )?;
            let mut rows = statement.query(span)?;
            while let Some(row) = rows.next()? {
                let count = whole(row, 2)?;
                counts.total += count;
                *counts.by_severity.entry(severity_of(row.get(0)?)).or_default() += count;
                *counts.by_status.entry(row.get(1)?).or_default() += count;
            }
            let mut statement = connection.prepare_cached(
                "SELECT rule_id, max(rule_title), count(*) FROM alerts
                 WHERE raised >= ?1 AND raised < ?2 AND exception IS NULL
                 GROUP BY rule_id ORDER BY count(*) DESC, rule_id",
            )?;
            let rows = statement.query_map(span, |row| {
                Ok(RuleCount { rule_id: row.get(0)?, title: row.get(1)?, count: whole(row, 2)? })
            })?;
            counts.by_rule = rows.collect::<rusqlite::Result<_>>()?;
            Ok(counts)
        })
    }

    /// What became of each rule's alerts raised since `from`.
    pub fn rule_records(&self, from: Option<Timestamp>) -> Result<Vec<RuleRecord>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT rule_id, count(*), max(raised), sum(disposition IS 'false_positive'),
                    sum(status = 'closed')
                 FROM alerts WHERE raised >= ?1 GROUP BY rule_id",
            )?;
            let rows = statement.query_map([from.map_or(i64::MIN, |time| time.0)], |row| {
                Ok(RuleRecord {
                    rule_id: row.get(0)?,
                    fired: whole(row, 1)?,
                    last: Timestamp(row.get(2)?),
                    false_positive: whole(row, 3)?,
                    closed: whole(row, 4)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Alerts raised from `from` to `to` by spans of `bucket`, empty spans included. Spans start
    /// at multiples of `bucket` since 1970 UTC.
    pub fn alert_series(
        &self,
        from: Timestamp,
        to: Timestamp,
        bucket: Duration,
    ) -> Result<Vec<SeriesBucket>> {
        let width = i64::try_from(bucket.as_nanos()).unwrap_or(i64::MAX);
        if width == 0 || to <= from {
            return refuse(
                "a series needs a bucket longer than nothing and an end after its start",
            );
        }
        let start = from.0.div_euclid(width);
        let end = (to.0 - 1).div_euclid(width);
        if end.abs_diff(start) >= SERIES_BUCKETS_MAX {
            return refuse(format!(
                "a series has at most {SERIES_BUCKETS_MAX} buckets; use a longer bucket"
            ));
        }
        let mut series: Vec<SeriesBucket> = (start..=end)
            .map(|place| SeriesBucket {
                time: Timestamp(place.saturating_mul(width)),
                by_severity: every_severity(),
            })
            .collect();
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT raised, severity FROM alerts
                 WHERE raised >= ?1 AND raised < ?2 AND exception IS NULL",
            )?;
            let mut rows = statement.query(params![from.0, to.0])?;
            while let Some(row) = rows.next()? {
                let place = row.get::<_, i64>(0)?.div_euclid(width) - start;
                if let Some(slot) = usize::try_from(place).ok().and_then(|p| series.get_mut(p)) {
                    *slot.by_severity.entry(severity_of(row.get(1)?)).or_default() += 1;
                }
            }
            Ok(())
        })?;
        Ok(series)
    }
}

pub(crate) fn every_severity() -> BTreeMap<Severity, u64> {
    Severity::ALL.into_iter().map(|severity| (severity, 0)).collect()
}

fn write_cursor(order: AlertOrder, alert: &Alert) -> String {
    let (a, b) = order.keys(alert);
    format!("{a}.{b}.{}", alert.id)
}

fn read_cursor(cursor: &str) -> Result<(i64, i64, String)> {
    let mut parts = cursor.splitn(3, '.');
    let mut next = || parts.next().unwrap_or("");
    match (next().parse(), next().parse(), AlertId(next().to_owned())) {
        (Ok(a), Ok(b), id) if !id.0.is_empty() => Ok((a, b, id.0)),
        _ => refuse("the cursor is not one that a page gave; start from the first page"),
    }
}
