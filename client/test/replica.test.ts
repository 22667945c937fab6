// Following the server: nothing is shown, acknowledged or forgotten too early.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sequence } from '../src/codec.ts';
import { entryKind, errorCode, errorFlag } from '../src/codec.ts';
import { rangeAt, withRange } from '../src/ranges.ts';
import { Bench, BEN, CHAT, entry, fetched, ME, record } from './model/bench.ts';

const row = (bench: Bench): ReturnType<Bench['saved']>['conversations'][0] | undefined => bench.saved().conversations[0];

test('ranges that touch become one', () => {
  assert.deepEqual(withRange([[1, 3], [7, 9]], 4, 6), [[1, 9]]);
  assert.deepEqual(withRange([[5, 6]], 1, 2), [[1, 2], [5, 6]]);
  assert.deepEqual(withRange([[1, 2], [5, 6]], 2, 5), [[1, 6]]);
  assert.deepEqual(withRange([], 4, 4), [[4, 4]]);
  assert.deepEqual(rangeAt([[1, 2], [5, 6]], 5), [5, 6]);
  assert.equal(rangeAt([[1, 2], [5, 6]], 3), undefined);
});

test('HELLO and the first SYNC share a message; the epoch and the token are those of the store', () => {
  const bench = new Bench();
  bench.online(3);
  const next = new Bench(bench.saved());
  next.dial();
  assert.deepEqual(next.written.map(({ frame }) => frame), ['HELLO', 'SYNC']);
  assert.equal(next.last('HELLO').epoch, 1);
  assert.deepEqual(next.last('SYNC').token, Uint8Array.of(9));
});

test('a conversation seen for the first time is followed from its last page on', () => {
  const bench = new Bench();
  bench.dial();
  bench.welcome();
  bench.synced([record(20)], 2);
  assert.deepEqual([bench.last('FETCH').from, bench.last('FETCH').to], [16, 20]);
});

test('what is acknowledged is stored', () => {
  const bench = new Bench();
  bench.online(3);
  bench.hear(entry(4));
  assert.deepEqual(bench.all('ACK'), []);
  bench.stored();
  assert.deepEqual(bench.last('ACK').items, [[CHAT, 4]]);
});

test('an entry ahead of a hole is kept, the hole fetched after a while, and all of it acknowledged then', () => {
  const bench = new Bench();
  bench.online(3);
  bench.hear(entry(6));
  bench.stored();
  assert.equal(row(bench)?.have, 3);
  assert.deepEqual(bench.all('ACK'), []);
  bench.pass(700);
  assert.deepEqual(bench.all('FETCH'), []);
  bench.pass(100);
  const { rid, from, to } = bench.last('FETCH');
  assert.deepEqual([from, to], [4, 5]);
  bench.hear(entry(4), entry(5), fetched(rid, 5));
  bench.stored();
  assert.equal(row(bench)?.have, 6);
  assert.deepEqual(bench.last('ACK').items, [[CHAT, 6]]);
});

test('a hole that fills by itself is not fetched', () => {
  const bench = new Bench();
  bench.online(3);
  bench.hear(entry(5), entry(4));
  bench.pass(5_000);
  assert.deepEqual(bench.all('FETCH'), []);
});

test('an entry in a held range is dropped', () => {
  const bench = new Bench();
  bench.online(3);
  bench.hear(entry(3));
  assert.deepEqual(bench.changes.at(-1)?.entries, []);
});

test('FETCHED asserts its range, whether or not each sequence appeared', () => {
  const bench = new Bench();
  bench.online(3);
  bench.hear({ frame: 'RESYNC', reason: 1 });
  bench.synced([record(9)]);
  const { rid } = bench.last('FETCH');
  bench.hear(entry(5), fetched(rid, 9, 7));
  const more = bench.last('FETCH');
  assert.deepEqual([more.from, row(bench)?.have], [7, 6]);
  bench.hear(fetched(more.rid, 9));
  assert.equal(row(bench)?.have, 9);
});

