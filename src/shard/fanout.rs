//! From what an owner tells to frames in mailboxes: each frame is encoded once, with its WebSocket
//! head, and its bytes are shared by all receivers; each shard gets one message.

use super::counters::Counters;
use super::mailbox::{Mailboxes, Origin, Targets};
use super::outbox::PushClass;
use super::registry::{Place, Registry};
use super::websocket;
use crate::chat::{CursorMoved, Emit};
use crate::model::{ConversationId, Entry, EphemeralKind, UserId};
use crate::protocol::{CursorFrame, EntryEncoder, EphemeralFrame, ServerFrame};
use bytes::Bytes;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Fanout {
    mailboxes: Mailboxes,
    registry: Arc<Registry>,
    /// Those of the shard that this one speaks for.
    counters: Arc<Counters>,
}

/// The connections that a frame goes to, by shard: on the stack unless there are many.
struct Audience(SmallVec<[Targets; 4]>);

impl Audience {
    fn new(shards: usize) -> Self {
        Self(smallvec![Targets::new(); shards])
    }

    fn add(&mut self, place: Place) {
        if let Some(targets) = self.0.get_mut(place.shard) {
            targets.push(place.key);
        }
    }
}

impl Fanout {
    pub(super) fn new(
        mailboxes: Mailboxes,
        registry: Arc<Registry>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { mailboxes, registry, counters }
    }

    /// Tells one thing that an owner decided. Where an entry answers a request, the answer takes
    /// the place of the entry on the connection that asked.
    pub(super) fn tell(&self, conversation: ConversationId, emit: Emit<Origin>) {
        match emit {
            Emit::Reply { ticket, result } => self.mailboxes.answer(ticket, result),
            Emit::Entry { entry, audience, answer } => {
                let asked = answer.as_ref().and_then(|(origin, _)| origin.place());
                if let Some((origin, outcome)) = answer {
                    self.mailboxes.answer(origin, Ok(outcome));
                }
                self.entry(conversation, &entry, &audience, asked);
            }
        }
    }

    fn entry(
        &self,
        conversation: ConversationId,
        entry: &Entry,
        audience: &[UserId],
        asked: Option<Place>,
    ) {
        let mut own = Audience::new(self.mailboxes.len());
        let mut others = Audience::new(self.mailboxes.len());
        for user in audience {
            let sent_it = Some(*user) == entry.sender;
            self.registry.reach(*user, |place| {
                if Some(place) != asked {
                    let audience = if sent_it { &mut own } else { &mut others };
                    audience.add(place);
                }
            });
        }
        let encoder = EntryEncoder::new(conversation, entry);
        for (audience, to_sender) in [(others, false), (own, true)] {
            self.deliver(audience, PushClass::Entry, |out| encoder.encode(to_sender, out));
        }
    }

    /// Tells that a cursor moved, to all who see it but the connection where it did.
    pub(super) fn cursor(&self, moved: &CursorMoved, from: Option<Place>) {
        let frame = ServerFrame::Cursor(CursorFrame {
            conversation: moved.conversation,
            user: moved.user,
            delivered: moved.cursor.delivered,
            read: moved.cursor.read,
            read_ordinal: moved.cursor.read_ordinal,
        });
        let audience = self.reach(&moved.audience, from);
        self.deliver(audience, PushClass::Cursor, |out| frame.encode(out));
    }

    /// Carries typing and the like to everyone in `users`, but not to who does it.
    pub(super) fn ephemeral(
        &self,
        conversation: ConversationId,
        (user, kind, body): (UserId, EphemeralKind, &[u8]),
        users: &[UserId],
    ) {
        let others: Vec<UserId> = users.iter().copied().filter(|other| *other != user).collect();
        let frame =
            ServerFrame::Ephemeral(EphemeralFrame { conversation, user: Some(user), kind, body });
        let audience = self.reach(&others, None);
        self.deliver(audience, PushClass::Ephemeral, |out| frame.encode(out));
    }

    fn reach(&self, users: &[UserId], except: Option<Place>) -> Audience {
        let mut audience = Audience::new(self.mailboxes.len());
        for user in users {
            self.registry.reach(*user, |place| {
                if Some(place) != except {
                    audience.add(place);
                }
            });
        }
        audience
    }

    /// Encodes a frame once if anyone gets it, and sends it to each shard that has receivers.
    fn deliver(&self, audience: Audience, class: PushClass, encode: impl Fn(&mut Vec<u8>)) {
        let mut message: Option<Bytes> = None;
        for (shard, targets) in audience.0.into_iter().enumerate() {
            if targets.is_empty() {
                continue;
            }
            let message = message.get_or_insert_with(|| {
                let mut frame = Vec::new();
                encode(&mut frame);
                websocket::binary_message(&frame)
            });
            let dropped = self.mailboxes.deliver(shard, targets, message.clone(), class);
            self.counters.deliveries_dropped.add(dropped);
        }
    }
}
