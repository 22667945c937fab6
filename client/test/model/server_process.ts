// A real server in a process of its own, over a data folder that outlives it.

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BINARY = process.env['CHASQUI_BIN'] ?? 'target/debug/chasqui';
const START_MS_MAX = 60_000;

export class ServerProcess {
  /** Where it listens, without a slash at the end. */
  url = '';
  readonly #data = mkdtempSync(join(tmpdir(), 'chasqui-'));
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;

  /** With further arguments of `serve`. Runs once it is started. */
  constructor(options: readonly string[]) {
    this.#options = options;
  }

  static async start<T extends ServerProcess>(this: new (options: readonly string[]) => T, ...options: readonly string[]): Promise<T> {
    const server = new this(options);
    await server.again();
    return server;
  }

  /** Starts it on what the last one left, on another port if none is named. */
  async again(listen = '127.0.0.1:0'): Promise<void> {
    const args = ['serve', '--listen', listen, '--data', this.#data, ...this.#options];
    const child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let [told, log] = ['', ''];
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    this.url = await new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the server does not start:\n${log}`)), START_MS_MAX);
      const ended = (): void => reject(new Error(`the server has ended:\n${log}`));
      child.once('exit', ended);
      child.once('error', reject);
      child.stdout.on('data', (chunk: Buffer) => {
        told += chunk.toString();
        const url = /^listening on (\S+)\n/m.exec(told)?.[1];
        if (url === undefined) return;
        clearTimeout(late);
        child.off('exit', ended);
        resolve(url);
      });
    });
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
    rmSync(this.#data, { recursive: true, force: true });
  }
}
