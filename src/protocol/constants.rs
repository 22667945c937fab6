//! The numbers of the wire protocol. Generated from `protocol.toml` by `tests/generated`; not to be
//! edited. Owns no behaviour beyond looking a number up.

use std::time::Duration;

/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "chasqui.v1";
/// The newest minor version spoken here.
pub const MINOR: u64 = 0;

/// Which side sends a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Only clients.
    Client,
    /// Only the server.
    Server,
    /// Either.
    Both,
}

/// Frame types.
pub mod frame {
    use super::Side;

    /// Opens the connection.
    pub const HELLO: u8 = 0x01;
    /// The HELLO was accepted.
    pub const WELCOME: u8 = 0x02;
    /// A refusal: of one request, or with rid 0 of the connection, which then closes.
    pub const ERROR: u8 = 0x03;
    /// Asks for a PONG.
    pub const PING: u8 = 0x04;
    /// Repeats the nonce of a PING.
    pub const PONG: u8 = 0x05;
    /// The server is about to close; connect anew within the spread.
    pub const GOAWAY: u8 = 0x06;
    /// Appends an entry to a conversation.
    pub const SEND: u8 = 0x10;
    /// The entry is durable, at this sequence.
    pub const SENT: u8 = 0x11;
    /// One entry of a log.
    pub const ENTRY: u8 = 0x12;
    /// Everything up to there is stored by this client.
    pub const ACK: u8 = 0x13;
    /// The user has read up to there; implies delivered.
    pub const READ: u8 = 0x14;
    /// A cursor moved; 0 where unchanged.
    pub const CURSOR: u8 = 0x15;
    /// Asks what changed since a token.
    pub const SYNC: u8 = 0x16;
    /// One page of what changed.
    pub const SYNCED: u8 = 0x17;
    /// Asks for a range of a log.
    pub const FETCH: u8 = 0x18;
    /// Ends the ENTRY frames of a FETCH.
    pub const FETCHED: u8 = 0x19;
    /// Something for this connection was dropped: SYNC again.
    pub const RESYNC: u8 = 0x1b;
    /// All SENDs of this connection are answered; the hold is over.
    pub const RESUME: u8 = 0x1c;
    /// Typing and the like; never stored, dropped first.
    pub const EPHEMERAL: u8 = 0x80;
    /// A watched user came or went.
    pub const PRESENCE: u8 = 0x81;
    /// Replaces the set of users whose PRESENCE is wanted.
    pub const WATCH: u8 = 0x82;

    /// The name of a type and who sends it; `None` if it is unknown.
    pub const fn describe(kind: u8) -> Option<(&'static str, Side)> {
        Some(match kind {
            HELLO => ("HELLO", Side::Client),
            WELCOME => ("WELCOME", Side::Server),
            ERROR => ("ERROR", Side::Server),
            PING => ("PING", Side::Both),
            PONG => ("PONG", Side::Both),
            GOAWAY => ("GOAWAY", Side::Server),
            SEND => ("SEND", Side::Client),
            SENT => ("SENT", Side::Server),
            ENTRY => ("ENTRY", Side::Server),
            ACK => ("ACK", Side::Client),
            READ => ("READ", Side::Client),
            CURSOR => ("CURSOR", Side::Server),
            SYNC => ("SYNC", Side::Client),
            SYNCED => ("SYNCED", Side::Server),
            FETCH => ("FETCH", Side::Client),
            FETCHED => ("FETCHED", Side::Server),
            RESYNC => ("RESYNC", Side::Server),
            RESUME => ("RESUME", Side::Client),
            EPHEMERAL => ("EPHEMERAL", Side::Both),
            PRESENCE => ("PRESENCE", Side::Server),
            WATCH => ("WATCH", Side::Client),
            _ => return None,
        })
    }
}

/// Tags, by what they stand in.
pub mod tag {
    /// Tags of `hello`.
    pub mod hello {
        /// Name and version of the client.
        pub const CLIENT: u64 = 1;
        /// The ping interval it would like.
        pub const PING_SECONDS: u64 = 3;
        /// The store epoch it last saw.
        pub const EPOCH: u64 = 5;
    }

