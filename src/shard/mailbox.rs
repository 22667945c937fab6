//! What shards say to each other, and the bounded queue it goes through.
//!
//! Each shard has one mailbox, so what the owners of one shard send to a connection of another arrives
//! in the order in which it was sent, answers and pushes alike. What they tell connections of their
//! own shard does not come this way (see `fanout`). Invariants:
//! - Commands and deliveries are each bounded in number. A command that finds no room is refused,
//!   surely not applied. A delivery that finds none is dropped and its connections are marked, to
//!   be told to synchronise again.
//! - Answers always find room: there are at most as many as commands were admitted.

use super::ConnectionKey;
use super::handle::Census;
use super::missed::Missed;
use super::outbox::PushClass;
use super::registry::Place;
use super::websocket::Message;
use crate::chat::{Lane, Request};
use crate::model::{Actor, Command, CommandError, ConversationId, Outcome};
use crate::protocol::{CloseCode, Goaway};
use crate::session::{GrantError, Granted};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use tokio::sync::{mpsc, oneshot};

/// The most commands waiting in a mailbox.
const COMMANDS_MAX: usize = 16_384;

/// The most connections that waiting deliveries may name. One delivery to one connection costs about
/// 150 bytes while it waits.
const DELIVERIES_MAX: usize = 131_072;

/// How many connections are told to synchronise again in one turn, so that an overflow is not
/// answered by a storm.
const RESYNCS_PER_TURN_MAX: usize = 64;

/// The connections of one shard that a frame goes to.
pub(crate) type Targets = SmallVec<[ConnectionKey; 2]>;

/// Where an answer goes.
#[derive(Debug)]
pub(crate) enum Origin {
    /// To whoever awaits it.
    Call(oneshot::Sender<Result<Outcome, CommandError>>),
    /// To a request of a connection. Request id 0 wants no answer.
    Connection {
        /// The connection.
        place: Place,
        /// The request.
        rid: u64,
    },
}

const _: () = assert!(size_of::<Request<Origin>>() <= 128, "a request is moved several times");

impl Origin {
    /// The connection it is, if it is one.
    pub(crate) fn place(&self) -> Option<Place> {
        match self {
            Self::Call(_) => None,
            Self::Connection { place, .. } => Some(*place),
        }
    }

    /// The same origin for a command without an answer.
    pub(crate) fn unanswered(&self) -> Self {
        match self {
            Self::Call(_) => Self::Call(oneshot::channel().0),
            Self::Connection { place, .. } => Self::Connection { place: *place, rid: 0 },
        }
    }
}

/// One message to a shard.
#[derive(Debug)]
pub(crate) enum ShardMessage {
    /// Do this, or hand it to the shard that can.
    Perform {
        /// Where the answer goes.
        origin: Origin,
        /// Who wants it.
        actor: Option<Actor>,
        /// What.
        command: Command,
        /// Set for sends of connections.
        lane: Option<Lane>,
    },
    /// Append this to a conversation of this shard.
    Append {
        /// Where.
        conversation: ConversationId,
        /// What.
        request: Request<Origin>,
    },
    /// Whether the shard is up and its store takes writes.
    Check(oneshot::Sender<Result<(), CommandError>>),
    /// The answer to a request of a connection of this shard.
    Reply {
        /// The connection.
        key: ConnectionKey,
        /// The request.
        rid: u64,
        /// The answer.
        result: Result<Outcome, CommandError>,
    },
    /// The verdict on a connection's token.
    Grant {
        /// The connection.
        key: ConnectionKey,
        /// The verdict.
        result: Result<Granted, GrantError>,
    },
    /// A frame for connections of this shard.
    Deliver {
        /// Which.
        targets: Targets,
        /// The frame behind its WebSocket head, shared by all receivers.
        message: Message,
        /// What becomes of it where there is no room.
        class: PushClass,
    },
    /// Close a connection of this shard.
    Close {
        /// Which.
        key: ConnectionKey,
        /// With which code.
        code: CloseCode,
    },
    /// Ask all connections to go elsewhere.
    Drain(Goaway),
    /// Close all connections.
    CloseAll(CloseCode),
    /// Load this conversation, which finishes what a crash left undone.
    Load(ConversationId),
    /// What is left to do here.
    Count(oneshot::Sender<Census>),
    /// The shard ends.
    End,
}

