// The client of chasqui: a connection that stays, an outbox that sends once, timelines without holes.

export { Chat } from './chat.ts';
export type { ChatEvents, ChatOptions, Outgoing } from './options.ts';
export { id, sequence, textMessage } from './codec.ts';
export type {
  Attachment,
  Content,
  ConversationId,
  DeviceId,
  Epoch,
  MediaId,
  Message,
  MessageId,
  Opaque,
  Sequence,
  UserId,
} from './codec.ts';
export type { ConnectionState, TokenReason } from './connection.ts';
export type { Clock, WebSocketLike } from './driver.ts';
export type { Changes, ConversationRow, Meta, OutboxRow, Saved, Settled, Store, Tabs } from './store.ts';
export { memoryStore } from './store.ts';
export type { Entry, Timeline, TimelineItem } from './timeline.ts';
export { SendError } from './timeline.ts';
export { Unauthorized } from './unauthorized.ts';
export type { Conversation, Tick } from './view.ts';
export { tickOf } from './view.ts';
