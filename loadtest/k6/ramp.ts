// More and more direct chats at a steady rate each: where do latencies begin to rise?

import { exactlyOnce, trendStats } from './lib/metrics.ts';
import type { Room } from './lib/rest.ts';
import { rooms } from './lib/rest.ts';
import { setting } from './lib/settings.ts';
import { summarize } from './lib/summary.ts';
import { run } from './lib/traffic.ts';

const VUS = setting('VUS', 10);
const ROOMS_PER_VU = setting('ROOMS_PER_VU', 10);
const SECONDS = setting('SECONDS', 60);

export const options = {
  scenarios: {
    ramp: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: [
        { duration: `${SECONDS}s`, target: VUS },
        { duration: `${SECONDS / 2}s`, target: VUS },
        { duration: '10s', target: 0 },
      ],
      // What has begun is finished, so that it can be accounted for.
      gracefulRampDown: '120s',
      gracefulStop: '120s',
    },
  },
  setupTimeout: '10m',
  thresholds: exactlyOnce,
  summaryTrendStats: trendStats,
};

export const setup = (): readonly Room[] => rooms(VUS * ROOMS_PER_VU, 2);

export default function (all: readonly Room[]): void {
  const [rate, bytes] = [setting('RATE', 2), setting('BYTES', 64)];
  run(all, ROOMS_PER_VU, { seconds: setting('HOLD', 10), rate, bytes, writers: 2, cutEvery: 0 });
}

export const handleSummary = summarize('ramp');
