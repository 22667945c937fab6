// A message as a golden vector, in the form of `tests/vectors`.

import { hex } from '@chasqui/client/hex';
import type { Side } from '@chasqui/client/vector';
import { decode, describe, encode, plain } from '@chasqui/client/vector';

export type { Side };

/** A line of a file of vectors. */
export function vectorOf(name: string, from: Side, message: Uint8Array): string {
  const decoded = decode(from, message);
  const { frames, verdict } = describe(decoded);
  const differs = verdict === 'ok' && hex(encode(from, decoded.frames)) !== hex(message);
  return JSON.stringify({ name, from, hex: hex(message), verdict, ...(differs ? { canonical: false } : {}), frames: plain(frames) });
}
