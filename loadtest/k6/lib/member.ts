// A client of one chat, as `docs/protocol.md` asks for: it keeps an outbox with floors, resumes by
// token and sequence on any new connection, fetches holes, and repeats what was held. What it learns
// goes to its callbacks, entries in the order of the log.

import { clearInterval, clearTimeout, setInterval, setTimeout } from 'k6/timers';
import type {
  ClientFrame,
  ConversationId,
  EntryFrame,
  Epoch,
  ErrorFrame,
  MessageId,
  SendFrame,
  Sequence,
  ServerFrame,
} from '../../../client/src/codec.ts';
import {
  decodeServer,
  encodeClient,
  errorFlag,
  id,
  layout,
  limit,
  MINOR,
  sequence,
  SUBPROTOCOL,
  syncedFlag,
  textMessage,
} from '../../../client/src/codec.ts';
import * as metrics from './metrics.ts';
import type { Account } from './rest.ts';
import { randomId, URL } from './rest.ts';
import type { Socket } from './ws.ts';
import { isOpen, open } from './ws.ts';

/** What a member tells. */
export interface Events {
  /** Synced, and free to send; after every connect. */
  onReady?(): void;
  /** The next entry of the log; each once. */
  onEntry?(entry: EntryFrame): void;
  /** A message is stored, however often it was sent. */
  onStored?(tag: number): void;
  /** A message was refused for good. */
  onRefused?(tag: number, error: ErrorFrame): void;
}

interface Row {
  readonly tag: number;
  readonly frame: Omit<SendFrame, 'rid'>;
  /** Whether an attempt is under way on this connection. */
  sent: boolean;
}

const WS_URL = `${URL.replace(/^http/, 'ws')}/ws`;
const BACKOFF_MS = 500;
const BACKOFF_MS_MAX = 20_000;
const ACK_MS = 500;
const PING_MS = limit.PING_DEFAULT * 1000;
/** A server that says nothing for so long is dead. */
const SILENCE_MS = 1.5 * PING_MS + 10_000;

export class Member {
  readonly #account: Account;
  readonly #conversation: ConversationId;
  readonly #events: Events;

  // What outlives a connection.
  #epoch: Epoch | undefined;
  #token = new Uint8Array(0);
  #have = 0;
  #told = 0;
  #outbox: Row[] = [];
  #closing = false;
  #attempts = 0;

  // What belongs to one.
  #socket: Socket | undefined;
  #opened = 0;
  #rid = 0;
  /** SENDs without an answer, by rid. */
  readonly #open = new Map<number, Row>();
  #sendsMax = 1;
  #greeting = true;
  #held = true;
  #syncing = false;
  #syncAgain = false;
  #fetching = false;
  #acknowledging = false;
  #heard = 0;
  #heartbeat = 0;
  readonly #timers = new Set<number>();

  constructor(account: Account, conversation: number, events: Events) {
    this.#account = account;
    this.#conversation = id<ConversationId>(conversation);
    this.#events = events;
  }

  /** How many messages are neither stored nor refused. */
  get unsettled(): number {
    return this.#outbox.length;
  }

