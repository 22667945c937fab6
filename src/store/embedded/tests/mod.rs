//! The embedded backend: the conformance suite, and what only this backend promises.

mod commits;
mod failures;

use super::*;
use crate::model::{
    Content, ConversationId, Cursor, CursorAdvance, Device, DeviceId, DeviceName, Entry, Message,
    Ordinal, Sequence, UserId,
};
use crate::store::conformance::{Harness, conformance};
use crate::store::{Append, Appended, Cursors, Direction, Directory, Log, Range};
use std::path::PathBuf;
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

fn append_of(conversation: u64, expected: u64, bodies: &[&str]) -> Append<'static> {
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

fn append(conversation: u64, expected: u64) -> Append<'static> {
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
