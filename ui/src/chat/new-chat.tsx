// Finding somebody, contacts, and beginning a chat or a group.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ConversationId, UserId } from '@chasqui/client/index';
import { Avatar, Dialog, Icon } from './parts.tsx';
import type { Person } from './people.ts';
import { personOf, remember } from './people.ts';
import { go } from './route.ts';
import { account, begin } from './session.ts';

/** A client id for a group: the same group however often it is asked for. */
const drawId = (): number => 1 + Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);

async function find(username: string): Promise<Person | undefined> {
  const { items } = await account.rest('GET', '/users', { query: { username } });
  return remember(items)[0];
}

function PersonRow({ user, children }: { readonly user: UserId; readonly children: preact.ComponentChildren }) {
  const person = personOf(user);
  return (
    <li class="person">
      <Avatar id={user} name={person?.display_name ?? ''} />
      <span class="name">
        {person?.display_name ?? '…'} <small>{person?.username}</small>
      </span>
      {children}
    </li>
  );
}

export function NewChat({ onClose }: { readonly onClose: () => void }) {
  const contacts = useSignal<readonly UserId[]>([]);
  const found = useSignal<UserId | undefined>(undefined);
  const chosen = useSignal<readonly UserId[]>([]);
  const trouble = useSignal('');
  const groupId = useSignal(drawId());

  /** Does something that a server may refuse; says so if it does. */
  const attempt = async (act: () => Promise<void>): Promise<void> => {
    trouble.value = '';
    try {
      await act();
    } catch (error) {
      trouble.value = error instanceof TypeError ? 'The server cannot be reached.' : error instanceof Error ? error.message : `${error}`;
    }
  };

  useEffect(() => {
    void attempt(async () => {
      const { items } = await account.rest('GET', '/contacts', { query: { limit: 100 } });
      contacts.value = items.map(({ user }) => user as UserId);
    });
  }, []);

  const search = (event: SubmitEvent): void => {
    event.preventDefault();
    const username = `${new FormData(event.currentTarget as HTMLFormElement).get('username')}`.trim();
    if (username === '') return;
    void attempt(async () => {
      const person = await find(username);
      found.value = person?.user;
      if (!person) trouble.value = `Nobody is called ${username}.`;
    });
  };

  const opened = ({ chat }: { readonly chat: number }): void => {
    go(chat as ConversationId);
    onClose();
  };
  const beginDirect = (user: UserId) =>
    attempt(async () => {
      const answer = await account.rest('POST', '/chats', { body: { kind: 'direct', user } });
      begin(answer.chat, user);
      opened(answer);
    });
  const beginGroup = (event: SubmitEvent): void => {
    event.preventDefault();
    const title = `${new FormData(event.currentTarget as HTMLFormElement).get('title')}`.trim();
    const body = { kind: 'group', title, members: [...chosen.value], client_id: groupId.value } as const;
    void attempt(async () => opened(await account.rest('POST', '/chats', { body })));
  };
  const keep = (user: UserId) =>
    attempt(async () => {
      await account.rest('POST', '/contacts', { body: { user } });
      contacts.value = [...contacts.value, user];
    });
  const drop = (user: UserId) =>
    attempt(async () => {
      await account.rest('DELETE', '/contacts/{user}', { path: { user } });
      contacts.value = contacts.value.filter((contact) => contact !== user);
    });
  const choose = (user: UserId): void => {
    const has = chosen.value.includes(user);
    chosen.value = has ? chosen.value.filter((other) => other !== user) : [...chosen.value, user];
  };
  const actions = (user: UserId, isContact: boolean) => (
    <>
      <button onClick={() => beginDirect(user)}>Chat</button>
      <button class="quiet" aria-pressed={chosen.value.includes(user)} onClick={() => choose(user)}>
        {chosen.value.includes(user) ? 'In group' : 'To group'}
      </button>
      <button class="quiet" onClick={() => (isContact ? drop : keep)(user)}>
        {isContact ? 'Remove' : 'Keep'}
      </button>
    </>
  );

  return (
    <Dialog title="New chat" onClose={onClose}>
      <form class="line" onSubmit={search}>
        <input name="username" aria-label="User name" placeholder="User name" autocomplete="off" autocapitalize="none" spellcheck={false} />
        <button class="primary">Find</button>
      </form>
      <p role="alert" class="trouble">
        {trouble}
      </p>
      {found.value !== undefined && !contacts.value.includes(found.value) && (
        <ul aria-label="Found">
          <PersonRow user={found.value}>{actions(found.value, false)}</PersonRow>
        </ul>
      )}
      <h3>Contacts</h3>
      {contacts.value.length === 0 ? (
        <p class="hint">Nobody yet. Find somebody by their user name, and keep them here.</p>
      ) : (
        <ul aria-label="Contacts">
          {contacts.value.map((user) => (
            <PersonRow key={user} user={user}>
              {actions(user, true)}
            </PersonRow>
          ))}
        </ul>
      )}
      {chosen.value.length > 0 && (
        <form class="group" onSubmit={beginGroup}>
          <h3>
            <Icon name="people" /> A group of you and {chosen.value.length}
          </h3>
          <div class="line">
            <input name="title" required maxLength={64} aria-label="Name of the group" placeholder="Name of the group" />
            <button class="primary">Create group</button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