/// The sending side of all mailboxes.
#[derive(Clone, Debug)]
pub(crate) struct Mailboxes(Arc<[Mailbox]>);

#[derive(Debug)]
struct Mailbox {
    sender: mpsc::UnboundedSender<ShardMessage>,
    load: Arc<Load>,
}

/// What waits in one mailbox.
#[derive(Debug, Default)]
struct Load {
    commands: AtomicUsize,
    deliveries: AtomicUsize,
    missed: Missed,
}

/// The receiving side of one mailbox.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::UnboundedReceiver<ShardMessage>,
    load: Arc<Load>,
    /// Whom the next message wakes, while none has come since.
    waiting: Option<Waker>,
}

/// Makes the mailboxes of `shards` shards.
pub(crate) fn mailboxes(shards: u16) -> (Mailboxes, Vec<Inbox>) {
    let (senders, receivers) = (0..shards)
        .map(|_| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let load = Arc::<Load>::default();
            (Mailbox { sender, load: Arc::clone(&load) }, Inbox { receiver, load, waiting: None })
        })
        .unzip::<_, _, Vec<_>, Vec<_>>();
    (Mailboxes(senders.into()), receivers)
}

impl Mailboxes {
    /// How many shards there are.
    pub(crate) fn len(&self) -> u16 {
        u16::try_from(self.0.len()).unwrap_or(u16::MAX)
    }

    /// Sends a command; gives it back if there is no room.
    #[expect(clippy::result_large_err, reason = "given back whole, to be answered; it is rare")]
    pub(crate) fn command(&self, shard: u16, message: ShardMessage) -> Result<(), ShardMessage> {
        let Some(mailbox) = self.0.get(usize::from(shard)) else { return Err(message) };
        if mailbox.load.commands.load(Ordering::Relaxed) >= COMMANDS_MAX {
            return Err(message);
        }
        mailbox.load.commands.fetch_add(1, Ordering::Relaxed);
        mailbox.sender.send(message).map_err(|refused| refused.0)
    }

    /// Sends a frame to connections of a shard, or marks them as having missed one. Returns how many
    /// miss it.
    pub(crate) fn deliver(
        &self,
        shard: u16,
        targets: Targets,
        message: Message,
        class: PushClass,
    ) -> usize {
        let Some(mailbox) = self.0.get(usize::from(shard)) else { return 0 };
        let load = &mailbox.load;
        if load.deliveries.load(Ordering::Relaxed) >= DELIVERIES_MAX {
            if class != PushClass::Ephemeral {
                load.missed.mark(&targets);
            }
            return targets.len();
        }
        load.deliveries.fetch_add(targets.len(), Ordering::Relaxed);
        self.post(shard, ShardMessage::Deliver { targets, message, class });
        0
    }

    /// Sends what always finds room: answers, verdicts, orders of the server.
    pub(crate) fn post(&self, shard: u16, message: ShardMessage) {
        if let Some(mailbox) = self.0.get(usize::from(shard))
            && mailbox.sender.send(message).is_err()
        {
            tracing::debug!(shard, "a shard has ended");
        }
    }
}

impl Inbox {
    /// Takes up to `limit` messages, or arranges to be woken when there is one.
    pub(crate) fn poll(
        &mut self,
        ctx: &mut Context<'_>,
        messages: &mut Vec<ShardMessage>,
        limit: usize,
    ) -> Poll<usize> {
        // Whoever is to be woken need not be told so again every round.
        let waits = self.waiting.as_ref().is_some_and(|waker| waker.will_wake(ctx.waker()));
        if waits && self.receiver.is_empty() {
            return Poll::Pending;
        }
        let Poll::Ready(taken) = self.receiver.poll_recv_many(ctx, messages, limit) else {
            if !waits {
                self.waiting = Some(ctx.waker().clone());
            }
            return Poll::Pending;
        };
        self.waiting = None;
        let (mut commands, mut deliveries) = (0, 0);
        for message in messages.iter() {
            match message {
                ShardMessage::Perform { .. } | ShardMessage::Append { .. } => commands += 1,
                ShardMessage::Deliver { targets, .. } => deliveries += targets.len(),
                ShardMessage::Check(_)
                | ShardMessage::Reply { .. }
                | ShardMessage::Grant { .. }
                | ShardMessage::Close { .. }
                | ShardMessage::Drain(_)
                | ShardMessage::CloseAll(_)
                | ShardMessage::Load(_)
                | ShardMessage::Count(_)
                | ShardMessage::End => {}
            }
        }
        self.load.commands.fetch_sub(commands, Ordering::Relaxed);
        self.load.deliveries.fetch_sub(deliveries, Ordering::Relaxed);
        Poll::Ready(taken)
    }

