// A real server that is asked over REST, which can be killed and started again in its place.

import { ServerProcess } from '../../../client/test/model/server_process.ts';

/** A person as the REST door registers them. */
export interface Person {
  readonly user: number;
  readonly username: string;
  readonly password: string;
  readonly token: string;
}

export class Server extends ServerProcess {
  /** Starts it where it was: pages know no other place. */
  restart(): Promise<void> {
    return this.again(new URL(this.url).host);
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
