//! Ordinary traffic: people at work, visitors of the shop, programs that run by the clock, and
//! the noise that every firewall drops. Never holds anything that is an attack by itself: no
//! address fails often, asks often, or asks for many ports.

mod machine;
mod shop;
mod staff;

use std::collections::BTreeMap;
use std::time::Duration;

use tocsin_model::Timestamp;

use super::item::Draft;
use super::random::Random;
use staff::Staff;

/// Entries that are planned ahead at most; beyond that they come sooner than planned.
const AGENDA_MAX: usize = 20_000;

/// Entries of one activity, with their time since its beginning.
#[derive(Debug, Default)]
struct Plan {
    entries: Vec<(Duration, Draft)>,
}

impl Plan {
    fn at(&mut self, millis: u32, draft: Draft) {
        self.entries.push((Duration::from_millis(millis.into()), draft));
    }
}

/// What happens by the clock.
#[derive(Debug, Clone, Copy)]
enum Habit {
    Staff,
    Cron,
    Unit,
    HealthCheck,
}

/// Makes ordinary entries.
#[derive(Debug)]
pub struct Ordinary {
    random: Random,
    staff: Staff,
    /// Entries to come, by time and number.
    agenda: BTreeMap<(Timestamp, u64), Draft>,
    number: u64,
    habits: [(Habit, Timestamp, Duration); 4],
}

impl Ordinary {
    /// Begins at `start`; `rate` is how many entries a second there will be.
    pub fn new(random: Random, start: Timestamp, rate: f64) -> Self {
        // Where entries are few, habits are rarer too, so that they leave room for the rest.
        let every = |seconds: f64, entries: f64| Duration::from_secs_f64(seconds + entries / rate);
        let habit =
            |habit, first: u64, period| (habit, start.plus(Duration::from_millis(first)), period);
        let habits = [
            habit(Habit::Staff, 100, every(5.0, 60.0)),
            habit(Habit::Cron, 7_000, every(20.0, 90.0)),
            habit(Habit::Unit, 3_000, every(25.0, 120.0)),
            habit(Habit::HealthCheck, 1_500, every(8.0, 40.0)),
        ];
        Self { random, staff: Staff::new(start), agenda: BTreeMap::new(), number: 0, habits }
    }

    /// The entry for this moment.
    pub fn next(&mut self, now: Timestamp) -> Draft {
        for at in 0..self.habits.len() {
            let (habit, due, period) = self.habits[at];
            if due <= now {
                self.habits[at].1 = now.plus(period);
                let plan = self.habit(habit, now);
                self.add(now, plan);
            }
        }
        loop {
            let early = self.agenda.len() >= AGENDA_MAX;
            if let Some(next) = self.agenda.first_entry()
                && (early || next.key().0 <= now)
            {
                return next.remove();
            }
            let plan = self.begin();
            self.add(now, plan);
        }
    }

    fn add(&mut self, now: Timestamp, plan: Plan) {
        for (after, draft) in plan.entries {
            self.agenda.insert((now.plus(after), self.number), draft);
            self.number += 1;
        }
    }

    fn habit(&mut self, habit: Habit, now: Timestamp) -> Plan {
        let mut plan = Plan::default();
        let random = &mut self.random;
        match habit {
            Habit::Staff => self.staff.work(&mut plan, now, random),
            Habit::Cron => machine::cron(&mut plan, random),
            Habit::Unit => machine::unit(&mut plan, random),
            Habit::HealthCheck => machine::health_check(&mut plan),
        }
        plan
    }

    /// Something that begins whenever nothing else is to be told; its first entry is due at once.
    fn begin(&mut self) -> Plan {
        let mut plan = Plan::default();
        let random = &mut self.random;
        match random.between(0, 99) {
            0..30 => shop::visit(&mut plan, random),
            30..34 => shop::search_engine(&mut plan, random),
            34..70 => shop::order(&mut plan, random),
            _ => machine::background_noise(&mut plan, random),
        }
        plan
    }
}
