//! Sets of addresses: one address, or a network in CIDR notation.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    /// Its first address.
    first: IpAddr,
    /// How many leading bits are the same.
    prefix: u32,
}

/// A text that names no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an address such as 10.0.0.7 or a network such as 10.0.0.0/8, no bits set beyond it"
)]
pub struct NotANetwork;

impl Network {
    /// Whether an address belongs to it. An IPv4 address is one however it is written.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && masked(address, self.prefix) == bits(self.first)
    }
}

/// The bits of an address, those of IPv4 leftmost.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The same with only the first `prefix` bits kept.
fn masked(address: IpAddr, prefix: u32) -> u128 {
    bits(address) & !u128::MAX.checked_shr(prefix).unwrap_or(0)
}

/// How many bits an address has.
const fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_invalid| NotANetwork)?;
        let prefix = prefix.map_or(Ok(width(first)), str::parse);
        let prefix = prefix.map_err(|_invalid| NotANetwork)?;
        // What has bits beyond its prefix, or is IPv4 in disguise, would not match what it seems to.
        let plain = masked(first, prefix) == bits(first) && first.to_canonical() == first;
        if plain && prefix <= width(first) { Ok(Self { first, prefix }) } else { Err(NotANetwork) }
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.first) {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}/{}", self.first, self.prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        let network: Network = network.parse().expect(network);
        network.contains(address.parse().expect(address))
    }

    #[test]
    fn an_address_belongs_to_the_networks_that_share_its_first_bits() {
        assert!(holds("10.1.2.3", "10.1.2.3") && !holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("10.0.0.0/8", "10.255.255.255") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.0/15", "10.1.0.1") && !holds("10.0.0.0/15", "10.2.0.1"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe00::1"));
        assert!(holds("::1", "::1") && !holds("::1", "::2"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && holds("::/0", "2001:db8::1"));
        assert!(!holds("0.0.0.0/0", "::1") && !holds("::/0", "127.0.0.1"));
        assert!(holds("127.0.0.0/8", "::ffff:127.0.0.1"), "a socket for both families");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.1/8",
            "10.0.0",
            "::/129",
            "::1/64",
            "localhost",
            "10.0.0.0/8/8",
            "::ffff:10.0.0.1",
            " 10.0.0.1",
            "10.0.0.1:80",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }

    #[test]
    fn what_is_shown_reads_the_same() {
        for text in ["10.0.0.0/8", "10.0.0.7", "::1", "fd00::/8", "0.0.0.0/0"] {
            assert_eq!(text.parse::<Network>().expect(text).to_string(), text);
        }
    }
}
