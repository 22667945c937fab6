//! Bytes to content.

use crate::model::ErrorCode;
use crate::model::{
    Attachment, ContactState, Content, DeviceChange, DeviceId, DeviceName, EntryKind, Erasure,
    MediaId, MemberChange, Message, Role, Sequence, Text, Title, UserId,
};
use crate::protocol::client_frame::SendFrame;
use crate::protocol::constants::{
    contact_state, device_change, entry_kind, limit, member_change, role, tag,
};
use crate::protocol::entry_frame::EntryFrame;
use crate::protocol::error::{Fault, ProtocolError};
use crate::protocol::reader::Reader;
use crate::protocol::tlv::{Tlv, Tlvs};
use bytes::Bytes;

/// The first tag of opaque entries that is the application's.
const OPAQUE_TAG_FIRST: u64 = 64;

/// Tags that only the server sets, whatever the kind.
const SERVER_TAGS: [u64; 3] = [tag::entry::CMID, tag::message::EDITED, tag::message::ERASED];

/// What an ENTRY says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// Something this version understands.
    Known {
        /// The content.
        content: Content,
        /// The sequence of the last edit.
        edited: Option<Sequence>,
        /// Why its body was removed.
        erased: Option<Erasure>,
    },
    /// Something newer: kept as it is, counted as held, read again after an upgrade.
    Placeholder,
}

/// Reads what a client wants to append.
///
/// # Errors
/// With a rid: a kind or tag that clients may not send, or a value that breaks a rule. Without one:
/// a tagged value cut short, which closes the connection.
pub fn from_client(send: &SendFrame<'_>) -> Result<Content, ProtocolError> {
    let refuse = |fault, offset| ProtocolError::refusing(send.rid, fault, offset);
    let kind = EntryKind::new(send.kind).ok_or(refuse(Fault::UnknownKind(send.kind), 0))?;
    match send.kind {
        entry_kind::MESSAGE..=entry_kind::PIN => {}
        entry_kind::MEMBER..=entry_kind::DEVICE => {
            return Err(refuse(Fault::ServerKind(send.kind), 0));
        }
        _ if kind.is_opaque() => {}
        _ => return Err(refuse(Fault::UnknownKind(send.kind), 0)),
    }
    if let Some(tlv) = send.tlvs.iter().find(|tlv| SERVER_TAGS.contains(&tlv.tag)) {
        return Err(refuse(Fault::ServerTag(tlv.tag), tlv.offset));
    }
    // A broken layout closes the connection; anything else concerns this request alone.
    content(kind, send.body, &send.tlvs).map_err(|error| {
        let breaks = error.fault.code() == ErrorCode::Malformed;
        if breaks { error } else { error.for_rid(send.rid) }
    })
}

/// Reads what the server sent.
///
/// # Errors
/// A tagged value cut short.
pub fn from_server(entry: &EntryFrame<'_>) -> Result<Served, ProtocolError> {
    let Some(kind) = EntryKind::new(entry.kind) else { return Ok(Served::Placeholder) };
    let content = match content(kind, entry.body, &entry.tlvs) {
        Ok(content) => content,
        Err(error) if error.fault.code() == ErrorCode::Malformed => return Err(error),
        Err(_) => return Ok(Served::Placeholder),
    };
    if kind.is_opaque() {
        return Ok(Served::Known { content, edited: None, erased: None });
    }
    let edited = entry.tlvs.varint(tag::message::EDITED)?.and_then(Sequence::new);
    let erased = entry.tlvs.varint(tag::message::ERASED)?.map(Erasure);
    Ok(Served::Known { content, edited, erased })
}

