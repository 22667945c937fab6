// Small things that several views show: icons, avatars, ticks, dialogs.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Tick } from '@chasqui/client/index';
import { initials } from './words.ts';

const PATHS = {
  back: 'M15 5l-7 7 7 7',
  plus: 'M12 5v14M5 12h14',
  send: 'M5 12h13M12 5l7 7-7 7',
  down: 'M12 5v14M5 12l7 7 7-7',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.5c2.1.9 3.5 2.9 3.5 5.5',
  note: 'M7 3h10a2 2 0 0 1 2 2v16l-7-4-7 4V5a2 2 0 0 1 2-2z',
  queued: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4l3 2',
  sent: 'M5 13l4.5 4.5L19 8',
  both: 'M1.5 13L6 17.5 15.5 8M10.5 16l1.5 1.5L21.5 8',
  failed: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v5M12 15.8v.4',
} as const;

export function Icon({ name }: { readonly name: keyof typeof PATHS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** A round sign for somebody or something, in one of a few hues by its id. */
export function Avatar({ id, name, icon }: { readonly id: number; readonly name: string; readonly icon?: keyof typeof PATHS | undefined }) {
  return (
    <span class={`avatar hue${id % 6}`} data-initials={icon ? '' : initials(name)} aria-hidden="true">
      {icon && <Icon name={icon} />}
    </span>
  );
}

const TICKS: Readonly<Record<Tick, string>> = {
  queued: 'waiting to be sent',
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  failed: 'not sent',
};

export function TickMark({ tick }: { readonly tick: Tick }) {
  const icon = tick === 'delivered' || tick === 'read' ? 'both' : tick;
  return (
    <span class={`tick ${tick}`} role="img" aria-label={TICKS[tick]} title={TICKS[tick]}>
      <Icon name={icon} />
    </span>
  );
}

/** A dialog over everything, until it is closed. */
export function Dialog({ title, onClose, children }: { readonly title: string; readonly onClose: () => void; readonly children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="dialog-title"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <header>
        <h2 id="dialog-title">{title}</h2>
        <button class="round" aria-label="Close" onClick={() => dialog.current?.close()}>
          <Icon name="close" />
        </button>
      </header>
      <div class="body">{children}</div>
    </dialog>
  );
}
