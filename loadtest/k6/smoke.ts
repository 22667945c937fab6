// One minute's answer to "does it work at all": a direct chat and a group, everybody writes, every
// connection is cut once, and nothing may be lost, doubled or reordered.

import { exactlyOnce, trendStats } from './lib/metrics.ts';
import type { Room } from './lib/rest.ts';
import { rooms } from './lib/rest.ts';
import { setting } from './lib/settings.ts';
import { summarize } from './lib/summary.ts';
import { run } from './lib/traffic.ts';

const SECONDS = setting('SECONDS', 4);

export const options = {
  scenarios: { smoke: { executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: `${SECONDS + 150}s` } },
  thresholds: { ...exactlyOnce, connections_lost: ['count>0'] },
  summaryTrendStats: trendStats,
};

export const setup = (): readonly Room[] => [...rooms(1, 2), ...rooms(1, 3)];

export default function (all: readonly Room[]): void {
  run(all, 2, { seconds: SECONDS, rate: setting('RATE', 30), bytes: setting('BYTES', 64), writers: 2, cutEvery: SECONDS / 2 });
}

export const handleSummary = summarize('smoke');
