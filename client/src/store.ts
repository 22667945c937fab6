// What a client keeps between two runs, and the one interface behind which it is kept. Owns the shape
// of the rows and how changes add up; what they mean belongs to `replica` and `outbox`.

import type { ConversationId, DeviceId, EntryFrame, Epoch, MessageId, Sequence, UserId } from './frames.ts';
import type { Tag } from './bytes.ts';
import type { Range } from './ranges.ts';

/** Whose store this is and up to where SYNC has told. */
export interface Meta {
  readonly user: UserId;
  readonly device: DeviceId;
  readonly epoch: Epoch;
  /** Of the last page of a SYNC; empty before the first. */
  readonly token: Uint8Array;
}

/** One conversation: what SYNC told of it, what is held of its log, and the cursors in it. */
export interface ConversationRow {
  readonly id: ConversationId;
  kind: number;
  title: string | undefined;
  peer: UserId | undefined;
  memberCount: number | undefined;
  muted: boolean;
  left: boolean;
  firstVisible: Sequence;
  /** The highest sequence that anything has named to this client: a floor is one more. */
  lastSequence: Sequence;
  lastOrd: number;
  lastAt: number;
  /** The last entry; its text may be cut. */
  preview: EntryFrame | undefined;
  /** The ranges of the log that are held, whether or not each sequence in them is visible. */
  held: readonly Range[];
  /** The end of the range that is followed. */
  have: number;
  /** One's own cursors: what was read, and what is stored here. */
  read: Sequence;
  readOrd: number;
  delivered: Sequence;
  /** The same as the server last told them. Where they are below, READ and ACK are due again. */
  readTold: Sequence;
  deliveredTold: Sequence;
  /** How far the other user of a direct chat is. */
  peerRead: Sequence;
  peerDelivered: Sequence;
}

/** A message of one's own without an answer. Rows are sent in the order of `queuedAt`. */
export interface OutboxRow {
  readonly cmid: MessageId;
  readonly conversation: ConversationId;
  /** Fixed when the row is made, before the first attempt, and the same on every attempt. */
  readonly floor: Sequence;
  readonly kind: number;
  readonly body: Uint8Array;
  readonly tags: readonly Tag[];
  /** Milliseconds since 1970; unique within a client. */
  readonly queuedAt: number;
  /** Why it was refused for good; it is not sent again by itself. */
  readonly error?: { readonly code: number; readonly text: string } | undefined;
}

/** A row that left the outbox: the server has the message; or it was discarded, at sequence 0. */
export interface Settled {
  readonly cmid: MessageId;
  readonly sequence: Sequence;
  readonly sentAt: number;
}

/** What is to be written in one transaction. */
export interface Changes {
  /** Everything but the outbox is forgotten before anything else. */
  reset: boolean;
  meta: Meta | undefined;
  conversations: readonly ConversationRow[];
  entries: readonly EntryFrame[];
  outbox: readonly OutboxRow[];
  settled: readonly Settled[];
}

/** Everything but the entries. */
export interface Saved {
  readonly meta: Meta | undefined;
  readonly conversations: readonly ConversationRow[];
  readonly outbox: readonly OutboxRow[];
}

/** Where a client keeps what it holds. */
export interface Store {
  /** Reads everything but the entries; the first call of all. */
  load(): Promise<Saved>;
  /** Writes all of it or nothing; resolves once it lasts. Calls are applied in their order. */
  commit(changes: Changes): Promise<void>;
  /** The newest `limit` entries held from `from` up to `to`, newest first. */
  entries(conversation: ConversationId, from: number, to: number, limit: number): Promise<readonly EntryFrame[]>;
  /** Lets several tabs share the store, where it can be shared. */
  readonly tabs?: Tabs | undefined;
}

/** The other tabs of one store. */
export interface Tabs {
  /** Resolves when this tab leads, which it does until the returned function is called or it ends. */
  lead(): Promise<() => void>;
  /** Tells all other tabs. */
  post(message: unknown): void;
  /** Hears the other tabs; returns what stops it. */
  listen(hear: (message: unknown) => void): () => void;
}

/** No change at all. */
export function unchanged(): Changes {
  return { reset: false, meta: undefined, conversations: [], entries: [], outbox: [], settled: [] };
}

/** Two changes as one. */
export function both(first: Changes, second: Changes): Changes {
  const kept = second.reset ? { ...first, meta: undefined, conversations: [], entries: [] } : first;
  const settled = new Set(second.settled.map((row) => row.cmid));
  return {
    reset: first.reset || second.reset,
    meta: second.meta ?? kept.meta,
    conversations: latest([...kept.conversations, ...second.conversations]),
    entries: [...kept.entries, ...second.entries],
    outbox: [...first.outbox.filter((row) => !settled.has(row.cmid)), ...second.outbox],
    settled: [...first.settled, ...second.settled],
  };
}

function latest(rows: readonly ConversationRow[]): readonly ConversationRow[] {
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}

/** Keeps everything in memory, for clients that start afresh each time. */
export function memoryStore(): Store {
  let meta: Meta | undefined;
  const conversations = new Map<ConversationId, ConversationRow>();
  const outbox = new Map<MessageId, OutboxRow>();
  const logs = new Map<ConversationId, Map<number, EntryFrame>>();
  return {
    load: async () => ({ meta, conversations: [...conversations.values()], outbox: [...outbox.values()] }),
    commit: async (changes) => {
      if (changes.reset) [conversations, logs].forEach((kept) => kept.clear());
      meta = changes.meta ?? (changes.reset ? undefined : meta);
      changes.conversations.forEach((row) => conversations.set(row.id, row));
      changes.outbox.forEach((row) => outbox.set(row.cmid, row));
      changes.settled.forEach((row) => outbox.delete(row.cmid));
      for (const entry of changes.entries) {
        const log = logs.get(entry.conversation) ?? new Map<number, EntryFrame>();
        logs.set(entry.conversation, log.set(entry.sequence, entry));
      }
    },
    entries: async (conversation, from, to, limit) =>
      [...(logs.get(conversation)?.values() ?? [])]
        .filter(({ sequence }) => from <= sequence && sequence <= to)
        .sort((a, b) => b.sequence - a.sequence)
        .slice(0, limit),
  };
}
