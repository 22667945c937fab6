// What this client holds of its conversations, and how that follows the server: SYNC, holes, FETCH,
// and the cursors. Owns the rule that nothing is shown, acknowledged or forgotten too early.
//
// Of each log a set of ranges is held. The one that is followed ends at `have`:
//
//   firstVisible ... [scroll-back]   [first page ...... have] (hole) [ahead]  lastSequence

import { entryKind, ephemeralKind, limit, syncedFlag } from './constants.ts';
import type { Desk, Job } from './desk.ts';
import { Fetches, REFUSED_MS } from './fetches.ts';
import type {
  ChatRecord,
  ClientFrame,
  ConversationId,
  EntryFrame,
  EphemeralFrame,
  ErrorFrame,
  Sequence,
  ServerFrame,
  SyncedFrame,
  UserId,
  WelcomeFrame,
} from './frames.ts';
import { rangeAt, withRange } from './ranges.ts';
import type { ConversationRow, Meta, Saved } from './store.ts';

type FetchedFrame = Extract<ServerFrame, { frame: 'FETCHED' }>;
type CursorFrame = Extract<ServerFrame, { frame: 'CURSOR' }>;

/** A SYNC under way. */
interface Sync {
  /** How far each log was known to reach when it began: less means that the server was restored. */
  readonly known: ReadonlyMap<ConversationId, number>;
  readonly listed: Set<ConversationId>;
  everything: boolean;
}

const HOLE_MS = 500;
/** After this long, a cursor that the server has told survives it. */
const LASTING_MS = 10_000;
/** Where the server shows less than it told of. */
const SHORT_MS = 30_000;

const max = Math.max as (...of: Sequence[]) => Sequence;

export class Replica {
  /** Undefined before the first SYNC has come to its end, and again after a restore. */
  meta: Meta | undefined;
  /** Whether everything the server had is here: nothing is to be synced or fetched. */
  synced = false;
  readonly rows: Map<ConversationId, ConversationRow>;
  readonly fetches: Fetches;
  readonly #desk: Desk;
  readonly #firstPage: number;
  #sync: Sync | undefined;
  #syncAgain = false;
  #syncAt = Infinity;
  /** Of this connection. */
  #welcome: WelcomeFrame | undefined;
  /** When READ or ACK last left, and when this client began. */
  readonly #cursorsAt = new Map<ConversationId, number>();
  #startedAt = 0;
  /** Cursors of before a restore. */
  #before: ReadonlyMap<ConversationId, ConversationRow> | undefined;
  /** What may be acknowledged once a commit is stored. */
  #unstored: { readonly commit: number; readonly row: ConversationRow; readonly have: number }[] = [];

  constructor(desk: Desk, saved: Saved, firstPage: number) {
    this.#desk = desk;
    this.#firstPage = firstPage;
    this.meta = saved.meta;
    // Whatever is in the store is stored.
    const rows = saved.conversations.map((row) => ({ ...row, delivered: row.have as Sequence }));
    this.rows = new Map(rows.map((row) => [row.id, row]));
    this.fetches = new Fetches(desk, (id) => this.rows.get(id));
  }

  /** Whose connection it is. */
  get user(): UserId | undefined {
    return this.#welcome?.user;
  }

  /** HELLO opens the connection and rides with the first SYNC. */
  hello(hello: ClientFrame): void {
    this.#startedAt ||= this.#desk.now;
    this.#begin(this.meta?.token ?? new Uint8Array(0), [hello]);
  }

  /** Whether the server is another than the one that was left: new here, or restored from a backup. */
  welcome(welcome: WelcomeFrame): boolean {
    this.#welcome = welcome;
    const stranger = this.meta?.epoch !== welcome.epoch;
    if (stranger) {
      this.#forget();
      // The SYNC that came with HELLO told an unknown epoch, so it lists everything.
      this.#sync = { known: new Map(), listed: new Set(), everything: false };
    }
    for (const row of this.rows.values()) {
      if (row.read > row.readTold) this.#sendRead(row);
      this.fetches.follow(row, 0);
    }
    this.#ack([...this.rows.values()].filter((row) => tellsDelivered(row) && row.delivered > row.deliveredTold));
    return stranger;
  }

  lost(): void {
    this.#sync = undefined;
    this.#syncAgain = this.synced = false;
    this.#syncAt = Infinity;
    this.fetches.lost();
  }

