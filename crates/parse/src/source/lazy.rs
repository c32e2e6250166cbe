//! [`LazyPlan`]: a definition that is compiled when its source first reads something, so that a
//! start does not wait for sources whose logs are not there.

use std::sync::{Mutex, OnceLock, PoisonError};

use tocsin_content::Node;

use super::compile::compile;
use super::definition::Definition;
use super::plan::Plan;

/// A plan, now or later.
#[derive(Debug)]
pub(crate) struct LazyPlan {
    plan: OnceLock<Plan>,
    /// What it is made from, until then.
    waiting: Mutex<Option<Box<Waiting>>>,
}

#[derive(Debug)]
struct Waiting {
    pack: String,
    name: String,
    path: String,
    definition: Definition,
}

impl LazyPlan {
    /// One that is compiled already.
    pub(crate) fn now(plan: Plan) -> Self {
        Self { plan: OnceLock::from(plan), waiting: Mutex::new(None) }
    }

    /// One that is compiled on first use. Only for definitions known to have no mistakes.
    pub(crate) fn later(pack: &str, name: &str, path: &str, definition: Definition) -> Self {
        let (pack, name, path) = (pack.to_owned(), name.to_owned(), path.to_owned());
        let waiting = Waiting { pack, name, path, definition };
        Self { plan: OnceLock::new(), waiting: Mutex::new(Some(Box::new(waiting))) }
    }

    /// The plan.
    pub(crate) fn get(&self) -> &Plan {
        self.plan.get_or_init(|| {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(waiting) = waiting else { return Plan::default() };
            let Waiting { pack, name, path, definition } = *waiting;
            compile(&pack, &name, &path, &definition, &Node::default(), &mut Vec::new())
        })
    }
}
