//! The conversations that this shard owns: their queues, and what becomes of their owners between two
//! requests.
//!
//! Invariants: a conversation has at most one worker (see `workers`), so at most one append is under way;
//! what arrives meanwhile is the next batch. A worker that has worked everything off stays for what comes
//! soon; then its owner is parked without one and, after a while, forgotten. Loading it again is a
//! few reads.

#[cfg(test)]
mod tests;

use super::core::{Core, give_back};
use super::mailbox::Origin;
use super::workers::Worker;
use crate::chat::{BATCH_BYTES_MAX, BATCH_REQUESTS_MAX, Owner, Request, View};
use crate::model::{CommandError, ConversationId, Sequence, Timestamp};
use crate::store::Store;
use rustc_hash::FxBuildHasher;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::oneshot;

/// The most requests waiting for the owners of one shard, over all conversations.
const QUEUED_MAX: usize = 65_536;

/// How long a worker stays without work.
const LINGER: Duration = Duration::from_secs(10);

/// The most workers of a shard that stay without work: each keeps about 4 KiB, its buffers included.
const IDLE_MAX: usize = 4_096;

/// How long an owner is kept without work.
const PARKED: Duration = Duration::from_mins(2);

/// The most owners of a shard that are kept without work.
const PARKED_MAX: usize = 50_000;

/// The most entries that parked owners of a shard remember together, about 80 bytes each.
const REMEMBERED_MAX: usize = 1_000_000;

/// A reader that waits, for a view of the log at least up to a sequence.
type Waiting = (Sequence, oneshot::Sender<Result<Rc<View>, CommandError>>);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Owners {
    slots: RefCell<HashMap<ConversationId, Rc<Slot>, FxBuildHasher>>,
    lists: Rc<Lists>,
    /// When the round began in which owners work.
    pub(super) now: Cell<Timestamp>,
}

/// What all conversations of the shard share.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Conversations with something to do, until a round takes them.
    ready: RefCell<Vec<Rc<Slot>>>,
    /// Requests that wait.
    queued: Cell<usize>,
    /// Workers without work.
    idle: Cell<usize>,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: ConversationId,
    pub(super) worker: RefCell<Option<Worker>>,
    lists: Rc<Lists>,
    is_ready: Cell<bool>,
    work: RefCell<Work>,
}

#[derive(Debug, Default)]
struct Work {
    queue: VecDeque<Request<Origin>>,
    /// What readers may know; `None` until it is loaded.
    view: Option<Rc<View>>,
    waiting: Vec<Waiting>,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Not loaded yet.
    #[default]
    New,
    /// A worker works.
    Working,
    /// A worker has worked everything off and stays.
    Idle { since: Timestamp },
    /// A worker is to park its owner.
    Parking,
    /// No worker; its owner waits here for more.
    Parked { owner: Box<Owner<Origin>>, since: Timestamp },
}

impl Owners {
    /// Queues a request for the owner of its conversation.
    pub(super) fn submit<S: Store>(
        &self,
        core: &Core<S>,
        id: ConversationId,
        request: Request<Origin>,
    ) {
        if self.lists.queued.get() >= QUEUED_MAX {
            let busy = CommandError::overloaded("too much is waiting to be stored");
            core.refuse(request.ticket, request.lane, busy);
            return;
        }
        self.lists.queued.update(|queued| queued + 1);
        self.enter(id, |work| work.queue.push_back(request));
        core.reactor.nudge();
    }

    /// What the owner of a conversation knows now, loading it first if need be.
    pub(super) async fn view<S: Store>(
        &self,
        core: &Core<S>,
        id: ConversationId,
    ) -> Result<Rc<View>, CommandError> {
        let known = self.slots.borrow().get(&id).and_then(|slot| slot.work.borrow().view.clone());
        match known {
            Some(view) => Ok(view),
            None => self.view_beyond(core, id, Sequence::ZERO).await,
        }
    }

    /// What the owner of a conversation knows, and it knows everything that was stored before this was
    /// asked, by other servers too.
    pub(super) async fn current_view<S: Store>(
        &self,
        core: &Core<S>,
        id: ConversationId,
    ) -> Result<Rc<View>, CommandError> {
        if !core.chat.store().is_shared() {
            return self.view(core, id).await;
        }
        let head = core.chat.store().head(id).await?.sequence;
        let view = self.view(core, id).await?;
        if head <= view.head().sequence {
            return Ok(view);
        }
        self.view_beyond(core, id, head).await
    }

