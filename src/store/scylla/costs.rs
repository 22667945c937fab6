//! How many statements an operation on a log takes: what `docs/storage.md` says, counted.

use super::ground::with_schema;
use super::{Caps, Options, Scylla, Stats};
use crate::model::{ConversationId, Cursor};
use crate::store::conformance::samples::{advance, append, at, everything, log};
use crate::store::{Append, Appended, Cursors, Direction, Log, Range};

/// The statements sent since `before`: reads, writes, conditional ones.
fn sent(store: &Scylla, before: Stats) -> (u64, u64, u64) {
    let now = store.stats();
    assert_eq!((now.failed, now.unknown, now.serial_reads), (0, 0, 0));
    let (reads, writes) = (now.reads - before.reads, now.writes - before.writes);
    (reads, writes, now.conditionals - before.conditionals)
}

/// Two stores, of which the other is to know nothing yet.
async fn with_two(test: impl AsyncFnOnce(Scylla, Scylla)) {
    with_schema(async |options| {
        let options = Options { caps: Caps { entries: 100, ..options.caps }, ..options };
        let store = Scylla::open(&options).await.expect("a store");
        test(store, Scylla::open(&options).await.expect("a store")).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_append_is_one_condition_however_many_entries_it_has() {
    with_two(async |store, stranger| {
        let opened = store.stats();
        assert_eq!(store.append(append(1, 0, 1)).await, Ok(Appended::Applied));
        assert_eq!(sent(&store, opened), (2, 0, 1), "a log that was not known");
        let mut head = 1;
        for count in [1, 16, 64] {
            let before = store.stats();
            assert_eq!(store.append(append(1, head, count)).await, Ok(Appended::Applied));
            assert_eq!(sent(&store, before), (0, 0, 1), "{count} entries");
            head += count;
        }
        let before = store.stats();
        assert_eq!(store.append(append(1, head, 64)).await, Ok(Appended::Applied));
        assert_eq!(sent(&store, before), (0, 1, 2), "a roll");
        head += 64;
        let before = store.stats();
        let marked = Append { has_effects: true, ..append(1, head, 1) };
        assert_eq!(store.append(marked).await, Ok(Appended::Applied));
        assert_eq!(store.settle(log(1), at(head + 1)).await, Ok(()));
        assert_eq!(sent(&store, before), (0, 2, 1), "effects");
        let opened = stranger.stats();
        assert_eq!(stranger.append(append(1, head + 1, 1)).await, Ok(Appended::Applied));
        assert_eq!(sent(&stranger, opened), (2, 0, 1), "a log that was not known");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_page_is_one_read() {
    with_two(async |store, stranger| {
        for head in (0..300).step_by(50) {
            assert_eq!(store.append(append(1, head, 50)).await, Ok(Appended::Applied));
        }
        let page = |from, to| Range { from: at(from), to: at(to), ..everything() };
        let back = |range| Range { direction: Direction::Descending, entries_max: 50, ..range };
        let reads = async |store: &Scylla, range: Range, count: usize| {
            let before = store.stats();
            let read = store.entries(log(1), range).await.expect("the store works");
            assert_eq!(read.len(), count);
            sent(store, before)
        };
        assert_eq!(reads(&store, page(251, 300), 50).await, (1, 0, 0), "the newest");
        assert_eq!(reads(&store, back(page(1, 300)), 50).await, (1, 0, 0), "the newest");
        assert_eq!(reads(&store, back(page(1, 190)), 50).await, (2, 0, 0), "older ones");
        assert_eq!(reads(&store, page(176, 225), 50).await, (3, 0, 0), "from two buckets");
        assert_eq!(reads(&stranger, back(page(1, 300)), 50).await, (3, 0, 0), "not known yet");
        assert_eq!(reads(&stranger, back(page(1, 300)), 50).await, (1, 0, 0), "known now");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_head_is_one_read() {
    with_two(async |store, stranger| {
        let logs: Vec<ConversationId> = (1..=200).map(log).collect();
        for number in 1..=200 {
            let append = append(number, 0, 1 + number % 3);
            assert_eq!(store.append(append).await, Ok(Appended::Applied));
        }
        let expected: Vec<_> = (1..=200).map(|number| at(1 + number % 3)).collect();
        for (store, reads) in [(&store, 200), (&stranger, 400), (&stranger, 200)] {
            let before = store.stats();
            let heads = store.heads(logs.clone()).await.expect("the store works");
            let sequences: Vec<_> = heads.iter().map(|head| head.sequence).collect();
            assert_eq!(sequences, expected);
            assert_eq!(sent(store, before), (reads, 0, 0));
        }
        assert_eq!(store.heads(Vec::new()).await, Ok(Vec::new()));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn the_cursors_of_a_user_are_one_write() {
    with_two(async |store, _| {
        for logs in [1, 20] {
            let reached = |number| {
                let cursor = Cursor { delivered: at(9), read: at(9), ..Cursor::default() };
                advance(1, number, cursor)
            };
            let before = store.stats();
            assert_eq!(store.advance_cursors((1..=logs).map(reached).collect()).await, Ok(()));
            assert_eq!(sent(&store, before), (0, 1, 0), "in {logs} conversations");
        }
        let before = store.stats();
        let of_two =
            (1..=2).map(|user| advance(user, 1, Cursor { read: at(10), ..Cursor::default() }));
        assert_eq!(store.advance_cursors(of_two.collect()).await, Ok(()));
        assert_eq!(sent(&store, before), (0, 2, 0), "of two users");
    })
    .await;
}
