//! [`Responder`]: decides, records, blocks, and sees that bans end.
//!
//! In: alerts that were raised, wishes of people (also of other processes, by the catalog). Out:
//! bans in the catalog, each step with who and why, and addresses in the firewall. The catalog
//! says what should be; after a start and then regularly the firewall is made to agree.

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tocsin_catalog::{Ban, BanState, Catalog, CatalogError, NewBan, Target};
use tocsin_model::rule::Block;
use tocsin_model::{Alert, AlertId, Severity, Timestamp};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::config::{Mode, RespondConfig};
use crate::firewall::Firewall;
use crate::guard::{Guard, Refusal};
use crate::network::Network;
use crate::user::Users;
use crate::wish::{More, RespondError, Surroundings, Wish, canonical, target};

/// Who rules are, in what happened to a ban.
pub const DETECTION: &str = "detection";
/// How often wishes of other processes and ends of bans are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the firewall is compared with the catalog.
const COMPARE_EVERY: Duration = Duration::from_secs(60);
/// Alerts of older attacks block nobody: who attacked then may be somebody else now.
const ATTACK_AGE_MAX: Duration = Duration::from_secs(600);
/// How far back bans of an address make the next one longer.
const REPEAT_SPAN: Duration = Duration::from_secs(30 * 86_400);
/// The span of [`RespondConfig::per_hour_max`].
const HOUR: Duration = Duration::from_secs(3600);
/// The longest ban that a person may make.
const WISH_SECONDS_MAX: u64 = 365 * 86_400;
/// Alerts remembered as answered.
const ANSWERED_MAX: usize = 10_000;
/// A good login counts for an address when it was so long before a person wants it blocked:
/// somebody who has just got in is no reason not to.
const LOGIN_AGE_MIN: Duration = Duration::from_secs(3600);
/// Bans in force at most.
const BANS_MAX: usize = 100_000;

/// Makes and lifts bans.
pub struct Responder {
    config: RespondConfig,
    least: Severity,
    guard: Guard,
    firewall: Firewall,
    users: Users,
    catalog: Arc<Catalog>,
    around: Surroundings,
    /// Alerts that were answered, so that they are looked at once. Held by whoever decides: one
    /// at a time, so that catalog and firewall change together.
    turn: Mutex<HashSet<String>>,
}

