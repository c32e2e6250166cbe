//! Bodies of requests that bring events, or are packed: read and unpacked into memory, within limits.
//!
//! In: a body as it arrives. Out: its bytes, unpacked, with the memory they hold ([`Room`]). A
//! body is read up to the configured size, packed or not, and all bodies together up to a limit
//! ([`Memory`]); who comes when that is full waits a little, then is told to come back.

use std::io::Read;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use futures::StreamExt;
use tocsin_collect::IngestLimits;
use tokio::runtime;
use tokio::time::timeout;

use crate::app::{App, Shared, blocking};
use crate::error::ApiError;
use crate::limits::{
    BODY_BYTES_FIRST, BODY_IDLE_MAX, DRAIN_BYTES_MAX, DRAIN_TIME_MAX, ZSTD_WINDOW_LOG_MAX,
};
use crate::memory::{Held, Memory};

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// Gzip, also several members.
    Gzip,
    /// Zlib, or bare deflate, which some send under the same name.
    Deflate,
    /// Zstandard.
    Zstd,
    /// Snappy in one block, without frames.
    Snappy,
}

impl Packing {
    /// Of one word of `Content-Encoding` or `grpc-encoding`.
    pub fn of_word(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Plain),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "zstd" => Some(Self::Zstd),
            "snappy" => Some(Self::Snappy),
            _ => None,
        }
    }

    /// Of a request.
    ///
    /// # Errors
    /// When it is packed more than once, or in an unknown way.
    pub fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let mut packing = Self::Plain;
        for value in headers.get_all(CONTENT_ENCODING) {
            for word in value.to_str().unwrap_or("?").split(',') {
                packing = match (Self::of_word(word), packing) {
                    (Some(Self::Plain), packing) => packing,
                    (Some(new), Self::Plain) => new,
                    _ => {
                        let message = "the body may be packed with gzip, deflate, zstd or snappy, once, and with nothing else";
                        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
                    }
                };
            }
        }
        Ok(packing)
    }
}

/// The memory of one request.
pub struct Room {
    memory: Memory,
    held: Held,
    /// By bodies that are there whole, bytes.
    taken: usize,
}

impl Room {
    /// Holding nothing yet.
    pub fn new(memory: &Memory) -> Self {
        Self { memory: memory.clone(), held: Held::default(), taken: 0 }
    }

    /// Makes room in `whole` for `more` bytes.
    async fn reserve(
        &mut self,
        whole: &mut Vec<u8>,
        more: usize,
        max: usize,
    ) -> Result<(), ApiError> {
        let needed = whole.len() + more;
        if needed <= whole.capacity() {
            return Ok(());
        }
        let size = needed.max(2 * whole.capacity()).max(BODY_BYTES_FIRST).min(max.max(needed));
        if !self.memory.grow(&mut self.held, self.taken + size).await {
            return Err(ApiError::busy("too many batches at the same time; come back later"));
        }
        whole.reserve_exact(size - whole.len());
        Ok(())
    }
}

/// Reads a body and gives it, unpacked, to `decode`, on a thread that may take its time. The
/// memory is held until the [`Room`] is dropped.
///
/// # Errors
/// When the body is too large, broken or stops coming, or there is no memory for it.
pub async fn receive<T: Send + 'static>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    packing: Packing,
    decode: impl FnOnce(&Bytes) -> T + Send + 'static,
) -> Result<(T, Room), ApiError> {
    let limits = app.handle.config.collect.ingest.clone();
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > limits.body_bytes_max) {
        drain(body).await;
        return Err(too_large(&limits));
    }
    let mut room = Room::new(&app.ingest_memory);
    let body = read(body, &limits, &mut room).await?;
    let stages = runtime::Handle::current();
    blocking(move || {
        let body = unpack(body, packing, &limits, &mut room, &stages)?;
        Ok((decode(&body), room))
    })
    .await
}

/// A body that is unpacked when it was packed, for what is no event.
pub struct Unpacked(pub Bytes);

