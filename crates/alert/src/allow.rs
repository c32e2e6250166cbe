//! [`AllowList`]: addresses and networks that never alert.

use std::net::IpAddr;

use ipnet::IpNet;

/// A parsed allow-list.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    networks: Vec<IpNet>,
}

impl AllowList {
    /// Parses addresses (`192.0.2.1`) and networks (`10.0.0.0/8`, `2001:db8::/32`).
    ///
    /// # Errors
    /// Names the entry that is neither.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let networks = entries
            .iter()
            .map(|entry| {
                let entry = entry.trim();
                entry
                    .parse::<IpNet>()
                    .or_else(|_| entry.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| {
                        format!(
                            "alerts.allow_list: {entry:?} is neither an address nor a network, \
                             write it like 192.0.2.1 or 10.0.0.0/8"
                        )
                    })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { networks })
    }

    /// Whether an address given as text is on the list; IPv4-mapped IPv6 counts as IPv4.
    pub fn contains(&self, address: &str) -> bool {
        let Ok(address) = address.parse::<IpAddr>() else { return false };
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks() {
        let list =
            AllowList::parse(&["192.0.2.1".into(), "2001:db8::/32".into(), " 10.0.0.0/8".into()]);
        let list = list.unwrap();
        let table = [
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("::ffff:192.0.2.1", true),
            ("10.255.0.1", true),
            ("2001:db8::9", true),
            ("2001:db9::9", false),
            ("host.example", false),
            ("", false),
        ];
        for (address, expected) in table {
            assert_eq!(list.contains(address), expected, "{address}");
        }
        let error = AllowList::parse(&["10.0.0.0/33".into()]).unwrap_err();
        assert!(error.contains("\"10.0.0.0/33\" is neither"), "{error}");
    }
}
