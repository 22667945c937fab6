// A real server on a data folder of its own, which can be killed and started again in its place.

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BINARY = process.env['CHASQUI_BIN'] ?? 'target/debug/chasqui';
const START_MS_MAX = 60_000;

/** A person as the REST door registers them. */
export interface Person {
  readonly user: number;
  readonly username: string;
  readonly password: string;
  readonly token: string;
}

export class Server {
  readonly #data = mkdtempSync(join(tmpdir(), 'chasqui-ui-'));
  readonly #options: readonly string[];
  #process: ChildProcess | undefined;
  #listen = '127.0.0.1:0';
  /** Where it is, without a slash at the end. */
  url = '';

  private constructor(options: readonly string[]) {
    this.#options = options;
  }

  static async start(...options: readonly string[]): Promise<Server> {
    const server = new Server(options);
    await server.restart();
    return server;
  }

  /** Starts it where it was. */
  async restart(): Promise<void> {
    const child = spawn(BINARY, ['serve', '--listen', this.#listen, '--data', this.#data, ...this.#options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
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
    this.#listen = new URL(this.url).host;
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#data, { recursive: true, force: true });
  }

  /** Asks the REST door; throws where it refuses. */
  async ask(method: string, path: string, body?: unknown, token?: string): Promise<Record<string, unknown>> {
    const headers = { 'Content-Type': 'application/json', ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const answer = await fetch(`${this.url}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  }

  async register(username: string, displayName: string): Promise<Person> {
    const password = 'a long password';
    const signedIn = await this.ask('POST', '/register', { username, password, display_name: displayName });
    return { user: signedIn['user'] as number, username, password, token: signedIn['access_token'] as string };
  }
}
