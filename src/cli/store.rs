//! Stores as a whole: `store copy`.

use super::Failure;
use crate::config::Config;
use crate::store::copy::{self, Purpose, Report};
use crate::store::{Backend, Options, Store};
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

const COPY_NOTE: &str = "A store is written as embedded:FOLDER. No server may hold either of them, and the target must not be \
there or be the unfinished copy of the same source. Accounts, conversations, their entries and all else \
keep their ids, sequences and times, and clients go on with what they hold: from then on serve the copy \
and never the source again.

Example:
  chasqui store copy --from embedded:/var/lib/chasqui --to embedded:/mnt/chasqui";

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
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("embedded", folder)) if !folder.is_empty() => Ok(Self::Embedded(folder.into())),
            _ => Err("must be embedded:FOLDER".to_owned()),
        }
    }
}

impl Location {
    fn open(self, config: &Config, purpose: Purpose) -> Result<Backend, Failure> {
        let Self::Embedded(folder) = self;
        let Options::Embedded(mut options) = config.clone().with_data(&folder).store_options();
        options.purpose = purpose;
        let fatal = |failure: &_| tracing::error!(%failure, "store failed");
        Ok(Backend::open(&Options::Embedded(options), fatal)?)
    }
}

/// Copies a store; what to tell.
pub(super) async fn copy(config: &Config, request: CopyStore) -> Result<String, Failure> {
    let source = request.from.open(config, Purpose::Source)?;
    let target = request.to.open(config, Purpose::Target(source.epoch()))?;
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
        for wrong in ["", "/data", "embedded", "embedded:", "redis:/data"] {
            assert!(location(wrong).is_err(), "{wrong}");
        }
    }
}
