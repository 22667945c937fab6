//! Appends, rolls and races on a real server.

mod faults;

use crate::model::{Entry, Head};
use crate::store::conformance::samples::{append, at, everything, log, user};
use crate::store::scylla::ground::with_schema;
use crate::store::scylla::roll::{Bucket, Tail};
use crate::store::scylla::{Caps, Options, Scylla};
use crate::store::{Append, Appended, Log};
use std::future::Future;

/// How many entries a bucket of these tests holds.
const BUCKET_ENTRIES: u64 = 5;

/// Runs a test over the stores of two servers.
async fn with_two<F, T>(test: F)
where
    F: FnOnce(Scylla, Scylla) -> T,
    T: Future<Output = ()>,
{
    with_schema(async |options| {
        let caps = Caps { entries: BUCKET_ENTRIES, ..options.caps };
        let options = Options { caps, ..options };
        let one = Scylla::open(&options).await.expect("a store");
        let other = Scylla::open(&options).await.expect("a store");
        test(one, other).await;
    })
    .await;
}

async fn entries(store: &Scylla, number: u64) -> Vec<Entry> {
    store.entries(log(number), everything()).await.expect("the store works")
}

async fn numbers(store: &Scylla, number: u64) -> Vec<u64> {
    entries(store, number).await.iter().map(|entry| entry.sequence.get()).collect()
}

async fn tail(store: &Scylla, number: u64) -> Tail {
    store.inner.end(log(number)).await.expect("the store works")
}

/// An append by a user, told from others by its sender.
fn append_by(sender: u64, number: u64, expected: u64, count: u64) -> Append<'static> {
    let mut append = append(number, expected, count);
    for entry in append.entries.to_mut() {
        entry.sender = Some(user(sender));
    }
    append
}