fn content(kind: EntryKind, body: &[u8], tlvs: &Tlvs<'_>) -> Result<Content, ProtocolError> {
    if kind.is_opaque() {
        return opaque(kind, body, tlvs);
    }
    tlvs.refuse_unknown(even_tags(kind))?;
    let fields = Fields { body, tlvs };
    Ok(match kind.get() {
        entry_kind::MESSAGE => Content::Message(message(&fields)?),
        entry_kind::EDIT => Content::Edit { target: fields.target()?, text: fields.text()? },
        entry_kind::UNSEND if body.is_empty() => Content::Unsend { target: fields.target()? },
        entry_kind::UNSEND => return Err(Fields::invalid("body")),
        entry_kind::REACTION => {
            Content::Reaction { target: fields.target()?, emoji: fields.text()? }
        }
        entry_kind::PIN => Content::Pin { target: fields.target()?, pinned: fields.flag()? },
        entry_kind::MEMBER => Content::Member {
            users: users(fields.value(tag::member::USERS, "users")?.reader())?,
            change: fields.number(tag::member::CHANGE, "change", member_change)?,
            role: fields.optional(tag::member::ROLE, "role", role_of)?,
        },
        entry_kind::SETTINGS => Content::Settings {
            title: fields.label(tag::settings::TITLE, "title", Title::new)?,
            picture: fields.optional(tag::settings::PICTURE, "picture", MediaId::new)?,
        },
        entry_kind::CONTACT => Content::Contact {
            user: fields.number(tag::contact::USER, "user", UserId::new)?,
            state: fields.number(tag::contact::STATE, "state", contact_state)?,
        },
        entry_kind::DEVICE => Content::Device {
            device: fields.number(tag::device::DEVICE, "device", DeviceId::new)?,
            change: fields.number(tag::device::CHANGE, "change", device_change)?,
            name: fields.label(tag::device::NAME, "name", DeviceName::new)?.unwrap_or_default(),
        },
        unknown => return Err(ProtocolError::closing(Fault::UnknownKind(unknown), 0)),
    })
}

/// The even tags that entries of a kind may carry.
const fn even_tags(kind: EntryKind) -> &'static [u64] {
    match kind.get() {
        entry_kind::EDIT..=entry_kind::PIN => &[tag::edit::TARGET],
        entry_kind::MEMBER => &[tag::member::USERS, tag::member::CHANGE],
        entry_kind::CONTACT => &[tag::contact::USER, tag::contact::STATE],
        entry_kind::DEVICE => &[tag::device::DEVICE, tag::device::CHANGE],
        _ => &[],
    }
}

fn opaque(kind: EntryKind, body: &[u8], tlvs: &Tlvs<'_>) -> Result<Content, ProtocolError> {
    let ours = |tlv: &Tlv<'_>| tlv.tag < OPAQUE_TAG_FIRST;
    if let Some(tlv) = tlvs.iter().filter(ours).find(|tlv| tlv.tag.is_multiple_of(2)) {
        return Err(ProtocolError::closing(Fault::UnknownTag(tlv.tag), tlv.offset));
    }
    let attributes = tlvs
        .iter()
        .filter(|tlv| !ours(tlv))
        .map(|tlv| (tlv.tag, Bytes::copy_from_slice(tlv.value)))
        .collect();
    Ok(Content::Opaque { kind, body: Bytes::copy_from_slice(body), attributes })
}

/// The body and tagged values of an entry that is understood.
struct Fields<'f, 'a> {
    body: &'a [u8],
    tlvs: &'f Tlvs<'a>,
}

