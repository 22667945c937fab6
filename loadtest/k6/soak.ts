// Long and slow: small groups that talk for an hour and whose connections are cut every few minutes.
// Watch the server's memory beside it.

import { exactlyOnce, trendStats } from './lib/metrics.ts';
import type { Room } from './lib/rest.ts';
import { rooms } from './lib/rest.ts';
import { setting } from './lib/settings.ts';
import { summarize } from './lib/summary.ts';
import { run } from './lib/traffic.ts';

const VUS = setting('VUS', 2);
const ROOMS_PER_VU = setting('ROOMS_PER_VU', 20);
const SECONDS = setting('SECONDS', 3600);

export const options = {
  scenarios: {
    soak: { executor: 'per-vu-iterations', vus: VUS, iterations: 1, maxDuration: `${SECONDS + 150}s` },
  },
  setupTimeout: '10m',
  thresholds: { ...exactlyOnce, connections_lost: ['count>0'] },
  summaryTrendStats: trendStats,
};

export const setup = (): readonly Room[] => rooms(VUS * ROOMS_PER_VU, setting('MEMBERS', 5));

export default function (all: readonly Room[]): void {
  const [rate, bytes] = [setting('RATE', 0.5), setting('BYTES', 200)];
  run(all, ROOMS_PER_VU, { seconds: SECONDS, rate, bytes, writers: 3, cutEvery: setting('CUT_EVERY', SECONDS / 12) });
}

export const handleSummary = summarize('soak');