test('after a reload what was told and not fetched is fetched at once', () => {
  const bench = new Bench();
  bench.online(3);
  bench.hear({ frame: 'RESYNC', reason: 1 });
  bench.synced([record(9)]);
  const next = new Bench(bench.saved());
  next.dial();
  next.welcome();
  assert.deepEqual([next.last('FETCH').from, next.last('FETCH').to], [4, 9]);
});

test('pages of a SYNC: only the last token is stored', () => {
  const bench = new Bench();
  bench.dial();
  bench.welcome();
  const [first] = bench.all('SYNC');
  bench.hear({ frame: 'SYNCED', rid: first?.rid ?? 0, flags: 3, token: Uint8Array.of(1), records: [record(3)] });
  assert.equal(bench.saved().meta, undefined);
  assert.deepEqual(bench.last('SYNC').token, Uint8Array.of(1));
  bench.synced([], 2);
  assert.deepEqual(bench.saved().meta?.token, Uint8Array.of(9));
});

test('a title or a member that is new is asked for by SYNC, one that was told is not', () => {
  const bench = new Bench();
  bench.online(3);
  bench.hear(entry(4, { kind: entryKind.SETTINGS }));
  assert.equal(bench.all('SYNC').length, 1);
  bench.synced([{ ...record(5), title: 'Garden' }]);
  assert.equal(row(bench)?.title, 'Garden');
  bench.take();
  bench.hear(entry(5, { kind: entryKind.MEMBER }));
  assert.deepEqual(bench.all('SYNC'), []);
  bench.hear(entry(6, { kind: entryKind.MEMBER }));
  assert.equal(bench.all('SYNC').length, 1);
});

test('a RESYNC during a SYNC means once more after it', () => {
  const bench = new Bench();
  bench.dial();
  bench.welcome();
  bench.hear({ frame: 'RESYNC', reason: 1 });
  assert.equal(bench.all('SYNC').length, 1);
  bench.synced([], 2);
  assert.equal(bench.all('SYNC').length, 2);
});

test('what a SYNC of everything does not list was left', () => {
  const bench = new Bench();
  bench.online(3);
  bench.hear({ frame: 'RESYNC', reason: 1 });
  bench.synced([], 2);
  assert.equal(row(bench)?.left, true);
});

test('an entry of a conversation that is not known leads to a SYNC', () => {
  const bench = new Bench();
  bench.online();
  bench.hear(entry(1, { conversation: 8 as typeof CHAT }));
  assert.equal(bench.all('SYNC').length, 1);
});

test('a head below what was known: the server was restored', () => {
  const bench = new Bench();
  bench.online(5);
  bench.hear({ frame: 'RESYNC', reason: 1 });
  bench.synced([record(4)]);
  assert.equal(bench.changes.at(-1)?.reset, true);
  assert.deepEqual(bench.last('SYNC').token, new Uint8Array(0));
});

test('READ is told, told again on the next connection, and no more once SYNC confirms it later', () => {
  const bench = new Bench();
  bench.online(3);
  bench.command({ do: 'read', conversation: CHAT, upTo: 3 as Sequence, ord: 3 });
  assert.equal(bench.last('READ').read, 3);
  const again = (told: number, afterMs: number): number => {
    bench.lost();
    bench.pass(bench.state.name === 'waiting' ? bench.state.retryInMs : 0);
    bench.take();
    bench.dial();
    bench.welcome();
    bench.pass(afterMs);
    bench.synced([record(3, { read: told as Sequence, delivered: 3 as Sequence })]);
    return bench.all('READ').length;
  };
  assert.equal(again(2, 0), 2, 'at WELCOME, and because SYNC tells less');
  assert.equal(again(3, 0), 1, 'at WELCOME');
  assert.equal(again(3, 10_000), 1, 'a crash could have undone what SYNC told so soon');
  assert.equal(again(3, 0), 0, 'now it lasts');
});

