// What is said of conversations, entries and times, in words.

import type { Content, Conversation, TimelineItem } from '@chasqui/client/index';
import { nameOf } from './people.ts';
import { account } from './session.ts';

const HOURS = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const WEEKDAY = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const LONG_DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });

const DAY_MS = 86_400_000;

export const time = (at: number): string => HOURS.format(at);

/** Days between then and now, by the calendar. */
function daysAgo(at: number): number {
  const midnight = (of: number): number => new Date(of).setHours(0, 0, 0, 0);
  return Math.round((midnight(Date.now()) - midnight(at)) / DAY_MS);
}

export function day(at: number): string {
  const ago = daysAgo(at);
  if (ago === 0) return 'Today';
  return ago === 1 ? 'Yesterday' : LONG_DAY.format(at);
}

/** As short as a list has room for. */
export function briefly(at: number): string {
  if (at === 0) return '';
  const ago = daysAgo(at);
  if (ago === 0) return time(at);
  if (ago === 1) return 'Yesterday';
  return ago < 7 ? WEEKDAY.format(at) : SHORT_DAY.format(at);
}

export function titleOf(conversation: Conversation): string {
  if (conversation.kind === 'journal') return 'Notes to self';
  if (conversation.kind === 'group') return conversation.title ?? 'Group';
  return conversation.peer === undefined ? '…' : nameOf(conversation.peer);
}

const listed = (names: readonly string[]): string => new Intl.ListFormat().format(names);

const isMe = (user: number): boolean => user === account.me?.user;
const called = (user: TimelineItem['sender']): string => (user === 0 ? 'The server' : isMe(user) ? 'You' : nameOf(user));

type Member = Extract<Content, { is: 'member' }>;

/** What a change of members comes to. Numbers are those of `member_change`. */
function memberWords({ sender }: TimelineItem, { users, change }: Member): string {
  // Whoever begins a group is among those who are added.
  const others = users.filter((user) => user !== sender);
  const who = listed(others.map((user) => (isMe(user) ? 'you' : nameOf(user))));
  if (others.length === 0) return `${called(sender)} ${change === 2 ? 'left' : 'joined'}`;
  const done = ['', 'added', 'saw off', 'removed', 'changed the role of'][change] ?? 'changed';
  return `${called(sender)} ${done} ${who}`;
}

/** Something that happened, rather than something that was said; undefined for what was said. */
export function eventWords(item: TimelineItem): string | undefined {
  const { content } = item;
  switch (content?.is) {
    case 'message':
      return undefined;
    case 'member':
      return memberWords(item, content);
    case 'settings':
      return content.title === undefined ? 'The picture changed' : `${called(item.sender)} named the group “${content.title}”`;
    case 'contact':
      return content.state === 5 ? `${nameOf(content.user)} is no longer a contact` : `${nameOf(content.user)} is a contact`;
    case 'device':
      return `Signed ${content.change === 1 ? 'in' : 'out'}: ${content.name || 'a device'}`;
    default:
      return 'Something this version cannot show';
  }
}

/** The text of a message; undefined where it was taken away. */
export const textOf = ({ content, erased }: TimelineItem): string | undefined =>
  erased === undefined && content?.is === 'message' ? content.text : undefined;

/** A line for the list. */
export function previewOf({ preview, kind }: Conversation): string {
  if (!preview) return '';
  const event = eventWords(preview);
  if (event !== undefined) return event;
  const text = textOf(preview) ?? 'Deleted';
  // In a direct chat the tick tells whose it is.
  return kind === 'group' ? `${called(preview.sender)}: ${text}` : text;
}

/** At most two letters of a name. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => [...(word ?? '')][0] ?? '');
  return letters.join('').toUpperCase();
}
