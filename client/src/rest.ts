// The REST interface, typed by the server's own document, and a sign-in that lasts.

import type { DeviceId, UserId } from './frames.ts';
import type { Requests, Tokens } from './openapi.ts';
import { Unauthorized } from './unauthorized.ts';

export type * from './openapi.ts';
export { Unauthorized };

/** A refusal by the server (RFC 9457). Where the network fails, `fetch` throws a TypeError instead. */
export class Problem extends Error {
  readonly status: number;
  /** As in an ERROR frame; 0 where something between has answered. */
  readonly code: number;
  /** The name of the code: `invalid`, `conflict`, ... */
  readonly problem: string;
  /** The field that is wrong. */
  readonly field: string | undefined;
  /** The same may succeed after this long. */
  readonly retryMs: number | undefined;
  /** Whether a send was stored. */
  readonly applied: string | undefined;

  constructor(status: number, body: Partial<Record<string, string | number>>) {
    super(String(body['detail'] ?? `HTTP status ${status}`));
    const text = (name: string): string | undefined => body[name]?.toString();
    this.status = status;
    this.code = Number(body['code'] ?? 0);
    this.problem = text('name') ?? '';
    this.field = text('field');
    this.retryMs = body['retry_ms'] === undefined ? undefined : Number(body['retry_ms']);
    this.applied = text('applied');
  }
}

type Method = keyof Requests;
type Path<M extends Method> = keyof Requests[M] & string;
type Given<M extends Method, P extends Path<M>> = Requests[M][P] extends { given: infer G } ? G : never;
type Result<M extends Method, P extends Path<M>> = Requests[M][P] extends { result: infer R } ? R : never;
/** May be left out where nothing is required. */
type Rest_<G> = Record<never, never> extends G ? [given?: G] : [given: G];

/** Makes a request: `rest('POST', '/chats', { body: { kind: 'direct', user } })`. Throws a `Problem`. */
export type Rest = <M extends Method, P extends Path<M>>(
  method: M,
  path: P,
  ...given: Rest_<Given<M, P>>
) => Promise<Result<M, P>>;

/** How requests are made. */
export interface RestOptions {
  /** An access token; absent for what needs none. */
  readonly token?: (() => Promise<string> | string) | undefined;
  /** The global one if absent. */
  readonly fetch?: typeof fetch | undefined;
}

interface AnyGiven {
  readonly path?: Readonly<Record<string, number | string>>;
  readonly query?: Readonly<Record<string, number | string | undefined>>;
  readonly body?: unknown;
}

/** The REST interface of the server at `url`. */
export function rest(url: string, { token, fetch: ask = globalThis.fetch }: RestOptions = {}): Rest {
  const base = url.replace(/\/$/, '');
  const request = async (method: string, path: string, given: AnyGiven = {}): Promise<unknown> => {
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(given.path?.[name])));
    const query = Object.entries(given.query ?? {}).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
    );
    const headers: Record<string, string> = {};
    if (token) headers['Authorization'] = `Bearer ${await token()}`;
    if (given.body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await ask(base + filled + (query.length > 0 ? `?${query.join('&')}` : ''), {
      method,
      headers,
      ...(given.body === undefined ? {} : { body: JSON.stringify(given.body) }),
    });
    if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
    return response.status === 204 ? undefined : response.json();
  };
  return request as Rest;
}

/** Where a sign-in is kept. */
export type Keep = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** Where a sign-in is kept, and how requests are made. */
export interface AccountOptions {
  /** `localStorage` if absent, or memory where there is none. */
  readonly storage?: Keep | undefined;
  /** Under which name. */
  readonly key?: string | undefined;
  /** The global one if absent. */
  readonly fetch?: typeof fetch | undefined;
}

/** A token is renewed this long before it ends. */
const EARLY_MS = 30_000;

/** A sign-in that lasts: keeps the refresh token and renews the access token, once for all tabs. */
export class Account {
  /** Requests as this account. */
  readonly rest: Rest;
  readonly #open: Rest;
  readonly #storage: Keep;
  readonly #key: string;
  #renewing: Promise<string> | undefined;

  constructor(url: string, { storage = globalThis.localStorage ?? inMemory(), key = 'chasqui', fetch: ask }: AccountOptions = {}) {
    this.#storage = storage;
    this.#key = key;
    this.#open = rest(url, { fetch: ask });
    this.rest = rest(url, { fetch: ask, token: () => this.getToken({ reason: 'initial' }) });
  }

  /** Who is signed in. */
  get me(): { readonly user: UserId; readonly device: DeviceId } | undefined {
    const kept = this.#kept();
    return kept && { user: kept.user as UserId, device: kept.device as DeviceId };
  }

  /** Makes an account and signs in. Throws a `Problem`. */
  async register(username: string, password: string, deviceName?: string): Promise<void> {
    this.#keep(await this.#open('POST', '/register', { body: { username, password, device_name: deviceName } }));
  }

  /** Signs in. Throws a `Problem`. */
  async login(username: string, password: string, deviceName?: string): Promise<void> {
    this.#keep(await this.#open('POST', '/login', { body: { username, password, device_name: deviceName } }));
  }

  /** Signs out here at once, and on the server if it can be reached. */
  async logout(): Promise<void> {
    const { rest: ask } = this;
    await ask('POST', '/logout').catch(() => undefined);
    this.#storage.removeItem(this.#key);
  }

  /** For `Chat`. Throws `Unauthorized` when nobody is signed in any more. */
  getToken = async ({ reason }: { readonly reason: 'initial' | 'expired' | 'rejected' }): Promise<string> => {
    const kept = this.#kept();
    if (!kept) throw new Unauthorized();
    if (reason === 'initial' && Date.now() < kept.until - EARLY_MS) return kept.access_token;
    this.#renewing ??= this.#locked(kept.access_token).finally(() => (this.#renewing = undefined));
    return this.#renewing;
  };

  /** One tab renews at a time; the others take what it got. */
  #locked(stale: string): Promise<string> {
    const locks = (globalThis.navigator as Navigator | undefined)?.locks;
    const renew = (): Promise<string> => this.#renew(stale);
    return locks ? locks.request(`${this.#key} token`, renew) : renew();
  }

  async #renew(stale: string): Promise<string> {
    const kept = this.#kept();
    if (!kept) throw new Unauthorized();
    if (kept.access_token !== stale) return kept.access_token;
    try {
      return this.#keep(await this.#open('POST', '/token/refresh', { body: { refresh_token: kept.refresh_token } }));
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 401) throw error;
      this.#storage.removeItem(this.#key);
      throw new Unauthorized();
    }
  }

  #keep(tokens: Tokens): string {
    const until = Date.now() + tokens.expires_in * 1000;
    this.#storage.setItem(this.#key, JSON.stringify({ ...tokens, until }));
    return tokens.access_token;
  }

  #kept(): (Tokens & { readonly until: number }) | undefined {
    const text = this.#storage.getItem(this.#key);
    return text === null ? undefined : (JSON.parse(text) as Tokens & { readonly until: number });
  }
}

function inMemory(): Keep {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}
