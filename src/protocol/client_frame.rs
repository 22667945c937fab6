//! The frames that clients send.
//!
//! A frame is decoded as far as its layout and its numbers go. What an entry says stays in its bytes
//! until [`super::content::from_client`] reads it.

use super::constants::{Side, frame, limit, tag};
use super::error::{Fault, ProtocolError};
use super::frames::Frame;
use super::lists::{Pairs, Users};
use super::reader::Reader;
use super::server_frame::EphemeralFrame;
use super::tlv::Tlvs;
use super::writer::Writer;
use crate::model::{ClientMessageId, ConversationId, Epoch, Sequence};

/// Opens the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hello<'a> {
    /// The newest minor version the client speaks.
    pub minor: u64,
    /// Bits of [`super::constants::capability`] that it wants.
    pub capabilities: u64,
    /// The access token.
    pub token: &'a str,
    /// Name and version of the client.
    pub client: Option<&'a str>,
    /// The ping interval it would like, in seconds.
    pub ping_seconds: Option<u64>,
    /// The store epoch it last saw.
    pub epoch: Option<Epoch>,
}

impl std::fmt::Debug for Hello<'_> {
    /// Leaves the token out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { minor, capabilities, token: _, client, ping_seconds, epoch } = self;
        f.debug_struct("Hello")
            .field("minor", minor)
            .field("capabilities", capabilities)
            .field("client", client)
            .field("ping_seconds", ping_seconds)
            .field("epoch", epoch)
            .finish_non_exhaustive()
    }
}

/// Appends an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendFrame<'a> {
    /// By what the answer is matched.
    pub rid: u64,
    /// Where.
    pub conversation: ConversationId,
    /// By what a resend is recognised.
    pub client_message: ClientMessageId,
    /// Where an earlier copy can lie at the earliest.
    pub floor: Sequence,
    /// The entry kind.
    pub kind: u64,
    /// The body.
    pub body: &'a [u8],
    /// The tagged values.
    pub tlvs: Tlvs<'a>,
}

