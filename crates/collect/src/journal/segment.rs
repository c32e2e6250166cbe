//! The journal's files: their format on disk, and what of them is whole.
//!
//! A segment is a header and blocks; one append is one block, so a crash keeps it or loses it as
//! a whole. All numbers are little-endian.
//! header: `TOCSINJ1`, journal id u64, offset of the first block u64, zero u32, crc32 u32
//! block: payload length u32, crc32 u32 of the length and the payload, payload
//! payload: entries, each: length of the rest u32, received i64, peer (kind u8, 0, 4 or 16 bytes),
//! input (u16 length), hint (u16 length, 65535 for none), bytes
//! A block's offset is its segment's first offset plus the bytes of the blocks before it; an
//! entry's offset is where it starts, and its end is the next entry's offset (or the next block's).
//!
//! In: entries, bytes read back. Out: bytes, entries. Never does I/O.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tocsin_model::Timestamp;

use super::{APPEND_BYTES_MAX, JournalEntry, JournalError};

/// First bytes of a segment; the last one is the version of the format.
pub(super) const MAGIC: &[u8; 8] = b"TOCSINJ1";
/// Size of a segment's header in bytes.
pub(super) const HEADER_BYTES: u64 = 32;
/// Size of a block's length and checksum in bytes.
pub(super) const BLOCK_HEADER_BYTES: usize = 8;
/// Length that stands for no hint.
const NO_HINT: u16 = u16::MAX;
const EXTENSION: &str = "segment";

/// What the first bytes of a file say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A segment of this journal id.
    Good(u64),
    /// Written by another version.
    OtherVersion(char),
    /// Not (or not completely) written.
    Bad,
}

/// The path of the segment whose first block is at `base`.
pub(super) fn path(dir: &Path, base: u64) -> PathBuf {
    dir.join(format!("{base:020}.{EXTENSION}"))
}

/// The base of a segment, by its path.
pub(super) fn base_of(path: &Path) -> Option<u64> {
    let name = path.file_stem()?.to_str()?;
    (path.extension()? == EXTENSION).then(|| name.parse().ok()).flatten()
}

/// Bytes that segments take on disk.
pub(super) fn used_bytes(segments: &BTreeMap<u64, u64>) -> u64 {
    segments.iter().map(|(base, end)| end - base + HEADER_BYTES).sum()
}

pub(super) fn encode_header(id: u64, base: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(32);
    header.put_slice(MAGIC);
    header.put_u64_le(id);
    header.put_u64_le(base);
    header.put_u32_le(0);
    header.put_u32_le(crc32fast::hash(&header));
    header
}

pub(super) fn decode_header(header: &[u8], base: u64) -> Header {
    let Some((checked, mut crc)) = header.get(..32).map(|header| header.split_at(28)) else {
        return Header::Bad;
    };
    let (magic, version) = checked[..8].split_at(7);
    if magic != &MAGIC[..7] {
        return Header::Bad;
    }
    if version != &MAGIC[7..] {
        return Header::OtherVersion(char::from(version[0]));
    }
    let mut numbers = &checked[8..24];
    let (id, its_base) = (numbers.get_u64_le(), numbers.get_u64_le());
    let good = crc.get_u32_le() == crc32fast::hash(checked) && its_base == base;
    if good { Header::Good(id) } else { Header::Bad }
}

/// One append as a block.
pub(super) fn encode(entries: &[JournalEntry]) -> Result<Bytes, JournalError> {
    let mut block = BytesMut::with_capacity(entries.iter().map(|e| e.bytes.len() + 64).sum());
    block.put_bytes(0, BLOCK_HEADER_BYTES);
    for entry in entries {
        encode_entry(entry, &mut block)?;
    }
    let (bytes, max) = (block.len(), APPEND_BYTES_MAX);
    let length = u32::try_from(bytes - BLOCK_HEADER_BYTES).unwrap_or(u32::MAX);
    if bytes > max {
        return Err(JournalError::TooLarge { bytes, max });
    }
    block[..4].copy_from_slice(&length.to_le_bytes());
    let crc = block_crc(&length.to_le_bytes(), &block[BLOCK_HEADER_BYTES..]);
    block[4..8].copy_from_slice(&crc.to_le_bytes());
    Ok(block.freeze())
}

