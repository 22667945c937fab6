//! One shard at work: its messages, and what its connections ask for.

use super::ConnectionKey;
use super::connections::Event;
use super::core::Core;
use super::counters::Counters;
use super::fanout::Fanout;
use super::handle::{Census, LocalShard, ShardHandle};
use super::mailbox::{Inbox, Mailboxes, Origin, ShardMessage, mailboxes};
use super::outbox::ResyncReason;
use super::owners::Owners;
use super::perform::perform;
use super::reactor::Reactor;
use super::registry::{Place, Registry};
use super::settings::Settings;
use super::wakes::Wakes;
use super::workers::Workers;
use crate::chat::Chat;
use crate::clock::Clock;
use crate::identity::{DeviceCheck, Identity};
use crate::model::{Grant, Secret, Timestamp};
use crate::protocol::CloseCode;
use crate::session::{GrantError, Granted, Limits};
use crate::store::Store;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::coop::unconstrained;

/// The most messages taken from the mailbox in one round.
const MESSAGES_PER_ROUND: usize = 256;

/// How often owners without work are looked through.
const SWEEP: Duration = Duration::from_secs(10);

/// Everything that shards work with.
#[derive(Clone, Debug)]
pub struct Services<S> {
    /// The rules of the messenger.
    pub chat: Chat<S>,
    /// Accounts, devices and tokens.
    pub identity: Identity<S>,
    /// The time.
    pub clock: Clock,
}

/// What connections are held to.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// The limits of the protocol.
    pub limits: Limits,
    /// The most bytes queued for one client.
    pub outbox_bytes_max: usize,
}

/// A shard that is not running yet. Made all at once by [`seats`], taken to its thread, and started
/// there.
#[derive(Debug)]
pub struct Seat {
    index: u16,
    inbox: Inbox,
    mailboxes: Mailboxes,
    registry: Arc<Registry>,
    counters: Arc<Counters>,
}

/// Makes `shards` shards that know each other, and the handle to all of them.
pub fn seats(shards: usize, connections_per_device_max: usize) -> (ShardHandle, Vec<Seat>) {
    let (mailboxes, inboxes) = mailboxes(u16::try_from(shards).unwrap_or(u16::MAX).max(1));
    let registry = Arc::new(Registry::new(connections_per_device_max));
    let counters: Arc<[_]> = inboxes.iter().map(|_| Arc::<Counters>::default()).collect();
    let seat = |((index, inbox), counters): (_, &Arc<Counters>)| {
        let (mailboxes, registry) = (mailboxes.clone(), Arc::clone(&registry));
        Seat { index, inbox, mailboxes, registry, counters: Arc::clone(counters) }
    };
    let seats = (0..).zip(inboxes).zip(counters.iter()).map(seat).collect();
    (ShardHandle::new(mailboxes.clone(), Arc::clone(&counters)), seats)
}

impl Seat {
    /// Starts the shard on the current thread: what sockets are brought to, and the shard itself,
    /// which runs while the future is polled and ends when the handle says so.
    ///
    /// Must be called inside a runtime that can spawn local tasks.
    pub fn start<S: Store>(
        self,
        services: Services<S>,
        settings: ConnectionSettings,
    ) -> io::Result<(LocalShard, impl Future<Output = io::Result<()>>)> {
        let (core, reactor, inbox) = self.assemble(services, settings)?;
        let local = LocalShard { reactor: Rc::clone(&reactor), clock: core.clock.clone() };
        Ok((local, run(core, reactor, inbox)))
    }

