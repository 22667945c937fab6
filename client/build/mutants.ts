// Plants known bugs, one by one, into the built client: the schedules of faults must find each, or else the
// tests of the rules. Run by `npm run mutants`, after a build; takes a few minutes.

import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

interface Mutant {
  readonly bug: string;
  readonly file: string;
  /** In what the compiler made of that file. */
  readonly from: string;
  readonly to: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    bug: 'the floor follows the head for as long as a message waits',
    file: 'engine',
    from: 'this.#outbox.flush();',
    to: 'for (const { id, lastSequence } of this.#replica.rows.values()) this.#outbox.lookedThrough(id, lastSequence); this.#outbox.flush();',
  },
  {
    bug: 'a message is sent before it is stored',
    file: 'outbox',
    from: 'if (this.#unstored.has(row.cmid) || ',
    to: 'if (',
  },
  {
    bug: 'ACK leaves before its entries are stored',
    file: 'engine',
    from: 'this.#replica.committed(desk.commit - 1, rows);',
    to: 'this.#replica.committed(desk.commit - 1, rows); this.#replica.stored(desk.commit - 1); effects.push(...desk.take().effects);',
  },
  {
    bug: 'no RESUME after a hold',
    file: 'outbox',
    from: "desk.write({ frame: 'RESUME' });",
    to: '',
  },
  {
    bug: 'RESUME before every SEND is answered',
    file: 'outbox',
    from: 'return this.#open.size === 0 && this.behind().size === 0;',
    to: 'return this.behind().size === 0;',
  },
  {
    bug: 'what was refused goes behind what came later',
    file: 'outbox',
    from: "if (this.#gate === 'open')\n                this.#gate = 'held';",
    to: "if (this.#gate === 'open')\n                this.#gate = 'held';\n            if (this.#rows.delete(row.cmid)) this.#rows.set(row.cmid, row);",
  },
  {
    bug: 'what was sent on a lost connection is forgotten',
    file: 'outbox',
    from: 'this.#open.clear();',
    to: '',
  },
  {
    bug: 'entries are shown across a hole',
    file: 'timeline',
    from: 'entry.sequence <= have || entry.cmid !== undefined',
    to: 'true',
  },
  {
    bug: 'a hole is not fetched',
    file: 'replica',
    from: 'if (row.have < entry.sequence)',
    to: 'if (false)',
  },
  {
    bug: 'what was told before a crash and not fetched is not fetched after it',
    file: 'replica',
    from: 'this.fetches.follow(row, 0);\n        }\n        this.#ack',
    to: '}\n        this.#ack',
  },
  {
    bug: 'READ is not repeated',
    file: 'replica',
    from: 'if (row.read > row.readTold)',
    to: 'if (false)',
  },
  {
    bug: 'ACK is not repeated',
    file: 'replica',
    from: 'filter((row) => row.delivered > row.deliveredTold)',
    to: 'filter(() => false)',
  },
  {
    bug: 'a RESYNC during a SYNC is forgotten',
    file: 'replica',
    from: 'this.#syncAgain = true;',
    to: '',
  },
  {
    bug: 'a restored server is taken for the one it was',
    file: 'replica',
    from: 'if (stranger) {',
    to: 'if (false) {',
  },
  {
    bug: 'the token is stored with every page of a SYNC',
    file: 'replica',
    from: 'this.#ask(token);\n            return false;',
    to: 'const kept = this.#sync; this.#rest(token.slice()); this.#sync = kept; this.#ask(token);\n            return false;',
  },
];

const DIRECTORY = 'out/mutant';
/** First what plays everything, then what tests each rule. */
const CHECKS = [['schedules'], ['outbox', 'replica', 'connection']] as const;

function plant({ file, from, to }: Mutant): void {
  rmSync(DIRECTORY, { recursive: true, force: true });
  for (const part of ['src', 'test']) cpSync(`out/${part}`, `${DIRECTORY}/${part}`, { recursive: true });
  const path = `${DIRECTORY}/src/${file}.js`;
  const text = readFileSync(path, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
  writeFileSync(path, text.replace(from, to));
}

function finds(tests: readonly string[]): boolean {
  const files = tests.map((name) => `${DIRECTORY}/test/${name}.test.js`);
  const env = { CHASQUI_SCHEDULES: '300', ...process.env };
  return spawnSync('node', ['--test', ...files], { env, timeout: 300_000 }).status !== 0;
}

for (const mutant of MUTANTS) {
  plant(mutant);
  const by = CHECKS.find(finds);
  process.stdout.write(`${by ? `found by ${by[0] === 'schedules' ? 'schedules' : 'rules'}` : 'MISSED'}: ${mutant.bug}\n`);
  if (!by) process.exitCode = 1;
}
rmSync(DIRECTORY, { recursive: true, force: true });
