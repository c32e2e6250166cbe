//! Which partition a key belongs to: as Kafka's own clients decide it, so that what other programs
//! say about the same thing stands beside what we say.

/// The partition of a key among these; 0 where there are none.
pub(super) fn of(key: &[u8], partitions: &[i32]) -> i32 {
    let positive = u64::from(murmur2(key) & 0x7fff_ffff);
    let count = partitions.len() as u64;
    let at = positive.checked_rem(count).unwrap_or_default();
    usize::try_from(at).ok().and_then(|at| partitions.get(at)).copied().unwrap_or_default()
}

/// Austin Appleby's MurmurHash2 (public domain) with the seed that Kafka uses.
fn murmur2(key: &[u8]) -> u32 {
    const FACTOR: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ key.len() as u32;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(FACTOR);
        word ^= word >> 24;
        hash = hash.wrapping_mul(FACTOR) ^ word.wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(FACTOR);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}
