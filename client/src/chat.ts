// The client as an application holds it: one object with a state, snapshots and events. Puts view,
// engine, driver and tabs together; the rules are in them.

import { id, NUMBER_MAX } from './codec.ts';
import type { ConnectionState } from './connection.ts';
import { closeCode } from './constants.ts';
import type { Content } from './content.ts';
import { layout, textMessage } from './content.ts';
import type { Surroundings } from './driver.ts';
import { Driver } from './driver.ts';
import type { Command } from './engine.ts';
import { Engine } from './engine.ts';
import { Events } from './events.ts';
import type { ConversationId, DeviceId, EntryFrame, MessageId, Sequence, UserId } from './frames.ts';
import { rangeAt } from './ranges.ts';
import type { ChatEvents, ChatOptions, Outgoing } from './options.ts';
import { surroundings } from './options.ts';
import type { Changes, OutboxRow, Saved, Store } from './store.ts';
import { unchanged } from './store.ts';
import type { Asked, TabMessage } from './tabs.ts';
import type { Entry, Timeline } from './timeline.ts';
import { entryOf, SendError } from './timeline.ts';
import type { Conversation } from './view.ts';
import { View } from './view.ts';

interface Waiting {
  resolve(sent: { readonly sequence: Sequence; readonly sentAt: number }): void;
  reject(error: SendError): void;
}

const FIRST_PAGE = 50;
const TYPING_SHOWN_MS = 6_000;
/** How many of the newest entries are looked through for a message that was settled. */
const FOUND_WITHIN = 1_000;

/** A client of one account. */
export class Chat {
  /** Resolves once the store is read. */
  readonly ready: Promise<void>;
  readonly #around: Surroundings;
  readonly #firstPage: number;
  readonly #view: View;
  readonly #events: Events;
  readonly #waiting = new Map<MessageId, Waiting>();
  readonly #typing = new Map<string, () => void>();
  /** Commands of this tab without an answer. */
  readonly #asked = new Map<number, Asked>();
  /** Those of other tabs, while this one leads. */
  readonly #forOthers = new Set<number>();
  readonly #ends: (() => void)[] = [];
  #state: ConnectionState = { name: 'idle' };
  #driver: Driver | undefined;
  #isRead = false;
  #early: Changes[] = [];
  #queuedAt = 0;

