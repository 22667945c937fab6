// What an entry says, between `Content` and its kind, body and tagged values. What a client may send
// and what the server serves are two questions: `contentOfSend` refuses what only the server makes,
// `contentOfEntry` leaves what it does not know to be kept as a placeholder.

import type { Reader, ReadTag, Tag } from './bytes.ts';
import { decodeUtf8, encodeUtf8, ProtocolError, refuseUnknown, tagged, Writer } from './bytes.ts';
import type { DeviceId, EntryFrame, MediaId, SendFrame, Sequence, UserId } from './frames.ts';
import { contactState, deviceChange, entryKind, errorCode, limit, memberChange, role, tag } from './constants.ts';

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
  if (send.kind >= entryKind.MEMBER && send.kind <= entryKind.DEVICE) {
    throw refuse(errorCode.INVALID, `entries of kind ${send.kind} are made by the server`);
  }
  if (!isKnown(send.kind)) throw refuse(errorCode.UNSUPPORTED, `entry kind ${send.kind} is unknown`);
  if (send.tags.some((value) => SERVER_TAGS.includes(value.tag))) {
    throw refuse(errorCode.INVALID, 'a tag is set by the server');
  }
  try {
    return contentOf(send);
  } catch (error) {
    // A broken layout closes the connection; anything else concerns this request alone.
    const refuses = error instanceof ProtocolError && error.fault !== errorCode.MALFORMED;
    throw refuses ? error.forRid(send.rid) : error;
  }
}

/**
 * Reads what the server sent; undefined for a placeholder: something newer, to be kept as it is.
 * Throws a ProtocolError for a broken layout.
 */
export function contentOfEntry(entry: EntryFrame): Served | undefined {
  if (!isKnown(entry.kind)) return undefined;
  let content: Content;
  try {
    content = contentOf(entry);
  } catch (error) {
    if (error instanceof ProtocolError && error.fault !== errorCode.MALFORMED) return undefined;
    throw error;
  }
  if (content.is === 'opaque') return { content };
  const tags = located(entry.tags);
  return {
    content,
    edited: tagged(tags, tag.message.EDITED, (value) => value.varint() as Sequence),
    erased: tagged(tags, tag.message.ERASED, (value) => value.varint()),
  };
}

function isKnown(kind: number): boolean {
  return (kind >= entryKind.MESSAGE && kind <= entryKind.DEVICE) || kind >= OPAQUE_KIND_FIRST;
}

/** Tags that a caller made have no place in a message. */
function located(tags: readonly Tag[]): readonly ReadTag[] {
  return tags.map((value) => ('offset' in value ? (value as ReadTag) : { ...value, offset: 0 }));
}

function invalid(name: string): ProtocolError {
  return new ProtocolError(errorCode.INVALID, `${name} is invalid`, 0);
}

function contentOf({ kind, body, tags: given }: Layout): Content {
  const tags = located(given);
  if (kind >= OPAQUE_KIND_FIRST) return opaque(kind, body, tags);
  refuseUnknown(tags, evenTags(kind));
  const required = <T>(at: number, name: string, read: (value: Reader) => T): T => {
    const value = tagged(tags, at, read);
    if (value === undefined) throw invalid(name);
    return value;
  };
  const target = (): Sequence => required(tag.edit.TARGET, 'target', (value) => value.nonZero('target') as Sequence);
  switch (kind) {
    case entryKind.MESSAGE:
      return message(body, tags);
    case entryKind.EDIT:
      return { is: 'edit', target: target(), text: text(body) };
    case entryKind.UNSEND:
      if (body.length > 0) throw invalid('body');
      return { is: 'unsend', target: target() };
    case entryKind.REACTION:
      return { is: 'reaction', target: target(), emoji: text(body) };
    case entryKind.PIN:
      return { is: 'pin', target: target(), pinned: flag(body) };
    case entryKind.MEMBER:
      return {
        is: 'member',
        users: required(tag.member.USERS, 'users', users),
        change: required(tag.member.CHANGE, 'change', oneOf(memberChange)),
        role: tagged(tags, tag.member.ROLE, oneOf(role)),
      };
    case entryKind.SETTINGS:
      return {
        is: 'settings',
        title: tagged(tags, tag.settings.TITLE, (value) => value.restStr()),
        picture: tagged(tags, tag.settings.PICTURE, (value) => value.nonZero('picture') as MediaId),
      };
    case entryKind.CONTACT:
      return {
        is: 'contact',
        user: required(tag.contact.USER, 'user', (value) => value.nonZero('user') as UserId),
        state: required(tag.contact.STATE, 'state', oneOf(contactState)),
      };
    default:
      return {
        is: 'device',
        device: required(tag.device.DEVICE, 'device', (value) => value.nonZero('device') as DeviceId),
        change: required(tag.device.CHANGE, 'change', oneOf(deviceChange)),
        name: tagged(tags, tag.device.NAME, (value) => value.restStr()) ?? '',
      };
  }
}

/** The even tags that entries of a kind may carry. */
function evenTags(kind: number): readonly number[] {
  if (kind >= entryKind.EDIT && kind <= entryKind.PIN) return [tag.edit.TARGET];
  if (kind === entryKind.MEMBER) return [tag.member.USERS, tag.member.CHANGE];
  if (kind === entryKind.CONTACT) return [tag.contact.USER, tag.contact.STATE];
  return kind === entryKind.DEVICE ? [tag.device.DEVICE, tag.device.CHANGE] : [];
}

function opaque(kind: number, body: Uint8Array, tags: readonly ReadTag[]): Opaque {
  refuseUnknown(tags.filter((value) => value.tag < OPAQUE_TAG_FIRST));
  const attributes = tags.filter((value) => value.tag >= OPAQUE_TAG_FIRST);
  return { is: 'opaque', kind, body, attributes };
}

