// How a connection begins: with a token that is at hand, or with one that signing in gives.

import { computed, signal } from '@preact/signals';
import { rest } from '@chasqui/client/rest';
import { DEMO_PEOPLE } from '../shared/demo.ts';
import { startDraft } from './composer.tsx';
import { forget, token } from './memory.ts';
import { connect, disconnect, phase } from './wire.ts';

const username = signal('');
const password = signal('');
const byHand = signal(false);
const trouble = signal('');
const busy = signal(false);
const ready = computed(() => token.value.trim() !== '' || (username.value !== '' && password.value !== ''));

/** A new device of the person, for its token. */
async function signIn(): Promise<string> {
  const body = { username: username.value, password: password.value, device_name: 'console' };
  return (await rest(location.origin)('POST', '/login', { body })).access_token;
}

async function begin(event: Event): Promise<void> {
  event.preventDefault();
  trouble.value = '';
  busy.value = true;
  try {
    if (username.value !== '') token.value = await signIn();
    forget();
    connect({ hello: !byHand.value });
    startDraft(byHand.value ? 'HELLO' : 'PING');
  } catch (error) {
    trouble.value = error instanceof Error ? error.message : `${error}`;
  } finally {
    busy.value = false;
  }
}

const take = (into: typeof token) => (event: Event) => void (into.value = (event.currentTarget as HTMLInputElement).value);

export function SignIn() {
  const closed = phase.value === 'closed';
  return (
    <section class="panel sign-in" aria-label="Connection">
      <form onSubmit={begin}>
        <label>
          Token
          <input value={token} onInput={take(token)} placeholder="an access token" autocomplete="off" spellcheck={false} />
        </label>
        <span class="or">or</span>
        <label>
          User name
          <input value={username} onInput={take(username)} autocomplete="username" spellcheck={false} />
        </label>
        <label>
          Password
          <input type="password" value={password} onInput={take(password)} autocomplete="current-password" />
        </label>
        <div class="actions">
          {closed ? (
            <button class="primary" disabled={busy.value || !ready.value}>
              Connect
            </button>
          ) : (
            <button type="button" onClick={disconnect}>
              Disconnect
            </button>
          )}
        </div>
      </form>
      <div class="below">
        <label class="check">
          <input type="checkbox" checked={byHand} onChange={() => (byHand.value = !byHand.value)} />
          I say HELLO by hand
        </label>
        {DEMO_PEOPLE.map((person) => (
          <button
            key={person.username}
            class="quiet"
            onClick={() => {
              username.value = person.username;
              password.value = person.password;
            }}
          >
            Be {person.username}
          </button>
        ))}
      </div>
      <p role="alert" class="trouble">
        {trouble}
      </p>
    </section>
  );
}
