// The log of one conversation as it is to be shown: what is held without a hole, then one's own
// messages on their way. Owns which entries are in memory and the items made of them.

import type { Content } from './content.ts';
import { contentOfEntry } from './content.ts';
import type { ConversationId, EntryFrame, MessageId, Sequence, UserId } from './frames.ts';
import { rangeAt } from './ranges.ts';
import type { ConversationRow, OutboxRow } from './store.ts';

/** An entry of a log. */
export interface Entry {
  readonly conversation: ConversationId;
  readonly sequence: Sequence;
  readonly ord: number;
  /** 0 for the server. */
  readonly sender: UserId | 0;
  readonly sentAt: number;
  /** Undefined for something newer than this client. */
  readonly content: Content | undefined;
  /** The sequence of the last edit. */
  readonly edited: Sequence | undefined;
  /** The reason it was erased. */
  readonly erased: number | undefined;
  /** Only of one's own. */
  readonly cmid: MessageId | undefined;
}

/** A refusal for good of a message; code 0 where it was discarded. */
export class SendError extends Error {
  readonly code: number;

  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

/** A line of a timeline: an entry, or a message of one's own on its way to be one. */
export interface TimelineItem {
  /** The same before and after a message became an entry. */
  readonly key: string;
  readonly status: 'queued' | 'sent' | 'failed';
  readonly mine: boolean;
  readonly sender: UserId | 0;
  readonly at: number;
  readonly content: Content | undefined;
  readonly sequence: Sequence | undefined;
  readonly cmid: MessageId | undefined;
  readonly edited: Sequence | undefined;
  readonly erased: number | undefined;
  readonly error: SendError | undefined;
}

/** Reads an entry; what cannot be read is a placeholder. */
export function entryOf(frame: EntryFrame): Entry {
  const { conversation, sequence, ord, sender, sentAt, cmid } = frame;
  const { content, edited, erased } = contentOrNothing(frame) ?? {};
  return { conversation, sequence, ord, sender, sentAt, cmid, content, edited, erased };
}

function contentOrNothing(frame: EntryFrame): ReturnType<typeof contentOfEntry> {
  try {
    return contentOfEntry(frame);
  } catch {
    return undefined;
  }
}

/** The line of an entry; the same object for the same entry. */
export function entryItem(frame: EntryFrame, me: UserId | undefined): TimelineItem {
  return once(frame, () => {
    const { sentAt: at, sender, content, sequence, cmid, edited, erased } = entryOf(frame);
    const key = cmid === undefined ? `s${sequence}` : `m${cmid}`;
    const mine = cmid !== undefined || sender === me;
    return { key, status: 'sent', mine, sender, at, content, sequence, cmid, edited, erased, error: undefined };
  });
}

/** The line of a message that waits; the same object for the same row. */
export function outboxItem(row: OutboxRow, me: UserId | undefined): TimelineItem {
  return once(row, () => {
    const { conversation, cmid, queuedAt: at, error } = row;
    const none = 0 as Sequence;
    const frame: EntryFrame = { ...row, frame: 'ENTRY', conversation, sequence: none, ord: 0, sender: 0, sentAt: at };
    return {
      key: `m${cmid}`,
      status: error ? 'failed' : 'queued',
      mine: true,
      sender: me ?? 0,
      at,
      content: contentOrNothing(frame)?.content,
      sequence: undefined,
      cmid,
      edited: undefined,
      erased: undefined,
      error: error && new SendError(error.code, error.text),
    };
  });
}

const items = new WeakMap<object, TimelineItem>();

function once(of: object, make: () => TimelineItem): TimelineItem {
  const item = items.get(of) ?? make();
  items.set(of, item);
  return item;
}

/** What a timeline needs of the client. */
export interface Source {
  row(conversation: ConversationId): ConversationRow | undefined;
  outbox(conversation: ConversationId): readonly OutboxRow[];
  user(): UserId | undefined;
  /** `items` is another array now; subscribers are to be told soon. */
  changed(conversation: ConversationId): void;
  /** Entries of the store, newest first. */
  stored(conversation: ConversationId, from: number, to: number, limit: number): Promise<readonly EntryFrame[]>;
  /** Entries below a position, newest first, fetched where they are not held; none at the beginning. */
  older(conversation: ConversationId, before: number, limit: number): Promise<readonly EntryFrame[]>;
}

/** Where the range begins that is followed. */
function startOf({ held, have }: ConversationRow): number {
  return rangeAt(held, have)?.[0] ?? have + 1;
}

const PAGE = 50;
const EVERYTHING = Number.MAX_SAFE_INTEGER;

/** A log as it is to be shown, kept up to date. */
export class Timeline {
  readonly #id: ConversationId;
  readonly #source: Source;
  readonly #listeners = new Set<() => void>();
  /** Ascending: all from `#bottom` on, and what is ahead of a hole. */
  #entries: EntryFrame[] = [];
  /** Undefined until the conversation is known. */
  #bottom: number | undefined;
  #items: readonly TimelineItem[] | undefined;
  #loading: Promise<void> | undefined;

