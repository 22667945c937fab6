//! The conversations that this shard owns: their queues, and the one task that works each off.
//!
//! Invariants: a conversation has at most one task, so at most one append is under way; what
//! arrives meanwhile is the next batch. A task that has worked everything off stays for what comes
//! soon, since a task costs more than the work on a message; then its owner is parked without one
//! and, after a while, forgotten. Loading it again is a few reads.

use super::core::{Core, give_back};
use super::mailbox::Origin;
use crate::chat::{BATCH_BYTES_MAX, BATCH_REQUESTS_MAX, Owner, Request, View};
use crate::model::{CommandError, ConversationId, Timestamp};
use crate::store::Store;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;
use tokio::sync::oneshot;

/// The most requests waiting for the owners of one shard, over all conversations.
const QUEUED_MAX: usize = 65_536;

/// How long a task stays without work.
const LINGER: Duration = Duration::from_secs(10);

/// The most tasks of a shard that stay without work: each keeps about 8 KiB, its buffers included.
const IDLE_MAX: usize = 4_096;

/// How long an owner is kept without work.
const PARKED: Duration = Duration::from_mins(2);

/// The most owners of a shard that are kept without work.
const PARKED_MAX: usize = 50_000;

/// The most entries that parked owners of a shard remember together, about 80 bytes each.
const REMEMBERED_MAX: usize = 1_000_000;

/// How long an owner with unfinished business waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);

type ViewReply = oneshot::Sender<Result<Rc<View>, CommandError>>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Owners {
    slots: RefCell<HashMap<ConversationId, Rc<Slot>, ahash::RandomState>>,
    counts: Rc<Counts>,
}

/// What is counted over all conversations of the shard.
#[derive(Debug, Default)]
struct Counts {
    /// Requests that wait.
    queued: Cell<usize>,
    /// Tasks without work.
    idle: Cell<usize>,
}

/// One conversation. Its task holds it as well, so that it need not be looked up.
#[derive(Debug)]
struct Slot {
    id: ConversationId,
    counts: Rc<Counts>,
    work: RefCell<Work>,
}

#[derive(Debug, Default)]
struct Work {
    queue: VecDeque<Request<Origin>>,
    /// What readers may know; `None` until it is loaded.
    view: Option<Rc<View>>,
    waiting: Vec<ViewReply>,
    state: State,
    /// Wakes the task where it waits for more.
    waker: Option<Waker>,
}

