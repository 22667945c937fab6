//! A disk that is full, broken or damaged, and a folder that must not be opened.

use super::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

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

/// What a power cut leaves: the file ends early, or reads as zeros from some point on.
#[tokio::test]
async fn a_journal_cut_anywhere_opens_to_whole_appends() {
    const STEP: usize = 37;
    let folder = tempfile::tempdir().expect("a folder");
    let options = options(folder.path());
    let store = open(&options);
    for expected in [0, 2, 4] {
        store.append(append_of(1, expected, &["first", "second"])).await.expect("works");
    }
    drop(store);
    let journal = journal(&folder);
    let whole = std::fs::read(&journal).expect("reads");
    let end = whole.iter().rposition(|byte| *byte != 0).expect("not empty") + 1;
    let mut before = 6;
    for cut in (0..=end).rev().step_by(STEP) {
        for zeros in [0, 10_000] {
            let mut left = whole[..cut].to_vec();
            left.resize(cut + zeros, 0);
            std::fs::write(&journal, left).expect("writes");
            let store = open(&options);
            let head = store.head(log(1)).await.expect("works").sequence.get();
            let entries = store.entries(log(1), everything()).await.expect("works");
            assert!(head.is_multiple_of(2) && head <= before, "{head} at {cut}");
            assert!((1..=head).eq(entries.iter().map(|entry| entry.sequence.get())));
            before = head;
            assert_eq!(store.append(append(1, head)).await, Ok(Appended::Applied));
        }
    }
    assert_eq!(before, 0);
}

fn journal(folder: &TempDir) -> PathBuf {
    let files = std::fs::read_dir(folder.path().join("rows")).expect("reads");
    let mut paths = files.map(|file| file.expect("reads").path());
    paths.find(|path| path.extension().is_some_and(|name| name == "jnl")).expect("a journal")
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
    holed.entries.to_mut()[1].sequence = at(3);
    append::AppendRows::new(&holed);
}
