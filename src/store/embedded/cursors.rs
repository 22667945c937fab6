//! How far users and devices have come.

use super::commit::{Change, Draft};
use super::{Embedded, keys};
use crate::model::{ConversationId, Cursor, CursorAdvance, DeviceId, Sequence, UserId};
use crate::store::records::InConversation;
use crate::store::{Cursors, StoreError};

impl Cursors for Embedded {
    async fn advance_cursors(&self, advances: Vec<CursorAdvance>) -> Result<(), StoreError> {
        self.change(AdvanceCursors(advances)).await
    }

    async fn sync_cursors(&self) -> Result<(), StoreError> {
        self.change(Sync).await
    }

    async fn cursor(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Cursor, StoreError> {
        let cursor = self.read(move |view| view.get(&keys::cursor(user, conversation))).await?;
        Ok(cursor.unwrap_or_default())
    }

    async fn cursors(&self, user: UserId) -> Result<Vec<(ConversationId, Cursor)>, StoreError> {
        self.read(move |view| Ok(pairs(view.list(&keys::cursors(user))?))).await
    }

    async fn advance_device_cursors(
        &self,
        device: DeviceId,
        cursors: Vec<(ConversationId, Sequence)>,
    ) -> Result<(), StoreError> {
        self.change(AdvanceDeviceCursors { device, cursors }).await
    }

    async fn device_cursors(
        &self,
        device: DeviceId,
    ) -> Result<Vec<(ConversationId, Sequence)>, StoreError> {
        self.read(move |view| Ok(pairs(view.list(&keys::device_cursors(device))?))).await
    }
}

fn pairs<R>(rows: Vec<InConversation<R>>) -> Vec<(ConversationId, R)> {
    rows.into_iter().map(|InConversation { conversation, row }| (conversation, row)).collect()
}

struct AdvanceCursors(Vec<CursorAdvance>);

impl Change for AdvanceCursors {
    type Outcome = ();
    const DURABLE: bool = false;

    fn bytes(&self) -> usize {
        size_of_val(self) + size_of_val(self.0.as_slice())
    }

    fn stage(self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        for advance in self.0 {
            let key = keys::cursor(advance.user, advance.conversation);
            let mut cursor = draft.get::<Cursor>(&key)?.unwrap_or_default();
            if cursor.merge(&advance.cursor) {
                draft.put(key, &cursor);
            }
        }
        Ok(())
    }
}

struct AdvanceDeviceCursors {
    device: DeviceId,
    cursors: Vec<(ConversationId, Sequence)>,
}

impl Change for AdvanceDeviceCursors {
    type Outcome = ();
    const DURABLE: bool = true;

    fn bytes(&self) -> usize {
        size_of_val(self) + size_of_val(self.cursors.as_slice())
    }

    fn stage(self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        for (conversation, sequence) in self.cursors {
            let key = keys::device_cursor(self.device, conversation);
            if draft.get::<Sequence>(&key)?.is_none_or(|stored| stored < sequence) {
                draft.put(key, &sequence);
            }
        }
        Ok(())
    }
}

/// Makes everything durable that was committed before it.
struct Sync;

impl Change for Sync {
    type Outcome = ();
    const DURABLE: bool = true;
    const GROWS: bool = false;

    fn bytes(&self) -> usize {
        0
    }

    fn stage(self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        draft.require_sync();
        Ok(())
    }
}
