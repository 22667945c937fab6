// The log of a conversation: bubbles by day and by who speaks, read back to its beginning without a jump.

import { Fragment } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Chat, Conversation, Tick, TimelineItem } from '@chasqui/client/index';
import { tickOf } from '@chasqui/client/index';
import { Avatar, Icon, TickMark } from './parts.tsx';
import { nameOf } from './people.ts';
import { useReading } from './reading.ts';
import { day, eventWords, textOf, time } from './words.ts';

/** Messages of one person that follow each other within this time are shown as one turn. */
const TURN_MS = 5 * 60_000;
/** An item as a row shows it: what it is to those beside it. */
interface Row {
  readonly item: TimelineItem;
  /** The day that begins with it. */
  readonly day: string | undefined;
  readonly first: boolean;
  readonly last: boolean;
  readonly event: string | undefined;
}

const sameTurn = (a: TimelineItem | undefined, b: TimelineItem | undefined): boolean =>
  a !== undefined && b !== undefined && a.sender === b.sender && b.at - a.at < TURN_MS && day(a.at) === day(b.at);

/** The rows of a part of a log. */
function rowsOf(items: readonly TimelineItem[], start: number, end: number): readonly Row[] {
  const speaks = (item: TimelineItem | undefined): TimelineItem | undefined => (item && eventWords(item) === undefined ? item : undefined);
  return items.slice(start, end).map((item, index) => {
    const [before, after] = [items[start + index - 1], items[start + index + 1]];
    return {
      item,
      day: before && index > 0 && day(before.at) === day(item.at) ? undefined : day(item.at),
      first: !sameTurn(speaks(before), item),
      last: !sameTurn(item, speaks(after)),
      event: eventWords(item),
    };
  });
}

interface BubbleProps extends Omit<Row, 'day' | 'event'> {
  readonly tick: Tick | undefined;
  readonly named: boolean;
  readonly chat: Chat;
}

/** Since it reads signals, it is drawn anew only where one of them or of its properties has changed. */
function Bubble({ item, first, last, tick, named, chat }: BubbleProps) {
  const { mine, sender, at, cmid, error } = item;
  const name = sender === 0 ? 'The server' : nameOf(sender);
  const text = textOf(item);
  return (
    <li data-row class={`bubble ${mine ? 'mine' : 'theirs'}${first ? ' first' : ''}${last ? ' last' : ''}${named ? ' named' : ''}`}>
      {named && last && <Avatar id={sender} name={name} />}
      <div class="said">
        {named && first ? <span class={`who hue${sender % 6}`}>{name}</span> : <span class="hidden">{mine ? 'You' : name}: </span>}
        <span class={text === undefined ? 'gone' : 'text'}>{text ?? 'Deleted'}</span>
        <span class="when">
          {item.edited !== undefined && 'edited '}
          <time>{time(at)}</time>
          {tick && <TickMark tick={tick} />}
        </span>
      </div>
      {tick === 'failed' && cmid !== undefined && (
        <p class="failure">
          Not sent{error ? `: ${error.message}` : ''}.{' '}
          <button class="quiet" onClick={() => chat.retry(cmid)}>
            Try again
          </button>
          <button class="quiet" onClick={() => chat.discard(cmid)}>
            Discard
          </button>
        </p>
      )}
    </li>
  );
}

export function Log({ chat, conversation }: { readonly chat: Chat; readonly conversation: Conversation }) {
  const { id, kind, unread, read } = conversation;
  const timeline = chat.timeline(id);
  const { box, onScroll, items, start, end, isAtEnd, toEnd } = useReading(timeline);
  /** What had been read when this was opened: behind it the new begins. */
  const [readBefore] = useState(unread > 0 ? read : undefined);

  useEffect(() => {
    const markRead = (): void => {
      if (isAtEnd && unread > 0 && document.visibilityState === 'visible') chat.read(id);
    };
    markRead();
    document.addEventListener('visibilitychange', markRead);
    return () => document.removeEventListener('visibilitychange', markRead);
  }, [isAtEnd, unread, items]);

  const firstNew = readBefore === undefined ? undefined : items.find((item) => (item.sequence ?? 0) > readBefore && !item.mine && eventWords(item) === undefined)?.key;
  const rows = rowsOf(items, start, end);
  const isMore = start > 0 || timeline.hasOlder;
  return (
    <div class="log">
      <div class="scroll" ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-label="Messages">
        <ol>
          {isMore && <li class="event older">Loading…</li>}
          {rows.length === 0 && !isMore && <li class="event">Nothing said yet.</li>}
          {rows.map(({ item, day: starts, first, last, event }) => (
            <Fragment key={item.key}>
              {starts && (
                <li class="day">
                  <span>{starts}</span>
                </li>
              )}
              {item.key === firstNew && (
                <li class="new">
                  <span>New</span>
                </li>
              )}
              {event !== undefined ? (
                <li data-row class="event">
                  {event}
                </li>
              ) : (
                <Bubble
                  item={item}
                  first={first}
                  last={last}
                  tick={item.mine && kind !== 'journal' ? tickOf(item, conversation) : undefined}
                  named={kind === 'group' && !item.mine}
                  chat={chat}
                />
              )}
            </Fragment>
          ))}
        </ol>
      </div>
      {!isAtEnd && (
        <button class="round to-end" aria-label={unread > 0 ? `To the end, ${unread} unread` : 'To the end'} onClick={toEnd}>
          <Icon name="down" />
          {unread > 0 && <span class="badge">{unread}</span>}
        </button>
      )}
    </div>
  );
}
