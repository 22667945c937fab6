//! Copying between an embedded store and one on a real server: everything arrives either way, and
//! one that is not the same is found out.

use crate::model::{Epoch, Membership};
use crate::store::conformance::samples::{account, append, direct, log, membership, user};
use crate::store::copy::tests::Scene;
use crate::store::copy::tests::sample::{contents_of, entries_in_all};
use crate::store::copy::{CopyError, Inventory, Progress, Purpose, Target, Walk, copy};
use crate::store::embedded::Embedded;
use crate::store::scylla::ground::with_schema;
use crate::store::scylla::{Caps, OpenError, Options, Scylla};
use crate::store::{Directory, Effect, Log, Store};

async fn try_open(options: &Options, purpose: Purpose) -> Result<Scylla, OpenError> {
    // Buckets so small that the logs of the sample have several.
    let caps = Caps { entries: 50, ..Caps::default() };
    Scylla::open(&Options { caps, purpose, ..options.clone() }).await
}

async fn open(options: &Options, purpose: Purpose) -> Scylla {
    try_open(options, purpose).await.expect("opens")
}

async fn copied<S: Walk, T: Target>(source: &S, target: &T) -> Inventory {
    copy(source, target).await.expect("copied").inventory
}

async fn told(store: &impl Store) -> String {
    Box::pin(contents_of(store)).await.expect("the store works")
}

/// Checks that a finished copy can be used and tells what its source tells.
async fn ends_whole(options: &Options, source: &Embedded) {
    let target = open(options, Purpose::Use).await;
    assert_eq!(told(&target).await, told(source).await);
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn everything_arrives_there_and_back() {
    with_schema(async |options| {
        let scene = Scene::set().await;
        let source = scene.source();
        let target = open(&options, Purpose::Target(source.epoch())).await;
        let there = copied(&source, &target).await;
        assert_eq!(there.entries, entries_in_all());
        drop(target);
        ends_whole(&options, &source).await;
        let middle = open(&options, Purpose::Source).await;
        let back = scene.target(&middle);
        assert_eq!(copied(&middle, &back).await, there);
        assert_eq!(told(&back).await, told(&source).await);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn only_an_empty_keyspace_or_its_own_copy_becomes_a_copy() {
    with_schema(async |options| {
        let [one, other] = [11, 12].map(|epoch| Epoch::new(epoch).expect("in range"));
        let absent = try_open(&options, Purpose::Source).await;
        assert!(matches!(absent, Err(OpenError::Absent)));
        let target = open(&options, Purpose::Target(one)).await;
        assert_eq!(target.epoch(), one);
        assert_eq!(open(&options, Purpose::Target(one)).await.epoch(), one);
        for purpose in [Purpose::Use, Purpose::Source] {
            let refused = try_open(&options, purpose).await;
            assert!(matches!(refused, Err(OpenError::Unfinished)), "{purpose:?}");
        }
        let refused = try_open(&options, Purpose::Target(other)).await;
        assert!(matches!(refused, Err(OpenError::Occupied)));
        target.finish().await.expect("the store works");
        // As a try whose answer was lost does.
        target.finish().await.expect("the store works");
        assert_eq!(open(&options, Purpose::Use).await.epoch(), one);
        let refused = try_open(&options, Purpose::Target(one)).await;
        assert!(matches!(refused, Err(OpenError::Occupied)));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn rows_without_an_epoch_are_a_store_too() {
    with_schema(async |options| {
        let store = open(&options, Purpose::Use).await;
        store.insert_account(account(1, "ana")).await.expect("the store works");
        store.inner.database.execute("TRUNCATE numbers").await.expect("empty");
        let refused = try_open(&options, Purpose::Target(store.epoch())).await;
        assert!(matches!(refused, Err(OpenError::Occupied)));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn a_copy_that_differs_is_not_finished() {
    with_schema(async |options| {
        let scene = Scene::set().await;
        let source = scene.source();
        let target = open(&options, Purpose::Target(source.epoch())).await;
        target.claim(direct(6, 6, 7)).await.expect("the store works");
        target.append(append(6, 0, 1)).await.expect("the store works");
        let refused = copy(&source, &target).await;
        let named = "conversation 6";
        assert!(
            matches!(&refused, Err(CopyError::Differs { count: 1, named: n }) if n == named),
            "{refused:?}"
        );
        assert_eq!(target.progress().await, Ok(Some(Progress::Whole)));
        let refused = try_open(&options, Purpose::Use).await;
        assert!(matches!(refused, Err(OpenError::Unfinished)));
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a CQL server: make cql"]
async fn what_a_crash_cut_off_is_copied_as_it_is_told() {
    with_schema(async |options| {
        // The first statement of each change, and the second.
        for statements in 1..=2 {
            let killed = open(&options, Purpose::Use).await;
            let kill = || killed.inner.database.kill_after(statements);
            let id = 10 * statements;
            kill();
            drop(killed.insert_account(account(id, &format!("user{id}"))).await);
            kill();
            drop(killed.claim(direct(id, id, id + 1)).await);
        }
        let whole = open(&options, Purpose::Use).await;
        whole.insert_account(account(1, "ana")).await.expect("the store works");
        whole.claim(direct(1, 1, 2)).await.expect("the store works");
        // In the user's list, but not yet in the conversation's.
        whole.inner.database.kill_after(1);
        let row = membership(1, 1, 3);
        drop(whole.apply_effects(vec![Effect::Membership(row.clone())]).await);
        drop(whole);
        let source = open(&options, Purpose::Source).await;
        assert_eq!(source.members(log(1)).await, Ok(Vec::<Membership>::new()));
        let folder = Scene::empty();
        let target = folder.target(&source);
        let held = copied(&source, &target).await;
        assert_eq!((held.conversations, held.accounts, held.memberships), (2, 2, 1));
        assert_eq!(target.members(log(1)).await, Ok(vec![row]));
        let named = target.account(user(20)).await.expect("the store works");
        assert_eq!(named, Some(account(20, "user20")));
        assert!(target.conversation(log(20)).await.expect("the store works").is_some());
        assert_eq!(target.account(user(10)).await, Ok(None));
    })
    .await;
}
