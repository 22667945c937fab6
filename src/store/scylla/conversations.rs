//! Conversations: their claims, records and settings.

use super::Inner;
use super::claims::{Claiming, Made};
use super::row::{self, bigint, first, number};
use crate::model::{Claim, Conversation, ConversationId, Settings};
use crate::store::records::{self, Encode};
use crate::store::{Claimed, StoreError};
use futures_util::future::try_join;

impl Inner {
    fn claiming(&self) -> Claiming<'_> {
        let rows = &self.statements.rows;
        Claiming {
            insert: &rows.insert_conversation,
            claim: &rows.claim,
            holder: "conversation",
            complete: &rows.complete_conversation,
            remove: &rows.remove_conversation,
            read: &rows.conversation,
        }
    }

    pub(super) async fn claim(&self, conversation: Conversation) -> Result<Claimed, StoreError> {
        let (id, key) = conversation_key(conversation.id);
        let (kind, one, other) = claim_key(conversation.claim);
        let claim = (kind, one, other, id);
        let is_same = |record: &[u8]| {
            let stored = records::decode(&key, record);
            stored.map(|stored: Conversation| stored.claim == conversation.claim)
        };
        let row = (id, conversation.encode(&key));
        match self.make(&self.claiming(), row, claim, is_same).await? {
            Made::New => Ok(Claimed::Created),
            Made::IdTaken => Ok(Claimed::IdTaken),
            Made::Before => self.named(id).await.map(Claimed::Exists),
            Made::Claimed(holder) => self.named(holder).await.map(Claimed::Exists),
        }
    }

    pub(super) async fn claimed(&self, claim: Claim) -> Result<Option<Conversation>, StoreError> {
        let rows = self.database.read(&self.statements.rows.claimed, claim_key(claim)).await?;
        let Some((id,)) = first::<(i64,)>(&rows)? else { return Ok(None) };
        self.named(id).await.map(Some)
    }

    /// The conversation that a claim names.
    async fn named(&self, id: i64) -> Result<Conversation, StoreError> {
        let id = number(id).and_then(ConversationId::new);
        let (id, key) = conversation_key(id.ok_or(StoreError::Corrupt { what: "claim" })?);
        self.holder(&self.claiming(), id, &key).await
    }

    pub(super) async fn conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Conversation, Settings)>, StoreError> {
        let (id, key) = conversation_key(conversation);
        let claiming = self.claiming();
        let record = self.whole(&claiming, id, &key);
        let (record, settings) = try_join(record, self.settings(conversation)).await?;
        Ok(record.map(|record| (record, settings)))
    }

    async fn settings(&self, conversation: ConversationId) -> Result<Settings, StoreError> {
        let id = (bigint(conversation.get()),);
        let rows = self.database.read(&self.statements.rows.settings, id).await?;
        let settings = row::record(&rows, &settings_key(conversation))?;
        Ok(settings.unwrap_or_default())
    }
}

/// The columns of a claim, in the order of the key.
fn claim_key(claim: Claim) -> (i8, i64, i64) {
    match claim {
        Claim::Journal(user) => (0, bigint(user.get()), 0),
        Claim::Direct(low, high) => (1, bigint(low.get()), bigint(high.get())),
        Claim::Group(user, client) => (2, bigint(user.get()), bigint(client.get())),
    }
}

fn conversation_key(conversation: ConversationId) -> (i64, row::Key) {
    let id = conversation.get();
    (bigint(id), record_key(id))
}

/// What the record of a conversation is sealed with.
pub(super) fn record_key(id: u64) -> row::Key {
    row::key("conversations", &[id])
}

/// What the record of a conversation's settings is sealed with.
pub(super) fn settings_key(conversation: ConversationId) -> row::Key {
    row::key("settings", &[conversation.get()])
}
