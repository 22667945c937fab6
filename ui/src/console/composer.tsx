// The form of a frame, made from the table, with the bytes that it stands for. The bytes can be edited
// too, into what the table would never allow.

import { computed, signal } from '@preact/signals';
import type { Draft, Row } from './compose.ts';
import { DraftError, compose, placesOf } from './compose.ts';
import { hex, unhex } from '@chasqui/client/hex';
import { conversations, draftOf, drawId, floorOf, nextRid } from './memory.ts';
import type { Field, Tagged, Type } from './table.ts';
import { FRAMES, SENDABLE, frameNamed, meaningOf } from './table.ts';
import { isOpen, send } from './wire.ts';

const draft = signal<Draft>({ frame: 'PING', values: { nonce: '7' } });
/** Bytes that were edited by hand, instead of those of the form. */
const edited = signal<string | undefined>(undefined);

/** Puts a form with values that work in front of the user. */
export function startDraft(frame: string, values: Draft['values'] = {}): void {
  const fresh = draftOf(frame);
  draft.value = { frame, values: { ...fresh.values, ...values } };
  edited.value = undefined;
}

/** Puts bytes in front of the user. */
export function startBytes(text: string): void {
  edited.value = text;
}

function set(name: string, value: string | readonly Row[]): void {
  const { frame, values } = draft.value;
  const floor = frame === 'SEND' && name === 'conversation' && typeof value === 'string' ? { floor: floorOf(value) } : {};
  draft.value = { frame, values: { ...values, ...floor, [name]: value } };
  edited.value = undefined;
}

const composed = computed((): { readonly bytes?: Uint8Array<ArrayBuffer>; readonly trouble?: string } => {
  if (edited.value !== undefined) {
    const bytes = unhex(edited.value);
    return bytes ? { bytes } : { trouble: 'bytes: not an even number of hex digits' };
  }
  try {
    return { bytes: compose(draft.value) };
  } catch (error) {
    if (!(error instanceof DraftError)) throw error;
    return { trouble: error.message };
  }
});

function submit(event: Event): void {
  event.preventDefault();
  const { bytes } = composed.value;
  if (!bytes) return;
  send(bytes);
  // The same again is a useful thing to try, but under a request id of its own.
  if (edited.value === undefined && 'rid' in draft.value.values) set('rid', `${nextRid()}`);
}

const typed = (event: Event): string => (event.currentTarget as HTMLInputElement).value;

interface Input {
  readonly name: string;
  readonly label: string;
  readonly type: Type;
  readonly place: string;
  readonly value: string;
  readonly hint?: string | undefined;
  readonly onValue: (value: string) => void;
}

function Bits({ label, value, onValue, values }: Input & { readonly values: readonly { readonly value: number; readonly name: string }[] }) {
  return (
    <fieldset>
      <legend>{label}</legend>
      {values.map((bit) => (
        <label class="check" key={bit.name}>
          <input
            type="checkbox"
            checked={(Number(value) & bit.value) !== 0}
            onChange={() => onValue(`${Number(value) ^ bit.value}`)}
          />
          {bit.name}
        </label>
      ))}
    </fieldset>
  );
}

function Plain({ name, label, type, value, hint, onValue }: Input) {
  const isNumber = ['varint', 'id', 'u8', 'bool', 'ts'].includes(type.is);
  const list = name === 'conversation' ? 'known-conversations' : undefined;
  return (
    <label title={hint}>
      <span class="name">
        {label} <i>{type.is}</i>
        {name === 'cmid' && (
          <button type="button" class="quiet" onClick={() => onValue(`${drawId()}`)}>
            draw anew
          </button>
        )}
      </span>
      <input
        value={value}
        onInput={(event) => onValue(typed(event))}
        inputMode={isNumber ? 'numeric' : 'text'}
        placeholder={type.is === 'bytes' ? 'text, or 0x and hex' : ''}
        list={list}
        spellcheck={false}
        autocomplete="off"
      />
    </label>
  );
}

