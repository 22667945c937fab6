// Against a real server: the REST functions, and two people who chat while it is killed and restarted.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Unauthorized } from '../src/index.ts';
import { Problem } from '../src/rest.ts';
import { chatBetween, newAccount, newChat, textOf, until } from './model/people.ts';
import { ServerProcess } from './model/server_process.ts';

let server: ServerProcess;
before(async () => (server = await ServerProcess.start('--dev')));
after(() => server.end());

test('requests are typed, refusals are problems', async () => {
  const ana = await newAccount(server);
  const profile = await ana.rest('GET', '/user/profile');
  assert.equal(profile.user, ana.me?.user);
  const found = await ana.rest('GET', '/users', { query: { username: profile.username } });
  assert.deepEqual(found.items.map(({ user }) => user), [profile.user]);
  await assert.rejects(ana.rest('GET', '/chats/{chat}', { path: { chat: 1 } }), (error) => {
    assert.ok(error instanceof Problem);
    assert.deepEqual([error.status, error.code, error.problem], [404, 4, 'not-found']);
    return true;
  });
});

test('a sign-in lasts until it is given up', async () => {
  const ana = await newAccount(server);
  const first = await ana.getToken({ reason: 'initial' });
  assert.equal(await ana.getToken({ reason: 'initial' }), first);
  const renewed = await Promise.all([1, 2].map(() => ana.getToken({ reason: 'expired' })));
  assert.equal(renewed[0], renewed[1]);
  assert.equal((await ana.rest('GET', '/user/profile')).user, ana.me?.user);
  await ana.logout();
  assert.equal(ana.me, undefined);
  await assert.rejects(ana.getToken({ reason: 'initial' }), Unauthorized);
});

test('typing, reading and ticks come across', async () => {
  const [ana, ben] = [await newAccount(server), await newAccount(server)];
  const where = await chatBetween(ana, ben);
  const [one, other] = [newChat(server, ana), newChat(server, ben)];
  await Promise.all([one.connect(), other.connect()]);
  await until('both know the chat', () => [one, other].every((each) => each.conversation(where)));
  one.typing(where);
  await until('typing is seen', () => other.conversation(where)?.typing[0] === ana.me?.user);
  const { settled } = one.send(where, 'hello');
  assert.equal(one.timeline(where).items.at(-1)?.status, 'queued');
  assert.equal((await settled).sequence, 1);
  await until('it has arrived', () => other.conversation(where)?.unread === 1);
  await until('it is told as delivered', () => one.conversation(where)?.peerDelivered === 1);
  other.read(where);
  await until('it is told as read', () => one.conversation(where)?.peerRead === 1);
  assert.equal(other.conversation(where)?.unread, 0);
  await Promise.all([one.close({ drain: 1_000 }), other.close()]);
});

test('a server that is killed in mid-chat: nothing lost, doubled or reordered', async (t) => {
  const [ana, ben] = [await newAccount(server), await newAccount(server)];
  const where = await chatBetween(ana, ben);
  const chats = [newChat(server, ana), newChat(server, ben)] as const;
  await Promise.all(chats.map((each) => each.connect()));
  await until('both know the chat', () => chats.every((each) => each.conversation(where)));
  chats.forEach((each) => each.timeline(where));
  const [KILLS, EACH] = [5, 60];
  const sent: { text: string; settled: Promise<unknown> }[][] = [[], []];
  for (let round = 0; round < KILLS; round++) {
    for (let left = EACH; left > 0; left--) {
      chats.forEach((each, who) => {
        const text = `${who} ${sent[who]?.length}`;
        sent[who]?.push({ text, settled: each.send(where, text).settled });
      });
      if (left === Math.floor(EACH / 2)) await server.kill();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await server.again();
  }
  await Promise.all(sent.flat().map(({ settled }) => settled));
  const total = 2 * KILLS * EACH;
  await until('both have all', () => chats.every((each) => each.timeline(where).items.length >= total));
  const shown = chats.map((each) => each.timeline(where).items);
  assert.deepEqual(shown[0]?.map((item) => item.sequence), Array.from({ length: total }, (_, at) => at + 1));
  assert.deepEqual(shown[0]?.map(textOf), shown[1]?.map(textOf));
  for (const who of [0, 1]) {
    const theirs: string[] | undefined = shown[0]?.map(textOf).filter((line) => line.startsWith(`${who} `));
    assert.deepEqual(theirs, sent[who]?.map(({ text }) => text));
  }
  t.diagnostic(`${total} messages over ${KILLS} kills: 0 lost, 0 doubled, 0 reordered`);
  await Promise.all(chats.map((each) => each.close()));
});
