//! How many durable appends the embedded store takes when many are outstanding, each in one of
//! 20,000 logs. One iteration is a group of appends that start together and are all awaited; after
//! each measurement the number of entries per sync is printed.
//!
//! The folder is made in `target/`, since the system's folder for temporary files may not be on a
//! disk at all.

use chasqui::model::{
    Content, ConversationId, Entry, Message, Ordinal, Sequence, Timestamp, UserId,
};
use chasqui::store::embedded::{Embedded, Hooks, Options};
use chasqui::store::{Append, Appended, Log};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

const LOGS: u64 = 20_000;
const BODY_BYTES: usize = 100;

/// Where each log ends; the logs are taken in turn, spread so that neighbours are not adjacent.
struct Writer {
    store: Embedded,
    ends: Vec<u64>,
    turn: u64,
    body: String,
}

impl Writer {
    fn next(&mut self) -> Option<Append<'static>> {
        self.turn = (self.turn + 7_919) % LOGS;
        let end = self.ends.get_mut(usize::try_from(self.turn).ok()?)?;
        let expected = Sequence::new(*end)?;
        *end += 1;
        let content =
            Content::Message(Message { text: self.body.as_str().into(), ..Message::default() });
        let entry = Entry {
            sequence: expected.next(),
            ordinal: Ordinal::new(*end)?,
            sender: UserId::new(7),
            sent_at: Timestamp::from_millis(1_790_000_000_000),
            client_message: None,
            fingerprint: content.fingerprint(),
            content,
            edited: None,
            erased: None,
        };
        let conversation = ConversationId::new(1 + self.turn * 450_000_000_000)?;
        Some(Append { conversation, expected, entries: vec![entry].into(), has_effects: false })
    }

    async fn group(&mut self, count: u64) -> usize {
        let mut appends = JoinSet::new();
        let store = self.store.clone();
        for append in (0..count).map_while(|_| self.next()) {
            let store = store.clone();
            appends.spawn(async move { store.append(append).await });
        }
        let answers = appends.join_all().await;
        answers.iter().filter(|answer| **answer == Ok(Appended::Applied)).count()
    }
}

fn open() -> Option<(tempfile::TempDir, Runtime, Writer)> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).ok()?;
    let options = Options::new(folder.path());
    let store = Embedded::open(&options, Hooks::new(&options, |_| ())).ok()?;
    let ends = vec![0; usize::try_from(LOGS).ok()?];
    let writer = Writer { store, ends, turn: 0, body: "x".repeat(BODY_BYTES) };
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    Some((folder, runtime, writer))
}

#[expect(clippy::expect_used, clippy::print_stderr, reason = "a benchmark tells and stops")]
fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store_commit");
    for outstanding in [1, 64, 1_024] {
        let (_folder, runtime, mut writer) = open().expect("a store");
        group.throughput(Throughput::Elements(outstanding));
        group.bench_function(outstanding.to_string(), |bencher| {
            bencher.iter(|| black_box(runtime.block_on(writer.group(outstanding))));
        });
        let stats = writer.store.stats();
        eprintln!("{outstanding} outstanding: {stats:?}");
    }
    group.finish();
}

criterion_group!(benches, appends);
criterion_main!(benches);
