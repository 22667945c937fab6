// The numbers of the wire protocol. Generated from `protocol.toml` by `tests/generated`; not to be
// edited.

/** The WebSocket subprotocol. */
export const SUBPROTOCOL = 'chasqui.v1';
/** The newest minor version spoken here. */
export const MINOR = 0;

/** Frame types. */
export const frame = {
  /** Opens the connection. */
  HELLO: 1,
  /** The HELLO was accepted. */
  WELCOME: 2,
  /** A refusal: of one request, or with rid 0 of the connection, which then closes. */
  ERROR: 3,
  /** Asks for a PONG. */
  PING: 4,
  /** Repeats the nonce of a PING. */
  PONG: 5,
  /** The server is about to close; connect anew within the spread. */
  GOAWAY: 6,
  /** Appends an entry to a conversation. */
  SEND: 16,
  /** The entry is durable, at this sequence. */
  SENT: 17,
  /** One entry of a log. */
  ENTRY: 18,
  /** Everything up to there is stored by this client. */
  ACK: 19,
  /** The user has read up to there; implies delivered. */
  READ: 20,
  /** A cursor moved; 0 where unchanged. */
  CURSOR: 21,
  /** Asks what changed since a token. */
  SYNC: 22,
  /** One page of what changed. */
  SYNCED: 23,
  /** Asks for a range of a log. */
  FETCH: 24,
  /** Ends the ENTRY frames of a FETCH. */
  FETCHED: 25,
  /** Something for this connection was dropped: SYNC again. */
  RESYNC: 27,
  /** All SENDs of this connection are answered; the hold is over. */
  RESUME: 28,
  /** Typing and the like; never stored, dropped first. */
  EPHEMERAL: 128,
  /** A watched user came or went. */
  PRESENCE: 129,
  /** Replaces the set of users whose PRESENCE is wanted. */
  WATCH: 130,
} as const;

/** Tags, by what they stand in. */
export const tag = {
  hello: {
    /** Name and version of the client. */
    CLIENT: 1,
    /** The ping interval it would like. */
    PING_SECONDS: 3,
    /** The store epoch it last saw. */
    EPOCH: 5,
  },
  entry: {
    /** Only to the sender's own devices. */
    CMID: 1,
  },
  record: {
    /** The title of a group. */
    TITLE: 1,
    /** The other user of a direct chat. */
    PEER: 3,
    /** The last visible entry, its text cut: to preview, not to keep. */
    LAST_ENTRY: 5,
    /** 1 while muted. */
    MUTED: 7,
    /** How many belong to it now. */
    MEMBER_COUNT: 9,
    /** The first sequence this user may see; absent: 1. */
    FIRST_VISIBLE: 11,
    /** 1 where this user no longer belongs to it. */
    LEFT: 13,
    /** How far the other user has read. */
    PEER_READ: 15,
    /** How far the other user's devices have stored. */
    PEER_DELIVERED: 17,
  },
  message: {
    /** Files it carries. */
    ATTACHMENTS: 3,
    /** The sequence it answers. */
    REPLY_TO: 5,
    /** The users it names. */
    MENTIONS: 7,
    /** The sequence of the last edit. */
    EDITED: 9,
    /** The reason it was erased; the body is then empty. */
    ERASED: 11,
  },
  edit: {
    /** The sequence that is edited. */
    TARGET: 2,
  },
  unsend: {
    /** The sequence that is taken back. */
    TARGET: 2,
  },
  reaction: {
    /** The sequence that is reacted to. */
    TARGET: 2,
  },
  pin: {
    /** The sequence that is pinned. */
    TARGET: 2,
  },
  member: {
    /** Who it concerns. */
    USERS: 2,
    /** What happened to them. */
    CHANGE: 4,
    /** Their role from now on, where it is set. */
    ROLE: 5,
  },
  settings: {
    /** The new title. */
    TITLE: 3,
    /** The media id of the new picture. */
    PICTURE: 5,
  },
  contact: {
    /** The other user. */
    USER: 2,
    /** How the journal's owner stands to them now. */
    STATE: 4,
  },
  device: {
    /** The device. */
    DEVICE: 2,
    /** What happened to it. */
    CHANGE: 4,
    /** What it calls itself. */
    NAME: 5,
  },
} as const;

