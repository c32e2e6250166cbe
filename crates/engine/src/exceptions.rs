//! Exceptions in force, and what one would hide before it is saved.
//!
//! In: conditions as people write them, findings. Out: which finding is hidden by which exception;
//! the figures of a dry run over the alerts of the last [`PREVIEW_DAYS`] days. What an alert shows
//! ([`tocsin_model::Alert::to_event`]) is what a condition sees, live as in a dry run. Never drops
//! anything: what is hidden becomes an alert that nobody is told of.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use serde::Serialize;
use tocsin_alert::AllowList;
use tocsin_catalog::{Catalog, CatalogError};
pub use tocsin_catalog::{Exception, NewException};
use tocsin_model::{Alert, Disposition, Finding, RuleMeta, Timestamp};
use tocsin_search::{Context, QueryError, parse_in, parse_time_range};
use tocsin_store::{Filter, Matcher};
use tokio_util::sync::CancellationToken;

/// How far back a dry run looks, days.
pub const PREVIEW_DAYS: u32 = 30;
/// One that hides a greater part of a rule's alerts is to be confirmed, percent.
pub const CONFIRM_PERCENT: u64 = 90;
/// How long an exception lasts when nobody says, days.
pub const LASTS_DAYS: u32 = 90;
/// How often exceptions that another process saved are looked for.
const REFRESH_EVERY: Duration = Duration::from_secs(2);
/// Hidden alerts that a dry run names.
const SAMPLES_MAX: usize = 5;

/// Why an exception is not saved.
#[derive(Debug, thiserror::Error)]
pub enum ExceptionError {
    /// The condition cannot be read.
    #[error("condition: {0}")]
    Condition(QueryError),
    /// Something else of it makes no sense.
    #[error("{0}")]
    Bad(String),
    /// It hides so much that somebody should say that it is meant.
    #[error("{}", .0.because.as_deref().unwrap_or("this is to be confirmed"))]
    Confirm(Box<Preview>),
    /// The catalog refused.
    #[error("{0}")]
    Catalog(#[from] CatalogError),
}

/// An exception as people give it.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Id, name or title of a rule.
    pub rule: Option<String>,
    /// Name of a pack.
    pub pack: Option<String>,
    /// Which alerts, in the query language.
    pub condition: Option<String>,
    /// In place of a condition, an entry of the allow-list: `address`, `network`, `user` or
    /// `host`, and its value.
    pub allow: Option<(String, String)>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// A time (RFC 3339), a span (`30d`) or `never`; `None` is [`LASTS_DAYS`] days.
    pub expires: Option<String>,
}

/// What an exception would have hidden.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Preview {
    /// The condition in force.
    pub condition: String,
    /// Days looked back.
    pub days: u32,
    /// Alerts of the rule, pack or everything it is about.
    pub alerts: u64,
    /// How many of them it would have hidden.
    pub hidden: u64,
    /// How many of those were closed as true positives.
    pub true_positives: u64,
    /// By rule, the most hidden first.
    pub rules: Vec<RulePreview>,
    /// Ids of some that it would have hidden.
    pub samples: Vec<String>,
    /// Whether saving it wants to be confirmed.
    pub needs_confirmation: bool,
    /// Why.
    pub because: Option<String>,
}

/// What an exception would have hidden of a rule's alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RulePreview {
    /// Its id.
    pub rule_id: String,
    /// Its title.
    pub title: String,
    /// Its alerts.
    pub alerts: u64,
    /// Hidden ones.
    pub hidden: u64,
    /// Of those, closed as true positives.
    pub true_positives: u64,
}

/// The exceptions in force, compiled, and the rules that are off.
#[derive(Debug, Default)]
pub struct Exceptions {
    compiled: Vec<Compiled>,
    /// Rules that people switched on or off, by id.
    switched: HashMap<String, bool>,
    /// Ids and names of those that the configuration switches off.
    disabled: Arc<Vec<String>>,
}

#[derive(Debug)]
struct Compiled {
    exception: Exception,
    matcher: Matcher,
}

