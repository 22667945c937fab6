//! The backend that a server was configured with: one type for all of them, so that the composition
//! is written once.
//!
//! Owns the choice and nothing else: every call goes on to the backend chosen, for the price of a
//! branch. What only one of them has stays with it; [`Backend`] asks for it in words that fit all.

use super::copy::{Progress, Target, Walk};
use super::embedded::{self, Embedded, Hooks, WriteFailure};
use super::scylla::{self, Scylla};
use super::{
    AccountInsert, Append, Appended, Claimed, Cursors, Directory, Effect, Log, Pending, Range,
    Store, StoreError,
};
use crate::model::{
    Account, Claim, Contact, Conversation, ConversationId, Cursor, CursorAdvance, Device, DeviceId,
    Entry, Epoch, Erasure, Head, Membership, Profile, Sequence, Settings, Timestamp, UserId,
    Username,
};
use crate::telemetry::Page;
use std::error::Error;

/// Which backend is opened, and how.
#[derive(Clone, Debug)]
pub enum Options {
    /// The embedded store.
    Embedded(embedded::Options),
    /// A database that speaks CQL.
    Scylla(scylla::Options),
}

/// Why a backend does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The embedded store does not.
    #[error(transparent)]
    Embedded(#[from] embedded::OpenError),
    /// The database does not.
    #[error(transparent)]
    Scylla(#[from] scylla::OpenError),
}

/// An open store, whichever it is. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub enum Backend {
    /// The embedded store.
    Embedded(Embedded),
    /// A database that speaks CQL.
    Scylla(Scylla),
}

impl Backend {
    /// Opens a store. A database that is not there is waited for, and `waiting` is told each time why
    /// it is not there yet. `fatal` is called, on a thread of the store, when it has failed in a way
    /// that leaves nothing to be trusted: the process should end.
    pub async fn open(
        options: &Options,
        waiting: impl FnMut(&dyn Error),
        fatal: impl Fn(&WriteFailure) + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        match options {
            Options::Embedded(options) => {
                let store = Embedded::open(options, Hooks::new(options, fatal))?;
                Ok(Self::Embedded(store))
            }
            Options::Scylla(options) => {
                Ok(Self::Scylla(Scylla::open_when_there(options, waiting).await?))
            }
        }
    }

    /// Puts what the backend counts on a page; each backend counts what says most about it.
    pub fn put_figures(&self, page: &mut Page) {
        match self {
            Self::Embedded(store) => store.put_figures(page),
            Self::Scylla(store) => store.put_figures(page),
        }
    }

    /// Says of a store that it is older than what clients have seen of it, as one that was restored from a
    /// backup: it has another epoch from then on, and whoever opens it next gives that to clients, which
    /// then read anew what they hold.
    pub async fn begin_life(&self) -> Result<Epoch, StoreError> {
        match self {
            Self::Embedded(store) => store.begin_life().await,
            Self::Scylla(store) => store.begin_life().await,
        }
    }

    /// Takes no more changes, waits for those under way and says what was done.
    pub async fn close(&self) {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Scylla(store) => store.close().await,
        }
    }
}

impl From<Embedded> for Backend {
    fn from(store: Embedded) -> Self {
        Self::Embedded(store)
    }
}

impl From<Scylla> for Backend {
    fn from(store: Scylla) -> Self {
        Self::Scylla(store)
    }
}

