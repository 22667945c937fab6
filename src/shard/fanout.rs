//! From what an owner tells to frames on their way: each frame is encoded once, with its WebSocket
//! head, and its bytes are shared by all receivers.
//!
//! What concerns connections of this shard goes straight into their outboxes; each other shard gets
//! one message. So what one owner tells one connection arrives in the order in which it was told,
//! answers and pushes alike: it takes the same way every time.

use super::ConnectionKey;
use super::counters::Counters;
use super::mailbox::{Mailboxes, Origin, ShardMessage, Targets};
use super::outbox::PushClass;
use super::reactor::Reactor;
use super::registry::{Place, Registry};
use super::websocket::{self, Message};
use crate::chat::CursorMoved;
use crate::model::{CommandError, ConversationId, Entry, EphemeralKind, Outcome, UserId};
use crate::protocol::{CursorFrame, EntryEncoder, EphemeralFrame, ServerFrame};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub(super) struct Fanout {
    shard: u16,
    reactor: Rc<Reactor>,
    mailboxes: Mailboxes,
    registry: Arc<Registry>,
    /// Those of the shard that this one speaks for.
    counters: Arc<Counters>,
    scratch: RefCell<Scratch>,
}

/// What a push takes until it has left, kept so that it need not be allocated again.
#[derive(Debug)]
struct Scratch {
    others: Audience,
    /// The sender's own connections, which are told more.
    own: Audience,
    /// Where frames are laid out.
    frame: Vec<u8>,
}

/// The connections that a frame goes to, by shard.
#[derive(Debug)]
struct Audience {
    shards: Vec<Vec<ConnectionKey>>,
    is_empty: bool,
}

impl Audience {
    fn new(shards: u16) -> Self {
        Self { shards: vec![Vec::new(); shards.into()], is_empty: true }
    }

    fn add(&mut self, place: Place) {
        if let Some(targets) = self.shards.get_mut(usize::from(place.shard)) {
            targets.push(place.key);
            self.is_empty = false;
        }
    }
}

impl Fanout {
    /// The fan-out of one shard.
    pub(super) fn new(
        shard: u16,
        reactor: Rc<Reactor>,
        mailboxes: Mailboxes,
        registry: Arc<Registry>,
        counters: Arc<Counters>,
    ) -> Self {
        let audience = || Audience::new(mailboxes.len());
        let scratch = Scratch { others: audience(), own: audience(), frame: Vec::new() };
        Self { shard, reactor, mailboxes, registry, counters, scratch: RefCell::new(scratch) }
    }

    /// Answers whoever asked.
    pub(super) fn answer(&self, origin: Origin, result: Result<Outcome, CommandError>) {
        match origin {
            // Whoever awaited it may have gone away.
            Origin::Call(reply) => drop(reply.send(result)),
            Origin::Connection { rid: 0, .. } => {}
            Origin::Connection { place: Place { shard, key }, rid } if shard == self.shard => {
                self.reactor.hand_over(|connections| connections.reply(key, rid, &result));
            }
            Origin::Connection { place: Place { shard, key }, rid } => {
                self.mailboxes.post(shard, ShardMessage::Reply { key, rid, result });
            }
        }
    }