/// A frame from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientFrame<'a> {
    /// HELLO.
    Hello(Hello<'a>),
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
    /// SEND.
    Send(SendFrame<'a>),
    /// ACK.
    Ack(Pairs<'a>),
    /// READ.
    Read {
        /// Where.
        conversation: ConversationId,
        /// Up to which sequence.
        read: Sequence,
    },
    /// SYNC.
    Sync {
        /// By what the answer is matched.
        rid: u64,
        /// At most this many records; 0 for the server's choice.
        limit: u64,
        /// Where the last one ended; empty for everything.
        token: &'a [u8],
    },
    /// FETCH.
    Fetch {
        /// By what the answer is matched.
        rid: u64,
        /// Where.
        conversation: ConversationId,
        /// The first sequence.
        from: Sequence,
        /// The last sequence; 0 for the head.
        to: Sequence,
    },
    /// RESUME.
    Resume,
    /// EPHEMERAL.
    Ephemeral(EphemeralFrame<'a>),
    /// WATCH.
    Watch(Users<'a>),
}

impl<'a> ClientFrame<'a> {
    /// Decodes one frame; `None` if it is to be skipped.
    ///
    /// # Errors
    /// A fault of the layout, which closes the connection, or one that refuses the frame's request.
    pub fn decode(frame: &Frame<'a>) -> Result<Option<Self>, ProtocolError> {
        if !frame.is_from(Side::Client)? {
            return Ok(None);
        }
        let mut body = frame.reader();
        let decoded = match frame.kind {
            frame::SEND => return SendFrame::read(body).map(|send| Some(Self::Send(send))),
            frame::HELLO => return Self::hello(body).map(Some),
            frame::SYNC => return Self::sync(body).map(Some),
            frame::FETCH => return Self::fetch(body).map(Some),
            frame::PING => Self::Ping { nonce: body.varint()? },
            frame::PONG => Self::Pong { nonce: body.varint()? },
            frame::ACK => Self::Ack(Pairs::read(&mut body)?),
            frame::READ => {
                Self::Read { conversation: body.conversation()?, read: body.sequence()? }
            }
            frame::RESUME => Self::Resume,
            frame::EPHEMERAL => Self::Ephemeral(EphemeralFrame::read(&mut body)?),
            frame::WATCH => Self::Watch(Users::read(&mut body, limit::WATCH_USERS_MAX)?),
            _ => return Ok(None),
        };
        Tlvs::parse(body)?.refuse_unknown(&[])?;
        Ok(Some(decoded))
    }

    fn hello(mut body: Reader<'a>) -> Result<Self, ProtocolError> {
        let (minor, capabilities, token) = (body.varint()?, body.varint()?, body.str()?);
        let tlvs = Tlvs::parse(body)?;
        tlvs.refuse_unknown(&[])?;
        Ok(Self::Hello(Hello {
            minor,
            capabilities,
            token,
            client: tlvs.str(tag::hello::CLIENT)?,
            ping_seconds: tlvs.varint(tag::hello::PING_SECONDS)?,
            epoch: tlvs.varint(tag::hello::EPOCH)?.and_then(Epoch::new),
        }))
    }

    fn sync(mut body: Reader<'a>) -> Result<Self, ProtocolError> {
        let rid = body.non_zero("rid")?;
        let (limit, token) = (body.varint()?, body.bytes()?);
        Tlvs::parse(body)?.refuse_unknown(&[]).map_err(|error| error.for_rid(rid))?;
        Ok(Self::Sync { rid, limit, token })
    }

    fn fetch(mut body: Reader<'a>) -> Result<Self, ProtocolError> {
        let rid = body.non_zero("rid")?;
        let at = body;
        let conversation = body.varint()?;
        let (from, to) = (body.sequence()?, body.sequence()?);
        Tlvs::parse(body)?.refuse_unknown(&[]).map_err(|error| error.for_rid(rid))?;
        let conversation = ConversationId::new(conversation);
        let zero = || at.error(Fault::Zero("conversation")).for_rid(rid);
        Ok(Self::Fetch { rid, conversation: conversation.ok_or_else(zero)?, from, to })
    }

    /// The type of the frame.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => frame::HELLO,
            Self::Ping { .. } => frame::PING,
            Self::Pong { .. } => frame::PONG,
            Self::Send(_) => frame::SEND,
            Self::Ack(_) => frame::ACK,
            Self::Read { .. } => frame::READ,
            Self::Sync { .. } => frame::SYNC,
            Self::Fetch { .. } => frame::FETCH,
            Self::Resume => frame::RESUME,
            Self::Ephemeral(_) => frame::EPHEMERAL,
            Self::Watch(_) => frame::WATCH,
        }
    }

    /// Appends the frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::new(out).frame(self.kind(), |body| self.write(body));
    }

    fn write(&self, body: &mut Writer<'_>) {
        match self {
            Self::Hello(hello) => hello.write(body),
            Self::Ping { nonce } | Self::Pong { nonce } => body.varint(*nonce),
            Self::Send(send) => send.write(body),
            Self::Ack(items) => items.write(body),
            Self::Read { conversation, read } => {
                body.varint(conversation.get());
                body.varint(read.get());
            }
            Self::Sync { rid, limit, token } => {
                body.varint(*rid);
                body.varint(*limit);
                body.bytes(token);
            }
            Self::Fetch { rid, conversation, from, to } => {
                for number in [*rid, conversation.get(), from.get(), to.get()] {
                    body.varint(number);
                }
            }
            Self::Resume => {}
            Self::Ephemeral(ephemeral) => ephemeral.write(body),
            Self::Watch(users) => users.write(body),
        }
    }
}

impl Hello<'_> {
    fn write(&self, body: &mut Writer<'_>) {
        body.varint(self.minor);
        body.varint(self.capabilities);
        body.bytes(self.token.as_bytes());
        if let Some(client) = self.client {
            body.tlv_bytes(tag::hello::CLIENT, client.as_bytes());
        }
        body.tlv_optional(tag::hello::PING_SECONDS, self.ping_seconds);
        body.tlv_optional(tag::hello::EPOCH, self.epoch.map(Epoch::get));
    }
}

impl<'a> SendFrame<'a> {
    #[inline]
    fn read(mut body: Reader<'a>) -> Result<Self, ProtocolError> {
        let offset = body.offset();
        let rid = body.non_zero("rid")?;
        let (conversation, client_message) = (body.varint()?, body.varint()?);
        let (floor, kind) = (body.varint()?, body.varint()?);
        let bytes = body.bytes()?;
        let tlvs = Tlvs::parse(body)?;
        let zero = |name| move || ProtocolError::refusing(rid, Fault::Zero(name), offset);
        let floor = Sequence::new(floor).filter(|floor| *floor > Sequence::ZERO);
        Ok(Self {
            rid,
            conversation: ConversationId::new(conversation).ok_or_else(zero("conversation"))?,
            client_message: ClientMessageId::new(client_message).ok_or_else(zero("cmid"))?,
            floor: floor.ok_or_else(zero("floor"))?,
            kind,
            body: bytes,
            tlvs,
        })
    }

    fn write(&self, body: &mut Writer<'_>) {
        let (conversation, client_message) = (self.conversation.get(), self.client_message.get());
        for number in [self.rid, conversation, client_message, self.floor.get(), self.kind] {
            body.varint(number);
        }
        body.bytes(self.body);
        self.tlvs.write(body);
    }
}
