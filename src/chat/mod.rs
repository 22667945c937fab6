//! Every rule of the messenger: who may do what, what an entry follows from, what a user sees.
//!
//! Owns conversations, membership, sending, reading, cursors and contacts. It knows neither door:
//! commands come in as model types, outcomes and deliveries leave as data.
//!
//! Two kinds of work: what appends to a log goes through the log's one [`Owner`], which sees the
//! entries in order; what only reads takes a [`View`] of the owner's state and the store.

mod admit;
mod contacts;
mod create;
mod cursors;
mod doubt;
mod draft;
mod effects;
mod emits;
mod fetch;
mod groups;
mod in_flight;
mod list;
mod members;
mod owner;
mod receive;
mod recent;
mod sync;
mod token;
mod view;

#[cfg(test)]
mod tests;

pub use cursors::CursorMoved;
pub use emits::{Answer, Emit, Emits};
pub use fetch::Bounds;
pub use owner::{Action, BATCH_BYTES_MAX, BATCH_REQUESTS_MAX, GroupChange, Lane, Owner, Request};
pub use recent::FLOOR_SPAN_MAX;
pub use view::View;

use crate::model::{ClientMessageId, CommandError, ErrorCode};
use crate::store::Store;
use cursors::CursorTable;
use in_flight::InFlight;
use std::sync::Arc;

/// What the rules leave open.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most members of a group.
    pub members_max: usize,
    /// In groups above this, members have no delivered cursor and typing is not carried.
    pub small_group_max: usize,
    /// The most bytes of a body.
    pub body_bytes_max: usize,
    /// The most users that a message may mention.
    pub mentions_max: usize,
    /// About how many bytes of frames a page of SYNC or FETCH may take.
    pub page_bytes_max: usize,
    /// About how many characters of the last entry a list of chats shows.
    pub preview_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            members_max: 5_000,
            small_group_max: 200,
            body_bytes_max: 32 * 1024,
            mentions_max: 100,
            page_bytes_max: 60 * 1024,
            preview_bytes_max: 256,
        }
    }
}

/// The conversation service over one store; all shards share its state.
#[derive(Clone, Debug)]
pub struct Chat<S> {
    store: S,
    settings: Arc<Settings>,
    cursors: Arc<CursorTable>,
    in_flight: Arc<InFlight>,
}

impl<S: Store> Chat<S> {
    /// A service over `store`.
    pub fn new(store: S, settings: Settings) -> Self {
        Self {
            store,
            settings: Arc::new(settings),
            cursors: Arc::default(),
            in_flight: Arc::default(),
        }
    }

    /// The store underneath.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// What the rules leave open.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Draws ids until one is not the one value in 2^53 that is no id.
pub(crate) fn draw<T>(wrap: impl Fn(u64) -> Option<T>) -> Result<T, CommandError> {
    for _ in 0..4 {
        let bits = getrandom::u64().map_err(|error| {
            tracing::error!(%error, "no random numbers");
            CommandError::new(ErrorCode::Internal, "no random numbers")
        })?;
        if let Some(id) = wrap(bits) {
            return Ok(id);
        }
    }
    Err(CommandError::new(ErrorCode::Internal, "no random numbers"))
}

/// A client message id for an entry that no client named.
fn draw_client_message() -> Result<ClientMessageId, CommandError> {
    draw(ClientMessageId::from_random)
}
