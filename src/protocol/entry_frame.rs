//! The ENTRY frame: one entry of a log, as its receivers see it.
//!
//! Owns the two steps of encoding one for many: [`EntryEncoder::new`] lays its content out once, and
//! [`EntryEncoder::frame`] puts a frame around it, with or without the client message id that only
//! the sender's own devices get.

use super::constants::{frame, tag};
use super::content::{self, Layout};
use super::error::{Fault, ProtocolError};
use super::reader::Reader;
use super::tlv::Tlvs;
use super::varint;
use super::writer::{Fixed, VARINT_BYTES_MAX, Writer};
use crate::model::{ClientMessageId, ConversationId, Entry, Ordinal, Sequence, Timestamp, UserId};

/// One entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryFrame<'a> {
    /// Where.
    pub conversation: ConversationId,
    /// Its position.
    pub sequence: Sequence,
    /// How many entries up to it count as unread.
    pub ordinal: Ordinal,
    /// Who said it; `None` for the server.
    pub sender: Option<UserId>,
    /// When.
    pub sent_at: Timestamp,
    /// The entry kind.
    pub kind: u64,
    /// The body.
    pub body: &'a [u8],
    /// The id its sender gave it; only on the sender's own devices.
    pub client_message: Option<ClientMessageId>,
    /// The other tagged values.
    pub tlvs: Tlvs<'a>,
}

impl<'a> EntryFrame<'a> {
    pub(crate) fn read(mut body: Reader<'a>) -> Result<Self, ProtocolError> {
        let conversation = body.conversation()?;
        let (sequence, ordinal) = (body.sequence()?, body.ordinal()?);
        let sender = UserId::new(body.varint()?);
        let (sent_at, kind, bytes) = (body.ts()?, body.varint()?, body.bytes()?);
        let all = Tlvs::parse(body)?;
        let (client_message, tlvs) = match all.split_first() {
            Some((first, rest)) if first.tag == tag::entry::CMID => {
                let number = first.reader().varint()?;
                let zero = ProtocolError::closing(Fault::Zero("cmid"), first.offset);
                (Some(ClientMessageId::new(number).ok_or(zero)?), rest)
            }
            _ => (None, all),
        };
        Ok(Self {
            conversation,
            sequence,
            ordinal,
            sender,
            sent_at,
            kind,
            body: bytes,
            client_message,
            tlvs,
        })
    }

    pub(crate) fn write(&self, body: &mut Writer<'_>) {
        body.raw(self.fixed().as_bytes());
        self.write_rest(body);
    }

    /// Appends the frame. Its length is known before, so nothing has to be moved.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let fixed = self.fixed();
        let (fixed, tlvs) = (fixed.as_bytes(), self.tlvs.as_bytes());
        let cmid = self.client_message.map_or(0, |id| 2 + varint::encoded_len(id.get()));
        let len = fixed.len() + self.body.len() + cmid + tlvs.len();
        out.reserve(1 + VARINT_BYTES_MAX + len);
        let mut out = Writer::new(out);
        out.u8(frame::ENTRY);
        out.count(len);
        out.raw(fixed);
        self.write_rest(&mut out);
    }

    fn fixed(&self) -> Fixed {
        let mut fixed = Fixed::new();
        fixed.varint(self.conversation.get());
        fixed.varint(self.sequence.get());
        fixed.varint(self.ordinal.get());
        fixed.varint(self.sender.map_or(0, UserId::get));
        fixed.ts(self.sent_at);
        fixed.varint(self.kind);
        fixed.varint(u64::try_from(self.body.len()).unwrap_or(u64::MAX));
        fixed
    }

    fn write_rest(&self, out: &mut Writer<'_>) {
        out.raw(self.body);
        out.tlv_optional(tag::entry::CMID, self.client_message.map(ClientMessageId::get));
        self.tlvs.write(out);
    }
}

/// An entry with its content laid out, from which frames are made for its receivers.
#[derive(Clone, Debug)]
pub struct EntryEncoder<'a> {
    conversation: ConversationId,
    entry: &'a Entry,
    layout: Layout<'a>,
}

impl<'a> EntryEncoder<'a> {
    /// Lays out `entry`.
    pub fn new(conversation: ConversationId, entry: &'a Entry) -> Self {
        Self { conversation, entry, layout: content::encode_entry(entry) }
    }

    /// Lays out `entry` as a preview: to show, not to keep.
    pub fn preview(conversation: ConversationId, entry: &'a Entry) -> Self {
        let mut encoder = Self::new(conversation, entry);
        encoder.layout.cut();
        encoder
    }

    /// The frame; with the client message id for the sender's own devices.
    pub fn frame(&self, to_sender: bool) -> EntryFrame<'_> {
        let Entry { sequence, ordinal, sender, sent_at, client_message, .. } = *self.entry;
        EntryFrame {
            conversation: self.conversation,
            sequence,
            ordinal,
            sender,
            sent_at,
            kind: self.layout.kind,
            body: self.layout.body,
            client_message: client_message.filter(|_| to_sender),
            tlvs: self.layout.tlvs(),
        }
    }

    /// Appends the frame.
    pub fn encode(&self, to_sender: bool, out: &mut Vec<u8>) {
        self.frame(to_sender).encode(out);
    }
}