impl Exceptions {
    /// None, and rules that the configuration switches off, by id or name.
    pub fn without_catalog(disabled: Vec<String>) -> Self {
        Self { disabled: Arc::new(disabled), ..Self::default() }
    }

    /// Whether a rule never alerts.
    pub fn is_off(&self, rule: &RuleMeta) -> bool {
        match self.switched.get(&rule.id) {
            Some(on) => !on,
            None => {
                let names = |word: &String| *word == rule.id || Some(word) == rule.name.as_ref();
                self.disabled.iter().any(names)
            }
        }
    }

    /// The exception that hides a finding, the oldest that does.
    pub fn hides(&self, finding: &Finding) -> Option<u64> {
        self.hides_at(finding, finding.event.received)
    }

    /// The same with the exceptions that hold at a time.
    pub fn hides_at(&self, finding: &Finding, time: Timestamp) -> Option<u64> {
        let about = |one: &&Compiled| {
            one.exception.holds_at(time) && is_about(&one.exception.what, &finding.rule)
        };
        let mut candidates = self.compiled.iter().filter(about).peekable();
        candidates.peek()?;
        let event = tocsin_alert::draft(finding).to_event();
        candidates.find(|one| one.matcher.matches(&event)).map(|one| one.exception.id)
    }
}

/// Whether Tocsin has kept its catalog there.
pub fn is_data_dir(dir: &Path) -> bool {
    dir.join(tocsin_catalog::FILE_NAME).is_file()
}

fn is_about(what: &NewException, rule: &RuleMeta) -> bool {
    what.rule_id.as_ref().is_none_or(|id| *id == rule.id)
        && what.pack.as_ref().is_none_or(|pack| *pack == rule.pack)
}

/// The exceptions of a catalog.
pub struct ExceptionBook {
    catalog: Arc<Catalog>,
    current: ArcSwap<Exceptions>,
    /// `alerts.disabled_rules`.
    disabled: Arc<Vec<String>>,
}