  /** Made by `Chat.timeline`. */
  constructor(id: ConversationId, source: Source) {
    this.#id = id;
    this.#source = source;
  }

  /** Oldest first, without a hole; the same array until it changes. */
  get items(): readonly TimelineItem[] {
    this.#items ??= this.#build();
    return this.#items;
  }

  /** Whether scrolling back finds more. */
  get hasOlder(): boolean {
    const row = this.#source.row(this.#id);
    return row !== undefined && this.#bottom !== undefined && this.#bottom > row.firstVisible;
  }

  /** Calls `listener` after `items` has changed; returns what stops it. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Puts up to `count` older entries before the others. */
  loadOlder(count = PAGE): Promise<void> {
    this.#loading ??= this.#older(count).finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  /** Lets older entries go from memory. */
  release(): void {
    const bottom = this.#entries[this.#entries.length - PAGE];
    if (bottom === undefined || this.#loading) return;
    this.#bottom = bottom.sequence;
    this.#entries = this.#entries.slice(-PAGE);
    this.changed();
  }

  /** Reads what the store has: the end of the log, or once more everything that is shown. */
  async load(): Promise<void> {
    const row = this.#source.row(this.#id);
    if (!row) return;
    const { have } = row;
    const again = this.#bottom;
    const start = again ?? startOf(row);
    this.#bottom = again ?? have + 1;
    const bottom = this.#bottom;
    const [ahead, last] = await Promise.all([
      this.#source.stored(this.#id, have + 1, EVERYTHING, EVERYTHING),
      this.#source.stored(this.#id, start, have, again === undefined ? PAGE : EVERYTHING),
    ]);
    if (this.#bottom !== bottom) return;
    this.#bottom = last.length < PAGE ? start : Math.min(bottom, last.at(-1)?.sequence ?? bottom);
    this.add([...ahead, ...last]);
  }

  /** Takes entries that came, in any order. */
  add(entries: readonly EntryFrame[]): void {
    const row = this.#source.row(this.#id);
    this.#bottom ??= row && startOf(row);
    const bottom = this.#bottom ?? EVERYTHING;
    for (const entry of entries) {
      const sequenceAt = (at: number): number => this.#entries[at]?.sequence ?? 0;
      // Most entries come at the end.
      let at = this.#entries.length;
      while (at > 0 && sequenceAt(at - 1) > entry.sequence) at -= 1;
      if (entry.sequence >= bottom && sequenceAt(at - 1) !== entry.sequence) this.#entries.splice(at, 0, entry);
    }
    this.changed();
  }

  /** The ord of the last entry up to a position; 0 if there is none. */
  ordAt(upTo: number): number {
    const within = this.#entries.filter((entry) => entry.sequence <= upTo);
    return within.at(-1)?.ord ?? 0;
  }

  /** Forgets everything. */
  reset(): void {
    this.#entries = [];
    this.#bottom = undefined;
    this.changed();
  }

  /** Has `items` made anew; called by the client. */
  changed(): void {
    this.#items = undefined;
    this.#source.changed(this.#id);
  }

  /** Tells the subscribers; called by the client, once for many changes. */
  notify(): void {
    this.#listeners.forEach((listener) => listener());
  }

  async #older(count: number): Promise<void> {
    const bottom = this.#bottom;
    if (bottom === undefined || !this.hasOlder) return;
    const entries = await this.#source.older(this.#id, bottom, count);
    if (this.#bottom !== bottom) return;
    this.#bottom = entries.at(-1)?.sequence ?? this.#source.row(this.#id)?.firstVisible ?? bottom;
    this.add(entries);
  }

  #build(): readonly TimelineItem[] {
    const user = this.#source.user();
    const have = this.#source.row(this.#id)?.have ?? 0;
    // One's own message stays in sight while a hole before it is being filled.
    const shown = this.#entries.filter((entry) => entry.sequence <= have || entry.cmid !== undefined);
    const local = this.#source.outbox(this.#id).map((row) => outboxItem(row, user));
    return [...shown.map((entry) => entryItem(entry, user)), ...local];
  }
}
