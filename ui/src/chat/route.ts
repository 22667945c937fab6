// Where one is: a conversation, or the list alone. It is in the address, so that "back" leads to the list.

import { signal } from '@preact/signals';
import type { ConversationId } from '@chasqui/client/index';

const read = (): ConversationId | undefined => {
  const id = Number(location.hash.slice(1));
  return Number.isSafeInteger(id) && id > 0 ? (id as ConversationId) : undefined;
};

/** The conversation that is open. */
export const open = signal(read());

addEventListener('hashchange', () => (open.value = read()));

export const go = (to: ConversationId | undefined): void => void (location.hash = to === undefined ? '' : `${to}`);
