//! The embedded backend: the conformance suite, and what only this backend promises.

use super::*;
use crate::model::{
    Content, ConversationId, Cursor, CursorAdvance, Device, DeviceId, DeviceName, Entry, Message,
    Ordinal, Sequence, UserId,
};
use crate::store::conformance::{Harness, conformance};
use crate::store::{Append, Appended, Cursors, Direction, Directory, Log, Range};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::task::{Context, Waker};
use tempfile::TempDir;

/// A store in a folder of its own, which any failed write ends.
struct Fixture {
    store: Embedded,
    folder: TempDir,
}

fn options(path: impl Into<PathBuf>) -> Options {
    Options { reserve_bytes: 0, ..Options::new(path) }
}

fn open(options: &Options) -> Embedded {
    let hooks = Hooks::new(options, |failure| panic!("{failure}"));
    Embedded::open(options, hooks).expect("opens")
}

impl Harness for Fixture {
    type Store = Embedded;

    async fn create() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { store: open(&options(folder.path())), folder }
    }

    fn store(&self) -> &Embedded {
        &self.store
    }

    async fn reopen(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        Self { store: open(&options(folder.path())), folder }
    }
}

conformance!(Fixture);

fn log(number: u64) -> ConversationId {
    ConversationId::new(number).expect("in range")
}

fn at(number: u64) -> Sequence {
    Sequence::new(number).expect("in range")
}

fn append_of(conversation: u64, expected: u64, bodies: &[&str]) -> Append {
    let entry = |(sequence, body): (u64, &&str)| {
        let content = Content::Message(Message { text: (*body).into(), ..Message::default() });
        Entry {
            sequence: at(sequence),
            ordinal: Ordinal::new(sequence).expect("in range"),
            sender: UserId::new(1),
            sent_at: Timestamp::from_millis(sequence),
            client_message: None,
            fingerprint: content.fingerprint(),
            content,
            edited: None,
            erased: None,
        }
    };
    Append {
        conversation: log(conversation),
        expected: at(expected),
        entries: (expected + 1..).zip(bodies).map(entry).collect(),
        has_effects: false,
    }
}

fn append(conversation: u64, expected: u64) -> Append {
    append_of(conversation, expected, &["hello"])
}

fn everything() -> Range {
    Range {
        from: Sequence::FIRST,
        to: Sequence::MAX,
        direction: Direction::Ascending,
        entries_max: usize::MAX,
        bytes_max: usize::MAX,
    }
}

fn device() -> Device {
    Device {
        device: DeviceId::new(1).expect("in range"),
        user: UserId::new(1).expect("in range"),
        name: DeviceName::default(),
        created_at: Timestamp::ZERO,
        family: 1,
        generation: 1,
        revoked_at: None,
        version: 0,
    }
}

fn advance(read: u64) -> Vec<CursorAdvance> {
    let cursor = Cursor { read: at(read), ..Cursor::default() };
    vec![CursorAdvance { user: device().user, conversation: log(1), cursor }]
}

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
    fn queue_append(&self, append: Append) -> Queued {
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
async fn short_of_space_writes_are_refused_and_reads_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { reserve_bytes: 1_000, ..Options::new(folder.path()) };
    let free = Arc::new(AtomicU64::new(1_000));
    let mut hooks = Hooks::new(&options, |failure| panic!("{failure}"));
    let told = Arc::clone(&free);
    hooks.free_bytes = Box::new(move || Ok(told.load(Ordering::Relaxed)));
    let store = Embedded::open(&options, hooks).expect("opens");
    assert_eq!(store.append(append(1, 0)).await, Ok(Appended::Applied));
    store.insert_device(device()).await.expect("works");

    free.store(999, Ordering::Relaxed);
    assert_eq!(store.append(append(1, 1)).await, Err(StoreError::Full));
    assert_eq!(store.check().await, Err(StoreError::Full));
    assert_eq!(store.head(log(1)).await.map(|head| head.sequence), Ok(at(1)));
    let revoked = Device { revoked_at: Some(Timestamp::ZERO), ..device() };
    assert_eq!(store.update_device(revoked).await, Ok(true));

    free.store(1_000, Ordering::Relaxed);
    assert_eq!(store.check().await, Ok(()));
    assert_eq!(store.append(append(1, 1)).await, Ok(Appended::Applied));
}

