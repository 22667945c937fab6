// Traffic in one chat: everybody connects, messages fall due at a fixed rate whatever the server does
// (an open loop, so that its slowness cannot hide), and in the end each receiver is held against
// what was acknowledged. All members of a chat live in one VU, since VUs share nothing.

import exec from 'k6/execution';
import { setTimeout } from 'k6/timers';
import type { EntryFrame } from '../../../client/src/codec.ts';
import { contentOfEntry } from '../../../client/src/codec.ts';
import { read, Stream, write } from './ledger.ts';
import { Member } from './member.ts';
import * as metrics from './metrics.ts';
import type { Room } from './rest.ts';
import { randomId } from './rest.ts';

/** What goes on in a chat. */
export interface Plan {
  /** How long messages fall due. */
  readonly seconds: number;
  /** How many messages fall due in a second, of all writers. */
  readonly rate: number;
  /** The length of a text. */
  readonly bytes: number;
  /** How many of the members write. */
  readonly writers: number;
  /** After so many seconds every connection is cut, again and again; 0 for never. */
  readonly cutEvery: number;
}

/** How often to look while nothing falls due. */
const LOOK_MS = 10;
/** How long members may take to connect, and messages to arrive in the end. */
const PATIENCE_MS = 60_000;

interface Writer {
  /** How many of its messages have fallen due. */
  count: number;
  /** When those that are not settled were due, by number. */
  readonly due: Map<number, number>;
  readonly refused: Set<number>;
}

class Traffic {
  readonly #plan: Plan;
  readonly #run = randomId();
  readonly #members: readonly Member[];
  readonly #writers = new Map<number, Writer>();
  /** What each member has of each writer. */
  readonly #streams: readonly ReadonlyMap<number, Stream>[];
  readonly #names: readonly number[];
  readonly #created = Date.now();
  readonly #ready = new Set<number>();
  #start = 0;
  #due = 0;
  #cuts = 0;
  #delivered = 0;
  #finished = false;

  constructor(room: Room, plan: Plan) {
    this.#plan = plan;
    this.#names = room.members.map(({ user }) => user);
    const writers = this.#names.slice(0, plan.writers);
    for (const name of writers) this.#writers.set(name, { count: 0, due: new Map(), refused: new Set() });
    this.#streams = room.members.map(() => new Map(writers.map((name) => [name, new Stream()])));
    this.#members = room.members.map((account, index) => {
      return new Member(account, room.conversation, {
        onReady: () => this.#ready.add(index),
        onEntry: (entry) => this.#receive(index, entry),
        onStored: (number) => this.#stored(account.user, number),
        onRefused: (number, error) => {
          metrics.messagesRefused.add(1);
          this.#writers.get(account.user)?.refused.add(number);
          this.#writers.get(account.user)?.due.delete(number);
          console.error(`refused: ${error.text}`);
        },
      });
    });
  }

  run(): void {
    metrics.roomsUnaccounted.add(1);
    this.#members.forEach((member) => member.connect());
    this.#wait();
  }

  /** Until the next message falls due, so that only the millisecond of k6's clock adds to its latency. */
  #wait(): void {
    if (this.#finished) return;
    const now = Date.now();
    const next = this.#start === 0 ? Infinity : this.#dueAt(this.#due + 1) - now;
    setTimeout(() => {
      this.#tick(Date.now());
      this.#wait();
    }, Math.min(LOOK_MS, Math.max(1, next)));
  }

  #dueAt(number: number): number {
    return Math.ceil(this.#start + (number * 1000) / this.#plan.rate);
  }

  #tick(now: number): void {
    const { seconds, rate, cutEvery } = this.#plan;
    if (this.#start === 0) {
      if (this.#ready.size === this.#members.length) this.#start = now;
      else if (now - this.#created > PATIENCE_MS) this.#finish();
      return;
    }
    const elapsed = now - this.#start;
    const total = Math.floor(seconds * rate);
    const due = Math.min(total, Math.floor((elapsed * rate) / 1000));
    while (this.#due < due) {
      this.#due += 1;
      this.#send(this.#due - 1, this.#dueAt(this.#due));
    }
    const cuts = cutEvery === 0 ? 0 : Math.floor(Math.min(elapsed, seconds * 1000) / (cutEvery * 1000));
    if (cuts > this.#cuts) {
      this.#cuts = cuts;
      this.#members.forEach((member) => member.cut());
    }
    const over = elapsed > seconds * 1000;
    if (over && (this.#isComplete() || elapsed > seconds * 1000 + PATIENCE_MS)) this.#finish();
  }

  /** Writers take turns. */
  #send(turn: number, due: number): void {
    const index = turn % this.#writers.size;
    const [member, name] = [this.#members[index], this.#names[index] ?? 0];
    const writer = this.#writers.get(name);
    if (member === undefined || writer === undefined) return;
    writer.count += 1;
    writer.due.set(writer.count, due);
    member.send(writer.count, write(this.#run, writer.count, due, this.#plan.bytes));
  }

  #stored(name: number, number: number): void {
    const writer = this.#writers.get(name);
    const due = writer?.due.get(number);
    if (writer === undefined || due === undefined) return;
    writer.due.delete(number);
    metrics.messagesAcknowledged.add(1);
    metrics.dueToSent.add(Date.now() - due);
  }

  #receive(index: number, entry: EntryFrame): void {
    if (entry.sender === this.#names[index]) return;
    const content = contentOfEntry(entry)?.content;
    if (content?.is !== 'message') return;
    const message = read(this.#run, content.text);
    const stream = this.#streams[index]?.get(entry.sender);
    if (message === undefined || stream === undefined) return;
    const came = stream.take(message.number);
    if (came === 'duplicated') {
      metrics.messagesDuplicated.add(1);
      return;
    }
    if (came === 'reordered') metrics.messagesReordered.add(1);
    this.#delivered += 1;
    metrics.messagesDelivered.add(1);
    metrics.dueToEntry.add(Date.now() - message.due);
  }

  #isComplete(): boolean {
    const refused = [...this.#writers.values()].reduce((sum, writer) => sum + writer.refused.size, 0);
    const expected = (this.#due - refused) * (this.#members.length - 1);
    return this.#members.every((member) => member.unsettled === 0) && this.#delivered === expected;
  }

  #finish(): void {
    this.#finished = true;
    const absent = this.#members.length - this.#ready.size;
    if (absent > 0) console.error(`${absent} members never became ready`);
    for (const writer of this.#writers.values()) metrics.messagesUnsettled.add(writer.due.size);
    this.#streams.forEach((streams, index) => {
      for (const [name, stream] of streams) {
        const writer = this.#writers.get(name);
        if (writer === undefined || name === this.#names[index]) continue;
        const unacknowledged = new Set([...writer.refused, ...writer.due.keys()]);
        metrics.messagesLost.add(stream.lost(writer.count, unacknowledged));
      }
    });
    this.#members.forEach((member) => member.close());
    metrics.roomsUnaccounted.add(-1);
  }
}

/** Begins traffic in every chat that is this VU's; the iteration ends when all have ended. */
export function run(rooms: readonly Room[], roomsPerVu: number, plan: Plan): void {
  const first = (exec.vu.idInTest - 1) * roomsPerVu;
  for (const room of rooms.slice(first, first + roomsPerVu)) new Traffic(room, plan).run();
}
