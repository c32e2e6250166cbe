//! [`Memory`]: what all bodies being read may take together.
//!
//! A body takes its part as it grows, so clients that send nothing hold nothing. When all is
//! taken, one body at a time may grow beyond it: that one gets done and gives back, so bodies
//! that wait for each other do not wait for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The memory of all bodies.
#[derive(Debug, Clone)]
pub struct Memory {
    kib: Arc<Semaphore>,
    beyond: Arc<Semaphore>,
    wait_max: Duration,
}

/// What one body holds; given back when dropped.
#[derive(Debug, Default)]
pub struct Held {
    kib: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Memory {
    /// So much in all; who asks for more waits up to `wait_max`.
    pub fn new(kib_max: u32, wait_max: Duration) -> Self {
        let kib = Arc::new(Semaphore::new(kib_max as usize));
        Self { kib, beyond: Arc::new(Semaphore::new(1)), wait_max }
    }

    /// Lets a body hold `bytes` in all; whether there was memory in time.
    pub async fn grow(&self, held: &mut Held, bytes: usize) -> bool {
        let now = held.kib.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(1024).saturating_sub(now);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more == 0 || held.beyond.is_some() {
            return true;
        }
        if let Ok(permit) = self.kib.clone().try_acquire_many_owned(more) {
            held.add(permit);
            return true;
        }
        let waiting = async {
            tokio::select! {
                biased;
                permit = self.kib.clone().acquire_many_owned(more) => {
                    permit.map(|permit| held.add(permit))
                }
                permit = self.beyond.clone().acquire_owned() => {
                    permit.map(|permit| held.beyond = Some(permit))
                }
            }
        };
        matches!(timeout(self.wait_max, waiting).await, Ok(Ok(())))
    }
}

impl Held {
    fn add(&mut self, permit: OwnedSemaphorePermit) {
        match &mut self.kib {
            Some(kib) => kib.merge(permit),
            None => self.kib = Some(permit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bodies_that_wait_for_each_other_get_done() {
        let memory = Memory::new(4, Duration::from_secs(10));
        let mut bodies: Vec<Held> = (0..4).map(|_| Held::default()).collect();
        for held in &mut bodies {
            assert!(memory.grow(held, 1000).await);
        }
        let [first, second, third, fourth] = &mut bodies[..] else { panic!("four") };
        // All is taken: one goes beyond, as far as it likes, the next one waits in vain.
        assert!(memory.grow(first, 2048).await);
        assert!(memory.grow(first, 1 << 30).await);
        assert!(!memory.grow(second, 2048).await);
        // What is given back is for those who wait, once.
        *first = Held::default();
        assert!(memory.grow(second, 2048).await);
        assert!(memory.grow(third, 2048).await);
        assert!(!memory.grow(fourth, 2048).await);
        assert!(memory.grow(fourth, 1024).await, "it has that already");
        bodies.clear();
        assert_eq!((memory.kib.available_permits(), memory.beyond.available_permits()), (4, 1));
    }
}
