//! Wakes that come from other threads, gathered so that a batch of them costs one system call.
//!
//! The runtime makes a system call for every task that another thread wakes, and the thread that
//! commits answers many at once. So a task that waits for another thread is given a waker that only
//! notes it and wakes the loop of its shard, unless that is awake already; the loop then wakes what
//! was noted on its own thread, where a wake costs nothing. Owners, which are no tasks of the runtime, are
//! noted by their conversations, for the loop to poll.
//!
//! Invariant: no wake is lost: whatever is noted while the loop sleeps has woken it, and it takes all
//! that is noted after it was woken.

use crate::model::ConversationId;
use std::cell::RefCell;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread::{self, ThreadId};

/// See the module. One per shard, made on its thread.
#[derive(Debug)]
pub(super) struct Wakes {
    gathered: Arc<Gathered>,
    /// What wakes the loop, as all others know it.
    reactor: RefCell<Option<Waker>>,
}

#[derive(Debug)]
struct Gathered {
    /// The shard's, whose own wakes go straight to their tasks.
    thread: ThreadId,
    /// Whether anything is noted, so that a round need not lock to learn that nothing is.
    any: AtomicBool,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    tasks: Vec<Waker>,
    /// Conversations, whose owners the loop itself works off.
    owners: Vec<ConversationId>,
    /// Wakes the loop; `None` before its first round.
    reactor: Option<Waker>,
}

/// The waker of one task.
struct Task {
    gathered: Arc<Gathered>,
    waker: Waker,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if thread::current().id() == self.gathered.thread {
            self.waker.wake_by_ref();
        } else {
            self.gathered.note(|noted| noted.tasks.push(self.waker.clone()));
        }
    }
}

/// The waker of an owner at work.
struct OwnerOf {
    gathered: Arc<Gathered>,
    conversation: ConversationId,
}

impl Wake for OwnerOf {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.gathered.note(|noted| noted.owners.push(self.conversation));
    }
}

impl Gathered {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Noted)) {
        let mut noted = self.noted();
        let is_first = noted.tasks.is_empty() && noted.owners.is_empty();
        let reactor = noted.reactor.as_ref().filter(|_| is_first).cloned();
        note(&mut noted);
        self.any.store(true, Ordering::Release);
        drop(noted);
        if let Some(reactor) = reactor {
            reactor.wake();
        }
    }
}

impl Wakes {
    /// For the shard of the current thread.
    pub(super) fn new() -> Self {
        let thread = thread::current().id();
        let gathered = Gathered { thread, any: AtomicBool::new(false), noted: Mutex::default() };
        Self { gathered: Arc::new(gathered), reactor: RefCell::new(None) }
    }

    /// Wakes the tasks noted since the last time, adds the conversations noted to `owners`, and remembers
    /// how the loop is woken for the next.
    pub(super) fn release(&self, reactor: &Context<'_>, owners: &mut Vec<ConversationId>) {
        let mut known = self.reactor.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(reactor.waker())) {
            *known = Some(reactor.waker().clone());
            self.gathered.noted().reactor.clone_from(&known);
        }
        if !self.gathered.any.load(Ordering::Acquire) {
            return;
        }
        let mut noted = self.gathered.noted();
        self.gathered.any.store(false, Ordering::Release);
        let tasks = std::mem::take(&mut noted.tasks);
        owners.append(&mut noted.owners);
        drop(noted);
        for task in tasks {
            task.wake();
        }
    }

    /// The waker of an owner, which may be woken by any thread.
    pub(super) fn of_owner(&self, conversation: ConversationId) -> Waker {
        let gathered = Arc::clone(&self.gathered);
        Waker::from(Arc::new(OwnerOf { gathered, conversation }))
    }

    /// The same future, with the wakes that it gets from other threads gathered.
    pub(super) fn gather<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let gathered = Arc::clone(&self.gathered);
        async move {
            let mut future = pin!(future);
            let mut noting = Derived::default();
            std::future::poll_fn(|ctx| {
                let noting = noting.of(ctx.waker(), |waker| {
                    let (gathered, waker) = (Arc::clone(&gathered), waker.clone());
                    Waker::from(Arc::new(Task { gathered, waker }))
                });
                future.as_mut().poll(&mut Context::from_waker(noting))
            })
            .await
        }
    }
}

/// A waker that is made of the one a future is polled with, and kept for as long as that stays the same.
#[derive(Debug, Default)]
pub(super) struct Derived(Option<(Waker, Waker)>);

impl Derived {
    /// The one of `waker`.
    pub(super) fn of(&mut self, waker: &Waker, derive: impl FnOnce(&Waker) -> Waker) -> &Waker {
        let known = self.0.take().filter(|(of, _)| of.will_wake(waker));
        let known = known.unwrap_or_else(|| (waker.clone(), derive(waker)));
        &self.0.insert(known).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deferral::WakeCount;
    use std::pin::Pin;
    use std::task::Poll;
    use tokio::sync::oneshot;

    fn poll<F: Future>(future: Pin<&mut F>, count: &Arc<WakeCount>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(count))))
    }

    #[test]
    fn many_wakes_of_another_thread_wake_the_loop_once_and_every_task_when_it_runs() {
        let (wakes, reactor) = (Wakes::new(), Arc::<WakeCount>::default());
        let waker = Waker::from(Arc::clone(&reactor));
        for round in 1..=3 {
            wakes.release(&Context::from_waker(&waker), &mut Vec::new());
            let (senders, receivers): (Vec<_>, Vec<_>) =
                (0..10).map(|_| oneshot::channel::<()>()).unzip();
            let mut tasks: Vec<_> = receivers
                .into_iter()
                .map(|receiver| (Box::pin(wakes.gather(receiver)), Arc::<WakeCount>::default()))
                .collect();
            for (task, count) in &mut tasks {
                assert!(poll(task.as_mut(), count).is_pending());
            }
            let answers = move || senders.into_iter().for_each(|s| s.send(()).expect("it waits"));
            thread::spawn(answers).join().expect("no panic");
            assert_eq!(reactor.get(), round);
            assert!(tasks.iter().all(|(_, count)| count.get() == 0));
            wakes.release(&Context::from_waker(&waker), &mut Vec::new());
            for (task, count) in &mut tasks {
                assert_eq!(count.get(), 1);
                assert!(poll(task.as_mut(), count).is_ready());
            }
        }
    }

    #[test]
    fn an_owner_is_noted_by_its_conversation_whichever_thread_wakes_it() {
        let (wakes, reactor) = (Wakes::new(), Arc::<WakeCount>::default());
        let waker = Waker::from(Arc::clone(&reactor));
        let mut owners = Vec::new();
        wakes.release(&Context::from_waker(&waker), &mut owners);
        let id = |number| ConversationId::new(number).expect("not zero");
        wakes.of_owner(id(1)).wake();
        let other = wakes.of_owner(id(2));
        thread::spawn(move || other.wake()).join().expect("no panic");
        assert_eq!(reactor.get(), 1);
        wakes.release(&Context::from_waker(&waker), &mut owners);
        assert_eq!(owners, [id(1), id(2)]);
    }

    #[test]
    fn a_wake_of_the_own_thread_goes_straight_to_its_task() {
        let (wakes, count) = (Wakes::new(), Arc::<WakeCount>::default());
        let (sender, receiver) = oneshot::channel::<()>();
        let mut task = Box::pin(wakes.gather(receiver));
        assert!(poll(task.as_mut(), &count).is_pending());
        sender.send(()).expect("it waits");
        assert_eq!(count.get(), 1);
    }
}
