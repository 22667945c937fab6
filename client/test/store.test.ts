// Both stores keep the same promises; changes add up as if they had been written one by one.

import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EntryFrame, Epoch, MessageId, Sequence } from '../src/codec.ts';
import type { Changes, ConversationRow, OutboxRow, Store } from '../src/store.ts';
import { both, memoryStore, unchanged } from '../src/store.ts';
import { deleteIdbStore, idbStore } from '../src/store-idb.ts';
import { Bench, CHAT, entry, ME } from './model/bench.ts';

const meta = { user: ME, device: 3 as never, epoch: 1 as Epoch, token: Uint8Array.of(1) };

function conversation(have: number): ConversationRow {
  const bench = new Bench();
  bench.online(3);
  return { ...(bench.saved().conversations[0] as ConversationRow), have };
}

function row(cmid: number): OutboxRow {
  return { cmid: cmid as MessageId, conversation: CHAT, floor: 1 as Sequence, kind: 1, body: Uint8Array.of(1), tags: [], queuedAt: cmid };
}

const changes = (some: Partial<Changes>): Changes => ({ ...unchanged(), ...some });
const sequences = (entries: readonly EntryFrame[]): number[] => entries.map(({ sequence }) => sequence);

let names = 0;
const stores: Record<string, () => Store> = { memory: memoryStore, 'IndexedDB': () => idbStore(`store ${++names}`) };

for (const [name, make] of Object.entries(stores)) {
  test(`${name}: what was committed is loaded`, async () => {
    const store = make();
    assert.deepEqual(await store.load(), { meta: undefined, conversations: [], outbox: [] });
    const kept = { meta, conversations: [conversation(3)], outbox: [row(1), row(2)] };
    await store.commit(changes(kept));
    await store.commit(changes({ settled: [{ cmid: 1 as MessageId, sequence: 4 as Sequence, sentAt: 1 }] }));
    assert.deepEqual(await store.load(), { ...kept, outbox: [row(2)] });
  });

  test(`${name}: entries come newest first, of one conversation, within a range, up to a limit`, async () => {
    const store = make();
    const other = entry(5, { conversation: 8 as typeof CHAT });
    await store.commit(changes({ entries: [entry(2), entry(300), entry(4), other, entry(3)] }));
    assert.deepEqual(sequences(await store.entries(CHAT, 1, Number.MAX_SAFE_INTEGER, 10)), [300, 4, 3, 2]);
    assert.deepEqual(sequences(await store.entries(CHAT, 2, 4, 2)), [4, 3]);
    assert.deepEqual(await store.entries(CHAT, 5, 4, 2), []);
    const [kept] = await store.entries(CHAT, 2, 2, 1);
    assert.deepEqual(kept, entry(2));
  });

  test(`${name}: a reset forgets everything but the outbox, before what comes with it`, async () => {
    const store = make();
    await store.commit(changes({ meta, conversations: [conversation(3)], entries: [entry(1)], outbox: [row(1)] }));
    await store.commit(changes({ reset: true, entries: [entry(2)] }));
    assert.deepEqual(await store.load(), { meta: undefined, conversations: [], outbox: [row(1)] });
    assert.deepEqual(sequences(await store.entries(CHAT, 1, 9, 9)), [2]);
  });

  test(`${name}: two changes in one commit are as two commits`, async () => {
    const first = changes({ meta, conversations: [conversation(1)], entries: [entry(1)], outbox: [row(1), row(2)] });
    const settled = [{ cmid: 1 as MessageId, sequence: 1 as Sequence, sentAt: 1 }];
    for (const second of [
      changes({ conversations: [conversation(2)], entries: [entry(2)], settled, outbox: [row(3)] }),
      changes({ reset: true, entries: [entry(9)], settled }),
      changes({ reset: true, meta, conversations: [conversation(5)] }),
    ]) {
      const [apart, together] = [make(), make()];
      await apart.commit(first);
      await apart.commit(second);
      await together.commit(both(first, second));
      assert.deepEqual(await together.load(), await apart.load());
      assert.deepEqual(await together.entries(CHAT, 1, 99, 99), await apart.entries(CHAT, 1, 99, 99));
    }
  });
}

test('IndexedDB: another run finds everything, until it is deleted', async () => {
  await idbStore('lasting').commit(changes({ outbox: [row(1)] }));
  assert.deepEqual((await idbStore('lasting').load()).outbox, [row(1)]);
  await deleteIdbStore('lasting');
  assert.deepEqual((await idbStore('lasting').load()).outbox, []);
});

test('IndexedDB: a commit that fails leaves nothing behind', async () => {
  const store = idbStore('atomic');
  const broken = { ...row(2), tags: [() => undefined] } as unknown as OutboxRow;
  await assert.rejects(store.commit(changes({ entries: [entry(1)], outbox: [row(1), broken] })));
  assert.deepEqual(await store.entries(CHAT, 1, 9, 9), []);
});
