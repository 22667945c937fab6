//! The records of a SYNCED: a conversation as one of its members sees it.

use super::constants::{conversation_kind, frame, synced_flag, tag};
use super::entry_frame::{EntryEncoder, EntryFrame};
use super::error::ProtocolError;
use super::reader::Reader;
use super::tlv::{Tlv, Tlvs};
use super::writer::Writer;
use crate::model::{
    Chat, ConversationId, ConversationKind, Ordinal, Sequence, Synced, Timestamp, Title, UserId,
};

/// One conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Which.
    pub conversation: ConversationId,
    /// One of [`conversation_kind`].
    pub kind: u64,
    /// The visible head.
    pub last_sequence: Sequence,
    /// The ordinal there.
    pub last_ordinal: Ordinal,
    /// When the last entry was sent.
    pub last_at: Timestamp,
    /// How far this user has read.
    pub read: Sequence,
    /// The ordinal there.
    pub read_ordinal: Ordinal,
    /// How far this user's devices have stored.
    pub delivered: Sequence,
    /// The title of a group.
    pub title: Option<&'a str>,
    /// The other user of a direct chat.
    pub peer: Option<UserId>,
    /// The last visible entry, its text cut.
    pub last_entry: Option<EntryFrame<'a>>,
    /// Whether it is muted.
    pub muted: bool,
    /// How many belong to it.
    pub member_count: Option<u64>,
    /// The first sequence this user may see.
    pub first_visible: Sequence,
    /// Whether this user no longer belongs to it.
    pub left: bool,
    /// How far the peer has read.
    pub peer_read: Option<Sequence>,
    /// How far the peer's devices have stored.
    pub peer_delivered: Option<Sequence>,
}

impl<'a> Record<'a> {
    fn read(mut body: Reader<'a>) -> Result<Self, ProtocolError> {
        let mut record = Self {
            conversation: body.conversation()?,
            kind: body.varint()?,
            last_sequence: body.sequence()?,
            last_ordinal: body.ordinal()?,
            last_at: body.ts()?,
            read: body.sequence()?,
            read_ordinal: body.ordinal()?,
            delivered: body.sequence()?,
            title: None,
            peer: None,
            last_entry: None,
            muted: false,
            member_count: None,
            first_visible: Sequence::FIRST,
            left: false,
            peer_read: None,
            peer_delivered: None,
        };
        let tlvs = Tlvs::parse(body)?;
        tlvs.refuse_unknown(&[])?;
        for tlv in tlvs.iter() {
            record.set(&tlv)?;
        }
        Ok(record)
    }

    fn set(&mut self, tlv: &Tlv<'a>) -> Result<(), ProtocolError> {
        let mut value = tlv.reader();
        match tlv.tag {
            tag::record::TITLE => self.title = Some(value.rest_str()?),
            tag::record::PEER => self.peer = Some(value.user()?),
            tag::record::LAST_ENTRY => self.last_entry = Some(EntryFrame::read(value)?),
            tag::record::MUTED => self.muted = value.u8()? != 0,
            tag::record::MEMBER_COUNT => self.member_count = Some(value.varint()?),
            tag::record::FIRST_VISIBLE => self.first_visible = value.sequence()?,
            tag::record::LEFT => self.left = value.u8()? != 0,
            tag::record::PEER_READ => self.peer_read = Some(value.sequence()?),
            tag::record::PEER_DELIVERED => self.peer_delivered = Some(value.sequence()?),
            _ => {}
        }
        Ok(())
    }

    /// The record of `chat`; `last` is its last entry, laid out as a preview.
    fn of_chat(chat: &'a Chat, last: Option<&'a EntryEncoder<'a>>) -> Self {
        let (peer, peer_cursor) = chat.peer.unzip();
        Self {
            conversation: chat.conversation.id,
            kind: match chat.conversation.kind() {
                ConversationKind::Journal => conversation_kind::JOURNAL,
                ConversationKind::Direct => conversation_kind::DIRECT,
                ConversationKind::Group => conversation_kind::GROUP,
            },
            last_sequence: chat.head.sequence,
            last_ordinal: chat.head.ordinal,
            last_at: chat.head.sent_at,
            read: chat.cursor.read,
            read_ordinal: chat.cursor.read_ordinal,
            delivered: chat.cursor.delivered,
            title: chat.settings.title.as_ref().map(Title::as_str),
            peer,
            last_entry: last.map(|last| last.frame(false)),
            muted: false,
            member_count: Some(chat.member_count),
            first_visible: chat.first_visible,
            left: chat.left,
            peer_read: peer_cursor.map(|cursor| cursor.read),
            peer_delivered: peer_cursor.map(|cursor| cursor.delivered),
        }
    }

