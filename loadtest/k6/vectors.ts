// The golden vectors of `tests/vectors` under the JavaScript engine of k6.

import type { Report } from '../../client/test/vectors.ts';
import { check as checkFile, FILES } from '../../client/test/vectors.ts';
import { allChecks, checked } from './lib/metrics.ts';

const files = FILES.map((file) => [file, open(`../../tests/vectors/${file}.json`)] as const);

export const options = { vus: 1, iterations: 1, thresholds: allChecks };

export default function (): void {
  for (const [file, text] of files) {
    const report = checkFile(file, JSON.parse(text));
    for (const failure of report.failures) console.error(`${file}: ${failure}`);
    checked(report, {
      [`${file} hold`]: ({ failures }: Report) => failures.length === 0,
      [`${file} are not empty`]: ({ checks }: Report) => checks > 0,
    });
  }
}
