//! [`Network`]: the addresses that this machine needs: its own, its gateways, its name servers.
//! Reads the system; never changes it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Flag of a route that goes by a gateway (`RTF_GATEWAY` of linux/route.h).
const BY_GATEWAY: u32 = 0x2;

/// What must stay reachable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Addresses of this machine's interfaces.
    pub own: Vec<IpAddr>,
    /// Gateways of its routes.
    pub gateways: Vec<IpAddr>,
    /// Its name servers.
    pub resolvers: Vec<IpAddr>,
}

impl Network {
    /// As it is now. What cannot be read is left out.
    pub fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let own = if_addrs::get_if_addrs().unwrap_or_default();
        let mut gateways = gateways4(&text("/proc/net/route"));
        gateways.extend(gateways6(&text("/proc/net/ipv6_route")));
        Self {
            own: own.iter().map(if_addrs::Interface::ip).collect(),
            gateways,
            resolvers: resolvers(&text("/etc/resolv.conf")),
        }
    }
}

/// Gateways in `/proc/net/route`: columns 3 and 4 are the gateway, in the machine's byte order,
/// and the flags, both hexadecimal.
fn gateways4(text: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(columns.get(at)?, 16).ok();
        let (gateway, flags) = (number(2)?, number(3)?);
        let address = Ipv4Addr::from(gateway.to_ne_bytes());
        (flags & BY_GATEWAY != 0 && !address.is_unspecified()).then_some(IpAddr::V4(address))
    };
    text.lines().skip(1).filter_map(gateway).collect()
}

/// Gateways in `/proc/net/ipv6_route`: columns 5 and 9 are the next hop and the flags.
fn gateways6(text: &str) -> Vec<IpAddr> {
    let gateway = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let address = Ipv6Addr::from(u128::from_str_radix(columns.get(4)?, 16).ok()?);
        let flags = u32::from_str_radix(columns.get(8)?, 16).ok()?;
        (flags & BY_GATEWAY != 0 && !address.is_unspecified()).then_some(IpAddr::V6(address))
    };
    text.lines().filter_map(gateway).collect()
}

fn resolvers(text: &str) -> Vec<IpAddr> {
    let resolver = |line: &str| {
        let address = line.trim().strip_prefix("nameserver")?.trim();
        address.split('%').next()?.parse().ok()
    };
    text.lines().filter_map(resolver).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_and_resolvers_are_read() {
        let route = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n\
                     eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\n\
                     eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\nodd\n";
        if cfg!(target_endian = "little") {
            assert_eq!(gateways4(route), ["192.168.0.1".parse::<IpAddr>().unwrap()]);
        }
        let route = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                     fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n\
                     20010db8000000000000000000000000 40 00000000000000000000000000000000 00 \
                     00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n";
        assert_eq!(gateways6(route), ["fe80::1".parse::<IpAddr>().unwrap()]);
        let conf = "# x\nnameserver 192.0.2.53\nnameserver fe80::53%eth0\noptions edns0\n";
        let expected: [IpAddr; 2] = ["192.0.2.53".parse().unwrap(), "fe80::53".parse().unwrap()];
        assert_eq!(resolvers(conf), expected);
    }

    #[test]
    fn this_machine_has_addresses() {
        assert!(Network::read().own.iter().any(IpAddr::is_loopback));
    }
}