test('what was read while there was no connection is told by the next one, after a reload too', () => {
  const bench = new Bench();
  bench.online(3);
  bench.lost();
  bench.command({ do: 'read', conversation: CHAT, upTo: 2 as Sequence, ord: 2 });
  const next = new Bench(bench.saved());
  next.dial();
  next.welcome();
  assert.equal(next.last('READ').read, 2);
});

test('unread is a subtraction; one`s own messages are read', () => {
  const bench = new Bench();
  bench.online(3);
  bench.hear(entry(4, { sender: ME }));
  assert.deepEqual([row(bench)?.lastOrd, row(bench)?.readOrd], [4, 4]);
  bench.hear(entry(5));
  assert.deepEqual([row(bench)?.lastOrd, row(bench)?.readOrd], [5, 4]);
});

test('cursors: of the other user by CURSOR and by what they send, one`s own by other devices', () => {
  const bench = new Bench();
  bench.online(3);
  const none = 0 as Sequence;
  const cursor = { frame: 'CURSOR', conversation: CHAT, delivered: 2 as Sequence, read: none, readOrd: 0 } as const;
  bench.hear({ ...cursor, user: BEN });
  assert.deepEqual([row(bench)?.peerDelivered, row(bench)?.peerRead], [2, 3]);
  bench.hear(entry(4));
  assert.equal(row(bench)?.peerRead, 4);
  bench.hear({ ...cursor, user: ME, read: 3 as Sequence, readOrd: 3 });
  assert.deepEqual([row(bench)?.read, row(bench)?.readOrd], [3, 3]);
});

test('a refused SYNC or FETCH is asked again later', () => {
  const bench = new Bench();
  bench.dial();
  bench.welcome();
  bench.refuse(bench.last('SYNC').rid, errorCode.UNAVAILABLE, errorFlag.RETRY | errorFlag.NOT_APPLIED, 2_000);
  bench.take();
  bench.pass(1_999);
  assert.deepEqual(bench.all('SYNC'), []);
  bench.pass(1);
  bench.synced([record(3)], 2);
  bench.refuse(bench.last('FETCH').rid, errorCode.UNAVAILABLE, errorFlag.RETRY | errorFlag.NOT_APPLIED, 0);
  bench.take();
  bench.pass(1_000);
  assert.equal(bench.all('FETCH').length, 1);
});

test('scroll-back is fetched by command, over a new connection if need be', () => {
  const bench = new Bench();
  bench.online(20);
  const command = bench.command({ do: 'fetch', conversation: CHAT, from: 6, to: 15 });
  bench.lost();
  bench.pass(60_000);
  bench.take();
  bench.dial();
  bench.welcome();
  const { rid, from } = bench.last('FETCH');
  bench.hear(entry(6), fetched(rid, 15));
  assert.equal(from, 6);
  assert.deepEqual(row(bench)?.held, [[6, 20]]);
  assert.ok(bench.effects.some((effect) => effect.do === 'done' && effect.command === command));
});

test('ACK is repeated on the next connection until a SYNC confirms it, but where none ever does', () => {
  for (const [memberCount, repeated] of [
    [200, 2],
    [201, 0],
  ] as const) {
    const bench = new Bench();
    bench.online(3);
    bench.hear({ frame: 'RESYNC', reason: 1 });
    bench.synced([record(3, { kind: 2, memberCount, delivered: 3 as Sequence })]);
    bench.lost();
    bench.pass(bench.state.name === 'waiting' ? bench.state.retryInMs : 0);
    bench.take();
    bench.dial();
    bench.welcome();
    bench.synced([record(3, { kind: 2, memberCount })]);
    const acks = bench.all('ACK');
    assert.equal(acks.length, repeated, `${memberCount}`);
    for (const { items } of acks) assert.deepEqual(items, [[CHAT, 3]]);
  }
});