impl<'a> Fields<'_, 'a> {
    fn invalid(name: &'static str) -> ProtocolError {
        ProtocolError::closing(Fault::Invalid(name), 0)
    }

    /// The body as text.
    fn text(&self) -> Result<Text, ProtocolError> {
        // Checked before it is copied.
        match std::str::from_utf8(self.body) {
            Ok(text) => Ok(Text::from(text)),
            Err(_) => Err(Self::invalid("body")),
        }
    }

    /// The body as one byte, 0 or 1.
    fn flag(&self) -> Result<bool, ProtocolError> {
        match self.body {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Self::invalid("body")),
        }
    }

    fn target(&self) -> Result<Sequence, ProtocolError> {
        self.number(tag::edit::TARGET, "target", position)
    }

    fn value(&self, tag: u64, name: &'static str) -> Result<Tlv<'a>, ProtocolError> {
        self.tlvs.get(tag).ok_or(Self::invalid(name))
    }

    /// A number that must be there.
    fn number<T>(
        &self,
        tag: u64,
        name: &'static str,
        new: impl FnOnce(u64) -> Option<T>,
    ) -> Result<T, ProtocolError> {
        self.optional(tag, name, new)?.ok_or(Self::invalid(name))
    }

    /// A number that may be absent.
    fn optional<T>(
        &self,
        tag: u64,
        name: &'static str,
        new: impl FnOnce(u64) -> Option<T>,
    ) -> Result<Option<T>, ProtocolError> {
        match self.tlvs.varint(tag)? {
            Some(number) => new(number).map(Some).ok_or(Self::invalid(name)),
            None => Ok(None),
        }
    }

    /// A short text that may be absent.
    fn label<T>(
        &self,
        tag: u64,
        name: &'static str,
        new: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ProtocolError> {
        match self.tlvs.str(tag)? {
            Some(text) => new(text).map(Some).ok_or(Self::invalid(name)),
            None => Ok(None),
        }
    }
}

fn message(fields: &Fields<'_, '_>) -> Result<Message, ProtocolError> {
    let mut message = Message { text: fields.text()?, ..Message::default() };
    if fields.tlvs.is_empty() {
        return Ok(message);
    }
    if let Some(tlv) = fields.tlvs.get(tag::message::ATTACHMENTS) {
        let mut items = tlv.reader();
        while !items.is_empty() {
            if message.attachments.len() == limit::ATTACHMENTS_MAX {
                return Err(items.error(Fault::TooLong("attachments")));
            }
            message.attachments.push(attachment(items.nested()?)?);
        }
    }
    message.reply_to = fields.optional(tag::message::REPLY_TO, "reply_to", position)?;
    if let Some(tlv) = fields.tlvs.get(tag::message::MENTIONS) {
        message.mentions = users(tlv.reader())?;
        if message.mentions.len() > limit::MENTIONS_MAX {
            return Err(tlv.reader().error(Fault::TooLong("mentions")));
        }
    }
    Ok(message)
}

fn attachment(mut item: Reader<'_>) -> Result<Attachment, ProtocolError> {
    Ok(Attachment {
        media: item.id("media", MediaId::new)?,
        size: item.varint()?,
        media_type: item.str()?.to_owned(),
        name: item.str()?.to_owned(),
        width: item.varint()?,
        height: item.varint()?,
        duration_ms: item.varint()?,
        preview: Bytes::copy_from_slice(item.bytes()?),
    })
}

fn users(mut value: Reader<'_>) -> Result<Vec<UserId>, ProtocolError> {
    let mut users = Vec::new();
    while !value.is_empty() {
        users.push(value.user()?);
    }
    Ok(users)
}

/// A sequence that names an entry.
fn position(number: u64) -> Option<Sequence> {
    Sequence::new(number).filter(|sequence| *sequence > Sequence::ZERO)
}

const fn member_change(number: u64) -> Option<MemberChange> {
    Some(match number {
        member_change::ADDED => MemberChange::Added,
        member_change::LEFT => MemberChange::Left,
        member_change::REMOVED => MemberChange::Removed,
        member_change::ROLE => MemberChange::Role,
        _ => return None,
    })
}

const fn role_of(number: u64) -> Option<Role> {
    Some(match number {
        role::MEMBER => Role::Member,
        role::ADMIN => Role::Admin,
        role::OWNER => Role::Owner,
        _ => return None,
    })
}

const fn contact_state(number: u64) -> Option<ContactState> {
    Some(match number {
        contact_state::REQUESTED_BY_YOU => ContactState::RequestedByYou,
        contact_state::REQUESTED_BY_THEM => ContactState::RequestedByThem,
        contact_state::ACCEPTED => ContactState::Accepted,
        contact_state::BLOCKED => ContactState::Blocked,
        contact_state::NONE => ContactState::None,
        _ => return None,
    })
}

const fn device_change(number: u64) -> Option<DeviceChange> {
    Some(match number {
        device_change::ADDED => DeviceChange::Added,
        device_change::REVOKED => DeviceChange::Revoked,
        _ => return None,
    })
}