  connect(): void {
    this.#opened = Date.now();
    const socket = open(WS_URL, SUBPROTOCOL);
    this.#socket = socket;
    socket.onopen = () => this.#greet();
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#receive(data);
    };
    socket.onerror = () => this.#ended(socket);
    socket.onclose = () => this.#ended(socket);
  }

  /** Sends a text; `tag` names it in the callbacks. */
  send(tag: number, text: string): void {
    const frame = {
      frame: 'SEND',
      conversation: this.#conversation,
      cmid: id<MessageId>(randomId()),
      floor: sequence(1 + this.#told),
      ...layout(textMessage(text)),
    } as const;
    this.#outbox.push({ tag, frame, sent: false });
    this.#pump();
  }

  /** Drops the connection, as a network would; it comes back by itself. */
  cut(): void {
    this.#socket?.close();
  }

  /** Ends it for good. */
  close(): void {
    this.#closing = true;
    this.#stopTimers();
    this.#socket?.close();
  }

  #write(...frames: readonly ClientFrame[]): void {
    // What a closing socket does not take is asked or sent again on the next one.
    if (this.#socket !== undefined && isOpen(this.#socket)) this.#socket.send(encodeClient(...frames));
  }

  #ended(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#stopTimers();
    if (this.#closing) return;
    metrics.connectionsLost.add(1);
    const most = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#later(Math.random() * most, () => this.connect());
  }

  #greet(): void {
    this.#rid = 0;
    this.#open.clear();
    this.#greeting = true;
    this.#held = true;
    this.#acknowledging = false;
    this.#fetching = false;
    this.#syncing = true;
    this.#syncAgain = false;
    for (const row of this.#outbox) row.sent = false;
    this.#write(
      { frame: 'HELLO', minor: MINOR, capabilities: 0, token: this.#account.token, client: 'k6', epoch: this.#epoch },
      { frame: 'SYNC', rid: ++this.#rid, limit: 0, token: this.#token },
    );
    this.#heard = Date.now();
    this.#heartbeat = setInterval(() => this.#beat(), PING_MS);
  }

  #beat(): void {
    const socket = this.#socket;
    if (socket !== undefined && Date.now() - this.#heard > SILENCE_MS) {
      socket.close();
      this.#ended(socket);
    }
    this.#write({ frame: 'PING', nonce: 1 });
  }

  /** Tells the server what is held here, at most twice a second. */
  #acknowledge(): void {
    if (this.#acknowledging) return;
    this.#acknowledging = true;
    this.#later(ACK_MS, () => {
      this.#acknowledging = false;
      this.#write({ frame: 'ACK', items: [[this.#conversation, sequence(this.#have)]] });
    });
  }

  #receive(data: ArrayBuffer): void {
    this.#heard = Date.now();
    const { frames, error } = decodeServer(data);
    for (const frame of frames) this.#handle(frame);
    if (error !== undefined) this.#fault(`${error.message} at byte ${error.offset}`);
  }

  #fault(text: string): void {
    metrics.protocolFaults.add(1);
    console.error(text);
  }

  /** Does it after a while, unless the connection has ended by then. */
  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  /** A timer that is left would keep the iteration from ending. */
  #stopTimers(): void {
    clearInterval(this.#heartbeat);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #handle(frame: ServerFrame): void {
    switch (frame.frame) {
      case 'WELCOME':
        if (this.#epoch !== undefined && this.#epoch !== frame.epoch) this.#fault('the store is another one');
        this.#epoch = frame.epoch;
        this.#sendsMax = frame.sendsMax;
        return;
      case 'GOAWAY':
        return this.#later(Math.random() * frame.spreadMs, () => this.cut());
      case 'SYNCED':
        return this.#synced(frame);
      case 'ENTRY':
        return this.#entry(frame);
      case 'FETCHED':
        this.#fetching = false;
        this.#have = Math.max(this.#have, frame.next === 0 ? frame.to : frame.next - 1);
        return this.#fill();
      case 'SENT':
        return this.#sent(frame.rid, frame.sequence);
      case 'ERROR':
        return this.#error(frame);
      case 'RESYNC':
        return this.#sync();
      case 'PING':
        return this.#write({ frame: 'PONG', nonce: frame.nonce });
    }
  }

  #sync(): void {
    if (this.#syncing) {
      this.#syncAgain = true;
      return;
    }
    this.#syncing = true;
    this.#write({ frame: 'SYNC', rid: ++this.#rid, limit: 0, token: this.#token });
  }

  #synced(frame: Extract<ServerFrame, { frame: 'SYNCED' }>): void {
    // A view of the message; the token outlives it.
    this.#token = frame.token.slice();
    for (const record of frame.records) {
      if (record.conversation !== this.#conversation) continue;
      // It begins at the head: what was said before it came is of no interest.
      if (this.#told === 0) this.#have = record.lastSequence;
      this.#told = Math.max(this.#told, record.lastSequence);
    }
    this.#syncing = false;
    this.#fill();
    const more = (frame.flags & syncedFlag.MORE) !== 0;
    if (more || this.#syncAgain) {
      this.#syncAgain &&= more;
      return this.#sync();
    }
    if (this.#greeting) this.#ready();
  }

  /** RESUME comes before the first SEND of a connection: without a known epoch it starts held. */
  #ready(): void {
    this.#greeting = false;
    metrics.connectToReady.add(Date.now() - this.#opened);
    metrics.connectionsReady.add(1);
    this.#attempts = 0;
    this.#resume();
    this.#events.onReady?.();
  }

  #resume(): void {
    this.#held = false;
    this.#write({ frame: 'RESUME' });
    this.#pump();
  }

  #entry(entry: EntryFrame): void {
    if (entry.conversation !== this.#conversation) return;
    this.#told = Math.max(this.#told, entry.sequence);
    if (entry.sequence <= this.#have) return;
    if (entry.sequence > this.#have + 1) {
      metrics.entryGaps.add(1);
      return this.#fill();
    }
    this.#have = entry.sequence;
    this.#acknowledge();
    const mine = entry.cmid;
    const row = mine === undefined ? mine : this.#outbox.find(({ frame }) => frame.cmid === mine);
    if (row !== undefined) this.#settle(row);
    this.#events.onEntry?.(entry);
  }

  /** Fetches what is missing below what was told. */
  #fill(): void {
    if (this.#fetching || this.#have >= this.#told) return;
    this.#fetching = true;
    const from = sequence(this.#have + 1);
    const to: Sequence = sequence(0);
    this.#write({ frame: 'FETCH', rid: ++this.#rid, conversation: this.#conversation, from, to });
  }

  /** Sends what may be sent, in the order of the outbox. */
  #pump(): void {
    if (this.#held || this.#socket === undefined) return;
    for (const row of this.#outbox) {
      if (this.#open.size >= this.#sendsMax) return;
      if (row.sent) continue;
      row.sent = true;
      const rid = ++this.#rid;
      this.#open.set(rid, row);
      this.#write({ ...row.frame, rid });
    }
  }

  #sent(rid: number, at: Sequence): void {
    const row = this.#open.get(rid);
    this.#open.delete(rid);
    this.#told = Math.max(this.#told, at);
    if (row !== undefined) this.#settle(row);
    // SENT stands in the place of its ENTRY.
    if (at === this.#have + 1) this.#have = at;
    else if (at > this.#have) this.#fill();
    this.#pump();
  }

  #settle(row: Row): void {
    if (this.#remove(row)) this.#events.onStored?.(row.tag);
  }

  /** Takes a row out of the outbox; false if it is not in there any more. */
  #remove(row: Row): boolean {
    const index = this.#outbox.indexOf(row);
    return index >= 0 && this.#outbox.splice(index, 1).length > 0;
  }

  #error(error: ErrorFrame): void {
    const again = (error.flags & errorFlag.RETRY) !== 0;
    const row = this.#open.get(error.rid);
    if (row !== undefined) return this.#refused(error, row, again);
    if (!again) {
      this.#fault(`ERROR ${error.code} for rid ${error.rid}: ${error.text}`);
      if (error.rid === 0) this.close();
    } else if (error.rid !== 0) {
      this.#later(error.retryMs, () => this.#askAgain());
    }
  }

  /** A SYNC or a FETCH was refused for now; one of either is under way at most. */
  #askAgain(): void {
    if (this.#syncing) {
      this.#syncing = false;
      this.#sync();
    }
    if (this.#fetching) {
      this.#fetching = false;
      this.#fill();
    }
  }

  #refused(error: ErrorFrame, row: Row, again: boolean): void {
    this.#open.delete(error.rid);
    if (again) {
      row.sent = false;
      this.#held = true;
      metrics.sendsHeld.add(1);
    } else if (this.#remove(row)) {
      this.#events.onRefused?.(row.tag, error);
    }
    if (!this.#held || this.#open.size > 0) return;
    this.#later(error.retryMs, () => this.#resume());
  }
}
