// The protocol as its table has it: which fields a frame has, of what types, and what their numbers
// mean. Owns reading `protocol.toml`; touches no bytes.

import protocol from '../../../protocol.toml';

/** How a value is laid out. */
export type Type =
  | { readonly is: 'varint' | 'id' | 'u8' | 'bool' | 'ts' | 'str' | 'bytes' }
  /** Rows of fields, with a count in front where it is a field, to the end of the value in a tag. */
  | { readonly is: 'list'; readonly fields: readonly Field[] }
  /** Rows of fields, each with a length in front. */
  | { readonly is: 'items'; readonly fields: readonly Field[] }
  /** Fields, then tagged values. */
  | { readonly is: 'group'; readonly of: 'record' | 'entry' };

export interface Field {
  readonly name: string;
  readonly type: Type;
}

export interface Tagged extends Field {
  readonly tag: number;
  readonly doc: string;
}

/** What may stand in a body: fixed fields, then tagged values. */
export interface Group {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly tags: readonly Tagged[];
  /** Whether the kind of entry adds tags. */
  readonly byKind: boolean;
}

export interface FrameType extends Group {
  readonly type: number;
  readonly from: 'client' | 'server' | 'both';
  readonly doc: string;
}

function typeOf(text: string): Type {
  const rows = /^(list|items)<(.*)>$/.exec(text);
  const inner = rows?.[2];
  if (inner === 'record bytes') return { is: 'items', fields: [{ name: 'record', type: { is: 'group', of: 'record' } }] };
  if (inner !== undefined) return { is: rows?.[1] as 'list' | 'items', fields: inner.split(', ').map(fieldOf) };
  if (text === 'ENTRY body') return { is: 'group', of: 'entry' };
  return { is: text as 'varint' };
}

function fieldOf(text: string): Field {
  const space = text.indexOf(' ');
  return { name: text.slice(0, space), type: typeOf(text.slice(space + 1)) };
}

type TagLine = (typeof protocol.record.tags)[number];
const taggedOf = ({ tag, name, type, doc }: TagLine): Tagged => ({ tag, name, doc, type: typeOf(type) });

/** Every type of frame. */
export const FRAMES: readonly FrameType[] = protocol.frame.map(({ type, name, from, fields, tags, tags_of, doc }) => ({
  type,
  name,
  from,
  doc,
  fields: fields.map(fieldOf),
  tags: (tags ?? []).map(taggedOf),
  byKind: tags_of !== undefined,
}));

/** One conversation of a SYNCED. */
export const RECORD: Group = {
  name: 'record',
  fields: protocol.record.fields.map(fieldOf),
  tags: protocol.record.tags.map(taggedOf),
  byKind: false,
};

/** A type of frame that is known to be there. */
export function frameNamed(name: string): FrameType {
  const found = FRAMES.find((frame) => frame.name === name);
  if (found === undefined) throw new Error(`there is no frame ${name}`);
  return found;
}

/** The kinds of entry that a client may send. */
export const SENDABLE = protocol.entry_kind.filter((kind) => kind.send);

/** The tags that entries of a kind have. */
export function tagsOfKind(kind: number, { ofServer }: { readonly ofServer: boolean }): readonly Tagged[] {
  const tags = protocol.entry_kind.find((known) => known.kind === kind)?.tags ?? [];
  return tags.filter((tag) => ofServer || !tag.server).map(taggedOf);
}

/** What a number means: the name of a value, or of each bit. */
export interface Meaning {
  readonly bits: boolean;
  readonly values: readonly { readonly value: number; readonly name: string; readonly doc?: string }[];
}

const codes = (lines: typeof protocol.error): Meaning => ({
  bits: false,
  values: lines.map(({ code, name, doc }) => ({ value: code, name, doc })),
});
const ERRORS = codes(protocol.error);
const KINDS: Meaning = { bits: false, values: protocol.entry_kind.map(({ kind, name }) => ({ value: kind, name })) };

/** The numbers that a field of a frame, a record or a kind of entry may have; undefined for a plain number. */
export function meaningOf(place: string, field: string): Meaning | undefined {
  if (place === 'ERROR' && field === 'code') return ERRORS;
  if ((place === 'SEND' || place === 'ENTRY') && field === 'kind') return KINDS;
  const found = protocol.number.find(({ of }) => {
    const words = of.replaceAll(',', '').split(' ');
    return words.at(-1) === field && words.includes(place);
  });
  return found && { bits: found.bits ?? false, values: found.values };
}

/** The number in words; undefined where it has none. */
export function inWords({ bits, values }: Meaning, number: number): string | undefined {
  if (!bits) return values.find(({ value }) => value === number)?.name;
  const set = values.filter(({ value }) => number & value).map(({ name }) => name);
  return set.length > 0 ? set.join(' + ') : undefined;
}

/** Why the server closes a connection with this code. */
export const closeReason = (code: number): string | undefined =>
  protocol.close.find((known) => known.code === code)?.doc;

/** The name of a kind of entry. */
export const kindName = (kind: number): string => inWords(KINDS, kind) ?? `${kind}`;