    /// Tells an entry to everyone of `audience` but the connection that `asked` for it.
    pub(super) fn entry(
        &self,
        conversation: ConversationId,
        entry: &Entry,
        audience: &[UserId],
        asked: Option<Place>,
    ) {
        let Scratch { others, own, frame } = &mut *self.scratch.borrow_mut();
        for user in audience {
            let sent_it = Some(*user) == entry.sender;
            self.registry.reach(*user, |place| {
                if Some(place) != asked {
                    if sent_it { own.add(place) } else { others.add(place) }
                }
            });
        }
        for (audience, to_sender) in [(others, false), (own, true)] {
            self.deliver(audience, frame, PushClass::Entry, |out| {
                EntryEncoder::new(conversation, entry).encode(to_sender, out);
            });
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
        self.push(&moved.audience, |place| Some(place) != from, PushClass::Cursor, &frame);
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
        self.push(&others, |_| true, PushClass::Ephemeral, &frame);
    }

    /// Sends one frame to every connection of `users` that `hears` it.
    fn push(
        &self,
        users: &[UserId],
        hears: impl Fn(Place) -> bool,
        class: PushClass,
        frame: &ServerFrame<'_>,
    ) {
        let Scratch { others, frame: scratch, .. } = &mut *self.scratch.borrow_mut();
        for user in users {
            self.registry.reach(*user, |place| {
                if hears(place) {
                    others.add(place);
                }
            });
        }
        self.deliver(others, scratch, class, |out| frame.encode(out));
    }

    /// Encodes a frame if anyone gets it, sends it to each shard that has receivers, and leaves the
    /// audience empty.
    fn deliver(
        &self,
        audience: &mut Audience,
        scratch: &mut Vec<u8>,
        class: PushClass,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        if audience.is_empty {
            return;
        }
        let message = websocket::binary_message(scratch, encode);
        for (shard, targets) in (0..).zip(&mut audience.shards) {
            if targets.is_empty() {
                continue;
            }
            if shard == self.shard {
                self.reactor.hand_over(|connections| {
                    for key in targets.iter() {
                        connections.deliver(*key, &message, class);
                    }
                });
            } else {
                let (targets, message) = (Targets::from_slice(targets), Message::clone(&message));
                let dropped = self.mailboxes.deliver(shard, targets, message, class);
                self.counters.deliveries_dropped.add(dropped);
            }
            targets.clear();
        }
        audience.is_empty = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Limits;
    use crate::shard::mailbox::{Inbox, mailboxes};
    use crate::shard::settings::{Mode, Settings};
    use std::net::{TcpListener, TcpStream};
    use std::task::{Context, Poll, Waker};

    /// The fan-out of the first of two shards, a connection of it, and the mailboxes of both.
    fn fanout() -> (Fanout, ConnectionKey, Vec<Inbox>) {
        let settings = Settings { limits: Limits::default(), outbox_bytes_max: 1 << 20 };
        let reactor = Rc::new(Reactor::new(settings, Arc::default()).expect("epoll"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let socket = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let adopted = reactor.hand_over(|c| c.adopt(socket, None, &[], Mode::Client));
        let (mailboxes, inboxes) = mailboxes(2);
        let registry = Arc::new(Registry::new(8));
        let fanout = Fanout::new(0, reactor, mailboxes, registry, Arc::default());
        (fanout, adopted.expect("room"), inboxes)
    }

    fn executing(fanout: &Fanout, key: ConnectionKey) -> u16 {
        fanout.reactor.hand_over(|c| c.slab.get(key).expect("it lives").executing)
    }

    fn waiting(inbox: &mut Inbox) -> usize {
        let mut messages = Vec::new();
        let mut ctx = Context::from_waker(Waker::noop());
        match inbox.poll(&mut ctx, &mut messages, 9) {
            Poll::Ready(count) => count,
            Poll::Pending => 0,
        }
    }

    #[test]
    fn an_answer_takes_the_mailbox_only_to_another_shard() {
        let (fanout, key, mut inboxes) = fanout();
        fanout.reactor.hand_over(|c| c.slab.get_mut(key).expect("it lives").executing = 2);
        for shard in [0, 1] {
            let place = Place { shard, key };
            fanout.answer(Origin::Connection { place, rid: 7 }, Ok(Outcome::Done));
        }
        assert_eq!(executing(&fanout, key), 1);
        let waiting: Vec<_> = inboxes.iter_mut().map(waiting).collect();
        assert_eq!(waiting, [0, 1]);
    }

    #[test]
    fn what_wants_no_answer_counts_as_none() {
        let (fanout, key, _) = fanout();
        fanout.reactor.hand_over(|c| c.slab.get_mut(key).expect("it lives").executing = 1);
        let place = Place { shard: 0, key };
        fanout.answer(Origin::Connection { place, rid: 0 }, Ok(Outcome::Done));
        assert_eq!(executing(&fanout, key), 1, "another request still waits");
    }
}
