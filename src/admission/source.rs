//! Where connections come from, as far as they are counted together.

use std::net::IpAddr;
use std::num::NonZeroU64;

/// An IPv4 address, or the network of 64 bits that an IPv6 host is given whole and may pick any
/// address of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(NonZeroU64);

/// What stands in front of an IPv4 address: bits of multicast, from which nothing ever comes, so
/// that no network of IPv6 is the same.
const IPV4: u64 = 0xffff_ffff << 32;

impl Source {
    /// The source of an address. One of IPv4 is the same however it is written.
    pub fn of(address: IpAddr) -> Self {
        let bits = match address.to_canonical() {
            IpAddr::V4(address) => IPV4 | u64::from(address.to_bits()),
            IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or_default(),
        };
        // Of the network 0, reserved for the loopback, and its neighbour 1, which nobody has.
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let source = |text: &str| Source::of(text.parse().expect(text));
        source(one) == source(other)
    }

    #[test]
    fn a_source_is_an_address_of_ipv4_or_a_network_of_ipv6() {
        assert!(same("192.0.2.7", "192.0.2.7") && !same("192.0.2.7", "192.0.2.8"));
        assert!(same("192.0.2.7", "::ffff:192.0.2.7"), "a socket for both families");
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(!same("::1", "127.0.0.1") && !same("::1", "2001:db8::1"));
    }
}
