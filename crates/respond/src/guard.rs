//! [`Guard`]: whom never to block, whoever asks for it.
//!
//! In: an address. Out: why it must not be blocked, if so. Pure.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::network::Network;

/// Why an address is not blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Loopback, link-local, multicast, broadcast or unspecified: no attacker has it.
    Special,
    /// One of this machine's.
    Own,
    /// A gateway of this machine.
    Gateway,
    /// A name server of this machine.
    Resolver,
    /// Of a private network, and those may not be blocked.
    Private,
    /// On an allow-list; the text names it.
    Allowed(String),
    /// Somebody logged in well from there before the attack.
    GoodLogin(String),
    /// Rules have made as many bans in this hour as they may.
    TooMany(u32),
    /// One rule has made as many bans in this hour as one may: perhaps it matches everybody.
    RuleTooMany(u32),
    /// A user that is never disabled; the text says why.
    User(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Special => f.write_str(
                "loopback, link-local, multicast and unspecified addresses are never blocked",
            ),
            Self::Own => f.write_str("it is an address of this machine"),
            Self::Gateway => f.write_str("it is a gateway of this machine"),
            Self::Resolver => f.write_str("it is a name server of this machine"),
            Self::Private => {
                f.write_str("it is of a private network (set respond.private to block those too)")
            }
            Self::Allowed(by) => write!(f, "it is allowed by {by}"),
            Self::GoodLogin(what) => write!(f, "{what} from there before the attack"),
            Self::User(why) => f.write_str(why),
            Self::RuleTooMany(limit) => {
                write!(
                    f,
                    "this rule has blocked {limit} within an hour, perhaps it matches everybody \
                     (respond.per_rule_hour_max)"
                )
            }
            Self::TooMany(limit) => {
                write!(
                    f,
                    "rules have blocked {limit} addresses within an hour (respond.per_hour_max)"
                )
            }
        }
    }
}

/// The guard rails that need no look at history.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allow: Vec<IpNet>,
    private: bool,
}

impl Guard {
    /// With a list of addresses and networks that are never blocked.
    ///
    /// # Errors
    /// Names the entry that is neither.
    pub fn new(allow: &[String], private: bool) -> Result<Self, String> {
        let read = |entry: &String| {
            let text = entry.trim();
            let network = text.parse::<IpNet>();
            network.or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                format!(
                    "respond.allow: {entry:?} is neither an address nor a network, write it like \
                     192.0.2.1 or 10.0.0.0/8"
                )
            })
        };
        Ok(Self { allow: allow.iter().map(read).collect::<Result<_, _>>()?, private })
    }

    /// Why `address` must not be blocked by anybody.
    pub fn refuses(&self, address: IpAddr, network: &Network) -> Option<Refusal> {
        let address = address.to_canonical();
        if is_special(address) {
            return Some(Refusal::Special);
        }
        let among = |list: &[IpAddr]| list.iter().any(|one| one.to_canonical() == address);
        if among(&network.own) {
            return Some(Refusal::Own);
        }
        if among(&network.gateways) {
            return Some(Refusal::Gateway);
        }
        if among(&network.resolvers) {
            return Some(Refusal::Resolver);
        }
        if self.allow.iter().any(|network| network.contains(&address)) {
            return Some(Refusal::Allowed("respond.allow".to_owned()));
        }
        (is_private(address) && !self.private).then_some(Refusal::Private)
    }
}

fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.octets()[0] == 0
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        // With the addresses that carriers share (RFC 6598): many people are behind one.
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network() -> Network {
        Network {
            own: vec!["203.0.113.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            gateways: vec!["203.0.113.254".parse().unwrap()],
            resolvers: vec!["198.51.100.53".parse().unwrap()],
        }
    }

    #[test]
    fn who_is_never_blocked() {
        let guard = Guard::new(&["192.0.2.7".into(), "2001:db8:1::/48".into()], false).unwrap();
        let allowed = || Some(Refusal::Allowed("respond.allow".into()));
        let table = [
            ("127.0.0.1", Some(Refusal::Special)),
            ("127.8.8.8", Some(Refusal::Special)),
            ("::1", Some(Refusal::Special)),
            ("::ffff:127.0.0.1", Some(Refusal::Special)),
            ("0.0.0.0", Some(Refusal::Special)),
            ("0.1.2.3", Some(Refusal::Special)),
            ("::", Some(Refusal::Special)),
            ("169.254.1.1", Some(Refusal::Special)),
            ("fe80::1", Some(Refusal::Special)),
            ("224.0.0.251", Some(Refusal::Special)),
            ("255.255.255.255", Some(Refusal::Special)),
            ("ff02::fb", Some(Refusal::Special)),
            ("203.0.113.1", Some(Refusal::Own)),
            ("::ffff:203.0.113.1", Some(Refusal::Own)),
            ("2001:db8::1", Some(Refusal::Own)),
            ("203.0.113.254", Some(Refusal::Gateway)),
            ("198.51.100.53", Some(Refusal::Resolver)),
            ("192.0.2.7", allowed()),
            ("2001:db8:1:2::3", allowed()),
            ("10.1.2.3", Some(Refusal::Private)),
            ("172.16.0.1", Some(Refusal::Private)),
            ("192.168.1.1", Some(Refusal::Private)),
            ("100.64.0.1", Some(Refusal::Private)),
            ("fd00::1", Some(Refusal::Private)),
            ("192.0.2.8", None),
            ("100.128.0.1", None),
            ("2001:db8::2", None),
        ];
        for (address, expected) in table {
            assert_eq!(guard.refuses(address.parse().unwrap(), &network()), expected, "{address}");
        }
        let open = Guard::new(&[], true).unwrap();
        assert_eq!(open.refuses("10.1.2.3".parse().unwrap(), &network()), None);
        let error = Guard::new(&["everybody".into()], false).unwrap_err();
        assert!(error.contains("respond.allow: \"everybody\" is neither"), "{error}");
    }

    proptest! {
        #[test]
        fn own_addresses_are_never_blocked(bits in any::<u32>(), private in any::<bool>()) {
            let own = IpAddr::from(bits.to_be_bytes());
            let network = Network { own: vec![own], ..Network::default() };
            let guard = Guard::new(&[], private).unwrap();
            prop_assert!(guard.refuses(own, &network).is_some());
            let IpAddr::V4(v4) = own else { unreachable!() };
            prop_assert!(guard.refuses(v4.to_ipv6_mapped().into(), &network).is_some());
        }
    }
}
