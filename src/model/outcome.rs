//! What a command led to, as data: the doors render it.

use super::{
    Account, Actor, Contact, Conversation, ConversationId, Cursor, Device, Entry, Grant, Head,
    Ordinal, Role, Secret, Sequence, Settings, Timestamp, UserId,
};
use bytes::Bytes;
use std::time::Duration;

/// A device signed in, or its tokens exchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub actor: Actor,
    /// The access token.
    pub access_token: Secret,
    /// How long the access token is valid.
    pub expires_in: Duration,
    /// The refresh token.
    pub refresh_token: Secret,
}

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    /// Who.
    pub user: UserId,
    /// The unique name.
    pub username: super::Username,
    /// What others see.
    pub profile: super::Profile,
    /// When they registered.
    pub created_at: Timestamp,
}

impl From<Account> for UserView {
    fn from(account: Account) -> Self {
        let Account { user, username, password: _, profile, created_at } = account;
        Self { user, username, profile, created_at }
    }
}

/// The answer to a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where.
    pub conversation: ConversationId,
    /// At which sequence it is stored.
    pub sequence: Sequence,
    /// The ordinal there.
    pub ordinal: Ordinal,
    /// When it was accepted.
    pub sent_at: Timestamp,
    /// Whether an earlier copy was found instead of storing this one.
    pub duplicate: bool,
}

/// A conversation as one of its members sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// Which.
    pub conversation: Conversation,
    /// What is set on it.
    pub settings: Settings,
    /// Its end, as far as this user may see it.
    pub head: Head,
    /// How far this user has come.
    pub cursor: Cursor,
    /// In a direct chat: the other user and how far they have come.
    pub peer: Option<(UserId, Cursor)>,
    /// How many belong to it now.
    pub member_count: u64,
    /// The first sequence this user may see.
    pub first_visible: Sequence,
    /// Whether this user no longer belongs to it.
    pub left: bool,
    /// The last visible entry.
    pub last_entry: Option<Entry>,
}

impl Chat {
    /// How many entries that count the user has not read.
    pub fn unread(&self) -> u64 {
        self.head.ordinal.since(self.cursor.read_ordinal)
    }
}

/// A member and how far they have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// The first sequence of their current membership.
    pub joined: Sequence,
    /// How far they have come.
    pub cursor: Cursor,
}

/// A range of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where.
    pub conversation: ConversationId,
    /// The visible entries, ascending.
    pub entries: Vec<Entry>,
    /// The end that was evaluated, never above the visible head.
    pub to: Sequence,
    /// Where to read on; zero if complete.
    pub next: Sequence,
}

/// What a long poll brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Entries of all chats, ascending in each.
    pub entries: Vec<(ConversationId, Entry)>,
    /// Whether more are waiting.
    pub more: bool,
}

/// One page of what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// The conversations, the last active first.
    pub chats: Vec<Chat>,
    /// Whether more pages follow.
    pub more: bool,
    /// Whether this SYNC lists everything, so that what is absent counts as left.
    pub everything: bool,
    /// What to hand back next: the next page's, or a resting point on the last page.
    pub token: Bytes,
}

/// What a command led to; which variant answers which command stands at [`super::Command`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to tell.
    Done,
    /// A device was signed in.
    SignedIn(SignedIn),
    /// A token was found valid.
    Authenticated(Grant),
    /// A user.
    User(UserView),
    /// Users.
    Users(Vec<UserView>),
    /// Devices, revoked ones left out.
    Devices(Vec<Device>),
    /// A contact.
    Contact(Contact),
    /// A page of contacts; fewer than asked for on the last page.
    Contacts(Vec<Contact>),
    /// A chat.
    Chat {
        /// As the actor sees it.
        chat: Box<Chat>,
        /// Whether this command created it.
        created: bool,
    },
    /// A page of chats.
    Chats {
        /// The last active first.
        chats: Vec<Chat>,
        /// Where to read on; `None` on the last page.
        next: Option<(Timestamp, ConversationId)>,
    },
    /// The members of a chat.
    Members(Vec<MemberView>),
    /// A send was stored.
    Sent(Sent),
    /// A range of a log.
    Fetched(Fetched),
    /// A page of history and whether more follows in its direction.
    History {
        /// In the order asked for.
        entries: Vec<Entry>,
        /// Whether more visible entries follow.
        more: bool,
    },
    /// What a long poll brought.
    Received(Received),
    /// What changed.
    Synced(Synced),
}