impl ExceptionBook {
    /// With what the catalog has, and rules that the configuration switches off, by id or name.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn open(catalog: Arc<Catalog>, disabled: Vec<String>) -> Result<Self, CatalogError> {
        let book = Self { catalog, current: ArcSwap::default(), disabled: Arc::new(disabled) };
        book.refresh()?;
        Ok(book)
    }

    /// Those of a data directory, which may be in use.
    ///
    /// # Errors
    /// When there is no catalog in it that can be used.
    pub fn open_dir(dir: &Path, disabled: Vec<String>) -> Result<Self, CatalogError> {
        Self::open(Arc::new(Catalog::open(dir)?), disabled)
    }

    /// What is in force.
    pub fn current(&self) -> Arc<Exceptions> {
        self.current.load_full()
    }

    /// Takes what the catalog has.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn refresh(&self) -> Result<(), CatalogError> {
        let mut compiled = Vec::new();
        for exception in self.catalog.exceptions(false)? {
            match compile(&exception.what.condition) {
                Ok((_, matcher)) => compiled.push(Compiled { exception, matcher }),
                Err(error) => {
                    tracing::error!("exception {}: {error}; it hides nothing", exception.id)
                }
            }
        }
        let switches = self.catalog.rule_switches()?;
        let switched = switches.into_iter().map(|one| (one.rule_id, one.enabled)).collect();
        let disabled = self.disabled.clone();
        self.current.store(Arc::new(Exceptions { compiled, switched, disabled }));
        Ok(())
    }

    /// Switches a rule on or off; `None` is as the configuration has it. Findings of a rule that is
    /// off raise no alert; correlations built on it still work.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn switch(
        &self,
        rule_id: &str,
        enabled: Option<bool>,
        who: &str,
    ) -> Result<(), CatalogError> {
        self.catalog.switch_rule(rule_id, enabled, who)?;
        self.refresh()
    }

    /// Takes over what other processes save, until `shutdown`.
    pub async fn watch(self: Arc<Self>, shutdown: CancellationToken) {
        let mut every = tokio::time::interval(REFRESH_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = every.tick() => {}
            }
            let book = self.clone();
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || book.refresh()).await {
                tracing::warn!("exceptions: {error}; those known stay in force");
            }
        }
    }

    /// What is wanted, read and checked; `rules` are those in force.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(
        &self,
        wish: &Wish,
        rules: &[Arc<RuleMeta>],
    ) -> Result<NewException, ExceptionError> {
        let bad = |message: String| Err(ExceptionError::Bad(message));
        let condition = match (&wish.condition, &wish.allow) {
            (Some(condition), None) => condition.trim().to_owned(),
            (None, Some((what, value))) => allow_condition(what, value.trim())?,
            _ => return bad("give condition or allow, one of them".to_owned()),
        };
        if condition.is_empty() {
            return bad("condition is missing; * means every alert".to_owned());
        }
        compile(&condition)?;
        let mut wanted = NewException {
            condition,
            allow: wish.allow.clone(),
            reason: wish.reason.trim().to_owned(),
            owner: wish.owner.trim().to_owned(),
            expires: expiry(wish.expires.as_deref())?,
            ..NewException::default()
        };
        if let Some(name) = &wish.rule {
            let is_it = |rule: &&Arc<RuleMeta>| {
                rule.id == *name || rule.title == *name || rule.name.as_ref() == Some(name)
            };
            let Some(rule) = rules.iter().find(is_it) else {
                return bad(format!("rule: no rule in force has the id, name or title {name:?}"));
            };
            wanted.rule_id = Some(rule.id.clone());
            wanted.rule_title = Some(rule.title.clone());
        }
        if let Some(pack) = &wish.pack {
            if !rules.iter().any(|rule| rule.pack == *pack) {
                return bad(format!("pack: no rule in force is in a pack {pack:?}"));
            }
            wanted.pack = Some(pack.clone());
        }
        Ok(wanted)
    }

    /// What an exception would have hidden.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn preview(&self, wanted: &NewException) -> Result<Preview, ExceptionError> {
        let (filter, matcher) = compile(&wanted.condition)?;
        let since = now().minus(Duration::from_secs(u64::from(PREVIEW_DAYS) * 86_400));
        let mut preview = Preview {
            condition: wanted.condition.clone(),
            days: PREVIEW_DAYS,
            ..Preview::default()
        };
        let mut rules: BTreeMap<String, RulePreview> = BTreeMap::new();
        self.catalog.visit_alerts(since, |alert| {
            if is_about(wanted, &alert.rule) {
                let hidden = matcher.matches(&alert.to_event());
                preview.count(&mut rules, alert, hidden);
            }
        })?;
        preview.rules = rules.into_values().collect();
        preview.rules.sort_by(|a, b| (b.hidden, &a.title).cmp(&(a.hidden, &b.title)));
        preview.because = match filter {
            Filter::All => Some("the condition hides every alert".to_owned()),
            _ => preview.rules.iter().find_map(RulePreview::too_much),
        };
        preview.needs_confirmation = preview.because.is_some();
        Ok(preview)
    }

    /// Saves an exception; from then on it is in force.
    ///
    /// # Errors
    /// When it hides so much that it must be confirmed and was not, or cannot be saved.
    pub fn add(
        &self,
        wanted: &NewException,
        confirmed: bool,
        who: &str,
    ) -> Result<Exception, ExceptionError> {
        if !confirmed {
            let preview = self.preview(wanted)?;
            if preview.needs_confirmation {
                return Err(ExceptionError::Confirm(Box::new(preview)));
            }
        }
        let saved = self.catalog.add_exception(wanted, who)?;
        self.refresh()?;
        Ok(saved)
    }

    /// Takes one back; `None` when there is none in force.
    ///
    /// # Errors
    /// When the catalog refuses.
    pub fn remove(&self, id: u64, who: &str) -> Result<Option<Exception>, CatalogError> {
        let removed = self.catalog.remove_exception(id, who)?;
        self.refresh()?;
        Ok(removed)
    }

    /// The exceptions with what each has hidden; with `all` also removed ones.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn list(&self, all: bool) -> Result<Vec<Exception>, CatalogError> {
        self.catalog.exceptions(all)
    }
}

