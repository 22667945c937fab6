//! The faults themselves, over an embedded store; and the conformance suite over a plan in which
//! nothing fails.

use super::*;
use crate::model::{Content, Message};
use crate::store::conformance::{Harness, conformance};
use crate::store::embedded::{Embedded, Hooks, Options};
use tempfile::TempDir;

struct Fixture {
    store: FaultyStore<Embedded>,
    folder: TempDir,
}

impl Fixture {
    fn open(folder: TempDir, plan: Plan) -> Self {
        let options = Options { reserve_bytes: 0, ..Options::new(folder.path()) };
        let hooks = Hooks::new(&options, |failure| panic!("{failure}"));
        let inner = Embedded::open(&options, hooks).expect("opens");
        Self { store: FaultyStore::new(inner, plan), folder }
    }

    fn with(plan: Plan) -> Self {
        Self::open(tempfile::tempdir().expect("a folder"), plan)
    }
}

impl Harness for Fixture {
    type Store = FaultyStore<Embedded>;

    async fn create() -> Self {
        Self::with(Plan::healthy())
    }

    fn store(&self) -> &Self::Store {
        &self.store
    }

    async fn reopen(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        Self::open(folder, Plan::healthy())
    }
}

conformance!(Fixture);

fn log() -> ConversationId {
    ConversationId::new(1).expect("in range")
}

fn append(expected: u64) -> Append<'static> {
    let content = Content::Message(Message { text: "hello".into(), ..Message::default() });
    let expected = Sequence::new(expected).expect("in range");
    let entry = Entry {
        sequence: expected.next(),
        ordinal: crate::model::Ordinal::FIRST,
        sender: None,
        sent_at: Timestamp::ZERO,
        client_message: None,
        fingerprint: content.fingerprint(),
        content,
        edited: None,
        erased: None,
    };
    Append { conversation: log(), expected, entries: vec![entry].into(), has_effects: false }
}

async fn head(fixture: &Fixture) -> u64 {
    fixture.store.inner().head(log()).await.expect("works").sequence.get()
}

const APPENDS: &[&str] = &["append"];

#[tokio::test]
async fn a_refused_change_is_not_applied() {
    let fixture = Fixture::with(Plan::at(2, Fault::Refuse).only(APPENDS));
    assert_eq!(fixture.store.append(append(0)).await, Ok(Appended::Applied));
    assert_eq!(fixture.store.append(append(1)).await, Err(StoreError::Unavailable));
    assert_eq!(head(&fixture).await, 1);
    assert_eq!(fixture.store.append(append(1)).await, Ok(Appended::Applied));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_change_applied() {
    let fixture = Fixture::with(Plan::at(1, Fault::LoseAnswer));
    assert_eq!(fixture.store.append(append(0)).await, Err(StoreError::Unknown));
    assert_eq!(head(&fixture).await, 1);
}

#[tokio::test]
async fn a_lost_change_is_not_applied() {
    let fixture = Fixture::with(Plan::at(1, Fault::LoseChange));
    assert_eq!(fixture.store.append(append(0)).await, Err(StoreError::Unknown));
    assert_eq!(head(&fixture).await, 0);
}

#[tokio::test]
async fn a_late_change_lands_when_it_is_due() {
    let fixture = Fixture::with(Plan::at(1, Fault::Late(2)));
    assert_eq!(fixture.store.append(append(0)).await, Err(StoreError::Unknown));
    let seen = async || fixture.store.head(log()).await.expect("works").sequence.get();
    assert_eq!(seen().await, 0);
    assert_eq!(seen().await, 1);
}

#[tokio::test]
async fn a_late_change_on_a_moved_head_changes_nothing() {
    let fixture = Fixture::with(Plan::at(1, Fault::Late(usize::MAX)));
    assert_eq!(fixture.store.append(append(0)).await, Err(StoreError::Unknown));
    assert_eq!(fixture.store.append(append(0)).await, Ok(Appended::Applied));
    fixture.store.land().await;
    assert_eq!(head(&fixture).await, 1);
}

#[tokio::test]
async fn a_stalled_call_waits_for_its_release() {
    let fixture = Fixture::with(Plan::at(1, Fault::Stall).and_at(2, Fault::Stall));
    let stalled: Vec<_> = (0..2)
        .map(|_| {
            let store = fixture.store.clone();
            tokio::spawn(async move { store.append(append(0)).await })
        })
        .collect();
    fixture.store.until_stalled(2).await;
    assert_eq!(head(&fixture).await, 0);
    assert!(stalled.iter().all(|call| !call.is_finished()));
    fixture.store.release();
    let mut applied = 0;
    for call in stalled {
        applied += u64::from(call.await.expect("no panic") == Ok(Appended::Applied));
    }
    assert_eq!((applied, head(&fixture).await), (1, 1));
}

#[tokio::test]
async fn a_read_is_refused_rather_than_unknown() {
    let faults = [Fault::Refuse, Fault::LoseAnswer, Fault::LoseChange, Fault::Late(1)];
    let plan = (1..).zip(faults).fold(Plan::healthy(), |plan, (n, fault)| plan.and_at(n, fault));
    let fixture = Fixture::with(plan);
    for _ in faults {
        assert_eq!(fixture.store.head(log()).await, Err(StoreError::Unavailable));
    }
    assert_eq!(fixture.store.head(log()).await, Ok(Head::default()));
}

#[tokio::test]
async fn a_new_plan_heals_the_store_and_calls_stay_recorded() {
    let fixture = Fixture::with(Plan::at(1, Fault::Refuse).and_at(2, Fault::Refuse));
    drop(fixture.store.append(append(0)).await);
    fixture.store.follow(Plan::healthy());
    assert_eq!(fixture.store.append(append(0)).await, Ok(Appended::Applied));
    let call = |fault| Call { method: "append", fault };
    assert_eq!(fixture.store.calls(), [call(Some(Fault::Refuse)), call(None)]);
}

#[test]
fn a_seed_fails_the_same_calls_in_the_same_ways() {
    let faults = |seed| {
        let mut plan = Plan::seeded(seed, 4);
        (0..4_000).map(|_| plan.next("append")).collect::<Vec<_>>()
    };
    assert_eq!(faults(1), faults(1));
    assert_ne!(faults(1), faults(2));
    let failed = faults(3).into_iter().flatten().count();
    assert!((800..1_200).contains(&failed), "{failed}");
}

/// A caller that follows the contract: tries the same append again after each failure, and reads
/// the head once the store told that the log does not end where it thought.
#[tokio::test]
async fn whatever_fails_each_append_is_applied_once() {
    let mut tries = 0;
    for seed in 0..20 {
        let fixture = Fixture::with(Plan::seeded(seed, 2));
        for expected in 0..20 {
            loop {
                tries += 1;
                match fixture.store.append(append(expected)).await {
                    Ok(Appended::Applied) => break,
                    // Its own earlier try, which was answered as unknown: nobody else appends.
                    Ok(Appended::Stale(head)) => {
                        assert_eq!(head.sequence.get(), expected + 1, "seed {seed}");
                        break;
                    }
                    Err(StoreError::Unavailable | StoreError::Unknown) => {}
                    Err(error) => panic!("seed {seed}: {error}"),
                }
            }
        }
        fixture.store.land().await;
        assert_eq!(head(&fixture).await, 20, "seed {seed}");
    }
    assert!(tries > 400);
}
