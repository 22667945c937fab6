// One raw connection and everything that went over it. Owns the socket and the log; sends what it is
// given and nothing of its own but HELLO at the start and a PING where the line would fall silent.

import { computed, signal } from '@preact/signals';
import { SUBPROTOCOL } from '@chasqui/client/codec';
import { compose } from './compose.ts';
import { dissect } from './dissect.ts';
import type { Part } from './dissect.ts';
import { hex } from '@chasqui/client/hex';
import { helloDraft, learn, noteSent } from './memory.ts';
import { closeReason } from './table.ts';
import type { Side } from './vector.ts';

/** A line of the log. */
export type Line = { readonly id: number; readonly at: number } & (
  | { readonly is: 'frame'; readonly from: Side; readonly bytes: Uint8Array; readonly frame: Part | undefined; readonly fault: string | undefined }
  | { readonly is: 'event'; readonly text: string }
);

/** How many lines are kept; older ones go. */
const LINES_MAX = 1000;
/** A PING goes out after so long without another frame, well below the shortest interval that is granted unasked. */
const SILENCE_MS = 20_000;

export const lines = signal<readonly Line[]>([]);
export const phase = signal<'closed' | 'connecting' | 'open'>('closed');
export const keepAlive = signal(true);
export const isOpen = computed(() => phase.value === 'open');

let socket: WebSocket | undefined;
let nextLine = 1;
let silence: ReturnType<typeof setTimeout> | undefined;

type Unnumbered = Line extends infer Each ? (Each extends Line ? Omit<Each, 'id' | 'at'> : never) : never;

function log(added: readonly Unnumbered[]): void {
  const at = Date.now();
  const numbered = added.map((line) => ({ ...line, id: nextLine++, at }) as Line);
  lines.value = [...lines.value, ...numbered].slice(-LINES_MAX);
}

/** Frames of a message, each a line; what cannot be read is the last. */
function logMessage(from: Side, message: Uint8Array): void {
  const { frames, error } = dissect(message);
  const whole = frames.map((frame, index) => {
    const last = error !== undefined && index === frames.length - 1;
    const bytes = message.subarray(frame.start, last ? undefined : frame.end);
    return { is: 'frame', from, bytes, frame: dissect(bytes).frames[0], fault: last ? error.text : undefined } as const;
  });
  log(whole.length > 0 ? whole : [{ is: 'frame', from, bytes: message, frame: undefined, fault: 'no frame at all' }]);
}

/** Opens a connection and says HELLO with the token at hand, unless that is left to whoever experiments. */
export function connect(options: { readonly hello: boolean }): void {
  disconnect();
  const opened = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws`, SUBPROTOCOL);
  opened.binaryType = 'arraybuffer';
  socket = opened;
  phase.value = 'connecting';
  opened.onopen = () => {
    phase.value = 'open';
    log([{ is: 'event', text: `connected, subprotocol ${opened.protocol}` }]);
    if (options.hello) send(compose(helloDraft()));
  };
  opened.onmessage = ({ data }) => {
    const message = new Uint8Array(data as ArrayBuffer);
    logMessage('server', message);
    learn(message);
  };
  opened.onclose = ({ code, reason }) => {
    if (socket !== opened) return;
    clearTimeout(silence);
    socket = undefined;
    phase.value = 'closed';
    const why = closeReason(code) ?? (reason || (code === 1006 ? 'no connection' : ''));
    log([{ is: 'event', text: `closed, ${code}${why ? `: ${why}` : ''}` }]);
  };
}

export function disconnect(): void {
  socket?.close(1000);
}

/** Sends a message as it is, well-formed or not. */
export function send(message: Uint8Array<ArrayBuffer>): void {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(message.slice().buffer);
  logMessage('client', message);
  noteSent(message);
  clearTimeout(silence);
  silence = setTimeout(breakSilence, SILENCE_MS);
}

function breakSilence(): void {
  if (keepAlive.value) send(compose({ frame: 'PING', values: { nonce: '1' } }));
}

export const clear = (): void => void (lines.value = []);

/** The whole log as text: direction, time, hex. */
export const transcript = (): string =>
  lines.value
    .map((line) => `${new Date(line.at).toISOString()} ${line.is === 'event' ? `-- ${line.text}` : `${line.from === 'client' ? '>' : '<'} ${hex(line.bytes)}`}\n`)
    .join('');
