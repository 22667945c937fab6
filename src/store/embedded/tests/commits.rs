//! How changes are grouped, queued, synced and seen.

use super::*;
use crate::model::{Applied, CommandError, ErrorCode};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::Duration;

/// A store whose commit thread stands still before each batch that needs space, until it is let on.
struct Gated {
    store: Embedded,
    folder: TempDir,
    /// Says that the thread has arrived.
    arrived: mpsc::Receiver<()>,
    /// Lets it on; dropped, it never stands still again.
    go: mpsc::Sender<()>,
}

impl Gated {
    fn open(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = options(folder.path());
        change(&mut options);
        let (arrive, arrived) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let wait = Mutex::new(wait);
        let mut hooks = Hooks::new(&options, |failure| panic!("{failure}"));
        hooks.free_bytes = Box::new(move || {
            arrive.send(()).ok();
            wait.lock().expect("one thread").recv().ok();
            Ok(u64::MAX)
        });
        let store = Embedded::open(&options, hooks).expect("opens");
        Self { store, folder, arrived, go }
    }

    /// Queues an append to a log of its own.
    fn queue(&self, conversation: u64) -> Queued {
        self.queue_append(append(conversation, 0))
    }

    /// Queues an append and tells what will come of it. Polling once puts it into the queue.
    fn queue_append(&self, append: Append<'static>) -> Queued {
        let store = self.store.clone();
        let mut queued: Queued = Box::pin(async move { store.append(append).await });
        let mut context = Context::from_waker(Waker::noop());
        assert!(queued.as_mut().poll(&mut context).is_pending());
        queued
    }
}

type Queued = Pin<Box<dyn Future<Output = Result<Appended, StoreError>>>>;

#[tokio::test]
async fn what_arrives_during_a_commit_shares_the_next_sync() {
    let gated = Gated::open(|_| ());
    let first = gated.queue(1);
    gated.arrived.recv().expect("the first batch");
    let rest: Vec<_> = (2..=100).map(|conversation| gated.queue(conversation)).collect();
    drop(gated.go);
    for queued in std::iter::once(first).chain(rest) {
        assert_eq!(queued.await, Ok(Appended::Applied));
    }
    let stats = gated.store.stats();
    assert_eq!((stats.commits, stats.syncs), (2, 2));
    assert_eq!((stats.appends, stats.entries), (100, 100));
    assert!(stats.bytes > 100 * 100);
}

#[tokio::test]
async fn a_full_queue_refuses_and_what_is_refused_is_not_applied() {
    let gated = Gated::open(|options| options.queue_max = 2);
    let first = gated.queue(1);
    gated.arrived.recv().expect("the first batch");
    let waiting = [gated.queue(2), gated.queue(3)];
    let refused = gated.store.append(append(4, 0)).await;
    assert_eq!(refused, Err(StoreError::Unavailable));
    drop(gated.go);
    for queued in std::iter::once(first).chain(waiting) {
        assert_eq!(queued.await, Ok(Appended::Applied));
    }
    let heads = gated.store.heads([1, 2, 3, 4].map(log).into()).await.expect("works");
    let ends: Vec<u64> = heads.iter().map(|head| head.sequence.get()).collect();
    assert_eq!(ends, [1, 1, 1, 0]);
}

#[tokio::test]
async fn a_queue_is_bounded_in_bytes_but_takes_one_change_of_any_size() {
    let gated = Gated::open(|options| options.queue_bytes_max = 1_000);
    let first = gated.queue(1);
    gated.arrived.recv().expect("the first batch");
    let large = gated.queue_append(append_of(2, 0, &["x".repeat(5_000).as_str()]));
    assert_eq!(gated.store.append(append(3, 0)).await, Err(StoreError::Unavailable));
    drop(gated.go);
    for queued in [first, large] {
        assert_eq!(queued.await, Ok(Appended::Applied));
    }
}

