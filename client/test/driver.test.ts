// What the driver does with its surroundings, where nothing else shows it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeClient } from '../src/codec.ts';
import type { Clock, WebSocketLike } from '../src/index.ts';
import { Chat } from '../src/index.ts';

/** Connects with this chance; the messages that the server is sent. */
async function sentBy(chance: number, debug: boolean): Promise<readonly Uint8Array[]> {
  const sent: Uint8Array[] = [];
  const sockets: Socket[] = [];
  class Socket implements WebSocketLike {
    binaryType = '';
    onopen: (() => void) | null = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    constructor() {
      sockets.push(this);
    }
    send(data: ArrayBuffer): void {
      sent.push(new Uint8Array(data));
    }
    close(): void {}
  }
  const clock: Clock = { now: () => 0, random: () => chance, after: () => () => undefined };
  const chat = new Chat('http://nowhere', {
    getToken: () => 'token',
    WebSocket: Socket,
    clock,
    debug: debug && ((): void => undefined),
  });
  void chat.connect().catch(() => undefined);
  while (sockets.length === 0) await chat.ready;
  sockets[0]?.onopen?.();
  await chat.close();
  return sent;
}

test('one in a hundred connections that are looked into sends what is to be skipped', async () => {
  for (const chance of [0, 0.009]) {
    const [hello, probe, ...rest] = await sentBy(chance, true);
    assert.ok(hello && probe && rest.length === 0);
    assert.deepEqual(decodeClient(hello).frames.map((each) => each.frame), ['HELLO', 'SYNC']);
    assert.ok((probe[0] ?? 0) >= 0xe0 && (probe[0] ?? 0) <= 0xfe);
    assert.deepEqual(decodeClient(probe), { frames: [{ frame: 'PING', nonce: 1 }] });
  }
  assert.equal((await sentBy(0.01, true)).length, 1);
  assert.equal((await sentBy(0, false)).length, 1);
});
