//! A connection with an actor: what each frame asks for.
//!
//! Owns the hold: after a refusal that a client answers by sending again, every SEND is refused until
//! RESUME, so that no later message overtakes the refused one.

use super::effect::{Effects, Says};
use super::limits::Limits;
use super::requests::{Kind, Requests};
use crate::model::{Actor, Command, CommandError, Sequence};
use crate::protocol::constants::{capability, frame, limit};
use crate::protocol::{
    ClientFrame, EphemeralFrame, Fault, Frame, ProtocolError, SendFrame, ServerFrame, content,
};
use bytes::Bytes;

/// The state of a connection that serves requests.
#[derive(Debug)]
pub(super) struct Active {
    actor: Actor,
    pub(super) requests: Requests,
    resumes: u32,
    ping_seconds: u16,
    capabilities: u8,
    /// SENDs are refused until RESUME.
    held: bool,
    /// The SYNC token of the first message was made by a store with another past.
    foreign_token: bool,
}

impl Active {
    pub(super) fn new(actor: Actor, capabilities: u64, ping_seconds: u16) -> Self {
        Self {
            actor,
            requests: Requests::default(),
            resumes: 0,
            ping_seconds,
            capabilities: u8::try_from(capabilities).unwrap_or_default(),
            held: false,
            foreign_token: false,
        }
    }

    /// The client does not know this store's epoch: its floors and its token may be wrong.
    pub(super) const fn distrust(&mut self) {
        self.held = true;
        self.foreign_token = true;
    }

    /// The first message is over: later tokens are this store's.
    pub(super) const fn trust_tokens(&mut self) {
        self.foreign_token = false;
    }

    /// Refuses SENDs from now on.
    pub(super) const fn hold(&mut self) {
        self.held = true;
    }

    pub(super) const fn actor(&self) -> Actor {
        self.actor
    }

    pub(super) const fn ping_seconds(&self) -> u16 {
        self.ping_seconds
    }

    pub(super) fn wants_ephemeral(&self) -> bool {
        self.has(capability::EPHEMERAL)
    }

    pub(super) fn wants_cursor(&self) -> bool {
        self.has(capability::CURSOR)
    }

    fn has(&self, capability: u64) -> bool {
        u64::from(self.capabilities) & capability != 0
    }

    /// Serves one frame.
    ///
    /// # Errors
    /// What breaks the protocol; anything less is answered here.
    pub(super) fn take(
        &mut self,
        limits: &Limits,
        frame: &Frame<'_>,
        effects: &mut impl Effects,
    ) -> Result<(), ProtocolError> {
        let error = match ClientFrame::decode(frame) {
            Ok(Some(decoded)) => match self.serve(limits, decoded, effects) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Ok(None) => return Ok(()),
            Err(error) => error,
        };
        let error = ProtocolError { offset: error.offset.max(frame.start()), ..error };
        let Some(rid) = error.rid else { return Err(error) };
        if self.requests.contains(rid) {
            return Err(ProtocolError::closing(Fault::DuplicateRid(rid), frame.start()));
        }
        if self.held && frame.kind == frame::SEND {
            effects.refuse(rid, &held());
        } else {
            effects.refuse_for(&error);
        }
        Ok(())
    }

    fn serve(
        &mut self,
        limits: &Limits,
        frame: ClientFrame<'_>,
        effects: &mut impl Effects,
    ) -> Result<(), ProtocolError> {
        match frame {
            ClientFrame::Hello(_) => return Err(ProtocolError::closing(Fault::GreetedTwice, 0)),
            ClientFrame::Ping { nonce } => effects.send(&ServerFrame::Pong { nonce }),
            ClientFrame::Send(send) => return self.send(limits, &send, effects),
            ClientFrame::Sync { rid, limit, token } => {
                let token = if self.foreign_token { &[] } else { token };
                let token = Bytes::copy_from_slice(token);
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let sync = Command::Sync { token, limit };
                return self.read(limits, (rid, Kind::Sync), sync, effects);
            }
            ClientFrame::Fetch { rid, conversation, from, to } => {
                let fetch = Command::Fetch { conversation, from, to };
                return self.read(limits, (rid, Kind::Fetch), fetch, effects);
            }
            ClientFrame::Ack(items) => {
                let items: Vec<_> = items.iter().collect();
                if !items.is_empty() {
                    self.execute(0, Command::Ack(items), effects);
                }
            }
            ClientFrame::Read { conversation, read } => {
                if read > Sequence::ZERO {
                    self.execute(0, Command::Read { conversation, read }, effects);
                }
            }
            ClientFrame::Ephemeral(EphemeralFrame { body, .. })
                if body.len() > limit::EPHEMERAL_BODY_BYTES_MAX => {}
            ClientFrame::Ephemeral(EphemeralFrame { conversation, user: _, kind, body }) => {
                let body = Bytes::copy_from_slice(body);
                self.execute(0, Command::Ephemeral { conversation, kind, body }, effects);
            }
            ClientFrame::Resume => {
                self.held = false;
                self.resumes = self.resumes.wrapping_add(1);
            }
            // Presence is not granted, so nothing follows from watching.
            ClientFrame::Watch(_) | ClientFrame::Pong { .. } => {}
        }
        Ok(())
    }

    fn send(
        &mut self,
        limits: &Limits,
        send: &SendFrame<'_>,
        effects: &mut impl Effects,
    ) -> Result<(), ProtocolError> {
        let rid = send.rid;
        self.refuse_duplicate(rid)?;
        if self.held {
            effects.refuse(rid, &held());
            return Ok(());
        }
        if self.requests.sends() >= limits.sends_max {
            self.hold();
            effects.refuse(rid, &CommandError::overloaded("too many sends are unanswered"));
            return Ok(());
        }
        if send.body.len() > limits.body_bytes_max {
            return Err(ProtocolError::refusing(rid, Fault::BodyTooLarge, 0));
        }
        let content = content::from_client(send)?;
        self.requests.add(rid, Kind::Send);
        let command = Command::Send {
            conversation: send.conversation,
            client_message: send.client_message,
            floor: Some(send.floor),
            content,
        };
        self.execute(rid, command, effects);
        Ok(())
    }

    fn read(
        &mut self,
        limits: &Limits,
        (rid, kind): (u64, Kind),
        command: Command,
        effects: &mut impl Effects,
    ) -> Result<(), ProtocolError> {
        self.refuse_duplicate(rid)?;
        if self.requests.reads() >= limits.reads_max {
            effects.refuse(rid, &CommandError::overloaded("too many reads are unanswered"));
            return Ok(());
        }
        self.requests.add(rid, kind);
        self.execute(rid, command, effects);
        Ok(())
    }

    fn refuse_duplicate(&self, rid: u64) -> Result<(), ProtocolError> {
        if self.requests.contains(rid) {
            return Err(ProtocolError::closing(Fault::DuplicateRid(rid), 0));
        }
        Ok(())
    }

    fn execute(&self, rid: u64, command: Command, effects: &mut impl Effects) {
        effects.execute(rid, command, self.resumes);
    }
}

fn held() -> CommandError {
    CommandError::overloaded("sending is on hold until RESUME")
}