fn encode_entry(entry: &JournalEntry, block: &mut BytesMut) -> Result<(), JournalError> {
    let start = block.len();
    block.put_u32_le(0);
    block.put_i64_le(entry.received.0);
    match entry.peer {
        None => block.put_u8(0),
        Some(IpAddr::V4(v4)) => {
            block.put_u8(4);
            block.put_slice(&v4.octets());
        }
        Some(IpAddr::V6(v6)) => {
            block.put_u8(6);
            block.put_slice(&v6.octets());
        }
    }
    put_text(block, Some(&entry.input));
    put_text(block, entry.hint.as_deref());
    block.put_slice(&entry.bytes);
    let bytes = block.len() - start - 4;
    let too_large = |_| JournalError::TooLarge { bytes, max: APPEND_BYTES_MAX };
    let length = u32::try_from(bytes).map_err(too_large)?;
    block[start..start + 4].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Names and hints are far shorter than the limit; a longer one is cut at a character.
fn put_text(block: &mut BytesMut, text: Option<&str>) {
    let Some(text) = text else { return block.put_u16_le(NO_HINT) };
    let cut = &text[..text.floor_char_boundary(usize::from(NO_HINT) - 1)];
    block.put_u16_le(u16::try_from(cut.len()).unwrap_or_default());
    block.put_slice(cut.as_bytes());
}

fn block_crc(length: &[u8; 4], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(length);
    crc.update(payload);
    crc.finalize()
}

/// Payload length that a block header promises; `None` when it cannot be one.
pub(super) fn block_length(header: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(header.get(..4)?.try_into().ok()?) as usize;
    (length > 0 && length + BLOCK_HEADER_BYTES <= APPEND_BYTES_MAX).then_some(length)
}

/// Takes the first block off `bytes` and returns its payload; `None` when it is not whole.
pub(super) fn take_block(bytes: &mut Bytes) -> Option<Bytes> {
    let length = block_length(bytes)?;
    let end = BLOCK_HEADER_BYTES + length;
    let block = bytes.get(..end)?;
    let crc = u32::from_le_bytes(block[4..8].try_into().ok()?);
    let whole = crc == block_crc(block[..4].try_into().ok()?, &block[BLOCK_HEADER_BYTES..]);
    whole.then(|| bytes.split_to(end).slice(BLOCK_HEADER_BYTES..))
}

/// Makes the same text share one allocation, entry after entry.
#[derive(Debug, Default)]
pub(super) struct Names {
    recent: Vec<Arc<str>>,
}

/// How many different names are remembered.
const NAMES_MAX: usize = 16;

impl Names {
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.recent.iter().find(|known| &***known == text) {
            return known.clone();
        }
        if self.recent.len() >= NAMES_MAX {
            self.recent.clear();
        }
        let name = Arc::<str>::from(text);
        self.recent.push(name.clone());
        name
    }
}

/// Takes the first entry off a block's payload; `None` when it is malformed.
pub(super) fn take_entry(payload: &mut Bytes, names: &mut Names) -> Option<JournalEntry> {
    let length = payload.try_get_u32_le().ok()? as usize;
    if length > payload.len() {
        return None;
    }
    let mut entry = payload.split_to(length);
    let received = Timestamp(entry.try_get_i64_le().ok()?);
    let peer = match entry.try_get_u8().ok()? {
        0 => None,
        4 => Some(IpAddr::from(entry.try_get_u32().ok()?.to_be_bytes())),
        6 => Some(IpAddr::from(entry.try_get_u128().ok()?.to_be_bytes())),
        _ => return None,
    };
    let input = take_text(&mut entry, names)??;
    let hint = take_text(&mut entry, names)?;
    Some(JournalEntry { input, hint, peer, received, bytes: entry })
}

/// `None` when malformed, `Some(None)` for no text.
fn take_text(entry: &mut Bytes, names: &mut Names) -> Option<Option<Arc<str>>> {
    let length = entry.try_get_u16_le().ok()?;
    if length == NO_HINT {
        return Some(None);
    }
    if usize::from(length) > entry.len() {
        return None;
    }
    let text = entry.split_to(usize::from(length));
    Some(Some(names.get(std::str::from_utf8(&text).ok()?)))
}

/// How many bytes of a segment's blocks are whole.
pub(super) fn whole_bytes(blocks: Bytes) -> u64 {
    let mut rest = blocks.clone();
    while take_block(&mut rest).is_some() {}
    (blocks.len() - rest.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(peer: Option<&str>, hint: Option<&str>, bytes: &'static [u8]) -> JournalEntry {
        JournalEntry {
            input: Arc::from("syslog:udp"),
            hint: hint.map(Arc::from),
            peer: peer.map(|peer| peer.parse().unwrap()),
            received: Timestamp(1_700_000_000_000_000_001),
            bytes: Bytes::from_static(bytes),
        }
    }

    #[test]
    fn a_block_of_version_1_reads_back() {
        let entries = [
            entry(Some("192.0.2.1"), None, b"<34>a"),
            entry(Some("2001:db8::1"), Some("auth"), b"\xff\0"),
            entry(None, Some(""), b""),
        ];
        let block = encode(&entries).unwrap();
        // The stored format: a reader of any later version must understand these very bytes.
        assert_eq!(hex(&block), include_str!("golden/block_v1.hex").trim());
        let mut rest = block.clone();
        let mut payload = take_block(&mut rest).unwrap();
        assert!(rest.is_empty());
        let mut names = Names::default();
        for entry in entries {
            assert_eq!(take_entry(&mut payload, &mut names), Some(entry));
        }
        assert!(payload.is_empty());
        for at in 0..block.len() {
            let mut damaged = block.to_vec();
            damaged[at] ^= 1;
            assert_eq!(take_block(&mut Bytes::from(damaged)), None, "byte {at}");
            assert_eq!(take_block(&mut block.slice(..at)), None, "cut at {at}");
        }
    }

    #[test]
    fn a_header_of_version_1_reads_back() {
        let header = encode_header(0x0123_4567_89ab_cdef, 77);
        assert_eq!(hex(&header), include_str!("golden/header_v1.hex").trim());
        assert_eq!(decode_header(&header, 77), Header::Good(0x0123_4567_89ab_cdef));
        assert_eq!(decode_header(&header, 78), Header::Bad);
        assert_eq!(decode_header(&header[..31], 77), Header::Bad);
        let newer = [b"TOCSINJ2", &header[8..]].concat();
        assert_eq!(decode_header(&newer, 77), Header::OtherVersion('2'));
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
