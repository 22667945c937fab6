// What handling one event leads to, gathered while it is handled: frames to write, changes to store,
// things to tell. Also the requests that wait for an answer. Decides nothing.

import type { ConnectionEffect, ConnectionState } from './connection.ts';
import type { ClientFrame, ConversationId, EntryFrame, UserId } from './frames.ts';
import type { Changes, ConversationRow, Meta, OutboxRow, Settled } from './store.ts';
import { unchanged } from './store.ts';

/** A part of a log to be fetched. */
export interface Job {
  readonly conversation: ConversationId;
  /** Where it began. */
  readonly first: number;
  /** Moves up page by page. */
  from: number;
  /** 0 for the head. */
  readonly to: number;
  /** A hole in what is followed, the copies that a floor leaves possible, or a command's scroll-back. */
  readonly why: 'hole' | 'floor' | 'history';
  /** The command that waits for it. */
  readonly command?: number;
  notBefore: number;
  asked: boolean;
}

/** What an answer belongs to. */
export type Request =
  | { readonly is: 'send'; readonly row: OutboxRow }
  | { readonly is: 'sync' }
  | { readonly is: 'fetch'; readonly job: Job };

export type Effect =
  | ConnectionEffect
  /** Frames of one message. */
  | { readonly do: 'write'; readonly frames: readonly ClientFrame[] }
  | { readonly do: 'state'; readonly state: ConnectionState }
  /** To be stored, in order; then the event `stored` with this number is due. */
  | { readonly do: 'commit'; readonly commit: number; readonly changes: Changes }
  | { readonly do: 'typing'; readonly conversation: ConversationId; readonly user: UserId; readonly active: boolean }
  /** A command has done what it could. */
  | { readonly do: 'done'; readonly command: number };

export class Desk {
  now = 0;
  /** Whether frames may be written: WELCOME has come. */
  live = false;
  /** The number of the next commit. */
  commit = 1;
  readonly random: () => number;
  readonly requests = new Map<number, Request & { readonly at: number }>();
  #effects: Effect[] = [];
  #changes = unchanged();
  readonly #rows = new Set<ConversationRow>();
  #rid = 0;

  constructor(random: () => number) {
    this.random = random;
  }

  tell(...effects: readonly Effect[]): void {
    this.#effects.push(...effects);
  }

  write(...frames: readonly ClientFrame[]): void {
    this.tell({ do: 'write', frames });
  }

  /** Makes a request; its answer is looked up in `requests`. */
  ask(request: Request, frame: (rid: number) => ClientFrame, before: readonly ClientFrame[] = []): void {
    const rid = ++this.#rid;
    this.requests.set(rid, { ...request, at: this.now });
    this.write(...before, frame(rid));
  }

  /** When the oldest request without an answer was made. */
  get asked(): number {
    const [oldest] = this.requests.values();
    return oldest?.at ?? Infinity;
  }

  changed(row: ConversationRow): void {
    this.#rows.add(row);
  }

  entry(entry: EntryFrame): void {
    this.#changes.entries = [...this.#changes.entries, entry];
  }

  outbox(row: OutboxRow): void {
    this.#changes.outbox = [...this.#changes.outbox, row];
  }

  settled(settled: Settled): void {
    this.#changes.settled = [...this.#changes.settled, settled];
  }

  meta(meta: Meta): void {
    this.#changes.meta = meta;
  }

  /** Forgets every conversation and entry, those of this event too. */
  reset(): void {
    this.#rows.clear();
    this.#changes.reset = true;
    this.#changes.entries = [];
  }

  /** Ends the event: everything it led to, what is to be stored first of all. */
  take(): { readonly effects: readonly Effect[]; readonly rows: readonly ConversationRow[] } {
    const rows = [...this.#rows];
    const changes = { ...this.#changes, conversations: rows.map((row) => ({ ...row })) };
    const effects = this.#effects;
    const any = changes.reset || changes.meta || rows.length || changes.outbox.length || changes.settled.length;
    if (any) effects.unshift({ do: 'commit', commit: this.commit++, changes });
    this.#effects = [];
    this.#changes = unchanged();
    this.#rows.clear();
    return { effects, rows };
  }
}
