// An engine on a bench: events in, what it writes and stores out, time as the test says.

import type {
  ChatRecord,
  ClientFrame,
  ConversationId,
  DeviceId,
  EntryFrame,
  Epoch,
  MessageId,
  Sequence,
  ServerFrame,
  UserId,
} from '../../src/codec.ts';
import { layout, textMessage } from '../../src/codec.ts';
import type { ConnectionState } from '../../src/connection.ts';
import type { Effect } from '../../src/desk.ts';
import type { Command, EngineEvent } from '../../src/engine.ts';
import { Engine } from '../../src/engine.ts';
import type { Changes, OutboxRow, Saved } from '../../src/store.ts';

export const ME = 1 as UserId;
export const BEN = 2 as UserId;
export const CHAT = 7 as ConversationId;
const NOTHING: Saved = { meta: undefined, conversations: [], outbox: [] };

type Of<Name extends ClientFrame['frame']> = Extract<ClientFrame, { frame: Name }>;

export class Bench {
  now = 1_000_000;
  /** All that was written and not yet looked at. */
  written: ClientFrame[] = [];
  changes: Changes[] = [];
  effects: Effect[] = [];
  state: ConnectionState = { name: 'idle' };
  readonly engine: Engine;
  #commit = 0;
  #id = 0;
  #queued = 0;

  constructor(saved: Saved = NOTHING, random = 0.5) {
    this.engine = new Engine(saved, { random: () => random, firstPage: 5, client: 'bench' });
  }

  on(event: EngineEvent): void {
    for (const effect of this.engine.handle(event, this.now)) {
      this.effects.push(effect);
      if (effect.do === 'write') this.written.push(...effect.frames);
      if (effect.do === 'state') this.state = effect.state;
      if (effect.do !== 'commit') continue;
      this.changes.push(effect.changes);
      this.#commit = effect.commit;
    }
  }

  /** Everything given to the store is stored. */
  stored(): void {
    this.on({ on: 'stored', commit: this.#commit });
  }

  hear(...frames: readonly ServerFrame[]): void {
    this.on({ on: 'message', frames, broken: false });
  }

  command(command: Command): number {
    this.on({ on: 'command', id: ++this.#id, command });
    return this.#id;
  }

  /** Lets time pass, with ticks where they are due. */
  pass(ms: number): void {
    const end = this.now + ms;
    while (this.engine.wakeAt <= end) {
      this.now = Math.max(this.now, this.engine.wakeAt);
      this.on({ on: 'tick' });
    }
    this.now = end;
  }

  /** Up to HELLO and SYNC on the wire. */
  dial(): void {
    if (this.state.name === 'idle') this.on({ on: 'start' });
    this.on({ on: 'token', token: 'token' });
    this.on({ on: 'opened' });
  }

  welcome(epoch = 1): void {
    const limits = { messageBytesMax: 65_536, bodyBytesMax: 32_768, sendsMax: 64 };
    const who = { user: ME, device: 3 as DeviceId, epoch: epoch as Epoch };
    this.hear({ frame: 'WELCOME', minor: 0, capabilities: 3, ...who, now: 0, pingSeconds: 25, ...limits });
  }

  synced(records: readonly ChatRecord[], flags = 0): void {
    const rid = this.last('SYNC').rid;
    this.hear({ frame: 'SYNCED', rid, flags, token: Uint8Array.of(9), records });
  }

  /** Online, with one conversation whose log is held up to `head`. */
  online(head = 0): void {
    this.dial();
    this.welcome();
    this.synced([record(head)], 2);
    if (head > 0) {
      const fetch = this.last('FETCH');
      for (let at = fetch.from; at <= head; at++) this.hear(entry(at));
      this.hear({ frame: 'FETCHED', rid: fetch.rid, conversation: CHAT, to: head as Sequence, next: 0 as Sequence });
    }
    this.stored();
    this.take();
  }

  lost(code = 1006): void {
    this.on({ on: 'lost', code });
  }

  /** Puts a message into the outbox and lets it be stored. */
  send(cmid: number, floor = 1): OutboxRow {
    const row: OutboxRow = {
      ...{ cmid: cmid as MessageId, conversation: CHAT, floor: floor as Sequence },
      ...layout(textMessage(`m${cmid}`)),
      queuedAt: ++this.#queued,
    };
    this.command({ do: 'send', row, stored: false });
    this.stored();
    return row;
  }

  refuse(rid: number, code: number, flags: number, retryMs = 0): void {
    this.hear({ frame: 'ERROR', rid, code, flags, retryMs, text: 'no' });
  }

  /** What was written since the last look. */
  take(): ClientFrame[] {
    return this.written.splice(0);
  }

  all<Name extends ClientFrame['frame']>(name: Name): Of<Name>[] {
    return this.written.filter((frame): frame is Of<Name> => frame.frame === name);
  }

  last<Name extends ClientFrame['frame']>(name: Name): Of<Name> {
    const frame = this.all(name).at(-1);
    if (!frame) throw new Error(`no ${name} was written`);
    return frame;
  }

  /** Everything that was stored, as the next run finds it. */
  saved(): Saved {
    const saved = { meta: undefined as Saved['meta'], conversations: new Map(), outbox: new Map() };
    for (const changes of this.changes) {
      if (changes.reset) {
        saved.meta = undefined;
        saved.conversations.clear();
      }
      saved.meta = changes.meta ?? saved.meta;
      changes.conversations.forEach((row) => saved.conversations.set(row.id, row));
      changes.outbox.forEach((row) => saved.outbox.set(row.cmid, row));
      changes.settled.forEach((row) => saved.outbox.delete(row.cmid));
    }
    const { meta, conversations, outbox } = saved;
    return { meta, conversations: [...conversations.values()], outbox: [...outbox.values()] };
  }
}

export function record(head: number, more: Partial<ChatRecord> = {}): ChatRecord {
  const zero = 0 as Sequence;
  return {
    ...{ conversation: CHAT, kind: 1, lastSequence: head as Sequence, lastOrd: head, lastAt: head, read: zero, readOrd: 0 },
    ...{ delivered: zero, peer: BEN, muted: false, left: false, firstVisible: 1 as Sequence, ...more },
  };
}

export function entry(at: number, more: Partial<EntryFrame> = {}): EntryFrame {
  return {
    ...{ frame: 'ENTRY', conversation: CHAT, sequence: at as Sequence, ord: at, sender: BEN, sentAt: at },
    ...layout(textMessage(`e${at}`)),
    ...more,
  };
}

export function sent(rid: number, at: number, duplicate = false): ServerFrame {
  return { frame: 'SENT', rid, sequence: at as Sequence, ord: at, sentAt: at, duplicate };
}

export function fetched(rid: number, to: number, next = 0): ServerFrame {
  return { frame: 'FETCHED', rid, conversation: CHAT, to: to as Sequence, next: next as Sequence };
}
