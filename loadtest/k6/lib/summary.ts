// The end of a run: `summary.json` with every metric, and the lines that matter on the terminal.

import { trendStats } from './metrics.ts';

interface Metric {
  readonly type: string;
  readonly values: Readonly<Record<string, number | undefined>>;
  readonly thresholds?: Readonly<Record<string, { readonly ok: boolean }>>;
}

/** What k6 hands to `handleSummary`. */
export interface Summary {
  readonly metrics: Readonly<Record<string, Metric | undefined>>;
  readonly state: { readonly testRunDurationMs: number };
}

const COUNTS = [
  'connections_ready', 'connections_lost', 'rooms_unaccounted', 'messages_acknowledged', 'messages_delivered', 'messages_lost',
  'messages_duplicated', 'messages_reordered', 'messages_unsettled', 'messages_refused', 'sends_held', 'entry_gaps',
  'protocol_faults', 'checks_made', 'http_reqs',
];
const TRENDS = ['connect_to_ready', 'due_to_sent', 'due_to_entry', 'http_req_duration'];

/** The `handleSummary` of a scenario. */
export function summarize(scenario: string): (data: Summary) => Record<string, string> {
  return (data) => {
    const path = __ENV['CHASQUI_SUMMARY'] ?? `${scenario}.summary.json`;
    const report = { scenario, settings: settings(), metrics: data.metrics, state: data.state };
    return { [path]: `${JSON.stringify(report, null, 2)}\n`, stdout: table(scenario, data, path) };
  };
}

/** The settings of the run that came from outside; addresses of secrets stay out. */
function settings(): Record<string, string> {
  const chosen = Object.entries(__ENV).filter(([name]) => name.startsWith('CHASQUI_') && name !== 'CHASQUI_TOKENS');
  return Object.fromEntries(chosen);
}

function table(scenario: string, { metrics, state }: Summary, path: string): string {
  const lines = [`${scenario}: ${(state.testRunDurationMs / 1000).toFixed(1)} s, full report in ${path}`];
  for (const name of COUNTS) {
    const metric = metrics[name];
    if (metric !== undefined) lines.push(`  ${name.padEnd(22)} ${metric.values['count'] ?? 0}`);
  }
  for (const name of TRENDS) {
    const metric = metrics[name];
    if (metric === undefined) continue;
    const values = trendStats.map((stat) => `${stat} ${round(metric.values[stat] ?? 0)}`);
    lines.push(`  ${name.padEnd(22)} ${values.join('  ')}`);
  }
  const failed = Object.entries(metrics).flatMap(([name, metric]) =>
    Object.entries(metric?.thresholds ?? {})
      .filter(([, { ok }]) => !ok)
      .map(([threshold]) => `  FAILED: ${name} ${threshold}`),
  );
  return `${[...lines, ...(failed.length > 0 ? failed : ['  every threshold holds'])].join('\n')}\n`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
