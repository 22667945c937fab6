//! The conversations that this shard owns: their queues, and the one task that works each off.
//!
//! Invariants: a conversation has at most one task, so at most one append is under way; what
//! arrives meanwhile is the next batch. An owner that has nothing to do is parked and, after a
//! while, forgotten; loading it again is a few reads.

use super::core::{Core, give_back};
use super::mailbox::Origin;
use crate::chat::{BATCH_REQUESTS_MAX, Owner, Request, View};
use crate::model::{CommandError, ConversationId, Timestamp};
use crate::store::Store;
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// The most requests waiting for the owners of one shard, over all conversations.
const QUEUED_MAX: usize = 65_536;

/// How long an owner is kept without work.
const PARKED: Duration = Duration::from_mins(2);

/// The most owners of a shard that are kept without work.
const PARKED_MAX: usize = 50_000;

/// The most entries that parked owners of a shard remember together, about 100 bytes each.
const REMEMBERED_MAX: usize = 1_000_000;

/// How long an owner with unfinished business waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);

type Slots = HashMap<ConversationId, Slot, ahash::RandomState>;

type ViewReply = oneshot::Sender<Result<Rc<View>, CommandError>>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Owners {
    slots: RefCell<Slots>,
    queued: std::cell::Cell<usize>,
}

#[derive(Debug, Default)]
struct Slot {
    queue: VecDeque<Request<Origin>>,
    /// What readers may know; `None` until it is loaded.
    view: Option<Rc<View>>,
    waiting: Vec<ViewReply>,
    state: State,
    /// Wakes a task that waits to try again, while there is one.
    more: Option<Rc<Notify>>,
}

#[derive(Debug, Default)]
enum State {
    /// No task yet.
    #[default]
    New,
    /// A task works.
    Working,
    /// No task; its owner waits here for more.
    Parked { owner: Box<Owner<Origin>>, since: Timestamp },
}

impl Owners {
    /// Queues a request for the owner of its conversation.
    pub(super) fn submit<S: Store>(
        &self,
        core: &Rc<Core<S>>,
        id: ConversationId,
        request: Request<Origin>,
    ) {
        if self.queued.get() >= QUEUED_MAX {
            let busy = CommandError::overloaded("too much is waiting to be stored");
            core.refuse(request.ticket, request.lane, busy);
            return;
        }
        self.queued.set(self.queued.get() + 1);
        self.enter(core, id, |slot| slot.queue.push_back(request));
    }

    /// What the owner of a conversation knows now, loading it first if need be.
    pub(super) async fn view<S: Store>(
        &self,
        core: &Rc<Core<S>>,
        id: ConversationId,
    ) -> Result<Rc<View>, CommandError> {
        let known = self.slots.borrow().get(&id).and_then(|slot| slot.view.clone());
        if let Some(view) = known {
            return Ok(view);
        }
        let (reply, view) = oneshot::channel();
        self.enter(core, id, |slot| slot.waiting.push(reply));
        view.await.unwrap_or_else(|_| Err(CommandError::overloaded("the server is stopping")))
    }

    /// Puts something into a slot and makes sure that a task sees to it.
    fn enter<S: Store>(&self, core: &Rc<Core<S>>, id: ConversationId, put: impl FnOnce(&mut Slot)) {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.entry(id).or_default();
        put(slot);
        if let Some(more) = &slot.more {
            more.notify_one();
        }
        match std::mem::replace(&mut slot.state, State::Working) {
            State::New => {
                tokio::task::spawn_local(work_from_load(Rc::clone(core), id));
            }
            State::Parked { owner, .. } => {
                tokio::task::spawn_local(work(Rc::clone(core), id, owner));
            }
            State::Working => {}
        }
    }

    /// The next batch of a conversation. With the last of the queue its buffer goes too: it would be
    /// most of what a conversation at rest takes.
    fn take(&self, id: ConversationId) -> Vec<Request<Origin>> {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(&id) else { return Vec::new() };
        let batch: Vec<_> = if slot.queue.len() <= BATCH_REQUESTS_MAX {
            std::mem::take(&mut slot.queue).into()
        } else {
            slot.queue.drain(..BATCH_REQUESTS_MAX).collect()
        };
        self.queued.set(self.queued.get().saturating_sub(batch.len()));
        batch
    }

