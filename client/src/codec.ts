// Messages of `chasqui.v1` to frames and back, both directions. Keeps no state between messages and knows
// no rule of the messenger; how a frame is laid out is in `grammar.ts`.
//
// Byte runs of a decoded frame are views of the message: copy what must outlive it.

import type { Tag } from './bytes.ts';
import { NUMBER_MAX, ProtocolError, Reader, Writer } from './bytes.ts';
import { errorCode, limit } from './constants.ts';
import type { ClientFrame, ServerFrame } from './frames.ts';
import type { Values } from './shapes.ts';
import { readShape, shapeNamed, shapeNumbered, writeShape } from './shapes.ts';

export * from './constants.ts';
export * from './content.ts';
export * from './frames.ts';
export { NUMBER_MAX, ProtocolError };
export type { Tag };

/** The frames of one message up to the first fault; those stand, whatever follows. */
export interface Decoded<Frame> {
  readonly frames: readonly Frame[];
  readonly error?: ProtocolError | undefined;
}

/** Reads a message from the server. */
export function decodeServer(message: ArrayBuffer | Uint8Array): Decoded<ServerFrame> {
  return decode(message, 'server', () => undefined);
}

/** Reads a message from a client. */
export function decodeClient(message: ArrayBuffer | Uint8Array): Decoded<ClientFrame> {
  return decode(message, 'client', judge);
}

/** Writes frames of a client as one message. */
export function encodeClient(...frames: readonly ClientFrame[]): ArrayBuffer {
  return encode(frames);
}

/** Writes frames of the server as one message. */
export function encodeServer(...frames: readonly ServerFrame[]): ArrayBuffer {
  return encode(frames);
}

/** From this type on, an unknown frame is skipped; below it, it breaks the connection. */
const SKIPPABLE_FIRST = 0x80;

function decode<Frame>(
  message: ArrayBuffer | Uint8Array,
  side: 'client' | 'server',
  check: (frame: Frame, body: Reader) => void,
): Decoded<Frame> {
  const reader = new Reader(message instanceof Uint8Array ? message : new Uint8Array(message));
  const frames: Frame[] = [];
  try {
    if (reader.isEmpty) throw reader.malformed('a message holds at least one frame');
    while (!reader.isEmpty) {
      const start = reader.offset;
      const type = reader.u8();
      const body = reader.nested();
      const shape = shapeNumbered(type, false);
      const reserved = type === 0x00 || type === 0xff;
      if (shape?.from === side || shape?.from === 'both') {
        // The grammar and the types of `frames.ts` are two accounts of one thing; the golden vectors hold
        // them together.
        const frame = readShape(shape, body) as Frame;
        check(frame, body);
        const [fault] = body.faults;
        if (fault) throw fault;
        frames.push(frame);
      } else if (shape || reserved || type < SKIPPABLE_FIRST) {
        const code = reserved ? errorCode.MALFORMED : errorCode.UNSUPPORTED;
        throw new ProtocolError(code, `frame type ${type} is not expected`, start);
      }
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { frames, error };
  }
  return { frames };
}

/** What the grammar does not say of the frames of a client: bounds, and which fault refuses a request alone. */
function judge(frame: ClientFrame, body: Reader): void {
  if (frame.frame === 'SEND' && frame.body.length > limit.BODY_BYTES_MAX) {
    body.fault(errorCode.TOO_LARGE, 'the body is larger than the limit');
  }
  if (frame.frame === 'WATCH' && frame.users.length > limit.WATCH_USERS_MAX) {
    throw body.malformed(`the list is longer than ${limit.WATCH_USERS_MAX}`);
  }
  const [fault] = body.faults;
  if (fault && 'rid' in frame && frame.rid > 0) throw fault.forRid(frame.rid);
}

function encode(frames: readonly (ClientFrame | ServerFrame)[]): ArrayBuffer {
  const out = new Writer();
  for (const frame of frames) {
    const shape = shapeNamed(frame.frame);
    out.u8(shape.number);
    out.nested(() => writeShape(shape, frame as unknown as Values, out));
  }
  return out.finish();
}
