// One run of four clients and a server under faults, all of it from one seed, and what must hold
// during and after it.

import type { ConversationId, MessageId, Sequence } from '../../src/index.ts';
import { Chat } from '../../src/index.ts';
import type { TimelineItem, WebSocketLike } from '../../src/index.ts';
import type { ClientFrame } from '../../src/codec.ts';
import { decodeClient } from '../../src/codec.ts';
import { ModelServer, NO_FAULTS } from './server.ts';
import { SlowStore, Wire, World } from './world.ts';

const DIRECT = 11;
const GROUP = 12;
const OTHERS = [21, 22, 23, 24];
const [ANA, BEN, CAT] = [1, 2, 3];

/** What a run came to. */
export interface Outcome {
  readonly seed: number;
  readonly faults: number;
  readonly sent: number;
  readonly failures: readonly string[];
}

interface Sent {
  readonly cmid: MessageId;
  readonly conversation: ConversationId;
  readonly text: string;
  result: 'open' | 'sent' | 'refused' | 'lost';
}

/** One installation: what its disk keeps, and the client that runs on it now. */
class Device {
  readonly user: number;
  readonly id: number;
  readonly world: World;
  readonly server: ModelServer;
  readonly failures: string[];
  readonly sent: Sent[] = [];
  chat!: Chat;
  store!: SlowStore;
  life = { dead: false };
  wire: Wire | undefined;
  /** What the user has read, by conversation. */
  readonly reads = new Map<ConversationId, number>();
  #news = new Map<ConversationId, number>();
  #changed = new Set<ConversationId>();

  constructor(user: number, id: number, server: ModelServer, failures: string[]) {
    [this.user, this.id, this.server, this.world, this.failures] = [user, id, server, server.world, failures];
    this.start();
  }

  fail(what: string): void {
    this.failures.push(`device ${this.id}: ${what}`);
  }

  /** Starts the client on what its disk keeps. */
  start(): void {
    this.life = { dead: false };
    this.#news.clear();
    const { life, world } = this;
    this.store = new SlowStore(world, life, this.store);
    const open = (socket: WebSocketLike): Wire => this.#open(socket, life);
    this.chat = new Chat('http://model', {
      getToken: () => 'token',
      store: this.store,
      WebSocket: socketOf(open, (frame) => this.#said(frame)),
      firstPage: 5,
      clock: world.clock(life),
    });
    this.chat.on('entry', (entry) => this.#heard(entry.conversation, entry.sequence));
    this.chat.on('timeline', (id) => this.#changed.add(id));
    this.chat.on('failed', ({ cmid }) => {
      const sent = this.sent.find((each) => each.cmid === cmid);
      if (sent) sent.result = 'refused';
    });
    this.chat.on('error', (error) => this.fail(String(error)));
    for (const id of [DIRECT, GROUP]) this.chat.timeline(id as ConversationId);
    this.chat.connect().catch(() => undefined);
  }

  /** Ends it like a crash: what was not stored is gone. */
  async crash(): Promise<void> {
    this.life.dead = true;
    this.wire?.cut(undefined);
    const { outbox } = await this.store.durable.load();
    const kept = new Set(outbox.map((row) => row.cmid));
    for (const sent of this.sent) if (sent.result === 'open' && !kept.has(sent.cmid)) sent.result = 'lost';
    this.start();
  }

  send(conversation: ConversationId): void {
    const text = `${this.id}-${this.sent.length}`;
    const { cmid, settled } = this.chat.send(conversation, text);
    const sent: Sent = { cmid, conversation, text, result: 'open' };
    this.sent.push(sent);
    settled.then(
      () => (sent.result = 'sent'),
      () => undefined,
    );
  }

  read(conversation: ConversationId): void {
    this.chat.read(conversation);
    this.reads.set(conversation, this.chat.conversation(conversation)?.read ?? 0);
  }

  /** After a restore: what was known of the server's logs does not hold any more. */
  restored(): void {
    this.#news.clear();
    this.reads.clear();
  }

  /** Checks every timeline that changed. */
  look(): void {
    for (const id of this.#changed) this.#look(this.chat.timeline(id).items);
    this.#changed.clear();
  }

  #look(items: readonly TimelineItem[]): void {
    let last: number | undefined;
    const keys = new Set<string>();
    let ahead = false;
    for (const item of items) {
      if (keys.has(item.key)) this.fail(`shows ${item.key} twice`);
      keys.add(item.key);
      if (item.sequence === undefined) continue;
      // One's own message may stand after a hole until that is filled.
      if (last !== undefined && item.sequence !== last + 1) ahead = true;
      if (ahead && item.cmid === undefined) this.fail(`shows a hole before ${item.sequence}`);
      if (last !== undefined && item.sequence <= last) this.fail(`shows ${item.sequence} after ${last}`);
      last = item.sequence;
    }
  }

  #heard(conversation: ConversationId, sequence: Sequence): void {
    const last = this.#news.get(conversation) ?? 0;
    if (sequence <= last) this.fail(`told of ${conversation}/${sequence} after ${last}`);
    this.#news.set(conversation, sequence);
  }

  #open(socket: WebSocketLike, life: { dead: boolean }): Wire {
    const { world, server, user, id } = this;
    const wire = new Wire(world, socket, (of) => server.accept(of, user, id));
    this.wire = wire;
    world.after(world.between(1, 50), () => {
      if (life.dead) return;
      if (world.chance(0.1)) wire.cut(1006);
      else socket.onopen?.({} as never);
    });
    return wire;
  }

  /** What leaves the client must be in its store already. */
  #said(frame: ClientFrame): void {
    if (frame.frame !== 'SEND' && frame.frame !== 'ACK') return;
    const { life } = this;
    void this.store.durable.load().then(({ outbox, conversations }) => {
      if (life.dead) return;
      if (frame.frame === 'SEND') {
        const row = outbox.find(({ cmid }) => cmid === frame.cmid);
        if (!row) this.fail(`sends ${frame.cmid} before it is stored`);
        else if (row.floor !== frame.floor) this.fail(`sends ${frame.cmid} with another floor than is stored`);
        return;
      }
      for (const [id, delivered] of frame.items) {
        const have = conversations.find((row) => row.id === id)?.have ?? 0;
        if (have < delivered) this.fail(`acknowledges ${id}/${delivered} and has ${have} stored`);
      }
    });
  }
}

