//! Creating accounts and signing devices in.

use super::passwords::UNUSABLE;
use super::tokens::Place;
use super::{ATTEMPTS_MAX, Identity, contended, internal, random_id, unauthenticated};
use crate::model::{
    Account, Actor, CommandError, Device, DeviceId, DeviceName, DisplayName, ErrorCode, Grant,
    Password, PasswordHash, Profile, SignedIn, Timestamp, UserId, Username,
};
use crate::store::{AccountInsert, Directory, StoreError};
use std::time::Duration;

/// How often an insert of unknown outcome is tried again: each try may take as long as a store can
/// stay silent, and somebody waits.
const DOUBTS_MAX: usize = 2;

/// What a new account begins with.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The unique name.
    pub username: Username,
    /// The password.
    pub password: Password,
    /// The name for people; the user name where absent.
    pub display_name: Option<DisplayName>,
    /// What its first device calls itself.
    pub device_name: DeviceName,
}

/// A sign-in with a password.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The unique name.
    pub username: Username,
    /// The password.
    pub password: Password,
    /// What the device calls itself.
    pub device_name: DeviceName,
    /// Re-enters this device of one's own instead of adding one.
    pub device: Option<DeviceId>,
}

impl<S: Directory> Identity<S> {
    /// Creates an account and signs its first device in.
    ///
    /// `conflict` if the name is taken.
    pub async fn register(
        &self,
        now: Timestamp,
        registration: Registration,
    ) -> Result<(SignedIn, Device), CommandError> {
        let Registration { username, password, display_name, device_name } = registration;
        let user = self.create_account(now, username, password, display_name).await?;
        let device = self.add_device(now, user, device_name).await?;
        Ok((self.tokens_of(now, self.shared.access_token_life, &device)?, device))
    }

    /// Creates an account without a device.
    ///
    /// `conflict` if the name is taken.
    pub async fn create_account(
        &self,
        now: Timestamp,
        username: Username,
        password: Password,
        display_name: Option<DisplayName>,
    ) -> Result<UserId, CommandError> {
        // Spares the hash where the answer is plain; the insert decides.
        if self.store.account_by_name(&username).await?.is_some() {
            return Err(name_taken());
        }
        let password = self.shared.passwords.hash(password).await?;
        self.insert_account(now, username, password, display_name).await
    }

    /// Signs a device in: a new one, or one of the user's own again, whose earlier tokens end.
    ///
    /// `unauthenticated` alike for an unknown name and a wrong password; `not-found` if the device
    /// to re-enter is not the user's.
    pub async fn login(
        &self,
        now: Timestamp,
        sign_in: SignIn,
    ) -> Result<(SignedIn, Device), CommandError> {
        let SignIn { username, password, device_name, device } = sign_in;
        let account = self.store.account_by_name(&username).await?;
        let (user, stored) =
            account.map_or((None, None), |account| (Some(account.user), Some(account.password)));
        let matches = self.shared.passwords.verify(password, stored).await?;
        let Some(user) = user.filter(|_| matches) else {
            return Err(unauthenticated("the user name or the password is wrong"));
        };
        let device = match device {
            Some(device) => self.re_enter(user, device, device_name).await?,
            None => self.add_device(now, user, device_name).await?,
        };
        Ok((self.tokens_of(now, self.shared.access_token_life, &device)?, device))
    }

    /// Creates an account whose only way in are the tokens returned: no password ever matches, and
    /// none has been hashed. Its access token is valid for `life`. For load tests and other
    /// machines.
    ///
    /// `conflict` if the name is taken.
    pub async fn enrol(
        &self,
        now: Timestamp,
        username: Username,
        device_name: DeviceName,
        life: Duration,
    ) -> Result<(SignedIn, Device), CommandError> {
        let unusable = PasswordHash::new(UNUSABLE);
        let user = self.insert_account(now, username, unusable, None).await?;
        let device = self.add_device(now, user, device_name).await?;
        Ok((self.tokens_of(now, life, &device)?, device))
    }

    /// Tokens for where a device stands now, the access token valid for `life`.
    pub(super) fn tokens_of(
        &self,
        now: Timestamp,
        life: Duration,
        device: &Device,
    ) -> Result<SignedIn, CommandError> {
        let actor = Actor { user: device.user, device: device.device };
        let grant = Grant { actor, family: device.family };
        let place = Place { actor, family: device.family, generation: device.generation };
        Ok(SignedIn {
            actor,
            access_token: self.shared.tokens.issue_access(now, life, grant)?,
            expires_in: life,
            refresh_token: self.shared.tokens.issue_refresh(place)?,
        })
    }

    /// Stores a new account under an id of its own; the id. Where the store did not say what became
    /// of it, the same account is tried again: its name may then be taken by itself.
    async fn insert_account(
        &self,
        now: Timestamp,
        username: Username,
        password: PasswordHash,
        display_name: Option<DisplayName>,
    ) -> Result<UserId, CommandError> {
        let display_name = display_name
            .or_else(|| DisplayName::new(username.as_str()))
            .ok_or_else(|| internal("the user name is no display name"))?;
        let profile = Profile { display_name, ..Profile::default() };
        let user = random_id(UserId::from_random)?;
        let mut account = Account { user, username, password, profile, created_at: now };
        let mut doubts = 0;
        for _ in 0..ATTEMPTS_MAX {
            match self.store.insert_account(account.clone()).await {
                Ok(AccountInsert::Inserted) => return Ok(account.user),
                Ok(AccountInsert::NameTaken) if doubts > 0 && self.is_stored(&account).await? => {
                    return Ok(account.user);
                }
                Ok(AccountInsert::NameTaken) => return Err(name_taken()),
                // Not by itself: then its name would be taken, too.
                Ok(AccountInsert::IdTaken) => account.user = random_id(UserId::from_random)?,
                Err(StoreError::Unknown) if doubts < DOUBTS_MAX => doubts += 1,
                Err(_) if doubts > 0 => return Err(CommandError::outcome_unknown()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(contended())
    }

    /// Whether it is this account that has its name. The id tells: it was drawn for it alone.
    async fn is_stored(&self, account: &Account) -> Result<bool, CommandError> {
        let holder = self.store.account_by_name(&account.username).await;
        match holder {
            Ok(holder) => Ok(holder.is_some_and(|holder| holder.user == account.user)),
            Err(_) => Err(CommandError::outcome_unknown()),
        }
    }

    async fn add_device(
        &self,
        now: Timestamp,
        user: UserId,
        name: DeviceName,
    ) -> Result<Device, CommandError> {
        for _ in 0..ATTEMPTS_MAX {
            let device = Device {
                device: random_id(DeviceId::from_random)?,
                user,
                name: name.clone(),
                created_at: now,
                family: 1,
                generation: 1,
                revoked_at: None,
                version: 0,
            };
            if self.store.insert_device(device.clone()).await? {
                return Ok(device);
            }
        }
        Err(contended())
    }

    async fn re_enter(
        &self,
        user: UserId,
        device: DeviceId,
        name: DeviceName,
    ) -> Result<Device, CommandError> {
        self.change_device(user, device, |record| {
            record.family = record.family.saturating_add(1);
            record.generation = 1;
            record.revoked_at = None;
            record.name = name.clone();
            true
        })
        .await
        .map(|(record, _)| record)
    }
}

fn name_taken() -> CommandError {
    CommandError::new(ErrorCode::Conflict, "that user name is taken")
}
