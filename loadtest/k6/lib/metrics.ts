// What every scenario measures, and the thresholds that hold for all of them.
//
// A threshold such as `rate>0.99` or `count==0` also holds where nothing happened at all, so each
// set has a `count>0` beside it.

import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';

/** From opening a socket to the last page of the first SYNC, in ms. */
export const connectToReady = new Trend('connect_to_ready', true);
/** From when a message was due to its SENT, in ms. */
export const dueToSent = new Trend('due_to_sent', true);
/** From when a message was due to its ENTRY at one receiver, in ms. */
export const dueToEntry = new Trend('due_to_entry', true);

export const connectionsLost = new Counter('connections_lost');
export const connectionsReady = new Counter('connections_ready');
export const messagesAcknowledged = new Counter('messages_acknowledged');
export const messagesDelivered = new Counter('messages_delivered');
/** Acknowledged, and not at a receiver in the end. */
export const messagesLost = new Counter('messages_lost');
/** At a receiver more than once, at different places of the log. */
export const messagesDuplicated = new Counter('messages_duplicated');
/** At a receiver behind one that its sender sent later. */
export const messagesReordered = new Counter('messages_reordered');
/** Chats begun and not accounted for: an exception ended their iteration. */
export const roomsUnaccounted = new Counter('rooms_unaccounted');
/** Neither acknowledged nor refused in the end. */
export const messagesUnsettled = new Counter('messages_unsettled');
/** Refused for good. */
export const messagesRefused = new Counter('messages_refused');
/** Refused for now: held back and sent again. */
export const sendsHeld = new Counter('sends_held');
/** Entries that came ahead of others, which were then fetched. */
export const entryGaps = new Counter('entry_gaps');
/** Bytes or answers that break the protocol. */
export const protocolFaults = new Counter('protocol_faults');

const checksMade = new Counter('checks_made');

/** The check of k6, counted. */
export function checked<T>(value: T, sets: Readonly<Record<string, (value: T) => boolean>>): boolean {
  checksMade.add(Object.keys(sets).length);
  return check(value, sets);
}

export type Thresholds = Record<string, (string | { threshold: string; abortOnFail: boolean })[]>;

/** Nothing lost, duplicated, reordered; and something happened. */
export const exactlyOnce: Thresholds = {
  connections_ready: ['count>0'],
  messages_acknowledged: ['count>0'],
  messages_delivered: ['count>0'],
  rooms_unaccounted: ['count==0'],
  messages_lost: ['count==0'],
  messages_duplicated: ['count==0'],
  messages_reordered: ['count==0'],
  messages_unsettled: ['count==0'],
  messages_refused: ['count==0'],
  protocol_faults: ['count==0'],
};

/** Every check passed; and there were some. */
export const allChecks: Thresholds = { checks: ['rate==1'], checks_made: ['count>0'] };

/** The percentiles of the reports. */
export const trendStats = ['count', 'min', 'med', 'p(95)', 'p(99)', 'p(99.9)', 'max'];
