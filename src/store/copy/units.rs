//! Copying one unit. Every write may be repeated: a unit that was copied in part is copied again.

use super::{CopyError, PAGE, ROWS_MAX, Unit};
use crate::model::{ConversationId, CursorAdvance, Sequence, Settings, UserId};
use crate::store::{AccountInsert, Append, Appended, Claimed, Effect, Range, Store, StoreError};
use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

/// How often a unit is tried at most, and the time between two tries.
const TRIES_MAX: usize = 30;
const PAUSE: Duration = Duration::from_secs(1);

/// Why a unit was not copied.
pub(super) enum Failed {
    /// A store refused.
    Store(StoreError),
    /// The target holds something else in its place.
    Conflict(&'static str),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Copies a unit.
pub(super) async fn copy_unit<S: Store, T: Store>(
    source: S,
    target: T,
    unit: Unit,
) -> Result<(), Failed> {
    match unit {
        Unit::Conversation(id) => copy_conversation(&source, &target, id).await,
        Unit::Account(user) => copy_account(&source, &target, user).await,
    }
}

/// Copies a conversation: its record, its settings and its log with the mark on it.
async fn copy_conversation<S: Store, T: Store>(
    source: &S,
    target: &T,
    id: ConversationId,
) -> Result<(), Failed> {
    let found = source.conversation(id).await?;
    let (conversation, settings) = found.ok_or(StoreError::Corrupt { what: "conversation" })?;
    match target.claim(conversation).await? {
        Claimed::Created => {}
        Claimed::Exists(other) if other == conversation => {}
        Claimed::Exists(_) | Claimed::IdTaken => return Err(Failed::Conflict("conversation")),
    }
    if settings != Settings::default() {
        target.apply_effects(vec![Effect::Settings(id, settings)]).await?;
    }
    copy_log(source, target, id).await
}

async fn copy_log<S: Store, T: Store>(
    source: &S,
    target: &T,
    conversation: ConversationId,
) -> Result<(), Failed> {
    // Entries from the mark on are appended as having effects, which marks them in the target.
    let mark = source.pending_of(conversation).await?.map_or(Sequence::MAX, |pending| pending.from);
    let mut expected = target.head(conversation).await?.sequence;
    loop {
        let from = expected.next();
        let has_effects = from >= mark;
        let to = if has_effects { Sequence::MAX } else { mark.minus(1) };
        let entries = source.entries(conversation, Range { from, to, ..PAGE }).await?;
        let Some(last) = entries.last().map(|entry| entry.sequence) else { return Ok(()) };
        let entries = Cow::Owned(entries);
        match target.append(Append { conversation, expected, entries, has_effects }).await? {
            Appended::Applied => expected = last,
            // A try whose outcome was not known was applied after all.
            Appended::Stale(_) => return Err(Failed::Store(StoreError::Unknown)),
        }
    }
}

/// Copies an account and all that is the user's alone.
async fn copy_account<S: Store, T: Store>(
    source: &S,
    target: &T,
    user: UserId,
) -> Result<(), Failed> {
    let account = source.account(user).await?.ok_or(StoreError::Corrupt { what: "account" })?;
    let inserted = target.insert_account(account.clone()).await? == AccountInsert::Inserted;
    if !inserted && target.account(user).await? != Some(account) {
        return Err(Failed::Conflict("account"));
    }
    for device in source.devices(user).await? {
        let id = device.device;
        if !target.insert_device(device.clone()).await? && target.device(id).await? != Some(device)
        {
            return Err(Failed::Conflict("device"));
        }
        let cursors = source.device_cursors(id).await?;
        if !cursors.is_empty() {
            target.advance_device_cursors(id, cursors).await?;
        }
    }
    let mut after = None;
    loop {
        let contacts = source.contacts(user, after, ROWS_MAX).await?;
        let Some(last) = contacts.last() else { break };
        after = Some(last.peer);
        target.apply_effects(contacts.into_iter().map(Effect::Contact).collect()).await?;
    }
    for memberships in source.memberships(user).await?.chunks(ROWS_MAX) {
        let effects = memberships.iter().cloned().map(Effect::Membership);
        target.apply_effects(effects.collect()).await?;
    }
    for cursors in source.cursors(user).await?.chunks(ROWS_MAX) {
        let advances = cursors.iter().map(|&(conversation, cursor)| CursorAdvance {
            user,
            conversation,
            cursor,
        });
        target.advance_cursors(advances.collect()).await?;
    }
    Ok(())
}

/// Works on a unit until it is done, or fails in a way that does not pass.
pub(super) async fn persist<T, F, W>(unit: Unit, work: F) -> Result<T, CopyError>
where
    F: Fn() -> W + Send,
    W: Future<Output = Result<T, Failed>> + Send,
{
    for _ in 1..TRIES_MAX {
        let (error, pause) = match work().await {
            Err(Failed::Store(error @ StoreError::Behind { wait })) => (error, wait),
            Err(Failed::Store(error @ (StoreError::Unavailable | StoreError::Unknown))) => {
                (error, PAUSE)
            }
            done => return done.map_err(|failed| failed.of(unit)),
        };
        tracing::warn!(%unit, %error, "trying again");
        tokio::time::sleep(pause).await;
    }
    work().await.map_err(|failed| failed.of(unit))
}

impl Failed {
    fn of(self, unit: Unit) -> CopyError {
        match self {
            Self::Store(source) => CopyError::Unit { unit, source },
            Self::Conflict(what) => CopyError::Conflict { unit, what },
        }
    }
}
