// The client without its surroundings: events and the time in, effects out. Owns which frame concerns
// which machine; the rules are theirs. No socket, no timer, no storage, nothing to wait for.

import { capability, ephemeralKind, errorCode, MINOR } from './constants.ts';
import type { ConnectionEvent } from './connection.ts';
import { Connection } from './connection.ts';
import type { Effect, Request } from './desk.ts';
import { Desk } from './desk.ts';
import type {
  ConversationId,
  EntryFrame,
  MessageId,
  Sequence,
  ServerFrame,
  WelcomeFrame,
} from './frames.ts';
import { Outbox } from './outbox.ts';
import { ownedEntry, Replica } from './replica.ts';
import type { OutboxRow, Saved } from './store.ts';

/** What an application wants. */
export type Command =
  /** `stored`: the row is in the store already. */
  | { readonly do: 'send'; readonly row: OutboxRow; readonly stored: boolean }
  | { readonly do: 'retry' | 'discard'; readonly cmid: MessageId }
  | { readonly do: 'read'; readonly conversation: ConversationId; readonly upTo: Sequence; readonly ord: number }
  | { readonly do: 'typing'; readonly conversation: ConversationId; readonly active: boolean }
  | { readonly do: 'fetch'; readonly conversation: ConversationId; readonly from: number; readonly to: number };

export type EngineEvent =
  | Exclude<ConnectionEvent, { on: 'heard' | 'said' | 'welcome' | 'refused' | 'goaway' | 'tick' }>
  | { readonly on: 'opened' | 'tick' }
  /** A message from the server; `broken` where it did not end well. */
  | { readonly on: 'message'; readonly frames: readonly ServerFrame[]; readonly broken: boolean }
  /** Every commit up to this one lasts. */
  | { readonly on: 'stored'; readonly commit: number }
  /** The effect `done` will name the `id`. */
  | { readonly on: 'command'; readonly id: number; readonly command: Command };

export interface EngineOptions {
  readonly random: () => number;
  /** How many entries to fetch of a conversation that is seen for the first time. */
  readonly firstPage: number;
  /** Name and version of this client. */
  readonly client: string;
}

/** Typing is told again after this long. */
const TYPING_MS = 3_000;

export class Engine {
  readonly #desk: Desk;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #replica: Replica;
  readonly #client: string;
  #stranger = false;
  #typed = new Map<ConversationId, number>();
  #told: readonly unknown[] = [];

  constructor(saved: Saved, { random, firstPage, client }: EngineOptions) {
    this.#desk = new Desk(random);
    this.#connection = new Connection(random);
    this.#outbox = new Outbox(this.#desk, saved.outbox);
    this.#replica = new Replica(this.#desk, saved, firstPage);
    this.#client = client;
  }

