// The types of the REST interface. Generated from `openapi.json` by `build/openapi.ts`; not to be edited.

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next_cursor: string | null;
}

/** Must be up to 500 characters. */
export type About = string;

/** Everything of a chat up to a sequence. */
export type Ack = {
  readonly chat: ChatId;
  /** The last sequence that the device has stored. */
  readonly sequence: Sequence;
};

/** Whom to add. */
export type AddContactRequest = {
  readonly user: UserId;
};

/** Whom to add. */
export type AddMembersRequest = {
  readonly users: UserList;
};

/** Whether a refused send may have taken effect. */
export type Applied = 'false' | 'unknown';

/** A file that a message refers to. */
export type AttachmentRequest = {
  readonly duration_ms?: Number | null | undefined;
  readonly height?: Number | null | undefined;
  readonly media: MediaId;
  /** Its name for people; empty where absent. */
  readonly name?: string | undefined;
  readonly preview?: Base64 | null | undefined;
  /** Its size in bytes. */
  readonly size: Number;
  /** Its media type. */
  readonly type: string;
  readonly width?: Number | null | undefined;
};

/** A file that a message refers to. */
export type AttachmentView = {
  /** Length in milliseconds, 0 where it has none. */
  readonly duration_ms: number;
  /** Height in pixels, 0 where it has none. */
  readonly height: number;
  /** The stored file. */
  readonly media: number;
  /** Its name for people. */
  readonly name: string;
  /** A tiny picture of it, base64. */
  readonly preview: string;
  /** Its size in bytes. */
  readonly size: number;
  /** Its media type. */
  readonly type: string;
  /** Width in pixels, 0 where it has none. */
  readonly width: number;
};

/** A tagged value that the server carries without understanding it. */
export type AttributeView = {
  /** The tag. */
  readonly tag: number;
  /** The value, base64. */
  readonly value: string;
};

/** Must be base64 with padding. */
export type Base64 = string;

/** What is to change. */
export type ChangeChatRequest = {
  readonly title: Title;
};

/** What a member is to be. */
export type ChangeMemberRequest = {
  readonly role: RoleName;
};

/** What happened to the members named (`added`, `left`, `removed`, `role`) or to the device (`added`, `revoked`). */
export type ChangeName = 'added' | 'left' | 'removed' | 'role' | 'revoked';

/** A conversation as the caller sees it. */
export type Chat = {
  /** Its id. */
  readonly chat: number;
  /** Up to which sequence some device of the caller's has stored it. */
  readonly delivered: number;
  readonly kind: ChatKindName;
  readonly last_entry: Entry | null;
  /** How many entries up to there count as unread. */
  readonly last_ord: number;
  /** The sequence of the last entry that the caller may see. */
  readonly last_sequence: number;
  /** How many belong to it. */
  readonly members: number;
  /** The other user of a direct chat. */
  readonly peer: unknown;
  /** In a direct chat: up to which sequence some device of the other's has stored it. */
  readonly peer_delivered?: number | undefined;
  /** In a direct chat: up to which sequence the other has read. */
  readonly peer_read?: number | undefined;
  /** Up to which sequence the caller has read. */
  readonly read: number;
  /** The ordinal there. */
  readonly read_ord: number;
  /** The title of a group. */
  readonly title: unknown;
  /** How many entries that count the caller has not read. */
  readonly unread: number;
};

/** Must be a chat id: 1 to 2^53-1. */
export type ChatId = number;

/** The kinds of chats. */
export type ChatKindName = 'journal' | 'direct' | 'group';

/** Must be a random number from 1 to 2^53-1, chosen by the client, the same on every attempt. */
export type ClientId = number;

/** How a user stands to another. */
export type ContactStateName = 'requested_by_you' | 'requested_by_them' | 'accepted' | 'blocked' | 'none';

/** How the caller wants to stand to a user. */
export type ContactStateRequest = {
  /** `accepted` puts them on the list, `none` takes them off it. */
  readonly state: SettableState;
};

/** How the caller stands to another user. */
export type ContactView = {
  /** Since when. */
  readonly changed_at: number;
  /** How the caller stands to them. */
  readonly state: ContactStateName;
  /** The other user. */
  readonly user: number;
};

/** A chat to find or make. */
export type CreateChatRequest = DirectRequest | GroupRequest;

/** One installation. */
export type Device = {
  /** When it was first signed in. */
  readonly created_at: number;
  /** Whether this request came from it. */
  readonly current: boolean;
  /** Its id. */
  readonly device: number;
  /** What it calls itself. */
  readonly name: string;
};

/** Must be a device id: 1 to 2^53-1. */
export type DeviceId = number;

/** Must be up to 64 characters without control characters. */
export type DeviceName = string;