impl Preview {
    fn count(&mut self, rules: &mut BTreeMap<String, RulePreview>, alert: &Alert, hidden: bool) {
        let rule = rules.entry(alert.rule.id.clone()).or_insert_with(|| RulePreview {
            rule_id: alert.rule.id.clone(),
            title: alert.rule.title.clone(),
            alerts: 0,
            hidden: 0,
            true_positives: 0,
        });
        self.alerts += 1;
        rule.alerts += 1;
        if !hidden {
            return;
        }
        self.hidden += 1;
        rule.hidden += 1;
        if alert.triage.disposition == Some(Disposition::TruePositive) {
            self.true_positives += 1;
            rule.true_positives += 1;
        }
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(alert.id.0.clone());
        }
    }
}

impl RulePreview {
    fn too_much(&self) -> Option<String> {
        let over = self.hidden > 0 && self.hidden * 100 > self.alerts * CONFIRM_PERCENT;
        over.then(|| {
            let Self { title, alerts, hidden, true_positives, .. } = self;
            format!(
                "it would have hidden {hidden} of {alerts} alerts of {title:?} in the last \
                 {PREVIEW_DAYS} days, {true_positives} of them true positives"
            )
        })
    }
}

fn compile(condition: &str) -> Result<(Filter, Matcher), ExceptionError> {
    let context = Context { now: now(), fields: None };
    let filter = parse_in(condition, context).map_err(ExceptionError::Condition)?;
    let matcher = Matcher::new(&filter)
        .map_err(|error| ExceptionError::Bad(format!("condition: {error}")))?;
    Ok((filter, matcher))
}

/// The condition that an entry of the allow-list means.
fn allow_condition(what: &str, value: &str) -> Result<String, ExceptionError> {
    let bad = |message: String| Err(ExceptionError::Bad(message));
    if value.is_empty() {
        return bad(format!("allow: the {what} is missing"));
    }
    let filter = match what {
        "address" | "network" => {
            if AllowList::parse(&[value.to_owned()]).is_err() {
                return bad(format!(
                    "allow: {value:?} is neither an address nor a network, write it like \
                     192.0.2.1 or 10.0.0.0/8"
                ));
            }
            Filter::term("source.ip", value)
        }
        "user" => Filter::term("user.name", value),
        "host" => {
            Filter::Or(vec![Filter::term("host.name", value), Filter::term("host.hostname", value)])
        }
        other => {
            return bad(format!("allow: {other:?} is none of address, network, user, host"));
        }
    };
    Ok(tocsin_search::print(&filter))
}

fn expiry(text: Option<&str>) -> Result<Option<Timestamp>, ExceptionError> {
    let now = now();
    let days = |days: u32| now.plus(Duration::from_secs(u64::from(days) * 86_400));
    let bad = |text: &str| {
        ExceptionError::Bad(format!(
            "expires: {text:?} is no time to come; write 30d, 2026-12-24, an RFC 3339 time or never"
        ))
    };
    let text = match text.map(str::trim) {
        None | Some("") => return Ok(Some(days(LASTS_DAYS))),
        Some("never") => return Ok(None),
        Some(text) => text,
    };
    let at = match Timestamp::parse_rfc3339(text) {
        Some(time) => Some(time),
        None => match parse_time_range(text, now) {
            // A span back from now, turned round.
            Ok(range) if range.to.is_none() => {
                range.from.filter(|from| *from < now).map(|from| now.plus(now.since(from)))
            }
            Ok(range) => range.to,
            Err(_) => None,
        },
    };
    at.filter(|at| *at > now).map(Some).ok_or_else(|| bad(text))
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

#[cfg(test)]
mod tests;
