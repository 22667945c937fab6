// Runs the golden vectors of `tests/vectors` over the codec, wherever JavaScript runs. Owns what it
// means that one holds; reading the files and reporting belong to the caller.

import { contentOfEntry, contentOfSend, layout } from '../src/codec.ts';
import { hex, unhex } from '../src/hex.ts';
import type { Side } from '../src/vector.ts';
import { decode, describe, encode, plain } from '../src/vector.ts';

/** The files of `tests/vectors`. */
export const FILES = ['varints', 'client_frames', 'server_frames', 'contents', 'rejects', 'sessions'] as const;

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type Verdict = 'ok' | { readonly code: string; readonly rid?: number; readonly closes?: boolean };

interface Vector {
  readonly name: string;
  readonly from: Side;
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
  const [left, right] = [JSON.stringify(sorted(plain(actual))), JSON.stringify(sorted(plain(expected)))];
  if (left !== right) report.failures.push(`${what}: ${left} instead of ${right}`);
}

function checkVector(vector: Vector, report: Report): void {
  const message = bytesOf(vector.hex);
  const decoded = decode(vector.from, message);
  const { frames, verdict } = describe(decoded);
  expect(report, vector.name, verdict, vector.verdict);
  expect(report, vector.name, frames, vector.frames);
  if (vector.verdict !== 'ok' || vector.canonical === false) return;
  expect(report, `${vector.name}, encoded`, hex(encode(vector.from, decoded.frames)), vector.hex);
  if (!/ignored|kept apart/.test(vector.name)) checkContents(vector.name, decoded, report);
  if (decoded.frames.length !== 1) return;
  for (let end = 0; end < message.length; end++) {
    const cut = describe(decode(vector.from, message.subarray(0, end)));
    expect(report, `${vector.name}, cut to ${end}`, cut.verdict, { code: 'malformed', closes: true });
  }
}

/** The messages of a connection: those of the client encode as they came, wherever nothing is skipped. */
function checkConnection(connection: Connection, report: Report): void {
  for (const { client } of connection.steps) {
    if (client === undefined) continue;
    const decoded = decode('client', bytesOf(client));
    const whole = hex(encode('client', decoded.frames));
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

type Either = ReturnType<typeof decode>;

/** Without what is null, which is as good as absent, and with fields in one order. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(fields.map(([name, field]) => [name, sorted(field)] as const).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function bytesOf(text: string): Uint8Array {
  const bytes = unhex(text);
  if (bytes === undefined) throw new Error(`${text} is not in hex`);
  return bytes;
}
