// Many messages at once: over a connection that a page opens, since Node 20 has no WebSocket.

import type { ConversationId, MessageId } from '@chasqui/client/codec';
import { encodeClient, frame, id, layout, sequence, SUBPROTOCOL, textMessage } from '@chasqui/client/codec';
import type { Page } from 'playwright-core';

/** How many SENDs may be unanswered. */
const SENDS_MAX = 64;

/** Says all of it, in order, as the person whose token that is. The page must be of the server. */
export async function seed(page: Page, token: string, chat: number, texts: readonly string[]): Promise<void> {
  const greeting = encodeClient({ frame: 'HELLO', minor: 0, capabilities: 0, token }, { frame: 'RESUME' });
  const messages: number[][] = [];
  for (let from = 0; from < texts.length; from += SENDS_MAX) {
    const sends = texts.slice(from, from + SENDS_MAX).map((text, i) => {
      const rid = from + i + 1;
      const where = { conversation: id<ConversationId>(chat), cmid: id<MessageId>(rid), floor: sequence(from + 1) };
      return { frame: 'SEND', rid, ...where, ...layout(textMessage(text)) } as const;
    });
    messages.push([...new Uint8Array(encodeClient(...sends))]);
  }
  await page.evaluate(
    ({ greeting, messages, subprotocol, sent, sendsMax, total }) =>
      new Promise<void>((resolve, reject) => {
        const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws`, subprotocol);
        socket.binaryType = 'arraybuffer';
        const say = (bytes: number[] | undefined): void => void (bytes && socket.send(Uint8Array.from(bytes)));
        socket.onopen = () => {
          say(greeting);
          say(messages.shift());
        };
        let stored = 0;
        socket.onmessage = ({ data }) => {
          if (new Uint8Array(data as ArrayBuffer)[0] !== sent) return;
          stored += 1;
          if (stored === total) {
            socket.close();
            resolve();
          } else if (stored % sendsMax === 0) {
            say(messages.shift());
          }
        };
        socket.onclose = ({ code }) => reject(new Error(`closed with ${code} after ${stored}`));
      }),
    { greeting: [...new Uint8Array(greeting)], messages, subprotocol: SUBPROTOCOL, sent: frame.SENT, sendsMax: SENDS_MAX, total: texts.length },
  );
}