    fn write(&self, body: &mut Writer<'_>) {
        body.varint(self.conversation.get());
        body.varint(self.kind);
        body.varint(self.last_sequence.get());
        body.varint(self.last_ordinal.get());
        body.ts(self.last_at);
        for number in [self.read.get(), self.read_ordinal.get(), self.delivered.get()] {
            body.varint(number);
        }
        if let Some(title) = self.title {
            body.tlv_bytes(tag::record::TITLE, title.as_bytes());
        }
        body.tlv_optional(tag::record::PEER, self.peer.map(UserId::get));
        if let Some(entry) = self.last_entry {
            body.tlv(tag::record::LAST_ENTRY, |value| entry.write(value));
        }
        if self.muted {
            body.tlv_bytes(tag::record::MUTED, &[1]);
        }
        body.tlv_optional(tag::record::MEMBER_COUNT, self.member_count);
        if self.first_visible != Sequence::FIRST {
            body.tlv_varint(tag::record::FIRST_VISIBLE, self.first_visible.get());
        }
        if self.left {
            body.tlv_bytes(tag::record::LEFT, &[1]);
        }
        body.tlv_optional(tag::record::PEER_READ, self.peer_read.map(Sequence::get));
        body.tlv_optional(tag::record::PEER_DELIVERED, self.peer_delivered.map(Sequence::get));
    }
}

/// Records: checked bytes, or values to be encoded.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a>(List<'a>);

#[derive(Clone, Copy, Debug)]
enum List<'a> {
    Bytes(Reader<'a>),
    Items(&'a [Record<'a>]),
}

impl<'a> Records<'a> {
    pub(crate) fn read(body: &mut Reader<'a>) -> Result<Self, ProtocolError> {
        let count = body.varint()?;
        let start = *body;
        for _ in 0..count {
            Record::read(body.nested()?)?;
        }
        Ok(Self(List::Bytes(start.until(body))))
    }

    /// The records.
    pub fn iter(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let (mut reader, items) = match self.0 {
            List::Bytes(reader) => (reader, &[][..]),
            List::Items(items) => (Reader::new(&[], 0), items),
        };
        let decoded = std::iter::from_fn(move || Record::read(reader.nested().ok()?).ok());
        decoded.chain(items.iter().copied())
    }

    pub(crate) fn write(&self, body: &mut Writer<'_>) {
        body.count(self.iter().count());
        for record in self.iter() {
            body.nested(|body| record.write(body));
        }
    }
}

impl<'a> From<&'a [Record<'a>]> for Records<'a> {
    fn from(items: &'a [Record<'a>]) -> Self {
        Self(List::Items(items))
    }
}

impl PartialEq for Records<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Records<'_> {}

/// The bytes that the record of `chat` takes in a SYNCED, its length included: what a page is
/// measured by.
pub fn record_len(chat: &Chat) -> usize {
    let mut bytes = Vec::new();
    write_chat(chat, &mut Writer::new(&mut bytes));
    bytes.len()
}

/// Appends the SYNCED that answers request `rid`.
pub fn encode_synced(rid: u64, synced: &Synced, out: &mut Vec<u8>) {
    let more = if synced.more { synced_flag::MORE } else { 0 };
    let everything = if synced.everything { synced_flag::EVERYTHING } else { 0 };
    Writer::new(out).frame(frame::SYNCED, |body| {
        body.varint(rid);
        body.u8(u8::try_from(more | everything).unwrap_or_default());
        body.bytes(&synced.token);
        body.count(synced.chats.len());
        for chat in &synced.chats {
            write_chat(chat, body);
        }
    });
}

fn write_chat(chat: &Chat, body: &mut Writer<'_>) {
    let last =
        chat.last_entry.as_ref().map(|entry| EntryEncoder::preview(chat.conversation.id, entry));
    body.nested(|body| Record::of_chat(chat, last.as_ref()).write(body));
}
