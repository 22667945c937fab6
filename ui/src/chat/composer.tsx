// Where a message is written. What is begun stays with its conversation.

import { useEffect, useRef } from 'preact/hooks';
import type { Chat, ConversationId } from '@chasqui/client/index';
import { Icon } from './parts.tsx';

const drafts = new Map<ConversationId, string>();
/** Keyboards on glass have no other key for a new line. */
const isTouch = matchMedia('(pointer: coarse)').matches;

export function Composer({ chat, id, title }: { readonly chat: Chat; readonly id: ConversationId; readonly title: string }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const grow = (): void => {
    const { current } = field;
    if (!current) return;
    current.style.height = 'auto';
    current.style.height = `${current.scrollHeight}px`;
  };
  useEffect(() => {
    const { current } = field;
    if (!current) return;
    current.value = drafts.get(id) ?? '';
    grow();
    if (!isTouch) current.focus();
  }, [id]);

  const input = (event: Event): void => {
    const { value } = event.currentTarget as HTMLTextAreaElement;
    drafts.set(id, value);
    chat.typing(id, value !== '');
    grow();
  };
  const send = (event: Event): void => {
    event.preventDefault();
    const { current } = field;
    const text = current?.value.trim() ?? '';
    if (!current || text === '') return;
    // How it went is shown in the log.
    chat.send(id, text).settled.catch(() => undefined);
    current.value = '';
    drafts.delete(id);
    grow();
    current.focus();
  };
  const key = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && !isTouch) send(event);
  };
  return (
    <form class="composer" onSubmit={send}>
      <textarea
        ref={field}
        rows={1}
        aria-label={`Message to ${title}`}
        placeholder="Message"
        maxLength={10_000}
        onInput={input}
        onKeyDown={key}
      />
      <button class="round primary" aria-label="Send">
        <Icon name="send" />
      </button>
    </form>
  );
}