    /// Whether some slots missed a delivery.
    pub(crate) fn has_missed(&self) -> bool {
        !self.load.missed.is_empty()
    }

    /// Some of the slots that missed a delivery, and whether there are more.
    pub(crate) fn take_missed(&self) -> (Vec<u32>, bool) {
        self.load.missed.take(RESYNCS_PER_TURN_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deferral::{Deferral, WakeCount, deferrable};

    fn key(slot: u32) -> ConnectionKey {
        ConnectionKey { slot, generation: 1 }
    }

    fn perform() -> ShardMessage {
        let (reply, _) = oneshot::channel();
        let origin = Origin::Call(reply);
        ShardMessage::Perform { origin, actor: None, command: Command::Profile, lane: None }
    }

    fn drain(inbox: &mut Inbox) -> usize {
        let mut messages = Vec::new();
        let mut ctx = Context::from_waker(Waker::noop());
        while inbox.poll(&mut ctx, &mut messages, 1).is_ready() {
            messages.clear();
        }
        inbox.load.commands.load(Ordering::Relaxed)
    }

    #[test]
    fn a_full_mailbox_gives_commands_back_and_still_takes_answers() {
        let (mailboxes, mut inboxes) = mailboxes(1);
        for _ in 0..COMMANDS_MAX {
            mailboxes.command(0, perform()).expect("room");
        }
        assert!(mailboxes.command(0, perform()).is_err());
        let reply = ShardMessage::Reply { key: key(1), rid: 1, result: Ok(Outcome::Done) };
        mailboxes.post(0, reply);
        assert_eq!(drain(inboxes.first_mut().expect("one")), 0);
        assert!(mailboxes.command(0, perform()).is_ok());
    }

    #[test]
    fn what_a_round_sends_another_shard_wakes_it_once_after_all_is_there() {
        let (mailboxes, mut inboxes) = mailboxes(1);
        let inbox = inboxes.first_mut().expect("one");
        let count = Arc::<WakeCount>::default();
        let waker = deferrable(&Waker::from(Arc::clone(&count)));
        let mut ctx = Context::from_waker(&waker);
        let mut messages = Vec::new();
        assert!(inbox.poll(&mut ctx, &mut messages, 9).is_pending());
        let deferral = Deferral::begin();
        for _ in 0..3 {
            mailboxes.command(0, perform()).expect("room");
        }
        assert_eq!(count.get(), 0, "put off");
        drop(deferral);
        assert_eq!(count.get(), 1);
        assert_eq!(inbox.poll(&mut ctx, &mut messages, 9), Poll::Ready(3));
    }

    #[test]
    fn a_delivery_without_room_marks_its_connections() {
        let (mailboxes, inboxes) = mailboxes(1);
        let inbox = inboxes.first().expect("one");
        inbox.load.deliveries.store(DELIVERIES_MAX, Ordering::Relaxed);
        let targets: Targets = [3, 64, 200].map(key).into_iter().collect();
        mailboxes.deliver(0, targets.clone(), Message::default(), PushClass::Ephemeral);
        assert_eq!(inbox.take_missed(), (vec![], false));
        mailboxes.deliver(0, targets, Message::default(), PushClass::Entry);
        assert_eq!(inbox.take_missed(), (vec![3, 64, 200], false));
        assert_eq!(inbox.take_missed(), (vec![], false));
    }
}
