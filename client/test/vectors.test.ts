// The golden vectors hold under Node, encoded messages own their buffers, and UTF-8 is what Node says
// it is.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeUtf8, encodeUtf8 } from '../src/bytes.ts';
import { contentOfEntry, encodeClient, entryKind, id, layout, NUMBER_MAX, sequence, textMessage } from '../src/codec.ts';
import type { ConversationId, MessageId } from '../src/codec.ts';
import { entry } from './model/bench.ts';
import { check, FILES } from './vectors.ts';

for (const file of FILES) {
  test(`vectors of ${file}`, () => {
    const report = check(file, JSON.parse(readFileSync(`tests/vectors/${file}.json`, 'utf8')));
    assert.deepEqual(report.failures, []);
    assert.ok(report.checks > 0, 'nothing was checked');
  });
}

const send = (text: string): ArrayBuffer =>
  encodeClient({
    frame: 'SEND',
    rid: 1,
    conversation: id<ConversationId>(2),
    cmid: id<MessageId>(3),
    floor: sequence(1),
    ...layout(textMessage(text)),
  });

test('an encoded message fills its buffer, at every width of a length', () => {
  const head = 1 + 5;
  for (const [bytes, width] of [[0, 1], [50, 1], [70, 2], [16_400, 4]] as const) {
    const inner = bytes < 64 ? 1 : bytes < 16_384 ? 2 : 4;
    assert.equal(send('x'.repeat(bytes)).byteLength, head + width + inner + bytes);
  }
});

test('numbers that do not fit the wire are refused', () => {
  for (const nonce of [-1, 0.5, Number.NaN, NUMBER_MAX + 1]) {
    assert.throws(() => encodeClient({ frame: 'PING', nonce }), RangeError);
  }
  assert.throws(() => id(0), RangeError);
});

test('a lone surrogate becomes the replacement character', () => {
  assert.deepEqual(new Uint8Array(send('a\ud800')).slice(-4), Uint8Array.of(0x61, 0xef, 0xbf, 0xbd));
});

test('UTF-8 is read and refused as the platform does', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const platform = (bytes: Uint8Array): string | undefined => {
    try {
      return strict.decode(bytes);
    } catch {
      return undefined;
    }
  };
  // The bytes at which a rule begins or ends.
  const edges = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0,
    0xf1, 0xf3, 0xf4, 0xf5, 0xff,
  ];
  let runs: number[][] = [[]];
  for (let length = 1; length <= 4; length++) {
    runs = runs.flatMap((run) => edges.map((edge) => [...run, edge]));
    for (const run of runs) {
      const bytes = Uint8Array.from(run);
      const text = decodeUtf8(bytes);
      if (text !== platform(bytes)) assert.fail(`${run.map((byte) => byte.toString(16)).join(' ')} is read as ${text}`);
      if (text !== undefined) assert.deepEqual(encodeUtf8(text), bytes);
    }
  }
});

test('a device without a name has an empty one', () => {
  const tags = [
    { tag: 2, value: Uint8Array.of(7) },
    { tag: 4, value: Uint8Array.of(1) },
  ];
  const served = contentOfEntry(entry(1, { kind: entryKind.DEVICE, body: new Uint8Array(0), tags }));
  assert.deepEqual(served?.content, { is: 'device', device: 7, change: 1, name: '' });
});
