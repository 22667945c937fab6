//! Contents of entries as rows.

use super::membership::{ArchivedRoleV1, RoleV1};
use super::optional;
use crate::model::{
    Attachment, ContactState, Content, DeviceChange, DeviceId, DeviceName, EntryKind, MediaId,
    MemberChange, Message, Sequence, Text, Title, UserId,
};
use bytes::Bytes;
use rkyv::boxed::ArchivedBox;
use rkyv::with::InlineAsBox;
use rkyv::{Archive, Archived, Serialize};

/// Borrows the bodies, so that they are copied once, into the row. What may be absent is zero or
/// empty where the model knows no such value.
#[derive(Archive, Serialize)]
pub(super) enum ContentV1<'a> {
    Message(MessageV1<'a>),
    Edit {
        target: u64,
        #[rkyv(with = InlineAsBox)]
        text: &'a [u8],
    },
    Unsend {
        target: u64,
    },
    Reaction {
        target: u64,
        #[rkyv(with = InlineAsBox)]
        emoji: &'a [u8],
    },
    Pin {
        target: u64,
        pinned: bool,
    },
    Member {
        users: Vec<u64>,
        change: MemberChangeV1,
        role: Option<RoleV1>,
    },
    Settings {
        #[rkyv(with = InlineAsBox)]
        title: &'a str,
        picture: u64,
    },
    Contact {
        user: u64,
        state: ContactStateV1,
    },
    Device {
        device: u64,
        change: DeviceChangeV1,
        #[rkyv(with = InlineAsBox)]
        name: &'a str,
    },
    Opaque {
        kind: u64,
        #[rkyv(with = InlineAsBox)]
        body: &'a [u8],
        attributes: Vec<AttributeV1<'a>>,
    },
}

#[derive(Archive, Serialize)]
pub(super) struct MessageV1<'a> {
    #[rkyv(with = InlineAsBox)]
    text: &'a [u8],
    attachments: Vec<AttachmentV1<'a>>,
    reply_to: u64,
    mentions: Vec<u64>,
}

#[derive(Archive, Serialize)]
pub(super) struct AttachmentV1<'a> {
    media: u64,
    size: u64,
    #[rkyv(with = InlineAsBox)]
    media_type: &'a str,
    #[rkyv(with = InlineAsBox)]
    name: &'a str,
    width: u64,
    height: u64,
    duration_ms: u64,
    #[rkyv(with = InlineAsBox)]
    preview: &'a [u8],
}

#[derive(Archive, Serialize)]
pub(super) struct AttributeV1<'a> {
    tag: u64,
    #[rkyv(with = InlineAsBox)]
    value: &'a [u8],
}

/// Mirrors an enum of the model variant by variant.
macro_rules! mirrored {
    ($record:ident, $archived:ident, $model:ident, $get:ident, $($variant:ident),+) => {
        #[derive(Archive, Serialize)]
        pub(super) enum $record { $($variant,)+ }

        impl From<$model> for $record {
            fn from(value: $model) -> Self {
                match value { $($model::$variant => Self::$variant,)+ }
            }
        }

        impl $archived {
            pub(super) fn $get(&self) -> $model {
                match self { $(Self::$variant => $model::$variant,)+ }
            }
        }
    };
}

mirrored!(MemberChangeV1, ArchivedMemberChangeV1, MemberChange, change, Added, Left, Removed, Role);
mirrored!(
    ContactStateV1,
    ArchivedContactStateV1,
    ContactState,
    state,
    RequestedByYou,
    RequestedByThem,
    Accepted,
    Blocked,
    None
);
mirrored!(DeviceChangeV1, ArchivedDeviceChangeV1, DeviceChange, change, Added, Revoked);

impl<'a> From<&'a Content> for ContentV1<'a> {
    fn from(content: &'a Content) -> Self {
        match content {
            Content::Message(message) => Self::Message(message.into()),
            Content::Edit { target, text } => {
                Self::Edit { target: target.get(), text: text.as_bytes() }
            }
            Content::Unsend { target } => Self::Unsend { target: target.get() },
            Content::Reaction { target, emoji } => {
                Self::Reaction { target: target.get(), emoji: emoji.as_bytes() }
            }
            Content::Pin { target, pinned } => Self::Pin { target: target.get(), pinned: *pinned },
            Content::Member { users, change, role } => Self::Member {
                users: users.iter().map(|user| user.get()).collect(),
                change: (*change).into(),
                role: role.map(RoleV1::from),
            },
            Content::Settings { title, picture } => Self::Settings {
                title: title.as_ref().map_or("", Title::as_str),
                picture: picture.map_or(0, MediaId::get),
            },
            Content::Contact { user, state } => {
                Self::Contact { user: user.get(), state: (*state).into() }
            }
            Content::Device { device, change, name } => {
                Self::Device { device: device.get(), change: (*change).into(), name: name.as_str() }
            }
            Content::Opaque { kind, body, attributes } => Self::Opaque {
                kind: kind.get(),
                body,
                attributes: attributes
                    .iter()
                    .map(|(tag, value)| AttributeV1 { tag: *tag, value })
                    .collect(),
            },
        }
    }
}

