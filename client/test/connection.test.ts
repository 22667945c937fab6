// The life of a connection: when it asks, waits, pings, gives up and comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeCode, errorCode, errorFlag } from '../src/codec.ts';
import type { TokenReason } from '../src/connection.ts';
import { Bench } from './model/bench.ts';

const reasons = (bench: Bench): TokenReason[] =>
  bench.effects.flatMap((effect) => (effect.do === 'token' ? [effect.reason] : []));
const waits = (bench: Bench): number => (bench.state.name === 'waiting' ? bench.state.retryInMs : Number.NaN);

test('states on the way to online', () => {
  const bench = new Bench();
  bench.on({ on: 'start' });
  assert.equal(bench.state.name, 'connecting');
  bench.dial();
  bench.welcome();
  assert.deepEqual(bench.state, { name: 'online', synced: false });
  bench.synced([], 2);
  assert.deepEqual(bench.state, { name: 'online', synced: true });
});

test('backoff doubles up to a minute, with full jitter, and starts anew after a minute of health', () => {
  const bench = new Bench(undefined, 1);
  bench.online();
  bench.pass(40_000);
  bench.hear();
  bench.pass(19_000);
  const delays = Array.from({ length: 9 }, () => {
    bench.lost();
    const delay = waits(bench);
    bench.pass(delay);
    bench.on({ on: 'token', token: 'token' });
    return delay;
  });
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  bench.on({ on: 'opened' });
  bench.welcome();
  bench.synced([], 2);
  for (let left = 4; left > 0; left--) {
    bench.pass(20_000);
    bench.hear();
  }
  bench.lost();
  assert.equal(waits(bench), 500);
});

test('PING after one interval of silence in either direction', () => {
  const bench = new Bench();
  bench.online();
  bench.pass(24_999);
  assert.deepEqual(bench.all('PING'), []);
  bench.pass(1);
  assert.equal(bench.all('PING').length, 1);
  bench.hear({ frame: 'PONG', nonce: 1 });
  bench.pass(24_999);
  assert.equal(bench.all('PING').length, 1);
});

test('a server that says nothing is dead after one and a half intervals and ten seconds', () => {
  const bench = new Bench();
  bench.online();
  bench.pass(47_499);
  assert.equal(bench.state.name, 'online');
  bench.pass(1);
  assert.equal(bench.state.name, 'waiting');
  assert.ok(bench.effects.some((effect) => effect.do === 'hangup'));
});

test('a request without an answer for thirty seconds ends the connection, however lively', () => {
  const bench = new Bench();
  bench.online();
  bench.send(1);
  bench.pass(20_000);
  bench.hear({ frame: 'PONG', nonce: 1 });
  bench.pass(9_999);
  assert.equal(bench.state.name, 'online');
  bench.pass(1);
  assert.equal(bench.state.name, 'waiting');
});

test('a connection that does not come about is given up after thirty seconds', () => {
  const bench = new Bench();
  bench.on({ on: 'start' });
  bench.pass(30_000);
  assert.equal(bench.state.name, 'waiting');
});

test('a token that expired is refreshed', () => {
  const bench = new Bench();
  bench.dial();
  bench.hear({ frame: 'ERROR', rid: 0, code: errorCode.EXPIRED, flags: errorFlag.RETRY, retryMs: 0, text: '' });
  bench.lost(1005);
  bench.pass(10_000);
  assert.deepEqual(reasons(bench), ['initial', 'expired']);
});

test('4500 once is a reason to refresh, twice to stop', () => {
  const bench = new Bench();
  bench.dial();
  bench.lost(closeCode.UNAUTHENTICATED);
  bench.pass(1_000);
  assert.deepEqual(reasons(bench), ['initial', 'rejected']);
  bench.on({ on: 'token', token: 'token' });
  bench.lost(closeCode.UNAUTHENTICATED);
  assert.deepEqual(bench.state, { name: 'closed', code: 4500 });
});

test('no token for good stops; no token for now is tried again', () => {
  const bench = new Bench();
  bench.on({ on: 'start' });
  bench.on({ on: 'tokenless', unauthorized: false });
  assert.equal(bench.state.name, 'waiting');
  bench.pass(1_000);
  bench.on({ on: 'tokenless', unauthorized: true });
  assert.deepEqual(bench.state, { name: 'closed', code: 4500 });
});

test('close codes from 4500 on stop, all others come back', () => {
  for (const code of [1000, 1006, 4000, 4004, 4499, 4501, 4504, 4505, 4999]) {
    const bench = new Bench();
    bench.online();
    bench.lost(code);
    assert.equal(bench.state.name, code < 4500 ? 'waiting' : 'closed', `${code}`);
  }
});

test('where the close code cannot be seen, the last ERROR tells', () => {
  const bench = new Bench();
  bench.online();
  bench.hear({ frame: 'ERROR', rid: 0, code: errorCode.MALFORMED, flags: errorFlag.NOT_APPLIED, retryMs: 0, text: '' });
  bench.lost(1005);
  assert.equal(bench.state.name, 'closed');
});

test('after GOAWAY it leaves within the spread and comes back at once', () => {
  const bench = new Bench();
  bench.online();
  bench.hear({ frame: 'GOAWAY', reason: 1, spreadMs: 10_000, graceMs: 20_000 });
  bench.pass(4_999);
  assert.equal(bench.state.name, 'online');
  bench.pass(1);
  assert.equal(bench.state.name, 'connecting');
  const other = new Bench();
  other.online();
  other.hear({ frame: 'GOAWAY', reason: 1, spreadMs: 10_000, graceMs: 20_000 });
  other.lost(closeCode.RESTART);
  assert.equal(waits(other), 5_000);
});

test('a change of network tries at once, but not more often than every two seconds', () => {
  const bench = new Bench();
  bench.online();
  bench.on({ on: 'network', up: false });
  assert.equal(bench.state.name, 'offline');
  bench.pass(10_000);
  bench.on({ on: 'network', up: true });
  assert.equal(bench.state.name, 'connecting');
  bench.on({ on: 'tokenless', unauthorized: false });
  bench.on({ on: 'nudge' });
  assert.equal(waits(bench), 2_000);
});

test('a broken message ends the connection; what came before it stands', () => {
  const bench = new Bench();
  bench.online();
  bench.on({ on: 'message', frames: [{ frame: 'PING', nonce: 5 }], broken: true });
  assert.deepEqual(bench.take(), [{ frame: 'PONG', nonce: 5 }]);
  assert.equal(bench.state.name, 'waiting');
});

test('a store of another user stays unused', () => {
  const bench = new Bench();
  bench.online();
  const saved = bench.saved();
  assert.ok(saved.meta);
  const next = new Bench({ ...saved, meta: { ...saved.meta, user: 99 as typeof saved.meta.user } });
  next.dial();
  next.welcome();
  assert.equal(next.state.name, 'closed');
});