    /// Tags of `entry`.
    pub mod entry {
        /// Only to the sender's own devices.
        pub const CMID: u64 = 1;
    }

    /// Tags of `record`.
    pub mod record {
        /// The title of a group.
        pub const TITLE: u64 = 1;
        /// The other user of a direct chat.
        pub const PEER: u64 = 3;
        /// The last visible entry, its text cut: to preview, not to keep.
        pub const LAST_ENTRY: u64 = 5;
        /// 1 while muted.
        pub const MUTED: u64 = 7;
        /// How many belong to it now.
        pub const MEMBER_COUNT: u64 = 9;
        /// The first sequence this user may see; absent: 1.
        pub const FIRST_VISIBLE: u64 = 11;
        /// 1 where this user no longer belongs to it.
        pub const LEFT: u64 = 13;
        /// How far the other user has read.
        pub const PEER_READ: u64 = 15;
        /// How far the other user's devices have stored.
        pub const PEER_DELIVERED: u64 = 17;
    }

    /// Tags of `message`.
    pub mod message {
        /// Files it carries.
        pub const ATTACHMENTS: u64 = 3;
        /// The sequence it answers.
        pub const REPLY_TO: u64 = 5;
        /// The users it names.
        pub const MENTIONS: u64 = 7;
        /// The sequence of the last edit.
        pub const EDITED: u64 = 9;
        /// The reason it was erased; the body is then empty.
        pub const ERASED: u64 = 11;
    }

    /// Tags of `edit`.
    pub mod edit {
        /// The sequence that is edited.
        pub const TARGET: u64 = 2;
    }

    /// Tags of `unsend`.
    pub mod unsend {
        /// The sequence that is taken back.
        pub const TARGET: u64 = 2;
    }

    /// Tags of `reaction`.
    pub mod reaction {
        /// The sequence that is reacted to.
        pub const TARGET: u64 = 2;
    }

    /// Tags of `pin`.
    pub mod pin {
        /// The sequence that is pinned.
        pub const TARGET: u64 = 2;
    }

    /// Tags of `member`.
    pub mod member {
        /// Who it concerns.
        pub const USERS: u64 = 2;
        /// What happened to them.
        pub const CHANGE: u64 = 4;
        /// Their role from now on, where it is set.
        pub const ROLE: u64 = 5;
    }

    /// Tags of `settings`.
    pub mod settings {
        /// The new title.
        pub const TITLE: u64 = 3;
        /// The media id of the new picture.
        pub const PICTURE: u64 = 5;
    }

    /// Tags of `contact`.
    pub mod contact {
        /// The other user.
        pub const USER: u64 = 2;
        /// How the journal's owner stands to them now.
        pub const STATE: u64 = 4;
    }

    /// Tags of `device`.
    pub mod device {
        /// The device.
        pub const DEVICE: u64 = 2;
        /// What happened to it.
        pub const CHANGE: u64 = 4;
        /// What it calls itself.
        pub const NAME: u64 = 5;
    }
}

/// Kinds of entry.
pub mod entry_kind {
    /// Kind `message`.
    pub const MESSAGE: u64 = 1;
    /// Kind `edit`.
    pub const EDIT: u64 = 2;
    /// Kind `unsend`.
    pub const UNSEND: u64 = 3;
    /// Kind `reaction`.
    pub const REACTION: u64 = 4;
    /// Kind `pin`.
    pub const PIN: u64 = 5;
    /// Kind `member`.
    pub const MEMBER: u64 = 6;
    /// Kind `settings`.
    pub const SETTINGS: u64 = 7;
    /// Kind `contact`.
    pub const CONTACT: u64 = 8;
    /// Kind `device`.
    pub const DEVICE: u64 = 9;
}

/// HELLO and WELCOME capabilities.
pub mod capability {
    /// EPHEMERAL frames are wanted.
    pub const EPHEMERAL: u64 = 1;
    /// CURSOR frames are wanted.
    pub const CURSOR: u64 = 2;
    /// PRESENCE frames are wanted.
    pub const PRESENCE: u64 = 4;
}