impl Responder {
    /// A responder as configured.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(
        config: &RespondConfig,
        catalog: Arc<Catalog>,
        around: Surroundings,
    ) -> Result<Self, String> {
        config.check()?;
        Ok(Self {
            least: config.least()?,
            guard: Guard::new(&config.allow, config.private)?,
            firewall: Firewall::of(config)?,
            users: Users::new(config.user_script.clone(), &config.allow_users),
            config: config.clone(),
            catalog,
            around,
            turn: Mutex::default(),
        })
    }

    /// The configuration in force.
    pub fn config(&self) -> &RespondConfig {
        &self.config
    }

    /// Blocks an address for a person.
    ///
    /// # Errors
    /// A guard rail, a wish that makes no sense, or what the firewall says.
    pub async fn block(&self, wish: &Wish) -> Result<Ban, RespondError> {
        if self.config.mode == Mode::Off {
            return Err(RespondError::Bad(
                "nothing is blocked here: set respond.mode to enforce".to_owned(),
            ));
        }
        let _turn = self.turn.lock().await;
        let ban = self.wanted(wish).await?;
        let ban = self.catalog.add_ban(&ban)?;
        let ban = ban.ok_or_else(|| RespondError::Bad("it is banned already".to_owned()))?;
        let ban = self.make(ban).await?;
        match ban.what.state {
            BanState::Failed => Err(RespondError::Firewall(ban.what.note.unwrap_or_default())),
            _ => Ok(ban),
        }
    }

    /// Records a person's wish for the process that runs to grant.
    ///
    /// # Errors
    /// A guard rail, or a wish that makes no sense.
    pub async fn ask(&self, wish: &Wish) -> Result<Ban, RespondError> {
        let ban = self.wanted(wish).await?;
        let added = self.catalog.add_ban(&ban)?;
        added.ok_or_else(|| RespondError::Bad("it is banned already".to_owned()))
    }

    /// Lifts a ban; `None` when there is none with this number that could be.
    ///
    /// # Errors
    /// What the firewall says; the ban then is unwanted and lifted as soon as that works.
    pub async fn lift(&self, id: u64, who: &str, note: &str) -> Result<Option<Ban>, RespondError> {
        let _turn = self.turn.lock().await;
        let note = Some(note).filter(|note| !note.is_empty());
        let planned = [BanState::Planned, BanState::Wanted];
        if let Some(ban) = self.catalog.change_ban(id, &planned, BanState::Lifted, who, note)? {
            return Ok(Some(ban));
        }
        let from = [BanState::Active, BanState::Unwanted];
        let Some(ban) = self.catalog.change_ban(id, &from, BanState::Unwanted, who, note)? else {
            return Ok(None);
        };
        self.let_in(&ban, BanState::Lifted, who).await.map_err(RespondError::Firewall)
    }

    /// Asks the process that runs to lift a ban; `None` as for [`Responder::lift`].
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn ask_to_lift(&self, id: u64, who: &str) -> Result<Option<Ban>, RespondError> {
        let planned = [BanState::Planned, BanState::Wanted];
        if let Some(ban) = self.catalog.change_ban(id, &planned, BanState::Lifted, who, None)? {
            return Ok(Some(ban));
        }
        Ok(self.catalog.change_ban(id, &[BanState::Active], BanState::Unwanted, who, None)?)
    }

    /// Works until `shutdown`. Bans stay: the firewall ends them.
    pub async fn run(
        self: Arc<Self>,
        mut alerts: mpsc::Receiver<More>,
        shutdown: CancellationToken,
    ) {
        if self.config.mode == Mode::Off {
            return;
        }
        self.catch_up().await;
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut compare = tokio::time::interval(COMPARE_EVERY);
        let mut trouble = String::new();
        loop {
            let done = tokio::select! {
                () = shutdown.cancelled() => return,
                more = alerts.recv() => match more {
                    Some(More::Alert(alert)) => self.consider(&alert).await,
                    Some(More::Missed) => { self.catch_up().await; Ok(()) }
                    None => return,
                },
                _ = look.tick() => self.look().await,
                _ = compare.tick() => self.compare().await,
            };
            // Once for each trouble, however long it lasts.
            let now = done.err().unwrap_or_default();
            if !now.is_empty() && now != trouble {
                tracing::error!("response: {now}");
            }
            if !now.is_empty() {
                trouble = now;
            }
        }
    }

    /// Considers the alerts of the last minutes again: of a process that was killed, or too many.
    async fn catch_up(&self) {
        let mut alerts = Vec::new();
        let since = now().minus(ATTACK_AGE_MAX);
        let read = self.catalog.visit_alerts(since, |alert| alerts.push(alert.clone()));
        if let Err(error) = read {
            tracing::error!("response: {error}");
        }
        for alert in alerts {
            if let Err(error) = self.consider(&alert).await {
                tracing::error!("response: {error}");
            }
        }
    }

    /// Bans the address that an alert is about, if it should.
    async fn consider(&self, alert: &Alert) -> Result<(), String> {
        let Some((target, lasts)) = self.answers(alert) else { return Ok(()) };
        let mut answered = self.turn.lock().await;
        if answered.contains(&alert.id.0) {
            return Ok(());
        }
        let now = now();
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let bans = self.catalog.bans_of(&target, now.minus(REPEAT_SPAN));
        let bans = bans.map_err(|error| text(&error))?;
        // One attack makes several alerts: it is banned once, and not again when a person has let
        // it in since.
        let decided = |ban: &Ban| match ban.what.state {
            BanState::Lifted => ban.changed >= alert.first_seen,
            state => self.held().contains(&state),
        };
        if bans.iter().any(decided) {
            return Ok(());
        }
        let before = times_banned(&bans);
        let mut refusal = self.protected(&target, alert.first_seen).await?;
        let made = self.catalog.bans_by_rules(now.minus(HOUR), &alert.rule.id);
        let (made, by_rule) = made.map_err(|error| text(&error))?;
        if refusal.is_none() && made >= self.config.per_hour_max {
            refusal = Some(Refusal::TooMany(self.config.per_hour_max));
        } else if refusal.is_none() && by_rule >= self.config.per_rule_hour_max {
            refusal = Some(Refusal::RuleTooMany(self.config.per_rule_hour_max));
        }
        let state = match (&refusal, self.config.mode) {
            (Some(_), _) => BanState::Refused,
            (None, Mode::Enforce) => BanState::Wanted,
            (None, _) => BanState::Planned,
        };
        let ban = NewBan {
            target,
            alert_id: Some(alert.id.to_string()),
            rule: Some((alert.rule.id.clone(), alert.rule.title.clone())),
            reason: alert.reason.clone(),
            by: DETECTION.to_owned(),
            state,
            note: refusal.map(|why| why.to_string()),
            expires: now.plus(self.config.lasts_first(lasts, before)),
        };
        let ban = self.catalog.add_ban(&ban).map_err(|error| text(&error))?;
        if answered.len() >= ANSWERED_MAX {
            // The catalog knows them all.
            answered.clear();
        }
        answered.insert(alert.id.to_string());
        let Some(ban) = ban else { return Ok(()) };
        self.make(ban).await.map_err(|error| text(&error)).map(drop)
    }

    /// Whom to ban for an alert, and for how long at first: as its rule says, else by the first
    /// route that it takes, else by the severity and rules of the configuration.
    fn answers(&self, alert: &Alert) -> Option<(Target, Option<Duration>)> {
        if alert.historical || alert.last_seen < now().minus(ATTACK_AGE_MAX) {
            return None;
        }
        match &alert.rule.block {
            Some(Block::Never) => return None,
            Some(Block::Whom { field, lasts }) => return Some((target(alert, field)?, *lasts)),
            None => {}
        }
        let route = (self.around.routes)(alert);
        if let Some(route) = route.and_then(|place| self.config.routes.get(place)) {
            let lasts = route.for_seconds.map(Duration::from_secs);
            return Some((target(alert, &route.field)?, lasts));
        }
        let of_rule = |word: &String| {
            *word == alert.rule.id || alert.rule.name.as_ref().is_some_and(|name| word == name)
        };
        let chosen = self.config.rules.is_empty() || self.config.rules.iter().any(of_rule);
        if !chosen || alert.severity < self.least {
            return None;
        }
        Some((target(alert, "source.ip")?, None))
    }

    /// States of bans that make another one of the same address pointless. What a dry run planned
    /// is none where bans are enforced.
    fn held(&self) -> &'static [BanState] {
        match self.config.mode {
            Mode::Enforce => &[BanState::Wanted, BanState::Active, BanState::Unwanted],
            _ => BanState::HELD,
        }
    }

    async fn wanted(&self, wish: &Wish) -> Result<NewBan, RespondError> {
        let target = canonical(&wish.target);
        let began = match &wish.alert_id {
            Some(id) => {
                let alert = self.catalog.alert(&AlertId(id.clone()))?;
                let alert = alert.ok_or_else(|| RespondError::Bad(format!("no alert {id}")))?;
                alert.first_seen
            }
            None => now().minus(LOGIN_AGE_MIN),
        };
        match self.protected(&target, began).await.map_err(RespondError::Bad)? {
            Some(Refusal::GoodLogin(_)) if wish.despite_login => {}
            Some(why) => return Err(RespondError::Refused { target, why }),
            None => {}
        }
        let held = self.catalog.bans(self.held(), None, BANS_MAX + 1)?;
        if let Some(ban) = held.iter().find(|ban| ban.what.target == target) {
            let message =
                format!("{target} is banned already, until {} (ban {})", ban.what.expires, ban.id);
            return Err(RespondError::Bad(message));
        }
        if held.len() >= BANS_MAX {
            return Err(RespondError::Bad(format!("there are {BANS_MAX} bans; lift some first")));
        }
        let lasts = match wish.lasts {
            Some(lasts) if lasts.as_secs() == 0 || lasts.as_secs() > WISH_SECONDS_MAX => {
                let message = "a ban lasts a second at least and a year at most".to_owned();
                return Err(RespondError::Bad(message));
            }
            Some(lasts) => lasts,
            None => {
                let bans = self.catalog.bans_of(&target, now().minus(REPEAT_SPAN))?;
                self.config.lasts(times_banned(&bans))
            }
        };
        Ok(NewBan {
            target,
            alert_id: wish.alert_id.clone(),
            rule: None,
            reason: wish.reason.clone(),
            by: wish.by.clone(),
            state: BanState::Wanted,
            note: None,
            expires: now().plus(lasts),
        })
    }

    async fn protected(
        &self,
        target: &Target,
        began: Timestamp,
    ) -> Result<Option<Refusal>, String> {
        let (guard, users) = (self.guard.clone(), self.users.clone());
        let (target, around) = (target.clone(), self.around.clone());
        tokio::task::spawn_blocking(move || match target {
            Target::Address(address) => match guard.refuses(address, &Network::read()) {
                Some(refusal) => Ok(Some(refusal)),
                None => (around.protects)(address, began),
            },
            Target::User(name) => match users.refuses(&name) {
                Some(refusal) => Ok(Some(refusal)),
                None => (around.spares)(&name),
            },
        })
        .await
        .map_err(|error| error.to_string())?
    }

    /// Makes a wanted ban; one in another state is left as it is. What a dry run would do is
    /// recorded as planned.
    async fn make(&self, ban: Ban) -> Result<Ban, CatalogError> {
        if ban.what.state != BanState::Wanted {
            return Ok(ban);
        }
        let (id, by) = (ban.id, ban.what.by.clone());
        let left = ban.what.expires.since(now());
        let change = |to, note: Option<&str>| {
            let changed = self.catalog.change_ban(id, &[BanState::Wanted], to, &by, note)?;
            Ok(changed.unwrap_or_else(|| ban.clone()))
        };
        if self.config.mode != Mode::Enforce {
            return change(BanState::Planned, None);
        }
        let done = match &ban.what.target {
            Target::User(name) => self.users.disable(name, left).await,
            Target::Address(address) => match self.firewall.prepare().await {
                Ok(()) => self.firewall.block(*address, left).await,
                Err(error) => Err(error),
            },
        };
        match done {
            Ok(()) => {
                tracing::info!("blocked {} until {}", ban.what.target, ban.what.expires);
                change(BanState::Active, None)
            }
            Err(error) => {
                tracing::error!("{} could not be blocked: {error}", ban.what.target);
                change(BanState::Failed, Some(&error.to_string()))
            }
        }
    }

    /// Lets the address of a ban in again, unless another ban keeps it out.
    async fn let_in(&self, ban: &Ban, to: BanState, who: &str) -> Result<Option<Ban>, String> {
        let held = self.catalog.bans(&[BanState::Active], None, BANS_MAX);
        let held = held.map_err(|error| error.to_string())?;
        let other = held.iter().any(|one| one.id != ban.id && one.what.target == ban.what.target);
        let done = match &ban.what.target {
            _ if other => Ok(()),
            Target::User(name) => self.users.enable(name).await,
            Target::Address(address) => match self.firewall.prepare().await {
                Ok(()) => self.firewall.unblock(*address).await,
                Err(error) => Err(error),
            },
        };
        done.map_err(|error| error.to_string())?;
        let from = [BanState::Active, BanState::Unwanted];
        let note = ban.what.note.as_deref();
        let changed = self.catalog.change_ban(ban.id, &from, to, who, note);
        tracing::info!("let {} in again ({})", ban.what.target, to.as_str());
        changed.map_err(|error| error.to_string())
    }

    /// Grants wishes of other processes and ends bans whose time is over.
    async fn look(&self) -> Result<(), String> {
        let _turn = self.turn.lock().await;
        let states = [BanState::Wanted, BanState::Unwanted, BanState::Active, BanState::Planned];
        let bans = self.catalog.bans(&states, None, BANS_MAX).map_err(|error| error.to_string())?;
        let now = now();
        for ban in bans {
            let over = ban.what.expires <= now;
            match ban.what.state {
                BanState::Planned if over => {
                    let (from, to) = ([BanState::Planned], BanState::Expired);
                    let changed = self.catalog.change_ban(ban.id, &from, to, DETECTION, None);
                    changed.map_err(|error| error.to_string())?;
                }
                BanState::Active if over => {
                    self.let_in(&ban, BanState::Expired, DETECTION).await?;
                }
                BanState::Unwanted => {
                    let steps = self.catalog.ban_activity(ban.id);
                    let steps = steps.map_err(|error| error.to_string())?;
                    // Whoever asked for it.
                    let who = steps.last().map_or(DETECTION, |step| step.who.as_str());
                    self.let_in(&ban, BanState::Lifted, who).await?;
                }
                BanState::Wanted => {
                    self.make(ban).await.map_err(|error| error.to_string())?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the firewall agree with the catalog: somebody may have flushed it, and what ended
    /// while nobody looked must not be out any longer.
    async fn compare(&self) -> Result<(), String> {
        if self.config.mode != Mode::Enforce {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        let bans = self.catalog.bans(&[BanState::Active], None, BANS_MAX);
        let bans = bans.map_err(|error| error.to_string())?;
        self.firewall.prepare().await.map_err(|error| error.to_string())?;
        let blocked = self.firewall.blocked().await.map_err(|error| error.to_string())?;
        let Some(blocked) = blocked else { return Ok(()) };
        let now = now();
        let mut wanted: BTreeSet<IpAddr> = BTreeSet::new();
        for ban in bans.iter().filter(|ban| ban.what.expires > now) {
            let Some(address) = ban.what.target.address() else { continue };
            wanted.insert(address);
            if !blocked.contains(&address) {
                let again = self.firewall.block(address, ban.what.expires.since(now)).await;
                again.map_err(|error| error.to_string())?;
                tracing::warn!("{address} was not blocked any more: blocked again");
            }
        }
        for address in blocked.difference(&wanted) {
            let in_again = self.firewall.unblock(*address).await;
            in_again.map_err(|error| error.to_string())?;
            tracing::warn!("{address} was blocked without a ban: let in again");
        }
        Ok(())
    }
}

/// How many of the bans kept the address out, or would have.
fn times_banned(bans: &[Ban]) -> u32 {
    let counts = |ban: &&Ban| {
        use BanState::{Active, Expired, Planned, Unwanted};
        matches!(ban.what.state, Planned | Active | Unwanted | Expired)
    };
    u32::try_from(bans.iter().filter(counts).count()).unwrap_or(u32::MAX)
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