/// Implements a trait by asking the backend.
macro_rules! delegate {
    ($trait:ident { $(fn $method:ident($($name:ident: $type:ty),*) -> $answer:ty;)* }) => {
        impl $trait for Backend {
            delegate! { methods $(fn $method($($name: $type),*) -> $answer;)* }
        }
    };
    (methods $(fn $method:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(async fn $method(&self, $($name: $type),*) -> Result<$answer, StoreError> {
            match self {
                Self::Embedded(store) => store.$method($($name),*).await,
                Self::Scylla(store) => store.$method($($name),*).await,
            }
        })*
    };
}

impl Store for Backend {
    fn epoch(&self) -> Epoch {
        match self {
            Self::Embedded(store) => store.epoch(),
            Self::Scylla(store) => store.epoch(),
        }
    }

    fn is_shared(&self) -> bool {
        match self {
            Self::Embedded(store) => store.is_shared(),
            Self::Scylla(store) => store.is_shared(),
        }
    }

    delegate! { methods
        fn latest_time() -> Timestamp;
        fn keep_time(now: Timestamp) -> ();
        fn check() -> ();
    }
}

delegate! { Directory {
    fn insert_account(account: Account) -> AccountInsert;
    fn account(user: UserId) -> Option<Account>;
    fn account_by_name(username: &Username) -> Option<Account>;
    fn put_profile(user: UserId, profile: Profile) -> ();
    fn insert_device(device: Device) -> bool;
    fn device(device: DeviceId) -> Option<Device>;
    fn devices(user: UserId) -> Vec<Device>;
    fn update_device(device: Device) -> bool;
} }

delegate! { Log {
    fn claim(conversation: Conversation) -> Claimed;
    fn claimed(claim: Claim) -> Option<Conversation>;
    fn conversation(conversation: ConversationId) -> Option<(Conversation, Settings)>;
    fn append(append: Append<'_>) -> Appended;
    fn head(conversation: ConversationId) -> Head;
    fn heads(conversations: Vec<ConversationId>) -> Vec<Head>;
    fn entries(conversation: ConversationId, range: Range) -> Vec<Entry>;
    fn erase(conversation: ConversationId, sequence: Sequence, erasure: Erasure) -> bool;
    fn apply_effects(effects: Vec<Effect>) -> ();
    fn pending() -> Vec<Pending>;
    fn pending_of(conversation: ConversationId) -> Option<Pending>;
    fn settle(conversation: ConversationId, through: Sequence) -> ();
    fn members(conversation: ConversationId) -> Vec<Membership>;
    fn memberships(user: UserId) -> Vec<Membership>;
    fn membership(user: UserId, conversation: ConversationId) -> Option<Membership>;
    fn contacts(owner: UserId, after: Option<UserId>, limit: usize) -> Vec<Contact>;
    fn contact(owner: UserId, peer: UserId) -> Option<Contact>;
} }

delegate! { Cursors {
    fn advance_cursors(advances: Vec<CursorAdvance>) -> ();
    fn sync_cursors() -> ();
    fn cursor(user: UserId, conversation: ConversationId) -> Cursor;
    fn cursors(user: UserId) -> Vec<(ConversationId, Cursor)>;
    fn advance_device_cursors(device: DeviceId, cursors: Vec<(ConversationId, Sequence)>) -> ();
    fn device_cursors(device: DeviceId) -> Vec<(ConversationId, Sequence)>;
} }

delegate! { Walk {
    fn conversations_after(after: Option<ConversationId>, limit: usize) -> Vec<ConversationId>;
    fn accounts_after(after: Option<UserId>, limit: usize) -> Vec<UserId>;
} }

delegate! { Target {
    fn progress() -> Option<Progress>;
    fn record_progress(progress: Progress) -> ();
    fn finish() -> ();
} }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{Harness, conformance};
    use tempfile::TempDir;

    /// The embedded store, asked through the backend.
    struct Fixture {
        store: Backend,
        folder: TempDir,
    }

    async fn open(folder: &TempDir) -> Backend {
        let options = embedded::Options::new(folder.path());
        let options = embedded::Options { reserve_bytes: 0, ..options };
        let fatal = |failure: &WriteFailure| panic!("{failure}");
        let waiting = |error: &dyn Error| panic!("{error}");
        Backend::open(&Options::Embedded(options), waiting, fatal).await.expect("opens")
    }

    impl Harness for Fixture {
        type Store = Backend;

        async fn create() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            Self { store: open(&folder).await, folder }
        }

        fn store(&self) -> &Backend {
            &self.store
        }

        async fn reopen(self) -> Self {
            let Self { store, folder } = self;
            store.close().await;
            drop(store);
            Self { store: open(&folder).await, folder }
        }
    }

    conformance!(Fixture);
}