/// ERROR flags.
pub mod error_flag {
    /// The same may succeed after `retry_ms`.
    pub const RETRY: u64 = 1;
    /// This attempt surely changed nothing.
    pub const NOT_APPLIED: u64 = 2;
    /// Whether it was applied is not known.
    pub const UNKNOWN: u64 = 4;
}

/// SYNCED flags.
pub mod synced_flag {
    /// More pages follow.
    pub const MORE: u64 = 1;
    /// This SYNC lists everything: what is absent counts as left.
    pub const EVERYTHING: u64 = 2;
}

/// GOAWAY reason.
pub mod goaway_reason {
    /// The server restarts.
    pub const RESTART: u64 = 1;
    /// Connections are spread anew.
    pub const REBALANCE: u64 = 2;
}

/// RESYNC reason.
pub mod resync_reason {
    /// The connection's outbox was full.
    pub const OUTBOX: u64 = 1;
    /// A queue inside the server was full.
    pub const MAILBOX: u64 = 2;
    /// A link between servers lost something.
    pub const LINK: u64 = 3;
}

/// EPHEMERAL kind.
pub mod ephemeral_kind {
    /// The user is writing.
    pub const TYPING: u64 = 1;
    /// The user has stopped writing.
    pub const STOPPED: u64 = 2;
}

/// PRESENCE state.
pub mod presence_state {
    /// Not connected.
    pub const OFFLINE: u64 = 0;
    /// Connected.
    pub const ONLINE: u64 = 1;
}

/// record kind.
pub mod conversation_kind {
    /// A user's own log.
    pub const JOURNAL: u64 = 0;
    /// Two users.
    pub const DIRECT: u64 = 1;
    /// Any number of users.
    pub const GROUP: u64 = 2;
}

/// member entry, change.
pub mod member_change {
    /// They were added or joined.
    pub const ADDED: u64 = 1;
    /// They left.
    pub const LEFT: u64 = 2;
    /// They were removed.
    pub const REMOVED: u64 = 3;
    /// Their role changed.
    pub const ROLE: u64 = 4;
}

/// member entry, role.
pub mod role {
    /// Reads and writes.
    pub const MEMBER: u64 = 1;
    /// Also manages members and settings.
    pub const ADMIN: u64 = 2;
    /// Also names admins.
    pub const OWNER: u64 = 3;
}

/// contact entry, state.
pub mod contact_state {
    /// You asked.
    pub const REQUESTED_BY_YOU: u64 = 1;
    /// They asked.
    pub const REQUESTED_BY_THEM: u64 = 2;
    /// On your contact list.
    pub const ACCEPTED: u64 = 3;
    /// Blocked by you.
    pub const BLOCKED: u64 = 4;
    /// No longer a contact.
    pub const NONE: u64 = 5;
}

/// device entry, change.
pub mod device_change {
    /// It was signed in.
    pub const ADDED: u64 = 1;
    /// It was signed out or revoked.
    pub const REVOKED: u64 = 2;
}

/// Why the server closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The server restarts.
    Restart,
    /// The socket did not drain in time.
    SlowConsumer,
    /// Nothing was heard for too long.
    Silent,
    /// The server cannot serve this connection now.
    Overloaded,
    /// A fault of the server.
    Internal,
    /// The access token was valid once: refresh it first.
    TokenExpired,
    /// No valid access token: refresh once, then stop.
    Unauthenticated,
    /// The client broke the protocol.
    Protocol,
    /// The server no longer speaks this version.
    Version,
    /// The account is disabled.
    Disabled,
    /// The device was signed out.
    DeviceRevoked,
    /// This device has newer connections, as many as it may have.
    TooManyConnections,
}

