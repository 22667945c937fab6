// Chats begin faster and faster until deliveries come too late or no VU is left to begin another:
// the report's counts by then are what this server takes.

import { exactlyOnce, trendStats } from './lib/metrics.ts';
import type { Room } from './lib/rest.ts';
import { rooms } from './lib/rest.ts';
import { setting } from './lib/settings.ts';
import { summarize } from './lib/summary.ts';
import { run } from './lib/traffic.ts';

const VUS = setting('VUS', 300);
const LATE_MS = setting('LATE_MS', 500);

const stop = (threshold: string) => ({ threshold, abortOnFail: true, delayAbortEval: '10s' });

export const options = {
  scenarios: {
    breakpoint: {
      executor: 'ramping-arrival-rate',
      startRate: 1,
      timeUnit: '1s',
      preAllocatedVUs: VUS,
      stages: [{ duration: `${setting('SECONDS', 300)}s`, target: setting('STARTS', 100) }],
      gracefulStop: '120s',
    },
  },
  setupTimeout: '10m',
  thresholds: {
    ...exactlyOnce,
    due_to_entry: [stop(`p(95)<${LATE_MS}`)],
    dropped_iterations: [stop('count<1')],
  },
  summaryTrendStats: trendStats,
};

export const setup = (): readonly Room[] => rooms(VUS, 2);

export default function (all: readonly Room[]): void {
  const [rate, bytes] = [setting('RATE', 20), setting('BYTES', 64)];
  run(all, 1, { seconds: setting('HOLD', 3), rate, bytes, writers: 2, cutEvery: 0 });
}

export const handleSummary = summarize('breakpoint');