  /** Asks what changed; once more after the SYNC that is under way. */
  sync(): void {
    if (this.#sync) this.#syncAgain = true;
    else if (this.#desk.live) this.#begin(this.meta?.token ?? new Uint8Array(0));
  }

  /** Reads a page. True at the end of the last one; 'restored' where the server is not what it was. */
  onSynced({ flags, token, records }: SyncedFrame): boolean | 'restored' {
    const sync = this.#sync;
    if (!sync) return false;
    if (records.some((record) => record.lastSequence < (sync.known.get(record.conversation) ?? 0))) {
      this.#forget();
      this.#begin(new Uint8Array(0));
      return 'restored';
    }
    for (const record of records) {
      sync.listed.add(record.conversation);
      this.#merge(record);
    }
    if (flags & syncedFlag.EVERYTHING) sync.everything = true;
    if (flags & syncedFlag.MORE) {
      this.#ask(token);
      return false;
    }
    if (sync.everything) this.#leaveOthers(sync.listed);
    this.#rest(token.slice());
    if (!this.#syncAgain) return true;
    this.#begin(token);
    return false;
  }

  onSyncRefused({ retryMs }: ErrorFrame): void {
    this.#sync = undefined;
    this.#syncAt = this.#desk.now + Math.max(retryMs, REFUSED_MS);
  }

  /** An entry that the server pushed, answered or confirmed. */
  onEntry(entry: EntryFrame): void {
    const row = this.rows.get(entry.conversation);
    if (!row || row.left) this.sync();
    if (!row) return;
    this.#name(row, entry);
    if (rangeAt(row.held, entry.sequence)) return;
    this.#desk.entry(entry);
    this.#hold(row, entry.sequence, entry.sequence);
    if (row.have < entry.sequence) this.fetches.follow(row, HOLE_MS * (1 + this.#desk.random()));
  }

  onCursor({ conversation, user, delivered, read, readOrd }: CursorFrame): void {
    const row = this.rows.get(conversation);
    if (!row) return;
    if (user === this.user) {
      this.#read(row, read, readOrd);
    } else if (user === row.peer) {
      row.peerRead = max(row.peerRead, read);
      row.peerDelivered = max(row.peerDelivered, delivered, read);
    }
    this.#desk.changed(row);
  }

  /** A command: the user has read up to there. */
  read(conversation: ConversationId, upTo: Sequence, ord: number): void {
    const row = this.rows.get(conversation);
    if (!row || !this.#read(row, Math.min(upTo, row.lastSequence) as Sequence, ord)) return;
    this.#desk.changed(row);
    if (this.#desk.live) this.#sendRead(row);
  }

  /** Typing is told of a conversation that is known. */
  onEphemeral({ conversation, user, kind }: EphemeralFrame): void {
    if (user === 0 || !this.rows.has(conversation)) return;
    this.#desk.tell({ do: 'typing', conversation, user, active: kind === ephemeralKind.TYPING });
  }

  /** A range has come whole: it is held, whether or not each sequence of it appeared. */
  onFetched(job: Job, { to, next }: FetchedFrame): boolean {
    const row = this.rows.get(job.conversation);
    const end = next === 0 ? to : next - 1;
    if (row && end >= job.from) {
      row.lastSequence = max(row.lastSequence, to);
      this.#hold(row, job.from, end);
    }
    if (!this.fetches.answered(job, next)) return false;
    if (row) this.fetches.follow(row, to < job.to ? SHORT_MS : 0);
    return true;
  }

  /** Everything up to a commit lasts: what it holds may be acknowledged. */
  stored(commit: number): void {
    const due = new Set<ConversationRow>();
    while (this.#unstored[0] && this.#unstored[0].commit <= commit) {
      const { row, have } = this.#unstored[0];
      this.#unstored.shift();
      if (have <= row.delivered) continue;
      row.delivered = have as Sequence;
      due.add(row);
    }
    if (this.#desk.live) this.#ack([...due]);
  }

  /** Remembers what the commit that is being made will hold. */
  committed(commit: number, rows: readonly ConversationRow[]): void {
    for (const row of rows) this.#unstored.push({ commit, row, have: row.have });
  }

  get wakeAt(): number {
    if (!this.#desk.live) return Infinity;
    return Math.min(this.#syncAt, this.fetches.wakeAt);
  }

  /** Asks for what is due. */
  flush(): void {
    const { now, live } = this.#desk;
    if (!live) return;
    if (now >= this.#syncAt) this.sync();
    this.fetches.flush();
    this.synced = !this.#sync && this.#syncAt === Infinity && !this.fetches.hasHoles;
  }

  #begin(token: Uint8Array, before?: readonly ClientFrame[]): void {
    const known = new Map([...this.rows.values()].map((row) => [row.id, row.lastSequence] as const));
    this.#sync = { known, listed: new Set(), everything: false };
    this.#syncAgain = false;
    this.#syncAt = Infinity;
    this.#ask(token, before);
  }

  #ask(token: Uint8Array, before?: readonly ClientFrame[]): void {
    this.#desk.ask({ is: 'sync' }, (rid) => ({ frame: 'SYNC', rid, limit: 0, token }), before);
  }

  /** The server was restored from a backup: its logs are beginnings of those that are held here. */
  #forget(): void {
    this.#before = new Map([...(this.#before ?? []), ...this.rows]);
    this.rows.clear();
    this.meta = undefined;
    this.#unstored = [];
    this.fetches.forget();
    this.#desk.reset();
  }

  #leaveOthers(listed: ReadonlySet<ConversationId>): void {
    for (const row of this.rows.values()) {
      if (listed.has(row.id) || row.left) continue;
      row.left = true;
      this.#desk.changed(row);
    }
  }

  #merge(record: ChatRecord): void {
    const row = this.rows.get(record.conversation) ?? this.#discover(record);
    const { kind, title, peer, memberCount, muted, left, firstVisible } = record;
    Object.assign(row, { kind, title, peer, memberCount, muted, left, firstVisible });
    if (record.lastSequence >= row.lastSequence) {
      const { lastSequence, lastOrd, lastAt, lastEntry } = record;
      Object.assign(row, { lastSequence, lastOrd, lastAt, preview: lastEntry && ownedEntry(lastEntry) });
    }
    row.peerRead = max(row.peerRead, record.peerRead ?? (0 as Sequence));
    row.peerDelivered = max(row.peerDelivered, record.peerDelivered ?? (0 as Sequence), row.peerRead);
    // A crash of the server may undo what it was told a moment ago, and no SYNC would list that.
    if (this.#desk.now - (this.#cursorsAt.get(row.id) ?? this.#startedAt) >= LASTING_MS) {
      row.readTold = record.read;
      row.deliveredTold = record.delivered;
    }
    if (record.read < row.read) this.#sendRead(row);
    else this.#read(row, record.read, record.readOrd);
    if (tellsDelivered(row) && record.delivered < row.delivered) this.#ack([row]);
    this.#desk.changed(row);
    this.fetches.follow(row, 0);
  }

  /** A conversation seen for the first time is followed from its last page on. */
  #discover(record: ChatRecord): ConversationRow {
    const { conversation, firstVisible, lastSequence, lastOrd } = record;
    const before = this.#before?.get(conversation);
    const zero = 0 as Sequence;
    const row: ConversationRow = {
      id: conversation,
      kind: record.kind,
      title: undefined,
      peer: undefined,
      memberCount: undefined,
      muted: false,
      left: false,
      firstVisible,
      lastSequence: zero,
      lastOrd: 0,
      lastAt: 0,
      preview: undefined,
      held: [],
      have: Math.max(firstVisible - 1, lastSequence - this.#firstPage, 0),
      read: Math.min(before?.read ?? 0, lastSequence) as Sequence,
      readOrd: Math.min(before?.readOrd ?? 0, lastOrd),
      delivered: zero,
      readTold: zero,
      deliveredTold: zero,
      peerRead: zero,
      peerDelivered: zero,
    };
    this.rows.set(conversation, row);
    return row;
  }

  /** What an entry says about its conversation. */
  #name(row: ConversationRow, entry: EntryFrame): void {
    const { sequence, ord, sender, sentAt, kind } = entry;
    if (sender !== 0 && sender === this.user) this.#read(row, sequence, ord);
    if (sender !== 0 && sender === row.peer) row.peerRead = max(row.peerRead, sequence);
    if (sequence > row.lastSequence) {
      Object.assign(row, { lastSequence: sequence, lastOrd: ord, lastAt: sentAt, preview: entry });
      // A title or a member: what that makes of the conversation is for SYNC to tell.
      if (kind === entryKind.MEMBER || kind === entryKind.SETTINGS) this.sync();
    }
    this.#desk.changed(row);
  }

  #read(row: ConversationRow, read: Sequence, ord: number): boolean {
    if (read <= row.read) return false;
    row.read = read;
    row.readOrd = Math.max(row.readOrd, ord);
    return true;
  }

  #sendRead({ id, read }: ConversationRow): void {
    this.#cursorsAt.set(id, this.#desk.now);
    this.#desk.write({ frame: 'READ', conversation: id, read });
  }

  #ack(rows: readonly ConversationRow[]): void {
    rows.forEach((row) => this.#cursorsAt.set(row.id, this.#desk.now));
    if (rows.length > 0) this.#desk.write({ frame: 'ACK', items: rows.map((row) => [row.id, row.delivered] as const) });
  }

  #hold(row: ConversationRow, from: number, to: number): void {
    row.held = withRange(row.held, from, to);
    row.have = rangeAt(row.held, row.have + 1)?.[1] ?? row.have;
    this.#desk.changed(row);
  }

  /** The last page was read. The epoch is stored no sooner: until then floors may be those of another one. */
  #rest(token: Uint8Array): void {
    this.#sync = this.#before = undefined;
    if (!this.#welcome) return;
    const { user, device, epoch } = this.#welcome;
    this.meta = { user, device, epoch, token };
    this.#desk.meta(this.meta);
  }
}

/** Large groups keep no `delivered`: an ACK is never told there, and need not be repeated. */
function tellsDelivered({ memberCount = 0 }: ConversationRow): boolean {
  return memberCount <= limit.SMALL_GROUP_MEMBERS_MAX;
}

/** An entry that outlives the message it was read from. */
export function ownedEntry(entry: EntryFrame): EntryFrame {
  return {
    ...entry,
    body: entry.body.slice(),
    tags: entry.tags.map(({ tag, value }) => ({ tag, value: value.slice() })),
  };
}