    /// Waits until the owner of a conversation knows an entry, and has it look if it does not.
    async fn view_beyond<S: Store>(
        &self,
        core: &Core<S>,
        id: ConversationId,
        sequence: Sequence,
    ) -> Result<Rc<View>, CommandError> {
        let (reply, view) = oneshot::channel();
        self.enter(id, |work| work.waiting.push((sequence, reply)));
        core.reactor.nudge();
        view.await.unwrap_or_else(|_| Err(CommandError::overloaded("the server is stopping")))
    }

    /// Puts something into a slot and has the next round see to it.
    fn enter(&self, id: ConversationId, put: impl FnOnce(&mut Work)) {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.entry(id).or_insert_with(|| Rc::new(Slot::new(id, &self.lists)));
        put(&mut slot.work.borrow_mut());
        slot.list();
    }

    /// Swaps `taken`, which is empty, for the conversations with something to do.
    pub(super) fn take_ready(&self, taken: &mut Vec<Rc<Slot>>) {
        std::mem::swap(taken, &mut *self.lists.ready.borrow_mut());
    }

    /// A conversation that is known here.
    pub(super) fn slot(&self, id: ConversationId) -> Option<Rc<Slot>> {
        self.slots.borrow().get(&id).map(Rc::clone)
    }

    /// Forgets everything: the shard ends.
    pub(super) fn clear(&self) {
        let slots = self.slots.take();
        for slot in slots.values() {
            drop(slot.worker.take());
        }
    }

    /// Whether a conversation has something to do.
    pub(super) fn has_ready(&self) -> bool {
        !self.lists.ready.borrow().is_empty()
    }

    /// Gives up a conversation that could not be loaded: everything waiting for it is refused.
    pub(super) fn abandon<S: Store>(
        &self,
        core: &Core<S>,
        id: ConversationId,
        error: &CommandError,
    ) {
        let Some(slot) = self.slots.borrow_mut().remove(&id) else { return };
        let Work { queue, waiting, .. } = slot.work.take();
        self.lists.queued.update(|queued| queued.saturating_sub(queue.len()));
        for request in queue {
            core.refuse(request.ticket, request.lane, error.clone());
        }
        refuse(waiting, error);
    }

    /// Whether any conversation has work.
    pub(super) fn is_busy(&self) -> bool {
        let works = |slot: &Rc<Slot>| {
            slot.is_ready.get() || matches!(slot.work.borrow().state, State::Working)
        };
        self.slots.borrow().values().any(works)
    }

    /// Parks and forgets owners that had nothing to do for a while, and the oldest of too many.
    pub(super) fn sweep(&self, now: Timestamp) {
        let mut slots = self.slots.borrow_mut();
        let mut parked: Vec<(Timestamp, ConversationId, usize)> = Vec::new();
        slots.retain(|id, slot| {
            let mut work = slot.work.borrow_mut();
            match &work.state {
                _ if slot.is_ready.get() => {}
                State::Parked { since, .. } if now.since(*since) >= PARKED => return false,
                State::Parked { owner, since } => parked.push((*since, *id, owner.remembered())),
                State::Idle { since } if now.since(*since) >= LINGER => {
                    work.state = State::Parking;
                    slot.list();
                }
                State::New | State::Working | State::Idle { .. } | State::Parking => {}
            }
            true
        });
        let mut remembered: usize = parked.iter().map(|(.., entries)| entries).sum();
        let mut count = parked.len();
        let is_too_much = |count, remembered| count > PARKED_MAX || remembered > REMEMBERED_MAX;
        if is_too_much(count, remembered) {
            parked.sort_unstable();
            for (_, id, entries) in parked {
                if !is_too_much(count, remembered) {
                    break;
                }
                slots.remove(&id);
                count -= 1;
                remembered -= entries;
            }
        }
        give_back(&mut slots);
    }
}

impl Work {
    fn has_more(&self) -> bool {
        !self.queue.is_empty() || !self.waiting.is_empty()
    }
}

