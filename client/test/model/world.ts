// Virtual time and seeded chance, a network that is slow and breaks, and a store that a crash cuts off.

import type { Clock, WebSocketLike } from '../../src/index.ts';
import type { Changes, Store } from '../../src/store.ts';
import { memoryStore } from '../../src/store.ts';

/** A small generator of chance (mulberry32): the same seed, the same run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Runs what is due, in order, without waiting. */
export class World {
  now = 1_790_000_000_000;
  readonly random: () => number;
  #queue: Due[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }

  after(ms: number, run: () => void): () => void {
    const due: Due = { at: this.now + Math.max(0, Math.ceil(ms)), order: this.#order++, run };
    let low = 0;
    for (let high = this.#queue.length; low < high; ) {
      const middle = (low + high) >> 1;
      const other = this.#queue[middle] as Due;
      if (other.at < due.at || (other.at === due.at && other.order < due.order)) low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, due);
    return () => {
      const at = this.#queue.indexOf(due);
      if (at >= 0) this.#queue.splice(at, 1);
    };
  }

  /** Runs until `end`, or until `done` says so; `each` is called after every step. */
  async run(ms: number, each: () => void = () => undefined, done: () => boolean = () => false): Promise<void> {
    const end = Math.ceil(this.now + ms);
    await settle();
    while (!done()) {
      const due = this.#queue[0];
      if (!due || due.at > end) {
        this.now = end;
        return;
      }
      this.#queue.shift();
      this.now = due.at;
      due.run();
      await settle();
      each();
    }
  }

  /** A clock for one client; once `dead` it never rings again. */
  clock(life: { dead: boolean }): Clock {
    return {
      now: () => this.now,
      random: this.random,
      after: (ms, run) => this.after(ms, () => (life.dead ? undefined : run())),
    };
  }
}

/** Lets everything happen that waits for no time. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The server's side of a connection. */
export interface Peer {
  /** A message came. */
  receive(message: ArrayBuffer): void;
  /** The connection is gone. */
  end(): void;
}

/** One connection: messages arrive in order, after a while, until it breaks. */
export class Wire {
  readonly #world: World;
  readonly #client: WebSocketLike;
  readonly #peer: Peer;
  #open = true;
  /** Nothing arrives after something that did not. */
  #deaf = false;
  /** Messages of a direction do not overtake each other. */
  #toServerAt = 0;
  #toClientAt = 0;

  constructor(world: World, client: WebSocketLike, accept: (wire: Wire) => Peer) {
    this.#world = world;
    this.#client = client;
    this.#peer = accept(this);
  }

  toServer(message: ArrayBuffer): void {
    this.#toServerAt = Math.max(this.#toServerAt, this.#world.now + this.#world.between(1, 60));
    const at = this.#toServerAt;
    // What was on its way when the connection broke may still arrive.
    this.#world.after(at - this.#world.now, () => {
      if (!this.#open && !this.#deaf) this.#deaf = this.#world.chance(0.5);
      if (!this.#deaf) this.#peer.receive(message);
    });
  }

  toClient(message: ArrayBuffer): void {
    this.#toClientAt = Math.max(this.#toClientAt, this.#world.now + this.#world.between(1, 60));
    this.#world.after(this.#toClientAt - this.#world.now, () => {
      if (this.#open) this.#client.onmessage?.({ data: message });
    });
  }

  /** Breaks for both sides; the client hears of it by `code`, or never. */
  cut(code: number | undefined): void {
    if (!this.#open) return;
    this.#open = false;
    this.#world.after(this.#world.between(0, 100), () => this.#peer.end());
    if (code !== undefined) this.#world.after(this.#world.between(0, 100), () => this.#client.onclose?.({ code }));
  }

  /** Closed by the server, after what it wrote. */
  closeAfter(code: number): void {
    this.#world.after(Math.max(0, this.#toClientAt - this.#world.now), () => this.cut(code));
  }
}

/** A store whose commits take time; a crash loses those that are not through. */
export class SlowStore implements Store {
  /** What survives. */
  readonly durable = memoryStore();
  readonly #world: World;
  readonly #life: { dead: boolean };

  constructor(world: World, life: { dead: boolean }, from?: SlowStore) {
    this.#world = world;
    this.#life = life;
    if (from) this.durable = from.durable;
  }

  load: Store['load'] = () => this.durable.load();

  entries: Store['entries'] = (...page) => this.durable.entries(...page);

  commit(changes: Changes): Promise<void> {
    return new Promise((resolve) => {
      this.#world.after(this.#world.between(0, 20), () => {
        if (this.#life.dead) return;
        void this.durable.commit(changes).then(resolve);
      });
    });
  }
}
