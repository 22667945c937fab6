// A small server that follows docs/protocol.md, without sockets or time of its own, for tests of the
// client. Owns logs, members, cursors and connections; misbehaves as its faults say.

import type {
  ChatRecord,
  ClientFrame,
  ConversationId,
  DeviceId,
  EntryFrame,
  Epoch,
  SendFrame,
  Sequence,
  ServerFrame,
  UserId,
} from '../../src/codec.ts';
import { decodeClient, encodeServer, errorCode, errorFlag, layout, syncedFlag } from '../../src/codec.ts';
import type { Peer, Wire, World } from './world.ts';

interface Member {
  /** The first and the last sequence this user sees. */
  readonly from: number;
  until: number;
  read: number;
  readOrd: number;
  delivered: number;
  /** What a crash leaves of the cursors. */
  durable: { read: number; readOrd: number; delivered: number };
  /** When this conversation last changed for this user. */
  version: number;
}

interface Log {
  readonly id: ConversationId;
  readonly kind: number;
  readonly title: string | undefined;
  entries: (EntryFrame & { readonly by: string })[];
  members: Map<UserId, Member>;
}

/** How likely each fault is, for each chance it has. */
export interface Faults {
  refuse: number;
  unknown: number;
  dropPush: number;
  repeatPush: number;
  refuseRead: number;
}

export const NO_FAULTS: Faults = { refuse: 0, unknown: 0, dropPush: 0, repeatPush: 0, refuseRead: 0 };

const PAGE_RECORDS = 2;
const PAGE_ENTRIES = 7;
const FLOOR_ENTRIES_MAX = 30;
const SENDS_MAX = 4;

export class ModelServer {
  faults: Faults = NO_FAULTS;
  readonly world: World;
  readonly #logs = new Map<ConversationId, Log>();
  #epoch = 1;
  #version = 1;
  #connections = new Set<Connection>();
  #backup: { readonly logs: Log[]; readonly version: number } | undefined;

  constructor(world: World) {
    this.world = world;
  }

  create(id: number, kind: number, users: readonly number[], title?: string): void {
    const log: Log = { id: id as ConversationId, kind, title, entries: [], members: new Map() };
    this.#logs.set(log.id, log);
    for (const user of users) this.#join(log, user as UserId, 1);
  }

  /** Adds a member to a group, who sees it from here on. */
  add(id: number, user: number): void {
    const log = this.log(id);
    if (log.members.has(user as UserId)) return;
    this.#join(log, user as UserId, log.entries.length + 1);
    this.append(log, { kind: 6, users: [user as UserId], change: 1 });
  }

  /** Removes a member, who sees that and no more. */
  remove(id: number, user: number): void {
    const log = this.log(id);
    const member = log.members.get(user as UserId);
    if (!member || member.until !== Infinity) return;
    this.append(log, { kind: 6, users: [user as UserId], change: 3 });
    member.until = log.entries.length;
    this.#touch(member);
  }

  log(id: number): Log {
    return this.#logs.get(id as ConversationId) as Log;
  }

  accept(wire: Wire, user: number, device: number): Peer {
    return new Connection(this, wire, user as UserId, device as DeviceId);
  }