  /** When a tick is due. */
  get wakeAt(): number {
    return Math.min(this.#connection.deadline(this.#desk.asked), this.#outbox.wakeAt, this.#replica.wakeAt);
  }

  /** Handles one event. The effects are to be run in their order. */
  handle(event: EngineEvent, now: number): readonly Effect[] {
    const desk = this.#desk;
    desk.now = now;
    this.#on(event);
    this.#outbox.flush();
    this.#replica.flush();
    const { rows, effects } = desk.take();
    this.#replica.committed(desk.commit - 1, rows);
    if (effects.some((effect) => effect.do === 'write')) this.#connection.handle({ on: 'said' }, now);
    return [...effects, ...this.#stateChange(now)];
  }

  #on(event: EngineEvent): void {
    switch (event.on) {
      case 'opened':
        return this.#hello();
      case 'message':
        this.#connect({ on: 'heard' });
        event.frames.forEach((frame) => this.#onFrame(frame));
        return event.broken ? this.#connect({ on: 'lost', code: undefined }) : undefined;
      case 'stored':
        this.#outbox.stored(event.commit);
        return this.#replica.stored(event.commit);
      case 'command':
        return this.#onCommand(event.id, event.command);
      case 'tick':
        return this.#connect({ on: 'tick', asked: this.#desk.asked });
      default:
        return this.#connect(event);
    }
  }

  /** Hands an event to the connection and does here what follows from it. */
  #connect(event: ConnectionEvent): void {
    const desk = this.#desk;
    for (const effect of this.#connection.handle(event, desk.now)) {
      if (effect.do === 'ping') {
        desk.write({ frame: 'PING', nonce: 1 });
        continue;
      }
      desk.tell(effect);
      if (effect.do !== 'hangup') continue;
      desk.live = false;
      desk.requests.clear();
      this.#outbox.lost();
      this.#replica.lost();
    }
  }

  #hello(): void {
    const { phase } = this.#connection;
    if (phase.is !== 'opening') return;
    this.#replica.hello({
      frame: 'HELLO',
      minor: MINOR,
      capabilities: capability.EPHEMERAL | capability.CURSOR,
      token: phase.token,
      client: this.#client,
      epoch: this.#replica.meta?.epoch,
    });
  }

  #onFrame(frame: ServerFrame): void {
    switch (frame.frame) {
      case 'WELCOME':
        return this.#onWelcome(frame);
      case 'PING':
        return this.#desk.write({ frame: 'PONG', nonce: frame.nonce });
      case 'GOAWAY':
        return this.#connect({ on: 'goaway', spreadMs: frame.spreadMs });
      case 'ENTRY':
        return this.#onEntry(ownedEntry(frame));
      case 'CURSOR':
        return this.#replica.onCursor(frame);
      case 'EPHEMERAL':
        return this.#replica.onEphemeral(frame);
      case 'RESYNC':
        return this.#replica.sync();
      case 'ERROR':
        if (frame.rid === 0) return this.#connect({ on: 'refused', error: frame });
        return this.#onAnswer(frame.rid, frame);
      case 'SENT':
      case 'SYNCED':
      case 'FETCHED':
        return this.#onAnswer(frame.rid, frame);
    }
  }

  #onWelcome(welcome: WelcomeFrame): void {
    const known = this.#replica.meta?.user;
    // The store is another user's: nothing of it may leave in this one's name.
    if (known !== undefined && known !== welcome.user) return this.#connect({ on: 'stop' });
    this.#connect({ on: 'welcome', pingSeconds: welcome.pingSeconds });
    this.#desk.live = true;
    this.#stranger = this.#replica.welcome(welcome);
    this.#outbox.welcome(welcome.sendsMax, this.#stranger);
  }

  #onEntry(entry: EntryFrame): void {
    if (entry.cmid !== undefined) this.#outbox.settle(entry.cmid, entry.sequence, entry.sentAt);
    this.#replica.onEntry(entry);
  }

  #onAnswer(rid: number, frame: Extract<ServerFrame, { rid: number }>): void {
    const request = this.#desk.requests.get(rid);
    if (!request || !this.#desk.live) return;
    this.#desk.requests.delete(rid);
    if (request.is === 'send') return this.#onSendAnswer(request.row, frame);
    if (request.is === 'fetch') return this.#onFetchAnswer(request, frame);
    if (frame.frame === 'ERROR') return this.#replica.onSyncRefused(frame);
    if (frame.frame !== 'SYNCED') return;
    const end = this.#replica.onSynced(frame);
    if (end === 'restored') {
      this.#stranger = true;
      this.#outbox.stale();
    } else if (end) {
      this.#onSyncEnd();
    }
  }

  #onSyncEnd(): void {
    const head = (id: ConversationId): number => this.#replica.rows.get(id)?.lastSequence ?? 0;
    this.#outbox.synced(this.#stranger ? head : undefined);
    this.#stranger = false;
    for (const [conversation, from] of this.#outbox.behind()) {
      this.#replica.fetches.lookThrough(conversation, from);
    }
  }

  #onSendAnswer(row: OutboxRow, frame: ServerFrame): void {
    if (frame.frame === 'ERROR') {
      this.#outbox.answered(row, frame);
      if (frame.code === errorCode.FLOOR_OUT_OF_RANGE) this.#replica.sync();
    } else if (frame.frame === 'SENT') {
      this.#outbox.answered(row);
      const { sequence, ord, sentAt } = frame;
      const { conversation, cmid, kind, body, tags } = row;
      const sender = this.#replica.user ?? 0;
      this.#onEntry({ frame: 'ENTRY', conversation, sequence, ord, sender, sentAt, kind, body, cmid, tags });
    }
  }

  #onFetchAnswer({ job }: Extract<Request, { is: 'fetch' }>, frame: ServerFrame): void {
    if (frame.frame === 'FETCHED') {
      if (this.#replica.onFetched(job, frame) && job.why === 'floor') {
        this.#outbox.lookedThrough(job.conversation, job.first, frame.to);
      }
    } else if (frame.frame === 'ERROR') {
      if (this.#replica.fetches.refused(job, frame) && job.why === 'floor') this.#outbox.closed(job.conversation, frame);
    }
  }

  #onCommand(id: number, command: Command): void {
    const { now, live } = this.#desk;
    switch (command.do) {
      case 'fetch':
        return this.#replica.fetches.add({ ...command, why: 'history', command: id });
      case 'send':
        // The entry ends the typing that the others see: the next key is to be told at once.
        this.#typed.delete(command.row.conversation);
        this.#outbox.put(command.row, command.stored);
        break;
      case 'retry':
        this.#outbox.retry(command.cmid);
        break;
      case 'discard':
        this.#outbox.discard(command.cmid);
        break;
      case 'read':
        this.#replica.read(command.conversation, command.upTo, command.ord);
        break;
      case 'typing':
        if (live) this.#typing(command.conversation, command.active, now);
    }
    this.#desk.tell({ do: 'done', command: id });
  }

  #typing(conversation: ConversationId, active: boolean, now: number): void {
    const last = this.#typed.get(conversation);
    if (active ? last !== undefined && now < last + TYPING_MS : last === undefined) return;
    if (active) this.#typed.set(conversation, now);
    else this.#typed.delete(conversation);
    const kind = active ? ephemeralKind.TYPING : ephemeralKind.STOPPED;
    this.#desk.write({ frame: 'EPHEMERAL', conversation, user: 0, kind, body: new Uint8Array(0) });
  }

  /** The connection's state, where it is another one than was told. */
  #stateChange(now: number): readonly Effect[] {
    const told = [this.#connection.phase, this.#replica.synced];
    if (told.every((part, at) => part === this.#told[at])) return [];
    this.#told = told;
    return [{ do: 'state', state: this.#connection.state(now, this.#replica.synced) }];
  }
}
