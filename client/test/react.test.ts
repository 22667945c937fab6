// The hooks show what the client shows.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import type { ConversationId } from '../src/index.ts';
import { Chat } from '../src/index.ts';
import { useConnection, useConversation, useConversations, useTimeline } from '../src/react.ts';

class Silent {
  close(): void {}
}

test('hooks read the snapshots', async () => {
  const chat = new Chat('http://nowhere', { getToken: () => 'token', WebSocket: Silent as never });
  await chat.ready;
  const where = 7 as ConversationId;
  const Page = (): string => {
    const [state, all] = [useConnection(chat).name, useConversations(chat).length];
    const lines = useTimeline(chat, where).map((item) => `${item.status} ${item.content?.is}`);
    return [state, all, useConversation(chat, where)?.unread, ...lines].join();
  };
  assert.equal(renderToString(createElement(Page)), 'idle,0,');
  chat.send(where, 'hello');
  assert.equal(renderToString(createElement(Page)), 'idle,0,,queued message');
  await chat.close();
});
