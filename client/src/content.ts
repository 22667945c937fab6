// What an entry says, between `Content` and its kind, body and tagged values. What a client may send
// and what the server serves are two questions: `contentOfSend` refuses what only the server makes,
// `contentOfEntry` leaves what it does not know to be kept as a placeholder.

import type { Tag } from './bytes.ts';
import { ProtocolError, Reader, Writer } from './bytes.ts';
import type { DeviceId, EntryFrame, MediaId, SendFrame, Sequence, UserId } from './frames.ts';
import { errorCode, limit, tag } from './constants.ts';
import type { Field, Shape, Values } from './shapes.ts';
import { readTags, refuseEven, shapeNamed, shapeNumbered, tagsOf } from './shapes.ts';

/** The first kind that is the application's, and the first tag of it. */
export const OPAQUE_KIND_FIRST = 16;
const OPAQUE_TAG_FIRST = 64;

const SERVER_TAGS: readonly number[] = [tag.entry.CMID, tag.message.EDITED, tag.message.ERASED];

/** A file that a message carries. */
export interface Attachment {
  readonly media: MediaId;
  readonly size: number;
  readonly type: string;
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly durationMs: number;
  readonly preview: Uint8Array;
}

/** What somebody says. */
export interface Message {
  readonly is: 'message';
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly replyTo?: Sequence | undefined;
  readonly mentions: readonly UserId[];
}

/** What the application says, not looked at. */
export interface Opaque {
  readonly is: 'opaque';
  readonly kind: number;
  readonly body: Uint8Array;
  /** Tags from 64 on. */
  readonly attributes: readonly Tag[];
}

/** What an entry says. */
export type Content =
  | Message
  | { readonly is: 'edit'; readonly target: Sequence; readonly text: string }
  | { readonly is: 'unsend'; readonly target: Sequence }
  | { readonly is: 'reaction'; readonly target: Sequence; readonly emoji: string }
  | { readonly is: 'pin'; readonly target: Sequence; readonly pinned: boolean }
  | {
      readonly is: 'member';
      readonly users: readonly UserId[];
      readonly change: number;
      readonly role?: number | undefined;
    }
  | { readonly is: 'settings'; readonly title?: string | undefined; readonly picture?: MediaId | undefined }
  | { readonly is: 'contact'; readonly user: UserId; readonly state: number }
  | { readonly is: 'device'; readonly device: DeviceId; readonly change: number; readonly name: string }
  | Opaque;

/** Content of an entry, and what the server has since set on it. */
export interface Served {
  readonly content: Content;
  /** The sequence of the last edit. */
  readonly edited?: Sequence | undefined;
  /** The reason it was erased. */
  readonly erased?: number | undefined;
}

/** Content laid out for the wire. */
export interface Layout {
  readonly kind: number;
  readonly body: Uint8Array;
  readonly tags: readonly Tag[];
}

/** A message of text alone. */
export function textMessage(text: string): Message {
  return { is: 'message', text, attachments: [], mentions: [] };
}

/** Reads what a client wants to append. Throws a ProtocolError as the server would answer it. */
export function contentOfSend(send: SendFrame): Content {
  const refuse = (code: number, text: string): ProtocolError => new ProtocolError(code, text, 0, send.rid);
  const shape = shapeNumbered(send.kind, true);
  if (shape?.from === 'made') {
    throw refuse(errorCode.INVALID, `entries of kind ${send.kind} are made by the server`);
  }
  if (!shape && send.kind < OPAQUE_KIND_FIRST) throw refuse(errorCode.UNSUPPORTED, `entry kind ${send.kind} is unknown`);
  if (send.tags.some((value) => SERVER_TAGS.includes(value.tag))) {
    throw refuse(errorCode.INVALID, 'a tag is set by the server');
  }
  // A broken layout closes the connection; anything else concerns this request alone.
  const body = new Reader(send.body);
  const content = contentOf(send, shape, body);
  const [fault] = body.faults;
  if (fault) throw fault.forRid(send.rid);
  return content;
}

/**
 * Reads what the server sent; undefined for a placeholder: something newer, to be kept as it is.
 * Throws a ProtocolError for a broken layout.
 */
export function contentOfEntry(entry: EntryFrame): Served | undefined {
  const shape = shapeNumbered(entry.kind, true);
  if (!shape && entry.kind < OPAQUE_KIND_FIRST) return undefined;
  const body = new Reader(entry.body);
  const content = contentOf(entry, shape, body);
  if (body.faults.length > 0) return undefined;
  const set: Values = {};
  if (content.is !== 'opaque') readTags(tagsSet(), entry.tags, body, set);
  return { content, ...set };
}

/** What the server sets on entries of any kind but opaque ones. */
const tagsSet = (): readonly Field[] => shapeNamed('SERVED').tags ?? [];

/** Reads content, opaque where it has no shape; what is wrong with it is told to `body`. */
function contentOf({ kind, tags }: Layout, shape: Shape | undefined, body: Reader): Content {
  if (!shape) {
    refuseEven(tags.filter((value) => value.tag < OPAQUE_TAG_FIRST), body);
    const attributes = tags.filter((value) => value.tag >= OPAQUE_TAG_FIRST);
    return { is: 'opaque', kind, body: body.rest(), attributes };
  }
  const content: Values = { is: shape.name };
  const invalid = (name: string): void => body.fault(errorCode.INVALID, `${name} is invalid`);
  const named = shape.tags ?? [];
  refuseEven(readTags(named, tags, body, content), body);
  for (const { tag: due, name } of named) {
    if (due % 2 === 0 && !tags.some((value) => value.tag === due)) invalid(name);
  }
  try {
    for (const { name, type } of shape.fields) content[name] = type.read(body, false, name);
  } catch {
    invalid('body');
  }
  if (shape.from === 'send' && !body.isEmpty) invalid('body');
  for (const [name, most] of [['attachments', limit.ATTACHMENTS_MAX], ['mentions', limit.MENTIONS_MAX]] as const) {
    const list = content[name] as readonly unknown[] | undefined;
    if (list && list.length > most) body.fault(errorCode.TOO_LARGE, `too many ${name}`);
  }
  return content as unknown as Content;
}

/** Lays out content, for a SEND or (with `edited` and `erased`) for an ENTRY. */
export function layout(content: Content, set: Omit<Served, 'content'> = {}): Layout {
  if (content.is === 'opaque') return { kind: content.kind, body: content.body, tags: content.attributes };
  const { number, fields, tags = [] } = shapeNamed(content.is);
  const values = content as unknown as Values;
  const body = new Writer();
  for (const { name, type } of fields) type.write(body, values[name], false);
  return {
    kind: number,
    body: new Uint8Array(body.finish()),
    tags: [...tagsOf(tags, values), ...tagsOf(tagsSet(), set)],
  };
}
