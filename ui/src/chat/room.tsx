// One conversation: its head, its log, and the place to write.

import { signal } from '@preact/signals';
import type { Chat, ConversationId } from '@chasqui/client/index';
import { Composer } from './composer.tsx';
import { Log } from './log.tsx';
import { Members } from './members.tsx';
import { Avatar, Icon } from './parts.tsx';
import { nameOf, personOf } from './people.ts';
import { go } from './route.ts';
import { begun, conversations, ready } from './session.ts';
import { titleOf } from './words.ts';

const showsMembers = signal(false);

export function Room({ id, chat }: { readonly id: ConversationId; readonly chat: Chat }) {
  // The list changes whenever anything of a conversation does.
  const listed = conversations.value.find((candidate) => candidate.id === id) ?? chat.conversation(id);
  const conversation = listed ?? (begun.value?.id === id ? begun.value : undefined);
  if (!conversation) {
    return (
      <section class="nothing-open">
        <p>{ready.value ? 'This chat is not here yet.' : ''}</p>
        <button onClick={() => go(undefined)}>To the list</button>
      </section>
    );
  }
  const { kind, peer, typing, memberCount, left } = conversation;
  const title = titleOf(conversation);
  const names = typing.map(nameOf);
  const who = kind === 'group' && names.length > 0 ? `${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} typing…` : 'typing…';
  const username = peer === undefined ? '' : `@${personOf(peer)?.username ?? '…'}`;
  const still = kind === 'journal' ? 'Only you see this' : kind === 'group' ? `${memberCount ?? 1} members` : username;
  const escape = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && !showsMembers.value) go(undefined);
  };
  return (
    <section class="room" aria-label={title} onKeyDown={escape}>
      <header>
        <button class="round back" aria-label="Back to the list" onClick={() => go(undefined)}>
          <Icon name="back" />
        </button>
        <Avatar id={peer ?? id} name={title} icon={kind === 'journal' ? 'note' : undefined} />
        <div class="names">
          <h1>{title}</h1>
          <p class={typing.length > 0 ? 'typing' : ''}>{typing.length > 0 ? who : still}</p>
        </div>
        {kind === 'group' && !left && (
          <button class="round" aria-label="Members" title="Members" onClick={() => (showsMembers.value = true)}>
            <Icon name="people" />
          </button>
        )}
      </header>
      <Log chat={chat} conversation={conversation} />
      {left ? <p class="left">You have left this group.</p> : <Composer chat={chat} id={id} title={title} />}
      {showsMembers.value && <Members conversation={conversation} onClose={() => (showsMembers.value = false)} />}
    </section>
  );
}
