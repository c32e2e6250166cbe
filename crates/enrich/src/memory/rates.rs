//! Rates by the hour and what is usual: for each thing, mean and spread of every hour of the day,
//! on working days and at weekends apart. Streaming: nothing but these numbers is kept.
//!
//! An hour is judged while it lasts: as soon as it holds more than the whole hour ever should, an
//! event says so, and again when that has doubled. What was unusual counts for no more than what
//! was barely usual, so that an attack is not learned as the new rule at once.

use ahash::AHashMap;
use tocsin_model::{Event, Value, field};

use super::bytes::{Damaged, Reader, Writer};
use super::hash;
use super::select::Select;
use crate::config::BaselineConfig;

const HOUR: u32 = 3600;
const HOURS: usize = 24;
/// Hours of working days, then hours of weekends.
const SEASONS: usize = 2 * HOURS;
/// How fast the usual follows: an hour counts for at least this much.
const FOLLOW: f32 = 0.1;
/// Hours that must have been seen, this one of the day and those beside it, before one is judged.
const SEEN_MIN: u32 = 4;
/// Hours without anything that are learned one by one when a thing comes back; of a longer silence
/// no more is learned.
const SILENCE_MAX: u32 = 14 * 24;
/// What is no more than this many times the usual is never unusual.
const TIMES_MIN: f32 = 2.0;
/// When there are too many things, so many of a hundred go.
const LET_GO_PERCENT: usize = 10;
/// The longest name of a thing that is kept, bytes.
const NAME_BYTES_MAX: usize = 200;

/// One hour of the day.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Season {
    mean: f32,
    variance: f32,
    seen: u16,
}

impl Season {
    fn learn(&mut self, count: f32) {
        let share = (1.0 / (f32::from(self.seen) + 1.0)).max(FOLLOW);
        let away = count - self.mean;
        self.mean += share * away;
        self.variance = (1.0 - share) * (self.variance + share * away * away);
        self.seen = self.seen.saturating_add(1);
    }
}

/// What is usual in an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// How many on average.
    pub mean: f32,
    /// Standard deviation.
    pub deviation: f32,
}

impl Usual {
    /// From how many to how many, for people.
    pub fn range(&self) -> (u32, u32) {
        let low = (self.mean - 2.0 * self.deviation).max(0.0).floor();
        let high = (self.mean + 2.0 * self.deviation).ceil();
        (low as u32, high as u32)
    }
}

/// An hour that is unusual.
#[derive(Debug, Clone, PartialEq)]
pub struct Unusual {
    /// Name of the rate.
    pub name: String,
    /// Whose rate it is.
    pub entity: String,
    /// How many so far.
    pub count: u32,
    /// What is usual.
    pub usual: Usual,
}

impl Unusual {
    /// The sentence for people.
    pub fn text(&self) -> String {
        let (low, high) = self.usual.range();
        let usual = if low == high { low.to_string() } else { format!("{low}–{high}") };
        format!("{} against a usual {usual} at this hour", self.count)
    }
}

/// One thing.
#[derive(Debug, Clone)]
struct Thing {
    name: Box<str>,
    /// Number of the first hour, and of the one that lasts.
    first: u32,
    hour: u32,
    count: u32,
    /// How many there were when it was last told, in this hour.
    told: u32,
    seasons: Box<[Season; SEASONS]>,
}

#[derive(Debug)]
struct Kind {
    name: String,
    select: Select,
    least: u32,
}

#[derive(Debug)]
pub(super) struct Rates {
    kinds: Vec<Kind>,
    learning_hours: u32,
    deviations: f32,
    things_max: usize,
    things: AHashMap<u64, Thing>,
    /// Things that changed, and whether they are new.
    changed: AHashMap<u64, bool>,
    /// Hours that ended since the last piece: thing, hour, count.
    closed: Vec<(u64, u32, u32)>,
    let_go: u64,
}

impl Rates {
    pub(super) fn new(config: &BaselineConfig) -> Self {
        let rates = if config.enabled { config.in_force() } else { Default::default() };
        let kind = |(name, rate): (String, crate::config::RateConfig)| Kind {
            name,
            select: Select::new(&rate.holds, &rate.by),
            least: rate.least,
        };
        Self {
            kinds: rates.into_iter().map(kind).collect(),
            learning_hours: (config.learning_days.max(0.0) * HOURS as f64) as u32,
            deviations: config.deviations.max(1.0) as f32,
            things_max: config.things_max.max(1),
            things: AHashMap::new(),
            changed: AHashMap::new(),
            closed: Vec::new(),
            let_go: 0,
        }
    }

    pub(super) fn counts(&self) -> (usize, u64) {
        (self.things.len(), self.let_go)
    }