  /** `url` is the server's: `https://chat.example.org`. Nothing is opened before `connect`. */
  constructor(url: string, options: ChatOptions) {
    this.#around = surroundings(url, options);
    this.#events = new Events(this.#around.clock);
    this.#firstPage = options.firstPage ?? FIRST_PAGE;
    this.#view = this.#makeView();
    const stop = this.#around.store.tabs?.listen((message) => this.#hear(message as TabMessage));
    if (stop) this.#ends.push(stop);
    this.ready = this.#read().then(() => undefined);
    this.ready.catch((error: unknown) => this.#broken(error));
  }

  /** How the connection is; the event `state` tells when it changes. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** This account, as the server or the store said. */
  get me(): { readonly user: UserId; readonly device: DeviceId } | undefined {
    return this.#view.meta;
  }

  /** Newest first; the same array until it changes. */
  get conversations(): readonly Conversation[] {
    return this.#view.conversations;
  }

  /** Undefined where this account does not belong to it, or it is not here yet. */
  conversation(of: ConversationId): Conversation | undefined {
    return this.#view.conversation(of);
  }

  /** The log of a conversation as it is to be shown; the same object for the same conversation. */
  timeline(of: ConversationId): Timeline {
    return this.#view.timeline(of);
  }

  /** Calls `listener` from now on; returns what stops it. */
  on<Name extends keyof ChatEvents>(name: Name, listener: (event: ChatEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Connects, and stays connected. Resolves at the first `online`, rejects at `closed`. */
  connect(): Promise<void> {
    const first = this.#state.name === 'idle';
    const result = new Promise<void>((resolve, reject) => {
      const stop = this.on('state', ({ name }) => {
        if (name === 'online') resolve();
        else if (name === 'closed') reject(new Error('the connection is closed'));
        else return;
        stop();
      });
    });
    if (first) {
      this.#setState({ name: 'connecting' });
      void this.#lead();
    }
    return this.#state.name === 'online' ? Promise.resolve() : result;
  }

  /** Tries again now, where it waits. */
  reconnect(): void {
    if (this.#driver) this.#driver.handle({ on: 'nudge' });
    else this.#post({ is: 'nudge' });
  }

  /** Waits up to `drain` milliseconds for messages to be sent, then ends this client. */
  async close({ drain = 0 }: { readonly drain?: number } = {}): Promise<void> {
    const { clock } = this.#around;
    const until = clock.now() + drain;
    const open = (): boolean => [...this.#view.outbox.values()].some((row) => !row.error);
    while (open() && clock.now() < until) await new Promise<void>((resolve) => void clock.after(50, resolve));
    this.#driver?.handle({ on: 'stop' });
    await this.#driver?.stored;
    this.#setState({ name: 'closed', code: undefined });
    for (const end of this.#ends.splice(0)) end();
    this.#typing.forEach((cancel) => cancel());
  }

  /** Puts a message into the outbox. It is in the timeline at once, and sent as soon as it can be. */
  send(conversation: ConversationId, content: string | Content): Outgoing {
    const cmid = id<MessageId>(this.#draw());
    const settled = new Promise<{ sequence: Sequence; sentAt: number }>((resolve, reject) => {
      this.#waiting.set(cmid, { resolve, reject });
    });
    settled.catch(() => undefined);
    const laid = layout(typeof content === 'string' ? textMessage(content) : content);
    if (this.#isRead) this.#enqueue(conversation, cmid, laid);
    else void this.ready.then(() => this.#enqueue(conversation, cmid, laid));
    return { cmid, settled };
  }

  /** Sends a message once more that was refused. */
  retry(cmid: MessageId): void {
    void this.#run({ do: 'retry', cmid });
  }

  /** Gives up a message that was refused. */
  discard(cmid: MessageId): void {
    void this.#run({ do: 'discard', cmid });
  }

  /** The user has read up to there, or everything that is here. */
  read(conversation: ConversationId, upTo?: Sequence): void {
    const row = this.#view.row(conversation);
    const end = upTo ?? (row?.have as Sequence | undefined);
    if (!row || end === undefined || end <= row.read) return;
    const ord = end >= row.lastSequence ? row.lastOrd : this.#view.ordAt(conversation, end);
    void this.#run({ do: 'read', conversation, upTo: end, ord });
  }

  /** To be called at every key; tells the others now and then. */
  typing(conversation: ConversationId, active = true): void {
    void this.#run({ do: 'typing', conversation, active });
  }

  /** The entries of a log, newest first, fetched as they are asked for. */
  async *history(
    conversation: ConversationId,
    { before }: { readonly before?: Sequence } = {},
  ): AsyncIterableIterator<Entry> {
    await this.ready;
    let at: number = before ?? (this.#view.row(conversation)?.have ?? 0) + 1;
    for (;;) {
      const page = await this.#older(conversation, at, 50);
      if (page.length === 0) return;
      for (const entry of page) yield entryOf(entry);
      at = page.at(-1)?.sequence ?? 0;
    }
  }

  #makeView(): View {
    return new View(
      {
        conversations: () => this.#events.changed('conversations', this.#view),
        timeline: (of) => this.#events.changed(of, this.#view),
        entry: (entry) => this.#events.emit('entry', entry),
        failed: ({ conversation, cmid, error }) => {
          const reason = new SendError(error?.code ?? 0, error?.text ?? '');
          this.#waiting.get(cmid)?.reject(reason);
          this.#events.emit('failed', { conversation, cmid, error: reason });
        },
        settled: (...settled) => this.#settled(...settled),
      },
      {
        stored: (...page) => this.#stored(...page),
        older: (...page) => this.#older(...page),
      },
    );
  }

  async #read(): Promise<Saved> {
    this.#isRead = false;
    const saved = await this.#around.store.load();
    const gone = this.#view.load(saved);
    this.#isRead = true;
    for (const changes of this.#early.splice(0)) this.#view.apply(changes);
    this.#settleGone(gone).catch((error: unknown) => this.#broken(error));
    return saved;
  }

  /** Settles messages that another tab learned to be settled, and ended before it could say so. */
  async #settleGone(gone: readonly OutboxRow[]): Promise<void> {
    const { store } = this.#around;
    for (const { cmid, conversation } of gone) {
      const entries = await store.entries(conversation, 1, NUMBER_MAX, FOUND_WITHIN);
      const entry = entries.find((each) => each.cmid === cmid);
      this.#settled(cmid, entry?.sequence ?? (0 as Sequence), entry?.sentAt ?? 0);
    }
  }

  #settled(cmid: MessageId, sequence: Sequence, sentAt: number): void {
    const waiting = this.#waiting.get(cmid);
    this.#waiting.delete(cmid);
    if (sequence > 0) waiting?.resolve({ sequence, sentAt });
    else waiting?.reject(new SendError(0, 'discarded'));
  }

  /** Waits until this tab is the one that leads, and connects. */
  async #lead(): Promise<void> {
    try {
      const { store, clock } = this.#around;
      await this.ready;
      this.#post({ is: 'hello' });
      const release = await store.tabs?.lead();
      if (release) this.#ends.push(release);
      if (this.#state.name === 'closed') return release?.();
      const saved = await this.#read();
      const options = { random: clock.random, firstPage: this.#firstPage, client: 'chasqui-js/0.1.0' };
      this.#driver = this.#makeDriver(new Engine(saved, options));
      this.#listenToNetwork(this.#driver);
      this.#post({ is: 'leader' });
      for (const [of, { command }] of this.#asked) this.#driver.handle({ on: 'command', id: of, command });
      this.#driver.handle({ on: 'start' });
    } catch (error) {
      this.#broken(error);
    }
  }

  #makeDriver(engine: Engine): Driver {
    return new Driver(engine, this.#around, {
      state: (state) => {
        this.#setState(state);
        // That this tab was closed by itself ends no other.
        if (state.name !== 'closed' || state.code !== undefined) this.#post({ is: 'state', state });
      },
      changes: (changes) => this.#view.apply(changes),
      stored: (changes) => this.#post({ is: 'changes', changes }),
      typing: (conversation, user, active) => {
        this.#onTyping(conversation, user, active);
        this.#post({ is: 'typing', conversation, user, active });
      },
      done: (of) => this.#onDone(of),
      broken: (error) => this.#broken(error),
    });
  }

  #listenToNetwork(driver: Driver): void {
    const scope = globalThis as Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>;
    const listen = (name: string, hear: () => void): void => {
      scope.addEventListener?.(name, hear);
      this.#ends.push(() => scope.removeEventListener?.(name, hear));
    };
    listen('online', () => driver.handle({ on: 'network', up: true }));
    listen('offline', () => driver.handle({ on: 'network', up: false }));
    listen('visibilitychange', () => driver.handle({ on: 'nudge' }));
  }

  /** Has a command carried out, by this tab or the one that leads; resolves when that is done. */
  #run(command: Command): Promise<void> {
    const of = this.#draw();
    return new Promise((resolve) => {
      this.#asked.set(of, { command, done: resolve });
      if (this.#driver) this.#driver.handle({ on: 'command', id: of, command });
      else this.#post({ is: 'command', id: of, command });
    });
  }

  #onDone(of: number): void {
    this.#asked.get(of)?.done();
    this.#asked.delete(of);
    // Others must see the changes first, and those are told once they are stored.
    if (this.#forOthers.delete(of)) void this.#driver?.stored.then(() => this.#post({ is: 'done', id: of }));
  }

  #enqueue(conversation: ConversationId, cmid: MessageId, laid: Pick<OutboxRow, 'kind' | 'body' | 'tags'>): void {
    const { store, clock } = this.#around;
    this.#queuedAt = Math.max(clock.now(), this.#queuedAt + 1, ...[...this.#view.outbox.values()].map((row) => row.queuedAt + 1));
    const floor = ((this.#view.row(conversation)?.lastSequence ?? 0) + 1) as Sequence;
    const row: OutboxRow = { cmid, conversation, floor, ...laid, queuedAt: this.#queuedAt };
    const changes = { ...unchanged(), outbox: [row] };
    this.#view.apply(changes);
    if (this.#driver || !store.tabs) return void this.#run({ do: 'send', row, stored: false });
    // Another tab may lead: the row is stored here, so that it outlives whoever does.
    store.commit(changes).then(
      () => {
        this.#post({ is: 'changes', changes });
        return this.#run({ do: 'send', row, stored: true });
      },
      (error: unknown) => this.#broken(error),
    );
  }

  /** Hears another tab. */
  #hear(message: TabMessage): void {
    const driver = this.#driver;
    switch (message.is) {
      case 'leader':
        // What the last leader stored may not have been told.
        void this.#read().then(() => {
          for (const [of, { command }] of this.#asked) this.#post({ is: 'command', id: of, command });
        });
        return;
      case 'changes':
        if (this.#isRead) this.#view.apply(message.changes);
        else this.#early.push(message.changes);
        return;
      case 'state':
        if (this.#state.name !== 'idle') this.#setState(message.state);
        return;
      case 'typing':
        return this.#onTyping(message.conversation, message.user, message.active);
      case 'done':
        return this.#onDone(message.id);
      case 'command':
        if (driver) this.#forOthers.add(message.id);
        return driver?.handle({ on: 'command', id: message.id, command: message.command });
      case 'nudge':
        return driver?.handle({ on: 'nudge' });
      case 'hello':
        if (driver) this.#post({ is: 'state', state: this.#state });
    }
  }

  #post(message: TabMessage): void {
    this.#around.store.tabs?.post(message);
  }

  async #stored(...page: Parameters<Store['entries']>): Promise<readonly EntryFrame[]> {
    await this.#driver?.stored;
    return this.#around.store.entries(...page);
  }

  async #older(of: ConversationId, before: number, limit: number): Promise<readonly EntryFrame[]> {
    for (let end = before - 1; ; ) {
      const row = this.#view.row(of);
      if (!row || end < row.firstVisible) return [];
      const held = rangeAt(row.held, end);
      if (held) {
        const page = await this.#stored(of, held[0], end, limit);
        if (page.length > 0) return page;
        end = held[0] - 1;
      } else {
        await this.#run({ do: 'fetch', conversation: of, from: Math.max(row.firstVisible, end - limit + 1), to: end });
        if (!rangeAt(this.#view.row(of)?.held ?? [], end)) return [];
      }
    }
  }

  #onTyping(conversation: ConversationId, user: UserId, active: boolean): void {
    const key = `${conversation} ${user}`;
    this.#typing.get(key)?.();
    this.#view.typing(conversation, user, active);
    const end = (): void => this.#view.typing(conversation, user, false);
    if (active) this.#typing.set(key, this.#around.clock.after(TYPING_SHOWN_MS, end));
  }

  #setState(state: ConnectionState): void {
    const { name } = this.#state;
    if (name === 'closed' || (name === 'connecting' && state.name === name)) return;
    this.#state = state;
    this.#events.emit('state', state);
  }

  #broken(error: unknown): void {
    this.#events.emit('error', error instanceof Error ? error : new Error(String(error)));
    this.#setState({ name: 'closed', code: closeCode.INTERNAL });
  }

  /** A random number from 1 to 2^53 - 1. */
  #draw(): number {
    return 1 + Math.floor(this.#around.clock.random() * NUMBER_MAX);
  }
}
