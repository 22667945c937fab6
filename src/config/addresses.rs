//! One or several socket addresses, as a text with commas or as a list.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// At least one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Addresses(Vec<SocketAddr>);

/// A text that names no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address with a port such as 127.0.0.1:8080 or [::]:8080, or several")]
pub struct NotAddresses;

/// How a file may write them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a text or a list of texts")]
enum Written {
    Text(String),
    List(Vec<String>),
}

impl Addresses {
    /// All of them, in the order given.
    pub fn all(&self) -> &[SocketAddr] {
        &self.0
    }
}

impl From<SocketAddr> for Addresses {
    fn from(address: SocketAddr) -> Self {
        Self(vec![address])
    }
}

impl TryFrom<Written> for Addresses {
    type Error = NotAddresses;

    fn try_from(written: Written) -> Result<Self, NotAddresses> {
        let read = |text: &str| text.trim().parse().map_err(|_invalid| NotAddresses);
        let addresses: Result<Vec<SocketAddr>, NotAddresses> = match &written {
            Written::Text(text) => text.split(',').map(read).collect(),
            Written::List(list) => list.iter().map(|text| read(text)).collect(),
        };
        let addresses = addresses?;
        if addresses.is_empty() { Err(NotAddresses) } else { Ok(Self(addresses)) }
    }
}

impl From<Addresses> for String {
    fn from(addresses: Addresses) -> Self {
        addresses.to_string()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { ", " };
            write!(f, "{gap}{address}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, Serialize)]
    struct Holder {
        at: Addresses,
    }

    fn read(value: &str) -> Option<String> {
        let holder: Holder = toml::from_str(&format!("at = {value}")).ok()?;
        let again = toml::to_string(&holder).expect("it can be written");
        assert_eq!(toml::from_str::<Holder>(&again).expect("and read back").at, holder.at);
        Some(holder.at.to_string())
    }

    #[test]
    fn one_or_several_may_be_written_in_either_form() {
        assert_eq!(read("'127.0.0.1:80'").expect("one"), "127.0.0.1:80");
        let both = "127.0.0.1:80, [::1]:80";
        assert_eq!(read("'127.0.0.1:80,[::1]:80'").expect("a text"), both);
        assert_eq!(read("['127.0.0.1:80', '[::1]:80']").expect("a list"), both);
    }

    #[test]
    fn none_and_what_is_no_address_are_refused() {
        for value in ["''", "[]", "','", "'127.0.0.1'", "'localhost:80'", "80", "[80]", "['', '']"]
        {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
