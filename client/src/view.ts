// What an application sees: conversations and timelines as snapshots that stay the same objects until
// something changes. Made from the changes that are stored, by whichever tab; asks for nothing itself.

import { conversationKind } from './constants.ts';
import type { ConversationId, EntryFrame, MessageId, Sequence, UserId } from './frames.ts';
import type { Changes, ConversationRow, Meta, OutboxRow, Saved } from './store.ts';
import type { Entry, Source, TimelineItem } from './timeline.ts';
import { entryItem, entryOf, outboxItem, Timeline } from './timeline.ts';

/** A conversation as its user sees it. */
export interface Conversation {
  readonly id: ConversationId;
  readonly kind: 'journal' | 'direct' | 'group';
  readonly title: string | undefined;
  /** The other user of a direct chat. */
  readonly peer: UserId | undefined;
  readonly memberCount: number | undefined;
  readonly muted: boolean;
  readonly left: boolean;
  readonly lastSequence: Sequence;
  /** Of the newest thing in it; what the list is sorted by. */
  readonly lastAt: number;
  readonly unread: number;
  /** One's own cursor. */
  readonly read: Sequence;
  /** How far the other user of a direct chat is; 0 if unknown. */
  readonly peerDelivered: Sequence;
  readonly peerRead: Sequence;
  /** The newest thing in it; its text may be cut. */
  readonly preview: TimelineItem | undefined;
  readonly typing: readonly UserId[];
  /** One's own messages that wait, and that were refused. */
  readonly queued: number;
  readonly failed: number;
}

/** How far a message of one's own has come. */
export type Tick = 'queued' | 'sent' | 'delivered' | 'read' | 'failed';

/** How far a message of one's own has come. */
export function tickOf(item: TimelineItem, { peerRead, peerDelivered }: Conversation): Tick {
  if (item.status !== 'sent' || item.sequence === undefined) return item.status;
  if (item.sequence <= peerRead) return 'read';
  return item.sequence <= peerDelivered ? 'delivered' : 'sent';
}

/** What a view tells as it changes. */
export interface ViewEvents {
  conversations(): void;
  timeline(id: ConversationId): void;
  entry(entry: Entry): void;
  failed(row: OutboxRow): void;
  settled(cmid: MessageId, sequence: Sequence, sentAt: number): void;
}

/** The entries of one conversation that have yet to be told of. */
interface Untold {
  /** Told up to here; what was there at first sight is no news. */
  upTo: number;
  readonly ahead: Map<number, EntryFrame>;
}

type Pages = Pick<Source, 'stored' | 'older'>;

export class View {
  meta: Meta | undefined;
  user: UserId | undefined;
  readonly outbox = new Map<MessageId, OutboxRow>();
  readonly #rows = new Map<ConversationId, ConversationRow>();
  readonly #timelines = new Map<ConversationId, Timeline>();
  readonly #untold = new Map<ConversationId, Untold>();
  readonly #typing = new Map<ConversationId, ReadonlySet<UserId>>();
  readonly #made = new Map<ConversationId, Conversation>();
  readonly #tell: ViewEvents;
  readonly #pages: Pages;
  #list: readonly Conversation[] | undefined;

  constructor(tell: ViewEvents, pages: Pages) {
    this.#tell = tell;
    this.#pages = pages;
  }

