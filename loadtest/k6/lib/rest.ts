// Accounts and chats over REST, for scenarios that need them before they begin.

import http from 'k6/http';
import { fail } from 'k6';

/** The server under test. */
export const URL = (__ENV['CHASQUI_URL'] ?? 'http://127.0.0.1:8080').replace(/\/$/, '');

/** A device of an account. */
export interface Account {
  readonly user: number;
  readonly token: string;
}

/** A chat and who is in it; the first wrote first. */
export interface Room {
  readonly conversation: number;
  readonly members: readonly Account[];
}

/** An id as clients draw them. */
export function randomId(): number {
  return 1 + Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
}

/** Headers of a JSON request. */
export function headers(token?: string): Record<string, string> {
  const json = { 'Content-Type': 'application/json' };
  return token === undefined ? json : { ...json, Authorization: `Bearer ${token}` };
}

interface Created {
  readonly user: number;
  readonly access_token: string;
}

const tokens = __ENV['CHASQUI_TOKENS'];
/** `chasqui user create --tokens FILE` made them. */
const made: readonly Account[] =
  tokens === undefined
    ? []
    : open(tokens)
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Created)
        .map(({ user, access_token }) => ({ user, token: access_token }));

/** So many accounts: from CHASQUI_TOKENS if that is set, else registered now, a few at a time. */
function accounts(count: number): readonly Account[] {
  if (tokens !== undefined) {
    if (made.length < count) fail(`CHASQUI_TOKENS holds ${made.length} accounts, ${count} are needed`);
    return made.slice(0, count);
  }
  const registered: Account[] = [];
  while (registered.length < count) {
    const batch = Array.from({ length: Math.min(8, count - registered.length) }, () => ({
      method: 'POST',
      url: `${URL}/register`,
      body: JSON.stringify({ username: `k6-${randomId().toString(36)}`, password: 'a password for k6' }),
      params: { headers: headers(), responseCallback: http.expectedStatuses(201, 429, 503) },
    }));
    for (const response of http.batch(batch)) {
      if (response.status === 429 || response.status === 503) continue;
      if (response.status !== 201) fail(`register: ${response.status} ${String(response.body)}`);
      const { user, access_token } = response.json() as unknown as Created;
      registered.push({ user, token: access_token });
    }
  }
  return registered;
}

/** So many chats of so many members each: direct ones of two, groups above. */
export function rooms(count: number, size: number): readonly Room[] {
  const all = accounts(count * size);
  return Array.from({ length: count }, (_, index) => {
    const members = all.slice(index * size, (index + 1) * size);
    const [owner, ...others] = members;
    if (owner === undefined || others[0] === undefined) return fail('a room has two members or more');
    const chat =
      size === 2
        ? { kind: 'direct', user: others[0].user }
        : { kind: 'group', title: 'k6', members: others.map(({ user }) => user), client_id: randomId() };
    const response = http.post(`${URL}/chats`, JSON.stringify(chat), { headers: headers(owner.token) });
    if (response.status !== 201 && response.status !== 200) fail(`chats: ${response.status} ${String(response.body)}`);
    return { conversation: (response.json() as unknown as { chat: number }).chat, members };
  });
}
