//! How conversations come to be. The claim comes first: whoever finds a claim whose conversation is
//! not complete completes it, so a crash in between leaves nothing half done for good.

use super::{Chat, draw};
use crate::model::{
    Actor, Claim, ClientMessageId, CommandError, Conversation, ConversationId, ErrorCode,
    Membership, Timestamp, UserId,
};
use crate::store::{Claimed, Effect, Store, StoreError};

/// How often a conversation id is drawn anew: two in 2^53 are alike next to never.
const DRAWS_MAX: usize = 4;

impl<S: Store> Chat<S> {
    /// Finds or claims the journal of a user.
    pub async fn journal(
        &self,
        user: UserId,
        now: Timestamp,
    ) -> Result<ConversationId, CommandError> {
        let (conversation, _) = self.claim(Claim::Journal(user), now).await?;
        self.enroll(conversation, &[user]).await?;
        Ok(conversation.id)
    }

    /// Finds or claims the direct chat of two users; whether it is new.
    pub async fn direct(
        &self,
        actor: Actor,
        user: UserId,
        now: Timestamp,
    ) -> Result<(ConversationId, bool), CommandError> {
        let claim = Claim::direct(actor.user, user).ok_or_else(|| {
            CommandError::new(ErrorCode::Invalid, "user: a direct chat is with somebody else")
        })?;
        self.check_users(&[user]).await?;
        let (conversation, created) = self.claim(claim, now).await?;
        let both = [actor.user, user];
        self.enroll(conversation, &both).await?;
        Ok((conversation.id, created))
    }

    /// Finds or claims the group that a user created under `client_id`, and checks who is to belong
    /// to it. Its beginning is an append like any other.
    pub async fn group(
        &self,
        actor: Actor,
        members: &[UserId],
        client_id: ClientMessageId,
        now: Timestamp,
    ) -> Result<(ConversationId, bool, Vec<UserId>), CommandError> {
        let mut members = [members, &[actor.user]].concat();
        members.sort_unstable();
        members.dedup();
        if members.len() > self.settings.members_max {
            return Err(CommandError::new(ErrorCode::TooLarge, "members: too many"));
        }
        self.check_users(&members).await?;
        let (conversation, created) = self.claim(Claim::Group(actor.user, client_id), now).await?;
        Ok((conversation.id, created, members))
    }

    /// Refuses unless all of these accounts exist.
    pub async fn check_users(&self, users: &[UserId]) -> Result<(), CommandError> {
        for user in users {
            let account = self.store.account(*user).await?;
            if account.is_none() {
                return Err(CommandError::not_found("no such user"));
            }
        }
        Ok(())
    }

    async fn claim(
        &self,
        claim: Claim,
        now: Timestamp,
    ) -> Result<(Conversation, bool), CommandError> {
        let known = self.store.claimed(claim).await?;
        if let Some(known) = known {
            return Ok((known, false));
        }
        for _ in 0..DRAWS_MAX {
            let id = draw(ConversationId::from_random)?;
            let conversation = Conversation { id, claim, created_at: now };
            match self.store.claim(conversation).await? {
                Claimed::Created => return Ok((conversation, true)),
                Claimed::Exists(known) => return Ok((known, false)),
                Claimed::IdTaken => {}
            }
        }
        Err(CommandError::new(ErrorCode::Internal, "no free conversation id"))
    }

    /// Writes the membership rows that follow from a claim, where they are missing. Asks for those of
    /// the conversation, which are there only once those of its users are.
    async fn enroll(&self, conversation: Conversation, users: &[UserId]) -> Result<(), StoreError> {
        let enrolled = self.store.members(conversation.id).await?;
        let is_missing = |user: &&UserId| enrolled.iter().all(|row| row.user != **user);
        let row = |user: &UserId| {
            Effect::Membership(Membership::by_claim(
                conversation.id,
                *user,
                conversation.created_at,
            ))
        };
        let missing: Vec<_> = users.iter().filter(is_missing).map(row).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.store.apply_effects(missing).await
    }
}
