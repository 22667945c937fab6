//! A store that fails on purpose, in front of any other: what the promises of the messenger are
//! tested against. Compiled for tests, and for test programs by the feature `testing`.
//!
//! It decides by its [`Plan`] at each call whether and how to fail. It never breaks the contract:
//! what it answers as not applied is not applied, and it loses nothing that was answered as done.

mod draws;
mod plan;

pub use draws::Draws;
pub use plan::{Fault, Plan};

use super::{
    AccountInsert, Append, Appended, Claimed, Cursors, Directory, Effect, Log, Pending, Range,
    Store, StoreError,
};
use crate::model::{
    Account, Claim, Contact, Conversation, ConversationId, Cursor, CursorAdvance, Device, DeviceId,
    Entry, Epoch, Erasure, Head, Membership, Profile, Sequence, Settings, Timestamp, UserId,
    Username,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// One call that reached the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: &'static str,
    /// What went wrong with it.
    pub fault: Option<Fault>,
}

/// A store that fails as planned. Clones share the plan and what was recorded.
#[derive(Clone)]
pub struct FaultyStore<S> {
    inner: S,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    stalled: watch::Sender<usize>,
    released: watch::Sender<u64>,
}

struct State {
    plan: Plan,
    calls: Vec<Call>,
    late: Vec<Late>,
}

/// A change that was answered as unknown and is still to be applied.
struct Late {
    /// The number of calls at which it is due.
    due: usize,
    change: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S: Store> FaultyStore<S> {
    /// Puts a plan in front of a store.
    pub fn new(inner: S, plan: Plan) -> Self {
        let state = State { plan, calls: Vec::new(), late: Vec::new() };
        let shared = Shared {
            state: Mutex::new(state),
            stalled: watch::Sender::new(0),
            released: watch::Sender::new(0),
        };
        Self { inner, shared: Arc::new(shared) }
    }

    /// The store behind it, which does not fail.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Replaces the plan. Its calls are counted from here on.
    pub fn follow(&self, plan: Plan) {
        self.state().plan = plan;
    }

    /// Every call so far, in the order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Waits until at least `count` calls are stalled at once.
    pub async fn until_stalled(&self, count: usize) {
        let mut stalled = self.shared.stalled.subscribe();
        // The sender lives as long as this handle.
        drop(stalled.wait_for(|now| *now >= count).await);
    }

    /// Lets all stalled calls go on.
    pub fn release(&self) {
        self.shared.released.send_modify(|times| *times += 1);
    }

    /// Applies every change that is still late, in the order they were made.
    pub async fn land(&self) {
        self.land_due(usize::MAX).await;
    }

    async fn land_due(&self, calls: usize) {
        let due: Vec<Late> = self.state().late.extract_if(.., |late| late.due <= calls).collect();
        for late in due {
            late.change.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call, applies what is due by now, and tells what shall go wrong.
    async fn arrive(&self, method: &'static str) -> Option<Fault> {
        let (fault, calls) = {
            let mut state = self.state();
            let fault = state.plan.next(method);
            state.calls.push(Call { method, fault });
            (fault, state.calls.len())
        };
        self.land_due(calls).await;
        if fault == Some(Fault::Stall) {
            let mut released = self.shared.released.subscribe();
            self.shared.stalled.send_modify(|stalled| *stalled += 1);
            let _waiting = Stalled(&self.shared.stalled);
            drop(released.changed().await);
        }
        fault
    }

    async fn read<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match self.arrive(method).await {
            None | Some(Fault::Stall) => call.await,
            Some(Fault::Refuse | Fault::LoseAnswer | Fault::LoseChange | Fault::Late(_)) => {
                Err(StoreError::Unavailable)
            }
        }
    }

    async fn change<T: Send + 'static>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.arrive(method).await {
            None | Some(Fault::Stall) => call.await,
            Some(Fault::Refuse) => Err(StoreError::Unavailable),
            Some(Fault::LoseChange) => Err(StoreError::Unknown),
            Some(Fault::LoseAnswer) => {
                drop(call.await);
                Err(StoreError::Unknown)
            }
            Some(Fault::Late(calls)) => {
                let mut state = self.state();
                let due = state.calls.len().saturating_add(calls);
                let change = Box::pin(async move { drop(call.await) });
                state.late.push(Late { due, change });
                Err(StoreError::Unknown)
            }
        }
    }
}

/// Counts a stalled call for as long as it waits.
struct Stalled<'a>(&'a watch::Sender<usize>);

impl Drop for Stalled<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|stalled| *stalled -= 1);
    }
}

impl<S: std::fmt::Debug> std::fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultyStore").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Calls the method of the store behind, by way of `read` or `change`.
macro_rules! through {
    ($self:ident, $way:ident, $method:ident($($argument:expr),*)) => {{
        let inner = $self.inner.clone();
        let call = async move { inner.$method($($argument),*).await };
        $self.$way(stringify!($method), call).await
    }};
}

impl<S: Store> Store for FaultyStore<S> {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn is_shared(&self) -> bool {
        // What lands late is as good as another process's.
        true
    }

