//! Reading across buckets, on a real server; how much is asked for at once.

use super::{FETCH_BYTES, ROWS_MAX, Reading};
use crate::model::ConversationId;
use crate::store::conformance::samples::{append, at, everything, log};
use crate::store::scylla::ground::{address, with_schema};
use crate::store::scylla::proxy::answers::no_entries;
use crate::store::scylla::proxy::{Fault, Proxy};
use crate::store::scylla::{Caps, Options, Scylla};
use crate::store::{Appended, Direction, Log, Range, StoreError};

/// A log of 60 entries in buckets of 7, as a server reads it that has not seen it before.
async fn with_log(test: impl AsyncFnOnce(Scylla, Scylla)) {
    with_schema(async |options| {
        let caps = Caps { entries: 7, ..options.caps };
        let options = Options { caps, ..options };
        let writer = Scylla::open(&options).await.expect("a store");
        for head in (0..60).step_by(3) {
            assert_eq!(writer.append(append(1, head, 3)).await, Ok(Appended::Applied));
        }
        test(writer, Scylla::open(&options).await.expect("a store")).await;
    })
    .await;
}

async fn read(store: &Scylla, from: u64, to: u64, range: Range) -> Vec<u64> {
    let range = Range { from: at(from), to: at(to), ..range };
    let entries = store.entries(log(1), range).await.expect("the store works");
    entries.iter().map(|entry| entry.sequence.get()).collect()
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn every_range_is_read_from_both_ends() {
    with_log(async |writer, stranger| {
        let forth = everything();
        let back = Range { direction: Direction::Descending, ..everything() };
        for (from, to) in [(1, 60), (1, 1), (6, 7), (7, 8), (8, 20), (13, 49), (57, 60), (55, 90)] {
            let expected: Vec<u64> = (from..=to.min(60)).collect();
            let reversed: Vec<u64> = expected.iter().rev().copied().collect();
            for store in [&writer, &stranger] {
                assert_eq!(read(store, from, to, forth).await, expected, "{from} to {to}");
                assert_eq!(read(store, from, to, back).await, reversed, "{to} to {from}");
            }
        }
        for (from, to) in [(61, 90), (9, 8)] {
            assert_eq!(read(&stranger, from, to, forth).await, [0; 0]);
            assert_eq!(read(&stranger, from, to, back).await, [0; 0]);
        }
        let ten = Range { entries_max: 10, ..back };
        assert_eq!(read(&stranger, 1, 40, ten).await, (31..=40).rev().collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_entry_that_is_missing_is_not_passed_over() {
    with_log(async |writer, stranger| {
        let gone = "DELETE FROM log WHERE conversation = 1 AND bucket = 0 AND sequence = 5";
        writer.inner.database.execute(gone).await.expect("deleted");
        let corrupt = Err(StoreError::Corrupt { what: "log" });
        for store in [writer, stranger] {
            assert_eq!(store.entries(log(1), everything()).await, corrupt);
            let above = Range { from: at(6), ..everything() };
            assert_eq!(store.entries(log(1), above).await.map(|read| read.len()), Ok(55));
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_entry_that_a_quorum_lacks_is_waited_for() {
    with_schema(async |options| {
        let proxy = Proxy::start(&address()).await;
        let options = Options { contact_points: vec![proxy.address()], ..options };
        let store = Scylla::open(&options).await.expect("a store");
        assert_eq!(store.append(append(1, 0, 5)).await, Ok(Appended::Applied));
        for direction in [Direction::Ascending, Direction::Descending] {
            // As if the nodes that answer had heard of the new end, and not yet of the entries.
            let mut is_behind = true;
            proxy.follow(move |statement| {
                let reads = statement.starts_with("SELECT sequence, record FROM log");
                (reads && std::mem::take(&mut is_behind)).then(|| Fault::Forge(no_entries()))
            });
            let before = store.inner.database.stats().serial_reads;
            let range = Range { direction, ..everything() };
            assert_eq!(store.entries(log(1), range).await.map(|read| read.len()), Ok(5));
            assert_eq!(store.inner.database.stats().serial_reads, before + 1);
        }
    })
    .await;
}

/// What is read of a range of entries whose records have so many bytes.
fn reading(entries_max: usize, bytes_max: usize, average: usize) -> Reading {
    let conversation = ConversationId::new(1).expect("not zero");
    let range = Range { entries_max, bytes_max, ..everything() };
    Reading { average, ..Reading::new(conversation, range) }
}

#[test]
fn no_more_rows_are_asked_for_than_are_wanted() {
    assert_eq!(reading(50, 1 << 20, 200).rows_max(), 50);
    assert_eq!(reading(512, 60 * 1024, 1_000).rows_max(), 62);
    assert_eq!(reading(512, 60 * 1024, 40_000).rows_max(), 2);
    assert_eq!(reading(usize::MAX, 0, 100).rows_max(), 1);
}

#[test]
fn a_read_holds_no_more_than_its_bounds() {
    assert_eq!(reading(usize::MAX, usize::MAX, 0).rows_max(), ROWS_MAX);
    let large = 32 * 1024;
    let rows = reading(usize::MAX, usize::MAX, large).rows_max();
    assert!(rows * large <= FETCH_BYTES, "{rows}");
    assert!(ROWS_MAX * large <= 8 << 20);
}
