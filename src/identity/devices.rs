//! The devices of a user: listing, naming and revoking them, and whether one may still speak.

use super::{ATTEMPTS_MAX, Identity, contended, unauthenticated};
use crate::model::{CommandError, Device, DeviceId, DeviceName, Grant, Secret, Timestamp, UserId};
use crate::store::Directory;

/// Whether the device behind a grant may still speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum DeviceCheck {
    /// It may.
    Valid,
    /// It was signed out, revoked, or signed in again since; or it does not exist.
    Revoked,
}

impl<S: Directory> Identity<S> {
    /// Whom an access token speaks for: its signature, kind and expiry. Reads nothing: whether the
    /// device was revoked since is for [`Identity::check_device`] to say.
    ///
    /// `expired` if it was valid once, else `unauthenticated`.
    pub fn verify_access(&self, now: Timestamp, token: &Secret) -> Result<Grant, CommandError> {
        self.shared.tokens.check_access(now, token)
    }

    /// Whether the device behind a grant may still speak, as the store knows it.
    pub async fn device_status(&self, grant: &Grant) -> Result<DeviceCheck, CommandError> {
        let record = self.store.device(grant.actor.device).await?;
        let valid = record.is_some_and(|record| {
            record.user == grant.actor.user
                && record.family == grant.family
                && record.revoked_at.is_none()
        });
        Ok(if valid { DeviceCheck::Valid } else { DeviceCheck::Revoked })
    }

    /// Refuses a grant whose device may no longer speak.
    ///
    /// `unauthenticated` if it was revoked; the refusal of the store if that is not known.
    pub async fn check_device(&self, grant: &Grant) -> Result<(), CommandError> {
        match self.device_status(grant).await? {
            DeviceCheck::Valid => Ok(()),
            DeviceCheck::Revoked => Err(unauthenticated("the device has been signed out")),
        }
    }

    /// Revokes a device of `user`: its tokens are dead from now on. The record as it is now, or
    /// `None` if it was revoked already, be it by an earlier call whose outcome was unknown: its live
    /// connections are to be closed either way.
    ///
    /// `not-found` if it is not the user's.
    pub async fn revoke(
        &self,
        now: Timestamp,
        user: UserId,
        device: DeviceId,
    ) -> Result<Option<Device>, CommandError> {
        let change = |record: &mut Device| {
            let current = record.revoked_at.is_none();
            record.revoked_at = record.revoked_at.or(Some(now));
            current
        };
        let (record, changed) = self.change_device(user, device, change).await?;
        Ok(changed.then_some(record))
    }

    /// Renames a device of `user`.
    ///
    /// `not-found` if it is not the user's or has been revoked.
    pub async fn rename_device(
        &self,
        user: UserId,
        device: DeviceId,
        name: DeviceName,
    ) -> Result<(), CommandError> {
        let change = |record: &mut Device| {
            let differs = record.revoked_at.is_none() && record.name != name;
            if differs {
                record.name = name.clone();
            }
            differs
        };
        let (record, _) = self.change_device(user, device, change).await?;
        if record.revoked_at.is_some() { Err(no_such_device()) } else { Ok(()) }
    }

    /// The devices of a user that are not revoked, in the order of their ids.
    pub async fn devices(&self, user: UserId) -> Result<Vec<Device>, CommandError> {
        let mut devices = self.store.devices(user).await?;
        devices.retain(|device| device.revoked_at.is_none());
        Ok(devices)
    }

    /// Changes the record of a device of `user` if `change` says so, again with the new record
    /// where another writer came first. The record as it is stored now, and whether it was changed.
    pub(super) async fn change_device(
        &self,
        user: UserId,
        device: DeviceId,
        change: impl Fn(&mut Device) -> bool,
    ) -> Result<(Device, bool), CommandError> {
        for _ in 0..ATTEMPTS_MAX {
            let record = self.store.device(device).await?;
            let Some(mut record) = record.filter(|record| record.user == user) else {
                return Err(no_such_device());
            };
            if !change(&mut record) {
                return Ok((record, false));
            }
            if self.store.update_device(record.clone()).await? {
                record.version = record.version.saturating_add(1);
                return Ok((record, true));
            }
        }
        Err(contended())
    }
}

fn no_such_device() -> CommandError {
    CommandError::not_found("no such device of yours")
}
