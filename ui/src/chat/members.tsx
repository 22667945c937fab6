// Who belongs to a group: adding, removing, leaving, and the group's name.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Conversation, UserId } from '@chasqui/client/index';
import { id } from '@chasqui/client/index';
import { Avatar, Dialog } from './parts.tsx';
import { personOf, remember } from './people.ts';
import { go } from './route.ts';
import { account } from './session.ts';

interface Member {
  readonly user: UserId;
  readonly role: string;
}

export function Members({ conversation, onClose }: { readonly conversation: Conversation; readonly onClose: () => void }) {
  const path = { chat: conversation.id };
  const members = useSignal<readonly Member[]>([]);
  const trouble = useSignal('');
  /** Does something that a server may refuse; what was wrong. */
  const attempt = async (act: () => Promise<unknown>): Promise<string> => {
    trouble.value = '';
    try {
      await act();
    } catch (error) {
      trouble.value = error instanceof TypeError ? 'The server cannot be reached.' : (error as Error).message;
    }
    return trouble.value;
  };
  const list = () =>
    attempt(async () => {
      const { items } = await account.rest('GET', '/chats/{chat}/members', { path });
      members.value = items.map(({ user, role }) => ({ user: id<UserId>(user), role }));
    });
  useEffect(() => void list(), []);

  const value = (event: SubmitEvent, name: string): string => `${new FormData(event.currentTarget as HTMLFormElement).get(name)}`.trim();
  const rename = (event: SubmitEvent): void => {
    event.preventDefault();
    const title = value(event, 'title');
    void attempt(() => account.rest('PATCH', '/chats/{chat}', { path, body: { title } }));
  };
  const add = (event: SubmitEvent): void => {
    event.preventDefault();
    const username = value(event, 'username');
    const form = event.currentTarget as HTMLFormElement;
    void attempt(async () => {
      const { items } = await account.rest('GET', '/users', { query: { username } });
      const [person] = remember(items);
      if (!person) throw new Error(`Nobody is called ${username}.`);
      await account.rest('POST', '/chats/{chat}/members', { path, body: { users: [person.user] } });
      form.reset();
      await list();
    });
  };
  const remove = (user: UserId) =>
    attempt(async () => {
      await account.rest('DELETE', '/chats/{chat}/members/{user}', { path: { ...path, user } });
      await list();
    });
  const leave = async (): Promise<void> => {
    if (!account.me) return;
    const { user } = account.me;
    const trouble = await attempt(() => account.rest('DELETE', '/chats/{chat}/members/{user}', { path: { ...path, user } }));
    if (trouble) return;
    onClose();
    go(undefined);
  };

  const mine = members.value.find(({ user }) => user === account.me?.user)?.role;
  const manages = mine === 'owner' || mine === 'admin';
  return (
    <Dialog title="Members" onClose={onClose}>
      {manages && (
        <>
          <form class="line" onSubmit={rename}>
            <input name="title" required maxLength={64} aria-label="Name of the group" defaultValue={conversation.title ?? ''} />
            <button>Rename</button>
          </form>
          <form class="line" onSubmit={add}>
            <input name="username" required aria-label="User name" placeholder="User name" autocomplete="off" autocapitalize="none" spellcheck={false} />
            <button>Add</button>
          </form>
        </>
      )}
      <p role="alert" class="trouble">
        {trouble}
      </p>
      <ul aria-label="Members">
        {members.value.map(({ user, role }) => (
          <li class="person" key={user}>
            <Avatar id={user} name={personOf(user)?.display_name ?? ''} />
            <span class="name">
              {personOf(user)?.display_name ?? '…'} <small>{role === 'member' ? personOf(user)?.username : role}</small>
            </span>
            {manages && user !== account.me?.user && role !== 'owner' && (
              <button class="quiet" onClick={() => void remove(user)}>
                Remove
              </button>
            )}
          </li>
        ))}
      </ul>
      <button class="danger" onClick={() => void leave()}>
        Leave the group
      </button>
    </Dialog>
  );
}
