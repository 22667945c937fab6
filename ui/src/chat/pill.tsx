// How the connection is, where that is worth a word.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { chat, connection } from './session.ts';

const now = signal(Date.now());

function words(until: number): string {
  const state = connection.value;
  switch (state.name) {
    case 'online':
      return state.synced ? '' : 'Catching up…';
    case 'waiting': {
      const seconds = Math.max(0, Math.ceil((until - now.value) / 1000));
      return seconds > 0 ? `Reconnecting in ${seconds} s` : 'Reconnecting…';
    }
    case 'offline':
      return 'Offline. What you write is sent later.';
    case 'closed':
      return '';
    default:
      return 'Connecting…';
  }
}

export function Pill() {
  const state = connection.value;
  const waits = state.name === 'waiting' ? state.retryInMs : undefined;
  useEffect(() => {
    if (waits === undefined) return undefined;
    const ticking = setInterval(() => (now.value = Date.now()), 500);
    return () => clearInterval(ticking);
  }, [state]);
  const text = words(since(state) + (waits ?? 0));
  return (
    <div class={`pill ${state.name} ${text ? '' : 'still'}`}>
      <span role="status">{text}</span>
      {waits !== undefined && (
        <button class="quiet" onClick={() => chat.value?.reconnect()}>
          Now
        </button>
      )}
    </div>
  );
}

let last: { readonly state: unknown; readonly at: number } = { state: undefined, at: 0 };

/** When this state began. */
function since(state: unknown): number {
  if (last.state !== state) last = { state, at: Date.now() };
  return last.at;
}
