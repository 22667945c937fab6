// The life of the connection: when to ask for a token, to open a socket, to ping, to give up and to
// come back. Owns the phases and their deadlines; knows no conversation, no socket and no timer.
//
//   idle -> token -> opening -> online -> waiting -> token -> ...
//                                   any of these -> offline -> token
//                                                -> closed

import { closeCode, errorCode, errorFlag, reconnects } from './constants.ts';
import type { ErrorFrame } from './frames.ts';

/** Why a token is asked for: a new connection, or because the server refused the last one. */
export type TokenReason = 'initial' | 'expired' | 'rejected';

/** The connection as an application sees it. */
export type ConnectionState =
  | { readonly name: 'idle' | 'connecting' | 'offline' }
  /** `synced`: everything the server had is here. */
  | { readonly name: 'online'; readonly synced: boolean }
  | { readonly name: 'waiting'; readonly retryInMs: number; readonly code: number | undefined }
  | { readonly name: 'closed'; readonly code: number | undefined };

export type ConnectionEvent =
  | { readonly on: 'start' | 'stop' | 'nudge' | 'heard' | 'said' }
  | { readonly on: 'token'; readonly token: string }
  /** No token to be had; for good where `unauthorized`. */
  | { readonly on: 'tokenless'; readonly unauthorized: boolean }
  | { readonly on: 'welcome'; readonly pingSeconds: number }
  | { readonly on: 'refused'; readonly error: ErrorFrame }
  | { readonly on: 'goaway'; readonly spreadMs: number }
  | { readonly on: 'lost'; readonly code: number | undefined }
  | { readonly on: 'network'; readonly up: boolean }
  /** Time has passed; `asked` is when the oldest request without an answer was made. */
  | { readonly on: 'tick'; readonly asked: number };

export type ConnectionEffect =
  | { readonly do: 'token'; readonly reason: TokenReason }
  | { readonly do: 'open' | 'hangup' | 'ping' };

type Phase =
  | { readonly is: 'idle' | 'offline' }
  | { readonly is: 'token'; readonly until: number }
  | { readonly is: 'opening'; readonly until: number; readonly token: string }
  | { readonly is: 'online'; readonly since: number; readonly pingMs: number; readonly leaveAt: number }
  | { readonly is: 'waiting'; readonly until: number; readonly code: number | undefined }
  | { readonly is: 'closed'; readonly code: number | undefined };

const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 60_000;
const HEALTHY_MS = 60_000;
const ANSWER_MS = 30_000;
const SILENCE_GRACE_MS = 10_000;
/** Between two attempts, whatever the network or the user says. */
const NUDGE_MS = 2_000;

export class Connection {
  phase: Phase = { is: 'idle' };
  readonly #random: () => number;
  #reason: TokenReason = 'initial';
  /** The close code that the last ERROR stands for; some clients cannot see the real one. */
  #verdict: number | undefined;
  #attempts = 0;
  #startedAt = -NUDGE_MS;
  #heard = 0;
  #said = 0;
  #pinged = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** `synced` is the replica's to say. */
  state(now: number, synced: boolean): ConnectionState {
    const { phase } = this;
    switch (phase.is) {
      case 'token':
      case 'opening':
        return { name: 'connecting' };
      case 'online':
        return { name: 'online', synced };
      case 'waiting':
        return { name: 'waiting', retryInMs: phase.until - now, code: phase.code };
      case 'closed':
        return { name: 'closed', code: phase.code };
      default:
        return { name: phase.is };
    }
  }

