//! The frames that the server sends.

use super::constants::{Side, ephemeral_kind, frame};
use super::entry_frame::EntryFrame;
use super::error::ProtocolError;
use super::frames::Frame;
use super::reader::Reader;
use super::record::Records;
use super::refusal::Refusal;
use super::tlv::Tlvs;
use super::writer::{Fixed, Writer};
use crate::model::{
    ConversationId, DeviceId, EphemeralKind, Epoch, Ordinal, Sequence, Timestamp, UserId,
};

/// The HELLO was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The minor version that is spoken.
    pub minor: u64,
    /// Bits of [`super::constants::capability`] that are granted.
    pub capabilities: u64,
    /// Whose connection this is.
    pub user: UserId,
    /// On which device.
    pub device: DeviceId,
    /// The epoch of the store.
    pub epoch: Epoch,
    /// The server's time.
    pub now: Timestamp,
    /// The ping interval that is granted, in seconds.
    pub ping_seconds: u64,
    /// The largest message that the server takes.
    pub message_bytes_max: u64,
    /// The largest body that the server takes.
    pub body_bytes_max: u64,
    /// How many SENDs may be unanswered.
    pub sends_max: u64,
}

/// A cursor moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorFrame {
    /// Where.
    pub conversation: ConversationId,
    /// Whose.
    pub user: UserId,
    /// How far their devices have stored; zero if unchanged.
    pub delivered: Sequence,
    /// How far they have read; zero if unchanged.
    pub read: Sequence,
    /// The ordinal at `read`; zero if unchanged.
    pub read_ordinal: Ordinal,
}

/// The server is about to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goaway {
    /// One of [`super::constants::goaway_reason`].
    pub reason: u64,
    /// Connect anew after a random part of this.
    pub spread_ms: u64,
    /// How long the connection stays open.
    pub grace_ms: u64,
}

/// Typing and the like, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EphemeralFrame<'a> {
    /// Where.
    pub conversation: ConversationId,
    /// Who; `None` from a client.
    pub user: Option<UserId>,
    /// What.
    pub kind: EphemeralKind,
    /// Carried along.
    pub body: &'a [u8],
}

/// A frame from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFrame<'a> {
    /// WELCOME.
    Welcome(Welcome),
    /// ERROR.
    Error(Refusal<'a>),
    /// PING.
    Ping {
        /// To be repeated.
        nonce: u64,
    },
    /// PONG.
    Pong {
        /// The nonce of the PING.
        nonce: u64,
    },
    /// GOAWAY.
    Goaway(Goaway),
    /// SENT.
    Sent {
        /// Of the SEND.
        rid: u64,
        /// Where it is stored.
        sequence: Sequence,
        /// The ordinal there.
        ordinal: Ordinal,
        /// When it was accepted.
        sent_at: Timestamp,
        /// Whether an earlier copy was found.
        duplicate: bool,
    },
    /// ENTRY.
    Entry(EntryFrame<'a>),
    /// CURSOR.
    Cursor(CursorFrame),
    /// SYNCED.
    Synced {
        /// Of the SYNC.
        rid: u64,
        /// Bits of [`super::constants::synced_flag`].
        flags: u8,
        /// What to hand back next.
        token: &'a [u8],
        /// What changed.
        records: Records<'a>,
    },
    /// FETCHED.
    Fetched {
        /// Of the FETCH.
        rid: u64,
        /// Where.
        conversation: ConversationId,
        /// The end that was evaluated.
        to: Sequence,
        /// Where to read on; zero if complete.
        next: Sequence,
    },
    /// RESYNC.
    Resync {
        /// One of [`super::constants::resync_reason`].
        reason: u64,
    },
    /// EPHEMERAL.
    Ephemeral(EphemeralFrame<'a>),
    /// PRESENCE.
    Presence {
        /// Who.
        user: UserId,
        /// One of [`super::constants::presence_state`].
        state: u64,
        /// When they were last connected.
        last_seen: Timestamp,
    },
}

impl<'a> ServerFrame<'a> {
    /// Decodes one frame; `None` if it is to be skipped.
    ///
    /// # Errors
    /// A fault of the layout.
    pub fn decode(frame: &Frame<'a>) -> Result<Option<Self>, ProtocolError> {
        if !frame.is_from(Side::Server)? {
            return Ok(None);
        }
        let mut body = frame.reader();
        let decoded = match frame.kind {
            frame::ERROR => return Refusal::read(body).map(|error| Some(Self::Error(error))),
            frame::ENTRY => return EntryFrame::read(body).map(|entry| Some(Self::Entry(entry))),
            frame::WELCOME => Self::Welcome(Welcome::read(&mut body)?),
            frame::PING => Self::Ping { nonce: body.varint()? },
            frame::PONG => Self::Pong { nonce: body.varint()? },
            frame::GOAWAY => Self::Goaway(Goaway {
                reason: body.varint()?,
                spread_ms: body.varint()?,
                grace_ms: body.varint()?,
            }),
            frame::SENT => Self::Sent {
                rid: body.non_zero("rid")?,
                sequence: body.sequence()?,
                ordinal: body.ordinal()?,
                sent_at: body.ts()?,
                duplicate: body.u8()? != 0,
            },
            frame::CURSOR => Self::Cursor(CursorFrame::read(&mut body)?),
            frame::SYNCED => Self::Synced {
                rid: body.non_zero("rid")?,
                flags: body.u8()?,
                token: body.bytes()?,
                records: Records::read(&mut body)?,
            },
            frame::FETCHED => Self::Fetched {
                rid: body.non_zero("rid")?,
                conversation: body.conversation()?,
                to: body.sequence()?,
                next: body.sequence()?,
            },
            frame::RESYNC => Self::Resync { reason: body.varint()? },
            frame::EPHEMERAL => Self::Ephemeral(EphemeralFrame::read(&mut body)?),
            frame::PRESENCE => {
                Self::Presence { user: body.user()?, state: body.varint()?, last_seen: body.ts()? }
            }
            _ => return Ok(None),
        };
        Tlvs::parse(body)?.refuse_unknown(&[])?;
        Ok(Some(decoded))
    }

    /// The type of the frame.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Welcome(_) => frame::WELCOME,
            Self::Error(_) => frame::ERROR,
            Self::Ping { .. } => frame::PING,
            Self::Pong { .. } => frame::PONG,
            Self::Goaway(_) => frame::GOAWAY,
            Self::Sent { .. } => frame::SENT,
            Self::Entry(_) => frame::ENTRY,
            Self::Cursor(_) => frame::CURSOR,
            Self::Synced { .. } => frame::SYNCED,
            Self::Fetched { .. } => frame::FETCHED,
            Self::Resync { .. } => frame::RESYNC,
            Self::Ephemeral(_) => frame::EPHEMERAL,
            Self::Presence { .. } => frame::PRESENCE,
        }
    }

    /// Appends the frame. Of the two that most traffic is, the length is known before.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Entry(entry) => entry.encode(out),
            Self::Sent { rid, sequence, ordinal, sent_at, duplicate } => {
                let mut fixed = Fixed::new();
                for number in [*rid, sequence.get(), ordinal.get()] {
                    fixed.varint(number);
                }
                fixed.ts(*sent_at);
                fixed.u8(u8::from(*duplicate));
                out.extend_from_slice(fixed.framed(frame::SENT, 0));
            }
            Self::Welcome(welcome) => self.frame(out, |body| welcome.write(body)),
            Self::Error(refusal) => self.frame(out, |body| refusal.write(body)),
            Self::Ping { nonce } | Self::Pong { nonce } => {
                self.frame(out, |body| body.varint(*nonce));
            }
            Self::Goaway(goaway) => self.frame(out, |body| {
                for number in [goaway.reason, goaway.spread_ms, goaway.grace_ms] {
                    body.varint(number);
                }
            }),
            Self::Cursor(cursor) => self.frame(out, |body| cursor.write(body)),
            Self::Synced { rid, flags, token, records } => self.frame(out, |body| {
                body.varint(*rid);
                body.u8(*flags);
                body.bytes(token);
                records.write(body);
            }),
            Self::Fetched { rid, conversation, to, next } => self.frame(out, |body| {
                for number in [*rid, conversation.get(), to.get(), next.get()] {
                    body.varint(number);
                }
            }),
            Self::Resync { reason } => self.frame(out, |body| body.varint(*reason)),
            Self::Ephemeral(ephemeral) => self.frame(out, |body| ephemeral.write(body)),
            Self::Presence { user, state, last_seen } => self.frame(out, |body| {
                body.varint(user.get());
                body.varint(*state);
                body.ts(*last_seen);
            }),
        }
    }

    /// Appends the frame around a body.
    fn frame(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) {
        Writer::new(out).frame(self.kind(), write);
    }
}

