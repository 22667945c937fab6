//! Content to bytes.

use super::Layout;
use crate::model::{
    Attachment, ContactState, Content, DeviceChange, Erasure, MediaId, MemberChange, Message, Role,
    Sequence, Title, UserId,
};
use crate::protocol::constants::{contact_state, device_change, member_change, role, tag};
use crate::protocol::writer::Writer;

/// Lays out `content` and the two tags that only the server sets.
pub(super) fn layout(
    content: &Content,
    edited: Option<Sequence>,
    erased: Option<Erasure>,
) -> Layout<'_> {
    let mut tlvs = Vec::new();
    let mut out = Writer::new(&mut tlvs);
    let body = write(content, &mut out);
    if !content.kind().is_opaque() {
        out.tlv_optional(tag::message::EDITED, edited.map(Sequence::get));
        out.tlv_optional(tag::message::ERASED, erased.map(|erasure| erasure.0));
    }
    Layout { kind: content.kind().get(), body, tlvs }
}

/// Writes the tagged values of `content`, ascending; returns its body.
fn write<'a>(content: &'a Content, out: &mut Writer<'_>) -> &'a [u8] {
    match content {
        Content::Message(message) => write_message(message, out),
        Content::Edit { target, text } | Content::Reaction { target, emoji: text } => {
            out.tlv_varint(tag::edit::TARGET, target.get());
            text.as_bytes()
        }
        Content::Unsend { target } => {
            out.tlv_varint(tag::unsend::TARGET, target.get());
            &[]
        }
        Content::Pin { target, pinned } => {
            out.tlv_varint(tag::pin::TARGET, target.get());
            if *pinned { &[1] } else { &[0] }
        }
        Content::Member { users, change, role } => {
            out.tlv(tag::member::USERS, |value| write_users(users, value));
            out.tlv_varint(tag::member::CHANGE, member_change_number(*change));
            out.tlv_optional(tag::member::ROLE, role.map(role_number));
            &[]
        }
        Content::Settings { title, picture } => {
            if let Some(title) = title.as_ref().map(Title::as_str) {
                out.tlv_bytes(tag::settings::TITLE, title.as_bytes());
            }
            out.tlv_optional(tag::settings::PICTURE, picture.map(MediaId::get));
            &[]
        }
        Content::Contact { user, state } => {
            out.tlv_varint(tag::contact::USER, user.get());
            out.tlv_varint(tag::contact::STATE, contact_state_number(*state));
            &[]
        }
        Content::Device { device, change, name } => {
            out.tlv_varint(tag::device::DEVICE, device.get());
            out.tlv_varint(tag::device::CHANGE, device_change_number(*change));
            out.tlv_bytes(tag::device::NAME, name.as_str().as_bytes());
            &[]
        }
        Content::Opaque { kind: _, body, attributes } => {
            for (tag, value) in attributes {
                out.tlv_bytes(*tag, value);
            }
            body
        }
    }
}

fn write_message<'a>(message: &'a Message, out: &mut Writer<'_>) -> &'a [u8] {
    if !message.attachments.is_empty() {
        out.tlv(tag::message::ATTACHMENTS, |value| {
            for attachment in &message.attachments {
                value.nested(|item| write_attachment(attachment, item));
            }
        });
    }
    out.tlv_optional(tag::message::REPLY_TO, message.reply_to.map(Sequence::get));
    if !message.mentions.is_empty() {
        out.tlv(tag::message::MENTIONS, |value| write_users(&message.mentions, value));
    }
    message.text.as_bytes()
}

fn write_attachment(attachment: &Attachment, item: &mut Writer<'_>) {
    item.varint(attachment.media.get());
    item.varint(attachment.size);
    item.bytes(attachment.media_type.as_bytes());
    item.bytes(attachment.name.as_bytes());
    for number in [attachment.width, attachment.height, attachment.duration_ms] {
        item.varint(number);
    }
    item.bytes(&attachment.preview);
}

fn write_users(users: &[UserId], value: &mut Writer<'_>) {
    for user in users {
        value.varint(user.get());
    }
}

const fn member_change_number(change: MemberChange) -> u64 {
    match change {
        MemberChange::Added => member_change::ADDED,
        MemberChange::Left => member_change::LEFT,
        MemberChange::Removed => member_change::REMOVED,
        MemberChange::Role => member_change::ROLE,
    }
}

const fn role_number(value: Role) -> u64 {
    match value {
        Role::Member => role::MEMBER,
        Role::Admin => role::ADMIN,
        Role::Owner => role::OWNER,
    }
}

const fn contact_state_number(state: ContactState) -> u64 {
    match state {
        ContactState::RequestedByYou => contact_state::REQUESTED_BY_YOU,
        ContactState::RequestedByThem => contact_state::REQUESTED_BY_THEM,
        ContactState::Accepted => contact_state::ACCEPTED,
        ContactState::Blocked => contact_state::BLOCKED,
        ContactState::None => contact_state::NONE,
    }
}

const fn device_change_number(change: DeviceChange) -> u64 {
    match change {
        DeviceChange::Added => device_change::ADDED,
        DeviceChange::Revoked => device_change::REVOKED,
    }
}
