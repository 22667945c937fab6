// Who should have got which message. The messages of a sender carry 1, 2, 3, ..., so that one number
// and the holes below it say what a receiver has.

/** What one receiver has of one sender. */
export class Stream {
  #next = 1;
  readonly #missing = new Set<number>();

  /** Takes a message off the log, in the log's order: how it came. */
  take(number: number): 'new' | 'duplicated' | 'reordered' {
    if (number >= this.#next) {
      for (let hole = this.#next; hole < number; hole++) this.#missing.add(hole);
      this.#next = number + 1;
      return 'new';
    }
    return this.#missing.delete(number) ? 'reordered' : 'duplicated';
  }

  /** At the end: how many of the first `count` messages are not here, those that were never acknowledged left out. */
  lost(count: number, unacknowledged: ReadonlySet<number>): number {
    for (let hole = this.#next; hole <= count; hole++) this.#missing.add(hole);
    this.#next = Math.max(this.#next, count + 1);
    return [...this.#missing].filter((number) => !unacknowledged.has(number)).length;
  }
}

/** What a message says: whose run, its number, when it was due, and what fills it up. */
export function write(run: number, number: number, due: number, bytes: number): string {
  return `${run} ${number} ${due} `.padEnd(bytes, '.');
}

/** The number and due time of a message of this run; undefined for anything else. */
export function read(run: number, text: string): { readonly number: number; readonly due: number } | undefined {
  const [whose, number, due] = text.split(' ', 3).map(Number);
  if (whose !== run || number === undefined || due === undefined) return undefined;
  return { number, due };
}
