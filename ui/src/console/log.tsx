// The log: a line for each frame, which opens to its bytes, field by field.

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Part } from './dissect.ts';
import { hex } from '@chasqui/client/hex';
import { vectorOf } from './vector.ts';
import type { Line } from './wire.ts';
import { clear, keepAlive, lines, phase, transcript } from './wire.ts';

/** The line that is open. */
const open = signal<number | undefined>(undefined);
/** What was copied last, to say so. */
const copied = signal('');

async function copy(what: string, text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
  copied.value = what;
}

const clock = (at: number): string => {
  const date = new Date(at);
  return `${date.toTimeString().slice(0, 8)}.${`${date.getMilliseconds()}`.padStart(3, '0')}`;
};

/** Bytes in groups, cut where they go on for long. */
const spaced = (bytes: Uint8Array, most: number): string =>
  `${hex(bytes.subarray(0, most)).replaceAll(/..(?=.)/g, '$& ')}${bytes.length > most ? ' …' : ''}`;

/** What a part says, in a few words. */
function says(part: Part): string {
  if (part.words !== undefined) return part.words;
  if (part.value !== undefined) return part.value;
  const rows = part.parts.filter(({ name }) => /^\d+$/.test(name));
  return rows.length > 0 || part.parts[0]?.name === 'count' ? `${rows.length} in it` : '';
}

const summary = (frame: Part): string =>
  frame.parts
    .slice(2)
    .map((part) => `${part.name} ${says(part).slice(0, 40)}`)
    .join(' · ');

type FrameLine = Extract<Line, { is: 'frame' }>;

function Rows({ parts, bytes, depth }: { readonly parts: readonly Part[]; readonly bytes: Uint8Array; readonly depth: number }) {
  return parts.map((part) => {
    const isLeaf = part.parts.length === 0;
    return (
      <>
        <tr data-depth={Math.min(depth, 5)} class={isLeaf ? '' : 'group'}>
          <td class="bytes">{isLeaf ? spaced(bytes.subarray(part.start, part.end), 24) : ''}</td>
          <th scope="row" title={part.doc}>
            {part.name}
          </th>
          <td class="value">{(part.value ?? '').length > 120 ? `${part.value?.slice(0, 120)}…` : part.value}</td>
          <td class="words">{part.words ?? (isLeaf ? '' : part.doc)}</td>
        </tr>
        <Rows parts={part.parts} bytes={bytes} depth={depth + 1} />
      </>
    );
  });
}

function Detail({ line }: { readonly line: FrameLine }) {
  const name = line.frame?.name.toLowerCase() ?? 'nothing';
  return (
    <div class="detail">
      {line.frame?.doc && <p>{line.frame.doc}</p>}
      {line.fault && <p class="trouble">Cannot be read: {line.fault}</p>}
      <table>
        <thead class="hidden">
          <tr>
            <th scope="col">bytes</th>
            <th scope="col">field</th>
            <th scope="col">value</th>
            <th scope="col">meaning</th>
          </tr>
        </thead>
        <tbody>
          <Rows parts={line.frame?.parts ?? []} bytes={line.bytes} depth={0} />
        </tbody>
      </table>
      <div class="actions">
        <button class="quiet" onClick={() => copy('hex', hex(line.bytes))}>
          Copy hex
        </button>
        <button class="quiet" onClick={() => copy('golden vector', vectorOf(name, line.from, line.bytes))}>
          Copy as golden vector
        </button>
      </div>
    </div>
  );
}

function LogLine({ line }: { readonly line: Line }) {
  if (line.is === 'event') {
    return (
      <li class="event">
        <time>{clock(line.at)}</time> {line.text}
      </li>
    );
  }
  const isOpen = open.value === line.id;
  const sent = line.from === 'client';
  return (
    <li class={`${line.from}${line.fault === undefined ? '' : ' faulty'}`}>
      <button class="head" aria-expanded={isOpen} onClick={() => (open.value = isOpen ? undefined : line.id)}>
        <time>{clock(line.at)}</time>
        <span class="arrow" role="img" aria-label={sent ? 'sent' : 'received'}>
          {sent ? '→' : '←'}
        </span>
        <b>{line.frame?.name ?? 'broken'}</b>
        <span class="summary">{line.fault ?? (line.frame ? summary(line.frame) : '')}</span>
        <code>{spaced(line.bytes, 12)}</code>
      </button>
      {isOpen && <Detail line={line} />}
    </li>
  );
}

const PHASES = { closed: 'not connected', connecting: 'connecting', open: 'connected' } as const;

export function Log() {
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current) list.current?.scrollTo(0, list.current.scrollHeight);
  }, [lines.value]);
  const scrolled = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = list.current ?? { scrollTop: 0, scrollHeight: 0, clientHeight: 0 };
    atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
  };
  return (
    <section class="panel log" aria-label="Frames">
      <div class="tools">
        <h2>Frames</h2>
        <span class={`phase ${phase}`} role="status">
          {PHASES[phase.value]}
        </span>
        <label class="check">
          <input type="checkbox" checked={keepAlive} onChange={() => (keepAlive.value = !keepAlive.value)} />
          PING when silent
        </label>
        <button class="quiet" onClick={() => copy('log', transcript())}>
          Copy all
        </button>
        <button class="quiet" onClick={clear}>
          Clear
        </button>
        <span class="hidden" role="status">
          {copied.value && `${copied} copied`}
        </span>
      </div>
      {lines.value.length === 0 ? (
        <p class="empty">
          Nothing yet. Connect above: the first frame will be your HELLO. Every line opens to its bytes.
        </p>
      ) : (
        <ol ref={list} onScroll={scrolled} tabIndex={0} aria-label="Log">
          {lines.value.map((line) => (
            <LogLine key={line.id} line={line} />
          ))}
        </ol>
      )}
    </section>
  );
}
