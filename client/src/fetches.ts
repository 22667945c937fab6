// The parts of logs that are to be fetched: holes in what is followed, what a floor leaves to be looked
// through, scroll-back. Owns how many are asked for at a time and when; what came is the replica's.

import { errorFlag, limit } from './constants.ts';
import type { Desk, Job } from './desk.ts';
import type { ConversationId, ErrorFrame, Sequence } from './frames.ts';
import type { ConversationRow } from './store.ts';

/** Before a refused request is made again, whatever the server says. */
export const REFUSED_MS = 1_000;

export class Fetches {
  readonly #desk: Desk;
  readonly #row: (id: ConversationId) => ConversationRow | undefined;
  #jobs: readonly Job[] = [];

  constructor(desk: Desk, row: (id: ConversationId) => ConversationRow | undefined) {
    this.#desk = desk;
    this.#row = row;
  }

  /** Whether something that is followed is not here yet. */
  get hasHoles(): boolean {
    return this.#jobs.some((job) => job.why === 'hole');
  }

  get wakeAt(): number {
    const waiting = this.#room > 0 ? this.#jobs.filter((job) => !job.asked) : [];
    return Math.min(Infinity, ...waiting.map((job) => job.notBefore));
  }

  /** How many more may be open; one of the requests that may be is left for SYNC. */
  get #room(): number {
    return limit.READS_MAX - 1 - this.#jobs.filter((job) => job.asked).length;
  }

  add(job: Omit<Job, 'first' | 'notBefore' | 'asked'>, notBefore = 0): void {
    this.#jobs = [...this.#jobs, { ...job, first: job.from, notBefore, asked: false }];
  }

  /** Looks through a log from a floor on, once at a time. */
  lookThrough(conversation: ConversationId, from: number): void {
    const twice = this.#jobs.some((job) => job.why === 'floor' && job.conversation === conversation);
    if (!twice) this.add({ conversation, from, to: 0, why: 'floor' });
  }

  /** Sees to it that the next hole of a log is fetched, after a while: what is missing may be on its way. */
  follow({ id, have, lastSequence, held }: ConversationRow, ms: number): void {
    const known = this.#jobs.find((job) => job.why === 'hole' && job.conversation === id);
    const notBefore = this.#desk.now + ms;
    if (known) known.notBefore = Math.min(known.notBefore, notBefore);
    if (known || have >= lastSequence) return;
    const ahead = held.find(([from]) => from > have);
    this.add({ conversation: id, from: have + 1, to: ahead ? ahead[0] - 1 : lastSequence, why: 'hole' }, notBefore);
  }

  /** A page came: true at the end, else it goes on at `next`. */
  answered(job: Job, next: number): boolean {
    job.asked = false;
    job.from = next;
    if (next === 0) this.#end(job);
    return next === 0;
  }

  /** True where it is refused for good. */
  refused(job: Job, { flags, retryMs }: ErrorFrame): boolean {
    job.asked = false;
    job.notBefore = this.#desk.now + Math.max(retryMs, REFUSED_MS);
    if (flags & errorFlag.RETRY) return false;
    this.#end(job);
    return true;
  }

  /** Scroll-back is asked for again by the next connection; everything else shows itself anew. */
  lost(): void {
    this.#jobs = this.#jobs.filter((job) => job.why === 'history');
    for (const job of this.#jobs) job.asked = false;
  }

  /** What was asked for is of a past that no longer exists. */
  forget(): void {
    this.#jobs.forEach((job) => this.#end(job));
    for (const [rid, request] of this.#desk.requests) if (request.is === 'fetch') this.#desk.requests.delete(rid);
  }

  /** Asks for what is due. */
  flush(): void {
    for (const job of this.#jobs) {
      if (this.#room === 0) return;
      if (job.asked || this.#desk.now < job.notBefore || this.#isFilled(job)) continue;
      job.asked = true;
      const { conversation } = job;
      const [from, to] = [job.from as Sequence, job.to as Sequence];
      this.#desk.ask({ is: 'fetch', job }, (rid) => ({ frame: 'FETCH', rid, conversation, from, to }));
    }
  }

  /** A hole may have been filled while it was left alone, in part or as a whole. */
  #isFilled(job: Job): boolean {
    const row = this.#row(job.conversation);
    if (job.why !== 'hole' || !row) return false;
    job.from = Math.max(job.from, row.have + 1);
    if (job.from <= job.to) return false;
    this.#end(job);
    this.follow(row, 0);
    return true;
  }

  #end(job: Job): void {
    this.#jobs = this.#jobs.filter((other) => other !== job);
    if (job.command !== undefined) this.#desk.tell({ do: 'done', command: job.command });
  }
}
