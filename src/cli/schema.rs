//! `chasqui schema`: the tables of a CQL database.

use super::{Failure, Settings, perform};
use crate::store::scylla;
use crate::store::scylla::schema::{self, Replication, SchemaError};
use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Looking after the tables of a CQL database.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Print what `apply` would do, as a script for cqlsh.
    Plan(Change),
    /// Make the keyspace unless it exists, and bring its tables up to the version of this program.
    #[command(after_help = APPLY_NOTE)]
    Apply(Change),
    /// Print the version of the keyspace's tables: status 0 if this program runs on it.
    Status(Where),
}

const APPLY_NOTE: &str =
    "It waits after each statement until all nodes agree, and may be run again, \
also after it was broken off; run it in one place at a time. Servers that run go on meanwhile.

Examples:
  chasqui schema apply --replication 3
  chasqui schema apply --replication east=3,west=3 --tablets off
  chasqui schema apply --replication simple=1";

/// Which database.
#[derive(Debug, Args)]
pub struct Where {
    /// A TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Which database, and how a keyspace is made in it. One that exists stays as it is.
#[derive(Debug, Args)]
pub struct Change {
    /// Which database.
    #[command(flatten)]
    pub place: Where,
    /// How often to store everything: 3 in each data centre, east=3,west=2, or simple=1 in the only
    /// one; needed to make the keyspace.
    #[arg(long, value_name = "COUNT")]
    pub replication: Option<Replication>,
    /// Whether ScyllaDB is to use tablets; as it likes where absent. Cassandra has none.
    #[arg(long, value_name = "on|off", requires = "replication", value_parser = BoolishValueParser::new())]
    pub tablets: Option<bool>,
}

/// Performs `schema`.
pub fn run(command: SchemaCommand) -> Result<(), Failure> {
    let config = match &command {
        SchemaCommand::Plan(change) | SchemaCommand::Apply(change) => &change.place.config,
        SchemaCommand::Status(place) => &place.config,
    };
    let settings = Settings { config: config.clone(), ..Settings::default() };
    perform(settings, async |config| Ok(tell(command, &config.scylla_options()?).await?))
}

async fn tell(command: SchemaCommand, options: &scylla::Options) -> Result<String, SchemaError> {
    match command {
        SchemaCommand::Plan(Change { replication, tablets, .. }) => {
            Ok(schema::plan(options, replication.as_ref(), tablets).await?.to_string())
        }
        SchemaCommand::Apply(Change { replication, tablets, .. }) => {
            Ok(schema::apply(options, replication.as_ref(), tablets).await?.report())
        }
        SchemaCommand::Status(_) => {
            let status = schema::status(options).await?;
            let told = format!("keyspace {}: version {}\n", status.keyspace, status.needed);
            status.check()?;
            Ok(told)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn parse(line: &str) -> Result<SchemaCommand, clap::Error> {
        let Command::Schema(command) = Cli::try_parse_from(line.split_whitespace())?.command else {
            panic!("another command")
        };
        Ok(command)
    }

    #[test]
    fn how_a_keyspace_is_made_is_said_in_words() {
        for (line, expected) in [
            ("", (None, None)),
            ("--replication 3", (Some(Replication::Everywhere(3)), None)),
            ("--replication simple=1 --tablets off", (Some(Replication::Simple(1)), Some(false))),
            ("--replication 3 --tablets on", (Some(Replication::Everywhere(3)), Some(true))),
        ] {
            let parsed = parse(&format!("chasqui schema apply {line}")).expect(line);
            let SchemaCommand::Apply(Change { replication, tablets, .. }) = parsed else {
                panic!("{parsed:?}")
            };
            assert_eq!((replication, tablets), expected, "{line}");
        }
        for line in ["--replication", "--replication none", "--tablets on", "--tablets 8"] {
            assert!(parse(&format!("chasqui schema plan {line}")).is_err(), "{line}");
        }
    }
}
