// The way in: signing in or registering.

import { signal } from '@preact/signals';
import { Problem } from '@chasqui/client/rest';
import { DEMO_PEOPLE } from '../shared/demo.ts';
import { farewell, login, profile, register } from './session.ts';

const isNew = signal(false);
const busy = signal(false);
const trouble = signal('');

function wordsFor(error: unknown): string {
  if (!(error instanceof Problem)) return 'The server cannot be reached. Try again in a moment.';
  if (error.problem === 'unauthenticated') return 'The user name or the password is wrong.';
  if (error.problem === 'conflict') return 'This user name is taken.';
  return error.message;
}

async function attempt(enter: () => Promise<void>): Promise<void> {
  busy.value = true;
  trouble.value = '';
  farewell.value = '';
  try {
    await enter();
  } catch (error) {
    trouble.value = wordsFor(error);
  } finally {
    busy.value = false;
  }
}

function submit(event: SubmitEvent): void {
  event.preventDefault();
  const fields = new FormData(event.currentTarget as HTMLFormElement);
  const [username, password] = [`${fields.get('username')}`.trim(), `${fields.get('password')}`];
  void attempt(() => (isNew.value ? register : login)(username, password));
}

export function SignIn() {
  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <img src="/icon.svg" alt="" width="56" height="56" />
        <h1>{isNew.value ? 'Create an account' : 'Welcome to chasqui'}</h1>
        <label>
          User name
          <input name="username" required defaultValue={profile} autocomplete="username" autocapitalize="none" spellcheck={false} maxLength={32} />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            required
            minLength={isNew.value ? 8 : 1}
            maxLength={64}
            autocomplete={isNew.value ? 'new-password' : 'current-password'}
            aria-describedby={isNew.value ? 'rules' : undefined}
          />
        </label>
        {isNew.value && (
          <p id="rules" class="hint">
            A name of 3 to 32 letters and digits, a password of at least 8 characters.
          </p>
        )}
        <p role="alert" class="trouble">
          {trouble.value || farewell.value}
        </p>
        <button class="primary" disabled={busy.value}>
          {isNew.value ? 'Create account' : 'Sign in'}
        </button>
        <button type="button" class="quiet" onClick={() => (isNew.value = !isNew.value)}>
          {isNew.value ? 'I have an account' : 'Create an account'}
        </button>
      </form>
      {DEMO_PEOPLE.length > 0 && (
        <p class="demo">
          This is a demo server. Open a window as{' '}
          {DEMO_PEOPLE.map(({ username }, index) => (
            <>
              {index > 0 && ' and one as '}
              <a href={`/?as=${username}`} target="_blank">
                {username}
              </a>
            </>
          ))}
          .
        </p>
      )}
    </main>
  );
}
