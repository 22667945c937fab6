//! The ground itself, on a real server.

use super::database::{Database, Kind, OPERATIONS_MAX};
use super::ground::{address, files, in_keyspace, options, with_schema, with_store};
use super::schema::Unfit;
use super::{OpenError, Options, Scylla, Stats, row};
use crate::store::conformance::samples::{advance, cursor, log, user};
use crate::store::{Cursors, Store, StoreError};
use std::future::pending;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Opens a database in a keyspace with one table.
async fn table(options: &Options) -> Database {
    let database = Database::connect(options).await.expect("a server");
    let create =
        "CREATE TABLE numbers (part int, number bigint, text text, PRIMARY KEY (part, number))";
    database.execute(create).await.expect("a table");
    database
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn every_statement_is_accepted_over_the_schema() {
    with_store(async |store| {
        let Stats { failed, unknown, .. } = store.stats();
        assert_eq!((failed, unknown), (0, 0));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_server_that_is_not_there_is_reported() {
    // Nothing listens on the port of discard.
    let options = Options::new("127.0.0.1:9", "nowhere");
    assert!(matches!(Scylla::open(&options).await, Err(OpenError::Connect(_))));
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_store_opens_once_its_database_is_there() {
    with_schema(async |options| {
        let door = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let contact_points = vec![door.local_addr().expect("an address").to_string()];
        let is_open = Arc::new(AtomicBool::new(false));
        let relaying = tokio::spawn({
            let is_open = Arc::clone(&is_open);
            async move {
                loop {
                    let (mut near, _) = door.accept().await.expect("a connection");
                    // Before it is open, whoever comes is turned away.
                    if is_open.load(Ordering::Relaxed) {
                        let mut far = TcpStream::connect(address()).await.expect("a server");
                        tokio::spawn(async move {
                            tokio::io::copy_bidirectional(&mut near, &mut far).await
                        });
                    }
                }
            }
        });
        let mut told = Vec::new();
        let options = Options { contact_points, ..options };
        let store = Scylla::open_when_there(&options, |error| {
            told.push(error.to_string());
            is_open.store(told.len() == 2, Ordering::Relaxed);
        });
        store.await.expect("a store").close().await;
        assert_eq!(told, ["the database is not there"; 2]);
        relaying.abort();
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_store_without_tables_is_not_waited_for() {
    in_keyspace(async |options| {
        let refused = Scylla::open_when_there(&options, |error| panic!("{error}")).await;
        assert!(matches!(refused, Err(OpenError::Schema(Unfit::NoTables { .. }))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn what_closes_waits_for_what_is_under_way_and_begins_no_more() {
    let database = Database::connect(&options("")).await.expect("a server");
    let (go, may_go) = oneshot::channel();
    let mut slow = Box::pin(database.enter(async move { Ok(may_go.await.expect("told")) }));
    assert_eq!(poll_once(&mut slow).await, None);
    let mut closing = Box::pin(database.close());
    assert_eq!(poll_once(&mut closing).await, None, "it waits");
    go.send(7).expect("waited for");
    closing.await;
    assert_eq!(slow.await, Ok(7));
    assert_eq!(database.enter(async { Ok(8) }).await, Err(StoreError::Unavailable));
    database.close().await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_operation_too_many_is_refused_before_it_is_begun() {
    let database = Database::connect(&options("")).await.expect("a server");
    let mut waiting = Vec::new();
    for _ in 0..OPERATIONS_MAX {
        waiting.push(Box::pin(database.enter(pending::<Result<(), StoreError>>())));
        assert_eq!(poll_once(waiting.last_mut().expect("one")).await, None);
    }
    let refused = database.enter::<(), _>(async { panic!("begun") }).await;
    assert!(matches!(refused, Err(StoreError::Behind { .. })), "{refused:?}");
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn the_files_of_a_table_are_where_tests_look_for_them() {
    in_keyspace(async |options| {
        table(&options).await;
        let folder = files().join("data").join(&options.keyspace);
        let mut tables = std::fs::read_dir(folder).expect("a folder").flatten();
        assert!(tables.any(|table| table.file_name().to_string_lossy().starts_with("numbers-")));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_condition_is_answered_by_what_it_found() {
    in_keyspace(async |options| {
        let database = table(&options).await;
        let insert = "INSERT INTO numbers (part, number, text) VALUES (?, ?, ?) IF NOT EXISTS";
        let insert = database.prepare(Kind::Conditional, insert).await.expect("prepared");
        let first = database.once(&insert, (1, 2_i64, "a")).await.expect("an answer");
        assert!(first.is_applied());
        let second = database.once(&insert, (1, 2_i64, "b")).await.expect("an answer");
        assert!(!second.is_applied());
        assert_eq!((second.number("number"), second.number("absent")), (Some(2), None));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_batch_is_made_whole_or_not_at_all() {
    in_keyspace(async |options| {
        let database = table(&options).await;
        let if_new = "INSERT INTO numbers (part, number, text) VALUES (?, ?, ?) IF NOT EXISTS";
        let if_new = database.prepare(Kind::Conditional, if_new).await.expect("prepared");
        let insert = "INSERT INTO numbers (part, number, text) VALUES (?, ?, ?)";
        let insert = database.prepare(Kind::Conditional, insert).await.expect("prepared");
        let count = "SELECT number FROM numbers WHERE part = ?";
        let count = database.prepare(Kind::SerialRead, count).await.expect("prepared");
        for (expected, other) in [(true, 2_i64), (false, 3)] {
            let values = [(1, 1_i64, "a"), (1, other, "b")];
            let answer = database.batch([&if_new, &insert], &values[..]).await.expect("an answer");
            assert_eq!(answer.is_applied(), expected);
            assert_eq!(database.read(&count, (1,)).await.expect("rows").rows_num(), 2);
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn pages_are_read_until_the_reader_has_enough() {
    in_keyspace(async |options| {
        let database = table(&options).await;
        let insert = "INSERT INTO numbers (part, number) VALUES (1, ?)";
        let insert = database.prepare(Kind::Write, insert).await.expect("prepared");
        for number in 0..10_i64 {
            database.change(&insert, (number,)).await.expect("made");
        }
        let read = "SELECT number FROM numbers WHERE part = ?";
        let read = database.prepare(Kind::Read, read).await.expect("prepared").with_page_rows(4);
        let read_up_to = async |enough: usize| {
            let mut numbers: Vec<i64> = Vec::new();
            let reading = database.pages(&read, (1,), |page| {
                numbers
                    .extend(page.rows::<(i64,)>().expect("numbers").map(|row| row.expect("one").0));
                let done = numbers.len() >= enough;
                Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            });
            reading.await.expect("pages");
            numbers
        };
        assert_eq!(read_up_to(usize::MAX).await, (0..10).collect::<Vec<_>>());
        assert_eq!(read_up_to(5).await, (0..8).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_register_keeps_its_highest_value_in_whatever_order_it_is_written() {
    in_keyspace(async |options| {
        let database = table(&options).await;
        let set = "UPDATE numbers USING TIMESTAMP ? SET text = ? WHERE part = 1 AND number = 1";
        let set = database.prepare(Kind::Write, set).await.expect("prepared");
        for value in [5_u64, 9, 7] {
            let values = (row::bigint(value), value.to_string());
            database.change(&set, values).await.expect("made");
        }
        let get = database.prepare(Kind::Read, "SELECT text FROM numbers WHERE part = 1");
        let rows = database.read(&get.await.expect("prepared"), ()).await.expect("rows");
        assert_eq!(rows.single_row::<(String,)>().expect("one"), ("9".to_owned(),));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_operation_goes_on_when_nobody_waits_for_it() {
    let database = Database::connect(&options("")).await.expect("a server");
    let done = Arc::new(Mutex::new(false));
    let (go, may_go) = oneshot::channel::<()>();
    let (finished, is_finished) = oneshot::channel::<()>();
    let operation = {
        let done = Arc::clone(&done);
        async move {
            may_go.await.expect("told to go on");
            *done.lock().expect("not poisoned") = true;
            finished.send(()).expect("waited for");
            Ok(())
        }
    };
    let mut waiting = Box::pin(database.enter(operation));
    // Polled once, so that it is under way, then given up.
    assert!(poll_once(&mut waiting).await.is_none());
    drop(waiting);
    go.send(()).expect("it waits");
    is_finished.await.expect("it goes on");
    assert!(*done.lock().expect("not poisoned"));
}

/// Polls a future once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_operation_that_panics_is_of_unknown_outcome() {
    let database = Database::connect(&options("")).await.expect("a server");
    let outcome = database.enter::<(), _>(async { panic!("on purpose") }).await;
    assert_eq!(outcome, Err(StoreError::Unknown));
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn what_is_sent_is_counted_by_its_kind() {
    in_keyspace(async |options| {
        let database = table(&options).await;
        let read = database.prepare(Kind::Read, "SELECT number FROM numbers WHERE part = 1");
        let read = read.await.expect("prepared");
        let write = "INSERT INTO numbers (part, number) VALUES (1, 1)";
        let write = database.prepare(Kind::Write, write).await.expect("prepared");
        database.read(&read, ()).await.expect("rows");
        database.read(&read, ()).await.expect("rows");
        database.change(&write, ()).await.expect("made");
        let refused = database.change(&write, (1,)).await;
        assert_eq!(refused, Err(StoreError::Unavailable), "values that are not asked for");
        let expected = Stats { reads: 2, writes: 2, failed: 1, ..Stats::default() };
        assert_eq!(database.stats(), expected);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn what_is_written_in_a_new_life_goes_before_what_is_left_of_the_last() {
    with_schema(async |options| {
        let mut store = Scylla::open(&options).await.expect("a store");
        // As left behind by entries that the restored log does not have.
        for last in [9, 7, 3] {
            let own = advance(1, 2, cursor(last, last));
            store.advance_cursors(vec![own]).await.expect("the store works");
            let kept = store.cursor(user(1), log(2)).await.expect("the store works");
            assert_eq!((kept.delivered.get(), kept.read.get()), (last, last));
            let epoch = store.begin_life().await.expect("a new life");
            assert_ne!(epoch, store.epoch());
            store = Scylla::open(&options).await.expect("a store");
            assert_eq!(store.epoch(), epoch);
        }
    })
    .await;
}
