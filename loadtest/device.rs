//! How many bytes reach the device for each message that the embedded store takes: journal, tables and
//! what compaction writes again.
//!
//! The store runs in this process, whose `write_bytes` are counted until they rest. Messages go to
//! conversations at random; their texts are random letters, which no compression makes smaller.
#![expect(clippy::print_stdout, reason = "a measuring tool prints what it found")]

use chasqui::model::{
    ClientMessageId, Content, ConversationId, Entry, Message, Ordinal, Sequence, Timestamp, UserId,
};
use chasqui::store::embedded::{Embedded, Hooks, Options as StoreOptions};
use chasqui::store::{Append, Appended, Log};
use clap::Parser;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;

/// Anything that ends the measurement.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures the bytes that the store writes to the device for each message.
#[derive(Clone, Copy, Debug, Parser)]
struct Options {
    /// Messages to store.
    #[arg(long, default_value_t = 1_000_000)]
    messages: u32,
    /// Conversations that they go to.
    #[arg(long, default_value_t = 20_000)]
    conversations: u64,
    /// Appends that wait together.
    #[arg(long, default_value_t = 1_024)]
    outstanding: usize,
    /// Bytes of each text; the rest of a row takes about 100.
    #[arg(long, default_value_t = 90)]
    bytes: usize,
}

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&Options::parse()))
}

async fn run(options: &Options) -> Result<(), Failure> {
    let folder = Path::new("target/loadtest-device");
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let store_options = StoreOptions::new(folder);
    let store = Embedded::open(&store_options, Hooks::new(&store_options, |_| ()))?;
    let before = written_bytes()?;
    let mut writer = Writer { random: 1, ends: Vec::new() };
    writer.ends.resize(usize::try_from(options.conversations)?, 0);
    let mut left = usize::try_from(options.messages)?;
    while left > 0 {
        let group = left.min(options.outstanding);
        let mut appends = JoinSet::new();
        for _ in 0..group {
            let append = writer.next(options.bytes)?;
            let store = store.clone();
            appends.spawn(async move { store.append(append).await });
        }
        // Two of a group may go to one conversation; they come in the order in which they were made.
        if appends.join_all().await.iter().any(|answer| *answer != Ok(Appended::Applied)) {
            return Err("an append was refused".into());
        }
        left -= group;
    }
    let stats = store.stats();
    let mut after = written_bytes()?;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = written_bytes()?;
        if now == after {
            break;
        }
        after = now;
    }
    drop(store);
    let each = |bytes: u64| -> Result<f64, Failure> {
        let kibibytes = f64::from(u32::try_from(bytes / 1_024)?);
        Ok(kibibytes * 1_024.0 / f64::from(options.messages))
    };
    println!("{} messages to {} conversations", options.messages, options.conversations);
    println!("key and row: {:.0} bytes a message", each(stats.bytes)?);
    println!("written to the device: {:.0} bytes a message", each(after - before)?);
    println!("kept on it: {:.0} bytes a message", each(kept_bytes(folder)?)?);
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// What this process has had written to devices so far.
fn written_bytes() -> Result<u64, Failure> {
    let counters = fs::read_to_string("/proc/self/io")?;
    let line = counters.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.ok_or("the system does not count what is written")?.parse()?)
}

/// What the tables take, the journal left out.
fn kept_bytes(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for file in fs::read_dir(folder)? {
        let file = file?;
        let metadata = file.metadata()?;
        let is_journal = file.path().extension().is_some_and(|extension| extension == "jnl");
        bytes += match (metadata.is_dir(), is_journal) {
            (true, _) => kept_bytes(&file.path())?,
            (false, true) => 0,
            (false, false) => metadata.len(),
        };
    }
    Ok(bytes)
}

/// Makes messages.
#[derive(Debug)]
struct Writer {
    random: u64,
    /// Where each conversation ends.
    ends: Vec<u64>,
}

impl Writer {
    /// One step of xorshift: no more is needed than that it does not repeat.
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn next(&mut self, bytes: usize) -> Result<Append<'static>, Failure> {
        const LETTERS: &[u8; 32] = b"etaoinshrdlucmfwypvbgkjqxz      ";
        let letter = |number: u64| LETTERS.iter().cycle().nth(usize::try_from(number % 32).ok()?);
        let text: String = (0..bytes)
            .filter_map(|_| letter(self.random() >> 20))
            .map(|b| char::from(*b))
            .collect();
        let content = Content::Message(Message { text: text.into(), ..Message::default() });
        let place = self.random() % u64::try_from(self.ends.len())?;
        // Ids are random as those of a server are, and each conversation has two writers.
        let id = (place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
        let user = UserId::new(id ^ (self.random() & 1) << 40 | 1);
        let end = self.ends.get_mut(usize::try_from(place)?).ok_or("no such conversation")?;
        let expected = Sequence::new(*end).ok_or("no such sequence")?;
        *end += 1;
        let entry = Entry {
            sequence: expected.next(),
            ordinal: Ordinal::new(expected.next().get()).ok_or("no such ordinal")?,
            sender: user,
            sent_at: Timestamp::from_millis(1_790_000_000_000 + *end),
            client_message: ClientMessageId::from_random(self.random()),
            fingerprint: content.fingerprint(),
            content,
            edited: None,
            erased: None,
        };
        let conversation = ConversationId::new(id).ok_or("no such conversation")?;
        Ok(Append { conversation, expected, entries: vec![entry].into(), has_effects: false })
    }
}
