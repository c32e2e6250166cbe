//! GELF over TCP and UDP.

use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Line;
use crate::stats::{DropReason, InputStats};
use crate::wire::gelf::{self, Chunks, Wrong};

/// Reads one connection: messages end with a zero byte or a line end.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(line: &mut Line<'_, S>) {
    let max = line.listener.limits.frame_bytes_max;
    let (mut held, mut long) = (Vec::new(), false);
    loop {
        let Some(chunk) = line.read().await else { break };
        let mut messages = Vec::new();
        let mut rest = chunk;
        while let Some(end) = memchr::memchr2(0, b'\n', rest) {
            held.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            messages.push((std::mem::take(&mut held), std::mem::take(&mut long)));
        }
        held.extend_from_slice(rest);
        if held.len() > max {
            long = true;
            held.clear();
        }
        accept(line, messages, max).await;
    }
    accept(line, vec![(held, long)], max).await;
}

async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    line: &Line<'_, S>,
    messages: Vec<(Vec<u8>, bool)>,
    max: usize,
) {
    let mut events = Vec::with_capacity(messages.len());
    for (message, long) in messages {
        if long {
            // What follows its end belongs to it.
            line.dropped(DropReason::Refused, 1);
        } else if !message.trim_ascii().is_empty() {
            events.extend(event(&message, max, &line.listener.stats));
        }
    }
    line.accept(events).await;
}

/// The event of a message; what is none is counted.
fn event(message: &[u8], max: usize, stats: &InputStats) -> Option<Bytes> {
    match gelf::decode(message, max) {
        Ok(event) => Some(event),
        Err(Wrong::Format | Wrong::TooLong) => {
            stats.dropped(DropReason::Refused, 1);
            None
        }
    }
}

/// What datagrams of a socket hold.
pub(crate) enum Datagrams {
    /// Each is a message.
    Syslog,
    /// Each is a message or a chunk of one.
    Gelf(Chunks),
}

impl Datagrams {
    /// The message that a datagram completes.
    pub(crate) fn message(
        &mut self,
        datagram: &[u8],
        peer: IpAddr,
        max: usize,
        stats: &InputStats,
    ) -> Option<Bytes> {
        match self {
            Self::Syslog => {
                let end = datagram.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0))?;
                stats.dropped(DropReason::Oversize, u64::from(end + 1 > max));
                Some(Bytes::copy_from_slice(&datagram[..(end + 1).min(max)]))
            }
            Self::Gelf(chunks) => {
                let message = chunks.push(datagram, peer, Instant::now());
                stats.dropped(DropReason::InvalidFrame, chunks.take_invalid());
                stats.dropped(DropReason::Incomplete, chunks.take_given_up());
                event(&message?, max, stats)
            }
        }
    }

    /// Gives up what is incomplete for too long.
    pub(crate) fn expire(&mut self, stats: &InputStats) {
        if let Self::Gelf(chunks) = self {
            chunks.expire(Instant::now());
            stats.dropped(DropReason::Incomplete, chunks.take_given_up());
        }
    }
}
