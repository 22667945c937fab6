//! What the owner of a conversation knows about it, published after every change for those who only
//! read. Nothing above [`View::head`] is served, so no reader is ahead of the membership.

use super::cursors::Known;
use super::members::Members;
use crate::model::{
    Actor, CommandError, Conversation, ConversationKind, Head, Membership, Sequence, Settings,
    UserId,
};
use std::rc::Rc;

/// A consistent moment of one conversation.
#[derive(Clone, Debug)]
pub struct View {
    pub(super) conversation: Conversation,
    pub(super) settings: Rc<Settings>,
    pub(super) members: Rc<Members>,
    pub(super) head: Head,
    /// How far its members are known to have come.
    pub(super) known: Rc<Known>,
}

impl View {
    /// The conversation's record.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// Where the log ends.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Whether a user had some relation to the conversation, and it had an entry, when this was seen:
    /// then what the user says of that entry can be judged by it.
    pub fn covers(&self, actor: Actor, sequence: Sequence) -> bool {
        sequence <= self.head.sequence && self.members.get(actor.user).is_some()
    }

    /// Those who belong to it now, ascending.
    pub fn current(&self) -> &Rc<[UserId]> {
        self.members.current()
    }

    /// The relation of a user to the conversation. To whoever never belonged to it, it does not
    /// exist.
    pub(super) fn membership(&self, actor: Actor) -> Result<&Membership, CommandError> {
        self.members.get(actor.user).ok_or_else(unknown_chat)
    }

    /// The last sequence that a user may see.
    pub(super) fn visible_head(&self, membership: &Membership) -> Sequence {
        membership.visible_head(self.head.sequence)
    }

    /// The other user of a direct chat.
    pub fn peer_of(&self, user: UserId) -> Option<UserId> {
        peer_of(&self.conversation, user)
    }

    /// Whether members have delivered cursors and see each other typing.
    pub(super) fn is_small(&self, small_group_max: usize) -> bool {
        self.conversation.kind() != ConversationKind::Group
            || self.current().len() <= small_group_max
    }
}

/// The other user of a direct chat; none in other conversations.
pub(super) fn peer_of(conversation: &Conversation, user: UserId) -> Option<UserId> {
    match conversation.claim {
        crate::model::Claim::Direct(one, other) if one == user => Some(other),
        crate::model::Claim::Direct(one, _) => Some(one),
        crate::model::Claim::Journal(_) | crate::model::Claim::Group(..) => None,
    }
}

/// What anyone is told about a conversation that is not theirs to see.
pub(super) fn unknown_chat() -> CommandError {
    CommandError::not_found("no such chat")
}
