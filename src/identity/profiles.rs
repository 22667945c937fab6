//! What users show of themselves, and finding them.

use super::Identity;
use crate::model::{CommandError, ErrorCode, ProfileChange, UserId, UserView, Username};
use crate::store::Directory;

/// The most users that one look-up may ask for.
const USERS_MAX: usize = 100;

impl<S: Directory> Identity<S> {
    /// A user as others see them.
    ///
    /// `not-found` if there is none.
    pub async fn profile(&self, user: UserId) -> Result<UserView, CommandError> {
        let account = self.store.account(user).await?;
        account.map(UserView::from).ok_or_else(no_such_user)
    }

    /// Changes what a user shows; of two changes at the same time the later wins as a whole.
    ///
    /// `invalid` if `about` is too long; `not-found` if there is no such user.
    pub async fn update_profile(
        &self,
        user: UserId,
        change: ProfileChange,
    ) -> Result<UserView, CommandError> {
        let ProfileChange { display_name, about, avatar } = change;
        let long = |about: &String| about.chars().count() > ProfileChange::ABOUT_CHARACTERS_MAX;
        if about.as_ref().is_some_and(long) {
            return Err(CommandError::new(ErrorCode::Invalid, "about: at most 500 characters"));
        }
        let mut view = self.profile(user).await?;
        let before = view.profile.clone();
        let profile = &mut view.profile;
        profile.display_name = display_name.unwrap_or_else(|| before.display_name.clone());
        profile.about = about.unwrap_or_else(|| before.about.clone());
        profile.avatar = avatar.unwrap_or(before.avatar);
        if *profile != before {
            self.store.put_profile(user, profile.clone()).await?;
        }
        Ok(view)
    }

    /// A user by exact name.
    ///
    /// `not-found` if there is none.
    pub async fn user_by_name(&self, username: &Username) -> Result<UserView, CommandError> {
        let account = self.store.account_by_name(username).await?;
        account.map(UserView::from).ok_or_else(no_such_user)
    }

    /// Users by id, in the order asked for; unknown ones are left out.
    ///
    /// `invalid` if more than 100 are asked for.
    pub async fn users_by_id(&self, users: &[UserId]) -> Result<Vec<UserView>, CommandError> {
        if users.len() > USERS_MAX {
            return Err(CommandError::new(ErrorCode::Invalid, "ids: at most 100"));
        }
        let mut found = Vec::with_capacity(users.len());
        for user in users {
            found.extend(self.store.account(*user).await?.map(UserView::from));
        }
        Ok(found)
    }
}

fn no_such_user() -> CommandError {
    CommandError::not_found("no such user")
}