impl FromRequest<Shared> for Unpacked {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Response> {
        if !request.headers().contains_key(CONTENT_ENCODING) {
            let body = Bytes::from_request(request, app).await;
            return body.map(Self).map_err(IntoResponse::into_response);
        }
        let (parts, body) = request.into_parts();
        let wrong = ApiError::into_response;
        let packing = Packing::of(&parts.headers).map_err(wrong)?;
        let read = receive(app, &parts.headers, body, packing, Bytes::clone).await;
        read.map(|(body, _)| Self(body)).map_err(wrong)
    }
}

async fn read(body: Body, limits: &IngestLimits, room: &mut Room) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut whole = Vec::new();
    loop {
        let Ok(chunk) = timeout(BODY_IDLE_MAX, chunks.next()).await else {
            let seconds = BODY_IDLE_MAX.as_secs();
            let message = format!("nothing of the body came for {seconds} s; send it in one go");
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, message));
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|error| {
            ApiError::bad_request(format!("the body ended before it was complete: {error}"))
        })?;
        if whole.len() + chunk.len() > limits.body_bytes_max {
            drain(Body::from_stream(chunks)).await;
            return Err(too_large(limits));
        }
        room.reserve(&mut whole, chunk.len(), limits.body_bytes_max).await?;
        whole.extend_from_slice(&chunk);
    }
    room.taken += whole.capacity();
    Ok(Bytes::from(whole))
}

/// Reads on for a while: closing a connection with unread bytes would take the answer away from
/// the sender.
async fn drain(body: Body) {
    let mut chunks = body.into_data_stream();
    let reading = async {
        let mut left = DRAIN_BYTES_MAX;
        while let Some(Ok(chunk)) = chunks.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    // Whoever is still sending then sees the connection closed.
    let _ = timeout(DRAIN_TIME_MAX, reading).await;
}

/// Unpacks, on a thread that may wait for memory.
///
/// # Errors
/// When the body is not what the packing says, or too large.
pub fn unpack(
    packed: Bytes,
    packing: Packing,
    limits: &IngestLimits,
    room: &mut Room,
    stages: &runtime::Handle,
) -> Result<Bytes, ApiError> {
    let bytes: &[u8] = &packed;
    let mut reader: Box<dyn Read + '_> = match packing {
        Packing::Plain => return Ok(packed),
        Packing::Gzip => Box::new(MultiGzDecoder::new(bytes)),
        // The first byte of zlib says how much it looks back, in a way that bare deflate cannot
        // begin with.
        Packing::Deflate if bytes.first().is_some_and(|first| first & 0x0f == 8) => {
            Box::new(ZlibDecoder::new(bytes))
        }
        Packing::Deflate => Box::new(DeflateDecoder::new(bytes)),
        Packing::Zstd => Box::new(zstd_reader(bytes).map_err(|error| broken(packing, &error))?),
        Packing::Snappy => return unpack_snappy(bytes, limits, room, stages),
    };
    let mut whole = Vec::new();
    let mut part = vec![0; BODY_BYTES_FIRST];
    loop {
        let count = reader.read(&mut part).map_err(|error| broken(packing, &error))?;
        let Some(new) = part.get(..count).filter(|new| !new.is_empty()) else { break };
        if whole.len() + count > limits.body_bytes_max {
            return Err(too_large(limits));
        }
        stages.block_on(room.reserve(&mut whole, count, limits.body_bytes_max))?;
        whole.extend_from_slice(new);
    }
    room.taken += whole.capacity();
    Ok(Bytes::from(whole))
}

fn zstd_reader(bytes: &[u8]) -> std::io::Result<impl Read + '_> {
    let mut reader = zstd::stream::read::Decoder::with_buffer(bytes)?;
    reader.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(reader)
}

fn unpack_snappy(
    bytes: &[u8],
    limits: &IngestLimits,
    room: &mut Room,
    stages: &runtime::Handle,
) -> Result<Bytes, ApiError> {
    let size = snap::raw::decompress_len(bytes).map_err(|error| broken(Packing::Snappy, &error))?;
    if size > limits.body_bytes_max {
        return Err(too_large(limits));
    }
    let mut whole = Vec::new();
    stages.block_on(room.reserve(&mut whole, size, limits.body_bytes_max))?;
    whole.resize(size, 0);
    let count = snap::raw::Decoder::new().decompress(bytes, &mut whole);
    whole.truncate(count.map_err(|error| broken(Packing::Snappy, &error))?);
    room.taken += whole.capacity();
    Ok(Bytes::from(whole))
}

