//! How often a keyspace is stored, and where.

use std::fmt;
use std::str::FromStr;

/// How often each row of a keyspace is stored, as its operator says it: `3` for three times in each
/// data centre, `east=3,west=2` for some of them, `simple=1` for once, wherever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replication {
    /// So often in every data centre there is.
    Everywhere(u8),
    /// So often in each of these.
    In(Vec<(String, u8)>),
    /// So often, on whichever nodes follow each other: for a single data centre that stays one.
    Simple(u8),
}

/// A text that says no replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give 3, or east=3,west=2 by data centre, or simple=1; a number is between 1 and 255")]
pub struct ReplicationError;

impl FromStr for Replication {
    type Err = ReplicationError;

    fn from_str(text: &str) -> Result<Self, ReplicationError> {
        let factor = |text: &str| match text.parse() {
            Ok(factor) if factor > 0 => Ok(factor),
            Ok(_) | Err(_) => Err(ReplicationError),
        };
        let Some((name, count)) = text.split_once('=') else {
            return factor(text).map(Self::Everywhere);
        };
        if name == "simple" {
            return factor(count).map(Self::Simple);
        }
        let datacenter = |part: &str| {
            let (name, count) = part.split_once('=').ok_or(ReplicationError)?;
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || !name.chars().all(fits) {
                return Err(ReplicationError);
            }
            Ok((name.to_owned(), factor(count)?))
        };
        text.split(',').map(datacenter).collect::<Result<_, _>>().map(Self::In)
    }
}

/// As CQL wants it.
impl fmt::Display for Replication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(factor) => {
                write!(f, "{{'class': 'NetworkTopologyStrategy', 'replication_factor': {factor}}}")
            }
            Self::In(datacenters) => {
                f.write_str("{'class': 'NetworkTopologyStrategy'")?;
                for (name, factor) in datacenters {
                    write!(f, ", '{name}': {factor}")?;
                }
                f.write_str("}")
            }
            Self::Simple(factor) => {
                write!(f, "{{'class': 'SimpleStrategy', 'replication_factor': {factor}}}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_says_becomes_cql() {
        let topology = "'class': 'NetworkTopologyStrategy'";
        for (text, cql) in [
            ("3", format!("{{{topology}, 'replication_factor': 3}}")),
            ("east=3", format!("{{{topology}, 'east': 3}}")),
            ("east=3,eu-west.1=2", format!("{{{topology}, 'east': 3, 'eu-west.1': 2}}")),
            ("simple=1", "{'class': 'SimpleStrategy', 'replication_factor': 1}".to_owned()),
        ] {
            assert_eq!(text.parse::<Replication>().map(|r| r.to_string()), Ok(cql), "{text}");
        }
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for text in ["", "0", "256", "-1", "east", "east=", "east=0", "east=3,", "=3", "e'ast=3"] {
            assert_eq!(text.parse::<Replication>(), Err(ReplicationError), "{text}");
        }
    }
}
