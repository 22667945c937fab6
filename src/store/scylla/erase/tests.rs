//! Erasure on a real server, down to its files.

use crate::model::{Erasure, Sequence};
use crate::store::conformance::samples::{append, at, entry, everything, log, text};
use crate::store::scylla::ground::{Keyspace, files, with_schema, with_store};
use crate::store::scylla::{Caps, Options, Scylla};
use crate::store::{Append, Appended, Log, StoreError};
use std::path::Path;
use std::time::Duration;

/// How long the server may take to write its files, or to compact them.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_entry_is_erased_in_whichever_bucket_it_is() {
    with_schema(async |options| {
        let options = Options { caps: Caps { entries: 4, ..options.caps }, ..options };
        let store = Scylla::open(&options).await.expect("a store");
        let mut written = Vec::new();
        for head in (0..12).step_by(2) {
            let append = append(1, head, 2);
            assert_eq!(store.append(append.clone()).await, Ok(Appended::Applied));
            written.extend(append.entries.into_owned());
        }
        let stranger = Scylla::open(&options).await.expect("a store");
        for (by, sequence) in [(&store, 1), (&stranger, 6), (&stranger, 7), (&store, 12)] {
            assert_eq!(by.erase(log(1), at(sequence), Erasure(sequence)).await, Ok(true));
            let index = usize::try_from(sequence - 1).expect("small");
            written[index].erase(Erasure(sequence));
        }
        assert_eq!(stranger.erase(log(1), at(13), Erasure(0)).await, Ok(false));
        assert_eq!(store.entries(log(1), everything()).await, Ok(written));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn of_two_erasures_the_first_gives_the_reason() {
    with_store(async |store| {
        assert_eq!(store.append(append(1, 0, 1)).await, Ok(Appended::Applied));
        let erase = |reason| store.erase(log(1), at(1), Erasure(reason));
        let both = tokio::join!(erase(1), erase(2));
        assert_eq!(both, (Ok(true), Ok(true)));
        let told = async || store.entries(log(1), everything()).await.expect("works")[0].erased;
        let first = told().await;
        assert_eq!(erase(3).await, Ok(true));
        assert_eq!(told().await, first);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn an_erased_body_is_in_no_file_once_the_table_is_compacted() {
    let keyspace = Keyspace::with_schema().await;
    let store = Scylla::open(&keyspace.options).await.expect("a store");
    // Written out every so often, and compacted as soon as there are two files; plain, so that
    // what is in the files can be found there.
    let alter = "ALTER TABLE log WITH memtable_flush_period_in_ms = 500 \
        AND compression = {'enabled': false} \
        AND compaction = {'class': 'SizeTieredCompactionStrategy', 'min_threshold': 2}";
    store.inner.database.execute(alter).await.expect("altered");
    let secret = "what nobody shall read any more";
    let entries = vec![entry(1, text(secret)), entry(2, text("what stays"))];
    let sent = Append {
        conversation: log(1),
        expected: Sequence::ZERO,
        entries: (&entries).into(),
        has_effects: false,
    };
    assert_eq!(store.append(sent).await, Ok(Appended::Applied));
    let folder = files().join("data").join(&keyspace.options.keyspace);
    until(async || Ok(is_in(&folder, secret) && is_in(&folder, "what stays"))).await;
    assert_eq!(store.erase(log(1), at(1), Erasure(5)).await, Ok(true));
    // Whoever writes keeps the server writing files.
    let mut head = 2;
    until(async || {
        store.append(append(1, head, 1)).await?;
        head += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(!is_in(&folder, secret))
    })
    .await;
    assert!(is_in(&folder, "what stays"));
    let read = store.entries(log(1), everything()).await.expect("the store works");
    let mut erased = entries[0].clone();
    erased.erase(Erasure(5));
    assert_eq!(read[0], erased);
    assert_eq!(read[0].fingerprint, entries[0].fingerprint);
    assert_eq!(read[1], entries[1]);
}

/// Waits until something holds.
async fn until(mut holds: impl AsyncFnMut() -> Result<bool, StoreError>) {
    let waiting = async {
        while !holds().await.expect("the store works") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("in time");
}

/// Whether any file under a folder contains a text. Files may come and go meanwhile.
fn is_in(folder: &Path, text: &str) -> bool {
    let Ok(found) = std::fs::read_dir(folder) else { return false };
    found.flatten().any(|found| {
        let path = found.path();
        if path.is_dir() {
            return is_in(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}
