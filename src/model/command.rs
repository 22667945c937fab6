//! What a door asks of the core. Both doors speak [`Command`], so both share every rule.

use super::{
    ClientMessageId, Content, ConversationId, DeviceId, DeviceName, DisplayName, ProfileChange,
    Role, Sequence, Timestamp, Title, UserId, Username,
};
use bytes::Bytes;

/// Who performs a command: a user on one of their devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
}

/// A password as typed: 8 to 256 bytes. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl Password {
    /// The fewest bytes.
    pub const BYTES_MIN: usize = 8;
    /// The most bytes, so that hashing one has a bound.
    pub const BYTES_MAX: usize = 256;

    /// Checks the length.
    pub fn new(password: &str) -> Option<Self> {
        (Self::BYTES_MIN..=Self::BYTES_MAX).contains(&password.len()).then(|| Self(password.into()))
    }

    /// The password.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// A token as presented or issued. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a token.
    pub fn new(token: &str) -> Self {
        Self(token.into())
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a valid access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who presented it.
    pub actor: Actor,
    /// The sign-in of the device it belongs to; a token of an earlier one is revoked.
    pub family: u64,
}

/// What a client does besides messages; never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EphemeralKind {
    /// The user is writing.
    Typing,
    /// The user has stopped writing.
    Stopped,
    /// A kind this version only carries.
    Other(u64),
}