#[derive(Debug, Default)]
enum State {
    /// No task yet.
    #[default]
    New,
    /// A task works.
    Working,
    /// A task has worked everything off and stays.
    Idle { since: Timestamp },
    /// A task is to park its owner.
    Parking,
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
        if self.counts.queued.get() >= QUEUED_MAX {
            let busy = CommandError::overloaded("too much is waiting to be stored");
            core.refuse(request.ticket, request.lane, busy);
            return;
        }
        self.counts.queued.update(|queued| queued + 1);
        self.enter(core, id, |work| work.queue.push_back(request));
    }

    /// What the owner of a conversation knows now, loading it first if need be.
    pub(super) async fn view<S: Store>(
        &self,
        core: &Rc<Core<S>>,
        id: ConversationId,
    ) -> Result<Rc<View>, CommandError> {
        let known = self.slots.borrow().get(&id).and_then(|slot| slot.work.borrow().view.clone());
        if let Some(view) = known {
            return Ok(view);
        }
        let (reply, view) = oneshot::channel();
        self.enter(core, id, |work| work.waiting.push(reply));
        view.await.unwrap_or_else(|_| Err(CommandError::overloaded("the server is stopping")))
    }

    /// Puts something into a slot and makes sure that a task sees to it.
    fn enter<S: Store>(&self, core: &Rc<Core<S>>, id: ConversationId, put: impl FnOnce(&mut Work)) {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.entry(id).or_insert_with(|| Rc::new(Slot::new(id, &self.counts)));
        let mut work = slot.work.borrow_mut();
        put(&mut work);
        if let Some(waker) = work.waker.take() {
            waker.wake();
        }
        match std::mem::replace(&mut work.state, State::Working) {
            State::New => {
                let work = work_from_load(Rc::clone(core), Rc::clone(slot));
                tokio::task::spawn_local(core.wakes.gather(work));
            }
            State::Parked { owner, .. } => {
                let work = work_off(Rc::clone(core), Rc::clone(slot), owner);
                tokio::task::spawn_local(core.wakes.gather(work));
            }
            State::Working | State::Idle { .. } | State::Parking => {}
        }
    }

    /// Gives up a conversation that could not be loaded: everything waiting for it is refused.
    fn abandon<S: Store>(&self, core: &Rc<Core<S>>, id: ConversationId, error: &CommandError) {
        let Some(slot) = self.slots.borrow_mut().remove(&id) else { return };
        let Work { queue, waiting, .. } = slot.work.take();
        self.counts.queued.update(|queued| queued.saturating_sub(queue.len()));
        for request in queue {
            core.refuse(request.ticket, request.lane, error.clone());
        }
        for waiting in waiting {
            drop(waiting.send(Err(error.clone())));
        }
    }

    /// Whether any conversation has work.
    pub(super) fn is_busy(&self) -> bool {
        let is_working = |slot: &Rc<Slot>| matches!(slot.work.borrow().state, State::Working);
        self.slots.borrow().values().any(is_working)
    }

    /// Parks and forgets owners that had nothing to do for a while, and the oldest of too many.
    pub(super) fn sweep(&self, now: Timestamp) {
        let mut slots = self.slots.borrow_mut();
        let mut parked: Vec<(Timestamp, ConversationId, usize)> = Vec::new();
        slots.retain(|id, slot| {
            let mut work = slot.work.borrow_mut();
            match &work.state {
                State::Parked { since, .. } if now.since(*since) >= PARKED => return false,
                State::Parked { owner, since } => parked.push((*since, *id, owner.remembered())),
                State::Idle { since } if now.since(*since) >= LINGER => work.end_task(),
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

impl Slot {
    fn new(id: ConversationId, counts: &Rc<Counts>) -> Self {
        Self { id, counts: Rc::clone(counts), work: RefCell::default() }
    }

    /// Takes the next batch into `batch`, which is empty.
    fn take(&self, batch: &mut Vec<Request<Origin>>) {
        let queue = &mut self.work.borrow_mut().queue;
        let mut bytes = 0;
        while batch.len() < BATCH_REQUESTS_MAX
            && let Some(next) = queue.front()
        {
            bytes += next.action.bytes();
            if bytes > BATCH_BYTES_MAX && !batch.is_empty() {
                break;
            }
            batch.extend(queue.pop_front());
        }
        self.counts.queued.update(|queued| queued.saturating_sub(batch.len()));
    }

    /// Shows readers what the owner knows now.
    fn publish(&self, owner: &Owner<Origin>) {
        let work = &mut *self.work.borrow_mut();
        match work.view.as_mut().and_then(Rc::get_mut) {
            Some(unread) => owner.refresh(unread),
            None => work.view = Some(Rc::new(owner.view())),
        }
        if let Some(view) = &work.view {
            for waiting in work.waiting.drain(..) {
                drop(waiting.send(Ok(Rc::clone(view))));
            }
        }
    }

    /// Waits until there is more to do, or the task is to end.
    async fn until_more(&self) {
        std::future::poll_fn(|ctx| {
            let mut work = self.work.borrow_mut();
            if !work.queue.is_empty() || matches!(work.state, State::Parking) {
                return Poll::Ready(());
            }
            work.waker = Some(ctx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits for more until the task is to end; gives the owner back if it came, else it is parked.
    async fn linger(
        &self,
        mut owner: Box<Owner<Origin>>,
        now: Timestamp,
    ) -> Option<Box<Owner<Origin>>> {
        if self.counts.idle.get() < IDLE_MAX {
            self.counts.idle.update(|idle| idle + 1);
            self.work.borrow_mut().state = State::Idle { since: now };
            self.until_more().await;
            self.counts.idle.update(|idle| idle.saturating_sub(1));
        }
        let mut work = self.work.borrow_mut();
        if !work.queue.is_empty() {
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

impl Work {
    fn end_task(&mut self) {
        self.state = State::Parking;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

async fn work_from_load<S: Store>(core: Rc<Core<S>>, slot: Rc<Slot>) {
    match Owner::load(&core.chat, slot.id).await {
        Ok(Some(owner)) => {
            slot.publish(&owner);
            work_off(core, slot, Box::new(owner)).await;
        }
        Ok(None) => core.owners.abandon(&core, slot.id, &CommandError::not_found("no such chat")),
        Err(error) => core.owners.abandon(&core, slot.id, &error.into()),
    }
}

async fn work_off<S: Store>(core: Rc<Core<S>>, slot: Rc<Slot>, mut owner: Box<Owner<Origin>>) {
    let (mut batch, mut emits) = (Vec::new(), Vec::new());
    let mut now = core.clock.now();
    loop {
        slot.take(&mut batch);
        if batch.is_empty() {
            if owner.is_unsettled() {
                // Ends early when a request comes; either way the owner tries again.
                drop(tokio::time::timeout(RETRY, slot.until_more()).await);
            } else {
                let Some(more) = slot.linger(owner, now).await else { return };
                owner = more;
            }
            slot.take(&mut batch);
        }
        now = core.clock.now();
        owner.commit(&core.chat, now, &mut batch, &mut emits).await;
        // Before it is told: whoever is told may read at once.
        slot.publish(&owner);
        for emit in emits.drain(..) {
            core.fanout.tell(slot.id, emit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{self, Action, Chat};
    use crate::clock::Clock;
    use crate::identity::{self, Identity, Keys};
    use crate::model::{Actor, ContactState, Content, DeviceId, Message, Outcome, UserId};
    use crate::session::Limits;
    use crate::shard::seat::{ConnectionSettings, Services, run as run_shard, seats};
    use crate::store::embedded::{Embedded, Hooks, Options};

    type TestCore = Rc<Core<Embedded>>;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("not zero")
    }

    fn later(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    /// A shard whose loop runs, since it is the loop that passes on what the commit thread wakes.
    fn core(folder: &std::path::Path) -> TestCore {
        let options = Options { reserve_bytes: 0, ..Options::new(folder) };
        let hooks = Hooks::new(&options, |failure| panic!("{failure}"));
        let store = Embedded::open(&options, hooks).expect("a store");
        let services = Services {
            chat: Chat::new(store.clone(), chat::Settings::default()),
            identity: Identity::new(
                store,
                Keys::generate().expect("keys"),
                identity::Settings::default(),
            ),
            clock: Clock::new(NOW),
        };
        let settings = ConnectionSettings { limits: Limits::default(), outbox_bytes_max: 1 << 16 };
        let seat = seats(1, usize::MAX).1.pop().expect("one");
        let (core, reactor, inbox) = seat.assemble(services, settings).expect("epoll");
        tokio::task::spawn_local(run_shard(Rc::clone(&core), reactor, inbox));
        core
    }

    /// Appends a note to a journal and awaits the answer.
    async fn note(core: &TestCore, id: ConversationId) -> Result<Outcome, CommandError> {
        let (reply, answer) = oneshot::channel();
        let actor = Actor { user: user(1), device: DeviceId::new(1).expect("not zero") };
        let said = Content::Contact { user: user(2), state: ContactState::Accepted };
        let action = Action::Note(said);
        let request = Request { actor, action, lane: None, ticket: Origin::Call(reply) };
        core.owners.submit(core, id, request);
        answer.await.expect("answered")
    }

    fn run(test: impl AsyncFnOnce(TestCore, ConversationId)) {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::LocalRuntime::new().expect("a runtime");
        runtime.block_on(async {
            let core = core(folder.path());
            let id = core.chat.journal(user(1), NOW).await.expect("stored");
            test(core, id).await;
        });
    }

    /// Lets the tasks run that are ready.
    async fn settle() {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }

    fn state_of(core: &TestCore, id: ConversationId) -> Option<&'static str> {
        let slots = core.owners.slots.borrow();
        let slot = slots.get(&id)?;
        let work = slot.work.borrow();
        Some(match work.state {
            State::New => "new",
            State::Working => "working",
            State::Idle { .. } => "idle",
            State::Parking => "parking",
            State::Parked { .. } => "parked",
        })
    }

    #[test]
    fn an_owner_stays_then_is_parked_then_is_forgotten_and_works_from_each() {
        run(async |core, id| {
            let mut head = 0;
            let mut sends = async || {
                assert_eq!(note(&core, id).await, Ok(Outcome::Done));
                settle().await;
                assert_eq!((state_of(&core, id), core.owners.is_busy()), (Some("idle"), false));
                head += 1;
                let view = core.owners.view(&core, id).await.expect("known");
                assert_eq!(view.head().sequence.get(), head);
            };
            sends().await;
            sends().await;
            core.owners.sweep(later(100_000_000));
            settle().await;
            assert_eq!(state_of(&core, id), Some("parked"));
            sends().await;
            core.owners.sweep(later(100_000_000));
            settle().await;
            core.owners.sweep(later(200_000_000));
            assert_eq!(state_of(&core, id), None);
            sends().await;
        });
    }

    /// How many of sends with bodies of so many bytes are taken, batch by batch.
    fn batches(bodies: &[usize]) -> Vec<usize> {
        let slot = Slot::new(ConversationId::new(1).expect("not zero"), &Rc::default());
        for bytes in bodies {
            let text = "x".repeat(*bytes).into();
            let said = Content::Message(Message { text, ..Message::default() });
            let actor = Actor { user: user(1), device: DeviceId::new(1).expect("not zero") };
            let ticket = Origin::Call(oneshot::channel().0);
            let request = Request { actor, action: Action::Note(said), lane: None, ticket };
            slot.work.borrow_mut().queue.push_back(request);
        }
        let batches = std::iter::from_fn(|| {
            let mut batch = Vec::new();
            slot.take(&mut batch);
            (!batch.is_empty()).then_some(batch.len())
        });
        batches.collect()
    }

    #[test]
    fn a_batch_has_bounds() {
        assert_eq!(batches(&[10; 130]), [64, 64, 2]);
        assert_eq!(batches(&[BATCH_BYTES_MAX / 16; 40]), [16, 16, 8]);
        assert_eq!(batches(&[BATCH_BYTES_MAX + 1, 1, BATCH_BYTES_MAX]), [1, 1, 1]);
    }

    #[test]
    fn what_comes_while_a_task_is_to_end_is_done_all_the_same() {
        run(async |core, id| {
            assert_eq!(note(&core, id).await, Ok(Outcome::Done));
            settle().await;
            core.owners.sweep(later(100_000_000));
            assert_eq!(state_of(&core, id), Some("parking"));
            assert_eq!(note(&core, id).await, Ok(Outcome::Done));
        });
    }

    #[test]
    fn beyond_the_most_idle_tasks_an_owner_is_parked_at_once() {
        run(async |core, id| {
            core.owners.counts.idle.set(IDLE_MAX);
            assert_eq!(note(&core, id).await, Ok(Outcome::Done));
            settle().await;
            assert_eq!(state_of(&core, id), Some("parked"));
            core.owners.counts.idle.set(0);
            assert_eq!(note(&core, id).await, Ok(Outcome::Done));
            settle().await;
            assert_eq!((state_of(&core, id), core.owners.counts.idle.get()), (Some("idle"), 1));
        });
    }

    #[test]
    fn a_view_that_someone_holds_stays_as_it_was() {
        run(async |core, id| {
            let held = core.owners.view(&core, id).await.expect("known");
            assert_eq!(note(&core, id).await, Ok(Outcome::Done));
            assert_eq!(held.head().sequence.get(), 0);
            let newer = core.owners.view(&core, id).await.expect("known");
            assert_eq!(newer.head().sequence.get(), 1);
        });
    }
}
