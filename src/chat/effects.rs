//! What follows from stored entries: membership, settings and contact rows, and the read cursors of
//! those who join.
//!
//! The append is the commit point; what follows is written after it, may be written again, and is
//! finished on the next load if a crash came between.

use super::Chat;
use super::owner::{Owner, ascending};
use crate::model::{
    Contact, Content, Cursor, CursorAdvance, Entry, MemberChange, Membership, Sequence, Settings,
};
use crate::store::{Effect, Pending, Store, StoreError};
use std::rc::Rc;

/// What follows from stored entries and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    effects: Vec<Effect>,
    joins: Vec<CursorAdvance>,
    /// Whether the store marks the conversation as pending even without effects.
    marked: bool,
}

impl Unwritten {
    pub(super) fn extend(&mut self, other: Self) {
        self.effects.extend(other.effects);
        self.joins.extend(other.joins);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.effects.is_empty() && !self.marked
    }
}

/// Whether something beyond the log follows from an entry.
pub(super) fn has_effects(entry: &Entry) -> bool {
    matches!(
        entry.content,
        Content::Member { .. } | Content::Settings { .. } | Content::Contact { .. }
    )
}

/// Whoever joins has read everything before.
fn join_cursor(row: &Membership, entry: &Entry) -> Option<CursorAdvance> {
    let added = matches!(entry.content, Content::Member { change: MemberChange::Added, .. });
    let joined = added && row.is_current() && row.set_by == entry.sequence;
    let cursor = Cursor {
        delivered: Sequence::ZERO,
        read: entry.sequence.minus(1),
        read_ordinal: entry.ordinal,
        changed_at: entry.sent_at,
    };
    joined.then_some(CursorAdvance { user: row.user, conversation: row.conversation, cursor })
}

impl<T> Owner<T> {
    /// Folds what an entry changes beyond the log itself; what follows from it.
    pub(super) fn fold_state(&mut self, entry: &Entry) -> Unwritten {
        let mut follows = Unwritten::default();
        match &entry.content {
            Content::Member { .. } => {
                let rows = Rc::make_mut(&mut self.members).fold(entry);
                follows.joins.extend(rows.iter().filter_map(|row| join_cursor(row, entry)));
                follows.effects.extend(rows.into_iter().map(Effect::Membership));
                follows.effects.extend(self.set(entry, |_| {}));
            }
            Content::Settings { title, picture } => {
                follows.effects.extend(self.set(entry, |settings| {
                    settings.title = title.clone().or(settings.title.take());
                    settings.picture = picture.or(settings.picture);
                }));
            }
            Content::Contact { user, state } => {
                follows.effects.extend(entry.sender.map(|owner| {
                    Effect::Contact(Contact {
                        owner,
                        peer: *user,
                        state: *state,
                        set_by: entry.sequence,
                        changed_at: entry.sent_at,
                    })
                }));
            }
            Content::Message(_)
            | Content::Edit { .. }
            | Content::Unsend { .. }
            | Content::Reaction { .. }
            | Content::Pin { .. }
            | Content::Device { .. }
            | Content::Opaque { .. } => {}
        }
        follows
    }

    /// Changes the settings as an entry says, unless they are newer than it.
    fn set(&mut self, entry: &Entry, change: impl FnOnce(&mut Settings)) -> Option<Effect> {
        if entry.sequence <= self.settings.set_by {
            return None;
        }
        let settings = Rc::make_mut(&mut self.settings);
        change(settings);
        settings.member_count = self.members.current().len().try_into().unwrap_or(u64::MAX);
        settings.set_by = entry.sequence;
        settings.changed_at = entry.sent_at;
        Some(Effect::Settings(self.conversation.id, settings.clone()))
    }

    /// Finishes the effects that a crash may have left unwritten.
    pub(super) async fn recover<S: Store>(
        &mut self,
        chat: &Chat<S>,
        pending: Pending,
    ) -> Result<(), StoreError> {
        let mut from = pending.from;
        while from <= self.head.sequence {
            let range = ascending(from, self.head.sequence);
            let entries = chat.store.entries(self.conversation.id, range).await?;
            let Some(last) = entries.last() else { break };
            from = last.sequence.next();
            for entry in &entries {
                let follows = self.fold_state(entry);
                self.unwritten.extend(follows);
            }
        }
        self.unwritten.marked = true;
        self.write_effects(chat).await;
        Ok(())
    }

    /// Writes what follows from stored entries, and takes the pending mark off. What fails is kept
    /// for the next time; the mark makes sure that a crash does not lose it.
    pub(super) async fn write_effects<S: Store>(&mut self, chat: &Chat<S>) {
        let Unwritten { effects, joins, marked } = &self.unwritten;
        if effects.is_empty() && !marked {
            return;
        }
        let written = async {
            // Before the effects, so that they are durable with them at the latest.
            chat.store.advance_cursors(joins.clone()).await?;
            chat.store.apply_effects(effects.clone()).await?;
            chat.store.settle(self.conversation.id, self.head.sequence).await
        };
        match written.await {
            Ok(()) => self.unwritten = Unwritten::default(),
            Err(error) => {
                tracing::warn!(%error, chat = %self.conversation.id, "effects not written yet");
            }
        }
    }
}