  handle(event: ConnectionEvent, now: number): readonly ConnectionEffect[] {
    const { phase } = this;
    if (phase.is === 'closed') return [];
    switch (event.on) {
      case 'start':
        return phase.is === 'idle' ? this.#dial(now) : [];
      case 'stop':
        return this.#close(undefined);
      case 'nudge':
        if (phase.is === 'online') return this.#ping(now);
        return phase.is === 'waiting' ? this.#hurry(now) : [];
      case 'network':
        if (!event.up && phase.is !== 'idle') return this.#leave({ is: 'offline' });
        return event.up && (phase.is === 'offline' || phase.is === 'waiting') ? this.#hurry(now) : [];
      case 'token':
        if (phase.is !== 'token') return [];
        this.phase = { is: 'opening', until: now + ANSWER_MS, token: event.token };
        return [{ do: 'open' }];
      case 'tokenless':
        if (phase.is !== 'token') return [];
        return event.unauthorized ? this.#close(closeCode.UNAUTHENTICATED) : this.#wait(now, undefined);
      case 'welcome':
        this.#reason = 'initial';
        this.phase = { is: 'online', since: now, pingMs: event.pingSeconds * 1000, leaveAt: Infinity };
        return [];
      case 'refused':
        this.#verdict = verdictOf(event.error);
        return [];
      case 'goaway':
        if (phase.is === 'online') this.phase = { ...phase, leaveAt: now + this.#random() * event.spreadMs };
        return [];
      case 'lost':
        return this.#lost(event.code, now);
      case 'heard':
        this.#heard = now;
        return [];
      case 'said':
        this.#said = now;
        return [];
      case 'tick':
        return this.#tick(event.asked, now);
    }
  }

  /** When the next tick is due. */
  deadline(asked: number): number {
    const { phase } = this;
    if (phase.is !== 'online') return 'until' in phase ? phase.until : Infinity;
    return Math.min(phase.leaveAt, this.#deadAt(phase.pingMs, asked), this.#pingAt(phase.pingMs));
  }

  #deadAt(pingMs: number, asked: number): number {
    return Math.min(this.#heard + 1.5 * pingMs + SILENCE_GRACE_MS, asked + ANSWER_MS);
  }

  /** One interval after the last frame of the direction that has been silent for longer. */
  #pingAt(pingMs: number): number {
    return Math.max(Math.min(this.#heard, this.#said), this.#pinged) + pingMs;
  }

  #tick(asked: number, now: number): readonly ConnectionEffect[] {
    const { phase } = this;
    if (now < this.deadline(asked)) return [];
    if (phase.is === 'waiting') return this.#dial(now);
    if (phase.is !== 'online') return this.#wait(now, undefined);
    if (now >= phase.leaveAt) return this.#dial(now);
    return now >= this.#deadAt(phase.pingMs, asked) ? this.#wait(now, undefined) : this.#ping(now);
  }

  #ping(now: number): readonly ConnectionEffect[] {
    this.#pinged = now;
    return [{ do: 'ping' }];
  }

  #dial(now: number): readonly ConnectionEffect[] {
    this.#startedAt = this.#heard = this.#said = this.#pinged = now;
    this.#verdict = undefined;
    return [...this.#leave({ is: 'token', until: now + ANSWER_MS }), { do: 'token', reason: this.#reason }];
  }

  /** At once, but not more often than every two seconds. */
  #hurry(now: number): readonly ConnectionEffect[] {
    const until = this.#startedAt + NUDGE_MS;
    return now >= until ? this.#dial(now) : this.#leave({ is: 'waiting', until, code: undefined });
  }

  #lost(code: number | undefined, now: number): readonly ConnectionEffect[] {
    const verdict = code !== undefined && code >= 4000 ? code : (this.#verdict ?? code);
    const again = verdict === closeCode.UNAUTHENTICATED && this.#reason !== 'rejected';
    if (verdict !== undefined && !reconnects(verdict) && !again) return this.#close(verdict);
    if (again) this.#reason = 'rejected';
    if (verdict === closeCode.TOKEN_EXPIRED) this.#reason = 'expired';
    return this.#wait(now, verdict);
  }

  #wait(now: number, code: number | undefined): readonly ConnectionEffect[] {
    const { phase } = this;
    const online = phase.is === 'online';
    if (online && now - phase.since >= HEALTHY_MS) this.#attempts = 0;
    const jitter = this.#random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#attempts++);
    const spread = online && phase.leaveAt < Infinity;
    return this.#leave({ is: 'waiting', until: spread ? Math.max(now, phase.leaveAt) : now + jitter, code });
  }

  #close(code: number | undefined): readonly ConnectionEffect[] {
    return this.#leave({ is: 'closed', code });
  }

  /** Goes on without the socket of the phase so far. */
  #leave(next: Phase): readonly ConnectionEffect[] {
    const connected = this.phase.is === 'online' || this.phase.is === 'opening';
    this.phase = next;
    return connected ? [{ do: 'hangup' }] : [];
  }
}

function verdictOf({ code, flags }: ErrorFrame): number | undefined {
  if (code === errorCode.EXPIRED) return closeCode.TOKEN_EXPIRED;
  if (code === errorCode.UNAUTHENTICATED) return closeCode.UNAUTHENTICATED;
  return flags & errorFlag.RETRY ? undefined : closeCode.PROTOCOL;
}
