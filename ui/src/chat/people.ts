// Names. People are known by their ids; what they are called is asked for once, for many at a time, and
// kept, so that names are there without a network.

import { signal } from '@preact/signals';
import type { UserId } from '@chasqui/client/index';
import { id } from '@chasqui/client/index';
import { account, profile } from './session.ts';

export interface Person {
  readonly user: UserId;
  readonly username: string;
  readonly display_name: string;
}

/** The same as an answer of the server has it. */
type Told = Omit<Person, 'user'> & { readonly user: number };

const KEY = `chasqui people ${profile}`;
/** The most that one request may ask for. */
const IDS_MAX = 100;
const RETRY_MS = 5_000;

const known = signal<ReadonlyMap<UserId, Person>>(new Map(load().map((person) => [person.user, person])));
const wanted = new Set<UserId>();
const asked = new Set<UserId>();
let scheduled = false;

function load(): readonly Person[] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '[]') as Person[];
  } catch {
    return [];
  }
}

/** Takes note of people that an answer of the server had. */
export function remember(told: readonly Told[]): readonly Person[] {
  const people = told.map(({ user, username, display_name }) => ({ user: id<UserId>(user), username, display_name }));
  known.value = new Map([...known.value, ...people.map((person) => [person.user, person] as const)]);
  try {
    localStorage.setItem(KEY, JSON.stringify([...known.value.values()]));
  } catch {
    // A full storage costs names without a network, no more.
  }
  return people;
}

export function forgetPeople(): void {
  known.value = new Map();
  asked.clear();
  localStorage.removeItem(KEY);
}

/** The person, once they are known; asks for whoever is not. */
export function personOf(user: UserId): Person | undefined {
  const person = known.value.get(user);
  if (!asked.has(user)) {
    asked.add(user);
    wanted.add(user);
    if (!scheduled) setTimeout(ask);
    scheduled = true;
  }
  return person;
}

export const nameOf = (user: UserId): string => personOf(user)?.display_name ?? '…';

async function ask(): Promise<void> {
  scheduled = false;
  const ids = [...wanted].slice(0, IDS_MAX);
  if (ids.length === 0 || !account.me) return;
  ids.forEach((user) => wanted.delete(user));
  try {
    const { items } = await account.rest('GET', '/users', { query: { ids: ids.join(',') } });
    remember(items);
    if (wanted.size > 0) await ask();
  } catch {
    ids.forEach((user) => wanted.add(user));
    scheduled = true;
    setTimeout(ask, RETRY_MS);
  }
}
