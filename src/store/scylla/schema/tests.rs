//! The file, and the schema on a real server.

use super::{Replication, Status, Unfit, Version, apply, needed, parse, plan, status, versions};
use crate::store::scylla::database::Database;
use crate::store::scylla::ground::{in_keyspace, options};
use crate::store::scylla::{OpenError, Options, Scylla};

#[test]
fn the_file_is_cut_at_its_versions_and_statements() {
    let text = "-- about\n\n-- version 1\n-- a table\nCREATE TABLE a (\n    b int, -- why\n);\n\
        CREATE TABLE c (d int);\n-- version 2\nALTER TABLE a ADD e int;\n";
    let expected = [
        Version {
            number: 1,
            statements: vec![
                "CREATE TABLE a (\n    b int,\n)".to_owned(),
                "CREATE TABLE c (d int)".to_owned(),
            ],
        },
        Version { number: 2, statements: vec!["ALTER TABLE a ADD e int".to_owned()] },
    ];
    assert_eq!(parse(text), expected);
}

#[test]
fn versions_are_numbered_without_gaps_and_their_statements_may_run_again() {
    let versions = versions();
    assert!(!versions.is_empty());
    for (number, version) in (1..).zip(&versions) {
        assert_eq!(version.number, number);
        assert!(!version.statements.is_empty());
        for statement in &version.statements {
            assert!(statement.contains("IF NOT EXISTS"), "{statement}");
        }
    }
}

#[test]
fn only_the_version_it_was_built_with_is_served_from() {
    let check = |found| {
        let status = Status { keyspace: "k".to_owned(), found, needed: 2 };
        status.check().map_err(|unfit| unfit.to_string())
    };
    assert_eq!(check(Some(2)), Ok(()));
    for (found, expected) in [
        (None, "does not exist: run `chasqui schema apply --replication 3`"),
        (Some(0), "has no tables: run `chasqui schema apply`"),
        (Some(1), "version 1 of the schema, this chasqui needs 2: run `chasqui schema apply`"),
        (Some(3), "version 3 of the schema, this chasqui knows 2: run the chasqui that"),
    ] {
        let told = check(found).expect_err("another version");
        assert!(told.contains(expected), "{told}");
    }
}

/// Runs a statement.
async fn run(options: &Options, statement: &str) {
    let database = Database::connect(options).await.expect("a server");
    database.execute(statement).await.expect("taken");
}

/// What refuses to open, in words.
async fn refusal(options: &Options) -> Unfit {
    match Scylla::open(options).await {
        Err(OpenError::Schema(unfit)) => unfit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_keyspace_is_made_filled_and_served_from() {
    let keyspace = format!("test_{:016x}", getrandom::u64().expect("random bits"));
    let options = options(&keyspace);
    assert!(matches!(refusal(&options).await, Unfit::NoKeyspace { .. }));
    let found = status(&options).await.expect("an answer");
    assert_eq!(found, Status { keyspace: keyspace.clone(), found: None, needed: needed() });
    let replication = Replication::Simple(1);
    let planned = plan(&options, Some(&replication), None).await.expect("a plan");
    assert_eq!(status(&options).await.expect("an answer"), found, "a plan changes nothing");
    let applied = apply(&options, Some(&replication), None).await.expect("applied");
    assert_eq!(applied, planned);
    Scylla::open(&options).await.expect("a store");
    run(&options, &format!("DROP KEYSPACE {keyspace}")).await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn what_was_broken_off_is_done_by_doing_it_again() {
    in_keyspace(async |options| {
        assert!(matches!(refusal(&options).await, Unfit::NoTables { .. }));
        apply(&options, None, None).await.expect("applied");
        run(&options, "DROP TABLE cursors").await;
        run(&options, "DELETE FROM schema_versions WHERE part = 'chasqui'").await;
        assert!(matches!(refusal(&options).await, Unfit::NoTables { .. }));
        assert!(!apply(&options, None, None).await.expect("applied").is_empty());
        assert!(apply(&options, None, None).await.expect("nothing to do").is_empty());
        Scylla::open(&options).await.expect("a store");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_newer_schema_is_left_alone() {
    in_keyspace(async |options| {
        apply(&options, None, None).await.expect("applied");
        let newer = needed() + 1;
        let record = "INSERT INTO schema_versions (part, version) VALUES ('chasqui'";
        run(&options, &format!("{record}, {newer})")).await;
        assert!(matches!(refusal(&options).await, Unfit::Newer { found, .. } if found == newer));
        assert!(apply(&options, None, None).await.is_err());
    })
    .await;
}