  /** Shows what a store holds; the rows of the outbox that are there no more. */
  load(saved: Saved): readonly OutboxRow[] {
    const { meta, conversations, outbox } = saved;
    const kept = new Set(outbox.map(({ cmid }) => cmid));
    const gone = [...this.outbox.values()].filter(({ cmid }) => !kept.has(cmid));
    gone.forEach(({ cmid }) => this.outbox.delete(cmid));
    for (const { id, have } of conversations) {
      if (!this.#untold.has(id)) this.#untold.set(id, { upTo: have, ahead: new Map() });
    }
    this.apply({ reset: false, meta, conversations, entries: [], outbox, settled: [] });
    for (const [id, timeline] of this.#timelines) if (this.#rows.has(id)) void timeline.load();
    return gone;
  }

  /** Newest first; those that were left are not among them. */
  get conversations(): readonly Conversation[] {
    this.#list ??= [...this.#rows.keys()]
      .map((id) => this.conversation(id))
      .filter((conversation) => conversation !== undefined && !conversation.left)
      .map((conversation) => conversation as Conversation)
      .sort((a, b) => b.lastAt - a.lastAt);
    return this.#list;
  }

  conversation(id: ConversationId): Conversation | undefined {
    const row = this.#rows.get(id);
    const made = this.#made.get(id) ?? (row && this.#make(row));
    if (made) this.#made.set(id, made);
    return made;
  }

  row(id: ConversationId): ConversationRow | undefined {
    return this.#rows.get(id);
  }

  timeline(id: ConversationId): Timeline {
    const known = this.#timelines.get(id);
    if (known) return known;
    const timeline = new Timeline(id, {
      ...this.#pages,
      row: (of) => this.#rows.get(of),
      outbox: (of) => this.#outboxOf(of),
      changed: (of) => this.#tell.timeline(of),
      user: () => this.user,
    });
    this.#timelines.set(id, timeline);
    void timeline.load();
    return timeline;
  }

  /** The ord of the last entry in memory up to a position; 0 if there is none. */
  ordAt(id: ConversationId, upTo: Sequence): number {
    return this.#timelines.get(id)?.ordAt(upTo) ?? 0;
  }

  /** Tells those who watch a timeline. */
  notify(id: ConversationId): void {
    this.#timelines.get(id)?.notify();
  }

  apply(changes: Changes): void {
    if (changes.reset) this.#reset();
    this.meta = changes.meta ?? this.meta;
    this.user = this.meta?.user ?? this.user;
    const touched = new Set<ConversationId>();
    for (const row of changes.conversations) {
      if (!this.#untold.has(row.id)) this.#untold.set(row.id, { upTo: row.lastSequence, ahead: new Map() });
      this.#rows.set(row.id, row);
      touched.add(row.id);
    }
    for (const row of changes.outbox) {
      const before = this.outbox.get(row.cmid);
      this.outbox.set(row.cmid, row);
      touched.add(row.conversation);
      if (row.error && !before?.error) this.#tell.failed(row);
    }
    for (const { cmid, sequence, sentAt } of changes.settled) {
      const row = this.outbox.get(cmid);
      this.outbox.delete(cmid);
      if (row) touched.add(row.conversation);
      this.#tell.settled(cmid, sequence, sentAt);
    }
    this.#add(changes.entries);
    touched.forEach((id) => this.#touch(id));
  }

  /** Somebody types, or no longer does. */
  typing(id: ConversationId, user: UserId, active: boolean): void {
    const typing = new Set(this.#typing.get(id));
    if (typing.has(user) === active) return;
    if (active) typing.add(user);
    else typing.delete(user);
    this.#typing.set(id, typing);
    this.#made.delete(id);
    this.#changed();
  }

  #add(entries: readonly EntryFrame[]): void {
    const byConversation = new Map<ConversationId, EntryFrame[]>();
    for (const entry of entries) {
      byConversation.set(entry.conversation, [...(byConversation.get(entry.conversation) ?? []), entry]);
      if (entry.sender !== 0) this.typing(entry.conversation, entry.sender, false);
    }
    for (const [id, added] of byConversation) {
      const untold = this.#untold.get(id);
      for (const entry of added) if (untold && entry.sequence > untold.upTo) untold.ahead.set(entry.sequence, entry);
      this.#timelines.get(id)?.add(added);
    }
  }

  #touch(id: ConversationId): void {
    this.#made.delete(id);
    const timeline = this.#timelines.get(id);
    if (timeline) timeline.changed();
    else this.#tell.timeline(id);
    this.#changed();
    const untold = this.#untold.get(id);
    const have = this.#rows.get(id)?.have ?? 0;
    if (!untold || have <= untold.upTo) return;
    untold.upTo = have;
    for (const [sequence, entry] of [...untold.ahead].sort(([a], [b]) => a - b)) {
      if (sequence > have) break;
      untold.ahead.delete(sequence);
      if (entry.sender !== this.user) this.#tell.entry(entryOf(entry));
    }
  }

  #changed(): void {
    this.#list = undefined;
    this.#tell.conversations();
  }

  #reset(): void {
    this.meta = undefined;
    for (const kept of [this.#rows, this.#untold, this.#made, this.#typing]) kept.clear();
    this.#timelines.forEach((timeline) => timeline.reset());
    this.#changed();
  }

  #outboxOf(id: ConversationId): readonly OutboxRow[] {
    const rows = [...this.outbox.values()].filter((row) => row.conversation === id);
    return rows.sort((a, b) => a.queuedAt - b.queuedAt);
  }

  #make(row: ConversationRow): Conversation {
    const local = this.#outboxOf(row.id);
    const last = local.at(-1);
    const failed = local.filter(({ error }) => error).length;
    const { id, title, peer, memberCount, muted, left, lastSequence, read, peerDelivered, peerRead } = row;
    return {
      ...{ id, title, peer, memberCount, muted, left, lastSequence, read, peerDelivered, peerRead },
      kind: row.kind === conversationKind.DIRECT ? 'direct' : row.kind === conversationKind.GROUP ? 'group' : 'journal',
      lastAt: Math.max(row.lastAt, last?.queuedAt ?? 0),
      unread: Math.max(0, row.lastOrd - row.readOrd),
      preview: last ? outboxItem(last, this.user) : row.preview && entryItem(row.preview, this.user),
      typing: [...(this.#typing.get(id) ?? [])],
      queued: local.length - failed,
      failed,
    };
  }
}
