//! From the first message to WELCOME.
//!
//! Owns what is kept while the token is checked: the rest of the first message, to be served after
//! WELCOME as if it had come then.

use super::active::Active;
use super::effect::{Effects, Granted, Says};
use super::limits::Limits;
use super::{Session, State};
use crate::model::{Epoch, Secret, Timestamp};
use crate::protocol::constants::{self, capability};
use crate::protocol::{ClientFrame, Fault, Hello, ProtocolError, ServerFrame, Welcome, frames};

/// The capabilities that this version has.
const CAPABILITIES: u64 = capability::EPHEMERAL | capability::CURSOR;

/// What HELLO said and what waits behind it.
#[derive(Debug)]
pub(super) struct Pending {
    capabilities: u64,
    ping_seconds: Option<u64>,
    epoch: Option<Epoch>,
    kept: Kept,
}

/// What came before the session could serve it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// What followed HELLO in its message.
    rest: Vec<u8>,
    /// Whole messages that came meanwhile.
    later: Vec<Vec<u8>>,
}

impl Pending {
    fn new(hello: &Hello<'_>, rest: &[u8]) -> Self {
        Self {
            capabilities: hello.capabilities & CAPABILITIES,
            ping_seconds: hello.ping_seconds,
            epoch: hello.epoch,
            kept: Kept { rest: rest.to_vec(), later: Vec::new() },
        }
    }

    /// Keeps a message for later; false if that would be more than one message's worth.
    pub(super) fn keep(&mut self, message: &[u8], limits: &Limits) -> bool {
        // Each costs at least its record, so that empty ones are bounded too.
        let cost = |message: &[u8]| message.len() + size_of::<Vec<u8>>();
        let Kept { rest, later } = &mut self.kept;
        let kept: usize = later.iter().map(|kept| cost(kept)).sum();
        let fits = rest.len() + kept + cost(message) <= limits.message_bytes_max;
        if fits {
            later.push(message.to_vec());
        }
        fits
    }

    /// Says WELCOME. A client that does not know the store's epoch starts held.
    pub(super) fn admit(
        self,
        now: Timestamp,
        limits: &Limits,
        granted: Granted,
        effects: &mut impl Effects,
    ) -> (Active, Kept) {
        let ping_seconds = limits.ping_seconds(self.ping_seconds);
        let number = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        effects.send(&ServerFrame::Welcome(Welcome {
            minor: constants::MINOR,
            capabilities: self.capabilities,
            user: granted.actor.user,
            device: granted.actor.device,
            epoch: granted.epoch,
            now,
            ping_seconds: ping_seconds.into(),
            message_bytes_max: number(limits.message_bytes_max),
            body_bytes_max: number(limits.body_bytes_max),
            sends_max: number(limits.sends_max),
        }));
        let mut active = Active::new(granted.actor, self.capabilities, ping_seconds);
        if self.epoch != Some(granted.epoch) {
            active.distrust();
        }
        (active, self.kept)
    }
}

impl Session {
    /// Takes the first message.
    pub(super) fn greet(&mut self, message: &[u8], effects: &mut impl Effects) {
        match read_hello(message) {
            Ok((hello, rest)) => {
                self.state = State::Authenticating(Box::new(Pending::new(&hello, rest)));
                effects.authenticate(Secret::new(hello.token));
            }
            Err(error) => self.handle_violation(&error, effects),
        }
    }

    /// Serves what was kept while the token was checked.
    pub(super) fn serve_kept(&mut self, limits: &Limits, kept: Kept, effects: &mut impl Effects) {
        let Kept { rest, later } = kept;
        // A message is never empty, but nothing need stand behind HELLO.
        if !rest.is_empty() {
            self.take(limits, &rest, effects);
        }
        if let State::Active(active) = &mut self.state {
            active.trust_tokens();
        }
        for message in later {
            self.take(limits, &message, effects);
        }
    }
}

/// The HELLO that a first message begins with, and what follows it.
///
/// Skippable frames may stand before it, so that extension points stay open there too.
fn read_hello(message: &[u8]) -> Result<(Hello<'_>, &[u8]), ProtocolError> {
    let mut frames = frames(message);
    while let Some(frame) = frames.next() {
        let frame = frame?;
        match ClientFrame::decode(&frame) {
            Ok(None) => {}
            Ok(Some(ClientFrame::Hello(hello))) => return Ok((hello, frames.rest())),
            Err(error) if error.closes() => return Err(error),
            Ok(Some(_)) | Err(_) => {
                return Err(ProtocolError::closing(Fault::NotGreeted, frame.start()));
            }
        }
    }
    Err(ProtocolError::closing(Fault::NotGreeted, message.len()))
}
