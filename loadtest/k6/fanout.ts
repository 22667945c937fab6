// Groups in which few write and everybody reads: how long until the last one has it?

import { exactlyOnce, trendStats } from './lib/metrics.ts';
import type { Room } from './lib/rest.ts';
import { rooms } from './lib/rest.ts';
import { setting } from './lib/settings.ts';
import { summarize } from './lib/summary.ts';
import { run } from './lib/traffic.ts';

const GROUPS = setting('GROUPS', 1);
const MEMBERS = setting('MEMBERS', 100);
const SECONDS = setting('SECONDS', 30);

export const options = {
  scenarios: {
    fanout: { executor: 'per-vu-iterations', vus: GROUPS, iterations: 1, maxDuration: `${SECONDS + 150}s` },
  },
  setupTimeout: '10m',
  thresholds: exactlyOnce,
  summaryTrendStats: trendStats,
};

export const setup = (): readonly Room[] => rooms(GROUPS, MEMBERS);

export default function (all: readonly Room[]): void {
  const [rate, bytes] = [setting('RATE', 10), setting('BYTES', 64)];
  run(all, 1, { seconds: SECONDS, rate, bytes, writers: setting('WRITERS', 2), cutEvery: 0 });
}

export const handleSummary = summarize('fanout');
