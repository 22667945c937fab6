// A message in the form of the golden vectors, `tests/vectors`: what it decodes to, as JSON. For whoever
// checks them or writes new ones; the client does without.

import type { ClientFrame, Content, Decoded, ServerFrame } from './codec.ts';
import {
  contentOfEntry,
  contentOfSend,
  decodeClient,
  decodeServer,
  encodeClient,
  encodeServer,
  errorCode,
  ProtocolError,
} from './codec.ts';
import { hex } from './hex.ts';

export type Side = 'client' | 'server';
type Frame = ClientFrame | ServerFrame;

/** A vector, but for its name. */
export interface Described {
  /** The frames with what they say beside them, up to the first fault of either. */
  readonly frames: readonly unknown[];
  readonly verdict: unknown;
}

export function decode(from: Side, message: Uint8Array): Decoded<Frame> {
  return from === 'client' ? decodeClient(message) : decodeServer(message);
}

export function encode(from: Side, frames: readonly Frame[]): Uint8Array {
  const bytes = from === 'client' ? encodeClient(...(frames as ClientFrame[])) : encodeServer(...(frames as ServerFrame[]));
  return new Uint8Array(bytes);
}

export function describe(decoded: Decoded<Frame>): Described {
  const frames: unknown[] = [];
  try {
    for (const frame of decoded.frames) frames.push(withContent(frame));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { frames, verdict: verdictOf(error) };
  }
  return { frames, verdict: verdictOf(decoded.error) };
}

function verdictOf(error: ProtocolError | undefined): unknown {
  if (error === undefined) return 'ok';
  const name = Object.entries(errorCode).find(([, code]) => code === error.code)?.[0];
  const code = name?.toLowerCase().replaceAll('_', '-');
  return error.rid === undefined ? { code, closes: true } : { code, rid: error.rid };
}

function withContent(frame: Frame): object {
  if (frame.frame === 'SEND') return { ...frame, content: said(contentOfSend(frame)) };
  if (frame.frame === 'ENTRY') {
    const served = contentOfEntry(frame);
    return { ...frame, content: served ? { ...said(served.content), edited: served.edited, erased: served.erased } : null };
  }
  if (frame.frame !== 'SYNCED') return frame;
  const records = frame.records.map((record) => ({ ...record, lastEntry: record.lastEntry && withContent(record.lastEntry) }));
  return { ...frame, records };
}

function said(content: Content): object {
  if (content.is === 'opaque') return { attributes: content.attributes };
  const { is: _, ...fields } = content;
  return fields;
}

/** As JSON: fields in snake_case, bytes in hex, what is absent left out. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  if ('tag' in value && 'value' in value) return [value.tag, plain(value.value)];
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), plain(field)]));
}
