// Values between bytes and objects, as the lines of `grammar.ts` say. Owns what a line means; knows no
// frame by its name.
//
// A line is `name number from field... | tag=field...`, a field `name:type`, or `name` for a varint. With `*` it
// is a list; of type `a-b` a number in that range; with `~n` it counts as n where it is absent, with `~` alone as empty. Behind `|` stand
// tagged values: an even one is always there, and `...` keeps those that have no name. Without `|`, whatever
// follows the fields is ignored.

import type { Reader, Tag } from './bytes.ts';
import { encodeUtf8, Writer } from './bytes.ts';
import { errorCode } from './constants.ts';
import { GRAMMAR } from './grammar.ts';

export type Values = Record<string, unknown>;

/** `led`: whether a length or a count stands in front. */
interface Type {
  read(from: Reader, led: boolean, name: string): unknown;
  write(out: Writer, value: unknown, led: boolean): void;
}

export interface Field {
  readonly name: string;
  readonly type: Type;
  /** NaN where it is not a tagged value. */
  readonly tag: number;
  readonly preset: unknown;
}

export interface Shape {
  readonly name: string;
  readonly number: number;
  /** Who sends a frame; of content, `send` clients and `made` the server alone; a `part` stands in others. */
  readonly from: string;
  readonly isContent: boolean;
  readonly fields: readonly Field[];
  readonly tags: readonly Field[] | undefined;
  readonly keepsTags: boolean;
}

const varint: Type = { read: (from) => from.varint(), write: (out, value: number) => out.varint(value) };

const TYPES: Readonly<Record<string, Type>> = {
  '': varint,
  u8: { read: (from) => from.u8(), write: (out, value: number) => out.u8(value) },
  bool: { read: (from) => from.u8() !== 0, write: (out, value: boolean) => out.u8(value ? 1 : 0) },
  flag: {
    read: (from, led, name) => between(0, 1).read(from, led, name) === 1,
    write: (out, value: boolean) => out.u8(value ? 1 : 0),
  },
  ts: { read: (from) => from.ts(), write: (out, value: number) => out.ts(value) },
  bytes: { read: (from) => from.bytes(), write: (out, value: Uint8Array) => out.bytes(value) },
  str: {
    read: (from, led) => (led ? from.str() : from.restStr()),
    write: (out, value: string, led) => (led ? out.bytes(encodeUtf8(value)) : out.raw(encodeUtf8(value))),
  },
  id: between(1, Infinity),
  pair: {
    read: (from, led, name) => [between(1, Infinity).read(from, led, name), from.varint()],
    write: (out, value: readonly number[]) => value.forEach((number) => out.varint(number)),
  },
};

/** A number outside of the range breaks no layout: it is a fault of the whole frame. */
function between(least: number, most: number): Type {
  return {
    ...varint,
    read: (from, _, name) => {
      const { offset } = from;
      const value = from.varint();
      if (value < least || value > most) from.fault(errorCode.INVALID, `${name} is ${value}`, offset);
      return value;
    },
  };
}

function listOf(item: Type): Type {
  return {
    read: (from, led, name) => {
      const items: unknown[] = [];
      const next = (): number => items.push(item.read(from, true, name));
      if (led) for (let left = from.varint(); left > 0; left--) next();
      else while (!from.isEmpty) next();
      return items;
    },
    write: (out, value: readonly unknown[], led) => {
      if (led) out.varint(value.length);
      value.forEach((each) => item.write(out, each, true));
    },
  };
}

function partOf(name: string): Type {
  return {
    read: (from, led) => readShape(shapeNamed(name), led ? from.nested() : from),
    write: (out, value: Values, led) => {
      const write = (): void => writeShape(shapeNamed(name), value, out);
      return led ? out.nested(write) : write();
    },
  };
}

/** `tag=name:type*~preset`, all but the name optional; a type may be `least-most`. */
const FIELD = /^(?:(\d+)=)?(\w+):?(\w*)(?:-(\d))?(\*?)(?:~(\d*))?$/;

