// Fields of the wire: integers, strings, byte runs and tagged values, read and written. Owns the
// faults that bytes can have and where they lie; knows no frame.
//
// Nothing but the language is used (no TextDecoder, DOM or Node), so that it runs wherever
// JavaScript does. Numbers end at 2^53 - 1, so no BigInt is needed.

import { errorCode } from './constants.ts';

/** The largest number on the wire. */
export const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

/** What is wrong with bytes from the other side, where, and whom it concerns. */
export class ProtocolError extends Error {
  /** One of `errorCode`: what is wrong with the bytes, whatever follows from it. */
  readonly fault: number;
  /** Bytes from the start of the message. */
  readonly offset: number;
  /** The request that alone is refused for it; absent if the connection closes. */
  readonly rid: number | undefined;

  constructor(fault: number, text: string, offset: number, rid?: number) {
    super(text);
    this.name = 'ProtocolError';
    this.fault = fault;
    this.offset = offset;
    this.rid = rid;
  }

  /** The code of the ERROR that answers it: where it closes, a bad value is a bad layout. */
  get code(): number {
    const closes = this.rid === undefined;
    return closes && this.fault === errorCode.INVALID ? errorCode.MALFORMED : this.fault;
  }

  /** The same fault, refusing one request instead of closing. */
  forRid(rid: number): ProtocolError {
    return new ProtocolError(this.fault, this.message, this.offset, rid);
  }
}

/** A tagged value; its meaning depends on what it stands in. */
export interface Tag {
  readonly tag: number;
  readonly value: Uint8Array;
  /** Where the value lies in the message that it was read from. */
  readonly offset?: number | undefined;
}

/** Reads fields one after the other. Byte runs are views of the message, not copies. */
export class Reader {
  /** What is wrong with values whose layout is sound; shared with the readers within. */
  readonly faults: ProtocolError[];
  readonly #bytes: Uint8Array;
  readonly #start: number;
  #at = 0;

  /** Reads `bytes`, which begin at `start` of the message. */
  constructor(bytes: Uint8Array, start = 0, faults: ProtocolError[] = []) {
    this.#bytes = bytes;
    this.#start = start;
    this.faults = faults;
  }

  /** Remembers a fault: a broken layout, which is thrown, goes before it. */
  fault(code: number, text: string, offset = this.offset): void {
    this.faults.push(new ProtocolError(code, text, offset));
  }

  /** Reads bytes that were taken from these. */
  within(bytes: Uint8Array, start?: number): Reader {
    return new Reader(bytes, start, this.faults);
  }

  /** Where the next field begins in the message. */
  get offset(): number {
    return this.#start + this.#at;
  }

  get isEmpty(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** A broken layout where the next field begins. */
  malformed(text: string): ProtocolError {
    return new ProtocolError(errorCode.MALFORMED, text, this.offset);
  }

  take(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.length) {
      throw this.malformed(`cut short: ${count} bytes needed, ${this.#bytes.length - this.#at} left`);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  u8(): number {
    return big(this.take(1));
  }

  /** Two bits of length, then 6, 14, 30 or 62 bits; always the shortest form. */
  varint(): number {
    const first = this.#bytes[this.#at];
    if (first === undefined) throw this.malformed('cut short: a varint is due');
    const at = this.#at;
    const length = 1 << (first >> 6);
    const taken = this.take(length);
    let value = first & 0x3f;
    for (let i = 1; i < length; i++) value = value * 256 + byte(taken, i);
    const shortest = value <= NUMBER_MAX && varintLength(value) === length;
    if (shortest) return value;
    this.#at = at;
    throw this.malformed(value > NUMBER_MAX ? 'a varint is above 2^53 - 1' : 'a varint is not in its shortest form');
  }

  /** A varint length and that many bytes. */
  bytes(): Uint8Array {
    return this.take(this.varint());
  }

  /** A varint length and that many bytes, to be read by themselves. */
  nested(): Reader {
    const length = this.varint();
    const start = this.offset;
    return this.within(this.take(length), start);
  }

  str(): string {
    return this.nested().restStr();
  }

  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at);
  }

  /** Everything that is left, as a str without a length. */
  restStr(): string {
    const at = this.#at;
    const text = decodeUtf8(this.rest());
    if (text !== undefined) return text;
    this.#at = at;
    throw this.malformed('a str is not UTF-8');
  }