/// One intent. Commands that need an [`Actor`] are refused as unauthenticated without one.
#[derive(Clone, Debug)]
pub enum Command {
    /// Creates an account and signs a first device in. No actor. Answer: `SignedIn`.
    Register {
        /// The unique name.
        username: Username,
        /// The password.
        password: Password,
        /// The name for people; the user name where absent.
        display_name: Option<DisplayName>,
        /// What the device calls itself.
        device_name: DeviceName,
    },
    /// Signs a device in. No actor. Answer: `SignedIn`.
    Login {
        /// The unique name.
        username: Username,
        /// The password.
        password: Password,
        /// What the device calls itself.
        device_name: DeviceName,
        /// Re-enters this device of one's own instead of adding one.
        device: Option<DeviceId>,
    },
    /// Exchanges a refresh token. No actor. Answer: `SignedIn`.
    Refresh {
        /// The refresh token.
        token: Secret,
    },
    /// Tells who an access token belongs to, and that the device is not revoked. No actor.
    /// Answer: `Authenticated`.
    Authenticate {
        /// The access token.
        token: Secret,
    },
    /// Signs the actor's device out and closes its connections. Answer: `Done`.
    Logout,
    /// The actor's own profile. Answer: `User`.
    Profile,
    /// Changes the actor's profile. Answer: `User`.
    UpdateProfile(ProfileChange),
    /// A user by exact name. Answer: `User`, or not-found.
    UserByName(Username),
    /// Users by id; unknown ones are left out. At most 100. Answer: `Users`.
    UsersById(Vec<UserId>),
    /// The actor's devices. Answer: `Devices`.
    Devices,
    /// Renames a device of the actor's. Answer: `Done`.
    RenameDevice {
        /// Which.
        device: DeviceId,
        /// Its new name.
        name: DeviceName,
    },
    /// Signs another device of the actor's out and closes its connections. Answer: `Done`.
    RevokeDevice {
        /// Which.
        device: DeviceId,
    },
    /// The actor's contacts, ordered by user id, after `after`. Answer: `Contacts`.
    Contacts {
        /// The last user of the page before.
        after: Option<UserId>,
        /// At most this many.
        limit: usize,
    },
    /// Puts a user on the actor's contact list. Answer: `Contact`.
    AddContact {
        /// Who.
        user: UserId,
    },
    /// Takes a user off the actor's contact list; absent is fine. Answer: `Done`.
    RemoveContact {
        /// Who.
        user: UserId,
    },
    /// Finds or creates the direct chat with a user. Answer: `Chat`.
    CreateDirect {
        /// The other user.
        user: UserId,
    },
    /// Creates a group, or finds the one the actor created under the same client id.
    /// Answer: `Chat`.
    CreateGroup {
        /// Its title.
        title: Title,
        /// The first members; the actor is added and is its owner.
        members: Vec<UserId>,
        /// Makes a repeated request find the group it created before.
        client_id: ClientMessageId,
    },
    /// The actor's current chats, the last active first. Answer: `Chats`.
    Chats {
        /// Where the page before ended.
        cursor: Option<(Timestamp, ConversationId)>,
        /// At most this many.
        limit: usize,
    },
    /// One chat of the actor's. Answer: `Chat`.
    Chat {
        /// Which.
        chat: ConversationId,
    },
    /// Who belongs to a chat, with their cursors. Answer: `Members`.
    Members {
        /// Which.
        chat: ConversationId,
    },
    /// Gives a group another title. Answer: `Done`.
    RenameGroup {
        /// Which.
        chat: ConversationId,
        /// Its new title.
        title: Title,
    },
    /// Gives a member of a group another role. Answer: `Done`.
    SetRole {
        /// Which.
        chat: ConversationId,
        /// Who.
        user: UserId,
        /// What they may do from now on.
        role: Role,
    },
    /// Adds users to a group; those present are left as they are. Answer: `Done`.
    AddMembers {
        /// Which.
        chat: ConversationId,
        /// Who.
        users: Vec<UserId>,
    },
    /// Removes a user from a group; the actor themselves leaves. Absent is fine. Answer: `Done`.
    RemoveMember {
        /// Which.
        chat: ConversationId,
        /// Who.
        user: UserId,
    },
    /// Sends into a chat. Answer: `Sent`.
    Send {
        /// Where.
        conversation: ConversationId,
        /// By what a resend is recognised.
        client_message: ClientMessageId,
        /// Where an earlier copy can lie at the earliest; `None` (REST only) stands for the last
        /// 4,096 entries.
        floor: Option<Sequence>,
        /// What.
        content: Content,
    },
    /// A range of a log that the actor may see, oldest first, cut to a page. Answer: `Fetched`.
    Fetch {
        /// Where.
        conversation: ConversationId,
        /// The first sequence.
        from: Sequence,
        /// The last sequence; zero for the head.
        to: Sequence,
    },
    /// A page of history for REST. Bounds are exclusive; newest first unless `after` is given.
    /// Answer: `History`.
    History {
        /// Where.
        chat: ConversationId,
        /// Only entries before this.
        before: Option<Sequence>,
        /// Only entries after this, oldest first.
        after: Option<Sequence>,
        /// At most this many.
        limit: usize,
    },
    /// The entries of all chats that the device has not acknowledged, waiting for the first one.
    /// Answer: `Received`.
    Receive {
        /// Acknowledged first, durably.
        acks: Vec<(ConversationId, Sequence)>,
        /// How long to wait for a first entry.
        wait: std::time::Duration,
        /// At most this many.
        limit: usize,
    },
    /// What changed since a token. Answer: `Synced`.
    Sync {
        /// The token of the last answer; empty, unknown or of another epoch: everything.
        token: Bytes,
        /// At most this many conversations; 0 for the server's choice.
        limit: usize,
    },
    /// Cumulative acknowledgement: the device has stored everything up to there. Answer: `Done`.
    Ack(Vec<(ConversationId, Sequence)>),
    /// The user has read everything up to there. Answer: `Done`.
    Read {
        /// Where.
        conversation: ConversationId,
        /// Up to which sequence.
        read: Sequence,
    },
    /// Typing and the like. Never answered on the WebSocket. Answer: `Done`.
    Ephemeral {
        /// Where.
        conversation: ConversationId,
        /// What.
        kind: EphemeralKind,
        /// Carried along.
        body: Bytes,
    },
}