    async fn latest_time(&self) -> Result<Timestamp, StoreError> {
        through!(self, read, latest_time())
    }

    async fn keep_time(&self, now: Timestamp) -> Result<(), StoreError> {
        through!(self, change, keep_time(now))
    }

    async fn check(&self) -> Result<(), StoreError> {
        through!(self, read, check())
    }
}

impl<S: Store> Directory for FaultyStore<S> {
    async fn insert_account(&self, account: Account) -> Result<AccountInsert, StoreError> {
        through!(self, change, insert_account(account))
    }

    async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        through!(self, read, account(user))
    }

    async fn account_by_name(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        let username = username.clone();
        through!(self, read, account_by_name(&username))
    }

    async fn put_profile(&self, user: UserId, profile: Profile) -> Result<(), StoreError> {
        through!(self, change, put_profile(user, profile))
    }

    async fn insert_device(&self, device: Device) -> Result<bool, StoreError> {
        through!(self, change, insert_device(device))
    }

    async fn device(&self, device: DeviceId) -> Result<Option<Device>, StoreError> {
        through!(self, read, device(device))
    }

    async fn devices(&self, user: UserId) -> Result<Vec<Device>, StoreError> {
        through!(self, read, devices(user))
    }

    async fn update_device(&self, device: Device) -> Result<bool, StoreError> {
        through!(self, change, update_device(device))
    }
}

impl<S: Store> Log for FaultyStore<S> {
    async fn claim(&self, conversation: Conversation) -> Result<Claimed, StoreError> {
        through!(self, change, claim(conversation))
    }

    async fn claimed(&self, claim: Claim) -> Result<Option<Conversation>, StoreError> {
        through!(self, read, claimed(claim))
    }

    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Conversation, Settings)>, StoreError> {
        through!(self, read, conversation(conversation))
    }

    async fn append(&self, append: Append<'_>) -> Result<Appended, StoreError> {
        // Its own copy, since it may have to land late.
        let append = Append { entries: append.entries.into_owned().into(), ..append };
        through!(self, change, append(append))
    }

    async fn head(&self, conversation: ConversationId) -> Result<Head, StoreError> {
        through!(self, read, head(conversation))
    }

    async fn heads(&self, conversations: Vec<ConversationId>) -> Result<Vec<Head>, StoreError> {
        through!(self, read, heads(conversations))
    }

    async fn entries(
        &self,
        conversation: ConversationId,
        range: Range,
    ) -> Result<Vec<Entry>, StoreError> {
        through!(self, read, entries(conversation, range))
    }

    async fn erase(
        &self,
        conversation: ConversationId,
        sequence: Sequence,
        erasure: Erasure,
    ) -> Result<bool, StoreError> {
        through!(self, change, erase(conversation, sequence, erasure))
    }

    async fn apply_effects(&self, effects: Vec<Effect>) -> Result<(), StoreError> {
        through!(self, change, apply_effects(effects))
    }

    async fn pending(&self) -> Result<Vec<Pending>, StoreError> {
        through!(self, read, pending())
    }

    async fn pending_of(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Pending>, StoreError> {
        through!(self, read, pending_of(conversation))
    }

    async fn settle(
        &self,
        conversation: ConversationId,
        through: Sequence,
    ) -> Result<(), StoreError> {
        through!(self, change, settle(conversation, through))
    }

    async fn members(&self, conversation: ConversationId) -> Result<Vec<Membership>, StoreError> {
        through!(self, read, members(conversation))
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>, StoreError> {
        through!(self, read, memberships(user))
    }

    async fn membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Membership>, StoreError> {
        through!(self, read, membership(user, conversation))
    }

    async fn contacts(
        &self,
        owner: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Contact>, StoreError> {
        through!(self, read, contacts(owner, after, limit))
    }

    async fn contact(&self, owner: UserId, peer: UserId) -> Result<Option<Contact>, StoreError> {
        through!(self, read, contact(owner, peer))
    }
}

impl<S: Store> Cursors for FaultyStore<S> {
    async fn advance_cursors(&self, advances: Vec<CursorAdvance>) -> Result<(), StoreError> {
        through!(self, change, advance_cursors(advances))
    }

    async fn sync_cursors(&self) -> Result<(), StoreError> {
        through!(self, change, sync_cursors())
    }

    async fn cursor(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Cursor, StoreError> {
        through!(self, read, cursor(user, conversation))
    }

    async fn cursors(&self, user: UserId) -> Result<Vec<(ConversationId, Cursor)>, StoreError> {
        through!(self, read, cursors(user))
    }

    async fn advance_device_cursors(
        &self,
        device: DeviceId,
        cursors: Vec<(ConversationId, Sequence)>,
    ) -> Result<(), StoreError> {
        through!(self, change, advance_device_cursors(device, cursors))
    }

    async fn device_cursors(
        &self,
        device: DeviceId,
    ) -> Result<Vec<(ConversationId, Sequence)>, StoreError> {
        through!(self, read, device_cursors(device))
    }
}

#[cfg(test)]
mod tests;