/** Kinds of entry. */
export const entryKind = {
  /** Kind `message`. */
  MESSAGE: 1,
  /** Kind `edit`. */
  EDIT: 2,
  /** Kind `unsend`. */
  UNSEND: 3,
  /** Kind `reaction`. */
  REACTION: 4,
  /** Kind `pin`. */
  PIN: 5,
  /** Kind `member`. */
  MEMBER: 6,
  /** Kind `settings`. */
  SETTINGS: 7,
  /** Kind `contact`. */
  CONTACT: 8,
  /** Kind `device`. */
  DEVICE: 9,
} as const;

/** Codes of an ERROR. */
export const errorCode = {
  /** The bytes do not follow the grammar. */
  MALFORMED: 1,
  /** The grammar allows it, this version does not do it. */
  UNSUPPORTED: 2,
  /** No valid credentials. */
  UNAUTHENTICATED: 3,
  /** It does not exist, or is not yours to see. */
  NOT_FOUND: 4,
  /** You may know it exists, but may not do this. */
  FORBIDDEN: 5,
  /** A field's value breaks a rule; the text names the field. */
  INVALID: 6,
  /** It contradicts what is stored, such as a cmid used before with other content. */
  CONFLICT: 7,
  /** It is larger than a limit. */
  TOO_LARGE: 8,
  /** You ask too often. */
  RATE_LIMITED: 9,
  /** The server has too much to do, or this connection is held. */
  OVERLOADED: 10,
  /** The store does not answer, or the server restarts. */
  UNAVAILABLE: 11,
  /** Whether it was applied is not known; sending it again tells. */
  OUTCOME_UNKNOWN: 12,
  /** The token was valid once. */
  EXPIRED: 13,
  /** A fault of the server. */
  INTERNAL: 14,
  /** The floor of a SEND lies too far back, or beyond the head. */
  FLOOR_OUT_OF_RANGE: 15,
} as const;

/** Why the server closes a connection. */
export const closeCode = {
  /** The server restarts. */
  RESTART: 4000,
  /** The socket did not drain in time. */
  SLOW_CONSUMER: 4001,
  /** Nothing was heard for too long. */
  SILENT: 4002,
  /** The server cannot serve this connection now. */
  OVERLOADED: 4003,
  /** A fault of the server. */
  INTERNAL: 4004,
  /** The access token was valid once: refresh it first. */
  TOKEN_EXPIRED: 4005,
  /** No valid access token: refresh once, then stop. */
  UNAUTHENTICATED: 4500,
  /** The client broke the protocol. */
  PROTOCOL: 4501,
  /** The server no longer speaks this version. */
  VERSION: 4502,
  /** The account is disabled. */
  DISABLED: 4503,
  /** The device was signed out. */
  DEVICE_REVOKED: 4504,
  /** This device has newer connections, as many as it may have. */
  TOO_MANY_CONNECTIONS: 4505,
} as const;

/** Whether a client may come back by itself after this close code. */
export const reconnects = (code: number): boolean => code < 4500;

/** HELLO and WELCOME capabilities. */
export const capability = {
  /** EPHEMERAL frames are wanted. */
  EPHEMERAL: 1,
  /** CURSOR frames are wanted. */
  CURSOR: 2,
  /** PRESENCE frames are wanted. */
  PRESENCE: 4,
} as const;

/** ERROR flags. */
export const errorFlag = {
  /** The same may succeed after `retry_ms`. */
  RETRY: 1,
  /** This attempt surely changed nothing. */
  NOT_APPLIED: 2,
  /** Whether it was applied is not known. */
  UNKNOWN: 4,
} as const;

/** SYNCED flags. */
export const syncedFlag = {
  /** More pages follow. */
  MORE: 1,
  /** This SYNC lists everything: what is absent counts as left. */
  EVERYTHING: 2,
} as const;

/** GOAWAY reason. */
export const goawayReason = {
  /** The server restarts. */
  RESTART: 1,
  /** Connections are spread anew. */
  REBALANCE: 2,
} as const;