function socketOf(open: (socket: WebSocketLike) => Wire, said: (frame: ClientFrame) => void): new () => WebSocketLike {
  return class implements WebSocketLike {
    binaryType = '';
    onopen: WebSocketLike['onopen'] = null;
    onmessage: WebSocketLike['onmessage'] = null;
    onclose: WebSocketLike['onclose'] = null;
    onerror: WebSocketLike['onerror'] = null;
    readonly #wire = open(this);

    send(data: ArrayBuffer): void {
      decodeClient(data).frames.forEach(said);
      this.#wire.toServer(data);
    }

    close(): void {
      this.#wire.cut(undefined);
    }
  };
}

/** Runs one schedule: a while of people and faults, then quiet, then the accounts. */
export async function runSchedule(seed: number, restores: boolean): Promise<Outcome> {
  const world = new World(seed);
  const server = new ModelServer(world);
  server.create(DIRECT, 1, [ANA, BEN]);
  server.create(GROUP, 2, [ANA, BEN], 'Garden');
  for (const id of OTHERS) server.create(id, 2, [ANA, BEN, CAT], `Other ${id}`);
  const failures: string[] = [];
  const devices = [ANA, ANA, BEN, CAT].map((user, at) => new Device(user, 100 + at, server, failures));
  let faults = 0;
  const fault = (run: () => unknown): (() => void) => () => {
    faults += 1;
    void run();
  };
  const anyone = (): Device => world.pick(devices);
  const happenings: (() => void)[] = [
    ...Array.from({ length: 12 }, () => () => {
      const device = anyone();
      for (let left = world.pick([1, 1, 1, 2, 6]); left > 0; left--) device.send(somewhere(world, device));
    }),
    () => void server.add(GROUP, CAT),
    ...Array.from({ length: 4 }, () => () => {
      const device = anyone();
      device.read(somewhere(world, device));
    }),
    () => void anyone().chat.timeline(GROUP as ConversationId).loadOlder(4),
    ...Array.from({ length: 3 }, () => fault(() => anyone().wire?.cut(world.pick([1006, undefined])))),
    fault(() => anyone().crash()),
    fault(() => server.restart()),
    fault(() => (server.faults = anyFaults(world))),
    fault(() => (server.faults = NO_FAULTS)),
  ];
  if (restores) happenings.push(() => server.takeBackup());
  let restored = false;
  const until = world.now + world.between(5_000, 20_000);
  const next = (): void => {
    if (world.now > until) return;
    world.pick(happenings)();
    if (restores && world.chance(0.01)) {
      restored = true;
      faults += 1;
      server.restoreBackup();
      devices.forEach((device) => device.restored());
    }
    world.after(world.between(0, 1_200), next);
  };
  next();
  const look = (): void => devices.forEach((device) => device.look());
  await world.run(until - world.now + 2_000, look);
  server.faults = NO_FAULTS;
  // Long enough for every backoff, dead connection and hole.
  await world.run(200_000, look);
  for (const device of devices) await settleAccounts(device, restored);
  return { seed, faults, sent: devices.reduce((sum, { sent }) => sum + sent.length, 0), failures };
}

