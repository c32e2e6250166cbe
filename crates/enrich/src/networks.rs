//! [`Networks`]: from an address to the narrowest network that contains it. One look into a hash
//! table for every length of prefix that there is.

use std::net::IpAddr;

use ahash::AHashMap;
use ipnet::IpNet;

/// Length of the prefix, whether of version 6, the address masked.
type Key = (u8, bool, u128);

/// Networks and what belongs to each.
#[derive(Debug, Clone)]
pub(crate) struct Networks<T> {
    by_network: AHashMap<Key, T>,
    /// Lengths of prefixes in use, the longest first.
    lengths: [Vec<u8>; 2],
}

impl<T> Default for Networks<T> {
    fn default() -> Self {
        Self { by_network: AHashMap::new(), lengths: [Vec::new(), Vec::new()] }
    }
}

/// An address as a number, and whether it is of version 6. Those mapped into version 6 are of
/// version 4.
fn number(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(u32::from(address)), false),
        IpAddr::V6(address) => (u128::from(address), true),
    }
}

fn key(number: u128, six: bool, length: u8) -> Key {
    let width = if six { 128 } else { 32 };
    let away = u32::from(width - length.min(width));
    let masked = number.checked_shr(away).and_then(|kept| kept.checked_shl(away)).unwrap_or(0);
    (length, six, masked)
}

impl<T> Networks<T> {
    /// Adds a network; what was there for the same one is replaced.
    pub(crate) fn insert(&mut self, network: IpNet, value: T) {
        let (number, six) = number(network.network());
        let length = match network {
            // Mapped networks of version 4.
            IpNet::V6(wide) if !six => wide.prefix_len().saturating_sub(96),
            other => other.prefix_len(),
        };
        let lengths = &mut self.lengths[usize::from(six)];
        if let Err(at) = lengths.binary_search_by(|known| length.cmp(known)) {
            lengths.insert(at, length);
        }
        self.by_network.insert(key(number, six, length), value);
    }

    /// What belongs to the narrowest network around an address.
    pub(crate) fn find(&self, address: IpAddr) -> Option<&T> {
        if self.by_network.is_empty() {
            return None;
        }
        let (number, six) = number(address);
        let lengths = &self.lengths[usize::from(six)];
        lengths.iter().find_map(|length| self.by_network.get(&key(number, six, *length)))
    }

    /// Number of networks.
    pub(crate) fn len(&self) -> usize {
        self.by_network.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_network_wins() {
        let mut networks = Networks::default();
        for (at, network) in
            ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "2001:db8::/32", "::/0"]
                .iter()
                .enumerate()
        {
            networks.insert(network.parse().unwrap(), at);
        }
        let table = [
            ("192.0.2.1", 0),
            ("10.9.9.9", 1),
            ("10.1.9.9", 2),
            ("10.1.2.3", 3),
            ("::ffff:10.1.2.3", 3),
            ("2001:db8::7", 4),
            ("2001:db9::7", 5),
        ];
        for (address, expected) in table {
            assert_eq!(networks.find(address.parse().unwrap()), Some(&expected), "{address}");
        }
        assert_eq!(Networks::<()>::default().find("10.0.0.1".parse().unwrap()), None);
    }
}
