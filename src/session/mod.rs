//! One connection's protocol state, without a socket.
//!
//! The driver feeds whole messages, grants, outcomes and the time in; [`Effects`] is told what follows, in
//! the order in which it is to happen. Owns greeting, request bookkeeping, the hold and the silence
//! rule. It deliberately knows no rule of the messenger, awaits nothing and reads no clock.
//!
//! ```text
//! Greeting --HELLO--> Authenticating --grant--> Active
//!     |                    |                      |
//!     +--------------------+----------------------+--> Closed
//! ```
//!
//! Invariants: every accepted request is answered exactly once, when its outcome is handed in; after
//! `Effects::close` nothing is emitted any more; an idle session holds no heap.

mod active;
mod answer;
mod effect;
mod greeting;
mod limits;
mod liveness;
mod requests;

pub use effect::{Effect, Effects, GrantError, Granted};
pub use limits::Limits;

use crate::model::{Actor, CommandError, Outcome, Timestamp};
use crate::protocol::{CloseCode, Fault, Goaway, ProtocolError, ServerFrame, frames};
use active::Active;
use effect::Says;
use greeting::Pending;
use liveness::Heard;

/// The state of one connection.
///
/// Inputs are the `handle_*` methods. While [`Session::is_authenticating`] the driver keeps further
/// messages to itself; a few are kept here if it does not.
#[derive(Debug)]
pub struct Session {
    state: State,
    heard: Heard,
}

#[derive(Debug)]
enum State {
    /// Waits for HELLO.
    Greeting,
    /// Waits for the answer to `Effects::authenticate`.
    Authenticating(Box<Pending>),
    /// Serves requests.
    Active(Active),
    /// Closed, or about to be: nothing is taken or emitted any more.
    Closed,
}

const _: () = assert!(size_of::<Session>() <= 96, "sessions are counted in hundred thousands");

impl Session {
    /// A connection that was accepted at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { state: State::Greeting, heard: Heard::at(now) }
    }

    /// Takes one whole binary message.
    pub fn handle_message(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        message: &[u8],
        effects: &mut impl Effects,
    ) {
        self.heard(now);
        if message.len() > limits.message_bytes_max {
            let error = ProtocolError::closing(Fault::MessageTooLarge, 0);
            return self.handle_violation(&error, effects);
        }
        match &mut self.state {
            State::Greeting => self.greet(message, effects),
            State::Authenticating(pending) => {
                if !pending.keep(message, limits) {
                    self.handle_close(CloseCode::Overloaded, effects);
                }
            }
            State::Active(_) => self.take(limits, message, effects),
            State::Closed => {}
        }
    }

    /// Takes the answer to `Effects::authenticate`; then what came with HELLO is served.
    ///
    /// The connection is to be registered for push before this is called.
    pub fn handle_grant(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        result: Result<Granted, GrantError>,
        effects: &mut impl Effects,
    ) {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let State::Authenticating(pending) = state else {
            self.state = state;
            return;
        };
        self.heard(now);
        match result {
            Ok(granted) => {
                let (active, kept) = pending.admit(now, limits, granted, effects);
                self.state = State::Active(active);
                self.serve_kept(limits, kept, effects);
            }
            Err(error) => effects.refuse_connection(error.refusal(), error.close_code()),
        }
    }

    /// Takes the answer to an `Effects::execute` with a rid, which is thereby answered.
    pub fn handle_outcome(
        &mut self,
        rid: u64,
        result: &Result<Outcome, CommandError>,
        effects: &mut impl Effects,
    ) {
        if let State::Active(active) = &mut self.state {
            active.answer(rid, result, effects);
        }
    }

    /// Lets time pass: the HELLO deadline and silence. Called by the coarse sweep.
    pub fn handle_tick(&mut self, now: Timestamp, limits: &Limits, effects: &mut impl Effects) {
        let patience = match &self.state {
            State::Greeting => limits.hello_deadline,
            State::Active(active) => limits.silence_max(active.ping_seconds()),
            // The server keeps this client waiting, not the other way round.
            State::Authenticating(_) | State::Closed => return,
        };
        if self.heard.is_longer_ago(now, patience) {
            self.handle_close(CloseCode::Silent, effects);
        }
    }

    /// Announces that the server goes away. A connection without an actor is closed at once.
    pub fn handle_drain(&mut self, goaway: Goaway, effects: &mut impl Effects) {
        match self.state {
            State::Active(_) => effects.send(&ServerFrame::Goaway(goaway)),
            State::Greeting | State::Authenticating(_) => {
                effects.send(&ServerFrame::Goaway(goaway));
                self.handle_close(CloseCode::Restart, effects);
            }
            State::Closed => {}
        }
    }

    /// Closes for a reason that lies outside the session, such as a revoked device.
    pub fn handle_close(&mut self, code: CloseCode, effects: &mut impl Effects) {
        if !self.is_closed() {
            self.state = State::Closed;
            effects.say_why_and_close(code);
        }
    }

    /// Closes for a breach of the protocol that the driver found, such as a text message.
    pub fn handle_violation(&mut self, error: &ProtocolError, effects: &mut impl Effects) {
        if !self.is_closed() {
            self.state = State::Closed;
            effects.violation(error);
        }
    }

    /// Notes a sign of life that is no message, such as a WebSocket ping. One before HELLO does not
    /// count: the deadline stands.
    pub fn heard(&mut self, now: Timestamp) {
        if !matches!(self.state, State::Greeting) {
            self.heard = Heard::at(now);
        }
    }

    /// Whether the answer to `Effects::authenticate` is awaited.
    pub const fn is_authenticating(&self) -> bool {
        matches!(self.state, State::Authenticating(_))
    }

    /// Whether requests are served.
    pub const fn is_active(&self) -> bool {
        matches!(self.state, State::Active(_))
    }

    /// Whether `Effects::close` was emitted.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whose connection this is.
    pub const fn actor(&self) -> Option<Actor> {
        match &self.state {
            State::Active(active) => Some(active.actor()),
            State::Greeting | State::Authenticating(_) | State::Closed => None,
        }
    }

    /// Whether EPHEMERAL frames go to this connection.
    pub fn wants_ephemeral(&self) -> bool {
        matches!(&self.state, State::Active(active) if active.wants_ephemeral())
    }

    /// Whether CURSOR frames go to this connection.
    pub fn wants_cursor(&self) -> bool {
        matches!(&self.state, State::Active(active) if active.wants_cursor())
    }

    /// Serves the frames of one message until one breaks the protocol.
    fn take(&mut self, limits: &Limits, message: &[u8], effects: &mut impl Effects) {
        let State::Active(active) = &mut self.state else { return };
        for frame in frames(message) {
            let served = frame.and_then(|frame| active.take(limits, &frame, effects));
            if let Err(error) = served {
                return self.handle_violation(&error, effects);
            }
        }
    }
}

#[cfg(test)]
mod tests;
