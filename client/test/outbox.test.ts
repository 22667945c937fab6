// Sending: each message once and in order, whatever is refused, lost or restored.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sequence } from '../src/codec.ts';
import { errorCode, errorFlag } from '../src/codec.ts';
import { Bench, CHAT, entry, fetched, ME, record, sent } from './model/bench.ts';

const HOLDS = errorFlag.RETRY | errorFlag.NOT_APPLIED;

test('a message leaves only once it is stored, with its floor', () => {
  const bench = new Bench();
  bench.online(5);
  const row = { ...new Bench().send(1, 6), conversation: CHAT };
  bench.command({ do: 'send', row, stored: false });
  assert.deepEqual(bench.all('SEND'), []);
  assert.equal(bench.changes.at(-1)?.outbox[0]?.floor, 6);
  bench.stored();
  assert.equal(bench.last('SEND').floor, 6);
});

test('typing is told now and then, and at once after a message', () => {
  const bench = new Bench();
  bench.online(5);
  const type = (active = true): number => {
    bench.command({ do: 'typing', conversation: CHAT, active });
    return bench.all('EPHEMERAL').length;
  };
  assert.deepEqual([type(), type()], [1, 1]);
  bench.pass(3_000);
  assert.equal(type(), 2);
  bench.send(1, 6);
  assert.equal(type(), 3);
  assert.deepEqual([type(false), type(false)], [4, 4]);
  assert.deepEqual(bench.all('EPHEMERAL').map(({ kind }) => kind), [1, 1, 1, 2]);
});

test('a row is sent again on the next connection with the same cmid and floor', () => {
  const bench = new Bench();
  bench.online(5);
  bench.send(1, 6);
  const first = bench.last('SEND');
  bench.hear(entry(6), entry(7));
  bench.lost();
  bench.pass(60_000);
  bench.dial();
  bench.welcome();
  const second = bench.last('SEND');
  assert.notEqual(second.rid, first.rid);
  assert.deepEqual({ ...second, rid: 0 }, { ...first, rid: 0 });
});

test('rows go out in the order of the outbox, after a reload too', () => {
  const bench = new Bench();
  bench.online();
  bench.lost();
  [3, 1, 2].forEach((cmid) => bench.send(cmid));
  const next = new Bench({ ...bench.saved(), outbox: [...bench.saved().outbox].reverse() });
  next.dial();
  next.welcome();
  assert.deepEqual(next.all('SEND').map((send) => send.cmid), [3, 1, 2]);
});

test('SENT settles a row and is its entry', () => {
  const bench = new Bench();
  bench.online(5);
  bench.send(1, 6);
  bench.hear(sent(bench.last('SEND').rid, 6));
  const changes = bench.changes.at(-1);
  assert.equal(changes?.settled[0]?.sequence, 6);
  assert.deepEqual(changes?.entries.map(({ sequence, sender, cmid }) => [sequence, sender, cmid]), [[6, ME, 1]]);
  assert.equal(changes?.conversations[0]?.have, 6);
});

test('an entry with its cmid settles a row; the SENT that follows adds nothing', () => {
  const bench = new Bench();
  bench.online(5);
  const row = bench.send(1, 6);
  const { rid } = bench.last('SEND');
  bench.hear(entry(6, { sender: ME, cmid: row.cmid }));
  assert.equal(bench.changes.at(-1)?.settled[0]?.sequence, 6);
  const before = bench.changes.length;
  bench.hear(sent(rid, 6));
  assert.deepEqual(bench.changes.slice(before).flatMap((changes) => [...changes.entries, ...changes.settled]), []);
});

test('a refusal that invites another try holds everything until all is answered and the time is over', () => {
  const bench = new Bench();
  bench.online();
  [1, 2, 3].forEach((cmid) => bench.send(cmid));
  const [one, two, three] = bench.all('SEND').map(({ rid }) => rid) as [number, number, number];
  bench.take();
  bench.hear(sent(one, 1));
  bench.refuse(two, errorCode.OVERLOADED, HOLDS, 300);
  bench.send(4);
  bench.pass(1_000);
  assert.deepEqual(bench.all('SEND'), [], 'nothing before the last answer');
  bench.refuse(three, errorCode.OVERLOADED, HOLDS, 300);
  assert.deepEqual(bench.all('SEND'), [], 'nothing before retry_ms');
  bench.take();
  bench.pass(300);
  assert.deepEqual(bench.written.map((frame) => (frame.frame === 'SEND' ? frame.cmid : frame.frame)), ['RESUME', 2, 3, 4]);
});

test('an unknown outcome is sent again, the same', () => {
  const bench = new Bench();
  bench.online();
  bench.send(1);
  const first = bench.last('SEND');
  bench.refuse(first.rid, errorCode.OUTCOME_UNKNOWN, errorFlag.RETRY | errorFlag.UNKNOWN, 50);
  bench.take();
  bench.pass(50);
  assert.deepEqual(bench.take(), [{ frame: 'RESUME' }, { ...first, rid: first.rid + 1 }]);
});

