//! A small random number generator (SplitMix64) whose sequence never changes, so that a seed
//! means the same traffic in every version. Not for secrets.

use std::net::Ipv4Addr;

/// A sequence of numbers that only the seed decides.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A sequence of its own, so that more numbers drawn here change nothing there.
    pub fn fork(&mut self) -> Self {
        Self::new(self.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both possible.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)) + 1;
        // Below 2^32, so it fits; the bias is below 2^-32.
        low.saturating_add((self.number() % span) as u32)
    }

    /// Whether something with this chance happens.
    pub fn percent(&mut self, chance: u32) -> bool {
        self.between(1, 100) <= chance
    }

    /// One of a table, which must not be empty.
    pub fn pick<T: Copy>(&mut self, table: &[T]) -> T {
        let last = u32::try_from(table.len().saturating_sub(1)).unwrap_or(u32::MAX);
        table[self.between(0, last) as usize]
    }

    /// A port that clients connect from.
    pub fn client_port(&mut self) -> u32 {
        self.between(32_768, 60_999)
    }

    /// An address out on the net. From the shared range 100.64.0.0/10, which belongs to nobody.
    pub fn visitor(&mut self) -> Ipv4Addr {
        let base = u32::from(Ipv4Addr::new(100, 64, 0, 0));
        Ipv4Addr::from(base | self.between(1, (1 << 22) - 2))
    }

    /// Letters and digits, as in keys and hashes.
    pub fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(self.pick(alphabet))).collect()
    }

    /// Hexadecimal digits.
    pub fn hex(&mut self, length: usize) -> String {
        self.text(b"0123456789abcdef", length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_never_changes() {
        let mut random = Random::new(1_234_567);
        assert_eq!(random.number(), 6_457_827_717_110_365_317);
        assert_eq!(random.number(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn ranges_hold_both_ends() {
        let mut random = Random::new(7);
        let drawn: std::collections::BTreeSet<u32> =
            (0..200).map(|_| random.between(3, 5)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(random.between(9, 9), 9);
        let visitor = random.visitor().octets();
        assert!(visitor[0] == 100 && (64..128).contains(&visitor[1]), "{visitor:?}");
    }
}