    pub(super) fn see(&mut self, event: &mut Event, now: u32) {
        let mut worst: Option<Unusual> = None;
        let mut values = Vec::new();
        let weight = match event.get(field::TOCSIN_ATTEMPTS) {
            Some(Value::Int(attempts)) => u32::try_from(attempts).unwrap_or(0),
            _ => 1,
        };
        for number in 0..self.kinds.len() {
            let kind = &self.kinds[number];
            if weight == 0 || !kind.select.of(event, &mut values) {
                continue;
            }
            let key =
                hash([kind.name.as_str()].into_iter().chain(values.iter().map(|value| &**value)));
            if !self.things.contains_key(&key) {
                self.add(key, &values.join(" "), now / HOUR);
            }
            let Some(unusual) = self.count(key, number, now / HOUR, weight) else { continue };
            let times = |one: &Unusual| one.count as f32 / one.usual.mean.max(1.0);
            if worst.as_ref().is_none_or(|worst| times(worst) < times(&unusual)) {
                worst = Some(unusual);
            }
        }
        drop(values);
        if let Some(unusual) = worst {
            tell(event, &unusual);
        }
    }

    fn add(&mut self, key: u64, name: &str, hour: u32) {
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        let seasons = Box::new([Season::default(); SEASONS]);
        let thing = Thing { name: name.into(), first: hour, hour, count: 0, told: 0, seasons };
        self.put(key, thing);
        self.changed.insert(key, true);
    }

    fn put(&mut self, key: u64, thing: Thing) {
        if self.things.len() >= self.things_max && !self.things.contains_key(&key) {
            let wanted = (self.things.len() * LET_GO_PERCENT / 100).max(1);
            let mut order: Vec<(u32, u64)> =
                self.things.iter().map(|(key, thing)| (thing.hour, *key)).collect();
            order.select_nth_unstable(wanted - 1);
            for (_, key) in order.into_iter().take(wanted) {
                self.things.remove(&key);
                self.changed.remove(&key);
                self.let_go += 1;
            }
        }
        self.things.insert(key, thing);
    }

    /// Counts, and says when that is unusual.
    fn count(&mut self, key: u64, kind: usize, hour: u32, weight: u32) -> Option<Unusual> {
        let (least, deviations, learning) =
            (self.kinds[kind].least, self.deviations, self.learning_hours);
        let thing = self.things.get_mut(&key)?;
        if hour < thing.hour {
            // Told too late to count for its hour.
            return None;
        }
        if hour > thing.hour {
            self.closed.push((key, thing.hour, thing.count));
        }
        thing.advance(hour, deviations);
        thing.count = thing.count.saturating_add(weight);
        self.changed.entry(key).or_insert(false);
        if thing.count < least || hour - thing.first < learning {
            return None;
        }
        let usual = thing.usual(hour)?;
        let limit = limit(&usual, deviations);
        let again = thing.told.saturating_mul(2);
        if (thing.count as f32) <= limit || thing.count < again.max(thing.told + 1) {
            return None;
        }
        thing.told = thing.count;
        let (name, entity) = (self.kinds[kind].name.clone(), thing.name.to_string());
        Some(Unusual { name, entity, count: thing.count, usual })
    }

    pub(super) fn write_changes(&mut self, out: &mut Writer) -> bool {
        let any = !self.changed.is_empty();
        let changed: Vec<(&u64, &bool, &Thing)> = self
            .changed
            .iter()
            .filter_map(|(key, new)| Some((key, new, self.things.get(key)?)))
            .collect();
        let new = changed.iter().filter(|(_, new, _)| **new);
        out.int((new.clone().count() + self.closed.len() + changed.len()) as u32);
        for (key, _, thing) in new {
            out.byte(1);
            out.long(**key);
            out.text(&thing.name);
            out.int(thing.first);
        }
        let closed = self.closed.iter().map(|(key, hour, count)| (*key, *hour, *count, 0));
        let open =
            changed.iter().map(|(key, _, thing)| (**key, thing.hour, thing.count, thing.told));
        for (key, hour, count, told) in closed.chain(open) {
            out.byte(0);
            out.long(key);
            out.int(hour);
            out.int(count);
            out.int(told);
        }
        self.closed.clear();
        self.changed.clear();
        any
    }

    pub(super) fn write_all(&self, out: &mut Writer) {
        out.int(self.things.len() as u32);
        for (key, thing) in &self.things {
            out.byte(2);
            out.long(*key);
            out.text(&thing.name);
            out.int(thing.first);
            out.int(thing.hour);
            out.int(thing.count);
            out.int(thing.told);
            for Season { mean, variance, seen } in thing.seasons.iter() {
                out.float(*mean);
                out.float(*variance);
                out.short(*seen);
            }
        }
    }