/// Seals the last bucket of a log, and gives the name of its successor.
async fn seal(store: &Scylla, number: u64) -> Option<Bucket> {
    let tail = tail(store, number).await;
    let next = Bucket(tail.bucket.0 + 1);
    let answer = store.inner.seal(log(number), &tail, next).await.expect("the store works");
    answer.is_applied().then_some(next)
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_log_grows_over_buckets_without_a_hole() {
    with_two(async |one, other| {
        let mut head = 0;
        for count in [1, 3, 2, 5, 7, 1, 4, 5, 1] {
            assert_eq!(one.append(append(1, head, count)).await, Ok(Appended::Applied), "{head}");
            head += count;
            assert_eq!(one.head(log(1)).await.map(|head| head.sequence), Ok(at(head)));
            assert_eq!(other.head(log(1)).await.map(|head| head.sequence), Ok(at(head)));
        }
        assert_eq!(numbers(&one, 1).await, (1..=head).collect::<Vec<_>>());
        assert_eq!(numbers(&other, 1).await, (1..=head).collect::<Vec<_>>());
        let last = tail(&one, 1).await;
        assert_eq!((last.first, last.head.sequence), (at(29), at(29)));
        assert_eq!(tail(&other, 1).await, last);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_append_on_another_head_is_stale_whatever_is_remembered() {
    with_two(async |one, other| {
        let far = Ok(Appended::Stale(Head::default()));
        assert_eq!(one.append(append(1, 3, 1)).await, far);
        for head in [0, 4, 8, 12] {
            assert_eq!(one.append(append(1, head, 4)).await, Ok(Appended::Applied));
            let last = Head::from(append(1, head, 4).entries.last().expect("entries"));
            for expected in [0, head, head + 1, head + 3, head + 9] {
                let stale = Ok(Appended::Stale(last));
                assert_eq!(other.append(append(1, expected, 1)).await, stale, "on {expected}");
                assert_eq!(one.append(append(1, expected, 1)).await, stale, "on {expected}");
            }
        }
        assert_eq!(numbers(&one, 1).await, (1..=16).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_roll_that_another_left_half_done_is_finished() {
    with_two(async |one, other| {
        let mut head = 0;
        for round in 0..4 {
            assert_eq!(one.append(append(1, head, 3)).await, Ok(Appended::Applied));
            head += 3;
            // Between the two steps of its roll, the one stops; the other knows the log or not.
            if round % 2 == 0 {
                assert_eq!(other.head(log(1)).await.map(|head| head.sequence), Ok(at(head)));
            }
            let next = seal(&one, 1).await.expect("nobody was first");
            assert_eq!(other.append(append(1, head, 1)).await, Ok(Appended::Applied));
            head += 1;
            assert_eq!(tail(&other, 1).await.bucket, next);
        }
        assert_eq!(numbers(&one, 1).await, (1..=head).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_resend_across_a_roll_stays_single() {
    with_two(async |one, other| {
        assert_eq!(one.append(append(1, 0, 4)).await, Ok(Appended::Applied));
        assert_eq!(other.head(log(1)).await.map(|head| head.sequence), Ok(at(4)));
        // It rolls, and its answer is lost: it is sent again, here and by another who knows only the
        // bucket before.
        let sent = append(1, 4, 2);
        assert_eq!(one.append(sent.clone()).await, Ok(Appended::Applied));
        let head = Head::from(sent.entries.last().expect("entries"));
        for store in [&one, &other] {
            assert_eq!(store.append(sent.clone()).await, Ok(Appended::Stale(head)));
        }
        assert_eq!(numbers(&one, 1).await, (1..=6).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn of_an_append_and_a_seal_one_is_first() {
    with_two(async |one, other| {
        for number in 1..=200 {
            one.append(append_by(1, number, 0, 1)).await.expect("the store works");
            let before = tail(&other, number).await;
            let next = Bucket(before.bucket.0 + 1);
            let race = async {
                let seal = other.inner.seal(log(number), &before, next).await;
                seal.expect("the store works").is_applied()
            };
            let (append, seal) = tokio::join!(one.append(append_by(2, number, 1, 1)), race);
            assert_eq!(append, Ok(Appended::Applied), "whoever was first, the append goes on");
            let bucket = tail(&one, number).await.bucket;
            assert_eq!(bucket, if seal { next } else { before.bucket }, "log {number}");
            assert_eq!(numbers(&other, number).await, [1, 2]);
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn of_racing_appends_and_rolls_each_place_goes_to_one() {
    with_two(async |one, other| {
        // Each goes on from what it was told, as an owner does; a roll comes every few appends.
        let writer = async |store: &Scylla, sender| {
            let (mut head, mut applied) = (0, Vec::new());
            while applied.len() < 60 {
                match store.append(append_by(sender, 1, head, 1)).await.expect("works") {
                    Appended::Applied => {
                        head += 1;
                        applied.push(head);
                    }
                    Appended::Stale(now) => head = now.sequence.get(),
                }
            }
            applied
        };
        let (first, second) = tokio::join!(writer(&one, 1), writer(&other, 2));
        let stored = entries(&one, 1).await;
        assert_eq!(stored.len(), 120);
        for entry in stored {
            let sequence = entry.sequence.get();
            let told = (first.contains(&sequence), second.contains(&sequence));
            let sender = entry.sender.expect("a user");
            assert_eq!(told, (sender == user(1), sender == user(2)), "entry {sequence}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_log_is_found_without_its_index() {
    with_two(async |one, other| {
        for head in [0, 4, 8, 12, 16] {
            assert_eq!(one.append(append(1, head, 4)).await, Ok(Appended::Applied));
        }
        one.inner.database.execute("TRUNCATE buckets").await.expect("truncated");
        assert_eq!(other.head(log(1)).await.map(|head| head.sequence), Ok(at(20)));
        assert_eq!(numbers(&other, 1).await, (1..=20).collect::<Vec<_>>());
        one.inner.database.execute("TRUNCATE buckets").await.expect("truncated");
        assert_eq!(numbers(&one, 1).await, (1..=20).collect::<Vec<_>>());
        assert_eq!(one.append(append(1, 20, 4)).await, Ok(Appended::Applied));
        assert_eq!(other.append(append(1, 24, 4)).await, Ok(Appended::Applied));
        assert_eq!(numbers(&other, 1).await, (1..=28).collect::<Vec<_>>());
    })
    .await;
}
