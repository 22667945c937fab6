//! A user's conversations as they see them: what the chat list and SYNC are made of.

use super::view::{peer_of, unknown_chat};
use super::{Chat, View};
use crate::model::{
    self, Actor, CommandError, Content, Conversation, ConversationId, Cursor, Entry, Head,
    Membership, Outcome, Settings, Timestamp, UserId,
};
use crate::store::{Store, StoreError};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashMap;

/// How many conversations are read at once where several are shown: several reads each, which a
/// database answers after a way through the network.
pub(super) const SHOWN_AT_ONCE: usize = 16;

/// One conversation of a user, before anything is read about it that is not in one of the user's
/// own rows.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) membership: Membership,
    /// The end of the log, not cut to what the user may see.
    head: Head,
    pub(super) cursor: Cursor,
}

impl Listed {
    pub(super) fn id(&self) -> ConversationId {
        self.membership.conversation
    }

    /// When something was last said in it, by which lists are ordered.
    pub(super) fn active_at(&self) -> Timestamp {
        if self.membership.is_current() {
            self.head.sent_at.max(self.membership.changed_at)
        } else {
            self.membership.changed_at
        }
    }

    /// When anything last changed for this user.
    pub(super) fn changed_at(&self) -> Timestamp {
        self.active_at().max(self.cursor.changed_at)
    }

    /// What newest-first lists are sorted by, the first last.
    pub(super) fn rank(&self) -> (Timestamp, ConversationId) {
        (self.active_at(), self.id())
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }
}

impl<S: Store> Chat<S> {
    /// All conversations that a user ever belonged to, but those that are damaged: they must not keep
    /// the user from the others.
    pub(super) async fn survey(&self, user: UserId) -> Result<Vec<Listed>, StoreError> {
        let memberships = self.store.memberships(user).await?;
        let ids: Vec<ConversationId> = memberships.iter().map(|row| row.conversation).collect();
        let heads = self.sound_heads(ids).await?;
        let cursors: HashMap<_, _, ahash::RandomState> =
            self.store.cursors(user).await?.into_iter().collect();
        let listed = memberships.into_iter().zip(heads).filter_map(|(membership, head)| {
            let id = membership.conversation;
            let mut cursor = cursors.get(&id).copied().unwrap_or_default();
            self.cursors.overlay(user, id, &mut cursor);
            Some(Listed { membership, head: head?, cursor })
        });
        Ok(listed.collect())
    }