    /// The parts of the shard, at rest.
    pub(super) fn assemble<S: Store>(
        self,
        services: Services<S>,
        settings: ConnectionSettings,
    ) -> io::Result<(Rc<Core<S>>, Rc<Reactor>, Inbox)> {
        let Self { index, inbox, mailboxes, registry, counters } = self;
        let Services { chat, identity, clock } = services;
        let ConnectionSettings { limits, outbox_bytes_max } = settings;
        let settings = Settings { limits, outbox_bytes_max };
        let reactor = Rc::new(Reactor::new(settings, Arc::clone(&counters))?);
        let local = Rc::clone(&reactor);
        let (others, everyone) = (mailboxes.clone(), Arc::clone(&registry));
        let fanout = Fanout::new(index, local, others, everyone, counters);
        let core = Rc::new(Core {
            index,
            chat,
            identity,
            clock,
            reactor: Rc::clone(&reactor),
            fanout,
            registry,
            mailboxes,
            owners: Owners::default(),
            wakes: Wakes::new(),
            greeting: RefCell::default(),
            refused: RefCell::default(),
        });
        Ok((core, reactor, inbox))
    }
}

/// Drives a shard until it is told to end.
pub(super) async fn run<S: Store>(
    core: Rc<Core<S>>,
    reactor: Rc<Reactor>,
    inbox: Inbox,
) -> io::Result<()> {
    let mut mail = Mail::new(Rc::clone(&core), Rc::clone(&reactor), inbox);
    let mut workers = Workers::new(Rc::clone(&core));
    let ended = Rc::clone(&mail.ended);
    let clock = core.clock.clone();
    let asking = Rc::clone(&core);
    let asked = Rc::clone(&reactor);
    let now = move || clock.now();
    let mailbox = move |ctx: &mut Context<'_>, now| mail.receive(ctx, now);
    let handle = move |event| handle(&asking, &asked, event);
    let work = move |ctx: &mut Context<'_>, now| workers.work(ctx, now);
    let sweeps = async {
        let mut interval = tokio::time::interval(SWEEP);
        loop {
            interval.tick().await;
            core.sweep(core.clock.now());
        }
    };
    tokio::select! {
        biased;
        // How much a round does is bounded by itself.
        error = unconstrained(reactor.run(now, mailbox, handle, work)) => Err(error),
        () = sweeps => Ok(()),
        () = ended.notified() => Ok(()),
    }
}

/// The mailbox of a running shard.
pub(super) struct Mail<S> {
    core: Rc<Core<S>>,
    reactor: Rc<Reactor>,
    inbox: Inbox,
    messages: Vec<ShardMessage>,
    ended: Rc<Notify>,
}

impl<S: Store> Mail<S> {
    pub(super) fn new(core: Rc<Core<S>>, reactor: Rc<Reactor>, inbox: Inbox) -> Self {
        let messages = Vec::with_capacity(MESSAGES_PER_ROUND);
        Self { core, reactor, inbox, messages, ended: Rc::default() }
    }

    /// Acts on some messages; whether there may be more.
    pub(super) fn receive(&mut self, ctx: &mut Context<'_>, now: Timestamp) -> bool {
        let again = self.inbox.has_missed() && self.tell_missed(now);
        let Poll::Ready(taken) = self.inbox.poll(ctx, &mut self.messages, MESSAGES_PER_ROUND)
        else {
            return again;
        };
        let mut messages = std::mem::take(&mut self.messages);
        for message in messages.drain(..) {
            self.act(now, message);
        }
        self.messages = messages;
        again || taken > 0
    }

    /// Tells some of the connections that missed a delivery; whether there are more.
    fn tell_missed(&self, now: Timestamp) -> bool {
        let (missed, more) = self.inbox.take_missed();
        for slot in missed {
            self.reactor.enter(now, |connections| {
                connections.mark_slot_resync(slot, ResyncReason::Mailbox);
            });
        }
        more
    }

