//! Stores as a whole: `store copy`, `store restored`.

use super::{Failure, open_store};
use crate::config::{Config, is_contact_point, is_keyspace};
use crate::model::Epoch;
use crate::store::copy::{self, Purpose, Report};
use crate::store::{Backend, Options, Store, StoreError, embedded, scylla};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Looking after stores that no server holds.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copy a whole store into another and compare the two; given again, it goes on where it was.
    #[command(after_help = COPY_NOTE)]
    Copy(CopyStore),
    /// Say of a store that it was restored from a backup, before a server opens it.
    #[command(after_help = RESTORED_NOTE)]
    Restored(RestoredStore),
}

impl StoreCommand {
    /// The configuration that it goes by.
    pub(super) fn config(&self) -> Option<PathBuf> {
        match self {
            Self::Copy(request) => request.config.clone(),
            Self::Restored(request) => request.config.clone(),
        }
    }
}

const RESTORED_NOTE: &str = "Gives the store another epoch, by which every client learns that the store is older than what it has \
seen, and reads anew. Without that, clients that saw more would take new entries for ones they have. No server may \
use the store. A data folder restored without its EPOCH file needs none of this; it does no harm.

Examples:
  chasqui store restored embedded:/var/lib/chasqui
  chasqui store restored scylla:10.0.0.1:9042/chasqui";

/// A store that was restored.
#[derive(Debug, Args)]
pub struct RestoredStore {
    /// The store, written as embedded:FOLDER or scylla:HOST:PORT[,HOST:PORT...]/KEYSPACE.
    #[arg(value_name = "STORE")]
    pub store: Location,
    /// A TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// A server that uses a store moves its time once a second.
const USED_WITHIN: Duration = Duration::from_millis(2_500);

/// Why a store did not begin a new life.
#[derive(Debug, thiserror::Error)]
pub enum RestoredError {
    /// A server uses it.
    #[error("the store is in use: its time goes on")]
    InUse,
    /// The store refused something.
    #[error(transparent)]
    Store(#[from] StoreError),
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

/// Performs the command; what to tell.
pub(super) async fn perform(config: &Config, command: StoreCommand) -> Result<String, Failure> {
    match command {
        StoreCommand::Copy(request) => copy(config, request).await,
        StoreCommand::Restored(request) => restored(config, request).await,
    }
}

async fn restored(config: &Config, request: RestoredStore) -> Result<String, Failure> {
    let store = request.store.open(config, Purpose::Source).await?;
    let epoch = begin_life(&store).await;
    store.close().await;
    Ok(format!("the store's epoch is {} now: clients will read anew\n", epoch?.get()))
}

async fn begin_life(store: &Backend) -> Result<Epoch, RestoredError> {
    if store.is_shared() {
        let time = store.latest_time().await?;
        tokio::time::sleep(USED_WITHIN).await;
        if store.latest_time().await? != time {
            return Err(RestoredError::InUse);
        }
    }
    Ok(store.begin_life().await?)
}

/// Copies a store; what to tell.
async fn copy(config: &Config, request: CopyStore) -> Result<String, Failure> {
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