function FieldInput(input: Input) {
  const { name, label, place, value, onValue } = input;
  const meaning = meaningOf(place, name);
  if (meaning?.bits) return <Bits {...input} values={meaning.values} />;
  if (!meaning) return <Plain {...input} />;
  const known = place === 'SEND' ? SENDABLE.map((kind) => ({ value: kind.kind, name: kind.name })) : meaning.values;
  const isKnown = known.some((candidate) => `${candidate.value}` === value);
  return (
    <label>
      <span class="name">{label}</span>
      <select value={value} onChange={(event) => onValue(typed(event))}>
        {!isKnown && <option value={value}>{value || '(empty)'}</option>}
        {known.map((candidate) => (
          <option key={candidate.value} value={`${candidate.value}`}>
            {candidate.value} {candidate.name}
          </option>
        ))}
        {place === 'SEND' && <option value="16">16 (an application's own)</option>}
      </select>
    </label>
  );
}

function RowsInput({ place, field, rows }: { readonly place: string; readonly field: Field; readonly rows: readonly Row[] }) {
  if (field.type.is !== 'list' && field.type.is !== 'items') return null;
  const { fields } = field.type;
  return (
    <fieldset class="rows">
      <legend>{field.name}</legend>
      {rows.map((row, index) => (
        <div class="row" key={index}>
          {fields.map(({ name, type }) => (
            <FieldInput
              key={name}
              name={name}
              label={`${name} ${index + 1}`}
              type={type}
              place={place}
              value={row[name] ?? ''}
              onValue={(value) => set(field.name, rows.map((old, at) => (at === index ? { ...old, [name]: value } : old)))}
            />
          ))}
          <button type="button" class="quiet" onClick={() => set(field.name, rows.filter((_, at) => at !== index))}>
            Take out {index + 1}
          </button>
        </div>
      ))}
      <button type="button" class="quiet" onClick={() => set(field.name, [...rows, {}])}>
        Add to {field.name}
      </button>
    </fieldset>
  );
}

function PlaceInput({ place, field }: { readonly place: string; readonly field: Field | Tagged }) {
  const value = draft.value.values[field.name] ?? '';
  if (field.type.is === 'list' || field.type.is === 'items') {
    return <RowsInput place={place} field={field} rows={typeof value === 'string' ? [] : value} />;
  }
  const isTag = 'tag' in field;
  return (
    <FieldInput
      name={field.name}
      label={isTag ? `${field.name}, tag ${field.tag}` : field.name}
      type={field.type}
      place={place}
      value={typeof value === 'string' ? value : ''}
      hint={isTag ? field.doc : undefined}
      onValue={(text) => set(field.name, text)}
    />
  );
}

const SIDES = [
  ['client', 'A client sends'],
  ['both', 'Both sides send'],
  ['server', 'Only the server sends: it will refuse'],
] as const;

export function Composer() {
  const { frame } = draft.value;
  const { fields, tags } = placesOf(draft.value);
  const { bytes, trouble } = composed.value;
  return (
    <section class="panel composer" aria-label="Compose a frame">
      <h2>Compose</h2>
      <form onSubmit={submit}>
        <label>
          <span class="name">frame</span>
          <select value={frame} onChange={(event) => startDraft(typed(event))}>
            {SIDES.map(([side, label]) => (
              <optgroup label={label} key={side}>
                {FRAMES.filter(({ from }) => from === side).map(({ name, type }) => (
                  <option key={name} value={name}>
                    {type.toString(16).padStart(2, '0')} {name}
                  </option>
                ))}
              </optgroup>
            ))}
          </select>
        </label>
        <p class="doc">{frameNamed(frame).doc}</p>
        {fields.map((field) => (
          <PlaceInput key={`${frame} ${field.name}`} place={frame} field={field} />
        ))}
        {tags.length > 0 && (
          <details open={tags.some(({ name }) => (draft.value.values[name] ?? '').length > 0)}>
            <summary>Tagged values, each left out while empty</summary>
            {tags.map((field) => (
              <PlaceInput key={`${frame} ${field.name}`} place={frame} field={field} />
            ))}
          </details>
        )}
        <label>
          <span class="name">
            bytes <i>{bytes ? `${bytes.length} of them` : ''}; edit them to break the rules</i>
          </span>
          <textarea
            rows={3}
            spellcheck={false}
            value={edited.value ?? (bytes ? hex(bytes) : '')}
            onInput={(event) => (edited.value = typed(event))}
          />
        </label>
        <p role="alert" class="trouble">
          {trouble}
        </p>
        <div class="actions">
          <button class="primary" disabled={!isOpen.value || !bytes}>
            Send
          </button>
          {edited.value !== undefined && (
            <button type="button" onClick={() => (edited.value = undefined)}>
              Back to the form
            </button>
          )}
        </div>
        <datalist id="known-conversations">
          {conversations.value.map(({ id, label, head }) => (
            <option key={id} value={`${id}`}>
              {label}, head {head}
            </option>
          ))}
        </datalist>
      </form>
    </section>
  );
}