    pub(super) fn read(&mut self, input: &mut Reader<'_>) -> Result<(), Damaged> {
        for _ in 0..input.int()? {
            let (form, key) = (input.byte()?, input.long()?);
            if form > 0 {
                let (name, first) = (input.text()?, input.int()?);
                let mut seasons = Box::new([Season::default(); SEASONS]);
                let hour = if form == 2 { input.int()? } else { first };
                let (count, told) = if form == 2 { (input.int()?, input.int()?) } else { (0, 0) };
                if form == 2 {
                    for season in seasons.iter_mut() {
                        let (mean, variance) = (input.float()?, input.float()?);
                        *season = Season { mean, variance, seen: input.short()? };
                    }
                }
                self.put(key, Thing { name: name.into(), first, hour, count, told, seasons });
            }
            if form == 0 {
                let (hour, count, told) = (input.int()?, input.int()?, input.int()?);
                let deviations = self.deviations;
                if let Some(thing) = self.things.get_mut(&key).filter(|thing| hour >= thing.hour) {
                    thing.advance(hour, deviations);
                    (thing.count, thing.told) = (count, told);
                }
            }
        }
        Ok(())
    }
}

impl Thing {
    /// Learns the hours that are over, up to `hour`.
    fn advance(&mut self, hour: u32, deviations: f32) {
        if hour == self.hour {
            return;
        }
        let silent = (hour - self.hour - 1).min(SILENCE_MAX);
        let over = std::iter::once((self.hour, self.count))
            .chain((self.hour + 1..=self.hour + silent).map(|hour| (hour, 0)));
        for (over, count) in over {
            let usual = self.usual(over);
            let most = usual.map_or(f32::MAX, |usual| limit(&usual, deviations));
            self.seasons[season(over)].learn((count as f32).min(most));
        }
        (self.hour, self.count, self.told) = (hour, 0, 0);
    }

    /// What is usual in an hour: that hour of the day, and a little of those beside it. `None`
    /// when too few were seen.
    fn usual(&self, hour: u32) -> Option<Usual> {
        let own = season(hour);
        let (of_week, of_day) = (own / HOURS * HOURS, own % HOURS);
        let beside = [(of_day + HOURS - 1) % HOURS, (of_day + 1) % HOURS].map(|at| of_week + at);
        let mut parts = [(own, 1.0), (beside[0], 0.25), (beside[1], 0.25)];
        if self.seasons[own].seen == 0 {
            // Before the first weekend, say, the other half of the week tells more than nothing.
            parts.iter_mut().for_each(|(at, _)| *at = (*at + HOURS) % SEASONS);
        }
        let seasons = parts.map(|(at, weight)| (self.seasons[at], weight));
        let seen: u32 = seasons.iter().map(|(season, _)| u32::from(season.seen)).sum();
        if seen < SEEN_MIN {
            return None;
        }
        let weighed = |of: &dyn Fn(&Season) -> f32| {
            let known = seasons.iter().filter(|(season, _)| season.seen > 0);
            let (sum, weights) = known.fold((0.0, 0.0), |(sum, weights), (season, weight)| {
                let weight = weight * f32::from(season.seen.min(10));
                (sum + weight * of(season), weights + weight)
            });
            sum / weights
        };
        let mean = weighed(&|season| season.mean);
        let variance = weighed(&|season| season.variance + (season.mean - mean).powi(2));
        // Counts scatter by their root at least.
        Some(Usual { mean, deviation: (variance + mean + 1.0).sqrt() })
    }
}

/// More than this is unusual.
fn limit(usual: &Usual, deviations: f32) -> f32 {
    (usual.mean + deviations * usual.deviation).max(usual.mean * TIMES_MIN)
}

/// Which season an hour since 1970 is of. The first of January 1970 was a Thursday.
fn season(hour: u32) -> usize {
    let day = (hour / 24 + 3) % 7;
    let weekend = usize::from(day >= 5);
    weekend * HOURS + (hour % 24) as usize
}

fn tell(event: &mut Event, unusual: &Unusual) {
    event.set_str(field::TOCSIN_BASELINE_NAME, &unusual.name);
    event.set_str(field::TOCSIN_BASELINE_ENTITY, &unusual.entity);
    event.set(field::TOCSIN_BASELINE_COUNT, Value::Int(i64::from(unusual.count)));
    let (_, high) = unusual.usual.range();
    event.set(field::TOCSIN_BASELINE_HIGH, Value::Int(i64::from(high)));
    event.set_str(field::TOCSIN_BASELINE_TEXT, &unusual.text());
}
