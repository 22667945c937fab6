// Messages of `chasqui.v1` to frames and back, both directions. Owns the grammar of every frame;
// keeps no state between messages and knows no rule of the messenger.
//
// Byte runs of a decoded frame are views of the message: copy what must outlive it.

import type { Tag } from './bytes.ts';
import { NUMBER_MAX, ProtocolError, Reader, refuseUnknown, tagged, Writer } from './bytes.ts';
import { errorCode, frame, frameSide, limit, tag } from './constants.ts';
import type {
  ChatRecord,
  ClientFrame,
  ConversationId,
  DeviceId,
  EntryFrame,
  EphemeralFrame,
  Epoch,
  HelloFrame,
  MessageId,
  SendFrame,
  Sequence,
  ServerFrame,
  UserId,
  WelcomeFrame,
} from './frames.ts';

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
  return decode(message, 'server', readServer);
}

/** Reads a message from a client. */
export function decodeClient(message: ArrayBuffer | Uint8Array): Decoded<ClientFrame> {
  return decode(message, 'client', readClient);
}

/** Writes frames of a client as one message. */
export function encodeClient(...frames: readonly ClientFrame[]): ArrayBuffer {
  return encode(frames, writeClient);
}

/** Writes frames of the server as one message. */
export function encodeServer(...frames: readonly ServerFrame[]): ArrayBuffer {
  return encode(frames, writeServer);
}

/** From this type on, an unknown frame is skipped; below it, it breaks the connection. */
const SKIPPABLE_FIRST = 0x80;

