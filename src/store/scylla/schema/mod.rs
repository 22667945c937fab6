//! The schema: `schema.cql`, cut into versions and statements, and which version a keyspace has.
//!
//! A version is in force in a keyspace once all of its statements are and it is recorded in
//! `schema_versions`. Versions only add: a program runs on exactly the one that it was built with.

mod apply;
mod replication;
#[cfg(test)]
mod tests;

pub use apply::{Plan, SchemaError, apply, plan, status};
pub use replication::{Replication, ReplicationError};

use super::database::{Database, Kind};
use crate::store::StoreError;
use scylla::errors::PrepareError;

/// The file as it was when this was built.
const TEXT: &str = include_str!("../../../../schema.cql");
/// What the line begins with after which the statements of a version stand.
const VERSION_HEAD: &str = "-- version ";

/// A version of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    /// Its number; versions are numbered from 1 without gaps.
    number: u32,
    /// What leads to it from the version before, in this order. Each may run again.
    statements: Vec<String>,
}

/// All versions, lowest first.
fn versions() -> Vec<Version> {
    parse(TEXT)
}

/// The version that this program runs on.
fn needed() -> u32 {
    versions().last().map_or(0, |version| version.number)
}

/// The tables of the messenger, those about the schema itself left out.
#[cfg(test)]
pub(super) fn tables() -> impl Iterator<Item = String> {
    let statements = versions().into_iter().flat_map(|version| version.statements);
    let name = |statement: String| {
        let named = statement.strip_prefix("CREATE TABLE IF NOT EXISTS ")?;
        named.split_whitespace().next().map(str::to_owned)
    };
    statements.filter_map(name).filter(|table| table != "schema_versions")
}

/// What a keyspace has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which keyspace.
    pub keyspace: String,
    /// Its version, 0 without tables; `None`: it does not exist.
    pub found: Option<u32>,
    /// The version that this program runs on.
    pub needed: u32,
}

impl Status {
    /// Whether this program runs on it, and else what to do.
    pub fn check(self) -> Result<(), Unfit> {
        let Self { keyspace, found, needed } = self;
        match found {
            None => Err(Unfit::NoKeyspace { keyspace }),
            Some(0) => Err(Unfit::NoTables { keyspace }),
            Some(found) if found < needed => Err(Unfit::Older { keyspace, found, needed }),
            Some(found) if found > needed => Err(Unfit::Newer { keyspace, found, needed }),
            Some(_) => Ok(()),
        }
    }
}

/// Why a keyspace cannot be served from, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It does not exist.
    #[error("keyspace {keyspace} does not exist: run `chasqui schema apply --replication 3`")]
    NoKeyspace {
        /// Which.
        keyspace: String,
    },
    /// It has no tables, or not all of the first version.
    #[error("keyspace {keyspace} has no tables: run `chasqui schema apply`")]
    NoTables {
        /// Which.
        keyspace: String,
    },
    /// It has another version than this program needs, a lower one.
    #[error(
        "keyspace {keyspace} has version {found} of the schema, this chasqui needs {needed}: \
        run `chasqui schema apply`"
    )]
    Older {
        /// Which.
        keyspace: String,
        /// Its version.
        found: u32,
        /// The version of this program.
        needed: u32,
    },
    /// It has another version than this program needs, a higher one.
    #[error(
        "keyspace {keyspace} has version {found} of the schema, this chasqui knows {needed}: \
        run the chasqui that applied it, or a newer one"
    )]
    Newer {
        /// Which.
        keyspace: String,
        /// Its version.
        found: u32,
        /// The version of this program.
        needed: u32,
    },
}

/// Why the version of a keyspace is not known.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The question is refused.
    #[error("the version of the schema cannot be asked for")]
    Prepare(#[from] Box<PrepareError>),
    /// It is not answered.
    #[error("the version of the schema cannot be read")]
    Read(#[from] StoreError),
}

/// The version of a keyspace that exists and is the one in use.
async fn version(database: &Database, keyspace: &str) -> Result<u32, VersionError> {
    let tables = "SELECT table_name FROM system_schema.tables \
        WHERE keyspace_name = ? AND table_name = 'schema_versions'";
    let tables = database.prepare(Kind::Read, tables).await.map_err(Box::new)?;
    if database.read(&tables, (keyspace,)).await?.rows_num() == 0 {
        return Ok(0);
    }
    let last = "SELECT version FROM schema_versions WHERE part = 'chasqui' LIMIT 1";
    let last = database.prepare(Kind::Read, last).await.map_err(Box::new)?;
    let rows = database.read(&last, ()).await?;
    let found = rows.maybe_first_row::<(i32,)>().map_err(|error| {
        tracing::error!(%error, "the version of the schema is no number");
        StoreError::Corrupt { what: "version of the schema" }
    })?;
    Ok(found.map_or(0, |(version,)| u32::try_from(version).unwrap_or(0)))
}

/// What the keyspace in use has.
pub(super) async fn in_use(database: &Database, keyspace: &str) -> Result<Status, VersionError> {
    let found = Some(version(database, keyspace).await?);
    Ok(Status { keyspace: keyspace.to_owned(), found, needed: needed() })
}

fn parse(text: &str) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::new();
    let mut statement = String::new();
    for line in text.lines() {
        if let Some(number) = line.strip_prefix(VERSION_HEAD).and_then(|n| n.trim().parse().ok()) {
            versions.push(Version { number, statements: Vec::new() });
        }
        let line = line.split("--").next().unwrap_or_default().trim_end();
        if line.is_empty() {
            continue;
        }
        if !statement.is_empty() {
            statement.push('\n');
        }
        statement.push_str(line);
        if statement.ends_with(';') {
            statement.pop();
            let whole = std::mem::take(&mut statement);
            versions.last_mut().into_iter().for_each(|v| v.statements.push(whole.clone()));
        }
    }
    versions
}
