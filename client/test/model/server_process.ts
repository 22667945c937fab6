// A real server in a process of its own, over a data folder that outlives it.

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const BINARY = process.env['CHASQUI_BIN'] ?? 'target/debug/chasqui';

export class ServerProcess {
  /** Where it listens; another port after each start. */
  url = '';
  readonly #data: string;
  #child: ChildProcess | undefined;

  private constructor(data: string) {
    this.#data = data;
  }

  static async start(): Promise<ServerProcess> {
    if (!existsSync(BINARY)) throw new Error(`there is no ${BINARY}: build it, or name one in CHASQUI_BIN`);
    const server = new ServerProcess(await mkdtemp(join(tmpdir(), 'chasqui-client-')));
    await server.again();
    return server;
  }

  /** Starts it on what the last one left. */
  async again(): Promise<void> {
    const args = ['serve', '--dev', '--listen', '127.0.0.1:0', '--data', this.#data];
    const child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    for await (const line of createInterface({ input: child.stdout })) {
      const [, url] = /^listening on (http:\S+)/.exec(line) ?? [];
      if (!url) continue;
      this.url = url;
      return;
    }
    throw new Error('the server did not start');
  }

  /** Ends it without a warning, like `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async end(): Promise<void> {
    await this.kill();
    await rm(this.#data, { recursive: true, force: true });
  }
}
