// People with accounts on a real server, and clients of theirs.

import { WebSocket } from 'ws';
import type { ConversationId, Store, TimelineItem } from '../../src/index.ts';
import { Chat, id } from '../../src/index.ts';
import { Account } from '../../src/rest.ts';
import type { ServerProcess } from './server_process.ts';

let names = 0;

export async function newAccount(server: ServerProcess): Promise<Account> {
  const made = new Account(server.url);
  await made.register(`someone-${process.pid}-${++names}`, 'a long password');
  return made;
}

/** How many sockets were opened by `newChat`. */
export const opened = { count: 0 };

/** A client that finds the server wherever it listens now, and never waits for long. */
export function newChat(server: ServerProcess, of: Account, store?: Store): Chat {
  class Wandering extends WebSocket {
    constructor(_: string, protocol: string) {
      super(`${server.url.replace('http', 'ws')}/ws`, protocol);
      opened.count += 1;
    }
  }
  const clock = {
    now: () => Date.now(),
    random: () => Math.random() * 0.2,
    after: (ms: number, run: () => void): (() => void) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  };
  // An access token outlives the server's process.
  const token = of.getToken({ reason: 'initial' });
  return new Chat(server.url, { getToken: () => token, WebSocket: Wandering as never, clock, store });
}

/** The direct chat of two people. */
export async function chatBetween(one: Account, other: Account): Promise<ConversationId> {
  const { chat } = await one.rest('POST', '/chats', { body: { kind: 'direct', user: other.me?.user ?? 0 } });
  return id<ConversationId>(chat);
}

export function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (holds()) resolve();
      else if (Date.now() > end) reject(new Error(`not within a minute: ${what}`));
      else setTimeout(look, 20);
    };
    look();
  });
}

export const textOf = (item: TimelineItem): string => (item.content?.is === 'message' ? item.content.text : '');
