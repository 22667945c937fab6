//! How far users have come: READ, ACK, and what follows from sending.
//!
//! Cursors move often and cheaply: they are kept here until [`Chat::flush_cursors`] writes them,
//! many at a time. A crash takes back at most what was not flushed, and clients repeat it.

use super::{Chat, View};
use crate::model::{
    Actor, CommandError, ConversationId, Cursor, CursorAdvance, Sequence, Timestamp, UserId,
};
use crate::store::{Direction, Range, Store, StoreError};
use dashmap::DashMap;
use rustc_hash::FxBuildHasher;
use std::cell::RefCell;
use std::collections::HashMap;

/// Cursors that moved and are not written yet. All shards share it; no guard leaves this file.
#[derive(Debug, Default)]
pub(super) struct CursorTable {
    unwritten: DashMap<(UserId, ConversationId), Cursor, FxBuildHasher>,
}

impl CursorTable {
    /// Moves a cursor on.
    pub(super) fn advance(&self, advance: CursorAdvance) {
        let CursorAdvance { user, conversation, cursor } = advance;
        self.unwritten.entry((user, conversation)).or_default().merge(&cursor);
    }

    /// Adds to a stored cursor what is not written yet.
    pub(super) fn overlay(&self, user: UserId, conversation: ConversationId, stored: &mut Cursor) {
        if let Some(unwritten) = self.unwritten.get(&(user, conversation)) {
            stored.merge(&unwritten);
        }
    }

    fn collect(&self) -> Vec<CursorAdvance> {
        let advance = |(user, conversation): &(UserId, ConversationId), cursor: &Cursor| {
            CursorAdvance { user: *user, conversation: *conversation, cursor: *cursor }
        };
        self.unwritten.iter().map(|row| advance(row.key(), row.value())).collect()
    }

    /// Forgets what was written, unless it moved on meanwhile.
    fn forget(&self, written: &[CursorAdvance]) {
        for advance in written {
            let key = (advance.user, advance.conversation);
            self.unwritten.remove_if(&key, |_, cursor| *cursor == advance.cursor);
        }
        if self.unwritten.len() < self.unwritten.capacity() / 8 {
            self.unwritten.shrink_to_fit();
        }
    }
}

/// What a conversation's owner knows of its members' cursors, so that not every ACK reads the store.
/// A long poll moves cursors elsewhere, so what is known may be behind; it is never ahead.
#[derive(Debug, Default)]
pub(super) struct Known(RefCell<HashMap<UserId, Cursor, FxBuildHasher>>);

impl Known {
    fn get(&self, user: UserId) -> Option<Cursor> {
        self.0.borrow().get(&user).copied()
    }

    /// Takes a whole cursor.
    fn learn(&self, user: UserId, cursor: &Cursor) {
        self.0.borrow_mut().entry(user).or_default().merge(cursor);
    }

    /// Takes a part of a cursor, where the whole is known.
    pub(super) fn advance(&self, user: UserId, part: &Cursor) {
        if let Some(known) = self.0.borrow_mut().get_mut(&user) {
            known.merge(part);
        }
    }
}

/// A cursor that moved, and whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CursorMoved {
    /// Where.
    pub conversation: ConversationId,
    /// Whose.
    pub user: UserId,
    /// Where it stands now.
    pub cursor: Cursor,
    /// The user themselves and, in a direct chat, the other one.
    pub audience: Vec<UserId>,
}

