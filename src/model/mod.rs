//! The vocabulary of the messenger: what every other module speaks.
//!
//! Owns identifiers, positions, entries and their content, conversations and membership, and the
//! commands and outcomes that both doors exchange with the core. It does no I/O, reads no clock and
//! knows no byte layout: `protocol` puts these types on the wire, `store` puts them on disk.

mod account;
mod command;
mod content;
mod conversation;
mod cursor;
mod entry;
mod error;
mod fingerprint;
mod ids;
mod membership;
mod outcome;
mod position;

pub use account::{
    Account, Device, DeviceName, DisplayName, PasswordHash, Profile, ProfileChange, Username,
};
pub use command::{Actor, Command, EphemeralKind, Grant, Password, Secret};
pub use content::{
    Attachment, ContactState, Content, DeviceChange, EntryKind, MemberChange, Message, Text,
};
pub use conversation::{Claim, Conversation, ConversationKind, Settings, Title};
pub use cursor::{Cursor, CursorAdvance};
pub use entry::{Entry, Erasure, Head};
pub use error::{Applied, CommandError, ErrorCode};
pub use ids::{ClientMessageId, ConversationId, DeviceId, Epoch, MediaId, NUMBER_MAX, UserId};
pub use membership::{Contact, Interval, Membership, Role};
pub use outcome::{Chat, Fetched, MemberView, Outcome, Received, Sent, SignedIn, Synced, UserView};
pub use position::{Ordinal, Sequence, Timestamp};
