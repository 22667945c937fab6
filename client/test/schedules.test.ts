// Seeded schedules of faults: nothing is lost, doubled, reordered or shown with a hole, and every send
// settles. One that fails names its seed; CHASQUI_SEED=n runs that one alone.

import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Outcome } from './model/schedule.ts';
import { runSchedule } from './model/schedule.ts';

/** Every fourth one has restores from a backup in it. */
async function run(seeds: readonly number[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const seed of seeds) outcomes.push(await runSchedule(seed, seed % 4 === 0));
  return outcomes;
}

function inWorker(seeds: readonly number[]): Promise<readonly Outcome[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: seeds });
    worker.on('message', resolve);
    worker.on('error', reject);
  });
}

if (isMainThread) {
  const one = process.env['CHASQUI_SEED'];
  const count = Number(process.env['CHASQUI_SCHEDULES'] ?? 1_000);
  const seeds = one === undefined ? Array.from({ length: count }, (_, at) => at + 1) : [Number(one)];

  test(`${seeds.length} schedules of faults`, async (t) => {
    const workers = Array.from({ length: availableParallelism() }, (_, worker) => worker);
    const parts = workers.map((worker) => seeds.filter((_, at) => at % workers.length === worker));
    const outcomes = (await Promise.all(parts.map(inWorker))).flat();
    const failed = outcomes.filter(({ failures }) => failures.length > 0);
    const sum = (of: 'sent' | 'faults'): number => outcomes.reduce((total, outcome) => total + outcome[of], 0);
    t.diagnostic(`${outcomes.length} schedules, ${sum('sent')} messages, ${sum('faults')} faults, ${failed.length} failed`);
    for (const { seed, failures } of failed.slice(0, 5)) t.diagnostic(`seed ${seed}: ${failures.slice(0, 3).join('; ')}`);
    assert.equal(outcomes.length, seeds.length);
    assert.equal(failed.length, 0);
  });
} else {
  parentPort?.postMessage(await run(workerData as readonly number[]));
}