impl Welcome {
    fn read(body: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        Ok(Self {
            minor: body.varint()?,
            capabilities: body.varint()?,
            user: body.user()?,
            device: body.id("device", DeviceId::new)?,
            epoch: body.id("epoch", Epoch::new)?,
            now: body.ts()?,
            ping_seconds: body.varint()?,
            message_bytes_max: body.varint()?,
            body_bytes_max: body.varint()?,
            sends_max: body.varint()?,
        })
    }

    fn write(&self, body: &mut Writer<'_>) {
        let (user, device, epoch) = (self.user.get(), self.device.get(), self.epoch.get());
        for number in [self.minor, self.capabilities, user, device, epoch] {
            body.varint(number);
        }
        body.ts(self.now);
        let limits = [self.message_bytes_max, self.body_bytes_max, self.sends_max];
        body.varint(self.ping_seconds);
        for number in limits {
            body.varint(number);
        }
    }
}

impl CursorFrame {
    fn read(body: &mut Reader<'_>) -> Result<Self, ProtocolError> {
        Ok(Self {
            conversation: body.conversation()?,
            user: body.user()?,
            delivered: body.sequence()?,
            read: body.sequence()?,
            read_ordinal: body.ordinal()?,
        })
    }

    fn write(&self, body: &mut Writer<'_>) {
        body.varint(self.conversation.get());
        body.varint(self.user.get());
        for number in [self.delivered.get(), self.read.get(), self.read_ordinal.get()] {
            body.varint(number);
        }
    }
}

impl<'a> EphemeralFrame<'a> {
    pub(crate) fn read(body: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        Ok(Self {
            conversation: body.conversation()?,
            user: UserId::new(body.varint()?),
            kind: match body.varint()? {
                ephemeral_kind::TYPING => EphemeralKind::Typing,
                ephemeral_kind::STOPPED => EphemeralKind::Stopped,
                other => EphemeralKind::Other(other),
            },
            body: body.bytes()?,
        })
    }

    pub(crate) fn write(&self, body: &mut Writer<'_>) {
        body.varint(self.conversation.get());
        body.varint(self.user.map_or(0, UserId::get));
        body.varint(match self.kind {
            EphemeralKind::Typing => ephemeral_kind::TYPING,
            EphemeralKind::Stopped => ephemeral_kind::STOPPED,
            EphemeralKind::Other(other) => other,
        });
        body.bytes(self.body);
    }
}
