// What a client is made with, and what it tells.

import type { ConnectionState } from './connection.ts';
import type { Clock, Surroundings, WebSocketLike } from './driver.ts';
import type { ClientFrame, ConversationId, MessageId, Sequence, ServerFrame } from './frames.ts';
import type { Store } from './store.ts';
import { memoryStore } from './store.ts';
import type { Entry, SendError } from './timeline.ts';
import type { Conversation } from './view.ts';

/** What a client is made with. */
export interface ChatOptions {
  /** Gives an access token, a new one where the last was `expired` or `rejected`. Throws `Unauthorized` to stop. */
  readonly getToken: Surroundings['getToken'];
  /** Where everything is kept; in memory if absent. */
  readonly store?: Store | undefined;
  /** The global one if absent. Node 20 has none: that of the package `ws` fits. */
  readonly WebSocket?: (new (url: string, protocol: string) => WebSocketLike) | undefined;
  /** How many entries to fetch of a conversation that is seen for the first time; 50 if absent. */
  readonly firstPage?: number | undefined;
  /** Prints every frame, or tells it. One in a hundred such connections also sends what servers must skip. */
  readonly debug?: boolean | Surroundings['debug'] | undefined;
  /** For tests. */
  readonly clock?: Clock | undefined;
}

/** What `Chat.on` tells, by name. */
export interface ChatEvents {
  state: ConnectionState;
  conversations: readonly Conversation[];
  /** The items of its timeline have changed. */
  timeline: ConversationId;
  /** An entry of somebody else is new here: once, and in the order of its conversation. */
  entry: Entry;
  /** A message was refused for good. */
  failed: { readonly conversation: ConversationId; readonly cmid: MessageId; readonly error: SendError };
  /** The store failed, and the client has stopped. */
  error: Error;
}

/** A message on its way. */
export interface Outgoing {
  readonly cmid: MessageId;
  /** Resolves when the server has it; rejects with a `SendError`. Need not be looked at. */
  readonly settled: Promise<{ readonly sequence: Sequence; readonly sentAt: number }>;
}

/** Where a client of the server at `url` runs. Throws a TypeError where there is no WebSocket. */
export function surroundings(url: string, options: ChatOptions): Surroundings {
  const WebSocket = options.WebSocket ?? (globalThis.WebSocket as ChatOptions['WebSocket']);
  if (!WebSocket) throw new TypeError('there is no WebSocket here: give one in the options');
  const { getToken, store = memoryStore(), clock = realClock, debug } = options;
  const shown = debug === true ? print : debug || undefined;
  return { url: `${url.replace(/^http/, 'ws').replace(/\/$/, '')}/ws`, getToken, WebSocket, store, clock, debug: shown };
}

const realClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

function print(direction: 'in' | 'out', frame: ClientFrame | ServerFrame): void {
  // oxlint-disable-next-line no-console -- what the switch is for
  console.debug(direction, frame.frame === 'HELLO' ? { ...frame, token: '...' } : frame);
}