function somewhere(world: World, device: Device): ConversationId {
  const direct = device.user === CAT ? OTHERS[0] : DIRECT;
  return world.pick([direct, direct, GROUP, ...OTHERS.slice(0, 2)]) as ConversationId;
}

function anyFaults(world: World): ModelServer['faults'] {
  const some = (most: number): number => (world.chance(0.5) ? world.between(0, most) : 0);
  return { refuse: some(0.5), unknown: some(0.5), dropPush: some(0.3), repeatPush: some(0.3), refuseRead: some(0.5) };
}

/** After quiet: every message once and in order, every log whole, every cursor where it belongs. */
async function settleAccounts(device: Device, restored: boolean): Promise<void> {
  const { chat, server, world } = device;
  if (chat.state.name !== 'online') device.fail(`is ${chat.state.name} at the end`);
  for (const id of [DIRECT, GROUP, ...OTHERS] as ConversationId[]) {
    const log = server.log(id);
    const sent = device.sent.filter((each) => each.conversation === id);
    const places = sent.map(({ cmid }) => log.entries.filter((entry) => entry.cmid === cmid).map((entry) => entry.sequence));
    sent.forEach(({ result, text }, at) => {
      const copies = places[at]?.length ?? 0;
      if (copies > 1) device.fail(`${text} is stored ${copies} times`);
      if (result === 'sent' && copies === 0 && !restored) device.fail(`${text} is lost`);
    });
    // What was refused may still arrive by an older connection: such a refusal speaks of one attempt.
    const order = places.flatMap((copies, at) => (sent[at]?.result === 'refused' ? [] : copies));
    if (order.some((sequence, at) => at > 0 && sequence < (order[at - 1] ?? 0))) {
      device.fail(`messages are out of order in ${id}: ${order.join(' ')}`);
    }
    const member = log.members.get(device.user as never);
    if (!member) continue;
    const timeline = chat.timeline(id);
    await world.run(200);
    for (let rounds = 0; timeline.hasOlder && rounds < 100; rounds++) {
      void timeline.loadOlder(20);
      await world.run(500);
    }
    const shown = timeline.items.filter((item) => item.status === 'sent').map((item) => `${item.sequence} ${textOf(item)}`);
    const real = log.entries.slice(member.from - 1).map((entry) => `${entry.sequence} ${new TextDecoder().decode(entry.body)}`);
    if (shown.join() !== real.join()) device.fail(`shows ${shown.join()} of ${id} and not ${real.join()}`);
    const read = device.reads.get(id) ?? 0;
    if (member.read < read && !restored) device.fail(`has read ${id} up to ${read}, the server knows of ${member.read}`);
    if (member.delivered < log.entries.length) device.fail(`has not acknowledged all of ${id}`);
    const unread = (log.entries.at(-1)?.ord ?? 0) - member.readOrd;
    if (chat.conversation(id)?.unread !== unread) {
      device.fail(`shows ${chat.conversation(id)?.unread} unread in ${id} and not ${unread}`);
    }
  }
  const rows = (await device.store.durable.load()).outbox.filter((row) => !row.error);
  if (rows.length > 0) device.fail(`${rows.length} messages never settled`);
}

function textOf(item: TimelineItem): string {
  return item.content?.is === 'message' ? item.content.text : '';
}
