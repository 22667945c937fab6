//! A store to copy: users with a device each, who write to their journals.

use chasqui::model::{
    Account, Claim, ClientMessageId, Content, Conversation, ConversationId, Cursor, CursorAdvance,
    Device, DeviceId, DeviceName, Entry, Membership, Message, Ordinal, PasswordHash, Profile,
    Sequence, Timestamp, UserId, Username,
};
use chasqui::store::embedded::{Embedded, Hooks, Options};
use chasqui::store::{Append, Cursors, Directory, Effect, Log};
use std::fmt;
use std::path::Path;

/// What is appended at once.
const PAGE: u64 = 100;

/// How much there is to copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Conversations, and as many accounts.
    pub conversations: u64,
    /// Entries of each.
    pub entries: u64,
}

/// As `store copy` tells it.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversations, entries } = self;
        write!(f, "{conversations} conversations with {} entries", conversations * entries)
    }
}

/// Makes a store of this size.
pub(crate) fn seed(folder: &Path, size: Size) {
    let options = Options { reserve_bytes: 0, ..Options::new(folder) };
    let store = Embedded::open(&options, Hooks::new(&options, |_| {})).expect("opens");
    let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
    runtime.block_on(async {
        let users = (1..=size.conversations).map(|id| write(store.clone(), id, size.entries));
        let tasks: tokio::task::JoinSet<()> = users.collect();
        tasks.join_all().await;
        store.close().await;
    });
}

async fn write(store: Embedded, number: u64, entries: u64) {
    let user = UserId::new(number).expect("in range");
    let id = ConversationId::new(number).expect("in range");
    let created_at = Timestamp::from_millis(number);
    store.insert_account(account(user)).await.expect("the store works");
    store.insert_device(device(user)).await.expect("the store works");
    let claim = Claim::Journal(user);
    store.claim(Conversation { id, claim, created_at }).await.expect("the store works");
    let membership = Membership::by_claim(id, user, created_at);
    store.apply_effects(vec![Effect::Membership(membership)]).await.expect("the store works");
    for first in (1..=entries).step_by(usize::try_from(PAGE).expect("few")) {
        let last = entries.min(first + PAGE - 1);
        let append = Append {
            conversation: id,
            expected: Sequence::new(first - 1).expect("in range"),
            entries: (first..=last).map(|sequence| entry(user, sequence)).collect(),
            has_effects: false,
        };
        store.append(append).await.expect("the store works");
    }
    let read = Sequence::new(entries).expect("in range");
    let read_ordinal = Ordinal::new(entries).expect("in range");
    let cursor = Cursor { delivered: read, read, read_ordinal, changed_at: created_at };
    let advance = CursorAdvance { user, conversation: id, cursor };
    store.advance_cursors(vec![advance]).await.expect("the store works");
}

fn account(user: UserId) -> Account {
    Account {
        user,
        username: Username::new(&format!("user{user}")).expect("a user name"),
        password: PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"),
        profile: Profile::default(),
        created_at: Timestamp::from_millis(user.get()),
    }
}

fn device(user: UserId) -> Device {
    Device {
        device: DeviceId::new(user.get()).expect("in range"),
        user,
        name: DeviceName::new("phone").expect("a name"),
        created_at: Timestamp::from_millis(user.get()),
        family: 1,
        generation: 1,
        revoked_at: None,
        version: 0,
    }
}

/// A message of a line, sent a minute after the one before.
fn entry(sender: UserId, sequence: u64) -> Entry {
    let text =
        format!("This is what {sender} wrote as entry {sequence}; a line is as long as this.");
    let content = Content::Message(Message { text: text.as_str().into(), ..Message::default() });
    Entry {
        sequence: Sequence::new(sequence).expect("in range"),
        ordinal: Ordinal::new(sequence).expect("in range"),
        sender: Some(sender),
        sent_at: Timestamp::from_millis(1_790_000_000_000 + 60_000 * sequence),
        client_message: ClientMessageId::new(sequence),
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    }
}