function decode<Frame>(
  message: ArrayBuffer | Uint8Array,
  from: 'client' | 'server',
  read: (type: number, body: Reader) => Frame,
): Decoded<Frame> {
  const reader = new Reader(message instanceof Uint8Array ? message : new Uint8Array(message));
  const frames: Frame[] = [];
  try {
    if (reader.isEmpty) throw reader.malformed('a message holds at least one frame');
    while (!reader.isEmpty) {
      const start = reader.offset;
      const type = reader.u8();
      const body = reader.nested();
      if (isFrom(from, type, start)) frames.push(read(type, body));
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { frames, error };
  }
  return { frames };
}

/** True if this side sends the type, false if it is to be skipped. */
function isFrom(from: 'client' | 'server', type: number, start: number): boolean {
  const side = frameSide[type];
  if (side === from || side === 'both') return true;
  const reserved = type === 0x00 || type === 0xff;
  if (side === undefined && !reserved && type >= SKIPPABLE_FIRST) return false;
  const code = reserved ? errorCode.MALFORMED : errorCode.UNSUPPORTED;
  throw new ProtocolError(code, `frame type ${type} is not expected`, start);
}

const conversation = (body: Reader): ConversationId => body.nonZero('conversation') as ConversationId;
const user = (body: Reader): UserId => body.nonZero('user') as UserId;
const rid = (body: Reader): number => body.nonZero('rid');
const position = (body: Reader): Sequence => body.varint() as Sequence;

/** Ends a body whose frame has no tagged values of its own. */
function close<Frame>(body: Reader, read: Frame): Frame {
  refuseUnknown(body.tags());
  return read;
}

function readClient(type: number, body: Reader): ClientFrame {
  switch (type) {
    case frame.HELLO:
      return readHello(body);
    case frame.PING:
      return close(body, { frame: 'PING', nonce: body.varint() });
    case frame.PONG:
      return close(body, { frame: 'PONG', nonce: body.varint() });
    case frame.SEND:
      return readSend(body);
    case frame.ACK:
      return close(body, { frame: 'ACK', items: body.list((item) => [conversation(item), position(item)] as const) });
    case frame.READ:
      return close(body, { frame: 'READ', conversation: conversation(body), read: position(body) });
    case frame.SYNC:
      return readRequest({ frame: 'SYNC', rid: rid(body), limit: body.varint(), token: body.bytes() }, body);
    case frame.FETCH:
      return readFetch(body);
    case frame.RESUME:
      return close(body, { frame: 'RESUME' });
    case frame.EPHEMERAL:
      return close(body, readEphemeral(body));
    default:
      return close(body, { frame: 'WATCH', users: readWatch(body) });
  }
}

function readHello(body: Reader): HelloFrame {
  const [minor, capabilities, token] = [body.varint(), body.varint(), body.str()];
  const tags = body.tags();
  refuseUnknown(tags);
  const client = tagged(tags, tag.hello.CLIENT, (value) => value.restStr());
  const pingSeconds = tagged(tags, tag.hello.PING_SECONDS, (value) => value.varint());
  const named = tagged(tags, tag.hello.EPOCH, (value) => value.varint() as Epoch);
  const epoch = named === 0 ? undefined : named;
  return { frame: 'HELLO', minor, capabilities, token, client, pingSeconds, epoch };
}

function readSend(body: Reader): SendFrame {
  const offset = body.offset;
  const request = rid(body);
  const [where, cmid, floor] = [body.varint(), body.varint(), body.varint()];
  const [kind, bytes] = [body.varint(), body.bytes()];
  const tags = body.tags();
  for (const [name, value] of [['conversation', where], ['cmid', cmid], ['floor', floor]] as const) {
    if (value === 0) throw new ProtocolError(errorCode.INVALID, `${name} is 0`, offset, request);
  }
  if (bytes.length > limit.BODY_BYTES_MAX) {
    throw new ProtocolError(errorCode.TOO_LARGE, 'the body is larger than the limit', offset, request);
  }
  return {
    frame: 'SEND',
    rid: request,
    conversation: where as ConversationId,
    cmid: cmid as MessageId,
    floor: floor as Sequence,
    kind,
    body: bytes,
    tags,
  };
}

/** Ends a body whose unknown tags refuse the request alone. */
function readRequest<const Frame extends { readonly rid: number }>(read: Frame, body: Reader): Frame {
  const tags = body.tags();
  try {
    refuseUnknown(tags);
  } catch (error) {
    throw error instanceof ProtocolError ? error.forRid(read.rid) : error;
  }
  return read;
}

function readFetch(body: Reader): ClientFrame {
  const request = rid(body);
  const offset = body.offset;
  const where = body.varint() as ConversationId;
  const read = { frame: 'FETCH', rid: request, conversation: where, from: position(body), to: position(body) } as const;
  readRequest(read, body);
  if (where === 0) throw new ProtocolError(errorCode.INVALID, 'conversation is 0', offset, request);
  return read;
}

function readEphemeral(body: Reader): EphemeralFrame {
  return {
    frame: 'EPHEMERAL',
    conversation: conversation(body),
    user: body.varint() as UserId | 0,
    kind: body.varint(),
    body: body.bytes(),
  };
}

function readWatch(body: Reader): UserId[] {
  let room: number = limit.WATCH_USERS_MAX;
  return body.list((item) => {
    if (room-- === 0) throw item.malformed(`the list is longer than ${limit.WATCH_USERS_MAX}`);
    return user(item);
  });
}

function readServer(type: number, body: Reader): ServerFrame {
  switch (type) {
    case frame.WELCOME:
      return close(body, readWelcome(body));
    case frame.ERROR:
      return close(body, {
        frame: 'ERROR',
        rid: body.varint(),
        code: body.varint(),
        flags: body.u8(),
        retryMs: body.varint(),
        text: body.str(),
      });
    case frame.PING:
      return close(body, { frame: 'PING', nonce: body.varint() });
    case frame.PONG:
      return close(body, { frame: 'PONG', nonce: body.varint() });
    case frame.GOAWAY:
      return close(body, {
        frame: 'GOAWAY',
        reason: body.varint(),
        spreadMs: body.varint(),
        graceMs: body.varint(),
      });
    case frame.SENT:
      return close(body, {
        frame: 'SENT',
        rid: rid(body),
        sequence: position(body),
        ord: body.varint(),
        sentAt: body.ts(),
        duplicate: body.u8() !== 0,
      });
    case frame.ENTRY:
      return readEntry(body);
    case frame.CURSOR:
      return close(body, {
        frame: 'CURSOR',
        conversation: conversation(body),
        user: user(body),
        delivered: position(body),
        read: position(body),
        readOrd: body.varint(),
      });
    case frame.SYNCED:
      return close(body, {
        frame: 'SYNCED',
        rid: rid(body),
        flags: body.u8(),
        token: body.bytes(),
        records: body.list((item) => readRecord(item.nested())),
      });
    case frame.FETCHED:
      return close(body, {
        frame: 'FETCHED',
        rid: rid(body),
        conversation: conversation(body),
        to: position(body),
        next: position(body),
      });
    case frame.RESYNC:
      return close(body, { frame: 'RESYNC', reason: body.varint() });
    case frame.EPHEMERAL:
      return close(body, readEphemeral(body));
    default:
      return close(body, { frame: 'PRESENCE', user: user(body), state: body.varint(), lastSeen: body.ts() });
  }
}

function readWelcome(body: Reader): WelcomeFrame {
  return {
    frame: 'WELCOME',
    minor: body.varint(),
    capabilities: body.varint(),
    user: user(body),
    device: body.nonZero('device') as DeviceId,
    epoch: body.nonZero('epoch') as Epoch,
    now: body.ts(),
    pingSeconds: body.varint(),
    messageBytesMax: body.varint(),
    bodyBytesMax: body.varint(),
    sendsMax: body.varint(),
  };
}

function readEntry(body: Reader): EntryFrame {
  const fields = {
    frame: 'ENTRY',
    conversation: conversation(body),
    sequence: position(body),
    ord: body.varint(),
    sender: body.varint() as UserId | 0,
    sentAt: body.ts(),
    kind: body.varint(),
    body: body.bytes(),
  } as const;
  const all = body.tags();
  const cmid = tagged(all, tag.entry.CMID, (value) => value.nonZero('cmid') as MessageId);
  return { ...fields, cmid, tags: all.filter((value) => value.tag !== tag.entry.CMID) };
}

function readRecord(body: Reader): ChatRecord {
  const fields = {
    conversation: conversation(body),
    kind: body.varint(),
    lastSequence: position(body),
    lastOrd: body.varint(),
    lastAt: body.ts(),
    read: position(body),
    readOrd: body.varint(),
    delivered: position(body),
  };
  const tags = body.tags();
  refuseUnknown(tags);
  const flag = (value: Reader): boolean => value.u8() !== 0;
  return {
    ...fields,
    title: tagged(tags, tag.record.TITLE, (value) => value.restStr()),
    peer: tagged(tags, tag.record.PEER, user),
    lastEntry: tagged(tags, tag.record.LAST_ENTRY, readEntry),
    muted: tagged(tags, tag.record.MUTED, flag) ?? false,
    memberCount: tagged(tags, tag.record.MEMBER_COUNT, (value) => value.varint()),
    firstVisible: tagged(tags, tag.record.FIRST_VISIBLE, position) ?? (1 as Sequence),
    left: tagged(tags, tag.record.LEFT, flag) ?? false,
    peerRead: tagged(tags, tag.record.PEER_READ, position),
    peerDelivered: tagged(tags, tag.record.PEER_DELIVERED, position),
  };
}

function encode<Frame extends ClientFrame | ServerFrame>(
  frames: readonly Frame[],
  write: (read: Frame, out: Writer) => void,
): ArrayBuffer {
  const out = new Writer();
  for (const each of frames) {
    out.u8(frame[each.frame]);
    out.nested(() => write(each, out));
  }
  return out.finish();
}

function numbers(out: Writer, ...values: readonly number[]): void {
  for (const value of values) out.varint(value);
}

function writeClient(each: ClientFrame, out: Writer): void {
  switch (each.frame) {
    case 'HELLO':
      numbers(out, each.minor, each.capabilities);
      out.str(each.token);
      out.tagStr(tag.hello.CLIENT, each.client);
      out.tagNumber(tag.hello.PING_SECONDS, each.pingSeconds);
      return out.tagNumber(tag.hello.EPOCH, each.epoch);
    case 'PING':
    case 'PONG':
      return out.varint(each.nonce);
    case 'SEND':
      numbers(out, each.rid, each.conversation, each.cmid, each.floor, each.kind);
      out.bytes(each.body);
      return out.tags(each.tags);
    case 'ACK':
      return out.list(each.items, (item) => numbers(out, ...item));
    case 'READ':
      return numbers(out, each.conversation, each.read);
    case 'SYNC':
      numbers(out, each.rid, each.limit);
      return out.bytes(each.token);
    case 'FETCH':
      return numbers(out, each.rid, each.conversation, each.from, each.to);
    case 'RESUME':
      return;
    case 'EPHEMERAL':
      return writeEphemeral(each, out);
    case 'WATCH':
      return out.list(each.users, (item) => out.varint(item));
  }
}

function writeEphemeral(each: EphemeralFrame, out: Writer): void {
  numbers(out, each.conversation, each.user, each.kind);
  out.bytes(each.body);
}

function writeServer(each: ServerFrame, out: Writer): void {
  switch (each.frame) {
    case 'WELCOME':
      numbers(out, each.minor, each.capabilities, each.user, each.device, each.epoch);
      out.ts(each.now);
      return numbers(out, each.pingSeconds, each.messageBytesMax, each.bodyBytesMax, each.sendsMax);
    case 'ERROR':
      numbers(out, each.rid, each.code);
      out.u8(each.flags);
      out.varint(each.retryMs);
      return out.str(each.text);
    case 'PING':
    case 'PONG':
      return out.varint(each.nonce);
    case 'GOAWAY':
      return numbers(out, each.reason, each.spreadMs, each.graceMs);
    case 'SENT':
      numbers(out, each.rid, each.sequence, each.ord);
      out.ts(each.sentAt);
      return out.u8(each.duplicate ? 1 : 0);
    case 'ENTRY':
      return writeEntry(each, out);
    case 'CURSOR':
      return numbers(out, each.conversation, each.user, each.delivered, each.read, each.readOrd);
    case 'SYNCED':
      out.varint(each.rid);
      out.u8(each.flags);
      out.bytes(each.token);
      return out.list(each.records, (item) => out.nested(() => writeRecord(item, out)));
    case 'FETCHED':
      return numbers(out, each.rid, each.conversation, each.to, each.next);
    case 'RESYNC':
      return out.varint(each.reason);
    case 'EPHEMERAL':
      return writeEphemeral(each, out);
    case 'PRESENCE':
      numbers(out, each.user, each.state);
      return out.ts(each.lastSeen);
  }
}

function writeEntry(each: EntryFrame, out: Writer): void {
  numbers(out, each.conversation, each.sequence, each.ord, each.sender);
  out.ts(each.sentAt);
  out.varint(each.kind);
  out.bytes(each.body);
  out.tagNumber(tag.entry.CMID, each.cmid);
  out.tags(each.tags);
}

function writeRecord(each: ChatRecord, out: Writer): void {
  numbers(out, each.conversation, each.kind, each.lastSequence, each.lastOrd);
  out.ts(each.lastAt);
  numbers(out, each.read, each.readOrd, each.delivered);
  out.tagStr(tag.record.TITLE, each.title);
  out.tagNumber(tag.record.PEER, each.peer);
  const { lastEntry } = each;
  if (lastEntry !== undefined) out.tag(tag.record.LAST_ENTRY, () => writeEntry(lastEntry, out));
  if (each.muted) out.tag(tag.record.MUTED, () => out.u8(1));
  out.tagNumber(tag.record.MEMBER_COUNT, each.memberCount);
  if (each.firstVisible !== 1) out.tagNumber(tag.record.FIRST_VISIBLE, each.firstVisible);
  if (each.left) out.tag(tag.record.LEFT, () => out.u8(1));
  out.tagNumber(tag.record.PEER_READ, each.peerRead);
  out.tagNumber(tag.record.PEER_DELIVERED, each.peerDelivered);
}
