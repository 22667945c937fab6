// A message as a golden vector, in the form of `tests/vectors`.

import type { ClientFrame, Content, Decoded, ProtocolError, ServerFrame } from '@chasqui/client/codec';
import {
  contentOfEntry,
  contentOfSend,
  decodeClient,
  decodeServer,
  encodeClient,
  encodeServer,
  errorCode,
  ProtocolError as Fault,
} from '@chasqui/client/codec';
import { hex } from './hex.ts';

export type Side = 'client' | 'server';
type Frame = ClientFrame | ServerFrame;

/** A line of a file of vectors. */
export function vectorOf(name: string, from: Side, message: Uint8Array): string {
  const decoded: Decoded<Frame> = from === 'client' ? decodeClient(message) : decodeServer(message);
  const { frames, error } = withContents(decoded);
  const verdict = verdictOf(error);
  const canonical = verdict === 'ok' && encode(from, decoded.frames) === hex(message) ? {} : { canonical: false };
  const extra = verdict === 'ok' ? canonical : {};
  return JSON.stringify({ name, from, hex: hex(message), verdict, ...extra, frames });
}

function encode(from: Side, frames: readonly Frame[]): string {
  const bytes = from === 'client' ? encodeClient(...(frames as ClientFrame[])) : encodeServer(...(frames as ServerFrame[]));
  return hex(new Uint8Array(bytes));
}

function verdictOf(error: ProtocolError | undefined): unknown {
  if (error === undefined) return 'ok';
  const name = Object.entries(errorCode).find(([, code]) => code === error.code)?.[0];
  const code = name?.toLowerCase().replaceAll('_', '-');
  return error.rid === undefined ? { code, closes: true } : { code, rid: error.rid };
}

/** The frames with what they say beside them, up to the first fault of either. */
function withContents(decoded: Decoded<Frame>): { frames: unknown[]; error: ProtocolError | undefined } {
  const frames: unknown[] = [];
  try {
    for (const frame of decoded.frames) frames.push(plain(withContent(frame)));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { frames, error };
  }
  return { frames, error: decoded.error };
}

function withContent(frame: Frame): object {
  if (frame.frame === 'SEND') return { ...frame, content: said(contentOfSend(frame)) };
  if (frame.frame === 'ENTRY') {
    const served = contentOfEntry(frame);
    return { ...frame, content: served ? { ...said(served.content), edited: served.edited, erased: served.erased } : null };
  }
  if (frame.frame !== 'SYNCED') return frame;
  const records = frame.records.map((record) => {
    const { lastEntry, ...fields } = record;
    return lastEntry ? { ...fields, lastEntry: withContent(lastEntry) } : fields;
  });
  return { ...frame, records };
}

function said(content: Content): object {
  if (content.is === 'opaque') return { attributes: content.attributes };
  const { is: _, ...fields } = content;
  return fields;
}

/** As JSON: fields in snake_case, bytes in hex, what is absent left out. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  if ('tag' in value && 'value' in value) return [value.tag, plain(value.value)];
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), plain(field)]));
}