function text(body: Uint8Array): string {
  const decoded = decodeUtf8(body);
  if (decoded === undefined) throw invalid('body');
  return decoded;
}

function flag(body: Uint8Array): boolean {
  const [value] = body;
  if (body.length !== 1 || (value !== 0 && value !== 1)) throw invalid('body');
  return value === 1;
}

/** Reads a number that this version knows; one of tomorrow makes the entry a placeholder. */
function oneOf(known: Readonly<Record<string, number>>): (value: Reader) => number {
  return (value) => {
    const number = value.varint();
    if (!Object.values(known).includes(number)) throw invalid(`${number}`);
    return number;
  };
}

function users(value: Reader): UserId[] {
  return value.items((item) => item.nonZero('user') as UserId);
}

function message(body: Uint8Array, tags: readonly ReadTag[]): Message {
  const tooMany = (name: string): ProtocolError => new ProtocolError(errorCode.TOO_LARGE, `too many ${name}`, 0);
  const said = text(body);
  let room: number = limit.ATTACHMENTS_MAX;
  const attachments = tagged(tags, tag.message.ATTACHMENTS, (value) =>
    value.items((item) => {
      if (room-- === 0) throw tooMany('attachments');
      return attachment(item.nested());
    }),
  );
  const replyTo = tagged(tags, tag.message.REPLY_TO, (value) => value.nonZero('reply_to') as Sequence);
  const mentions = tagged(tags, tag.message.MENTIONS, users) ?? [];
  if (mentions.length > limit.MENTIONS_MAX) throw tooMany('mentions');
  return { is: 'message', text: said, attachments: attachments ?? [], replyTo, mentions };
}

function attachment(item: Reader): Attachment {
  return {
    media: item.nonZero('media') as MediaId,
    size: item.varint(),
    type: item.str(),
    name: item.str(),
    width: item.varint(),
    height: item.varint(),
    durationMs: item.varint(),
    preview: item.bytes(),
  };
}

/** Lays out content, for a SEND or (with `edited` and `erased`) for an ENTRY. */
export function layout(content: Content, set: Omit<Served, 'content'> = {}): Layout {
  const tags: Tag[] = [];
  const add = (at: number, write: (out: Writer) => void): void => {
    const out = new Writer();
    write(out);
    tags.push({ tag: at, value: new Uint8Array(out.finish()) });
  };
  const number = (at: number, value: number | undefined): void => {
    if (value !== undefined) add(at, (out) => out.varint(value));
  };
  const [kind, body] = lay(content, add, number);
  if (content.is !== 'opaque') {
    number(tag.message.EDITED, set.edited);
    number(tag.message.ERASED, set.erased);
  }
  return { kind, body, tags };
}

const EMPTY = new Uint8Array(0);

/** Adds the tagged values of content, ascending; its kind and body. */
function lay(
  content: Content,
  add: (at: number, write: (out: Writer) => void) => void,
  number: (at: number, value: number | undefined) => void,
): [kind: number, body: Uint8Array] {
  const str = (at: number, value: string): void => add(at, (out) => out.raw(encodeUtf8(value)));
  const list = (at: number, ids: readonly UserId[]): void => add(at, (out) => ids.forEach((id) => out.varint(id)));
  switch (content.is) {
    case 'message':
      if (content.attachments.length > 0) {
        add(tag.message.ATTACHMENTS, (out) => content.attachments.forEach((file) => writeAttachment(file, out)));
      }
      number(tag.message.REPLY_TO, content.replyTo);
      if (content.mentions.length > 0) list(tag.message.MENTIONS, content.mentions);
      return [entryKind.MESSAGE, encodeUtf8(content.text)];
    case 'edit':
      number(tag.edit.TARGET, content.target);
      return [entryKind.EDIT, encodeUtf8(content.text)];
    case 'unsend':
      number(tag.unsend.TARGET, content.target);
      return [entryKind.UNSEND, EMPTY];
    case 'reaction':
      number(tag.reaction.TARGET, content.target);
      return [entryKind.REACTION, encodeUtf8(content.emoji)];
    case 'pin':
      number(tag.pin.TARGET, content.target);
      return [entryKind.PIN, Uint8Array.of(content.pinned ? 1 : 0)];
    case 'member':
      list(tag.member.USERS, content.users);
      number(tag.member.CHANGE, content.change);
      number(tag.member.ROLE, content.role);
      return [entryKind.MEMBER, EMPTY];
    case 'settings':
      if (content.title !== undefined) str(tag.settings.TITLE, content.title);
      number(tag.settings.PICTURE, content.picture);
      return [entryKind.SETTINGS, EMPTY];
    case 'contact':
      number(tag.contact.USER, content.user);
      number(tag.contact.STATE, content.state);
      return [entryKind.CONTACT, EMPTY];
    case 'device':
      number(tag.device.DEVICE, content.device);
      number(tag.device.CHANGE, content.change);
      str(tag.device.NAME, content.name);
      return [entryKind.DEVICE, EMPTY];
    case 'opaque':
      content.attributes.forEach(({ tag: at, value }) => add(at, (out) => out.raw(value)));
      return [content.kind, content.body];
  }
}

function writeAttachment(file: Attachment, out: Writer): void {
  out.nested(() => {
    out.varint(file.media);
    out.varint(file.size);
    out.str(file.type);
    out.str(file.name);
    out.varint(file.width);
    out.varint(file.height);
    out.varint(file.durationMs);
    out.bytes(file.preview);
  });
}
