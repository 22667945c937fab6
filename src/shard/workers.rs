//! Those who work off the queues of owners, in the shard's own round.
//!
//! A worker is a future that has one owner; what it awaits is mostly the store. The round polls a worker
//! whose conversation got something to do, or that another thread has woken: so a request and what comes of
//! it, as far as nothing has to be waited for, are one round of the loop, and no runtime stands between.
//!
//! Invariant: a worker is polled only here, so never while the connections are borrowed.

use super::core::{Core, overloaded};
use super::mailbox::Origin;
use super::owners::Slot;
use crate::chat::{Answer, Emits, Owner};
use crate::model::{CommandError, ConversationId, Entry, Head, Outcome, Timestamp, UserId};
use crate::store::Store;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

/// How long an owner with unfinished business waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);

/// How many conversations of one round room is kept for.
const READY_KEPT: usize = 64;

/// See the module. One per shard.
pub(super) struct Workers<S> {
    core: Rc<Core<S>>,
    /// Empty between rounds, kept for their room.
    ready: Vec<Rc<Slot>>,
    woken: Vec<ConversationId>,
}

/// What works on one conversation. It holds the core and is held by it, until it ends or all do.
pub(super) struct Worker {
    work: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

impl<S: Store> Workers<S> {
    /// Those of a shard that has none yet.
    pub(super) fn new(core: Rc<Core<S>>) -> Self {
        Self { core, ready: Vec::new(), woken: Vec::new() }
    }

    /// Polls those who have got something to do; whether there is more already.
    pub(super) fn work(&mut self, ctx: &Context<'_>, now: Timestamp) -> bool {
        let owners = &self.core.owners;
        owners.now.set(now);
        self.core.wakes.release(ctx, &mut self.woken);
        for id in &self.woken {
            if let Some(slot) = owners.slot(*id) {
                poll(&mut slot.worker.borrow_mut());
            }
        }
        self.woken.clear();
        owners.take_ready(&mut self.ready);
        for slot in &self.ready {
            slot.unlist();
            let mut worker = slot.worker.borrow_mut();
            worker.get_or_insert_with(|| Worker::new(&self.core, slot));
            poll(&mut worker);
        }
        self.ready.clear();
        self.ready.shrink_to(READY_KEPT);
        owners.has_ready()
    }
}

impl<S> Drop for Workers<S> {
    fn drop(&mut self) {
        self.core.owners.clear();
    }
}

/// Polls a worker, unless it has ended.
fn poll(place: &mut Option<Worker>) {
    if let Some(Worker { work, waker }) = place
        && work.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
    {
        *place = None;
    }
}

impl Worker {
    fn new<S: Store>(core: &Rc<Core<S>>, slot: &Rc<Slot>) -> Self {
        let work = Box::pin(work(Rc::clone(core), Rc::clone(slot)));
        Self { work, waker: core.wakes.of_owner(slot.id) }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

/// The work on one conversation, until its owner is parked.
async fn work<S: Store>(core: Rc<Core<S>>, slot: Rc<Slot>) {
    let owner = match slot.begin() {
        Some(owner) => Ok(owner),
        None => load(&core, &slot).await,
    };
    match owner {
        Ok(owner) => work_off(&core, &slot, owner).await,
        Err(error) => core.owners.abandon(&core, slot.id, &error),
    }
}

async fn load<S: Store>(core: &Core<S>, slot: &Slot) -> Result<Box<Owner<Origin>>, CommandError> {
    let owner = Owner::load(&core.chat, slot.id).await?;
    let owner = owner.ok_or_else(|| CommandError::not_found("no such chat"))?;
    slot.publish(&owner);
    Ok(Box::new(owner))
}

async fn work_off<S: Store>(core: &Core<S>, slot: &Slot, mut owner: Box<Owner<Origin>>) {
    let mut batch = VecDeque::new();
    loop {
        slot.take(&mut batch);
        if batch.is_empty() && !slot.is_behind() {
            if owner.is_unsettled() {
                // Ends early when a request comes; either way the owner tries again.
                drop(tokio::time::timeout(RETRY, slot.until_more()).await);
            } else {
                let Some(more) = slot.linger(owner, core.owners.now.get()).await else { return };
                owner = more;
            }
            slot.take(&mut batch);
        }
        let mut told = Told { core, slot };
        if slot.is_behind() {
            let read = owner.catch_up(&core.chat, &mut told).await;
            slot.refuse_readers(&read.err().unwrap_or_else(overloaded));
        }
        let now = core.owners.now.get();
        owner.commit(&core.chat, now, &mut batch, &mut told).await;
    }
}

/// What an owner decided, on its way to those whom it concerns.
struct Told<'a, S> {
    core: &'a Core<S>,
    slot: &'a Slot,
}

impl<S> Emits<Origin> for Told<'_, S> {
    fn moved(&mut self, owner: &Owner<Origin>) {
        self.slot.publish(owner);
    }

    fn reply(&mut self, origin: Origin, result: Result<Outcome, CommandError>) {
        self.core.fanout.answer(origin, result);
    }

    fn entry(&mut self, entry: &Entry, audience: &Rc<[UserId]>, answer: Option<(Origin, Answer)>) {
        let fanout = &self.core.fanout;
        let asked = answer.as_ref().and_then(|(origin, _)| origin.place());
        if let Some((origin, answer)) = answer {
            let outcome = answer.outcome(self.slot.id, Head::from(entry), false);
            fanout.answer(origin, Ok(outcome));
        }
        fanout.entry(self.slot.id, entry, audience, asked);
    }
}
