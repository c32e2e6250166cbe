//! Fluent forward: a handshake where a key is configured, then messages, each acknowledged by
//! its chunk when the sender asks for it.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Line, refuse};
use crate::config::IngestLimits;
use crate::stats::DropReason;
use crate::wire::fluent::{ack, decode, helo, pong};
use crate::wire::msgpack::Skimmer;

/// Bytes of randomness in a handshake.
const NONCE_BYTES: usize = 16;
/// Longest answer in a handshake, in bytes.
const PING_BYTES_MAX: usize = 4096;
/// What we call ourselves.
const NAME: &str = "tocsin";

/// The shared key.
pub(crate) struct Key(pub String);

/// Reads one connection.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<'_, S>,
    limits: &IngestLimits,
    key: Option<&Key>,
) {
    let mut held = BytesMut::new();
    if let Some(key) = key
        && !handshake(line, &mut held, key).await
    {
        return refuse(line.listener, line.peer, "it does not know the shared key");
    }
    while let Some(bytes) = next(line, &mut held, limits.body_bytes_max).await {
        let message = match decode(&bytes, limits) {
            Ok(message) => message,
            Err(error) => return line.broken(&error.to_string()),
        };
        line.dropped(DropReason::Refused, message.taken.refused);
        if !line.accept(message.taken.events).await {
            return;
        }
        if let Some(chunk) = message.chunk
            && !line.write(&ack(&chunk)).await
        {
            return;
        }
    }
}

async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<'_, S>,
    held: &mut BytesMut,
    key: &Key,
) -> bool {
    let mut nonce = [0; NONCE_BYTES];
    let random = rustls::crypto::ring::default_provider().secure_random;
    if random.fill(&mut nonce).is_err() || !line.write(&helo(&nonce)).await {
        return false;
    }
    let Some(ping) = next(line, held, PING_BYTES_MAX).await else { return false };
    match pong(&ping, &nonce, &key.0, NAME) {
        Ok((good, answer)) => line.write(&answer).await && good,
        Err(_) => false,
    }
}

/// The next whole message; `None` at the end, or when what comes is none.
async fn next<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<'_, S>,
    held: &mut BytesMut,
    max: usize,
) -> Option<BytesMut> {
    let mut skimmer = Skimmer::default();
    loop {
        match skimmer.end(held) {
            Ok(Some(end)) if end <= max => return Some(held.split_to(end)),
            Ok(None) if held.len() <= max => {}
            Ok(_) => {
                line.broken("a message is over collect.ingest.body_bytes_max");
                return None;
            }
            Err(error) => {
                line.broken(&error.to_string());
                return None;
            }
        }
        let chunk = line.read().await;
        let Some(chunk) = chunk else {
            let left = held.remaining();
            line.dropped(DropReason::InvalidFrame, usize::from(left > 0));
            return None;
        };
        held.extend_from_slice(chunk);
    }
}
