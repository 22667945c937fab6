// What the tabs of one store say to each other. One of them leads: it alone holds the connection and
// sends from the outbox. The others show what it stores and hand it what their users want; what has no
// answer yet is told again to the next leader, or done by it.

import type { ConnectionState } from './connection.ts';
import type { Command } from './engine.ts';
import type { ConversationId, UserId } from './frames.ts';
import type { Changes } from './store.ts';

export type TabMessage =
  /** From a tab that begins to lead: what was asked of another is to be asked again. */
  | { readonly is: 'leader' }
  /** From the leader. */
  | { readonly is: 'changes'; readonly changes: Changes }
  | { readonly is: 'state'; readonly state: ConnectionState }
  | { readonly is: 'typing'; readonly conversation: ConversationId; readonly user: UserId; readonly active: boolean }
  | { readonly is: 'done'; readonly id: number }
  /** To the leader. Ids are drawn at random, so that they differ between tabs. */
  | { readonly is: 'command'; readonly id: number; readonly command: Command }
  | { readonly is: 'hello' | 'nudge' };

/** A command without an answer. */
export interface Asked {
  readonly command: Command;
  readonly done: () => void;
}
