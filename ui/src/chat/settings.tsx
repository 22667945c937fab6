// One's own name, how it looks, and the way out.

import { useSignal } from '@preact/signals';
import { Dialog } from './parts.tsx';
import { forgetPeople, personOf, remember } from './people.ts';
import { account, logout } from './session.ts';
import type { Theme } from './theme.ts';
import { theme } from './theme.ts';

const THEMES: readonly (readonly [Theme, string])[] = [
  ['system', 'As the system'],
  ['light', 'Light'],
  ['dark', 'Dark'],
];

export function Settings({ onClose }: { readonly onClose: () => void }) {
  const trouble = useSignal('');
  const me = account.me && personOf(account.me.user);
  const rename = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const display_name = `${new FormData(event.currentTarget as HTMLFormElement).get('name')}`.trim();
    try {
      remember([await account.rest('PATCH', '/user/profile', { body: { display_name } })]);
      trouble.value = '';
    } catch (error) {
      trouble.value = error instanceof TypeError ? 'The server cannot be reached.' : (error as Error).message;
    }
  };
  const leave = async (): Promise<void> => {
    await logout();
    forgetPeople();
  };
  return (
    <Dialog title="Settings" onClose={onClose}>
      <form onSubmit={rename}>
        <label>
          Your name, as others see it
          <span class="line">
            <input name="name" required maxLength={64} defaultValue={me?.display_name ?? ''} autocomplete="name" />
            <button>Save</button>
          </span>
        </label>
        <p role="alert" class="trouble">
          {trouble}
        </p>
      </form>
      <fieldset>
        <legend>Appearance</legend>
        <div class="choices">
          {THEMES.map(([value, label]) => (
            <label key={value}>
              <input type="radio" name="theme" checked={theme.value === value} onChange={() => (theme.value = value)} />
              {label}
            </label>
          ))}
        </div>
      </fieldset>
      <p class="hint">
        Signed in as {me?.username ?? '…'}. <a href="/console">The console</a> shows the protocol underneath.
      </p>
      <button class="danger" onClick={() => void leave()}>
        Log out
      </button>
    </Dialog>
  );
}
