//! Conversations, their logs, and what follows from them.

use super::append::AppendRows;
use super::commit::{Change, Draft};
use super::{Embedded, keys};
use crate::model::{
    Claim, Contact, Conversation, ConversationId, Entry, Erasure, Head, Membership, Sequence,
    Settings, UserId,
};
use crate::store::records::{Decode, InConversation, Marked};
use crate::store::{Append, Appended, Claimed, Effect, Log, Pending, Range, StoreError};

impl Log for Embedded {
    async fn claim(&self, conversation: Conversation) -> Result<Claimed, StoreError> {
        self.change(ClaimConversation(conversation)).await
    }

    async fn claimed(&self, claim: Claim) -> Result<Option<Conversation>, StoreError> {
        self.read(move |view| match view.get::<ConversationId>(&keys::claim(claim))? {
            Some(id) => view.get(&keys::conversation(id)),
            None => Ok(None),
        })
        .await
    }

    async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Conversation, Settings)>, StoreError> {
        self.read(move |view| {
            let Some(record) = view.get(&keys::conversation(conversation))? else {
                return Ok(None);
            };
            let settings = view.get(&keys::settings(conversation))?;
            Ok(Some((record, settings.unwrap_or_default())))
        })
        .await
    }

    async fn append(&self, append: Append<'_>) -> Result<Appended, StoreError> {
        self.change(AppendRows::new(&append)).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Head, StoreError> {
        self.read(move |view| view.head(conversation)).await
    }

    async fn heads(&self, conversations: Vec<ConversationId>) -> Result<Vec<Head>, StoreError> {
        self.read(move |view| conversations.into_iter().map(|log| view.head(log)).collect()).await
    }

    async fn entries(
        &self,
        conversation: ConversationId,
        range: Range,
    ) -> Result<Vec<Entry>, StoreError> {
        self.read(move |view| view.entries(conversation, range)).await
    }

    async fn erase(
        &self,
        conversation: ConversationId,
        sequence: Sequence,
        erasure: Erasure,
    ) -> Result<bool, StoreError> {
        self.change(Erase { conversation, sequence, erasure }).await
    }

    async fn apply_effects(&self, effects: Vec<Effect>) -> Result<(), StoreError> {
        self.change(ApplyEffects(effects)).await
    }

    async fn pending(&self) -> Result<Vec<Pending>, StoreError> {
        self.read(|view| {
            let marks = view.list::<InConversation<Marked>>(&keys::all_pending())?;
            Ok(marks.into_iter().map(Pending::from).collect())
        })
        .await
    }

    async fn pending_of(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Pending>, StoreError> {
        let key = keys::pending(conversation);
        self.read(move |view| {
            let mark = view.get::<Marked>(&key)?;
            Ok(mark.map(|mark| Pending { conversation, from: mark.from }))
        })
        .await
    }

    async fn settle(
        &self,
        conversation: ConversationId,
        through: Sequence,
    ) -> Result<(), StoreError> {
        self.change(Settle { conversation, through }).await
    }

    async fn members(&self, conversation: ConversationId) -> Result<Vec<Membership>, StoreError> {
        self.read(move |view| view.list(&keys::members(conversation))).await
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>, StoreError> {
        self.read(move |view| view.list(&keys::memberships(user))).await
    }

    async fn membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Membership>, StoreError> {
        self.read(move |view| view.get(&keys::membership(user, conversation))).await
    }

    async fn contacts(
        &self,
        owner: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Contact>, StoreError> {
        self.read(move |view| {
            let prefix = keys::contacts(owner);
            let after = after.map_or(prefix.clone(), |peer| keys::contact(owner, peer));
            view.list_after(&prefix, &after, limit)
        })
        .await
    }

    async fn contact(&self, owner: UserId, peer: UserId) -> Result<Option<Contact>, StoreError> {
        self.read(move |view| view.get(&keys::contact(owner, peer))).await
    }
}

struct ClaimConversation(Conversation);

impl Change for ClaimConversation {
    type Outcome = Claimed;
    const DURABLE: bool = true;

    fn stage(self, draft: &mut Draft<'_>) -> Result<Claimed, StoreError> {
        let conversation = self.0;
        let (claim, record) =
            (keys::claim(conversation.claim), keys::conversation(conversation.id));
        if let Some(holder) = draft.get::<ConversationId>(&claim)? {
            let holder = draft.get::<Conversation>(&keys::conversation(holder))?;
            let what = Conversation::WHAT;
            return holder.map(Claimed::Exists).ok_or(StoreError::Corrupt { what });
        }
        if draft.has(Conversation::WHAT, &record)? {
            return Ok(Claimed::IdTaken);
        }
        draft.put(claim, &conversation.id);
        draft.put(record, &conversation);
        Ok(Claimed::Created)
    }
}

struct Erase {
    conversation: ConversationId,
    sequence: Sequence,
    erasure: Erasure,
}

impl Change for Erase {
    type Outcome = bool;
    const DURABLE: bool = true;
    const GROWS: bool = false;

    fn stage(self, draft: &mut Draft<'_>) -> Result<bool, StoreError> {
        let key = keys::entry_row(self.conversation, self.sequence);
        let Some(mut entry) = draft.get::<Entry>(&key)? else { return Ok(false) };
        if entry.erased.is_none() {
            entry.erase(self.erasure);
            draft.put(key, &entry);
        }
        Ok(true)
    }
}

struct ApplyEffects(Vec<Effect>);

impl Change for ApplyEffects {
    type Outcome = ();
    const DURABLE: bool = true;

    fn bytes(&self) -> usize {
        size_of_val(self) + size_of_val(self.0.as_slice())
    }

    fn stage(self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        self.0.into_iter().try_for_each(|effect| apply(draft, effect))
    }
}

/// Writes an effect unless what is stored was set by the same entry or a later one.
fn apply(draft: &mut Draft<'_>, effect: Effect) -> Result<(), StoreError> {
    match effect {
        Effect::Membership(row) => {
            let by_user = keys::membership(row.user, row.conversation);
            let stored = draft.get::<Membership>(&by_user)?;
            if stored.is_none_or(|stored| stored.set_by < row.set_by) {
                draft.put(keys::member(row.conversation, row.user), &row);
                draft.put(by_user, &row);
            }
        }
        Effect::Settings(conversation, row) => {
            let key = keys::settings(conversation);
            let stored = draft.get::<Settings>(&key)?;
            if stored.is_none_or(|stored| stored.set_by < row.set_by) {
                draft.put(key, &row);
            }
        }
        Effect::Contact(row) => {
            let key = keys::contact(row.owner, row.peer);
            let stored = draft.get::<Contact>(&key)?;
            if stored.is_none_or(|stored| stored.set_by < row.set_by) {
                draft.put(key, &row);
            }
        }
    }
    Ok(())
}

struct Settle {
    conversation: ConversationId,
    through: Sequence,
}

impl Change for Settle {
    type Outcome = ();
    const DURABLE: bool = false;
    const GROWS: bool = false;

    fn stage(self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        let key = keys::pending(self.conversation);
        let Some(mark) = draft.get::<Marked>(&key)? else { return Ok(()) };
        if mark.to <= self.through {
            draft.remove(key);
        } else if mark.from <= self.through {
            draft.put(key, &Marked { from: self.through.next(), ..mark });
        }
        Ok(())
    }
}
