// The protocol in a dozen steps, each with something to do in the form beside it.

import type { ComponentChildren } from 'preact';
import { startBytes, startDraft } from './composer.tsx';
import { epoch } from './memory.ts';

interface Step {
  readonly title: string;
  readonly text: ComponentChildren;
  /** What the button says, and does. */
  readonly action?: readonly [label: string, act: () => void];
  /** The heading of the chapter that says more. */
  readonly chapter: string;
}

const STEPS: readonly Step[] = [
  {
    title: 'Open the door',
    text: (
      <>
        A connection is a WebSocket at <code>/ws</code> with the subprotocol <code>chasqui.v1</code>. Its first frame is HELLO
        with a token, within ten seconds. Connect, and open the two lines: your HELLO, and the WELCOME that answers it.
      </>
    ),
    chapter: 'A connection',
  },
  {
    title: 'Read a frame',
    text: (
      <>
        A frame is a type, a length and a body: first its fixed fields in the order of the table, then tagged values. PING is the
        smallest one that says anything: <code>04 01 07</code>.
      </>
    ),
    action: ['Prepare PING 7', () => startDraft('PING')],
    chapter: 'Frames',
  },
  {
    title: 'Read a number',
    text: (
      <>
        The two top bits of a number tell its length: 1, 2, 4 or 8 bytes. So 63 is <code>3f</code>, and 16,384 takes four:{' '}
        <code>80 00 40 00</code>. Change the nonce and watch the bytes.
      </>
    ),
    action: ['Prepare PING 16384', () => startDraft('PING', { nonce: '16384' })],
    chapter: 'Ground rules',
  },
  {
    title: 'Ask what there is',
    text: 'SYNC lists every conversation in which something changed since its token; without one, all of them. The answer ends with a new token. There is always one conversation: your journal, for notes to yourself.',
    action: ['Prepare SYNC', () => startDraft('SYNC')],
    chapter: 'Reading',
  },
  {
    title: 'Lift the hold',
    text: 'A HELLO that does not name the epoch of the store starts a connection that is held: it may read, and each SEND is refused until RESUME. So nobody sends with positions from before a restored backup.',
    action: ['Prepare RESUME', () => startDraft('RESUME')],
    chapter: 'The hold',
  },
  {
    title: 'Say something, once',
    text: (
      <>
        SEND appends an entry. You draw its <code>cmid</code>, and <code>floor</code> is 1 + the highest sequence you know. Send
        it, then send the very same again: SENT with <code>duplicate 1</code>, and nothing is stored twice.
      </>
    ),
    action: ['Prepare SEND', () => startDraft('SEND')],
    chapter: 'Exactly once: the floor',
  },
  {
    title: 'Change your mind',
    text: (
      <>
        Keep the <code>cmid</code> and change the body: ERROR conflict, surely not applied. A client message id stands for one
        content, for good.
      </>
    ),
    action: ['Prepare SEND with another body', () => startDraft('SEND', { body: 'hello again' })],
    chapter: 'When a SEND is refused',
  },
  {
    title: 'Hear the others',
    text: 'Open this page a second time, as somebody you have a chat with, and send there: the ENTRY arrives here. Entries of a conversation come in the order of its log.',
    chapter: 'Order of what comes back',
  },
  {
    title: 'Say how far you are',
    text: 'ACK: stored up to there. READ: seen up to there. Neither is answered, neither goes back, and both may name the head at most.',
    action: ['Prepare READ', () => startDraft('READ')],
    chapter: 'Unread',
  },
  {
    title: 'Read back',
    text: 'FETCH brings a range of a log: its entries, then FETCHED. The sequences have no holes, so a client that knows what it holds knows what it lacks.',
    action: ['Prepare FETCH from 1', () => startDraft('FETCH')],
    chapter: 'Reading',
  },
  {
    title: 'Type without speaking',
    text: 'EPHEMERAL is never stored, is dropped first and goes to the others only.',
    action: ['Prepare "typing"', () => startDraft('EPHEMERAL', { kind: '1' })],
    chapter: 'Passing things',
  },
  {
    title: 'Break the rules',
    text: (
      <>
        An unknown type from 80 on is skipped: send <code>bf 01 aa</code> and nothing happens. Below 80 it ends the connection:
        send <code>3f 01 aa</code> and see ERROR unsupported and close 4501.
      </>
    ),
    action: ['Prepare 3f 01 aa', () => startBytes('3f 01 aa')],
    chapter: 'What is unknown, and what is wrong',
  },
];

const chapterLink = (heading: string): string => `/docs/protocol.md#:~:text=${encodeURIComponent(heading)}`;

export function Guide() {
  return (
    <section class="panel guide" aria-label="Guide">
      <h2>The protocol, step by step</h2>
      <ol>
        {STEPS.map(({ title, text, action, chapter }) => (
          <li key={title}>
            <h3>{title}</h3>
            <p>{text}</p>
            <div class="actions">
              {action && (
                <button onClick={action[1]}>{action[0]}</button>
              )}
              <a href={chapterLink(chapter)}>{chapter}</a>
            </div>
          </li>
        ))}
      </ol>
      <p class="doc">{epoch.value === undefined ? '' : `This store's epoch is ${epoch}; the next HELLO names it.`}</p>
    </section>
  );
}
