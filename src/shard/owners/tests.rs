//! Owners between two requests: how long they stay, and what one batch takes.

use super::*;
use crate::chat::Action;
use crate::model::{Actor, ContactState, Content, DeviceId, Message, Outcome};
use crate::shard::tests::crowd::{self, NOW, user};
use crate::store::embedded::{Embedded, Hooks, Options};

type TestCore = Rc<Core<Embedded>>;

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// A shard whose loop runs, over a store in a folder.
fn core(folder: &std::path::Path) -> TestCore {
    let options = Options { reserve_bytes: 0, ..Options::new(folder) };
    let hooks = Hooks::new(&options, |failure| panic!("{failure}"));
    let store = Embedded::open(&options, hooks).expect("a store");
    crowd::start(store)
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
        core.sweep(later(100_000_000));
        settle().await;
        assert_eq!(state_of(&core, id), Some("parked"));
        sends().await;
        core.sweep(later(100_000_000));
        settle().await;
        core.sweep(later(200_000_000));
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
        let mut batch = VecDeque::new();
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
fn what_comes_while_a_worker_is_to_end_is_done_all_the_same() {
    run(async |core, id| {
        assert_eq!(note(&core, id).await, Ok(Outcome::Done));
        settle().await;
        core.sweep(later(100_000_000));
        assert_eq!(state_of(&core, id), Some("parking"));
        assert_eq!(note(&core, id).await, Ok(Outcome::Done));
    });
}

#[test]
fn beyond_the_most_idle_workers_an_owner_is_parked_at_once() {
    run(async |core, id| {
        core.owners.lists.idle.set(IDLE_MAX);
        assert_eq!(note(&core, id).await, Ok(Outcome::Done));
        settle().await;
        assert_eq!(state_of(&core, id), Some("parked"));
        core.owners.lists.idle.set(0);
        assert_eq!(note(&core, id).await, Ok(Outcome::Done));
        settle().await;
        assert_eq!((state_of(&core, id), core.owners.lists.idle.get()), (Some("idle"), 1));
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