impl<'a> From<&'a Message> for MessageV1<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            text: message.text.as_bytes(),
            attachments: message.attachments.iter().map(AttachmentV1::from).collect(),
            reply_to: message.reply_to.map_or(0, Sequence::get),
            mentions: message.mentions.iter().map(|user| user.get()).collect(),
        }
    }
}

impl<'a> From<&'a Attachment> for AttachmentV1<'a> {
    fn from(attachment: &'a Attachment) -> Self {
        let Attachment { media, size, media_type, name, width, height, duration_ms, preview } =
            attachment;
        Self {
            media: media.get(),
            size: *size,
            media_type,
            name,
            width: *width,
            height: *height,
            duration_ms: *duration_ms,
            preview,
        }
    }
}

impl ArchivedContentV1<'_> {
    pub(super) fn content(&self) -> Option<Content> {
        Some(match self {
            Self::Message(message) => Content::Message(message.message()?),
            Self::Edit { target, text: body } => {
                Content::Edit { target: sequence(*target)?, text: text(body)? }
            }
            Self::Unsend { target } => Content::Unsend { target: sequence(*target)? },
            Self::Reaction { target, emoji } => {
                Content::Reaction { target: sequence(*target)?, emoji: text(emoji)? }
            }
            Self::Pin { target, pinned } => {
                Content::Pin { target: sequence(*target)?, pinned: *pinned }
            }
            Self::Member { users: ids, change, role } => Content::Member {
                users: users(ids)?,
                change: change.change(),
                role: role.as_ref().map(ArchivedRoleV1::role),
            },
            Self::Settings { title, picture } => Content::Settings {
                title: if title.is_empty() { None } else { Some(Title::new(title)?) },
                picture: optional(picture.to_native(), MediaId::new)?,
            },
            Self::Contact { user, state } => {
                Content::Contact { user: UserId::new(user.to_native())?, state: state.state() }
            }
            Self::Device { device, change, name } => Content::Device {
                device: DeviceId::new(device.to_native())?,
                change: change.change(),
                name: DeviceName::new(name)?,
            },
            Self::Opaque { kind, body, attributes } => Content::Opaque {
                kind: EntryKind::new(kind.to_native())?,
                body: Box::from(&**body),
                attributes: attributes.iter().map(ArchivedAttributeV1::attribute).collect(),
            },
        })
    }
}

impl ArchivedMessageV1<'_> {
    fn message(&self) -> Option<Message> {
        let attachments = self.attachments.iter().map(ArchivedAttachmentV1::attachment);
        Some(Message {
            text: text(&self.text)?,
            attachments: attachments.collect::<Option<_>>()?,
            reply_to: optional(self.reply_to.to_native(), Sequence::new)?,
            mentions: users(&self.mentions)?,
        })
    }
}

impl ArchivedAttachmentV1<'_> {
    fn attachment(&self) -> Option<Attachment> {
        Some(Attachment {
            media: MediaId::new(self.media.to_native())?,
            size: self.size.to_native(),
            media_type: self.media_type.as_ref().to_owned(),
            name: self.name.as_ref().to_owned(),
            width: self.width.to_native(),
            height: self.height.to_native(),
            duration_ms: self.duration_ms.to_native(),
            preview: Bytes::copy_from_slice(&self.preview),
        })
    }
}

impl ArchivedAttributeV1<'_> {
    fn attribute(&self) -> (u64, Bytes) {
        (self.tag.to_native(), Bytes::copy_from_slice(&self.value))
    }
}

fn sequence(number: Archived<u64>) -> Option<Sequence> {
    Sequence::new(number.to_native())
}

fn text(bytes: &ArchivedBox<[u8]>) -> Option<Text> {
    Text::new(bytes)
}

fn users<C: FromIterator<UserId>>(ids: &[Archived<u64>]) -> Option<C> {
    ids.iter().map(|id| UserId::new(id.to_native())).collect()
}