    fn publish(&self, id: ConversationId, owner: &Owner<Origin>) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(&id) else { return };
        let view = Rc::new(owner.view());
        for waiting in std::mem::take(&mut slot.waiting) {
            drop(waiting.send(Ok(Rc::clone(&view))));
        }
        slot.view = Some(view);
    }

    /// Parks an owner unless something has arrived; then it comes back.
    fn park(
        &self,
        id: ConversationId,
        owner: Box<Owner<Origin>>,
        now: Timestamp,
    ) -> Option<Box<Owner<Origin>>> {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(&id) else { return Some(owner) };
        if !slot.queue.is_empty() || !slot.waiting.is_empty() {
            return Some(owner);
        }
        slot.more = None;
        slot.state = State::Parked { owner, since: now };
        None
    }

    /// Gives up a conversation that could not be loaded: everything waiting for it is refused.
    fn abandon<S: Store>(&self, core: &Rc<Core<S>>, id: ConversationId, error: &CommandError) {
        let Some(slot) = self.slots.borrow_mut().remove(&id) else { return };
        self.queued.set(self.queued.get().saturating_sub(slot.queue.len()));
        for request in slot.queue {
            core.refuse(request.ticket, request.lane, error.clone());
        }
        for waiting in slot.waiting {
            drop(waiting.send(Err(error.clone())));
        }
    }

    fn notifier(&self, id: ConversationId) -> Option<Rc<Notify>> {
        let mut slots = self.slots.borrow_mut();
        slots.get_mut(&id).map(|slot| Rc::clone(slot.more.get_or_insert_default()))
    }

    /// Whether any conversation has work.
    pub(super) fn is_busy(&self) -> bool {
        self.slots.borrow().values().any(|slot| matches!(slot.state, State::Working))
    }

    /// Forgets owners that had nothing to do for a while, and the oldest of too many; gives back what
    /// the table no longer needs.
    pub(super) fn sweep(&self, now: Timestamp) {
        let mut slots = self.slots.borrow_mut();
        forget(&mut slots, now);
        give_back(&mut slots);
    }
}

/// Forgets what [`Owners::sweep`] says.
fn forget(slots: &mut Slots, now: Timestamp) {
    slots.retain(|_, slot| match &slot.state {
        State::Parked { since, .. } => now.since(*since) < PARKED,
        State::New | State::Working => true,
    });
    let mut parked: Vec<(Timestamp, ConversationId, usize)> = slots
        .iter()
        .filter_map(|(id, slot)| match &slot.state {
            State::Parked { owner, since } => Some((*since, *id, owner.remembered())),
            State::New | State::Working => None,
        })
        .collect();
    let mut remembered: usize = parked.iter().map(|(.., entries)| entries).sum();
    let mut count = parked.len();
    if count <= PARKED_MAX && remembered <= REMEMBERED_MAX {
        return;
    }
    parked.sort_unstable();
    for (_, id, entries) in parked {
        if count <= PARKED_MAX && remembered <= REMEMBERED_MAX {
            break;
        }
        slots.remove(&id);
        count -= 1;
        remembered -= entries;
    }
}

async fn work_from_load<S: Store>(core: Rc<Core<S>>, id: ConversationId) {
    match Owner::load(&core.chat, id).await {
        Ok(Some(owner)) => {
            core.owners.publish(id, &owner);
            work(core, id, Box::new(owner)).await;
        }
        Ok(None) => core.owners.abandon(&core, id, &CommandError::not_found("no such chat")),
        Err(error) => core.owners.abandon(&core, id, &error.into()),
    }
}

async fn work<S: Store>(core: Rc<Core<S>>, id: ConversationId, mut owner: Box<Owner<Origin>>) {
    loop {
        let batch = core.owners.take(id);
        if batch.is_empty() && !owner.is_unsettled() {
            let Some(more) = core.owners.park(id, owner, core.clock.now()) else { return };
            owner = more;
            continue;
        }
        if batch.is_empty()
            && let Some(more) = core.owners.notifier(id)
        {
            // Ends early when a request comes; either way the owner tries again.
            drop(tokio::time::timeout(RETRY, more.notified()).await);
        }
        let emits = owner.commit(&core.chat, core.clock.now(), batch).await;
        // Before it is told: whoever is told may read at once.
        core.owners.publish(id, &owner);
        for emit in emits {
            core.fanout.tell(id, emit);
        }
    }
}