impl Slot {
    fn new(id: ConversationId, lists: &Rc<Lists>) -> Self {
        let lists = Rc::clone(lists);
        Self {
            id,
            worker: RefCell::default(),
            lists,
            is_ready: Cell::default(),
            work: RefCell::default(),
        }
    }

    /// Has the next round see to it.
    fn list(self: &Rc<Self>) {
        if !self.is_ready.replace(true) {
            self.lists.ready.borrow_mut().push(Rc::clone(self));
        }
    }

    /// Takes it from the list, for a worker: its owner, if it was parked.
    pub(super) fn begin(&self) -> Option<Box<Owner<Origin>>> {
        match std::mem::replace(&mut self.work.borrow_mut().state, State::Working) {
            State::Parked { owner, .. } => Some(owner),
            State::New | State::Working | State::Idle { .. } | State::Parking => None,
        }
    }

    /// No longer listed: what is put in from now on lists it anew.
    pub(super) fn unlist(&self) {
        self.is_ready.set(false);
    }

    /// Takes the next batch into `batch`, which is empty: mostly all that waits.
    pub(super) fn take(&self, batch: &mut VecDeque<Request<Origin>>) {
        let queue = &mut self.work.borrow_mut().queue;
        let count = next_batch(queue);
        if count == queue.len() {
            std::mem::swap(queue, batch);
        } else {
            batch.extend(queue.drain(..count));
        }
        self.lists.queued.update(|queued| queued.saturating_sub(batch.len()));
    }

    /// Shows readers what the owner knows now.
    pub(super) fn publish(&self, owner: &Owner<Origin>) {
        let work = &mut *self.work.borrow_mut();
        match work.view.as_mut().and_then(Rc::get_mut) {
            Some(unread) => owner.refresh(unread),
            None => work.view = Some(Rc::new(owner.view())),
        }
        if !work.waiting.is_empty()
            && let Some(view) = &work.view
        {
            let head = view.head().sequence;
            for (_, reply) in work.waiting.extract_if(.., |(sequence, _)| *sequence <= head) {
                drop(reply.send(Ok(Rc::clone(view))));
            }
        }
    }

    /// Whether a reader knows of entries that the owner did not know when it said last what it does.
    pub(super) fn is_behind(&self) -> bool {
        !self.work.borrow().waiting.is_empty()
    }

    /// Refuses the readers that still wait, after the owner has looked.
    pub(super) fn refuse_readers(&self, error: &CommandError) {
        let waiting = std::mem::take(&mut self.work.borrow_mut().waiting);
        refuse(waiting, error);
    }

    /// Waits until there is more to do, or the worker is to end.
    pub(super) async fn until_more(&self) {
        std::future::poll_fn(|_| {
            let work = self.work.borrow();
            if work.has_more() || matches!(work.state, State::Parking) {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    /// Waits for more until the worker is to end; gives the owner back if it came, else it is parked.
    pub(super) async fn linger(
        &self,
        mut owner: Box<Owner<Origin>>,
        now: Timestamp,
    ) -> Option<Box<Owner<Origin>>> {
        if self.lists.idle.get() < IDLE_MAX {
            self.lists.idle.update(|idle| idle + 1);
            self.work.borrow_mut().state = State::Idle { since: now };
            self.until_more().await;
            self.lists.idle.update(|idle| idle.saturating_sub(1));
        }
        let mut work = self.work.borrow_mut();
        if work.has_more() {
            work.state = State::Working;
            return Some(owner);
        }
        // Their buffers would be half of what a conversation at rest takes.
        (work.queue, work.waiting) = Default::default();
        owner.rest();
        work.state = State::Parked { owner, since: now };
        None
    }
}

fn refuse(waiting: Vec<Waiting>, error: &CommandError) {
    for (_, reply) in waiting {
        drop(reply.send(Err(error.clone())));
    }
}

/// How many of the requests that wait become one append: at least one.
fn next_batch(queue: &VecDeque<Request<Origin>>) -> usize {
    let (mut count, mut bytes) = (0, 0);
    for request in queue.iter().take(BATCH_REQUESTS_MAX) {
        bytes += request.action.bytes();
        if count > 0 && bytes > BATCH_BYTES_MAX {
            break;
        }
        count += 1;
    }
    count
}
