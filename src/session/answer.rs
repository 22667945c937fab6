//! Outcomes to frames: the one final answer of each request.

use super::active::Active;
use super::effect::{Effects, Says};
use super::requests::Kind;
use crate::model::{Applied, CommandError, ErrorCode, Fetched, Outcome, Sent, UserId};
use crate::protocol::{EntryEncoder, ServerFrame, encode_synced};
use std::time::Duration;

impl Active {
    /// Answers request `rid`. One that is not awaited is ignored: the answer of a request that a
    /// connection before this one made in the same slot.
    pub(super) fn answer(
        &mut self,
        rid: u64,
        result: &Result<Outcome, CommandError>,
        effects: &mut impl Effects,
    ) {
        let Some(kind) = self.requests.remove(rid) else { return };
        match (kind, result) {
            (Kind::Send, Ok(Outcome::Sent(sent))) => effects.send(&frame_of(rid, sent)),
            (Kind::Sync, Ok(Outcome::Synced(synced))) => {
                effects.write(|out| encode_synced(rid, synced, out));
            }
            (Kind::Fetch, Ok(Outcome::Fetched(fetched))) => {
                send_entries(fetched, self.actor().user, effects);
                let Fetched { conversation, entries: _, to, next } = *fetched;
                effects.send(&ServerFrame::Fetched { rid, conversation, to, next });
            }
            (_, Err(error)) => self.refuse(rid, kind, error, effects),
            (_, Ok(_)) => self.refuse(rid, kind, &mismatch(), effects),
        }
    }

    /// Refuses a request. A SEND that invites to send again holds the connection, and its ERROR
    /// has the retry flag: by that flag alone a client knows of the hold.
    fn refuse(&mut self, rid: u64, kind: Kind, error: &CommandError, effects: &mut impl Effects) {
        let holds = kind == Kind::Send && invites_resend(error);
        if holds {
            self.hold();
        }
        if holds && error.retry.is_none() {
            let error = CommandError { retry: Some(Duration::ZERO), ..error.clone() };
            return effects.refuse(rid, &error);
        }
        effects.refuse(rid, error);
    }
}

fn frame_of(rid: u64, sent: &Sent) -> ServerFrame<'static> {
    let Sent { conversation: _, sequence, ordinal, sent_at, duplicate } = *sent;
    ServerFrame::Sent { rid, sequence, ordinal, sent_at, duplicate }
}

/// The entries of a page, each a frame of its own; a client's own with their client message ids.
fn send_entries(fetched: &Fetched, reader: UserId, effects: &mut impl Effects) {
    for entry in &fetched.entries {
        let own = entry.sender == Some(reader);
        let encoder = EntryEncoder::new(fetched.conversation, entry);
        effects.write(|out| encoder.encode(own, out));
    }
}

/// Whether the client will send the refused message again, so that later ones must wait for it.
fn invites_resend(error: &CommandError) -> bool {
    let code = match error.code {
        ErrorCode::RateLimited
        | ErrorCode::Overloaded
        | ErrorCode::Unavailable
        | ErrorCode::OutcomeUnknown
        | ErrorCode::FloorOutOfRange => true,
        ErrorCode::Malformed
        | ErrorCode::Unsupported
        | ErrorCode::Unauthenticated
        | ErrorCode::NotFound
        | ErrorCode::Forbidden
        | ErrorCode::Invalid
        | ErrorCode::Conflict
        | ErrorCode::TooLarge
        | ErrorCode::Expired
        | ErrorCode::Internal => false,
    };
    code || error.applied == Applied::Unknown || error.retry.is_some()
}

/// An outcome that does not answer its command: a fault of the server, and nobody knows what it did.
fn mismatch() -> CommandError {
    let unknown = CommandError::outcome_unknown();
    CommandError { code: ErrorCode::Internal, detail: "the answer was lost".into(), ..unknown }
}