  /** Everything that is not durable is gone, and so are the connections. */
  restart(): void {
    for (const connection of [...this.#connections]) connection.cut(1006);
    for (const log of this.#logs.values()) for (const member of log.members.values()) Object.assign(member, member.durable);
  }

  takeBackup(): void {
    this.#backup = { logs: structuredClone([...this.#logs.values()]), version: this.#version };
  }

  restoreBackup(): void {
    if (!this.#backup) return;
    this.restart();
    this.#logs.clear();
    for (const log of structuredClone(this.#backup.logs)) this.#logs.set(log.id, log);
    this.#epoch += 1;
  }

  attach(connection: Connection): void {
    this.#connections.add(connection);
  }

  detach(connection: Connection): void {
    this.#connections.delete(connection);
  }

  get epoch(): Epoch {
    return this.#epoch as Epoch;
  }

  /** Appends an entry that the server makes. */
  append(log: Log, change: { kind: number; users: readonly UserId[]; change: number }): void {
    const laid = layout({ is: 'member', users: change.users, change: change.change });
    this.#append(log, { sender: 0, ...laid }, undefined);
  }

  /** A SEND that may be stored is: its answer. */
  send(send: SendFrame, from: Connection): ServerFrame {
    const refuse = (code: number, flags: number): ServerFrame => {
      return { frame: 'ERROR', rid: send.rid, code, flags, retryMs: this.world.pick([0, 100]), text: 'refused' };
    };
    const log = this.#logs.get(send.conversation);
    const member = log?.members.get(from.user);
    if (!log || !member) return refuse(errorCode.NOT_FOUND, errorFlag.NOT_APPLIED);
    const head = log.entries.length;
    if (send.floor > head + 1 || head + 1 - send.floor > FLOOR_ENTRIES_MAX) {
      return refuse(errorCode.FLOOR_OUT_OF_RANGE, errorFlag.RETRY | errorFlag.NOT_APPLIED);
    }
    const copy = log.entries.find((entry) => entry.sequence >= send.floor && entry.by === `${from.user} ${send.cmid}`);
    if (copy) return sentOf(send, copy, true);
    if (member.until !== Infinity) return refuse(errorCode.FORBIDDEN, errorFlag.NOT_APPLIED);
    const unknown = this.world.chance(this.faults.unknown);
    if (unknown && this.world.chance(0.5)) return refuse(errorCode.OUTCOME_UNKNOWN, errorFlag.RETRY | errorFlag.UNKNOWN);
    const entry = this.#append(log, { ...send, sender: from.user }, from);
    if (unknown) return refuse(errorCode.OUTCOME_UNKNOWN, errorFlag.RETRY | errorFlag.UNKNOWN);
    return sentOf(send, entry, false);
  }

  #append(
    log: Log,
    said: { sender: UserId | 0; kind: number; body: Uint8Array; tags: EntryFrame['tags']; cmid?: SendFrame['cmid'] },
    from: Connection | undefined,
  ): EntryFrame {
    const { sender, kind, body, tags, cmid } = said;
    const ord = (log.entries.at(-1)?.ord ?? 0) + (kind === 1 ? 1 : 0);
    const sequence = (log.entries.length + 1) as Sequence;
    const entry = {
      ...{ frame: 'ENTRY' as const, conversation: log.id, sequence, ord, sender, sentAt: this.world.now, kind },
      ...{ body: body.slice(), tags, cmid, by: `${sender} ${cmid}` },
    };
    log.entries.push(entry);
    if (sender !== 0) this.#read(log.members.get(sender) as Member, sequence, ord, true);
    for (const [user, member] of log.members) {
      if (member.until < sequence || member.from > sequence) continue;
      this.#touch(member);
      for (const connection of this.#connections) {
        if (connection.user === user && connection !== from) connection.push(shownTo(entry, user));
      }
    }
    return entry;
  }

  /** Moves cursors; what a crash would undo is told to nobody's SYNC yet. */
  cursor(user: UserId, id: ConversationId, moved: { read?: number; delivered?: number }, from: Connection): void {
    const log = this.#logs.get(id);
    const member = log?.members.get(user);
    if (!log || !member) return;
    const head = Math.min(log.entries.length, member.until);
    const read = Math.min(moved.read ?? 0, head);
    this.#read(member, read, log.entries[read - 1]?.ord ?? 0, false);
    member.delivered = Math.max(member.delivered, Math.min(moved.delivered ?? 0, head), read);
    this.world.after(this.world.between(100, 3_000), () => {
      const { read: now, readOrd, delivered } = member;
      member.durable = { read: now, readOrd, delivered };
      this.#touch(member);
    });
    const cursor: ServerFrame = {
      ...{ frame: 'CURSOR' as const, conversation: id, user, delivered: member.delivered as Sequence },
      ...{ read: member.read as Sequence, readOrd: member.readOrd },
    };
    const told = log.kind === 1 ? [...log.members.keys()] : [user];
    for (const other of this.#connections) if (other !== from && told.includes(other.user)) other.push(cursor);
  }

  #read(member: Member, read: number, ord: number, durable: boolean): void {
    if (read <= member.read) return;
    Object.assign(member, { read, readOrd: ord });
    if (durable) member.durable = { ...member.durable, read, readOrd: ord };
  }

  /** A page of what changed for a user since a token. */
  sync(user: UserId, token: Uint8Array, rid: number): ServerFrame {
    const parts = new TextDecoder().decode(token).split(' ').map(Number);
    const [epoch, since = 0, at = 0, upTo = this.#version, all = 0] = parts[0] === this.#epoch ? parts : [];
    const everything = epoch === undefined || all === 1;
    const changed = [...this.#logs.values()].filter((log) => {
      const member = log.members.get(user);
      if (!member || everything) return member?.until === Infinity;
      // What a crash could undo is listed, and no token covers it.
      return member.version > since || member.read > member.durable.read || member.delivered > member.durable.delivered;
    });
    const page = changed.slice(at, at + PAGE_RECORDS);
    const more = at + PAGE_RECORDS < changed.length;
    const next = more ? [this.#epoch, since, at + PAGE_RECORDS, upTo, everything ? 1 : 0] : [this.#epoch, upTo];
    return {
      frame: 'SYNCED',
      rid,
      flags: (more ? syncedFlag.MORE : 0) | (everything ? syncedFlag.EVERYTHING : 0),
      token: new TextEncoder().encode(next.join(' ')),
      records: page.map((log) => this.#record(log, user)),
    };
  }

  #record(log: Log, user: UserId): ChatRecord {
    const member = log.members.get(user) as Member;
    const last = log.entries[Math.min(log.entries.length, member.until) - 1];
    const [peer, other] = [...log.members].find(([id]) => id !== user) ?? [];
    const direct = log.kind === 1;
    return {
      ...{ conversation: log.id, kind: log.kind, lastSequence: last?.sequence ?? (0 as Sequence) },
      ...{ lastOrd: last?.ord ?? 0, lastAt: last?.sentAt ?? 0, readOrd: member.readOrd, title: log.title },
      ...{ read: member.read as Sequence, delivered: member.delivered as Sequence, peer: direct ? peer : undefined },
      ...{ lastEntry: last && shownTo(last, user), muted: false, memberCount: direct ? undefined : log.members.size },
      ...{ firstVisible: member.from as Sequence, left: member.until !== Infinity },
      peerRead: direct ? (other?.read as Sequence) : undefined,
      peerDelivered: direct ? (other?.delivered as Sequence) : undefined,
    };
  }

  /** A page of a log: entries and what ends them. */
  fetch(user: UserId, asked: Extract<ClientFrame, { frame: 'FETCH' }>): readonly ServerFrame[] {
    const log = this.#logs.get(asked.conversation);
    const member = log?.members.get(user);
    const { rid, conversation } = asked;
    if (!log || !member) {
      return [{ frame: 'ERROR', rid, code: errorCode.NOT_FOUND, flags: errorFlag.NOT_APPLIED, retryMs: 0, text: '' }];
    }
    const head = Math.min(log.entries.length, member.until);
    const to = asked.to === 0 ? head : Math.min(asked.to, head);
    const from = Math.max(asked.from, member.from);
    const page = log.entries.slice(from - 1, Math.min(to, from - 1 + PAGE_ENTRIES));
    const end = from - 1 + page.length;
    const next = end < to ? end + 1 : 0;
    return [
      ...page.map((entry) => shownTo(entry, user)),
      { frame: 'FETCHED', rid, conversation, to: to as Sequence, next: next as Sequence },
    ];
  }

  #join(log: Log, user: UserId, from: number): void {
    const start = { read: from - 1, readOrd: log.entries.at(-1)?.ord ?? 0, delivered: from - 1 };
    const member = { from, until: Infinity, ...start, durable: start, version: 0 };
    log.members.set(user, member);
    this.#touch(member);
  }

  #touch(member: Member): void {
    member.version = ++this.#version;
  }
}

function shownTo(entry: EntryFrame, user: UserId): EntryFrame {
  return { ...entry, cmid: entry.sender === user ? entry.cmid : undefined };
}

function sentOf(send: SendFrame, entry: EntryFrame, duplicate: boolean): ServerFrame {
  const { sequence, ord, sentAt } = entry;
  return { frame: 'SENT', rid: send.rid, sequence, ord, sentAt, duplicate };
}

/** One connection of the model server. */
class Connection implements Peer {
  readonly user: UserId;
  readonly #device: DeviceId;
  readonly #server: ModelServer;
  readonly #wire: Wire;
  #greeted = false;
  #held = false;
  #ended = false;
  /** The process that served it has died. */
  #dead = false;
  #resync = false;
  #open = 0;
  /** SENDs are worked off one after the other, each after a while. */
  #busyUntil = 0;

  constructor(server: ModelServer, wire: Wire, user: UserId, device: DeviceId) {
    this.#server = server;
    this.#wire = wire;
    this.user = user;
    this.#device = device;
  }

  receive(message: ArrayBuffer): void {
    if (this.#dead) return;
    const { frames, error } = decodeClient(message);
    if (error) throw new Error(`the client broke the protocol: ${error.message}`);
    let stranger = false;
    for (const frame of frames) {
      if (frame.frame === 'HELLO') {
        stranger = frame.epoch !== this.#server.epoch;
        this.#welcome(stranger);
      } else if (!this.#greeted) {
        throw new Error(`${frame.frame} before HELLO`);
      } else {
        this.#handle(frame.frame === 'SYNC' && stranger ? { ...frame, token: new Uint8Array(0) } : frame);
      }
    }
  }

  end(): void {
    this.#ended = true;
    this.#server.detach(this);
  }

  cut(code: number): void {
    this.#ended = this.#dead = true;
    this.#server.detach(this);
    this.#wire.cut(code);
  }

  /** Something for this connection that may be dropped; RESYNC says so, later. */
  push(frame: ServerFrame): void {
    const { world, faults } = this.#server;
    if (world.chance(faults.dropPush)) {
      if (!this.#resync) world.after(world.between(0, 2_000), () => this.#tellResync());
      this.#resync = true;
      return;
    }
    this.#write(frame);
    if (world.chance(faults.repeatPush)) this.#write(frame);
  }

  #tellResync(): void {
    this.#resync = false;
    this.#write({ frame: 'RESYNC', reason: 1 });
  }

  #write(frame: ServerFrame): void {
    if (!this.#ended) this.#wire.toClient(encodeServer(frame));
  }

  #welcome(stranger: boolean): void {
    this.#greeted = true;
    this.#held = stranger;
    this.#server.attach(this);
    const limits = { messageBytesMax: 65_536, bodyBytesMax: 32_768, sendsMax: SENDS_MAX };
    const { epoch, world } = this.#server;
    const [user, device] = [this.user, this.#device];
    this.#write({ frame: 'WELCOME', minor: 0, capabilities: 3, user, device, epoch, now: world.now, pingSeconds: 25, ...limits });
  }

  #handle(frame: ClientFrame): void {
    const { world, faults } = this.#server;
    switch (frame.frame) {
      case 'PING':
        return this.#write({ frame: 'PONG', nonce: frame.nonce });
      case 'ACK':
        for (const [id, delivered] of frame.items) this.#server.cursor(this.user, id, { delivered }, this);
        return;
      case 'READ':
        return this.#server.cursor(this.user, frame.conversation, { read: frame.read }, this);
      case 'RESUME':
        if (this.#open > 0) throw new Error('RESUME while SENDs have no answer');
        this.#held = false;
        return;
      case 'SYNC':
      case 'FETCH':
        if (world.chance(faults.refuseRead)) return this.#refuse(frame.rid, errorCode.UNAVAILABLE);
        if (frame.frame === 'SYNC') return this.#write(this.#server.sync(this.user, frame.token, frame.rid));
        return this.#server.fetch(this.user, frame).forEach((answer) => this.#write(answer));
      case 'SEND':
        return this.#send(frame);
    }
  }

  #send(send: SendFrame): void {
    const { world, faults } = this.#server;
    if (++this.#open > SENDS_MAX) throw new Error('more SENDs without an answer than WELCOME allows');
    this.#busyUntil = Math.max(this.#busyUntil, world.now) + world.between(0, 30);
    world.after(this.#busyUntil - world.now, () => {
      // A connection that ended may still have been heard.
      if (this.#dead) return;
      if (this.#ended && world.chance(0.5)) this.#held = true;
      this.#open -= 1;
      if (this.#held || world.chance(faults.refuse)) return this.#refuse(send.rid, errorCode.OVERLOADED);
      const answer = this.#server.send(send, this);
      if (answer.frame === 'ERROR' && answer.flags & errorFlag.RETRY) this.#held = true;
      this.#write(answer);
    });
  }

  #refuse(rid: number, code: number): void {
    if (code === errorCode.OVERLOADED) this.#held = true;
    const retryMs = this.#server.world.pick([0, 200]);
    this.#write({ frame: 'ERROR', rid, code, flags: errorFlag.RETRY | errorFlag.NOT_APPLIED, retryMs, text: '' });
  }
}
