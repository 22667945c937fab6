//! Bringing a keyspace up to the version that this program runs on.

use super::{Replication, Status, Unfit, Version, VersionError, in_use, needed, versions};
use crate::store::scylla::Options;
use crate::store::scylla::database::{ConnectError, Database};
use scylla::errors::ExecutionError;
use std::fmt;

/// What leads from what a keyspace has to the version that is needed. Shown, it is a script for
/// `cqlsh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    keyspace: String,
    /// Makes the keyspace.
    create: Option<String>,
    versions: Vec<Version>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.create.is_none() && self.versions.is_empty()
    }

    /// What was done, once it is, in a line for each.
    pub fn report(&self) -> String {
        let Self { keyspace, create, versions } = self;
        if self.is_empty() {
            return format!("keyspace {keyspace}: nothing to do\n");
        }
        let made = create.iter().map(|_| format!("keyspace {keyspace}: made\n"));
        let applied = versions
            .iter()
            .map(|version| format!("keyspace {keyspace}: version {} applied\n", version.number));
        made.chain(applied).collect::<Vec<_>>().concat()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "-- nothing to do");
        }
        if let Some(create) = &self.create {
            writeln!(f, "{create};")?;
        }
        if !self.versions.is_empty() {
            writeln!(f, "USE {};", self.keyspace)?;
        }
        for version in &self.versions {
            for statement in &version.statements {
                writeln!(f, "{statement};")?;
            }
            writeln!(f, "{};", record(version.number))?;
        }
        Ok(())
    }
}

/// Notes that a version is in force.
fn record(version: u32) -> String {
    format!(
        "INSERT INTO schema_versions (part, version, applied_at) \
        VALUES ('chasqui', {version}, toTimestamp(now()))"
    )
}

/// Why the schema is not known, or not changed.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database cannot be connected to.
    #[error("the database is not there")]
    Connect(#[source] ConnectError),
    /// The version is not known.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The keyspace is to be made, and nobody said how often it is to be stored.
    #[error("keyspace {keyspace} does not exist: say how often to store it, as in --replication 3")]
    NoReplication {
        /// Which.
        keyspace: String,
    },
    /// The keyspace has a version that this program does not know.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A statement is refused, or not all nodes have come to agree.
    #[error("refused: {statement}")]
    Refused {
        /// Which.
        statement: String,
        /// Why.
        source: Box<ExecutionError>,
    },
}

/// What the keyspace has.
pub async fn status(options: &Options) -> Result<Status, SchemaError> {
    match Database::connect(options).await {
        Ok(database) => Ok(in_use(&database, &options.keyspace).await?),
        Err(ConnectError::NoKeyspace) => {
            Ok(Status { keyspace: options.keyspace.clone(), found: None, needed: needed() })
        }
        Err(error) => Err(SchemaError::Connect(error)),
    }
}

/// What would be done. `replication` and `tablets` (on ScyllaDB; `None`: as the server likes) say how
/// a keyspace is made; one that exists is left as it is.
pub async fn plan(
    options: &Options,
    replication: Option<&Replication>,
    tablets: Option<bool>,
) -> Result<Plan, SchemaError> {
    let status = status(options).await?;
    plan_from(status, replication, tablets)
}

fn plan_from(
    status: Status,
    replication: Option<&Replication>,
    tablets: Option<bool>,
) -> Result<Plan, SchemaError> {
    let Status { keyspace, found, needed } = status;
    let create = match (found, replication) {
        (Some(found), _) if found > needed => {
            return Err(Unfit::Newer { keyspace, found, needed }.into());
        }
        (Some(_), _) => None,
        (None, None) => return Err(SchemaError::NoReplication { keyspace }),
        (None, Some(replication)) => {
            let tablets = tablets
                .map(|enabled| format!(" AND tablets = {{'enabled': {enabled}}}"))
                .unwrap_or_default();
            let create = "CREATE KEYSPACE IF NOT EXISTS";
            Some(format!("{create} {keyspace} WITH replication = {replication}{tablets}"))
        }
    };
    let missing = |version: &Version| version.number > found.unwrap_or(0);
    let versions = versions().into_iter().filter(missing).collect();
    Ok(Plan { keyspace, create, versions })
}

/// Does what [`plan`] says, one statement after the other, each once all nodes agree on the one
/// before. Broken off, it is done by doing it again. Two at once may leave nodes that never agree on
/// a table: run it in one place.
pub async fn apply(
    options: &Options,
    replication: Option<&Replication>,
    tablets: Option<bool>,
) -> Result<Plan, SchemaError> {
    let plan = plan(options, replication, tablets).await?;
    if let Some(create) = &plan.create {
        let nowhere = Options { keyspace: String::new(), ..options.clone() };
        run(&connect(&nowhere).await?, create).await?;
    }
    if !plan.versions.is_empty() {
        let database = connect(options).await?;
        for version in &plan.versions {
            for statement in &version.statements {
                run(&database, statement).await?;
            }
            run(&database, &record(version.number)).await?;
        }
    }
    Ok(plan)
}

async fn connect(options: &Options) -> Result<Database, SchemaError> {
    Database::connect(options).await.map_err(SchemaError::Connect)
}

async fn run(database: &Database, statement: &str) -> Result<(), SchemaError> {
    database.execute(statement).await.map_err(|source| SchemaError::Refused {
        statement: statement.lines().next().unwrap_or_default().to_owned(),
        source: Box::new(source),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(found: Option<u32>) -> Status {
        Status { keyspace: "messages".to_owned(), found, needed: needed() }
    }

    #[test]
    fn a_keyspace_is_made_as_it_is_told_and_then_filled() {
        let replication = Replication::Everywhere(3);
        for (tablets, expected) in [(None, ""), (Some(false), " AND tablets = {'enabled': false}")]
        {
            let plan = plan_from(found(None), Some(&replication), tablets).expect("a plan");
            let script = plan.to_string();
            let create = format!(
                "CREATE KEYSPACE IF NOT EXISTS messages WITH replication = {replication}{expected};\n\
                USE messages;\nCREATE TABLE IF NOT EXISTS schema_versions (\n"
            );
            assert!(script.starts_with(&create), "{script}");
            assert!(script.ends_with("VALUES ('chasqui', 1, toTimestamp(now()));\n"), "{script}");
            let report = "keyspace messages: made\nkeyspace messages: version 1 applied\n";
            assert_eq!(plan.report(), report);
        }
    }

    #[test]
    fn a_keyspace_that_nobody_said_how_to_store_is_not_made() {
        let refused = plan_from(found(None), None, None).expect_err("no replication");
        assert!(matches!(refused, SchemaError::NoReplication { .. }));
    }

    #[test]
    fn only_versions_that_are_missing_are_applied() {
        let plan = |version| plan_from(found(Some(version)), None, None);
        let first = plan(0).expect("a plan");
        assert!(first.to_string().starts_with("USE messages;\n"), "the keyspace is there");
        let last = plan(needed()).expect("a plan");
        assert_eq!(last.to_string(), "-- nothing to do\n");
        assert_eq!(last.report(), "keyspace messages: nothing to do\n");
        let beyond = plan(needed() + 1).expect_err("unknown");
        assert!(matches!(beyond, SchemaError::Unfit(Unfit::Newer { .. })), "{beyond}");
    }
}
