// Every connection is cut at the same moment while messages go on falling due; all come back at
// random within their backoff, resume, fetch what they missed and send what they kept.

import { exactlyOnce, trendStats } from './lib/metrics.ts';
import type { Room } from './lib/rest.ts';
import { rooms } from './lib/rest.ts';
import { setting } from './lib/settings.ts';
import { summarize } from './lib/summary.ts';
import { run } from './lib/traffic.ts';

const VUS = setting('VUS', 4);
const ROOMS_PER_VU = setting('ROOMS_PER_VU', 50);
const SECONDS = setting('SECONDS', 30);

export const options = {
  scenarios: {
    storm: { executor: 'per-vu-iterations', vus: VUS, iterations: 1, maxDuration: `${SECONDS + 150}s` },
  },
  setupTimeout: '10m',
  thresholds: { ...exactlyOnce, connections_lost: ['count>0'] },
  summaryTrendStats: trendStats,
};

export const setup = (): readonly Room[] => rooms(VUS * ROOMS_PER_VU, 2);

export default function (all: readonly Room[]): void {
  const [rate, bytes] = [setting('RATE', 1), setting('BYTES', 64)];
  run(all, ROOMS_PER_VU, { seconds: SECONDS, rate, bytes, writers: 2, cutEvery: setting('CUT_EVERY', SECONDS / 2) });
}

export const handleSummary = summarize('storm');
