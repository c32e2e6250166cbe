//! Realistic log traffic with attacks in it. In: a scenario, a seed, a start and a rate. Out:
//! entries without end, the same for the same four. Never reads a clock, never sends anything.

mod attack;
pub mod item;
mod lines;
mod ordinary;
mod place;
mod random;
pub mod scenario;

use std::collections::VecDeque;
use std::time::Duration;

use tocsin_model::Timestamp;

pub use item::{Body, Draft, Format, Item, Request, SyslogForm};
pub use scenario::{Attack, Scenario};

use attack::{Attackers, Step};
use ordinary::Ordinary;
use random::Random;

/// Entries per second of the events' own time where nobody says.
pub const RATE_DEFAULT: f64 = 50.0;
/// When the first attack begins.
const FIRST_ATTACK: Duration = Duration::from_millis(200);
/// Time between the beginnings of the first attacks.
const BETWEEN_ATTACKS: Duration = Duration::from_millis(250);
/// An attack begins again, from elsewhere, this many seconds after its end.
const AGAIN_SECONDS: (u32, u32) = (120, 240);

/// What traffic is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficOptions {
    /// Which attacks are in it.
    pub scenario: Scenario,
    /// What decides everything that is left to chance.
    pub seed: u64,
    /// Time of the first entry.
    pub start: Timestamp,
    /// Entries per second of the events' own time.
    pub rate: f64,
}

/// An attack that will begin.
#[derive(Debug)]
struct Planned {
    attack: Attack,
    turn: usize,
    due: Timestamp,
}

/// An attack that goes on.
#[derive(Debug)]
struct Playing {
    attack: Attack,
    turn: usize,
    steps: VecDeque<Step>,
    due: Timestamp,
}

/// The entries; an iterator without end.
#[derive(Debug)]
pub struct Traffic {
    rate: f64,
    /// Time of entry number 0.
    start: Timestamp,
    /// Number of the next entry.
    number: u64,
    random: Random,
    attackers: Attackers,
    ordinary: Ordinary,
    planned: Vec<Planned>,
    playing: Vec<Playing>,
}

impl Traffic {
    /// Traffic from its beginning.
    pub fn new(options: &TrafficOptions) -> Self {
        let mut random = Random::new(options.seed);
        let ordinary = Ordinary::new(random.fork(), options.start, options.rate);
        let attackers = Attackers::new(&mut random);
        let mut due = options.start.plus(FIRST_ATTACK);
        // Some attacks take their victims in turn; each seed begins with another one.
        let turn = random.between(0, 59) as usize;
        let mut planned = Vec::new();
        for attack in &options.scenario.attacks {
            planned.push(Planned { attack: *attack, turn, due });
            due = due.plus(BETWEEN_ATTACKS);
        }
        Self {
            rate: options.rate,
            start: options.start,
            number: 0,
            random,
            attackers,
            ordinary,
            planned,
            playing: Vec::new(),
        }
    }

    /// Time of the next entry.
    pub fn next_time(&self) -> Timestamp {
        self.start.plus(Duration::from_secs_f64(self.number as f64 / self.rate))
    }

    /// Nothing happens for so long.
    pub fn pause(&mut self, span: Duration) {
        self.start = self.start.plus(span);
    }

    /// How many attacks go on at once, and which part of the entries is theirs (in percent).
    /// Where entries are few, one after the other, or none would be dense enough to be seen.
    fn density(&self) -> (usize, u32) {
        match self.rate {
            rate if rate < 10.0 => (1, 80),
            rate if rate < 30.0 => (2, 70),
            _ => (4, 50),
        }
    }

    fn begin_attacks(&mut self, now: Timestamp) {
        let (at_once, _) = self.density();
        while self.playing.len() < at_once {
            let next = self.planned.iter().position(|planned| planned.due <= now);
            let Some(next) = next else { return };
            let Planned { attack, turn, .. } = self.planned.remove(next);
            let source = self.attackers.next();
            let steps = attack::script(attack, turn, source, &mut self.random).into();
            self.playing.push(Playing { attack, turn, steps, due: now });
        }
    }

    /// The next entry of an attack, if one is due.
    fn attack(&mut self, now: Timestamp) -> Option<(Attack, Draft)> {
        self.begin_attacks(now);
        let (_, percent) = self.density();
        let due = self.playing.iter().enumerate().filter(|(_, playing)| playing.due <= now);
        let (at, _) = due.min_by_key(|(_, playing)| playing.due)?;
        if !self.random.percent(percent) {
            return None;
        }
        let playing = &mut self.playing[at];
        let (attack, turn) = (playing.attack, playing.turn);
        let step = playing.steps.pop_front();
        match playing.steps.front() {
            Some(next) => playing.due = now.plus(next.after),
            None => {
                self.playing.remove(at);
                let (low, high) = AGAIN_SECONDS;
                let pause = Duration::from_secs(self.random.between(low, high).into());
                self.planned.push(Planned { attack, turn: turn + 1, due: now.plus(pause) });
            }
        }
        step.map(|step| (attack, step.draft))
    }
}

impl Iterator for Traffic {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let time = self.next_time();
        self.number += 1;
        let (attack, draft) = match self.attack(time) {
            Some((attack, draft)) => (Some(attack.name()), draft),
            None => (None, self.ordinary.next(time)),
        };
        Some(Item { time, attack, draft })
    }
}
