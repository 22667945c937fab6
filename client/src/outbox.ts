// Messages of one's own until the server has them. Owns the rules by which each gets there once and in
// order: the floor that is fixed first, the hold, and what an answer means for a row.
//
// A gate says whether SENDs may leave:
//
//   shut   there is no connection
//   stale  floors may be of a past that no longer exists, or lie too far back: SYNC and FETCH first
//   held   the server refuses every SEND until RESUME
//   open

import type { Desk } from './desk.ts';
import { errorCode, errorFlag } from './constants.ts';
import type { ConversationId, ErrorFrame, MessageId, Sequence } from './frames.ts';
import type { OutboxRow } from './store.ts';

export class Outbox {
  readonly #desk: Desk;
  /** In the order of sending. */
  readonly #rows: Map<MessageId, OutboxRow>;
  /** Rows by the commit after which they may be sent. */
  readonly #unstored = new Map<MessageId, number>();
  /** Rows whose SEND has no answer yet. */
  readonly #open = new Set<MessageId>();
  /** Conversations in which a floor lies too far back. */
  readonly #behind = new Set<ConversationId>();
  #gate: 'shut' | 'stale' | 'held' | 'open' = 'shut';
  #sendsMax = 0;
  #retryAt = 0;

  constructor(desk: Desk, rows: readonly OutboxRow[]) {
    this.#desk = desk;
    const ordered = [...rows].sort((a, b) => a.queuedAt - b.queuedAt);
    this.#rows = new Map(ordered.map((row) => [row.cmid, row]));
  }

  /** Takes a new row, or a failed one once more, at the end. One that is `stored` may be sent at once. */
  put(row: OutboxRow, stored: boolean): void {
    if (this.#rows.get(row.cmid)?.error === undefined && this.#rows.has(row.cmid)) return;
    this.#rows.delete(row.cmid);
    if (stored) this.#rows.set(row.cmid, row);
    else this.#store(row);
  }

  retry(cmid: MessageId): void {
    const row = this.#rows.get(cmid);
    const last = Math.max(...[...this.#rows.values()].map(({ queuedAt }) => queuedAt));
    if (row?.error) this.put({ ...row, error: undefined, queuedAt: Math.max(last + 1, this.#desk.now) }, false);
  }

  /** Gives a failed row up. */
  discard(cmid: MessageId): void {
    if (this.#rows.get(cmid)?.error) this.#settle(cmid, 0 as Sequence, 0);
  }

  welcome(sendsMax: number, stale: boolean): void {
    this.#sendsMax = sendsMax;
    this.#retryAt = 0;
    this.#gate = stale ? 'stale' : 'open';
  }

  lost(): void {
    this.#gate = 'shut';
    this.#open.clear();
    this.#behind.clear();
  }

  /** Nothing leaves until `resync` has been called. */
  stale(): void {
    if (this.#gate !== 'shut') this.#gate = 'stale';
  }

  /** A SYNC came to its end. Where the server was restored, `head` tells how far each log reaches now. */
  synced(head: ((conversation: ConversationId) => number) | undefined): void {
    if (head !== undefined) {
      for (const row of this.#rows.values()) this.#floor(row, Math.min(row.floor, head(row.conversation) + 1));
    }
    if (this.#gate === 'stale') this.#gate = 'held';
  }

  /** Where logs must be looked through before anything is sent: the conversation and the lowest floor. */
  behind(): ReadonlyMap<ConversationId, number> {
    const floors = new Map<ConversationId, number>();
    for (const { conversation, floor, error } of this.#rows.values()) {
      if (error || !this.#behind.has(conversation)) continue;
      floors.set(conversation, Math.min(floor, floors.get(conversation) ?? floor));
    }
    return floors;
  }

  /** All entries of a conversation from `first` up to `head` were seen: what is still here is not among them.
   *  Of a row whose floor is lower, such as a failed one that is tried again, nothing is known. */
  lookedThrough(conversation: ConversationId, first: number, head: number): void {
    this.#behind.delete(conversation);
    for (const row of this.#rows.values()) {
      if (row.conversation === conversation && row.floor >= first) this.#floor(row, head + 1);
    }
  }

  /** A conversation cannot be looked through: no message can get there. */
  closed(conversation: ConversationId, error: ErrorFrame): void {
    this.#behind.delete(conversation);
    for (const row of this.#rows.values()) if (row.conversation === conversation) this.#fail(row, error);
  }

  /** An answer came for a row; undefined was SENT, which `settle` handles. */
  answered(row: OutboxRow, error?: ErrorFrame): void {
    this.#open.delete(row.cmid);
    if (error === undefined) return;
    if (error.flags & (errorFlag.RETRY | errorFlag.UNKNOWN)) {
      if (this.#gate === 'open') this.#gate = 'held';
      this.#retryAt = Math.max(this.#retryAt, this.#desk.now + error.retryMs);
      if (error.code === errorCode.FLOOR_OUT_OF_RANGE && this.#rows.has(row.cmid)) this.#behind.add(row.conversation);
    } else if (this.#rows.has(row.cmid)) {
      this.#fail(row, error);
    }
  }

  /** The log has the message. */
  settle(cmid: MessageId, sequence: Sequence, sentAt: number): void {
    if (this.#rows.has(cmid)) this.#settle(cmid, sequence, sentAt);
  }

  stored(commit: number): void {
    for (const [cmid, needed] of this.#unstored) if (needed <= commit) this.#unstored.delete(cmid);
  }

  /** When `flush` may have more to do by time alone. */
  get wakeAt(): number {
    return this.#gate === 'held' && this.#isAnswered ? this.#retryAt : Infinity;
  }

  /** Sends what may be sent. */
  flush(): void {
    const desk = this.#desk;
    if (desk.now >= this.wakeAt) {
      desk.write({ frame: 'RESUME' });
      this.#gate = 'open';
    }
    if (this.#gate !== 'open') return;
    for (const row of this.#rows.values()) {
      if (row.error || this.#open.has(row.cmid)) continue;
      // Order goes before haste: nothing overtakes a row that is not stored yet.
      if (this.#unstored.has(row.cmid) || this.#open.size >= this.#sendsMax) return;
      this.#open.add(row.cmid);
      const { conversation, cmid, floor, kind, body, tags } = row;
      desk.ask({ is: 'send', row }, (rid) => ({ frame: 'SEND', rid, conversation, cmid, floor, kind, body, tags }));
    }
  }

  /** Whether nothing but time keeps the hold up. */
  get #isAnswered(): boolean {
    return this.#open.size === 0 && this.behind().size === 0;
  }

  #store(row: OutboxRow): void {
    this.#rows.set(row.cmid, row);
    this.#unstored.set(row.cmid, this.#desk.commit);
    this.#desk.outbox(row);
  }

  #floor(row: OutboxRow, floor: number): void {
    if (floor !== row.floor) this.#store({ ...row, floor: floor as Sequence });
  }

  #fail(row: OutboxRow, { code, text }: ErrorFrame): void {
    if (!row.error) this.#store({ ...row, error: { code, text } });
  }

  #settle(cmid: MessageId, sequence: Sequence, sentAt: number): void {
    this.#rows.delete(cmid);
    this.#unstored.delete(cmid);
    this.#desk.settled({ cmid, sequence, sentAt });
  }
}
