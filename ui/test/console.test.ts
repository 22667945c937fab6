// The console reads and writes what the golden vectors hold.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Draft, Row } from '../src/console/compose.ts';
import { compose, placesOf } from '../src/console/compose.ts';
import type { Part } from '../src/console/dissect.ts';
import { dissect } from '../src/console/dissect.ts';
import { hex, unhex } from '@chasqui/client/hex';
import { sorted } from '../../client/test/vectors.ts';
import type { Type } from '../src/console/table.ts';
import { FRAMES } from '../src/console/table.ts';
import { vectorOf } from '../src/console/vector.ts';

interface Vector {
  readonly name: string;
  readonly from: 'client' | 'server';
  readonly hex: string;
  readonly verdict: unknown;
  readonly canonical?: boolean;
  readonly frames: unknown;
}

const FILES = ['varints', 'client_frames', 'server_frames', 'contents', 'rejects'];
const VECTORS = FILES.flatMap(
  (file) => (JSON.parse(readFileSync(`tests/vectors/${file}.json`, 'utf8')) as { vectors: Vector[] }).vectors,
);
const bytesOf = (vector: Vector): Uint8Array => unhex(vector.hex) ?? assert.fail(vector.hex);

test('there are vectors', () => assert.ok(VECTORS.length > 100));

test('a message is copied as the vector that it is', () => {
  for (const vector of VECTORS) {
    const copied: unknown = JSON.parse(vectorOf(vector.name, vector.from, bytesOf(vector)));
    assert.deepEqual(sorted(copied), sorted(vector));
  }
});

/** The parts that have none, in order. */
const leaves = (parts: readonly Part[]): Part[] =>
  parts.flatMap((part) => (part.parts.length > 0 ? leaves(part.parts) : [part]));

test('every byte of a well-formed message belongs to one part', () => {
  for (const vector of VECTORS.filter(({ verdict }) => verdict === 'ok')) {
    const { frames, error } = dissect(bytesOf(vector));
    assert.equal(error, undefined, vector.name);
    let at = 0;
    for (const part of leaves(frames).filter(({ start, end }) => end > start)) {
      assert.equal(part.start, at, `${vector.name}: ${part.name}`);
      at = part.end;
    }
    assert.equal(at, vector.hex.length / 2, vector.name);
  }
});

test('a message that is cut short is taken apart up to the cut', () => {
  for (const vector of VECTORS.filter(({ verdict }) => verdict === 'ok')) {
    const bytes = bytesOf(vector);
    for (let end = 0; end < Math.min(bytes.length, 300); end++) dissect(bytes.subarray(0, end));
  }
});

/** The draft that a part of a frame was composed from. */
function draftOf(message: Uint8Array, frame: Part): Draft {
  const text = ({ value = '', start, end }: Part, type: Type): string => {
    if (type.is === 'str') return JSON.parse(value) as string;
    if (type.is === 'bytes') return value === '' ? '' : `0x${value}`;
    return type.is === 'group' ? `0x${hex(message.subarray(start, end))}` : value;
  };
  const rowsOf = (part: Part, type: Extract<Type, { fields: unknown }>): Row[] =>
    part.parts
      .filter(({ name }) => name !== 'count')
      .map((row) => {
        if (type.fields[0]?.type.is === 'group') {
          const length = row.parts[0];
          return { record: `0x${hex(message.subarray(length?.end ?? 0, row.end))}` };
        }
        const fields = row.parts.filter(({ name }) => name !== 'length');
        return Object.fromEntries(type.fields.map((field, i) => [field.name, text(fields[i] ?? row, field.type)]));
      });
  const values: Record<string, string | Row[]> = {};
  const draft = (): Draft => ({ frame: frame.name, values });
  for (const part of frame.parts) {
    const { fields, tags } = placesOf(draft());
    const tag = tags.find(({ name }) => name === part.name && part.parts[0]?.name === 'tag');
    const place = tag ?? fields.find(({ name }) => name === part.name);
    if (place === undefined) continue;
    const held = tag ? (part.parts.at(-1) ?? part) : part;
    const { type } = place;
    values[part.name] = type.is === 'list' || type.is === 'items' ? rowsOf(held, type) : text(held, type);
  }
  return draft();
}

test('the form of a frame composes its bytes', () => {
  const composed = new Set<string>();
  for (const vector of VECTORS) {
    // Tags of tomorrow and the fields behind known ones have no place in a form.
    if (vector.verdict !== 'ok' || vector.canonical === false || /attributes|tomorrow|opaque/.test(vector.name)) continue;
    const message = bytesOf(vector);
    for (const frame of dissect(message).frames) {
      const bytes = hex(message.subarray(frame.start, frame.end));
      if (leaves([frame]).some(({ name }) => name === 'ignored' || name === 'value')) continue;
      assert.equal(hex(compose(draftOf(message, frame))), bytes, vector.name);
      composed.add(frame.name);
    }
  }
  assert.deepEqual([...composed].sort(), FRAMES.map(({ name }) => name).sort());
});

test('a field that cannot be composed is named', () => {
  for (const nonce of ['-1', 'x', '1.5', '9007199254740992']) {
    assert.throws(() => compose({ frame: 'PING', values: { nonce } }), /^DraftError|nonce: /);
  }
  assert.throws(() => compose({ frame: 'SYNC', values: { token: '0x123' } }), /token: /);
});
