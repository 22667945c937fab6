// The chat: signing in, or the list of conversations beside the one that is open.

import '../shared/base.css';
import './chat.css';
import './theme.ts';
import { computed, effect, signal } from '@preact/signals';
import { render } from 'preact';
import { List } from './list.tsx';
import { Room } from './room.tsx';
import { open } from './route.ts';
import { chat, conversations, farewell, resume } from './session.ts';
import { SignIn } from './sign-in.tsx';

/** Until it is known whether somebody is signed in, nothing is shown. */
const started = signal(false);
const unread = computed(() => conversations.value.reduce((sum, conversation) => sum + (conversation.muted ? 0 : conversation.unread), 0));

effect(() => {
  document.title = unread.value > 0 ? `(${unread}) chasqui` : 'chasqui';
});

function App() {
  if (!started.value) return null;
  if (!chat.value) return <SignIn />;
  const current = open.value;
  return (
    <main class={`app ${current === undefined ? 'at-list' : 'at-room'}`}>
      <List />
      {current === undefined ? (
        <section class="nothing-open">
          <img src="/icon.svg" alt="" width="72" height="72" />
          <p>Choose a chat, or start one.</p>
        </section>
      ) : (
        <Room key={current} id={current} chat={chat.value} />
      )}
    </main>
  );
}

async function start(): Promise<void> {
  try {
    await resume();
  } catch (error) {
    farewell.value = error instanceof Error ? error.message : `${error}`;
  }
  started.value = true;
  if ('serviceWorker' in navigator) await navigator.serviceWorker.register('/sw.js');
}

render(<App />, document.body);
void start();
