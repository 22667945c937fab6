//! Exchanging a refresh token.
//!
//! A device's record holds the generation of the newest refresh token that was issued. What a
//! genuine token of the current family leads to, by the generation it presents:
//!
//! ```text
//! presented          stored g becomes    answered with         why
//! g                  g + 1               generation g + 1      the usual exchange
//! g - 1              g                   generation g again    the answer that carried g was lost
//! less than g - 1    revoked             refused               g was in use: this one is stolen,
//!                                                              or the one in use is
//! p, more than g     p + 1               generation p + 1      a restored backup is behind
//! ```
//!
//! The successor is stored before it is answered, by a conditional write: of two exchanges of the
//! same token at the same time one stores g + 1, the other looks again, finds itself one behind,
//! and answers the same successor. A token of an earlier family, or of a revoked device, is refused
//! and changes nothing.

use super::tokens::Place;
use super::{ATTEMPTS_MAX, Identity, contended, unauthenticated};
use crate::model::{Actor, CommandError, Device, Secret, SignedIn, Timestamp};
use crate::store::{Directory, StoreError};

/// Why no tokens were given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{refused}")]
pub struct RefreshError {
    /// What the client is told.
    pub refused: CommandError,
    /// Set when this very call revoked the device, or may have where the outcome is unknown, because
    /// a token that had been replaced was presented: its live connections are to be closed.
    pub revoked: Option<Actor>,
}

impl From<CommandError> for RefreshError {
    fn from(refused: CommandError) -> Self {
        Self { refused, revoked: None }
    }
}

impl From<StoreError> for RefreshError {
    fn from(error: StoreError) -> Self {
        CommandError::from(error).into()
    }
}

/// What a genuine token leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Store this generation, then answer with it.
    Advance(u64),
    /// Answer with the stored generation.
    Repeat,
    /// A replaced token came back: revoke.
    Reuse,
    /// The device is revoked, was signed in anew since, or is not the token's.
    Dead,
}

fn judge(record: &Device, place: &Place) -> Verdict {
    let alive = record.revoked_at.is_none()
        && record.user == place.actor.user
        && record.family == place.family;
    let presented = place.generation;
    if !alive {
        Verdict::Dead
    } else if presented >= record.generation {
        Verdict::Advance(presented.saturating_add(1))
    } else if presented.saturating_add(1) == record.generation {
        Verdict::Repeat
    } else {
        Verdict::Reuse
    }
}

impl<S: Directory> Identity<S> {
    /// Exchanges a refresh token for its successor and a new access token. May be repeated with the
    /// same token until the successor has been presented.
    ///
    /// `unauthenticated` if the token is not ours, dead, or replaced: the last revokes its device.
    pub async fn refresh(&self, now: Timestamp, token: &Secret) -> Result<SignedIn, RefreshError> {
        let Some(place) = self.shared.tokens.check_refresh(token) else {
            return Err(not_valid().into());
        };
        for _ in 0..ATTEMPTS_MAX {
            let record = self.store.device(place.actor.device).await?;
            let Some(mut record) = record else {
                return Err(not_valid().into());
            };
            let verdict = judge(&record, &place);
            match verdict {
                Verdict::Dead => return Err(not_valid().into()),
                Verdict::Repeat => {}
                Verdict::Advance(generation) => record.generation = generation,
                Verdict::Reuse => record.revoked_at = Some(now),
            }
            let revoked = (verdict == Verdict::Reuse).then_some(place.actor);
            let stored = if verdict == Verdict::Repeat {
                Ok(true)
            } else {
                self.store.update_device(record.clone()).await
            };
            let stored = stored.map_err(|error| RefreshError {
                revoked: revoked.filter(|_| error == StoreError::Unknown),
                refused: error.into(),
            })?;
            if stored && revoked.is_some() {
                return Err(RefreshError { refused: not_valid(), revoked });
            }
            if stored {
                return Ok(self.tokens_of(now, self.shared.access_token_life, &record)?);
            }
        }
        Err(contended().into())
    }
}

fn not_valid() -> CommandError {
    unauthenticated("the refresh token is not valid")
}