/** `direct`. */
export type DirectKind = 'direct';

/** The direct chat with a user: the existing one is returned. */
export type DirectRequest = {
  readonly kind: DirectKind;
  readonly user: UserId;
};

/** Must be 1 to 64 characters without control characters. */
export type DisplayName = string;

/** One entry of a chat's log. Which of the optional fields are there depends on `kind`. */
export type Entry = {
  /** message: files it carries. */
  readonly attachments?: readonly AttachmentView[] | undefined;
  /** From kind 16: tagged values. */
  readonly attributes?: readonly AttributeView[] | undefined;
  /** From kind 16: the body, base64. */
  readonly body?: string | undefined;
  /** member, device: what happened. */
  readonly change?: ChangeName | undefined;
  /** Where. */
  readonly chat: number;
  /** The client's id for it; only on the caller's own. */
  readonly client_id?: number | undefined;
  /** device: which. */
  readonly device?: number | undefined;
  /** message: the sequence of the last edit. */
  readonly edited?: number | undefined;
  /** Set once the content was removed: why. */
  readonly erased?: number | undefined;
  readonly kind: KindView;
  /** message: the users it names. */
  readonly mentions?: readonly number[] | undefined;
  /** device: its name. */
  readonly name?: string | undefined;
  /** How many entries up to and including this one count as unread. */
  readonly ord: number;
  /** settings: the media id of the new picture. */
  readonly picture?: number | undefined;
  /** pin: whether it is pinned now. */
  readonly pinned?: boolean | undefined;
  /** message: the sequence it answers. */
  readonly reply_to?: number | undefined;
  /** member: the role from now on. */
  readonly role?: RoleName | undefined;
  /** Who said it; null for the server itself. */
  readonly sender: unknown;
  /** When it was accepted. */
  readonly sent_at: number;
  /** Its position in the log. */
  readonly sequence: number;
  /** contact: how the journal's owner stands to them now. */
  readonly state?: ContactStateName | undefined;
  /** edit, unsend, reaction, pin: the sequence concerned. */
  readonly target?: number | undefined;
  /** message, edit: the text. reaction: the emoji, empty where it was taken back. */
  readonly text?: string | undefined;
  /** settings: the new title. */
  readonly title?: string | undefined;
  /** contact: the other user. */
  readonly user?: number | undefined;
  /** member: whom it concerns. */
  readonly users?: readonly number[] | undefined;
};

/** `group`. */
export type GroupKind = 'group';

/** A new group; the same `client_id` again finds the one it created. */
export type GroupRequest = {
  readonly client_id: ClientId;
  readonly kind: GroupKind;
  /** The members besides the caller, who is the owner. */
  readonly members: MemberList;
  readonly title: Title;
};

/** How the server is. */
export type Health = {
  /** Always `ok`: whoever is not answers with a problem. */
  readonly status: string;
};

/** The kinds that the server understands. */
export type KindName = 'message' | 'edit' | 'unsend' | 'reaction' | 'pin' | 'member' | 'settings' | 'contact' | 'device';

/** The kind of an entry: its name, or from 16 on its number. */
export type KindView = KindName | number;

/** Who signs in. */
export type LoginRequest = {
  readonly device?: DeviceId | null | undefined;
  readonly device_name?: DeviceName | null | undefined;
  readonly password: Password;
  readonly username: Username;
};

/** Must be a media id: 1 to 2^53-1. */
export type MediaId = number;

/** A member and how far they have come. */
export type Member = {
  /** Up to which sequence some device of theirs has stored it. */
  readonly delivered: number;
  /** The first sequence of their membership. */
  readonly joined: number;
  /** Up to which sequence they have read. */
  readonly read: number;
  /** The ordinal there. */
  readonly read_ord: number;
  readonly role: RoleName;
  /** Who. */
  readonly user: number;
};

/** Must be up to 100 user ids. */
export type MemberList = readonly number[];

/** A message. */
export type MessageRequest = {
  /** Files it carries. */
  readonly attachments?: readonly AttachmentRequest[] | undefined;
  readonly chat: ChatId;
  readonly client_id: ClientId;
  readonly floor?: Sequence | null | undefined;
  /** The users it names. */
  readonly mentions?: readonly UserId[] | undefined;
  readonly reply_to?: Sequence | null | undefined;
  /** The text; may be empty beside an attachment. */
  readonly text: string;
};

/** Must be 0 to 2^53-1. */
export type Number = number;

/** Must be an application's entry kind: 16 to 2^53-1. */
export type OpaqueKind = number;

/** An entry that the server carries without understanding it. */
export type OpaqueRequest = {
  readonly body: Base64;
  readonly chat: ChatId;
  readonly client_id: ClientId;
  readonly floor?: Sequence | null | undefined;
  readonly kind: OpaqueKind;
};

