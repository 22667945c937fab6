// Runs the golden vectors of `tests/vectors` over the codec, wherever JavaScript runs. Owns what it
// means that one holds; reading the files and reporting belong to the caller.

import type { ClientFrame, Decoded, ServerFrame } from '../src/codec.ts';
import {
  contentOfEntry,
  contentOfSend,
  decodeClient,
  decodeServer,
  encodeClient,
  encodeServer,
  errorCode,
  layout,
  ProtocolError,
} from '../src/codec.ts';

/** The files of `tests/vectors`. */
export const FILES = ['varints', 'client_frames', 'server_frames', 'contents', 'rejects', 'sessions'] as const;

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type Verdict = 'ok' | { readonly code: string; readonly rid?: number; readonly closes?: boolean };

interface Vector {
  readonly name: string;
  readonly from: 'client' | 'server';
  readonly hex: string;
  readonly verdict: Verdict;
  readonly canonical?: boolean;
  readonly frames: Json;
}

interface Connection {
  readonly name: string;
  readonly steps: readonly { readonly client?: string; readonly server?: { readonly frame: string } }[];
}

/** What was checked and what does not hold. */
export interface Report {
  checks: number;
  readonly failures: string[];
}

/** Checks one parsed file. */
export function check(file: (typeof FILES)[number], parsed: unknown): Report {
  const report: Report = { checks: 0, failures: [] };
  if (file === 'sessions') {
    for (const each of (parsed as { vectors: readonly Connection[] }).vectors) checkConnection(each, report);
  } else {
    for (const each of (parsed as { vectors: readonly Vector[] }).vectors) checkVector(each, report);
  }
  return report;
}

function expect(report: Report, what: string, actual: unknown, expected: unknown): void {
  report.checks += 1;
  const [left, right] = [JSON.stringify(plain(actual)), JSON.stringify(plain(expected))];
  if (left !== right) report.failures.push(`${what}: ${left} instead of ${right}`);
}

function checkVector(vector: Vector, report: Report): void {
  const message = unhex(vector.hex);
  const decoded = decode(vector.from, message);
  const { frames, error } = describe(decoded);
  expect(report, vector.name, verdict(error), vector.verdict);
  expect(report, vector.name, frames, vector.frames);
  if (vector.verdict !== 'ok' || vector.canonical === false) return;
  expect(report, `${vector.name}, encoded`, encode(vector.from, decoded), vector.hex);
  if (!/ignored|kept apart/.test(vector.name)) checkContents(vector.name, decoded, report);
  if (decoded.frames.length !== 1) return;
  for (let end = 0; end < message.length; end++) {
    const cut = describe(decode(vector.from, message.subarray(0, end)));
    expect(report, `${vector.name}, cut to ${end}`, verdict(cut.error), { code: 'malformed', closes: true });
  }
}

/** The messages of a connection: those of the client encode as they came, wherever nothing is skipped. */
function checkConnection(connection: Connection, report: Report): void {
  for (const { client } of connection.steps) {
    if (client === undefined) continue;
    const decoded = decode('client', unhex(client));
    const whole = encode('client', decoded);
    const skips = /skipped|extension|unknown/.test(connection.name);
    if (decoded.error === undefined && !skips) expect(report, connection.name, whole, client);
  }
}

/** Content that was read is laid out as it came. */
function checkContents(name: string, decoded: Either, report: Report): void {
  for (const each of decoded.frames) {
    if (each.frame !== 'SEND' && each.frame !== 'ENTRY') continue;
    const served = each.frame === 'SEND' ? { content: contentOfSend(each) } : contentOfEntry(each);
    if (served === undefined) continue;
    const { kind, body, tags } = each;
    expect(report, `${name}, laid out`, layout(served.content, served), { kind, body, tags });
  }
}

type Either = Decoded<ClientFrame | ServerFrame>;

function decode(from: 'client' | 'server', message: Uint8Array): Either {
  return from === 'client' ? decodeClient(message) : decodeServer(message);
}

function encode(from: 'client' | 'server', decoded: Either): string {
  const { frames } = decoded;
  const bytes =
    from === 'client' ? encodeClient(...(frames as ClientFrame[])) : encodeServer(...(frames as ServerFrame[]));
  return hex(new Uint8Array(bytes));
}

/** The frames with their content beside them, up to the first fault of either. */
function describe(decoded: Either): { frames: unknown[]; error: ProtocolError | undefined } {
  const frames: unknown[] = [];
  try {
    for (const each of decoded.frames) frames.push(withContent(each));
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { frames, error };
  }
  return { frames, error: decoded.error };
}

function withContent(each: ClientFrame | ServerFrame): unknown {
  if (each.frame === 'SEND') return { ...each, content: said({ content: contentOfSend(each) }) };
  if (each.frame === 'ENTRY') return { ...each, content: said(contentOfEntry(each)) };
  if (each.frame !== 'SYNCED') return each;
  const records = each.records.map((record) => ({
    ...record,
    lastEntry: record.lastEntry && withContent(record.lastEntry),
  }));
  return { ...each, records };
}

/** Content as the vectors have it. */
function said(served: ReturnType<typeof contentOfEntry>): unknown {
  if (served === undefined) return undefined;
  const { content, edited, erased } = served;
  if (content.is === 'opaque') return { attributes: content.attributes };
  const { is: _, ...fields } = content;
  return { ...fields, edited, erased };
}

function verdict(error: ProtocolError | undefined): unknown {
  if (error === undefined) return 'ok';
  const name = Object.entries(errorCode).find(([, code]) => code === error.code)?.[0];
  const code = name?.toLowerCase().replaceAll('_', '-');
  return error.rid === undefined ? { code, closes: true } : { code, rid: error.rid };
}

/** As JSON in which fields are sorted, what is absent is left out and bytes are hex. */
function plain(value: unknown): Json {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return (value ?? null) as Json;
  if ('tag' in value && 'value' in value) return [value.tag as number, plain(value.value)];
  const entries = Object.entries(value)
    .filter(([, field]) => field !== undefined && field !== null)
    .map(([name, field]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), plain(field)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