    fn act(&self, now: Timestamp, message: ShardMessage) {
        let reactor = &self.reactor;
        match message {
            ShardMessage::Perform { origin, actor, command, lane } => {
                perform(&self.core, origin, actor, command, lane);
            }
            ShardMessage::Append { conversation, request } => {
                self.core.owners.submit(&self.core, conversation, request);
            }
            ShardMessage::Reply { key, rid, result } => {
                reactor.enter(now, |connections| connections.reply(key, rid, &result));
            }
            ShardMessage::Grant { key, result } => self.grant(now, key, result),
            ShardMessage::Deliver { targets, message, class } => {
                reactor.enter(now, |connections| {
                    for key in targets {
                        connections.deliver(key, &message, class);
                    }
                });
            }
            ShardMessage::Close { key, code } => reactor.enter(now, |c| c.close(key, code)),
            ShardMessage::Load(conversation) => self.core.load(conversation),
            ShardMessage::Check(reply) => self.core.check(reply),
            ShardMessage::Count(reply) => {
                let connections = reactor.enter(now, |connections| connections.len());
                let census = Census { connections, busy: self.core.owners.is_busy() };
                // Whoever asked may no longer wait.
                let _unheard = reply.send(census).is_err();
            }
            ShardMessage::Drain(goaway) => reactor.enter(now, |c| c.drain(goaway)),
            ShardMessage::CloseAll(code) => reactor.enter(now, |c| c.close_all(code)),
            ShardMessage::End => self.ended.notify_one(),
        }
    }

    fn grant(&self, now: Timestamp, key: ConnectionKey, result: Result<Granted, GrantError>) {
        let greeted = self.core.greeting.borrow_mut().remove(&key);
        let granted = result.is_ok();
        let lives = self.reactor.enter(now, |connections| connections.grant(key, result));
        if let Some(actor) = greeted.filter(|_| !(granted && lives)) {
            self.core.registry.detach(actor.user, self.core.place(key));
        }
    }
}

/// Acts on what a connection asks for.
pub(super) fn handle<S: Store>(core: &Rc<Core<S>>, reactor: &Reactor, event: Event) {
    match event {
        Event::Authenticate { key, token } => {
            if let Err(error) = authenticate(core, key, &token) {
                reactor.enter(core.clock.now(), |connections| connections.grant(key, Err(error)));
            }
        }
        Event::Execute { key, actor, rid, command, resumes } => {
            let origin = Origin::Connection { place: core.place(key), rid };
            let lane = core.lane(key, resumes);
            perform(core, origin, Some(actor), command, Some(lane));
        }
        Event::Closed { key, actor } => {
            let greeted = core.greeting.borrow_mut().remove(&key);
            if let Some(actor) = actor.or(greeted) {
                core.registry.detach(actor.user, core.place(key));
            }
        }
    }
}

/// Begins to greet a connection: its token is checked, it is entered into the registry, and only
/// then is its device looked up, so that a revocation either finds the connection or is found.
fn authenticate<S: Store>(
    core: &Rc<Core<S>>,
    key: ConnectionKey,
    token: &Secret,
) -> Result<(), GrantError> {
    let grant = core.identity.verify_access(core.clock.now(), token);
    let grant = grant.map_err(|error| GrantError::from(&error))?;
    if let Some(Place { shard, key }) = core.registry.attach(grant.actor, core.place(key)) {
        let code = CloseCode::TooManyConnections;
        core.mailboxes.post(shard, ShardMessage::Close { key, code });
    }
    core.greeting.borrow_mut().insert(key, grant.actor);
    let asking = Rc::clone(core);
    let check = core.wakes.gather(async move {
        let result = check_device(&asking, &grant).await;
        asking.mailboxes.post(asking.index, ShardMessage::Grant { key, result });
    });
    tokio::task::spawn_local(check);
    Ok(())
}

async fn check_device<S: Store>(core: &Core<S>, grant: &Grant) -> Result<Granted, GrantError> {
    match core.identity.device_status(grant).await {
        Ok(DeviceCheck::Valid) => {
            let epoch = core.chat.store().epoch();
            Ok(Granted { actor: grant.actor, family: grant.family, epoch })
        }
        Ok(DeviceCheck::Revoked) => Err(GrantError::Revoked),
        Err(_) => Err(GrantError::Unavailable),
    }
}
