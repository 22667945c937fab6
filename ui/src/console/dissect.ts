// Takes a message apart, field by field, by the table. It says what each byte is, which the codec, whose
// frames have no positions, does not; whether a message is well-formed is the codec's to say.

import { ProtocolError, Reader, decodeUtf8 } from '@chasqui/client/bytes';
import { hex } from '@chasqui/client/hex';
import type { Field, Group, Tagged, Type } from './table.ts';
import { FRAMES, RECORD, frameNamed, inWords, kindName, meaningOf, tagsOfKind } from './table.ts';

/** A run of bytes that means something, and the runs that it consists of. */
export interface Part {
  readonly name: string;
  readonly start: number;
  end: number;
  /** What it says; absent where only its parts say something. */
  value?: string;
  /** The value in words. */
  words?: string;
  /** What the table says of it. */
  doc?: string;
  readonly parts: Part[];
}

/** The frames of a message, up to what cannot be read. */
export interface Dissected {
  readonly frames: readonly Part[];
  readonly error?: { readonly at: number; readonly text: string };
}

/** Takes the frames of either side apart. */
export function dissect(message: Uint8Array): Dissected {
  const frames: Part[] = [];
  const reader = new Reader(message);
  try {
    while (!reader.isEmpty) readFrame(reader, frames);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { frames, error: { at: error.offset, text: error.message } };
  }
  return { frames };
}

/** Adds a part that ends where `read` ends, be it by a fault. */
function part(reader: Reader, into: Part[], name: string, read: (part: Part) => void): Part {
  const added: Part = { name, start: reader.offset, end: reader.offset, parts: [] };
  into.push(added);
  try {
    read(added);
  } finally {
    added.end = reader.offset;
  }
  return added;
}

/** A varint that says how much follows. */
function lead(reader: Reader, into: Part[], name: string, places?: readonly Tagged[]): number {
  let value = 0;
  part(reader, into, name, (added) => {
    value = reader.varint();
    added.value = `${value}`;
    const known = places?.find(({ tag }) => tag === value);
    if (known) added.words = known.name;
  });
  return value;
}

function readFrame(reader: Reader, into: Part[]): void {
  part(reader, into, 'frame', (added) => {
    let type = 0;
    const head = part(reader, added.parts, 'type', () => (type = reader.u8()));
    const known = FRAMES.find((frame) => frame.type === type);
    head.value = type.toString(16).padStart(2, '0');
    head.words = known?.name ?? 'unknown';
    Object.assign(added, { name: head.words, doc: known?.doc });
    const length = lead(reader, added.parts, 'length');
    const start = reader.offset;
    const body = new Reader(reader.take(length), start);
    if (known) readGroup(body, known, added.parts);
    else part(body, added.parts, 'body', (rest) => (rest.value = hex(body.rest())));
  });
}

function readGroup(reader: Reader, group: Group, into: Part[]): void {
  let kind = 0;
  for (const field of group.fields) {
    part(reader, into, field.name, (added) => {
      const number = readValue(reader, field.type, added, group.name, true);
      if (field.name === 'kind' && number !== undefined) kind = number;
    });
  }
  const places = [...group.tags, ...(group.byKind ? tagsOfKind(kind, { ofServer: true }) : [])];
  const place = group.byKind ? kindName(kind) : group.name;
  while (!reader.isEmpty) readTagged(reader, places, place, into);
}

function readTagged(reader: Reader, places: readonly Tagged[], place: string, into: Part[]): void {
  part(reader, into, 'tag', (added) => {
    const tag = lead(reader, added.parts, 'tag', places);
    const known = places.find((candidate) => candidate.tag === tag);
    Object.assign(added, { name: known?.name ?? `tag ${tag}`, doc: known?.doc });
    const length = lead(reader, added.parts, 'length');
    const start = reader.offset;
    const bytes = reader.take(length);
    const value = new Reader(bytes, start);
    part(value, added.parts, 'value', (inner) => {
      if (known) readValue(value, known.type, inner, place, false, known.name);
      if (!value.isEmpty) inner.value = hex(value.rest());
      if (inner.parts.length === 0) Object.assign(added, { value: inner.value, words: inner.words });
    });
  });
}

/** Reads a value; the number that it is. `led`: whether a length or a count stands in front. */
function readValue(reader: Reader, type: Type, added: Part, place: string, led: boolean, name = added.name): number | undefined {
  const number = (value: number): number => {
    added.value = `${value}`;
    const meaning = meaningOf(place, name);
    const words = meaning && inWords(meaning, value);
    if (words !== undefined) added.words = words;
    return value;
  };
  switch (type.is) {
    case 'varint':
    case 'id':
      return number(reader.varint());
    case 'u8':
    case 'bool':
      return number(reader.u8());
    case 'ts': {
      const value = reader.ts();
      added.words = new Date(value).toISOString();
      return number(value);
    }
    case 'str':
      added.value = JSON.stringify(led ? reader.str() : reader.restStr());
      return undefined;
    case 'bytes': {
      const bytes = led ? reader.bytes() : reader.rest();
      added.value = hex(bytes);
      const text = decodeUtf8(bytes);
      if (text !== undefined && text !== '' && !/\p{Cc}/u.test(text)) added.words = JSON.stringify(text);
      return undefined;
    }
    case 'list':
    case 'items':
      readRows(reader, type, added, place, led);
      return undefined;
    case 'group':
      readGroup(reader, type.of === 'record' ? RECORD : frameNamed('ENTRY'), added.parts);
      return undefined;
  }
}

function readRows(reader: Reader, type: Extract<Type, { fields: unknown }>, added: Part, place: string, led: boolean): void {
  const count = led ? lead(reader, added.parts, 'count') : undefined;
  for (let row = 1; count === undefined ? !reader.isEmpty : row <= count; row++) {
    part(reader, added.parts, `${row}`, (item) => {
      if (type.is === 'list') return readFields(reader, type.fields, item.parts, place);
      const length = lead(reader, item.parts, 'length');
      const start = reader.offset;
      const inner = new Reader(reader.take(length), start);
      readFields(inner, type.fields, item.parts, place);
      if (!inner.isEmpty) part(inner, item.parts, 'ignored', (rest) => (rest.value = hex(inner.rest())));
    });
  }
}

function readFields(reader: Reader, fields: readonly Field[], into: Part[], place: string): void {
  for (const { name, type } of fields) {
    if (type.is === 'group') readGroup(reader, RECORD, into);
    else part(reader, into, name, (added) => void readValue(reader, type, added, place, true));
  }
}