    /// The heads of several logs in one read; one by one only if one of them is damaged, which has
    /// none then.
    async fn sound_heads(&self, ids: Vec<ConversationId>) -> Result<Vec<Option<Head>>, StoreError> {
        match self.store.heads(ids.clone()).await {
            Ok(heads) => return Ok(heads.into_iter().map(Some).collect()),
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
        let mut heads = Vec::with_capacity(ids.len());
        for id in ids {
            heads.push(unless_damaged(id, self.store.head(id).await)?);
        }
        Ok(heads)
    }

    /// Reads what a listed conversation shows; `None` if it is damaged, or its record is missing as
    /// after a crash between a claim and what follows from it.
    pub(super) async fn show(&self, listed: &Listed) -> Result<Option<model::Chat>, StoreError> {
        let shown = async {
            match self.store.conversation(listed.id()).await? {
                Some((conversation, settings)) => {
                    self.compose(conversation, settings, listed).await.map(Some)
                }
                None => Ok(None),
            }
        };
        Ok(unless_damaged(listed.id(), shown.await)?.flatten())
    }

    async fn compose(
        &self,
        conversation: Conversation,
        settings: Settings,
        listed: &Listed,
    ) -> Result<model::Chat, StoreError> {
        let Listed { membership, head, cursor } = listed;
        let visible = membership.visible_head(head.sequence);
        let last = self.entry_at(conversation.id, visible).await?;
        let peer = match peer_of(&conversation, membership.user) {
            Some(peer) => Some((peer, self.cursor_of(peer, conversation.id).await?)),
            None => None,
        };
        let member_count = match conversation.claim {
            model::Claim::Journal(_) => 1,
            model::Claim::Direct(..) => 2,
            model::Claim::Group(..) => settings.member_count,
        };
        Ok(model::Chat {
            head: last.as_ref().map_or(Head::default(), Head::from),
            last_entry: last.map(|entry| preview(entry, self.settings.preview_bytes_max)),
            first_visible: membership.first_visible(),
            left: !membership.is_current(),
            conversation,
            settings,
            cursor: *cursor,
            peer,
            member_count,
        })
    }

    /// One conversation as a user sees it.
    pub async fn chat(&self, view: &View, actor: Actor) -> Result<model::Chat, CommandError> {
        let membership = view.membership(actor)?.clone();
        let cursor = self.cursor_of(actor.user, view.conversation.id).await?;
        let listed = Listed { membership, head: view.head, cursor };
        Ok(self.compose(view.conversation, (*view.settings).clone(), &listed).await?)
    }

    /// A page of a user's current conversations, the last active first.
    pub async fn chats(
        &self,
        actor: Actor,
        cursor: Option<(Timestamp, ConversationId)>,
        limit: usize,
    ) -> Result<Outcome, CommandError> {
        let mut listed = self.survey(actor.user).await?;
        listed.retain(|l| {
            l.membership.is_current() && cursor.is_none_or(|reached| l.rank() < reached)
        });
        listed.sort_unstable_by_key(|l| std::cmp::Reverse(l.rank()));
        let more = listed.len() > limit;
        listed.truncate(limit);
        let next = listed.last().filter(|_| more).map(Listed::rank);
        let mut chats = Vec::with_capacity(listed.len());
        let mut shown = stream::iter(&listed).map(|l| self.show(l)).buffered(SHOWN_AT_ONCE);
        while let Some(shown) = shown.try_next().await? {
            chats.extend(shown);
        }
        Ok(Outcome::Chats { chats, next })
    }

    /// The members of a conversation with their cursors.
    pub async fn members(&self, view: &View, actor: Actor) -> Result<Outcome, CommandError> {
        if !view.membership(actor)?.is_current() {
            return Err(unknown_chat());
        }
        let mut members = Vec::with_capacity(view.current().len());
        for user in view.current().iter() {
            let Some(row) = view.members.get(*user) else { continue };
            let cursor = self.cursor_of(*user, view.conversation.id).await;
            members.push(model::MemberView {
                user: *user,
                role: row.role,
                joined: row.intervals.last().map_or(row.first_visible(), |i| i.from),
                cursor: cursor?,
            });
        }
        Ok(Outcome::Members(members))
    }
}

/// What was read of a conversation; `None` if it is damaged, which is logged.
pub(super) fn unless_damaged<T>(
    id: ConversationId,
    read: Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(StoreError::Corrupt { what }) => {
            tracing::error!(chat = %id, what, "damaged, and left out of a list");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The last entry as a list shows it: its text cut short.
fn preview(mut entry: Entry, bytes_max: usize) -> Entry {
    match &mut entry.content {
        Content::Message(message) => {
            message.text = message.text.truncated(bytes_max);
            message.attachments.truncate(1);
            message.mentions.clear();
        }
        Content::Edit { text, .. } | Content::Reaction { emoji: text, .. } => {
            *text = text.truncated(bytes_max);
        }
        Content::Opaque { body, attributes, .. } => {
            *body = body.get(..bytes_max).unwrap_or(body).into();
            attributes.clear();
        }
        Content::Member { users, .. } => users.truncate(bytes_max / 8),
        Content::Unsend { .. }
        | Content::Pin { .. }
        | Content::Settings { .. }
        | Content::Contact { .. }
        | Content::Device { .. } => {}
    }
    entry
}
