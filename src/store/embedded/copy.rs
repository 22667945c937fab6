//! What a copy needs beside the traits of every store: telling what is stored, and how far a copy has
//! come.

use super::commit::{Change, Draft};
use super::{Embedded, keys};
use crate::model::{Account, Conversation, ConversationId, UserId};
use crate::store::StoreError;
use crate::store::copy::{Progress, Target, Walk};

impl Walk for Embedded {
    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        self.read(move |view| {
            let all = keys::all_conversations();
            let after = after.map_or(all.clone(), keys::conversation);
            let page = view.list_after::<Conversation>(&all, &after, limit)?;
            Ok(page.into_iter().map(|conversation| conversation.id).collect())
        })
        .await
    }

    async fn accounts_after(
        &self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.read(move |view| {
            let all = keys::all_accounts();
            let after = after.map_or(all.clone(), keys::account);
            let page = view.list_after::<Account>(&all, &after, limit)?;
            Ok(page.into_iter().map(|account| account.user).collect())
        })
        .await
    }
}

impl Target for Embedded {
    async fn progress(&self) -> Result<Option<Progress>, StoreError> {
        self.read(|view| view.get(&keys::progress())).await
    }

    async fn record_progress(&self, progress: Progress) -> Result<(), StoreError> {
        self.change(Record(Some(progress))).await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        self.change(Record(None)).await
    }
}

struct Record(Option<Progress>);

impl Change for Record {
    type Outcome = ();
    const DURABLE: bool = true;

    fn bytes(&self) -> usize {
        size_of_val(self)
    }

    fn stage(self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        match self.0 {
            Some(progress) => draft.put(keys::progress(), &progress),
            None => draft.remove(keys::progress()),
        }
        Ok(())
    }
}
