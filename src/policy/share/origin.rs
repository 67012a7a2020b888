//! Where a client comes from, as limits count it, and which limits hold there.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use crate::model::EntryId;

/// An address as limits count it: of IPv6 the first 64 bits, because whoever has one address there has all that share them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin(IpAddr);

impl Origin {
    /// The origin of an address.
    pub fn of(address: IpAddr) -> Origin {
        match address.to_canonical() {
            IpAddr::V4(address) => Origin(IpAddr::V4(address)),
            IpAddr::V6(address) => Origin(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))),
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// On whose account something is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Owner {
    /// Who is logged in, wherever from.
    Account(EntryId),
    /// Nobody yet: all from this origin together.
    Origin(Origin),
    /// The Unix socket, and the server itself.
    Local,
}

/// What one address may have. BEHAVIOUR "Default limits".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressLimits {
    /// Connections open at once.
    pub connections: usize,
    /// Of these, connections on which nobody is logged in.
    pub unauthenticated: usize,
    /// TLS handshakes a second.
    pub handshakes: u32,
    /// Binds refused with 49 a second; beyond that no further bind from there is read for a while.
    pub failed_binds: u32,
}

impl Default for AddressLimits {
    fn default() -> AddressLimits {
        AddressLimits { connections: 500, unauthenticated: 200, handshakes: 200, failed_binds: 20 }
    }
}

/// Which limits hold where: behind one address of a network that translates addresses there may be a whole hospital.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NetworkLimits {
    /// Everywhere else.
    pub others: AddressLimits,
    /// Of networks named in the configuration.
    pub networks: Vec<(IpNet, AddressLimits)>,
}

impl NetworkLimits {
    /// Those of the smallest network that holds the address.
    pub fn at(&self, address: IpAddr) -> AddressLimits {
        let address = address.to_canonical();
        let holding = self.networks.iter().filter(|(network, _)| network.contains(&address));
        holding.max_by_key(|(network, _)| network.prefix_len()).map_or(self.others, |(_, limits)| *limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str) -> Origin {
        Origin::of(address.parse().unwrap())
    }

    #[test]
    fn one_household_of_ipv6_is_one_origin() {
        assert_eq!(origin("2001:db8:1:2::1"), origin("2001:db8:1:2:ffff::9"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_eq!(origin("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"), "the same client over a socket that takes both");
    }

    #[test]
    fn the_smallest_network_counts() {
        let own = |connections| AddressLimits { connections, ..AddressLimits::default() };
        let networks = vec![
            ("10.0.0.0/8".parse().unwrap(), own(1)),
            ("10.1.0.0/16".parse().unwrap(), own(2)),
            ("2001:db8::/32".parse().unwrap(), own(3)),
        ];
        let limits = NetworkLimits { others: own(4), networks };
        for (address, connections) in
            [("10.2.0.1", 1), ("10.1.2.3", 2), ("::ffff:10.1.2.3", 2), ("2001:db8::1", 3), ("192.0.2.1", 4), ("::1", 4)]
        {
            assert_eq!(limits.at(address.parse().unwrap()).connections, connections, "{address}");
        }
    }
}
