// Tabs of one account share one connection and one outbox, and go on when the one that leads ends.

import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { idbStore } from '../src/store-idb.ts';
import { chatBetween, newAccount, newChat, opened, textOf, until } from './model/people.ts';
import { ServerProcess } from './model/server_process.ts';

/** Web Locks, of which Node 20 has none: one holder at a time, in the order of asking. */
class Locks {
  readonly #tails = new Map<string, Promise<unknown>>();

  request(name: string, hold: () => Promise<unknown>): Promise<unknown> {
    const held = (this.#tails.get(name) ?? Promise.resolve()).then(hold);
    this.#tails.set(name, held);
    return held;
  }
}
Object.defineProperty(globalThis, 'navigator', { value: { locks: new Locks() }, configurable: true });

let server: ServerProcess;
before(async () => (server = await ServerProcess.start('--dev')));
after(() => server.end());

test('two tabs, one connection; the second goes on when the first ends', async () => {
  const [ana, ben] = [await newAccount(server), await newAccount(server)];
  const where = await chatBetween(ana, ben);
  const tabs = [newChat(server, ana, idbStore('ana')), newChat(server, ana, idbStore('ana'))] as const;
  const [first, second] = tabs;
  for (const tab of tabs) {
    tab.timeline(where);
    await tab.connect();
  }
  assert.equal(opened.count, 1);
  const other = newChat(server, ben);
  other.timeline(where);
  await other.connect();
  await until('all know the chat', () => [...tabs, other].every((each) => each.conversation(where)));

  await Promise.all([first.send(where, 'one').settled, second.send(where, 'two').settled]);
  await other.send(where, 'three').settled;
  const lines = (of: typeof first): string[] => of.timeline(where).items.map(textOf);
  await until('both tabs show all', () => tabs.every((tab) => lines(tab).length === 3));
  assert.deepEqual(lines(first), lines(second));
  other.typing(where);
  await until('both see who types', () => tabs.every((tab) => tab.conversation(where)?.typing.length === 1));
  second.read(where);
  await until('what is read in one is read in both', () => tabs.every((tab) => tab.conversation(where)?.unread === 0));

  // Some are sent while nobody leads.
  const during = [second.send(where, 'four')];
  const closing = first.close();
  during.push(second.send(where, 'five'));
  await closing;
  during.push(second.send(where, 'six'));
  await Promise.all(during.map(({ settled }) => settled));
  assert.equal(opened.count, 3, 'the second tab has a connection of its own now');
  await until('the other one has all', () => lines(other).length === 6);
  assert.deepEqual(lines(other).slice(3), ['four', 'five', 'six']);
  assert.deepEqual(lines(second), lines(other));
  await Promise.all([second.close(), other.close()]);
});

test('scroll-back in a tab that does not lead', async () => {
  const [ana, ben] = [await newAccount(server), await newAccount(server)];
  const where = await chatBetween(ana, ben);
  const other = newChat(server, ben);
  await other.connect();
  await Promise.all(Array.from({ length: 150 }, (_, at) => other.send(where, `${at}`).settled));
  const tabs = [newChat(server, ana, idbStore('long')), newChat(server, ana, idbStore('long'))] as const;
  for (const tab of tabs) await tab.connect();
  const timeline = tabs[1].timeline(where);
  await until('the last page is there', () => timeline.items.length >= 50);
  while (timeline.hasOlder) await timeline.loadOlder();
  assert.deepEqual(timeline.items.map(textOf), Array.from({ length: 150 }, (_, at) => `${at}`));
  const texts: (number | undefined)[] = [];
  for await (const entry of tabs[1].history(where)) texts.push(entry.sequence);
  assert.deepEqual(texts, Array.from({ length: 150 }, (_, at) => 150 - at));
  await Promise.all([...tabs, other].map((each) => each.close()));
});

test('what a leader settled and did not live to tell is settled for the tab that asked', async () => {
  const ana = await newAccount(server);
  const ben = await newAccount(server);
  const where = await chatBetween(ana, ben);
  const silent = idbStore('silent');
  let mute = false;
  const { tabs } = silent;
  assert.ok(tabs);
  const states: string[] = [];
  const post = (message: unknown): void => {
    const { is, state } = message as { is: string; state?: { name: string } };
    if (is === 'state') states.push(state?.name ?? '');
    if (!mute || is !== 'changes') tabs.post(message);
  };
  const leader = newChat(server, ana, { ...silent, tabs: { ...tabs, post } });
  await leader.connect();
  const follower = newChat(server, ana, idbStore('silent'));
  await follower.connect();
  await until('the chat is known', () => follower.conversation(where) !== undefined);
  mute = true;
  const { settled } = follower.send(where, 'hello');
  await until('the leader has it', () => leader.conversation(where)?.lastSequence === 1);
  await leader.close();
  assert.ok(!states.includes('closed'), 'that one tab is closed ends no other');
  assert.equal((await settled).sequence, 1);
  await follower.close();
});
