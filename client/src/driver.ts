// Runs the engine: sockets, timers, tokens and the store, each only as an effect says. Owns the order
// in which things happen; decides nothing.

import { Writer } from './bytes.ts';
import { decodeServer, encodeClient } from './codec.ts';
import { frame, SUBPROTOCOL } from './constants.ts';
import type { ConnectionState, TokenReason } from './connection.ts';
import type { Effect } from './desk.ts';
import type { Engine, EngineEvent } from './engine.ts';
import type { ClientFrame, ConversationId, ServerFrame, UserId } from './frames.ts';
import type { Changes, Store } from './store.ts';
import { both } from './store.ts';
import { Unauthorized } from './unauthorized.ts';

/** What is used of a WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  /** The subprotocol was agreed on. */
  onopen: ((event: never) => void) | null;
  /** An ArrayBuffer came, or text, which breaks the protocol. */
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  /** The last of all. */
  onclose: ((event: { readonly code: number }) => void) | null;
  /** Not looked at: `onclose` follows. */
  onerror: ((event: never) => void) | null;
  /** Sends one message. */
  send(data: ArrayBuffer): void;
  /** Ends it; `onclose` need not follow. */
  close(code?: number): void;
}

/** Time and chance, to be replaced in tests. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 up to 1. */
  random(): number;
  /** Runs something later; returns what prevents it. */
  after(ms: number, run: () => void): () => void;
}

/** What the driver needs of its surroundings. */
export interface Surroundings {
  readonly url: string;
  readonly getToken: (ask: { readonly reason: TokenReason }) => Promise<string> | string;
  readonly WebSocket: new (url: string, protocol: string) => WebSocketLike;
  readonly store: Store;
  readonly clock: Clock;
  readonly debug?: ((direction: 'in' | 'out', frame: ClientFrame | ServerFrame) => void) | undefined;
}

/** What the driver tells. */
export interface DriverEvents {
  state(state: ConnectionState): void;
  /** About to be stored. */
  changes(changes: Changes): void;
  /** Stored. */
  stored(changes: Changes): void;
  typing(conversation: ConversationId, user: UserId, active: boolean): void;
  done(command: number): void;
  /** The store failed; nothing goes on from here. */
  broken(error: unknown): void;
}

/** The share of connections that are looked into on which the server is sent something to skip. */
const PROBED = 0.01;

/** No timer can wait for longer. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export class Driver {
  readonly #engine: Engine;
  readonly #around: Surroundings;
  readonly #tell: DriverEvents;
  readonly #effects: Effect[] = [];
  #running = false;
  #socket: WebSocketLike | undefined;
  #cancelTimer = (): void => undefined;
  /** How many tokens were asked for: the answer to an earlier question is of no use. */
  #asked = 0;
  #unstored: { readonly changes: Changes; readonly commit: number } | undefined;
  #storing: Promise<void> | undefined;

  constructor(engine: Engine, around: Surroundings, tell: DriverEvents) {
    this.#engine = engine;
    this.#around = around;
    this.#tell = tell;
  }

  /** Hands an event to the engine and runs what follows, after what earlier events led to. */
  handle(event: EngineEvent): void {
    const { clock } = this.#around;
    this.#effects.push(...this.#engine.handle(event, clock.now()));
    if (this.#running) return;
    this.#running = true;
    try {
      for (let effect = this.#effects.shift(); effect; effect = this.#effects.shift()) this.#run(effect);
    } finally {
      this.#running = false;
    }
    this.#cancelTimer();
    const ms = Math.min(this.#engine.wakeAt - clock.now(), TIMER_MAX_MS);
    if (ms < TIMER_MAX_MS) this.#cancelTimer = clock.after(Math.max(0, ms), () => this.handle({ on: 'tick' }));
  }

  /** Resolves when everything so far is stored. */
  get stored(): Promise<void> {
    return this.#storing ?? Promise.resolve();
  }

  #run(effect: Effect): void {
    switch (effect.do) {
      case 'token':
        return void this.#token(effect.reason);
      case 'open':
        return this.#open();
      case 'hangup':
        return this.#hangUp();
      case 'write':
        return this.#write(effect.frames);
      case 'commit':
        this.#tell.changes(effect.changes);
        return this.#commit(effect.changes, effect.commit);
      case 'state':
        return this.#tell.state(effect.state);
      case 'typing':
        return this.#tell.typing(effect.conversation, effect.user, effect.active);
      case 'done':
        return this.#tell.done(effect.command);
    }
  }

  async #token(reason: TokenReason): Promise<void> {
    const ask = ++this.#asked;
    let event: EngineEvent;
    try {
      event = { on: 'token', token: await this.#around.getToken({ reason }) };
    } catch (error) {
      event = { on: 'tokenless', unauthorized: error instanceof Unauthorized };
    }
    if (ask === this.#asked) this.handle(event);
  }

  #open(): void {
    const { WebSocket, url } = this.#around;
    let socket: WebSocketLike;
    try {
      socket = new WebSocket(url, SUBPROTOCOL);
    } catch {
      return this.handle({ on: 'lost', code: undefined });
    }
    this.#socket = socket;
    const current = (event: () => EngineEvent): void => {
      if (this.#socket === socket) this.handle(event());
    };
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => current(() => ({ on: 'opened' }));
    socket.onmessage = ({ data }) => current(() => this.#read(data));
    socket.onclose = ({ code }) => current(() => ({ on: 'lost', code }));
    // What went wrong is in the close that follows.
    socket.onerror = () => undefined;
  }

  #read(data: unknown): EngineEvent {
    if (!(data instanceof ArrayBuffer)) return { on: 'message', frames: [], broken: true };
    const { frames, error } = decodeServer(data);
    if (this.#around.debug) for (const each of frames) this.#around.debug('in', each);
    return { on: 'message', frames, broken: error !== undefined };
  }

  #write(frames: readonly ClientFrame[]): void {
    const { debug, clock } = this.#around;
    if (debug) for (const each of frames) debug('out', each);
    this.#socket?.send(encodeClient(...frames));
    if (debug && frames[0]?.frame === 'HELLO' && clock.random() < PROBED) this.#socket?.send(probe(clock.random));
  }

  #hangUp(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #commit(changes: Changes, commit: number): void {
    this.#unstored = { changes: this.#unstored ? both(this.#unstored.changes, changes) : changes, commit };
    this.#storing ??= this.#store();
  }

  /** One transaction at a time; what comes meanwhile is the next one. */
  async #store(): Promise<void> {
    for (let next = this.#unstored; next; next = this.#unstored) {
      this.#unstored = undefined;
      try {
        await this.#around.store.commit(next.changes);
      } catch (error) {
        this.#tell.broken(error);
        return this.handle({ on: 'stop' });
      }
      this.#tell.stored(next.changes);
      this.handle({ on: 'stored', commit: next.commit });
    }
    this.#storing = undefined;
  }
}

/** A frame that no version knows and a PING with such a tag, both to be skipped: a server or a proxy that
 *  refuses them would refuse the versions to come. */
function probe(random: () => number): ArrayBuffer {
  const out = new Writer();
  out.u8(0xe0 + Math.floor(31 * random()));
  out.varint(0);
  out.u8(frame.PING);
  out.nested(() => {
    out.varint(1);
    out.tag(8193 + 2 * Math.floor(4096 * random()), () => undefined);
  });
  return out.finish();
}
