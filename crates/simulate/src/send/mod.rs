//! Sends traffic somewhere at its pace. In: entries. Out: syslog messages, HTTP batches or lines
//! in files, and what became of them. Waits for a peer that goes away, and never sends faster
//! than asked: what could not be sent in time moves the rest.

mod file;
mod http;
mod peer;
mod target;

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::traffic::{Item, SyslogForm, Traffic};

pub use target::Target;

/// Entries that are sent at once, at most.
pub const BATCH_MAX: usize = 500;
/// Later than this, the rest moves instead of being sent all at once.
const LATE_MAX: Duration = Duration::from_secs(5);

/// How traffic is sent.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// Where to.
    pub target: Target,
    /// Form of syslog messages.
    pub syslog: SyslogForm,
    /// Entries per second; `None` is as fast as the target takes them.
    pub rate: Option<f64>,
    /// Ends after so many entries.
    pub count: Option<u64>,
    /// Ends after so long.
    pub duration: Option<Duration>,
    /// Told what happens on the way (a peer that went away, the first refusal).
    pub notice: fn(&str),
}

/// What became of the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Handed over.
    pub sent: u64,
    /// Not taken by the target.
    pub refused: u64,
    /// Entries that were part of an attack.
    pub attack: u64,
}

impl Summary {
    fn add(&mut self, taken: Taken, batch: &[Item]) {
        self.sent += taken.sent;
        self.refused += taken.refused;
        self.attack += batch.iter().filter(|item| item.attack.is_some()).count() as u64;
    }
}

/// Why nothing more is sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The target was never there.
    #[error("{target} does not answer; start what listens there, or correct --to")]
    Unreachable {
        /// Where to.
        target: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file or standard output takes nothing.
    #[error("cannot write to {target}")]
    Write {
        /// Where to.
        target: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// What a target did with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Taken {
    sent: u64,
    refused: u64,
}

enum Link {
    Tcp(peer::Tcp),
    Udp(peer::Udp),
    Http(Box<http::Http>),
    File(file::Files),
}

impl Link {
    fn new(options: &SendOptions) -> Result<Self, SendError> {
        let SendOptions { syslog, notice, .. } = *options;
        Ok(match &options.target {
            Target::Tcp(address) => Self::Tcp(peer::Tcp::new(address, syslog, notice)),
            Target::Udp(address) => Self::Udp(peer::Udp::new(address, syslog)),
            Target::Http { address, path } => {
                Self::Http(Box::new(http::Http::new(address, path, notice)))
            }
            Target::File(path) => Self::File(file::Files::open(path)?),
            Target::Stdout => Self::File(file::Files::stdout()),
        })
    }

    /// The least time between two batches.
    fn gather(&self) -> Duration {
        match self {
            Self::Http(_) => Duration::from_millis(200),
            _ => Duration::from_millis(10),
        }
    }

    async fn send(&mut self, batch: &[Item]) -> Result<Taken, SendError> {
        match self {
            Self::Tcp(peer) => peer.send(batch).await,
            Self::Udp(peer) => peer.send(batch).await,
            Self::Http(peer) => peer.send(batch).await,
            Self::File(files) => files.write(batch),
        }
    }

    async fn finish(&mut self) {
        if let Self::Tcp(peer) = self {
            peer.finish().await;
        }
    }
}

/// When entries are due.
struct Pace {
    rate: Option<f64>,
    begin: Instant,
    sent: u64,
}

impl Pace {
    fn due(&self) -> Instant {
        match self.rate {
            Some(rate) => self.begin + Duration::from_secs_f64(self.sent as f64 / rate),
            None => self.begin,
        }
    }

    /// By how much the rest moves, after something held us up.
    fn catch_up(&mut self, now: Instant) -> Option<Duration> {
        self.rate?;
        let late = now.saturating_duration_since(self.due());
        (late > LATE_MAX).then(|| {
            self.begin += late;
            late
        })
    }
}

/// Sends until the count or the duration is reached or `stop` is done.
///
/// # Errors
/// When the target is not there at all, or a file cannot be written.
pub async fn send(
    mut traffic: Traffic,
    options: &SendOptions,
    stop: impl Future<Output = ()>,
) -> Result<Summary, SendError> {
    tokio::pin!(stop);
    let mut link = Link::new(options)?;
    let mut summary = Summary::default();
    let begin = Instant::now();
    let end = options.duration.map(|duration| begin + duration);
    let count = options.count.unwrap_or(u64::MAX);
    let mut pace = Pace { rate: options.rate, begin, sent: 0 };
    let mut batch = Vec::new();
    loop {
        let now = Instant::now();
        let over = end.is_some_and(|end| end <= now);
        if let Some(late) = pace.catch_up(now) {
            traffic.pause(late);
        }
        // At the end, what was due until then still goes.
        let until = end.map_or(now, |end| end.min(now));
        while batch.len() < BATCH_MAX && pace.sent < count && pace.due() <= until {
            batch.extend(traffic.next());
            pace.sent += 1;
        }
        if !batch.is_empty() {
            let taken = tokio::select! {
                taken = link.send(&batch) => taken?,
                () = &mut stop => break,
            };
            summary.add(taken, &batch);
            batch.clear();
        }
        if over || pace.sent >= count {
            break;
        }
        let mut next = pace.due();
        if options.rate.is_some() {
            next = next.max(now + link.gather());
        }
        let next = end.map_or(next, |end| next.min(end));
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = sleep_until(next) => {}
        }
    }
    link.finish().await;
    Ok(summary)
}