/** Must be a number of items: 1 to 100. */
export type PageLimit = number;

/** A page of Chat. */
export type Page_Chat = Page<Chat>;

/** A page of ContactView. */
export type Page_ContactView = Page<ContactView>;

/** A page of Device. */
export type Page_Device = Page<Device>;

/** A page of Entry. */
export type Page_Entry = Page<Entry>;

/** A page of Member. */
export type Page_Member = Page<Member>;

/** A page of User. */
export type Page_User = Page<User>;

/** Must be 8 to 64 characters. */
export type Password = string;

/** A refusal (RFC 9457). The codes are those of the ERROR frame of the WebSocket protocol. */
export type Problem = {
  /** On a send: `false`, it surely was not applied by this attempt; `unknown`, send it again to learn it. */
  readonly applied?: Applied | undefined;
  /** The number of the code. */
  readonly code: number;
  /** What went wrong this time, for the developer of the client. */
  readonly detail: string;
  /** The field of the request that is wrong, where it is one. */
  readonly field?: string | undefined;
  /** The name of the code. */
  readonly name: string;
  /** Set where the same request may succeed later: after how many milliseconds. */
  readonly retry_ms?: number | undefined;
  /** The HTTP status. */
  readonly status: number;
  /** The kind of refusal in words. */
  readonly title: string;
  /** Identifies the kind of refusal; its last part is `name`. */
  readonly type: string;
};

/** A change of a profile; what is absent stays. */
export type ProfileRequest = {
  readonly about?: About | null | undefined;
  readonly avatar?: MediaId | null | undefined;
  readonly display_name?: DisplayName | null | undefined;
};

/** How far the caller has read. */
export type ReadRequest = {
  readonly sequence: Sequence;
};

/** What is acknowledged, then how long and how much. */
export type ReceiveRequest = {
  /** Acknowledged durably before anything else. */
  readonly acks?: readonly Ack[] | undefined;
  readonly limit?: PageLimit | null | undefined;
  readonly wait?: Wait | null | undefined;
};

/** What the device has not acknowledged. */
export type Received = {
  /** Of all chats and the journal, own sends included, in sequence order per chat. */
  readonly entries: readonly Entry[];
  /** Whether more are waiting. */
  readonly more: boolean;
};

/** A refresh token. */
export type RefreshRequest = {
  readonly refresh_token: Token;
};

/** A new account. */
export type RegisterRequest = {
  readonly device_name?: DeviceName | null | undefined;
  readonly display_name?: DisplayName | null | undefined;
  readonly password: Password;
  readonly username: Username;
};

/** A new name. */
export type RenameRequest = {
  readonly name: DeviceName;
};

/** What a member may do. */
export type RoleName = 'member' | 'admin' | 'owner';

/** What to send: with `kind` an application's own entry, else a message. */
export type SendRequest = OpaqueRequest | MessageRequest;

/** Where a send is stored. */
export type Sent = {
  /** Where. */
  readonly chat: number;
  /** Whether an earlier attempt had been stored. */
  readonly duplicate: boolean;
  /** The ordinal there. */
  readonly ord: number;
  /** When it was accepted. */
  readonly sent_at: number;
  /** At which sequence. */
  readonly sequence: number;
};

/** Must be a sequence: 1 to 2^53-1. */
export type Sequence = number;

/** What this version lets a client set. */
export type SettableState = 'accepted' | 'none';

/** Must be 1 to 128 characters without control characters. */
export type Title = string;

/** Must be a token of 1 to 4096 characters. */
export type Token = string;

/** A signed-in device and its tokens. */
export type Tokens = {
  /** For `Authorization: Bearer` and HELLO. */
  readonly access_token: string;
  /** The device. */
  readonly device: number;
  /** For how many seconds the access token is valid. */
  readonly expires_in: number;
  /** For `/token/refresh`. */
  readonly refresh_token: string;
  /** The user. */
  readonly user: number;
};

/** A person. */
export type User = {
  /** A few words about themselves. */
  readonly about: string;
  /** The media id of their picture. */
  readonly avatar: unknown;
  /** When they registered. */
  readonly created_at: number;
  /** Their name for people. */
  readonly display_name: string;
  /** Their id. */
  readonly user: number;
  /** Their unique name. */
  readonly username: string;
};

/** Must be a user id: 1 to 2^53-1. */
export type UserId = number;

/** Must be 1 to 100 user ids. */
export type UserList = readonly number[];

/** Must be 3 to 32 of a-z 0-9 . _ -, beginning with a letter or digit; upper case is folded. */
export type Username = string;

/** Must be a number of seconds: 0 to 25. */
export type Wait = number;

