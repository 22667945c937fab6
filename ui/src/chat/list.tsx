// The list of conversations, what finds among them, and the doors to all that is not one.

import { computed, signal } from '@preact/signals';
import type { Conversation } from '@chasqui/client/index';
import { tickOf } from '@chasqui/client/index';
import { NewChat } from './new-chat.tsx';
import { Avatar, Icon, TickMark } from './parts.tsx';
import { nameOf } from './people.ts';
import { Pill } from './pill.tsx';
import { open } from './route.ts';
import { account, conversations, ready } from './session.ts';
import { Settings } from './settings.tsx';
import { briefly, previewOf, titleOf } from './words.ts';

const filter = signal('');
const dialog = signal<'new' | 'settings' | undefined>(undefined);
const shown = computed(() => {
  const wanted = filter.value.trim().toLowerCase();
  const found = conversations.value.filter((conversation) => titleOf(conversation).toLowerCase().includes(wanted));
  // What happens to the account is no reason for its journal to be on top.
  const isQuiet = ({ kind, preview }: Conversation): boolean => kind === 'journal' && preview?.content?.is !== 'message';
  return [...found.filter((conversation) => !isQuiet(conversation)), ...found.filter(isQuiet)];
});

/** Up and down go through the list. */
function move(event: KeyboardEvent): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  const links = [...(event.currentTarget as HTMLElement).querySelectorAll('a')];
  const next = links[links.indexOf(document.activeElement as HTMLAnchorElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function Typing({ conversation }: { readonly conversation: Conversation }) {
  const [first] = conversation.typing;
  const who = conversation.kind === 'group' && first !== undefined ? `${nameOf(first)} is typing…` : 'typing…';
  return <span class="typing">{who}</span>;
}

function Item({ conversation }: { readonly conversation: Conversation }) {
  const { id, kind, peer, unread, lastAt, preview, typing, failed } = conversation;
  const title = titleOf(conversation);
  const current = open.value === id;
  return (
    <li>
      <a href={`#${id}`} aria-current={current ? 'page' : undefined} class={unread > 0 ? 'unread' : ''}>
        <Avatar id={peer ?? id} name={title} icon={kind === 'journal' ? 'note' : undefined} />
        <span class="title">{title}</span>
        <time>{briefly(lastAt)}</time>
        <span class="preview">
          {typing.length > 0 ? (
            <Typing conversation={conversation} />
          ) : (
            <>
              {preview?.mine && kind === 'direct' && <TickMark tick={tickOf(preview, conversation)} />}
              <span>{previewOf(conversation)}</span>
            </>
          )}
        </span>
        {failed > 0 ? (
          <span class="badge failed">not sent</span>
        ) : (
          unread > 0 && (
            <span class="badge">
              {unread > 999 ? '999+' : unread}
              <span class="hidden"> unread</span>
            </span>
          )
        )}
      </a>
    </li>
  );
}

function Empty() {
  if (!ready.value) return null;
  if (filter.value !== '') return <p class="empty">No chat of that name.</p>;
  return (
    <p class="empty">
      No chats yet. <button class="quiet" onClick={() => (dialog.value = 'new')}>Start one</button>
    </p>
  );
}

export function List() {
  const close = (): void => void (dialog.value = undefined);
  return (
    <section class="list" aria-label="Chats">
      <header>
        <h1>Chats</h1>
        <button class="round" aria-label="New chat" title="New chat" onClick={() => (dialog.value = 'new')}>
          <Icon name="plus" />
        </button>
        <button class="round" aria-label="Settings" title="Settings" onClick={() => (dialog.value = 'settings')}>
          <Avatar id={account.me?.user ?? 0} name={account.me ? nameOf(account.me.user) : ''} />
        </button>
      </header>
      <Pill />
      <input
        type="search"
        aria-label="Find a chat"
        placeholder="Find a chat"
        value={filter}
        onInput={(event) => (filter.value = event.currentTarget.value)}
      />
      {shown.value.length === 0 ? (
        <Empty />
      ) : (
        <nav aria-label="Chats" onKeyDown={move}>
          <ul>
            {shown.value.map((conversation) => (
              <Item key={conversation.id} conversation={conversation} />
            ))}
          </ul>
        </nav>
      )}
      {dialog.value === 'new' && <NewChat onClose={close} />}
      {dialog.value === 'settings' && <Settings onClose={close} />}
    </section>
  );
}
