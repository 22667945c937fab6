// The frames of `chasqui.v1` and the ids in them, as types: each direction is a union, told apart by
// `frame`. A field is named as in `protocol.toml`, in camel case; what may be absent is undefined.

import type { Tag } from './bytes.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]: Name };

/** An account. */
export type UserId = Branded<'user'>;
/** A sign-in of an account. */
export type DeviceId = Branded<'device'>;
/** A chat of two, a group, or an account's journal. */
export type ConversationId = Branded<'conversation'>;
/** A file. */
export type MediaId = Branded<'media'>;
/** Chosen by a client, unique per sender and conversation. */
export type MessageId = Branded<'message'>;
/** A life of the server's store: another one after a restore. */
export type Epoch = Branded<'epoch'>;
/** A position in a log: 1, 2, 3, ...; 0 is before the first. */
export type Sequence = Branded<'sequence'>;

/** Any id: `id<UserId>(7)`. Throws a RangeError unless it is an integer from 1 to 2^53 - 1. */
export function id<Id extends UserId | DeviceId | ConversationId | MediaId | MessageId | Epoch>(value: number): Id {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${value} is not an id`);
  return value as Id;
}

/** A position. Throws a RangeError unless it is an integer from 0 to 2^53 - 1. */
export function sequence(value: number): Sequence {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a sequence`);
  return value as Sequence;
}

/** Opens the connection. */
export interface HelloFrame {
  readonly frame: 'HELLO';
  readonly minor: number;
  /** Bits of `capability`. */
  readonly capabilities: number;
  readonly token: string;
  readonly client?: string | undefined;
  readonly pingSeconds?: number | undefined;
  readonly epoch?: Epoch | undefined;
}

/** Asks for a sign of life, or gives one. */
export interface PingFrame {
  readonly frame: 'PING' | 'PONG';
  readonly nonce: number;
}

/** Appends an entry to a conversation. */
export interface SendFrame {
  readonly frame: 'SEND';
  readonly rid: number;
  readonly conversation: ConversationId;
  readonly cmid: MessageId;
  readonly floor: Sequence;
  readonly kind: number;
  readonly body: Uint8Array;
  readonly tags: readonly Tag[];
}

/** Typing and the like; never stored. */
export interface EphemeralFrame {
  readonly frame: 'EPHEMERAL';
  readonly conversation: ConversationId;
  /** 0 from a client: the server fills it in. */
  readonly user: UserId | 0;
  readonly kind: number;
  readonly body: Uint8Array;
}

/** What a client sends. */
export type ClientFrame =
  | HelloFrame
  | PingFrame
  | SendFrame
  | { readonly frame: 'ACK'; readonly items: readonly (readonly [ConversationId, Sequence])[] }
  | { readonly frame: 'READ'; readonly conversation: ConversationId; readonly read: Sequence }
  | { readonly frame: 'SYNC'; readonly rid: number; readonly limit: number; readonly token: Uint8Array }
  | {
      readonly frame: 'FETCH';
      readonly rid: number;
      readonly conversation: ConversationId;
      readonly from: Sequence;
      /** 0 for the head. */
      readonly to: Sequence;
    }
  | { readonly frame: 'RESUME' }
  | EphemeralFrame
  | { readonly frame: 'WATCH'; readonly users: readonly UserId[] };

/** HELLO was accepted. */
export interface WelcomeFrame {
  readonly frame: 'WELCOME';
  readonly minor: number;
  readonly capabilities: number;
  readonly user: UserId;
  readonly device: DeviceId;
  readonly epoch: Epoch;
  /** Milliseconds since 1970, as every time here. */
  readonly now: number;
  readonly pingSeconds: number;
  readonly messageBytesMax: number;
  readonly bodyBytesMax: number;
  readonly sendsMax: number;
}

/** A refusal. */
export interface ErrorFrame {
  readonly frame: 'ERROR';
  /** 0 for the connection, which then closes. */
  readonly rid: number;
  readonly code: number;
  /** Bits of `errorFlag`. */
  readonly flags: number;
  readonly retryMs: number;
  readonly text: string;
}

/** The entry of a SEND is durable. */
export interface SentFrame {
  readonly frame: 'SENT';
  readonly rid: number;
  readonly sequence: Sequence;
  readonly ord: number;
  readonly sentAt: number;
  /** Whether an earlier copy was found. */
  readonly duplicate: boolean;
}

/** One entry of a log. */
export interface EntryFrame {
  readonly frame: 'ENTRY';
  readonly conversation: ConversationId;
  readonly sequence: Sequence;
  readonly ord: number;
  /** 0 for the server. */
  readonly sender: UserId | 0;
  readonly sentAt: number;
  readonly kind: number;
  readonly body: Uint8Array;
  /** Only on the sender's own devices. */
  readonly cmid?: MessageId | undefined;
  readonly tags: readonly Tag[];
}

/** A conversation as its user sees it. */
export interface ChatRecord {
  readonly conversation: ConversationId;
  readonly kind: number;
  readonly lastSequence: Sequence;
  readonly lastOrd: number;
  readonly lastAt: number;
  readonly read: Sequence;
  readonly readOrd: number;
  readonly delivered: Sequence;
  readonly title?: string | undefined;
  readonly peer?: UserId | undefined;
  /** A preview: to show, not to keep. */
  readonly lastEntry?: EntryFrame | undefined;
  readonly muted: boolean;
  readonly memberCount?: number | undefined;
  readonly firstVisible: Sequence;
  readonly left: boolean;
  readonly peerRead?: Sequence | undefined;
  readonly peerDelivered?: Sequence | undefined;
}

/** One page of what changed. */
export interface SyncedFrame {
  readonly frame: 'SYNCED';
  readonly rid: number;
  /** Bits of `syncedFlag`. */
  readonly flags: number;
  readonly token: Uint8Array;
  readonly records: readonly ChatRecord[];
}

/** What the server sends. */
export type ServerFrame =
  | WelcomeFrame
  | ErrorFrame
  | PingFrame
  | { readonly frame: 'GOAWAY'; readonly reason: number; readonly spreadMs: number; readonly graceMs: number }
  | SentFrame
  | EntryFrame
  | {
      readonly frame: 'CURSOR';
      readonly conversation: ConversationId;
      readonly user: UserId;
      readonly delivered: Sequence;
      readonly read: Sequence;
      readonly readOrd: number;
    }
  | SyncedFrame
  | {
      readonly frame: 'FETCHED';
      readonly rid: number;
      readonly conversation: ConversationId;
      readonly to: Sequence;
      /** Where to read on; 0 if complete. */
      readonly next: Sequence;
    }
  | { readonly frame: 'RESYNC'; readonly reason: number }
  | EphemeralFrame
  | { readonly frame: 'PRESENCE'; readonly user: UserId; readonly state: number; readonly lastSeen: number };
