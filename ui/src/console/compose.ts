// Bytes of a frame from what stands in a form, by the table. It composes what the table allows and the
// server may yet refuse; whoever wants worse edits the bytes.

import { Writer, encodeUtf8 } from '@chasqui/client/bytes';
import { unhex } from '@chasqui/client/hex';
import type { Field, Tagged, Type } from './table.ts';
import { frameNamed, tagsOfKind } from './table.ts';

/** One row of a list, by the names of its fields. */
export type Row = Readonly<Record<string, string>>;

/** What stands in a form: numbers in decimal, str and bytes as text, bytes also as `0x` and hex. */
export interface Draft {
  readonly frame: string;
  /** By the names of fields and tags; a tag that is absent or empty is left out. */
  readonly values: Readonly<Record<string, string | readonly Row[]>>;
}

/** A field that cannot be composed, and why. */
export class DraftError extends Error {
  readonly field: string;

  constructor(field: string, text: string) {
    super(`${field}: ${text}`);
    this.field = field;
  }
}

/** The fields and tags that a draft has, by its type and the kind of entry in it. */
export function placesOf({ frame, values }: Draft): { readonly fields: readonly Field[]; readonly tags: readonly Tagged[] } {
  const type = frameNamed(frame);
  const byKind = type.byKind ? tagsOfKind(Number(values['kind']), { ofServer: type.from === 'server' }) : [];
  return { fields: type.fields, tags: [...type.tags, ...byKind] };
}

/** The frame as it goes over the wire. Throws a DraftError. */
export function compose(draft: Draft): Uint8Array<ArrayBuffer> {
  const { fields, tags } = placesOf(draft);
  const out = new Writer();
  out.u8(frameNamed(draft.frame).type);
  out.nested(() => {
    for (const { name, type } of fields) write(out, name, type, draft.values[name] ?? '', true);
    for (const { tag, name, type } of tags) {
      const value = draft.values[name] ?? '';
      if (value.length > 0) out.tag(tag, () => write(out, name, type, value, false));
    }
  });
  return new Uint8Array(out.finish());
}

/** `led`: whether a length or a count stands in front. */
function write(out: Writer, name: string, type: Type, value: string | readonly Row[], led: boolean): void {
  if (typeof value !== 'string' || type.is === 'list' || type.is === 'items') {
    return writeRows(out, type, typeof value === 'string' ? [] : value, led);
  }
  switch (type.is) {
    case 'varint':
    case 'id':
      return writeNumber(out, name, 'varint', value);
    case 'u8':
    case 'bool':
      return writeNumber(out, name, 'u8', value);
    case 'ts':
      return writeNumber(out, name, 'ts', value);
    case 'str':
      return led ? out.str(value) : out.raw(encodeUtf8(value));
    case 'bytes':
    case 'group': {
      const bytes = value.startsWith('0x') ? unhex(value.slice(2)) : encodeUtf8(value);
      if (bytes === undefined) throw new DraftError(name, 'not an even number of hex digits behind 0x');
      return led ? out.bytes(bytes) : out.raw(bytes);
    }
  }
}

function writeNumber(out: Writer, name: string, layout: 'varint' | 'u8' | 'ts', value: string): void {
  const text = value.trim() || '0';
  if (!/^\d+$/.test(text)) throw new DraftError(name, 'not a number');
  try {
    out[layout](Number(text));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DraftError(name, 'too large');
  }
}

function writeRows(out: Writer, type: Type, rows: readonly Row[], led: boolean): void {
  if (type.is !== 'list' && type.is !== 'items') return;
  if (led) out.varint(rows.length);
  for (const row of rows) {
    const fields = (): void => type.fields.forEach((field) => write(out, field.name, field.type, row[field.name] ?? '', true));
    if (type.is === 'items' && type.fields[0]?.type.is !== 'group') out.nested(fields);
    else fields();
  }
}