#[tokio::test]
async fn behind_a_slow_commit_appends_are_refused_unless_something_follows_from_them() {
    let gated = Gated::open(|options| options.wait_max = Duration::from_nanos(1));
    let first = gated.queue(1);
    gated.arrived.recv().expect("the first batch");
    let large = gated.queue_append(append_of(2, 0, &["x".repeat(20_000).as_str()]));
    let refused = gated.store.append(append(3, 0)).await.expect_err("too much waits");
    assert!(matches!(refused, StoreError::Behind { wait } if wait > Duration::ZERO), "{refused}");
    let told = CommandError::from(refused);
    assert_eq!((told.code, told.applied), (ErrorCode::Overloaded, Applied::No));
    let with_effects = gated.queue_append(Append { has_effects: true, ..append(4, 0) });
    drop(gated.go);
    for queued in [first, large, with_effects] {
        assert_eq!(queued.await, Ok(Appended::Applied));
    }
    assert_eq!((gated.store.stats().refused, gated.store.stats().appends), (1, 3));
    // Answered in a later batch: the large one is over.
    gated.store.check().await.expect("works");
    assert_eq!(gated.store.append(append(3, 0)).await, Ok(Appended::Applied));
}

#[tokio::test]
async fn closing_commits_what_is_queued_and_refuses_what_comes_later() {
    let gated = Gated::open(|_| ());
    let queued: Vec<_> = (1..=3).map(|conversation| gated.queue(conversation)).collect();
    gated.arrived.recv().expect("the first batch");
    drop(gated.go);
    gated.store.close().await;
    for queued in queued {
        assert_eq!(queued.await, Ok(Appended::Applied));
    }
    assert_eq!(gated.store.append(append(4, 0)).await, Err(StoreError::Unavailable));
    assert_eq!(gated.store.check().await, Err(StoreError::Unavailable));
    assert_eq!(gated.store.head(log(3)).await.map(|head| head.sequence), Ok(at(1)));
    drop(gated.store);
    let store = open(&options(gated.folder.path()));
    assert_eq!(store.head(log(1)).await.map(|head| head.sequence), Ok(at(1)));
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_take_its_change_back() {
    let gated = Gated::open(|_| ());
    let caller = gated.queue(1);
    gated.arrived.recv().expect("the first batch");
    drop(caller);
    drop(gated.go);
    gated.store.close().await;
    assert_eq!(gated.store.head(log(1)).await.map(|head| head.sequence), Ok(at(1)));
}

#[tokio::test]
async fn cursors_are_synced_with_the_next_durable_change_or_when_asked_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&options(folder.path()));
    let syncs = || store.stats().syncs;
    store.advance_cursors(advance(1)).await.expect("works");
    assert_eq!((syncs(), store.stats().commits), (0, 1));
    store.sync_cursors().await.expect("works");
    assert_eq!(syncs(), 1);
    store.sync_cursors().await.expect("works");
    assert_eq!(syncs(), 1);
    store.advance_cursors(advance(2)).await.expect("works");
    store.append(append(1, 0)).await.expect("works");
    assert_eq!(syncs(), 2);
    store.sync_cursors().await.expect("works");
    assert_eq!(syncs(), 2);
    store.advance_cursors(advance(1)).await.expect("works");
    assert_eq!(store.stats().commits, 4);
}

#[tokio::test]
async fn a_reader_sees_whole_batches_while_tables_are_written() {
    const AT_ONCE: u64 = 64;
    const ROUNDS: u64 = 300;
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&Options { memtable_bytes: 1 << 14, ..options(folder.path()) });
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            let body = "x".repeat(200);
            let bodies = vec![body.as_str(); 64];
            for round in 0..ROUNDS {
                let append = append_of(1, round * AT_ONCE, &bodies);
                assert_eq!(store.append(append).await, Ok(Appended::Applied));
            }
        })
    };
    while !writer.is_finished() {
        let head = store.head(log(1)).await.expect("works").sequence.get();
        assert_eq!(head % AT_ONCE, 0);
    }
    writer.await.expect("no panic");
    drop(store);
    let store = open(&options(folder.path()));
    let entries = store.entries(log(1), everything()).await.expect("works");
    assert!((1..=ROUNDS * AT_ONCE).eq(entries.iter().map(|entry| entry.sequence.get())));
}

#[tokio::test]
async fn large_bodies_survive_being_moved_to_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { memtable_bytes: 1 << 16, ..options(folder.path()) };
    let store = open(&options);
    let bodies: Vec<String> = ('a'..='z').map(|letter| letter.to_string().repeat(60_000)).collect();
    for (expected, body) in (0..).zip(&bodies) {
        store.append(append_of(1, expected, &[body])).await.expect("works");
    }
    drop(store);
    let store = open(&options);
    let entries = store.entries(log(1), everything()).await.expect("works");
    let expected = append_of(1, 0, &bodies.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(expected.entries == entries);
}
