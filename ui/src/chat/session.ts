// Who is signed in in this window, and their client. Owns the life of both; everything that is shown reads
// the signals here.

import { signal } from '@preact/signals';
import type { ConnectionState, Conversation, ConversationId, UserId } from '@chasqui/client/index';
import { Chat, id, memoryStore, sequence } from '@chasqui/client/index';
import { Account } from '@chasqui/client/rest';
import { deleteIdbStore, idbStore } from '@chasqui/client/store-idb';
import { DEMO_PEOPLE } from '../shared/demo.ts';

/** Windows opened with `?as=NAME` have an account of their own beside the browser's usual one. */
export const profile = new URLSearchParams(location.search).get('as') ?? '';

export const account = new Account(location.origin, { key: profile ? `chasqui ${profile}` : 'chasqui' });

export const chat = signal<Chat | undefined>(undefined);
export const connection = signal<ConnectionState>({ name: 'idle' });
export const conversations = signal<readonly Conversation[]>([]);
/** A direct chat that was begun here, until its first message makes the client know it. */
export const begun = signal<Conversation | undefined>(undefined);
/** Whether what is kept here has been read. */
export const ready = signal(false);
/** Why one has to sign in again. */
export const farewell = signal('');

const storeName = (): string => `${location.host}/${account.me?.user ?? 0}`;

const CLOSED: Readonly<Record<number, string>> = {
  4501: 'This page and the server do not understand each other. Reload it.',
  4502: 'This page is too old for the server. Reload it.',
  4503: 'This account is disabled.',
};

/** Takes note of a direct chat in which nothing has been said. */
export function begin(chat: number, peer: UserId): void {
  const nothing = sequence(0);
  begun.value = {
    id: id<ConversationId>(chat),
    kind: 'direct',
    title: undefined,
    peer,
    memberCount: 2,
    muted: false,
    left: false,
    lastSequence: nothing,
    lastAt: 0,
    unread: 0,
    read: nothing,
    peerDelivered: nothing,
    peerRead: nothing,
    preview: undefined,
    typing: [],
    queued: 0,
    failed: 0,
  };
}

/** Connects whoever is signed in. */
function connect(): void {
  const started = new Chat(location.origin, {
    getToken: account.getToken,
    store: globalThis.indexedDB ? idbStore(storeName()) : memoryStore(),
  });
  farewell.value = '';
  ready.value = false;
  conversations.value = [];
  started.on('state', (state) => {
    connection.value = state;
    if (state.name === 'closed' && chat.value === started) void end(CLOSED[state.code ?? 0] ?? 'You were signed out.');
  });
  started.on('conversations', (list) => (conversations.value = list));
  chat.value = started;
  void started.ready.then(() => {
    if (chat.value !== started) return;
    conversations.value = started.conversations;
    ready.value = true;
  });
  // That it ends for good is told by the state.
  started.connect().catch(() => undefined);
}

async function end(why: string): Promise<void> {
  const ended = chat.value;
  chat.value = undefined;
  farewell.value = why;
  location.hash = '';
  await ended?.close();
}

export async function register(username: string, password: string): Promise<void> {
  await account.register(username, password, deviceName());
  connect();
}

export async function login(username: string, password: string): Promise<void> {
  await account.login(username, password, deviceName());
  connect();
}

/** Signs out and forgets everything that is kept here. */
export async function logout(): Promise<void> {
  const name = storeName();
  await end('');
  // Without a network the server learns of it when the tokens run out.
  await account.logout().catch(() => undefined);
  if (globalThis.indexedDB) await deleteIdbStore(name);
}

function deviceName(): string {
  const { userAgent } = navigator;
  const browser = /(Firefox|Edg|Chrome|Safari)\//.exec(userAgent)?.[1]?.replace('Edg', 'Edge') ?? 'Browser';
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(userAgent)?.[0];
  return system ? `${browser} on ${system}` : browser;
}

/** Goes on as whoever was signed in here; a demo person of that name signs in by themselves. */
export async function resume(): Promise<void> {
  const demo = DEMO_PEOPLE.find(({ username }) => username === profile);
  if (account.me) connect();
  else if (demo) await login(demo.username, demo.password);
}