impl<S: Store> Chat<S> {
    /// One user's cursor, with what is not written yet.
    pub(super) async fn cursor_of(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Cursor, StoreError> {
        let mut cursor = self.store.cursor(user, conversation).await?;
        self.cursors.overlay(user, conversation, &mut cursor);
        Ok(cursor)
    }

    /// One user's cursor as the owner of the conversation knows it, read if it does not.
    async fn known_cursor(&self, view: &View, user: UserId) -> Result<Cursor, StoreError> {
        let id = view.conversation.id;
        if let Some(mut cursor) = view.known.get(user) {
            self.cursors.overlay(user, id, &mut cursor);
            return Ok(cursor);
        }
        let cursor = self.cursor_of(user, id).await?;
        view.known.learn(user, &cursor);
        Ok(cursor)
    }

    /// The user has read everything up to `read`, which implies that it was delivered. Clamped to
    /// what they may see; `None` if nothing moved.
    pub async fn read(
        &self,
        view: &View,
        actor: Actor,
        now: Timestamp,
        read: Sequence,
    ) -> Result<Option<CursorMoved>, CommandError> {
        let membership = view.membership(actor)?;
        let read = read.min(view.visible_head(membership));
        let current = self.known_cursor(view, actor.user).await?;
        let mut reached = Cursor { delivered: read, changed_at: now, ..Cursor::default() };
        if read > current.read {
            reached.read = read;
            reached.read_ordinal = self.ordinal_at(view, read).await?;
        }
        Ok(self.reach(view, actor.user, current, reached))
    }

    /// A device of the user has stored everything up to `delivered`. Clamped to what they may see;
    /// large groups keep no such cursor.
    pub async fn delivered(
        &self,
        view: &View,
        actor: Actor,
        now: Timestamp,
        delivered: Sequence,
    ) -> Result<Option<CursorMoved>, CommandError> {
        let membership = view.membership(actor)?;
        if !view.is_small(self.settings.small_group_max) {
            return Ok(None);
        }
        let delivered = delivered.min(view.visible_head(membership));
        let current = self.known_cursor(view, actor.user).await?;
        let reached = Cursor { delivered, changed_at: now, ..Cursor::default() };
        Ok(self.reach(view, actor.user, current, reached))
    }

    /// Who hears of typing and the like: everyone in a conversation that is not too large.
    pub fn hears_ephemeral(&self, view: &View, actor: Actor) -> Result<Vec<UserId>, CommandError> {
        let belongs = view.membership(actor)?.is_current();
        let small = view.is_small(self.settings.small_group_max);
        Ok(if belongs && small { view.current().to_vec() } else { Vec::new() })
    }

    fn reach(
        &self,
        view: &View,
        user: UserId,
        current: Cursor,
        reached: Cursor,
    ) -> Option<CursorMoved> {
        if reached.delivered <= current.delivered && reached.read <= current.read {
            return None;
        }
        let conversation = view.conversation.id;
        self.cursors.advance(CursorAdvance { user, conversation, cursor: reached });
        let mut cursor = current;
        cursor.merge(&reached);
        view.known.learn(user, &cursor);
        let mut audience = vec![user];
        if let Some(peer) = view.peer_of(user) {
            // The other user's view of the chat changed: their SYNC lists it.
            let seen = Cursor { changed_at: reached.changed_at, ..Cursor::default() };
            self.cursors.advance(CursorAdvance { user: peer, conversation, cursor: seen });
            audience.push(peer);
        }
        Some(CursorMoved { conversation, user, cursor, audience })
    }

    async fn ordinal_at(
        &self,
        view: &View,
        sequence: Sequence,
    ) -> Result<crate::model::Ordinal, StoreError> {
        if sequence == view.head.sequence {
            return Ok(view.head.ordinal);
        }
        let entry = self.entry_at(view.conversation.id, sequence).await?;
        Ok(entry.map_or(crate::model::Ordinal::ZERO, |entry| entry.ordinal))
    }

    /// One entry of a log.
    pub(super) async fn entry_at(
        &self,
        conversation: ConversationId,
        sequence: Sequence,
    ) -> Result<Option<crate::model::Entry>, StoreError> {
        let direction = Direction::Ascending;
        let range = Range {
            from: sequence,
            to: sequence,
            direction,
            entries_max: 1,
            bytes_max: usize::MAX,
        };
        Ok(self.store.entries(conversation, range).await?.pop())
    }

    /// Writes the cursors that moved; how many. To be called every second or so.
    pub async fn flush_cursors(&self) -> Result<usize, StoreError> {
        let moved = self.cursors.collect();
        if moved.is_empty() {
            return Ok(0);
        }
        self.store.advance_cursors(moved.clone()).await?;
        self.cursors.forget(&moved);
        Ok(moved.len())
    }
}
