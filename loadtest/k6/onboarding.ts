// A first session over REST: register, sign in, profile, contacts, chats, send, receive by long
// poll, sign out. Every answer is checked, and every message must arrive once, in order.

import http from 'k6/http';
import type { Response } from 'k6/http';
import { read, Stream, write } from './lib/ledger.ts';
import * as metrics from './lib/metrics.ts';
import { headers, randomId, URL } from './lib/rest.ts';
import { setting } from './lib/settings.ts';
import { summarize } from './lib/summary.ts';

const MESSAGES = setting('MESSAGES', 5);

export const options = {
  scenarios: {
    onboarding: {
      executor: 'per-vu-iterations',
      vus: setting('VUS', 1),
      iterations: setting('ITERATIONS', 2),
      maxDuration: `${setting('SECONDS_MAX', 600)}s`,
    },
  },
  thresholds: {
    ...metrics.allChecks,
    messages_acknowledged: ['count>0'],
    messages_delivered: ['count>0'],
    messages_lost: ['count==0'],
    messages_duplicated: ['count==0'],
    messages_reordered: ['count==0'],
  },
  summaryTrendStats: metrics.trendStats,
};

interface Person {
  readonly name: string;
  readonly user: number;
  readonly token: string;
}

const PASSWORD = 'a password for k6';

/** One request; its answer must have this status. The path of the check and the metric has no ids. */
function call(method: string, path: string, status: number, token?: string, body?: object): Response {
  const name = path.replace(/\/\d+/g, '/ID').replace(/=[^&]+/g, '=VALUE');
  const params = { headers: headers(token), tags: { name: `${method} ${name}` }, responseCallback: http.expectedStatuses(status) };
  const response = http.request(method, `${URL}${path}`, body === undefined ? null : JSON.stringify(body), params);
  metrics.checked(response, { [`${method} ${name} is ${status}`]: (answer) => answer.status === status });
  return response;
}

function fields<T>(response: Response): Partial<T> {
  try {
    return response.json() as unknown as T;
  } catch {
    return {};
  }
}

function join(): Person {
  const username = `k6-${randomId().toString(36)}`;
  call('POST', '/register', 201, undefined, { username, password: PASSWORD, device_name: 'k6' });
  const login = { username, password: PASSWORD, device_name: 'k6 again' };
  const signedIn = fields<{ user: number; access_token: string }>(call('POST', '/login', 200, undefined, login));
  const [user, token] = [signedIn.user ?? 0, signedIn.access_token ?? ''];
  call('PATCH', '/user/profile', 200, token, { display_name: 'K6', about: 'measuring' });
  const profile = fields<{ about: string }>(call('GET', '/user/profile', 200, token));
  metrics.checked(profile, { 'the profile is kept': ({ about }) => about === 'measuring' });
  return { name: username, user, token };
}

/** Makes two people contacts and gives them a chat. */
function meet(ana: Person, ben: Person): number {
  const found = fields<{ items: { user: number }[] }>(call('GET', `/users?username=${ben.name}`, 200, ana.token));
  metrics.checked(found, { 'a name is found': ({ items }) => items?.[0]?.user === ben.user });
  call('POST', '/contacts', 201, ana.token, { user: ben.user });
  const contacts = fields<{ items: { user: number }[] }>(call('GET', '/contacts', 200, ana.token));
  metrics.checked(contacts, { 'a contact is listed': ({ items }) => items?.some(({ user }) => user === ben.user) === true });
  const created = { kind: 'direct', user: ben.user };
  const { chat } = fields<{ chat: number }>(call('POST', '/chats', 201, ana.token, created));
  const again = fields<{ chat: number }>(call('POST', '/chats', 200, ana.token, created));
  metrics.checked(again, { 'a direct chat is made once': (found) => chat !== undefined && found.chat === chat });
  const chats = fields<{ items: { chat: number }[] }>(call('GET', '/chats?limit=20', 200, ben.token));
  metrics.checked(chats, { 'the other has it': ({ items }) => items?.some((found) => found.chat === chat) === true });
  return chat ?? 0;
}

/** Sends every message twice, as after a lost answer; it must be stored once. Which were not. */
function send(run: number, chat: number, ana: Person): ReadonlySet<number> {
  const unacknowledged = new Set<number>();
  for (let number = 1; number <= MESSAGES; number++) {
    const due = Date.now();
    const body = { chat, client_id: randomId(), text: write(run, number, due, 64) };
    const first = fields<{ sequence: number }>(call('POST', '/message/send', 201, ana.token, body));
    metrics.dueToSent.add(Date.now() - due);
    if (first.sequence === undefined) unacknowledged.add(number);
    else metrics.messagesAcknowledged.add(1);
    const second = fields<{ sequence: number; duplicate: boolean }>(call('POST', '/message/send', 200, ana.token, body));
    metrics.checked(second, {
      'a repeated send finds the first': ({ sequence, duplicate }) => duplicate === true && sequence === first.sequence,
    });
  }
  return unacknowledged;
}

interface Entry {
  readonly chat: number;
  readonly sequence: number;
  readonly kind: string;
  readonly text?: string;
}

/** Polls until everything has arrived, acknowledging what came with the next poll. */
function receive(run: number, chat: number, ben: Person, unacknowledged: ReadonlySet<number>): void {
  const stream = new Stream();
  let acks: { chat: number; sequence: number }[] = [];
  for (let delivered = 0, empty = 0; delivered < MESSAGES && empty < 3; ) {
    const answer = fields<{ entries: Entry[] }>(call('POST', '/message/receive', 200, ben.token, { acks, wait: 2 }));
    const entries = answer.entries ?? [];
    if (entries.length === 0) empty += 1;
    acks = [...new Set(entries.map((entry) => entry.chat))].map((of) => ({
      chat: of,
      sequence: Math.max(...entries.filter((entry) => entry.chat === of).map(({ sequence }) => sequence)),
    }));
    for (const entry of entries) {
      const message = entry.chat === chat && entry.kind === 'message' ? read(run, entry.text ?? '') : undefined;
      if (message === undefined) continue;
      const came = stream.take(message.number);
      if (came === 'duplicated') metrics.messagesDuplicated.add(1);
      else delivered += 1;
      if (came === 'reordered') metrics.messagesReordered.add(1);
      metrics.messagesDelivered.add(came === 'duplicated' ? 0 : 1);
    }
  }
  metrics.messagesLost.add(stream.lost(MESSAGES, unacknowledged));
  const last = fields<{ entries: Entry[] }>(call('POST', '/message/receive', 200, ben.token, { acks, wait: 0 }));
  metrics.checked(last, { 'what is acknowledged does not come again': ({ entries }) => entries?.length === 0 });
}

export default function (): void {
  const run = randomId();
  const [ana, ben] = [join(), join()];
  const chat = meet(ana, ben);
  receive(run, chat, ben, send(run, chat, ana));
  for (const { token } of [ana, ben]) {
    call('POST', '/logout', 204, token);
    call('GET', '/user/profile', 401, token);
  }
}

export const handleSummary = summarize('onboarding');