  /** Milliseconds since 1970. */
  ts(): number {
    return big(this.take(6));
  }

  /** Tagged values to the end, ascending. */
  tags(): Tag[] {
    const tags: Tag[] = [];
    for (let last = -1; !this.isEmpty; ) {
      const at = this.offset;
      const tag = this.varint();
      if (tag <= last) throw new ProtocolError(errorCode.MALFORMED, `tag ${tag} is repeated or out of order`, at);
      last = tag;
      const length = this.varint();
      const offset = this.offset;
      tags.push({ tag, value: this.take(length), offset });
    }
    return tags;
  }
}

/** Writes fields one after the other. */
export class Writer {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** What was written, in a buffer of exactly its size: some WebSockets send the whole buffer of a view. */
  finish(): ArrayBuffer {
    return this.#bytes.buffer.slice(0, this.#length);
  }

  #reserve(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return at;
  }

  u8(value: number): void {
    this.#number(value, 1);
  }

  varint(value: number): void {
    const length = varintLength(value);
    const at = this.#number(value, length);
    this.#bytes[at] = byte(this.#bytes, at) | (Math.log2(length) << 6);
  }

  ts(value: number): void {
    this.#number(value, 6);
  }

  /** Big-endian; where it begins. */
  #number(value: number, length: number): number {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a number of the wire`);
    const at = this.#reserve(length);
    let rest = value;
    for (let i = at + length - 1; i >= at; i--) {
      this.#bytes[i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    if (rest > 0) throw new RangeError(`${value} does not fit ${length} bytes`);
    return at;
  }

  raw(value: Uint8Array): void {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  str(value: string): void {
    this.bytes(encodeUtf8(value));
  }

  /** A varint length and what `write` writes. */
  nested(write: () => void): void {
    const at = this.#reserve(1);
    write();
    const length = this.#length - at - 1;
    const more = varintLength(length) - 1;
    if (more > 0) {
      this.#reserve(more);
      this.#bytes.copyWithin(at + 1 + more, at + 1, this.#length - more);
    }
    const end = this.#length;
    this.#length = at;
    this.varint(length);
    this.#length = end;
  }

  /** A tagged value that `write` writes. */
  tag(tag: number, write: () => void): void {
    this.varint(tag);
    this.nested(write);
  }

  /** Tagged values, which must ascend. */
  tags(tags: readonly Tag[]): void {
    let last = -1;
    for (const { tag, value } of tags) {
      if (tag <= last) throw new RangeError(`tag ${tag} is repeated or out of order`);
      last = tag;
      this.tag(tag, () => this.raw(value));
    }
  }
}

function varintLength(value: number): number {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  return value < 0x4000_0000 ? 4 : 8;
}

/** A byte that is known to be there. */
function byte(bytes: Uint8Array, index: number): number {
  return bytes[index] ?? 0;
}

/** A big-endian number of at most 6 bytes. */
function big(bytes: Uint8Array): number {
  return bytes.reduce((sum, next) => sum * 256 + next, 0);
}

/** UTF-8 of a string; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(3 * text.length);
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const point = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
    const more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x1_0000 ? 2 : 3;
    const lead = [0, 0xc0, 0xe0, 0xf0][more] ?? 0;
    bytes[length++] = lead | (point >> (6 * more));
    for (let left = more - 1; left >= 0; left--) bytes[length++] = 0x80 | ((point >> (6 * left)) & 0x3f);
  }
  return bytes.slice(0, length);
}

/** The string of UTF-8 bytes; undefined if they are not that. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const lead = byte(bytes, at);
    const more = lead < 0x80 ? 0 : lead < 0xc2 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : -1;
    if (more < 0 || at + more >= bytes.length) return undefined;
    let point = more === 0 ? lead : lead & (0x3f >> more);
    for (let i = 1; i <= more; i++) {
      const next = byte(bytes, at + i);
      if (next >> 6 !== 2) return undefined;
      point = (point << 6) | (next & 0x3f);
    }
    const least = [0, 0x80, 0x800, 0x1_0000][more] ?? 0;
    if (point < least || point > 0x10_ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined;
    text += String.fromCodePoint(point);
    at += more + 1;
  }
  return text;
}
