//! Stores as a whole: `store copy`.

use super::{Failure, open_store};
use crate::config::{Config, is_contact_point, is_keyspace};
use crate::store::copy::{self, Purpose, Report};
use crate::store::{Backend, Options, Store, embedded, scylla};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;

/// Looking after stores that no server holds.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copy a whole store into another and compare the two; given again, it goes on where it was.
    #[command(after_help = COPY_NOTE)]
    Copy(CopyStore),
}

const COPY_NOTE: &str = "A store is written as embedded:FOLDER or scylla:HOST:PORT[,HOST:PORT...]/KEYSPACE. No server may use either \
of them, and the target must be empty or be the unfinished copy of the same source: a folder that does not \
exist, or a keyspace with tables and nothing in them. Accounts, conversations, their entries and all else \
keep their ids, sequences and times, and clients go on with what they hold: from then on serve the copy \
and never the source again.

Examples:
  chasqui store copy --from embedded:/var/lib/chasqui --to embedded:/mnt/chasqui
  chasqui store copy --from embedded:/var/lib/chasqui --to scylla:10.0.0.1:9042/chasqui";

/// Copying a store.
#[derive(Debug, Args)]
pub struct CopyStore {
    /// The store that is copied.
    #[arg(long, value_name = "STORE")]
    pub from: Location,
    /// The store that becomes the copy.
    #[arg(long, value_name = "STORE")]
    pub to: Location,
    /// A TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a data folder.
    Embedded(PathBuf),
    /// In a database that speaks CQL.
    Scylla {
        /// Some of its nodes, `host:port` each.
        contact_points: Vec<String>,
        /// Where in it.
        keyspace: String,
    },
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let location = match text.split_once(':') {
            Some(("embedded", folder)) if !folder.is_empty() => Some(Self::Embedded(folder.into())),
            Some(("scylla", place)) => Self::in_database(place),
            _ => None,
        };
        let expected = "must be embedded:FOLDER or scylla:HOST:PORT[,HOST:PORT...]/KEYSPACE";
        location.ok_or_else(|| expected.to_owned())
    }
}

impl Location {
    fn in_database(place: &str) -> Option<Self> {
        let (nodes, keyspace) = place.rsplit_once('/')?;
        let is_valid = is_keyspace(keyspace) && nodes.split(',').all(is_contact_point);
        let contact_points = nodes.split(',').map(str::to_owned).collect();
        is_valid.then(|| Self::Scylla { contact_points, keyspace: keyspace.to_owned() })
    }

    async fn open(self, config: &Config, purpose: Purpose) -> Result<Backend, Failure> {
        match self {
            Self::Embedded(folder) => {
                let options = config.clone().with_data(&folder).embedded_options();
                let options = embedded::Options { purpose, ..options };
                Ok(open_store(&Options::Embedded(options)).await?)
            }
            Self::Scylla { contact_points, keyspace } => {
                let options = config.scylla_options()?;
                let options = scylla::Options { contact_points, keyspace, purpose, ..options };
                Ok(open_store(&Options::Scylla(options)).await?)
            }
        }
    }
}

/// Copies a store; what to tell.
pub(super) async fn copy(config: &Config, request: CopyStore) -> Result<String, Failure> {
    let source = request.from.open(config, Purpose::Source).await?;
    let target = request.to.open(config, Purpose::Target(source.epoch())).await?;
    let copied = copy::copy(&source, &target).await;
    target.close().await;
    source.close().await;
    let Report { inventory, copying, comparing } = copied?;
    Ok(format!(
        "copied {inventory}\nwritten in {copying:.1?}, both read and found the same in {comparing:.1?}\n\
         The keys that sign tokens are not part of a store: keep keys.json, see identity.key_file.\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_names_its_backend() {
        let location = |text: &str| text.parse::<Location>();
        assert_eq!(location("embedded:/a b:c"), Ok(Location::Embedded("/a b:c".into())));
        let keyspace = "chats_2".to_owned();
        let contact_points = vec!["db1:9042".to_owned(), "[::1]:9043".to_owned()];
        let expected = Location::Scylla { contact_points, keyspace };
        assert_eq!(location("scylla:db1:9042,[::1]:9043/chats_2"), Ok(expected));
        let wrong = [
            "",
            "/data",
            "embedded",
            "embedded:",
            "redis:/data",
            "scylla:",
            "scylla:db1:9042",
            "scylla:db1:9042/",
            "scylla:/chats",
            "scylla:db1/chats",
            "scylla:db1:9042,/chats",
            "scylla:db1:99999/chats",
            "scylla:db1:9042/chats; drop",
        ];
        for wrong in wrong {
            assert!(location(wrong).is_err(), "{wrong}");
        }
    }
}
