// What the console remembers of a connection, to fill forms with values that work: the conversations it
// was told of with their heads, the epoch, and which request ids are used.

import { signal } from '@preact/signals';
import type { ConversationId, ServerFrame } from '@chasqui/client/codec';
import { MINOR, NUMBER_MAX, capability, conversationKind, decodeClient, decodeServer } from '@chasqui/client/codec';
import type { Draft } from './compose.ts';
import { FRAMES } from './table.ts';

/** A conversation that the server named. */
export interface Known {
  readonly id: ConversationId;
  readonly label: string;
  readonly head: number;
}

/** The access token of the connection. */
export const token = signal('');
export const conversations = signal<readonly Known[]>([]);
/** That of the store, once a WELCOME has named it. */
export const epoch = signal<number | undefined>(undefined);

let lastRid = 0;
/** Where the SENDs under way go, by their rid. */
const sending = new Map<number, ConversationId>();

export const drawId = (): number => 1 + Math.floor(Math.random() * NUMBER_MAX);

function seen(id: ConversationId, head: number, label?: string): void {
  const known = conversations.value.find((conversation) => conversation.id === id);
  if (known && known.head >= head && (label === undefined || label === known.label)) return;
  const updated = { id, label: label ?? known?.label ?? 'conversation', head: Math.max(head, known?.head ?? 0) };
  conversations.value = [...conversations.value.filter((conversation) => conversation.id !== id), updated];
}

const LABELS: Readonly<Record<number, string>> = {
  [conversationKind.JOURNAL]: 'journal: notes to self',
  [conversationKind.DIRECT]: 'direct chat',
  [conversationKind.GROUP]: 'group',
};

/** Takes note of what the server tells. */
export function learn(message: Uint8Array): void {
  for (const frame of decodeServer(message).frames) learnFrame(frame);
}

function learnFrame(frame: ServerFrame): void {
  switch (frame.frame) {
    case 'WELCOME':
      epoch.value = frame.epoch;
      break;
    case 'ENTRY':
      seen(frame.conversation, frame.sequence);
      break;
    case 'SENT': {
      const conversation = sending.get(frame.rid);
      if (conversation) seen(conversation, frame.sequence);
      break;
    }
    case 'SYNCED':
      for (const { conversation, lastSequence, kind, title, peer } of frame.records) {
        const who = title ?? (peer === undefined ? undefined : `with ${peer}`);
        seen(conversation, lastSequence, [LABELS[kind] ?? 'conversation', who].filter(Boolean).join(' '));
      }
      break;
  }
}

/** Takes note of what was asked. */
export function noteSent(message: Uint8Array): void {
  for (const frame of decodeClient(message).frames) {
    if ('rid' in frame) lastRid = Math.max(lastRid, frame.rid);
    if (frame.frame === 'SEND') sending.set(frame.rid, frame.conversation);
  }
}

/** Forgets a connection: its request ids are free again. */
export function forget(): void {
  lastRid = 0;
  sending.clear();
}

export const nextRid = (): number => lastRid + 1;

/** 1 + the highest sequence that was named, as the floor of a first attempt. */
export const floorOf = (conversation: string): string =>
  `${1 + (conversations.value.find(({ id }) => `${id}` === conversation)?.head ?? 0)}`;

/** The first frame of a connection. */
export function helloDraft(): Draft {
  const capabilities = `${capability.EPHEMERAL | capability.CURSOR | capability.PRESENCE}`;
  const values = { minor: `${MINOR}`, capabilities, token: token.value.trim(), client: 'chasqui console', epoch: `${epoch.value ?? ''}` };
  return { frame: 'HELLO', values };
}

/** A form of this type with values that work. */
export function draftOf(frame: string): Draft {
  if (frame === 'HELLO') return helloDraft();
  const where = [...conversations.value].sort((a, b) => b.head - a.head)[0];
  const conversation = `${where?.id ?? ''}`;
  const head = `${where?.head ?? 0}`;
  const usual: Readonly<Record<string, string>> = {
    rid: `${nextRid()}`,
    conversation,
    cmid: `${drawId()}`,
    floor: floorOf(conversation),
    kind: '1',
    nonce: '7',
    from: frame === 'FETCH' ? '1' : '0',
    read: head,
    body: frame === 'SEND' ? 'hello' : '',
  };
  const fields = FRAMES.find(({ name }) => name === frame)?.fields ?? [];
  const values = fields.map(({ name, type }): [string, Draft['values'][string]] => {
    if (type.is !== 'list' && type.is !== 'items') return [name, usual[name] ?? ''];
    return [name, frame === 'ACK' ? [{ conversation, delivered: head }] : []];
  });
  return { frame, values: Object.fromEntries(values) };
}