fn broken(packing: Packing, error: &dyn std::fmt::Display) -> ApiError {
    let name = match packing {
        Packing::Plain => "a plain body",
        Packing::Gzip => "gzip",
        Packing::Deflate => "deflate",
        Packing::Zstd => "zstd",
        Packing::Snappy => "snappy",
    };
    ApiError::bad_request(format!("the body is not what {name} writes: {error}"))
}

/// The refusal of a body that is too large.
pub fn too_large(limits: &IngestLimits) -> ApiError {
    let max = limits.body_bytes_max;
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!(
            "the body is larger than {max} bytes (unpacked); send smaller batches, or raise collect.ingest.body_bytes_max"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::Write;
    use std::time::Duration;

    use axum::response::IntoResponse;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use futures::stream;

    use super::*;
    use crate::limits::INGEST_MEMORY_KIB_MAX;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        let limits = IngestLimits::default();
        let memory = Memory::new(INGEST_MEMORY_KIB_MAX, BODY_IDLE_MAX);
        for parts in [0, 1, 5] {
            let slow = || {
                stream::iter(0..parts).then(async |_| {
                    tokio::time::sleep(BODY_IDLE_MAX / 2).await;
                    Ok::<_, Infallible>("part")
                })
            };
            let mut room = Room::new(&memory);
            let whole = read(Body::from_stream(slow()), &limits, &mut room).await.unwrap();
            assert_eq!(whole.len(), 4 * parts, "slow is not stopped");
            let body = Body::from_stream(slow().chain(stream::pending()));
            let error = read(body, &limits, &mut room).await.unwrap_err();
            assert_eq!(error.into_response().status(), StatusCode::REQUEST_TIMEOUT);
        }
    }

    /// `data` in every packing.
    fn packed(data: &[u8]) -> Vec<(Packing, Vec<u8>)> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(data).unwrap();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(data).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(data).unwrap();
        vec![
            (Packing::Plain, data.to_vec()),
            (Packing::Gzip, gzip.finish().unwrap()),
            (Packing::Deflate, zlib.finish().unwrap()),
            (Packing::Deflate, bare.finish().unwrap()),
            (Packing::Zstd, zstd::encode_all(data, 3).unwrap()),
            (Packing::Snappy, snap::raw::Encoder::new().compress_vec(data).unwrap()),
        ]
    }

    #[test]
    fn every_packing_is_undone_within_the_limit_and_broken_ones_are_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let limits = IngestLimits { body_bytes_max: 100_000, ..IngestLimits::default() };
        let memory = Memory::new(INGEST_MEMORY_KIB_MAX, Duration::from_secs(1));
        let undo = |packing, bytes: &[u8]| {
            let (bytes, mut room) = (Bytes::copy_from_slice(bytes), Room::new(&memory));
            unpack(bytes, packing, &limits, &mut room, runtime.handle())
                .map_err(|error| error.into_response().status().as_u16())
        };
        for data in [&b""[..], b"x", "line of text\n".repeat(5000).as_bytes()] {
            for (packing, bytes) in packed(data) {
                assert_eq!(undo(packing, &bytes).unwrap(), data, "{packing:?}");
                if packing != Packing::Plain && bytes.len() > 4 {
                    let half = undo(packing, &bytes[..bytes.len() / 2]);
                    assert!(half.is_err() || half.unwrap().len() < data.len(), "{packing:?}");
                }
            }
        }
        for (packing, bytes) in packed(&vec![0; 100_001]).into_iter().skip(1) {
            assert_eq!(undo(packing, &bytes), Err(413), "{packing:?}");
        }
        for packing in [Packing::Gzip, Packing::Deflate, Packing::Zstd, Packing::Snappy] {
            assert_eq!(undo(packing, b"\x05\xfe plain text"), Err(400), "{packing:?}");
        }
        assert_eq!(Packing::of_word("br"), None);
    }
}