/** RESYNC reason. */
export const resyncReason = {
  /** The connection's outbox was full. */
  OUTBOX: 1,
  /** A queue inside the server was full. */
  MAILBOX: 2,
  /** A link between servers lost something. */
  LINK: 3,
} as const;

/** EPHEMERAL kind. */
export const ephemeralKind = {
  /** The user is writing. */
  TYPING: 1,
  /** The user has stopped writing. */
  STOPPED: 2,
} as const;

/** PRESENCE state. */
export const presenceState = {
  /** Not connected. */
  OFFLINE: 0,
  /** Connected. */
  ONLINE: 1,
} as const;

/** record kind. */
export const conversationKind = {
  /** A user's own log. */
  JOURNAL: 0,
  /** Two users. */
  DIRECT: 1,
  /** Any number of users. */
  GROUP: 2,
} as const;

/** member entry, change. */
export const memberChange = {
  /** They were added or joined. */
  ADDED: 1,
  /** They left. */
  LEFT: 2,
  /** They were removed. */
  REMOVED: 3,
  /** Their role changed. */
  ROLE: 4,
} as const;

/** member entry, role. */
export const role = {
  /** Reads and writes. */
  MEMBER: 1,
  /** Also manages members and settings. */
  ADMIN: 2,
  /** Also names admins. */
  OWNER: 3,
} as const;

/** contact entry, state. */
export const contactState = {
  /** You asked. */
  REQUESTED_BY_YOU: 1,
  /** They asked. */
  REQUESTED_BY_THEM: 2,
  /** On your contact list. */
  ACCEPTED: 3,
  /** Blocked by you. */
  BLOCKED: 4,
  /** No longer a contact. */
  NONE: 5,
} as const;

/** device entry, change. */
export const deviceChange = {
  /** It was signed in. */
  ADDED: 1,
  /** It was signed out or revoked. */
  REVOKED: 2,
} as const;

/** Limits and their defaults. */
export const limit = {
  /** One WebSocket message from a client; WELCOME tells. In bytes. */
  MESSAGE_BYTES_MAX: 65536,
  /** The body of a SEND; WELCOME tells. In bytes. */
  BODY_BYTES_MAX: 32768,
  /** Attachments of one message. */
  ATTACHMENTS_MAX: 32,
  /** Users that one message names. */
  MENTIONS_MAX: 256,
  /** The body of an EPHEMERAL; one above it is dropped. In bytes. */
  EPHEMERAL_BODY_BYTES_MAX: 1024,
  /** Unanswered SEND requests of one connection; WELCOME tells. */
  SENDS_MAX: 64,
  /** Unanswered SYNC and FETCH requests of one connection, together. */
  READS_MAX: 4,
  /** Users in one WATCH. */
  WATCH_USERS_MAX: 256,
  /** One page of a SYNC or a FETCH. In bytes. */
  PAGE_BYTES_MAX: 65536,
  /** The text of a record's last entry, cut at a character. In bytes. */
  PREVIEW_BYTES_MAX: 256,
  /** The tagged values of a record's last entry; more are left out. In bytes. */
  PREVIEW_TAGS_BYTES_MAX: 1024,
  /** What waits to be written to one connection, before pushes are dropped. In bytes. */
  OUTBOX_BYTES_MAX: 262144,
  /** Entries between the floor of a SEND and the head. */
  FLOOR_ENTRIES_MAX: 4096,
  /** Connections of one device. */
  DEVICE_CONNECTIONS_MAX: 8,
  /** Members of a group that still has delivered cursors and EPHEMERAL frames. */
  SMALL_GROUP_MEMBERS_MAX: 200,
  /** From the upgrade to HELLO. In seconds. */
  HELLO_DEADLINE: 10,
  /** The ping interval of a client that names none. In seconds. */
  PING_DEFAULT: 25,
  /** The shortest ping interval that is granted. In seconds. */
  PING_MIN: 5,
  /** The longest ping interval that is granted. In seconds. */
  PING_MAX: 240,
  /** Added to two ping intervals before a silent connection is closed. In seconds. */
  SILENCE_GRACE: 10,
  /** How long a full outbox may stay without draining. In seconds. */
  DRAIN_DEADLINE: 15,
} as const;