impl CloseCode {
    /// Every code, ascending.
    pub const ALL: &'static [Self] = &[
        Self::Restart,
        Self::SlowConsumer,
        Self::Silent,
        Self::Overloaded,
        Self::Internal,
        Self::TokenExpired,
        Self::Unauthenticated,
        Self::Protocol,
        Self::Version,
        Self::Disabled,
        Self::DeviceRevoked,
        Self::TooManyConnections,
    ];

    /// The number in the close frame.
    pub const fn number(self) -> u16 {
        match self {
            Self::Restart => 4000,
            Self::SlowConsumer => 4001,
            Self::Silent => 4002,
            Self::Overloaded => 4003,
            Self::Internal => 4004,
            Self::TokenExpired => 4005,
            Self::Unauthenticated => 4500,
            Self::Protocol => 4501,
            Self::Version => 4502,
            Self::Disabled => 4503,
            Self::DeviceRevoked => 4504,
            Self::TooManyConnections => 4505,
        }
    }

    /// The reason in the close frame.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::SlowConsumer => "slow-consumer",
            Self::Silent => "silent",
            Self::Overloaded => "overloaded",
            Self::Internal => "internal",
            Self::TokenExpired => "token-expired",
            Self::Unauthenticated => "unauthenticated",
            Self::Protocol => "protocol",
            Self::Version => "version",
            Self::Disabled => "disabled",
            Self::DeviceRevoked => "device-revoked",
            Self::TooManyConnections => "too-many-connections",
        }
    }

    /// Whether a client may come back by itself.
    pub const fn reconnects(self) -> bool {
        self.number() < 4500
    }
}

/// Limits and their defaults.
pub mod limit {
    use super::Duration;

    /// One WebSocket message from a client; WELCOME tells.
    pub const MESSAGE_BYTES_MAX: usize = 65_536;
    /// The body of a SEND; WELCOME tells.
    pub const BODY_BYTES_MAX: usize = 32_768;
    /// Attachments of one message.
    pub const ATTACHMENTS_MAX: usize = 32;
    /// Users that one message names.
    pub const MENTIONS_MAX: usize = 256;
    /// The body of an EPHEMERAL; one above it is dropped.
    pub const EPHEMERAL_BODY_BYTES_MAX: usize = 1_024;
    /// Unanswered SEND requests of one connection; WELCOME tells.
    pub const SENDS_MAX: usize = 64;
    /// Unanswered SYNC and FETCH requests of one connection, together.
    pub const READS_MAX: usize = 4;
    /// Users in one WATCH.
    pub const WATCH_USERS_MAX: usize = 256;
    /// One page of a SYNC or a FETCH.
    pub const PAGE_BYTES_MAX: usize = 65_536;
    /// The text of a record's last entry, cut at a character.
    pub const PREVIEW_BYTES_MAX: usize = 256;
    /// The tagged values of a record's last entry; more are left out.
    pub const PREVIEW_TAGS_BYTES_MAX: usize = 1_024;
    /// What waits to be written to one connection, before pushes are dropped.
    pub const OUTBOX_BYTES_MAX: usize = 262_144;
    /// Entries between the floor of a SEND and the head.
    pub const FLOOR_ENTRIES_MAX: usize = 4_096;
    /// Connections of one device.
    pub const DEVICE_CONNECTIONS_MAX: usize = 8;
    /// Members of a group that still has delivered cursors and EPHEMERAL frames.
    pub const SMALL_GROUP_MEMBERS_MAX: usize = 200;
    /// From the upgrade to HELLO.
    pub const HELLO_DEADLINE: Duration = Duration::from_secs(10);
    /// The ping interval of a client that names none.
    pub const PING_DEFAULT: Duration = Duration::from_secs(25);
    /// The shortest ping interval that is granted.
    pub const PING_MIN: Duration = Duration::from_secs(5);
    /// The longest ping interval that is granted.
    pub const PING_MAX: Duration = Duration::from_mins(4);
    /// Added to two ping intervals before a silent connection is closed.
    pub const SILENCE_GRACE: Duration = Duration::from_secs(10);
    /// How long a full outbox may stay without draining.
    pub const DRAIN_DEADLINE: Duration = Duration::from_secs(15);
}
