//! Durable state: the [`Store`] trait and its contract.
//!
//! A store keeps rows and makes them durable; it knows no rule of the messenger. It speaks the
//! domain: typed ids in, model types out. One suite of conformance cases runs on every backend.
//!
//! Every method may be called from any thread. Where a method says *durable*, its success means
//! that the change survives a power cut; an error other than [`StoreError::Unknown`] means that
//! nothing changed. A caller that stops waiting for a change does not take it back.

mod backend;
#[cfg(test)]
mod conformance;
pub mod copy;
pub mod embedded;
mod error;
#[cfg(any(test, feature = "testing"))]
pub mod faulty;
mod generations;
#[cfg(feature = "testing")]
pub mod null;
mod records;
pub mod scylla;

pub use backend::{Backend, OpenError, Options};
pub use error::StoreError;

use crate::model::{
    Account, Claim, Contact, Conversation, ConversationId, Cursor, CursorAdvance, Device, DeviceId,
    Entry, Epoch, Erasure, Head, Membership, Profile, Sequence, Settings, Timestamp, UserId,
    Username,
};
use std::borrow::Cow;
use std::future::Future;

/// Everything a backend provides.
pub trait Store: Directory + Log + Cursors + Clone + Send + Sync + 'static {
    /// The number of this store's life: chosen when it was created or restored from a backup.
    fn epoch(&self) -> Epoch;

    /// Whether other processes may append to its logs, too. Then a head is only where a log ended when
    /// it was read, and [`Appended::Stale`] need not mean a mistake.
    fn is_shared(&self) -> bool;

    /// The latest moment that [`Store::keep_time`] has recorded, zero in a new store. A server's
    /// clock starts no earlier, so that times of entries do not fall behind after a restart.
    fn latest_time(&self) -> impl Future<Output = Result<Timestamp, StoreError>> + Send;

    /// Records a moment, never a smaller one than before. Not durable by itself.
    fn keep_time(&self, now: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Whether the store can take writes now: what readiness asks.
    fn check(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What came of an insert-if-absent of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountInsert {
    /// It is stored.
    Inserted,
    /// Another account has the name.
    NameTaken,
    /// Another account has the id: draw a new one.
    IdTaken,
}

/// Accounts and devices.
pub trait Directory {
    /// Stores an account if neither its name nor its id is taken, atomically. Durable. A try after
    /// [`StoreError::Unknown`] may find the name taken by the account itself: the id tells.
    fn insert_account(
        &self,
        account: Account,
    ) -> impl Future<Output = Result<AccountInsert, StoreError>> + Send;

    /// An account by id.
    fn account(
        &self,
        user: UserId,
    ) -> impl Future<Output = Result<Option<Account>, StoreError>> + Send;

    /// An account by its name.
    fn account_by_name(
        &self,
        username: &Username,
    ) -> impl Future<Output = Result<Option<Account>, StoreError>> + Send;

    /// Replaces the profile of an account, if there is such an account; the last writer wins.
    /// Durable.
    fn put_profile(
        &self,
        user: UserId,
        profile: Profile,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores a device if its id is not taken; tells whether it did. Durable.
    fn insert_device(
        &self,
        device: Device,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// A device by id.
    fn device(
        &self,
        device: DeviceId,
    ) -> impl Future<Output = Result<Option<Device>, StoreError>> + Send;

    /// All devices of a user, revoked ones included, in the order of their ids.
    fn devices(&self, user: UserId)
    -> impl Future<Output = Result<Vec<Device>, StoreError>> + Send;

    /// Replaces a device's record if the stored one still has `device.version`, and stores it with
    /// the next version; tells whether it did. Durable.
    fn update_device(
        &self,
        device: Device,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The conversation is new.
    Created,
    /// The claim was made before, by this conversation.
    Exists(Conversation),
    /// Another conversation has the id: draw a new one.
    IdTaken,
}

/// What came of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// All entries are stored.
    Applied,
    /// The log does not end where the caller thought, but here; nothing was stored.
    Stale(Head),
}

/// Rows that follow from entries already in a log, or from a claim. Each carries the sequence that set
/// it, and a row is replaced only by one with a higher `set_by`, so that writing an effect again, or
/// late, changes nothing: what one entry makes of a row is always the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A membership row, readable by its conversation and by its user: never by the conversation
    /// before it is readable by the user.
    Membership(Membership),
    /// The settings of a conversation.
    Settings(ConversationId, Settings),
    /// A contact row of the owner's list.
    Contact(Contact),
}

/// One append. Its entries may stay the caller's, who needs them once they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append<'a> {
    /// Where.
    pub conversation: ConversationId,
    /// Where the caller thinks the log ends.
    pub expected: Sequence,
    /// At least one entry, numbered from `expected + 1` without holes. A backend may panic over
    /// anything else, since a hole in a log could never be mended.
    pub entries: Cow<'a, [Entry]>,
    /// Whether effects follow from these entries: then the conversation is marked as pending in
    /// the same atomic step, unless it is already.
    pub has_effects: bool,
}

/// A conversation whose effects may be unwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Which.
    pub conversation: ConversationId,
    /// The first entry that may have unwritten effects.
    pub from: Sequence,
}

/// Which end of a range is read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The lowest sequence first.
    Ascending,
    /// The highest sequence first.
    Descending,
}

