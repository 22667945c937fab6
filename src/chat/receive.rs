//! The long poll of simple clients: every entry that a device has not acknowledged, of all its
//! user's conversations.

use super::Chat;
use super::list::{Listed, unless_damaged};
use crate::model::{
    Actor, CommandError, ConversationId, Cursor, CursorAdvance, Device, Entry, Received, Sequence,
    Timestamp,
};
use crate::store::{Direction, Range, Store, StoreError};
use std::collections::HashMap;

impl<S: Store> Chat<S> {
    /// Acknowledges what a device has stored, durably. What is not its user's is ignored, what lies
    /// above the visible head is cut to it.
    pub async fn acknowledge(
        &self,
        actor: Actor,
        now: Timestamp,
        acks: &[(ConversationId, Sequence)],
    ) -> Result<(), CommandError> {
        if acks.is_empty() {
            return Ok(());
        }
        let mut reached = Vec::with_capacity(acks.len());
        for (conversation, delivered) in acks {
            let row = self.store.membership(actor.user, *conversation).await;
            let Some(row) = row? else { continue };
            let head = self.store.head(*conversation).await?;
            let delivered = (*delivered).min(row.visible_head(head.sequence));
            reached.push((*conversation, delivered));
            let cursor = Cursor { delivered, changed_at: now, ..Cursor::default() };
            let user = actor.user;
            self.cursors.advance(CursorAdvance { user, conversation: *conversation, cursor });
        }
        Ok(self.store.advance_device_cursors(actor.device, reached).await?)
    }

    /// The entries that a device has not acknowledged, ascending in each conversation.
    pub async fn unacknowledged(
        &self,
        actor: Actor,
        limit: usize,
    ) -> Result<Received, CommandError> {
        Ok(self.collect(actor, limit).await?)
    }

    async fn collect(&self, actor: Actor, limit: usize) -> Result<Received, StoreError> {
        let Some(device) = self.store.device(actor.device).await? else {
            return Ok(Received::default());
        };
        let cursors: HashMap<_, _, ahash::RandomState> =
            self.store.device_cursors(actor.device).await?.into_iter().collect();
        let mut received = Received::default();
        for listed in self.survey(actor.user).await? {
            let cursor = cursors.get(&listed.id()).copied();
            let read = self.collect_from(&device, &listed, cursor, (limit, &mut received)).await;
            unless_damaged(listed.id(), read)?;
            if received.more {
                break;
            }
        }
        Ok(received)
    }

    /// Adds what a device has not acknowledged of one conversation.
    async fn collect_from(
        &self,
        device: &Device,
        listed: &Listed,
        cursor: Option<Sequence>,
        (limit, received): (usize, &mut Received),
    ) -> Result<(), StoreError> {
        let Some(from) = self.first_unseen(device, listed, cursor).await? else { return Ok(()) };
        let to = listed.membership.visible_head(listed.head().sequence);
        for part in listed.membership.visible(from, to) {
            let left = limit.saturating_sub(received.entries.len());
            if left == 0 {
                received.more = true;
                break;
            }
            let (entries, more) = self.read_some(listed, part.from, to, left).await?;
            received.more |= more;
            received.entries.extend(entries.into_iter().map(|e| (listed.id(), e)));
            if more {
                break;
            }
        }
        Ok(())
    }

    async fn read_some(
        &self,
        listed: &Listed,
        from: Sequence,
        to: Sequence,
        limit: usize,
    ) -> Result<(Vec<Entry>, bool), StoreError> {
        let direction = Direction::Ascending;
        let bytes_max = self.settings.page_bytes_max;
        let range = Range { from, to, direction, entries_max: limit, bytes_max };
        let mut entries = self.store.entries(listed.id(), range).await?;
        entries.retain(|entry| listed.membership.sees(entry.sequence));
        let more = entries.last().is_none_or(|last| last.sequence < to);
        Ok((entries, more))
    }

    /// Where a device reads on; `None` if it has seen everything. Without a cursor it begins with
    /// what was sent since the device was signed in.
    async fn first_unseen(
        &self,
        device: &Device,
        listed: &Listed,
        cursor: Option<Sequence>,
    ) -> Result<Option<Sequence>, StoreError> {
        let head = listed.membership.visible_head(listed.head().sequence);
        let from = match cursor {
            Some(cursor) => cursor.next(),
            None if listed.head().sent_at < device.created_at => return Ok(None),
            None => self.first_since(listed.id(), head, device.created_at).await?,
        };
        Ok((from <= head).then_some(from))
    }

    /// The first sequence up to `head` that was sent at `since` or later; after `head` if none was.
    /// Times never fall along a log, so halving finds it.
    async fn first_since(
        &self,
        conversation: ConversationId,
        head: Sequence,
        since: Timestamp,
    ) -> Result<Sequence, StoreError> {
        let (mut low, mut high) = (Sequence::FIRST, head.next());
        while low < high {
            let middle = low.plus(high.since(low) / 2);
            let entry = self.entry_at(conversation, middle).await?;
            let entry = entry.ok_or(StoreError::Corrupt { what: "log" })?;
            if entry.sent_at < since {
                low = middle.next();
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}
