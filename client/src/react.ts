// Hooks over the snapshots of a client, for React and for preact/compat.

import { useSyncExternalStore } from 'react';
import type { Chat } from './chat.ts';
import type { ConnectionState } from './connection.ts';
import type { ConversationId } from './frames.ts';
import type { TimelineItem } from './timeline.ts';
import type { Conversation } from './view.ts';

/** The state of the connection. */
export function useConnection(chat: Chat): ConnectionState {
  return useSnapshot(
    (tell) => chat.on('state', tell),
    () => chat.state,
  );
}

/** All conversations, newest first. */
export function useConversations(chat: Chat): readonly Conversation[] {
  return useSnapshot(
    (tell) => chat.on('conversations', tell),
    () => chat.conversations,
  );
}

/** One conversation; undefined while it is not known. */
export function useConversation(chat: Chat, id: ConversationId): Conversation | undefined {
  return useSnapshot(
    (tell) => chat.on('conversations', tell),
    () => chat.conversation(id),
  );
}

/** The lines of a conversation; `chat.timeline(id)` has what scrolls back. */
export function useTimeline(chat: Chat, id: ConversationId): readonly TimelineItem[] {
  const timeline = chat.timeline(id);
  return useSnapshot(timeline.subscribe, () => timeline.items);
}

function useSnapshot<T>(subscribe: (tell: () => void) => () => void, snapshot: () => T): T {
  return useSyncExternalStore(subscribe, snapshot, snapshot);
}
