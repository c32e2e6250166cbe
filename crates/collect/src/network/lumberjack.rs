//! Lumberjack 2: events are acknowledged by number once they are safe.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::Line;
use crate::config::IngestLimits;
use crate::stats::DropReason;
use crate::wire::lumberjack::{Decoder, Frame, ack};

/// How often a sender that waits is told that we are still there; Beats wait 30 s.
const STILL_THERE_EVERY: Duration = Duration::from_secs(5);

/// Reads one connection.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<'_, S>,
    limits: &IngestLimits,
) {
    let mut decoder = Decoder::new(limits);
    let mut frames = Vec::new();
    loop {
        let Some(chunk) = line.read().await else { return };
        let pushed = decoder.push(chunk, &mut frames);
        let mut last = None;
        let mut events = Vec::new();
        for frame in frames.drain(..) {
            let Frame::Event(number, event) = frame else { continue };
            last = Some(number);
            match event {
                Some(event) if event.len() <= limits.event_bytes_max => events.push(event),
                _ => line.dropped(DropReason::Refused, 1),
            }
        }
        if let Some(last) = last
            && !(safe(line, events).await && line.write(&ack(last)).await)
        {
            return;
        }
        if let Err(error) = pushed {
            return line.broken(&error.to_string());
        }
    }
}

/// Waits until events are safe, and keeps the sender waiting meanwhile.
async fn safe<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<'_, S>,
    events: Vec<bytes::Bytes>,
) -> bool {
    let listener = line.listener;
    let peer = line.peer;
    let entries = events.into_iter().map(|event| listener.entry(peer, event)).collect();
    let accepting = crate::accept(&listener.journal, entries, &listener.stats, &listener.shutdown);
    tokio::pin!(accepting);
    loop {
        tokio::select! {
            biased;
            safe = &mut accepting => return safe,
            () = tokio::time::sleep(STILL_THERE_EVERY) => {
                // When it fails, so does the acknowledgement.
                let _ = tokio::time::timeout(STILL_THERE_EVERY, line.stream.write_all(&ack(0))).await;
                let _ = line.stream.flush().await;
            }
        }
    }
}
