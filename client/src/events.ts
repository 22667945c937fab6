// Who listens to a client, and when. Owns that snapshots are told of once for everything that happens at
// the moment, however many changes that is.

import type { Clock } from './driver.ts';
import type { ConversationId } from './frames.ts';
import type { ChatEvents } from './options.ts';
import type { View } from './view.ts';

type Listener<Name extends keyof ChatEvents> = (event: ChatEvents[Name]) => void;

export class Events {
  readonly #clock: Clock;
  readonly #listeners = new Map<keyof ChatEvents, Set<Listener<never>>>();
  readonly #changed = new Set<ConversationId | 'conversations'>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  on<Name extends keyof ChatEvents>(name: Name, listener: Listener<Name>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof ChatEvents>(name: Name, event: ChatEvents[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) (listener as Listener<Name>)(event);
  }

  /** The list or a timeline of `view` is another one now. */
  changed(what: ConversationId | 'conversations', view: View): void {
    if (this.#changed.size === 0) this.#clock.after(0, () => this.#tell(view));
    this.#changed.add(what);
  }

  #tell(view: View): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const what of changed) {
      if (what === 'conversations') {
        // The list is not made for nobody.
        if (this.#listeners.get(what)?.size) this.emit(what, view.conversations);
      } else {
        view.notify(what);
        this.emit('timeline', what);
      }
    }
  }
}