function fieldOf(word: string): Field {
  const [, tag, name = '', type = '', most, list, preset] = FIELD.exec(word) ?? [];
  const one = TYPES[type] ?? (most ? between(Number(type), Number(most)) : partOf(type));
  const absent = list ? [] : type === 'bool' ? false : preset && Number(preset);
  return { name, type: list ? listOf(one) : one, tag: Number(tag), preset: absent };
}

function shapeOf(line: string): Shape {
  const [head = '', tail] = line.split(' |');
  const [name = '', number, from = '', ...fields] = head.split(' ');
  const tags = tail?.split(' ').filter((word) => word.includes('='));
  return {
    name,
    number: Number(number),
    from,
    isContent: from === 'send' || from === 'made',
    fields: fields.map(fieldOf),
    tags: tags?.map(fieldOf),
    keepsTags: line.endsWith('...'),
  };
}

const shapes: ReadonlyMap<string, Shape> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ GRAMMAR.map((line) => [line.slice(0, line.indexOf(' ')), shapeOf(line)] as const),
);

/** The shape of a name; a RangeError if there is none. */
export function shapeNamed(name: string): Shape {
  const shape = shapes.get(name);
  if (!shape) throw new RangeError(`${name} is unknown`);
  return shape;
}

/** The frame of a number, or the content. */
export function shapeNumbered(number: number, isContent: boolean): Shape | undefined {
  for (const shape of shapes.values()) if (shape.number === number && shape.isContent === isContent) return shape;
  return undefined;
}

/** Reads fields and tagged values. */
export function readShape({ name, number, fields, tags, keepsTags }: Shape, from: Reader): Values {
  const values: Values = number ? { frame: name } : {};
  for (const field of fields) values[field.name] = field.type.read(from, true, field.name);
  if (tags) {
    const unnamed = readTags(tags, from.tags(), from, values);
    if (keepsTags) values['tags'] = unnamed;
    else refuseEven(unnamed, from);
  }
  return values;
}

/** Reads tagged values into `values`; those that have no name here. What is wrong is told to `from`. */
export function readTags(fields: readonly Field[], tags: readonly Tag[], from: Reader, values: Values): readonly Tag[] {
  for (const { name, preset } of fields) values[name] = preset;
  return tags.filter(({ tag, value, offset }) => {
    const field = fields.find((each) => each.tag === tag);
    if (field) values[field.name] = field.type.read(from.within(value, offset), false, field.name);
    return !field;
  });
}

/** Even tags must be known; odd ones may be skipped. */
export function refuseEven(unnamed: readonly Tag[], from: Reader): void {
  for (const { tag, offset } of unnamed) {
    if (tag % 2 === 0) from.fault(errorCode.UNSUPPORTED, `tag ${tag} is unknown and even`, offset);
  }
}

/** Writes fields and tagged values. */
export function writeShape({ fields, tags, keepsTags }: Shape, values: Values, out: Writer): void {
  for (const { name, type } of fields) type.write(out, values[name], true);
  if (tags) out.tags(tagsOf(tags, values));
  if (keepsTags) out.tags(values['tags'] as readonly Tag[]);
}

/** Values as tagged values, without those that are as if absent. */
export function tagsOf(fields: readonly Field[], values: Values): readonly Tag[] {
  return fields.flatMap(({ name, type, tag, preset }) => {
    const value = values[name];
    const isEmptyList = Array.isArray(value) && value.length === 0;
    // An empty str is written all the same, as the server does; of even tags, so is an empty list.
    const isAbsent = value === undefined || (value === preset && value !== '') || (isEmptyList && tag % 2 === 1);
    if (isAbsent) return [];
    const out = new Writer();
    type.write(out, value, false);
    return [{ tag, value: new Uint8Array(out.finish()) }];
  });
}