#[tokio::test]
async fn a_failed_write_ends_the_store_and_is_reported_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { memtable_bytes: 1 << 16, ..options(folder.path()) };
    let (report, reports) = mpsc::channel();
    let hooks = Hooks::new(&options, move |failure| drop(report.send(failure.to_string())));
    let store = Embedded::open(&options, hooks).expect("opens");
    store.append(append(1, 0)).await.expect("works");

    // The journal is still open, but no table can be written any more.
    std::fs::remove_dir_all(folder.path().join("rows")).expect("removes");
    let body = "x".repeat(1 << 14);
    let mut expected = 1;
    let answer = loop {
        match store.append(append_of(1, expected, &[&body])).await {
            Ok(Appended::Applied) => expected += 1,
            other => break other,
        }
    };
    assert_eq!(answer, Err(StoreError::Unknown));
    let reported = reports.recv().expect("reported");
    assert!(reported.starts_with("the store cannot write: "), "{reported}");
    assert_eq!(store.append(append(2, 0)).await, Err(StoreError::Unavailable));
    assert_eq!(store.check().await, Err(StoreError::Unavailable));
    store.close().await;
    assert!(reports.try_recv().is_err());
}

#[tokio::test]
async fn a_corrupt_entry_fails_its_own_log_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&options(folder.path()));
    for conversation in [1, 2] {
        let written = append_of(conversation, 0, &["one", "two", "three"]);
        store.append(written).await.expect("works");
    }
    drop(store);
    damage(&folder, "entries", &keys::entry(log(1), at(3)));

    let store = open(&options(folder.path()));
    let corrupt = StoreError::Corrupt { what: "entry" };
    assert_eq!(store.head(log(1)).await, Err(corrupt.clone()));
    assert_eq!(store.append(append(1, 3)).await, Err(corrupt.clone()));
    assert_eq!(store.entries(log(1), everything()).await, Err(corrupt));
    let before = Range { to: at(2), ..everything() };
    assert_eq!(store.entries(log(1), before).await.map(|entries| entries.len()), Ok(2));
    assert_eq!(store.append(append(2, 3)).await, Ok(Appended::Applied));
    assert_eq!(store.entries(log(2), everything()).await.map(|entries| entries.len()), Ok(4));
}

#[tokio::test]
async fn a_change_that_meets_a_corrupt_row_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&options(folder.path()));
    store.advance_cursors(advance(1)).await.expect("works");
    drop(store);
    damage(&folder, "cursors", &keys::cursor(device().user, log(1)).bytes);

    let store = open(&options(folder.path()));
    let mut advances = advance(2);
    advances.insert(0, CursorAdvance { conversation: log(2), ..advances[0] });
    let corrupt = StoreError::Corrupt { what: "cursor" };
    assert_eq!(store.advance_cursors(advances).await, Err(corrupt));
    assert_eq!(store.cursor(device().user, log(2)).await, Ok(Cursor::default()));
}

/// Writes garbage over a row.
fn damage(folder: &TempDir, keyspace: &str, key: &[u8]) {
    let rows = fjall::Database::builder(folder.path().join("rows")).open().expect("opens");
    let keyspace = rows.keyspace(keyspace, || panic!("exists")).expect("opens");
    let mut value = keyspace.get(key).expect("reads").expect("there").to_vec();
    *value.last_mut().expect("not empty") ^= 1;
    keyspace.insert(key, value).expect("writes");
    rows.persist(fjall::PersistMode::SyncAll).expect("syncs");
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
    assert!(entries == expected.entries);
}

#[test]
fn a_second_store_in_one_folder_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = options(folder.path());
    let held = open(&options);
    let refused = Embedded::open(&options, Hooks::new(&options, |_| ())).expect_err("refused");
    assert!(matches!(refused, OpenError::InUse(_)), "{refused}");
    assert!(refused.to_string().ends_with("is in use by another process"));
    drop(held);
    open(&options);
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = options(folder.path());
    drop(open(&options));
    std::fs::write(folder.path().join("FORMAT"), "9\n").expect("writes");
    let refused = Embedded::open(&options, Hooks::new(&options, |_| ())).expect_err("refused");
    assert!(matches!(refused, OpenError::NewerFormat { found: 9, .. }), "{refused}");
}

#[test]
#[should_panic(expected = "numbered without holes")]
fn entries_with_a_hole_between_them_are_a_mistake_of_the_caller() {
    let mut holed = append_of(1, 0, &["one", "two"]);
    holed.entries[1].sequence = at(3);
    append::AppendRows::new(&holed);
}