/// A part of a log to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The lowest sequence, inclusive.
    pub from: Sequence,
    /// The highest sequence, inclusive.
    pub to: Sequence,
    /// Which end comes first.
    pub direction: Direction,
    /// At most this many entries.
    pub entries_max: usize,
    /// Stops after the entry with which the bodies reach this many bytes, or earlier where a backend
    /// counts what it stores beside them; at least one entry is returned if there is any.
    pub bytes_max: usize,
}

/// Conversations, their logs, and what follows from them.
pub trait Log {
    /// Gives a conversation its claim if neither the claim nor the id is taken, atomically. Durable.
    fn claim(
        &self,
        conversation: Conversation,
    ) -> impl Future<Output = Result<Claimed, StoreError>> + Send;

    /// The conversation that made a claim.
    fn claimed(
        &self,
        claim: Claim,
    ) -> impl Future<Output = Result<Option<Conversation>, StoreError>> + Send;

    /// A conversation's record and settings.
    fn conversation(
        &self,
        conversation: ConversationId,
    ) -> impl Future<Output = Result<Option<(Conversation, Settings)>, StoreError>> + Send;

    /// Stores entries at the end of a log, all or none, if it ends at `append.expected`. Durable
    /// before it answers [`Appended::Applied`], and visible to every read from then on; not visible
    /// before it is durable.
    ///
    /// [`StoreError::Unknown`] leaves open whether the entries are, or will be, stored. After it an
    /// absent entry proves nothing until [`Log::head`] has told a head above `append.expected`; the
    /// same append may be tried again.
    fn append(
        &self,
        append: Append<'_>,
    ) -> impl Future<Output = Result<Appended, StoreError>> + Send;

    /// The end of a log, all zero for an empty or unknown one. Never behind an append that was
    /// answered as applied.
    fn head(
        &self,
        conversation: ConversationId,
    ) -> impl Future<Output = Result<Head, StoreError>> + Send;

    /// The heads of several logs, in the order asked for.
    fn heads(
        &self,
        conversations: Vec<ConversationId>,
    ) -> impl Future<Output = Result<Vec<Head>, StoreError>> + Send;

    /// Reads a part of a log.
    ///
    /// [`StoreError::Corrupt`] if a row in the range does not pass its checks.
    fn entries(
        &self,
        conversation: ConversationId,
        range: Range,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// Takes out of an entry what was said in it, for good, and notes why. Its row stays, with its
    /// place, its sender and the fingerprint of what was sent; erasing it again changes nothing. Tells
    /// whether there is such an entry. Durable.
    fn erase(
        &self,
        conversation: ConversationId,
        sequence: Sequence,
        erasure: Erasure,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Writes effects, atomically each, in any order; see [`Effect`]. Durable, and never before the
    /// append they follow from.
    fn apply_effects(
        &self,
        effects: Vec<Effect>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Every conversation whose effects may be unwritten: what start-up sweeps.
    fn pending(&self) -> impl Future<Output = Result<Vec<Pending>, StoreError>> + Send;

    /// Whether effects of this conversation may be unwritten, and from which entry on.
    fn pending_of(
        &self,
        conversation: ConversationId,
    ) -> impl Future<Output = Result<Option<Pending>, StoreError>> + Send;

    /// Takes the pending mark off the entries up to `through`, whose effects are all written: those
    /// of later entries, appended meanwhile, stay marked. It may come back after a crash. Never
    /// durable before the effects that were applied before it.
    fn settle(
        &self,
        conversation: ConversationId,
        through: Sequence,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The membership rows of a conversation, former members included.
    fn members(
        &self,
        conversation: ConversationId,
    ) -> impl Future<Output = Result<Vec<Membership>, StoreError>> + Send;

    /// The membership rows of a user, former memberships included.
    fn memberships(
        &self,
        user: UserId,
    ) -> impl Future<Output = Result<Vec<Membership>, StoreError>> + Send;

    /// One membership row.
    fn membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> impl Future<Output = Result<Option<Membership>, StoreError>> + Send;

    /// The contact rows of a user in the order of the peers' ids, those with state `None` included,
    /// after `after`, at most `limit`.
    fn contacts(
        &self,
        owner: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Contact>, StoreError>> + Send;

    /// One contact row.
    fn contact(
        &self,
        owner: UserId,
        peer: UserId,
    ) -> impl Future<Output = Result<Option<Contact>, StoreError>> + Send;
}

/// How far users and devices have come. Every cursor is a maximum: writing a smaller value changes
/// nothing, so writes may be repeated and reordered.
pub trait Cursors {
    /// Advances cursors of users. Visible at once, durable only with a later durable write or
    /// [`Cursors::sync_cursors`]: a crash may take back what no sync covered.
    fn advance_cursors(
        &self,
        advances: Vec<CursorAdvance>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes all cursors that were advanced before this call durable.
    fn sync_cursors(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// One user's cursor in one conversation; all zero where there is none.
    fn cursor(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> impl Future<Output = Result<Cursor, StoreError>> + Send;

    /// All cursors of a user.
    fn cursors(
        &self,
        user: UserId,
    ) -> impl Future<Output = Result<Vec<(ConversationId, Cursor)>, StoreError>> + Send;

    /// Advances the long-poll cursors of a device. Durable.
    fn advance_device_cursors(
        &self,
        device: DeviceId,
        cursors: Vec<(ConversationId, Sequence)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// All long-poll cursors of a device.
    fn device_cursors(
        &self,
        device: DeviceId,
    ) -> impl Future<Output = Result<Vec<(ConversationId, Sequence)>, StoreError>> + Send;
}
