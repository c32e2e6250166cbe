//! Memory that is free goes back to the system, also when nothing happens any more.
//!
//! The allocator asks for huge pages where it can. Of what it gives back only parts are free, and
//! the rest of each 2 MB stays: a sixth of the memory of a busy server, for 2 % of its time.
//! Pages stay small here.
//!
//! The allocator keeps what was freed for a second, in case it is needed again, and looks for what
//! is due when a thread asks for more or ends. A server that falls idle after much work does
//! neither, and would keep the memory of its busiest minute for hours.

use std::hint::black_box;
use std::thread::{self, Builder};
use std::time::Duration;

/// Asks for small pages from now on.
pub fn small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_thp_disable(true) {
        tracing::debug!("the system keeps huge pages: {error}");
    }
}

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(5);

/// Lets a thread end every few seconds, for as long as the process lives.
pub fn give_back() {
    let tend = || loop {
        thread::sleep(EVERY);
        // One that has never had memory has nothing to look after.
        let ended = Builder::new().name("memory".to_owned()).spawn(|| drop(black_box(Box::new(0))));
        // Without a thread there is no room for anything else either.
        let _ = ended.map(thread::JoinHandle::join);
    };
    if let Err(error) = Builder::new().name("memory".to_owned()).spawn(tend) {
        tracing::warn!("cannot start a thread: {error}; free memory is kept");
    }
}