test('a refusal for good fails the row and holds nothing; it can be tried again or discarded', () => {
  const bench = new Bench();
  bench.online();
  const row = bench.send(1);
  bench.refuse(bench.last('SEND').rid, errorCode.FORBIDDEN, errorFlag.NOT_APPLIED);
  assert.equal(bench.changes.at(-1)?.outbox[0]?.error?.code, errorCode.FORBIDDEN);
  bench.take();
  bench.send(2);
  assert.equal(bench.last('SEND').cmid, 2);
  bench.command({ do: 'retry', cmid: row.cmid });
  bench.stored();
  assert.deepEqual(bench.all('SEND').map(({ cmid, floor }) => [cmid, floor]), [[2, 1], [1, 1]]);
  bench.refuse(bench.last('SEND').rid, errorCode.FORBIDDEN, errorFlag.NOT_APPLIED);
  bench.command({ do: 'discard', cmid: row.cmid });
  assert.deepEqual(bench.changes.at(-1)?.settled, [{ cmid: 1, sequence: 0, sentAt: 0 }]);
});

test('a floor too far back: SYNC, look through the log, raise it, store it, go on', () => {
  const bench = new Bench();
  bench.online(5);
  [1, 2].forEach((cmid) => bench.send(cmid, 2));
  const [one, two] = bench.all('SEND').map(({ rid }) => rid) as [number, number];
  bench.refuse(one, errorCode.FLOOR_OUT_OF_RANGE, HOLDS);
  bench.refuse(two, errorCode.OVERLOADED, HOLDS);
  bench.hear({ frame: 'RESYNC', reason: 1 });
  bench.synced([]);
  bench.synced([]);
  const fetch = bench.last('FETCH');
  assert.deepEqual([fetch.from, fetch.to], [2, 0]);
  bench.take();
  // The first is found, the second is not.
  bench.hear(entry(6, { sender: ME, cmid: 1 as never }), fetched(fetch.rid, 9));
  assert.deepEqual(bench.all('SEND'), []);
  bench.stored();
  assert.deepEqual(bench.all('SEND').map(({ cmid, floor }) => [cmid, floor]), [[2, 10]]);
});

test('a row that is tried again keeps a floor below what was looked through', () => {
  const bench = new Bench();
  bench.online(5);
  const failed = bench.send(1, 2);
  bench.refuse(bench.last('SEND').rid, errorCode.FORBIDDEN, errorFlag.NOT_APPLIED);
  bench.send(2, 4);
  bench.refuse(bench.last('SEND').rid, errorCode.FLOOR_OUT_OF_RANGE, HOLDS);
  bench.synced([]);
  const fetch = bench.last('FETCH');
  assert.equal(fetch.from, 4);
  bench.command({ do: 'retry', cmid: failed.cmid });
  bench.take();
  bench.hear(fetched(fetch.rid, 9));
  bench.stored();
  assert.deepEqual(bench.all('SEND').map(({ cmid, floor }) => [cmid, floor]), [[2, 10], [1, 2]]);
});

test('a log that cannot be looked through fails its rows', () => {
  const bench = new Bench();
  bench.online(5);
  bench.send(1, 2);
  bench.refuse(bench.last('SEND').rid, errorCode.FLOOR_OUT_OF_RANGE, HOLDS);
  bench.synced([]);
  bench.refuse(bench.last('FETCH').rid, errorCode.NOT_FOUND, errorFlag.NOT_APPLIED);
  assert.equal(bench.changes.at(-1)?.outbox[0]?.error?.code, errorCode.NOT_FOUND);
});

test('a server restored from a backup: floors go down to its heads before anything is sent', () => {
  const bench = new Bench();
  bench.online(5);
  bench.hear(entry(6));
  bench.stored();
  bench.lost();
  bench.send(1, 7);
  bench.pass(60_000);
  bench.dial();
  bench.take();
  bench.welcome(2);
  assert.deepEqual(bench.all('SEND'), []);
  assert.equal(bench.changes.at(-1)?.reset, true);
  bench.written.push({ frame: 'SYNC', rid: 3, limit: 0, token: new Uint8Array(0) });
  bench.synced([record(4)], 2);
  bench.stored();
  const said = bench.written.filter(({ frame }) => frame === 'RESUME' || frame === 'SEND');
  assert.deepEqual(said.map((frame) => (frame.frame === 'SEND' ? frame.floor : frame.frame)), ['RESUME', 5]);
});

test('a crash between the new epoch and the lowered floors changes nothing', () => {
  const bench = new Bench();
  bench.online(5);
  bench.lost();
  bench.send(1, 6);
  bench.pass(60_000);
  bench.dial();
  bench.welcome(2);
  const next = new Bench(bench.saved());
  next.dial();
  assert.equal(next.last('HELLO').epoch, undefined);
  next.welcome(2);
  next.synced([record(4)], 2);
  next.stored();
  assert.equal(next.last('SEND').floor, 5);
});

test('another tab stored a row already: it is sent at once, and once', () => {
  const bench = new Bench();
  bench.online();
  const row = new Bench().send(1);
  bench.command({ do: 'send', row, stored: true });
  bench.command({ do: 'send', row, stored: true });
  assert.equal(bench.all('SEND').length, 1);
});

test('no more SENDs are open than WELCOME allows', () => {
  const bench = new Bench();
  bench.online();
  for (let cmid = 1; cmid <= 70; cmid++) bench.send(cmid);
  assert.equal(bench.all('SEND').length, 64);
  bench.hear(sent(bench.all('SEND')[0]?.rid ?? 0, 1 as Sequence));
  assert.equal(bench.all('SEND').length, 65);
});