/** What each request is given and answers. */
export interface Requests {
  DELETE: {
    /** Remove a user from a group */
    '/chats/{chat}/members/{user}': { readonly given: { readonly path: { readonly chat: number; readonly user: number } }; readonly result: undefined };
    /** Take a user off the contact list */
    '/contacts/{user}': { readonly given: { readonly path: { readonly user: number } }; readonly result: undefined };
    /** Sign a device out */
    '/devices/{device}': { readonly given: { readonly path: { readonly device: number } }; readonly result: undefined };
  };
  GET: {
    /** The public keys of the access tokens */
    '/.well-known/jwks.json': { readonly given: {}; readonly result: unknown };
    /** The caller's chats */
    '/chats': { readonly given: { readonly query?: { readonly cursor?: string; readonly limit?: number } }; readonly result: Page_Chat };
    /** One chat */
    '/chats/{chat}': { readonly given: { readonly path: { readonly chat: number } }; readonly result: Chat };
    /** The members of a chat */
    '/chats/{chat}/members': { readonly given: { readonly path: { readonly chat: number } }; readonly result: Page_Member };
    /** The history of a chat */
    '/chats/{chat}/messages': { readonly given: { readonly path: { readonly chat: number }; readonly query?: { readonly before?: number; readonly after?: number; readonly cursor?: string; readonly limit?: number } }; readonly result: Page_Entry };
    /** The contact list */
    '/contacts': { readonly given: { readonly query?: { readonly cursor?: string; readonly limit?: number } }; readonly result: Page_ContactView };
    /** The caller's devices */
    '/devices': { readonly given: {}; readonly result: Page_Device };
    /** Whether the process lives */
    '/healthz': { readonly given: {}; readonly result: Health };
    /** Wait for entries */
    '/message/receive': { readonly given: { readonly query?: { readonly wait?: number; readonly limit?: number } }; readonly result: Received };
    /** This document */
    '/openapi.json': { readonly given: {}; readonly result: unknown };
    /** Whether the server takes work */
    '/readyz': { readonly given: {}; readonly result: Health };
    /** The caller's profile */
    '/user/profile': { readonly given: {}; readonly result: User };
    /** Find users */
    '/users': { readonly given: { readonly query?: { readonly username?: string; readonly ids?: string } }; readonly result: Page_User };
    /** One user */
    '/users/{user}': { readonly given: { readonly path: { readonly user: number } }; readonly result: User };
  };
  PATCH: {
    /** Rename a group */
    '/chats/{chat}': { readonly given: { readonly path: { readonly chat: number }; readonly body: ChangeChatRequest }; readonly result: undefined };
    /** Give a member another role */
    '/chats/{chat}/members/{user}': { readonly given: { readonly path: { readonly chat: number; readonly user: number }; readonly body: ChangeMemberRequest }; readonly result: undefined };
    /** Rename a device */
    '/devices/{device}': { readonly given: { readonly path: { readonly device: number }; readonly body: RenameRequest }; readonly result: undefined };
    /** Change the caller's profile */
    '/user/profile': { readonly given: { readonly body: ProfileRequest }; readonly result: User };
  };
  POST: {
    /** Find or make a chat */
    '/chats': { readonly given: { readonly body: CreateChatRequest }; readonly result: Chat };
    /** Add users to a group */
    '/chats/{chat}/members': { readonly given: { readonly path: { readonly chat: number }; readonly body: AddMembersRequest }; readonly result: undefined };
    /** Tell what has been read */
    '/chats/{chat}/read': { readonly given: { readonly path: { readonly chat: number }; readonly body: ReadRequest }; readonly result: undefined };
    /** Add a contact */
    '/contacts': { readonly given: { readonly body: AddContactRequest }; readonly result: ContactView };
    /** Sign a device in */
    '/login': { readonly given: { readonly body: LoginRequest }; readonly result: Tokens };
    /** Sign this device out */
    '/logout': { readonly given: {}; readonly result: undefined };
    /** Acknowledge entries and wait for more */
    '/message/receive': { readonly given: { readonly body: ReceiveRequest }; readonly result: Received };
    /** Send into a chat */
    '/message/send': { readonly given: { readonly body: SendRequest }; readonly result: Sent };
    /** Create an account */
    '/register': { readonly given: { readonly body: RegisterRequest }; readonly result: Tokens };
    /** Exchange a refresh token */
    '/token/refresh': { readonly given: { readonly body: RefreshRequest }; readonly result: Tokens };
  };
  PUT: {
    /** Set how the caller stands to a user */
    '/contacts/{user}': { readonly given: { readonly path: { readonly user: number }; readonly body: ContactStateRequest }; readonly result: ContactView | undefined };
    /** Change the caller's profile */
    '/user/profile': { readonly given: { readonly body: ProfileRequest }; readonly result: User };
  };
}
