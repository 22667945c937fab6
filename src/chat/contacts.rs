//! The contact list: each change is an entry of the owner's journal, the rows follow from it.

use super::Chat;
use crate::model::{
    Actor, CommandError, Contact, ContactState, Content, ErrorCode, Outcome, UserId,
};
use crate::store::Store;

impl<S: Store> Chat<S> {
    /// A page of the contact list, by user id, after `after`.
    pub async fn contacts(
        &self,
        actor: Actor,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Outcome, CommandError> {
        let mut contacts: Vec<Contact> = Vec::new();
        let mut reached = after;
        while contacts.len() < limit {
            let rows = self.store.contacts(actor.user, reached, limit).await;
            let rows = rows?;
            let Some(last) = rows.last() else { break };
            reached = Some(last.peer);
            contacts.extend(rows.into_iter().filter(|row| row.state != ContactState::None));
        }
        contacts.truncate(limit);
        Ok(Outcome::Contacts(contacts))
    }

    /// The journal entry that brings a contact to `state`; `None` if it stands so already.
    pub async fn contact_change(
        &self,
        actor: Actor,
        user: UserId,
        state: ContactState,
    ) -> Result<Option<Content>, CommandError> {
        if user == actor.user {
            return Err(CommandError::new(ErrorCode::Invalid, "user: that is yourself"));
        }
        let known = self.contact(actor, user).await?.map_or(ContactState::None, |row| row.state);
        if known == state {
            return Ok(None);
        }
        if state != ContactState::None {
            self.check_users(&[user]).await?;
        }
        Ok(Some(Content::Contact { user, state }))
    }

    /// One contact of a user.
    pub async fn contact(
        &self,
        actor: Actor,
        user: UserId,
    ) -> Result<Option<Contact>, CommandError> {
        Ok(self.store.contact(actor.user, user).await?)
    }
}
