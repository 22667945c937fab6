//! Copying one embedded store into another: everything arrives, a copy that was broken off goes on, and
//! one that is not the same is found out.

use super::copier::Copier;
use super::*;
use crate::model::{Claim, ContactState, Conversation, Device, Entry, Erasure, Settings, Title};
use crate::store::conformance::samples::{
    account, advance, append, at, client, contact, contents, cursor, device, device_id, direct,
    entry, erased_entry, everything, log, membership, profile, text, time, user,
};
use crate::store::embedded::{Embedded, Hooks, OpenError, Options};
use crate::store::faulty::{FaultyStore, Plan};
use crate::store::{Append, Cursors, Directory, Effect, Log, Pending};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// More than a page of each.
const ACCOUNTS: u64 = 70;
const CONVERSATIONS: u64 = 70;

fn try_open(folder: &Path, purpose: Purpose) -> Result<Embedded, OpenError> {
    let options = Options { purpose, reserve_bytes: 0, ..Options::new(folder) };
    let hooks = Hooks::new(&options, |failure| panic!("{failure}"));
    Embedded::open(&options, hooks)
}

fn open(folder: &Path, purpose: Purpose) -> Embedded {
    try_open(folder, purpose).expect("opens")
}

/// Two folders, the first with a store that holds one of everything.
struct Scene {
    folder: TempDir,
}

impl Scene {
    async fn set() -> Self {
        let scene = Self { folder: tempfile::tempdir().expect("a folder") };
        let store = open(&scene.from(), Purpose::Use);
        fill(&store).await.expect("the store works");
        store.close().await;
        scene
    }

    fn from(&self) -> PathBuf {
        self.folder.path().join("from")
    }

    fn to(&self) -> PathBuf {
        self.folder.path().join("to")
    }

    fn source(&self) -> Embedded {
        open(&self.from(), Purpose::Source)
    }

    fn target(&self, source: &Embedded) -> Embedded {
        open(&self.to(), Purpose::Target(source.epoch()))
    }
}

async fn fill(store: &Embedded) -> Result<(), StoreError> {
    for number in 1..=ACCOUNTS {
        store.insert_account(account(number, &format!("user{number}"))).await?;
        store.insert_device(device(number, number)).await?;
    }
    let revoked = Device { revoked_at: Some(time(9)), version: 0, ..device(1, 1) };
    store.update_device(revoked).await?;
    // More than is written at once.
    let peers = (2..).take(ROWS_MAX + 10);
    let contacts = peers.map(|peer| contact(1, peer, ContactState::Accepted, peer));
    store.apply_effects(contacts.map(Effect::Contact).collect()).await?;
    for number in 1..=CONVERSATIONS {
        store.claim(direct(number, number, number + 1)).await?;
    }
    fill_logs(store).await?;
    let journal = Claim::Journal(user(1));
    store.claim(Conversation { id: log(1_000), claim: journal, created_at: time(3) }).await?;
    let group = Claim::Group(user(2), client(7));
    store.claim(Conversation { id: log(1_001), claim: group, created_at: time(4) }).await?;
    let settings = Settings {
        title: Title::new("Title"),
        member_count: 2,
        set_by: at(5),
        changed_at: time(6),
        ..Settings::default()
    };
    let rows = vec![
        Effect::Settings(log(1_001), settings),
        Effect::Membership(membership(1_001, 1, 3)),
        Effect::Membership(membership(1_001, 2, 4)),
    ];
    store.apply_effects(rows).await?;
    store.advance_cursors(vec![advance(1, 1, cursor(9, 4)), advance(1, 2, cursor(3, 0))]).await?;
    store.advance_device_cursors(device_id(1), vec![(log(1), at(9)), (log(2), at(1))]).await?;
    store.keep_time(time(1_790_000_000_000)).await
}

async fn fill_logs(store: &Embedded) -> Result<(), StoreError> {
    // Several pages, and exactly one.
    store.append(append(1, 0, 200)).await?;
    store.append(append(2, 0, 64)).await?;
    let mut all: Vec<Entry> = (1..).zip(contents()).map(|(at, what)| entry(at, what)).collect();
    all.push(erased_entry(at(0).plus(all.len().try_into().expect("few")).next().get()));
    let marked = |conversation, expected, entries: Vec<Entry>| Append {
        conversation: log(conversation),
        expected: at(expected),
        entries: entries.into(),
        has_effects: true,
    };
    store.append(marked(3, 0, all)).await?;
    // Marked from the middle of a page on.
    store.append(append(4, 0, 70)).await?;
    store.append(marked(4, 70, vec![entry(71, text("marked"))])).await?;
    store.append(append(4, 71, 3)).await?;
    // Pages that end by their bytes.
    let long = text(&"x".repeat(100_000));
    let long: Vec<Entry> = (1..=10).map(|at| entry(at, long.clone())).collect();
    let has_effects = false;
    let entries = long.into();
    store.append(Append { conversation: log(5), expected: at(0), entries, has_effects }).await?;
    Ok(())
}

/// How many entries [`fill_logs`] writes.
fn entries_in_all() -> u64 {
    200 + 64 + u64::try_from(contents().len()).expect("few") + 1 + 74 + 10
}

/// Everything that the traits of a store tell, by the ids that [`fill`] uses.
async fn contents_of(store: &Embedded) -> Result<String, StoreError> {
    let mut told = vec![format!("{:?} {:?}", store.epoch(), store.latest_time().await?)];
    for number in 1..=ACCOUNTS {
        let (user, device) = (user(number), device_id(number));
        let account = store.account(user).await?;
        // Its `Debug` leaves the password out.
        let password = account.as_ref().map(|account| account.password.as_str().to_owned());
        told.push(format!("{account:?} {password:?}"));
        let name = account.expect("stored").username;
        told.push(format!("{:?}", store.account_by_name(&name).await?));
        told.push(format!("{:?} {:?}", store.devices(user).await?, store.device(device).await?));
        told.push(format!("{:?}", store.contacts(user, None, usize::MAX).await?));
        told.push(format!("{:?} {:?}", store.memberships(user).await?, store.cursors(user).await?));
        told.push(format!("{:?}", store.device_cursors(device).await?));
    }
    for id in (1..=CONVERSATIONS).chain([1_000, 1_001]).map(log) {
        let stored = store.conversation(id).await?;
        let claim = stored.as_ref().expect("stored").0.claim;
        told.push(format!(
            "{stored:?} {:?} {:?}",
            store.claimed(claim).await?,
            store.head(id).await?
        ));
        told.push(format!("{:?}", store.entries(id, everything()).await?));
        told.push(format!("{:?} {:?}", store.members(id).await?, store.pending_of(id).await?));
    }
    Ok(told.join("\n"))
}

#[tokio::test]
async fn a_copy_holds_everything_that_its_source_does() {
    let scene = Scene::set().await;
    let source = scene.source();
    let target = scene.target(&source);
    let report = copy(&source, &target).await.expect("copied");
    let expected = contents_of(&source).await.expect("the store works");
    target.close().await;
    drop((source, target));
    let copied = open(&scene.to(), Purpose::Use);
    assert_eq!(contents_of(&copied).await.expect("the store works"), expected);
    let marks = [
        Pending { conversation: log(3), from: at(1) },
        Pending { conversation: log(4), from: at(71) },
    ];
    assert_eq!(copied.pending().await, Ok(marks.to_vec()));
    let Inventory { contents, .. } = report.inventory;
    let expected = Inventory {
        conversations: CONVERSATIONS + 2,
        entries: entries_in_all(),
        memberships: 2,
        accounts: ACCOUNTS,
        devices: ACCOUNTS,
        contacts: u64::try_from(ROWS_MAX + 10).expect("few"),
        cursors: 4,
        contents,
    };
    assert_eq!(report.inventory, expected);
    assert_ne!(contents, 0);
}

#[tokio::test]
async fn a_copy_that_was_broken_off_goes_on_where_it_was() {
    let scene = Scene::set().await;
    let source = scene.source();
    let (mut steps, mut entries) = (0, 0);
    loop {
        let target = scene.target(&source);
        let copier = Copier::new(&source, &target).await.expect("the stores work");
        let progress = copier.begin().await.expect("the stores work");
        let done = match progress {
            Progress::Through(after) => copier.step(after).await.expect("the stores work"),
            Progress::Whole => break,
        };
        assert_ne!(done, progress);
        (steps, entries) = (steps + 1, entries + target.stats().entries);
        target.close().await;
    }
    assert_eq!(steps, 2 + 2 + 1, "two pages of each, and finding that there is no more");
    assert_eq!(entries, entries_in_all(), "nothing is written twice");
    let target = scene.target(&source);
    copy(&source, &target).await.expect("equal");
    let expected = contents_of(&source).await.expect("the store works");
    assert_eq!(contents_of(&target).await.expect("the store works"), expected);
}

#[tokio::test]
async fn a_unit_that_was_copied_in_part_is_completed() {
    let scene = Scene::set().await;
    let source = scene.source();
    let target = scene.target(&source);
    target.record_progress(Progress::Through(None)).await.expect("the store works");
    target.claim(direct(1, 1, 2)).await.expect("the store works");
    target.append(append(1, 0, 100)).await.expect("the store works");
    target.claim(direct(4, 4, 5)).await.expect("the store works");
    target.append(append(4, 0, 70)).await.expect("the store works");
    target.insert_account(account(1, "user1")).await.expect("the store works");
    copy(&source, &target).await.expect("copied");
    assert_eq!(target.stats().entries, entries_in_all());
}

#[tokio::test]
async fn only_what_is_finished_can_be_used_and_only_by_its_own_source_gone_on_with() {
    let scene = Scene::set().await;
    let source = scene.source();
    let target = scene.target(&source);
    assert!(matches!(try_open(&scene.to(), Purpose::Use), Err(OpenError::InUse(_))));
    let copier = Copier::new(&source, &target).await.expect("the stores work");
    copier.begin().await.expect("the stores work");
    target.close().await;
    drop(target);
    for purpose in [Purpose::Use, Purpose::Source] {
        let refused = try_open(&scene.to(), purpose);
        assert!(matches!(refused, Err(OpenError::Unfinished(_))), "{purpose:?}");
    }
    let another = Purpose::Target(Epoch::new(12).expect("in range"));
    assert!(matches!(try_open(&scene.to(), another), Err(OpenError::Occupied(_))));
    let target = scene.target(&source);
    copy(&source, &target).await.expect("copied");
    target.close().await;
    drop(target);
    drop(open(&scene.to(), Purpose::Use));
    let again = try_open(&scene.to(), Purpose::Target(source.epoch()));
    assert!(matches!(again, Err(OpenError::Occupied(_))), "it is a store by now");
}

#[tokio::test]
async fn a_folder_that_holds_a_store_does_not_become_a_copy() {
    let scene = Scene::set().await;
    let source = scene.source();
    let refused = |folder: &Path| {
        let opened = try_open(folder, Purpose::Target(source.epoch()));
        matches!(opened, Err(OpenError::Occupied(_)))
    };
    drop(open(&scene.to(), Purpose::Use));
    assert!(refused(&scene.to()));
    // A backup that was restored begins a new life when it is opened.
    std::fs::remove_file(scene.to().join("EPOCH")).expect("there");
    assert!(refused(&scene.to()) && !scene.to().join("EPOCH").exists());
    let itself = try_open(&scene.from(), Purpose::Target(source.epoch()));
    assert!(matches!(itself, Err(OpenError::InUse(_))));
    drop(source);
}

#[tokio::test]
async fn there_has_to_be_a_source_and_nobody_may_use_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("nowhere");
    assert!(matches!(try_open(&nowhere, Purpose::Source), Err(OpenError::Absent(_))));
    assert!(!nowhere.exists());
    let scene = Scene::set().await;
    let source = scene.source();
    assert!(matches!(try_open(&scene.from(), Purpose::Source), Err(OpenError::InUse(_))));
    // Where no lock tells, the time does.
    let target = scene.target(&source);
    let copier = Copier::new(&source, &target).await.expect("the stores work");
    source.keep_time(time(1_790_000_001_000)).await.expect("the store works");
    assert!(matches!(copier.step(None).await, Err(CopyError::InUse)));
    assert!(matches!(copier.compare().await, Err(CopyError::InUse)));
}

/// Copies everything but does not compare it yet.
async fn copied_whole<'a>(
    source: &'a Embedded,
    target: &'a Embedded,
) -> Copier<'a, Embedded, Embedded> {
    let copier = Copier::new(source, target).await.expect("the stores work");
    let mut progress = copier.begin().await.expect("the stores work");
    while let Progress::Through(after) = progress {
        progress = copier.step(after).await.expect("the stores work");
    }
    copier
}

#[tokio::test]
async fn a_copy_that_differs_is_not_finished() {
    let scene = Scene::set().await;
    let source = scene.source();
    let target = scene.target(&source);
    let copier = copied_whole(&source, &target).await;
    copier.compare().await.expect("equal");
    target.claim(direct(77, 8, 90)).await.expect("the store works");
    target.insert_account(account(90, "surplus")).await.expect("the store works");
    assert!(matches!(copier.compare().await, Err(CopyError::Surplus(2))));
    target.append(append(6, 0, 1)).await.expect("the store works");
    target.put_profile(user(70), profile("other")).await.expect("the store works");
    let refused = copy(&source, &target).await.expect_err("it differs").to_string();
    let expected =
        "2 parts of the copy are not what the source holds, among them conversation 6, account 70";
    assert_eq!(refused, expected);
    assert_eq!(target.progress().await, Ok(Some(Progress::Whole)));
}

/// What a store holds in all.
async fn inventory(store: &Embedded) -> Inventory {
    let mut held = Inventory::default();
    for unit in [Unit::Conversation(log(1)), Unit::Account(user(1))] {
        held += Inventory::of(store, unit).await.expect("the store works");
    }
    held
}

#[tokio::test]
async fn whatever_changes_in_a_store_changes_its_inventory() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path(), Purpose::Use);
    let mut before = Inventory::default();
    for change in 0..12 {
        let done = match change {
            0 => store.claim(direct(1, 1, 2)).await.map(drop),
            1 => store.append(append(1, 0, 2)).await.map(drop),
            2 => store.append(Append { has_effects: true, ..append(1, 2, 1) }).await.map(drop),
            3 => store.settle(log(1), at(3)).await,
            4 => store.erase(log(1), at(2), Erasure(0)).await.map(drop),
            5 => store.apply_effects(vec![Effect::Membership(membership(1, 1, 2))]).await,
            6 => store.insert_account(account(1, "ana")).await.map(drop),
            7 => store.put_profile(user(1), profile("other")).await,
            8 => store.insert_device(device(1, 1)).await.map(drop),
            9 => store.advance_cursors(vec![advance(1, 1, cursor(1, 0))]).await,
            10 => store.advance_device_cursors(device_id(1), vec![(log(1), at(1))]).await,
            _ => {
                let row = contact(1, 2, ContactState::Blocked, 1);
                store.apply_effects(vec![Effect::Contact(row)]).await
            }
        };
        done.expect("the store works");
        let after = inventory(&store).await;
        assert_ne!(after.contents, before.contents, "change {change}");
        before = after;
    }
}

#[tokio::test(start_paused = true)]
async fn faults_that_pass_do_no_harm() {
    for seed in 0..5 {
        let scene = Scene::set().await;
        let (source, target) = (scene.source(), scene.folder.path().join("to"));
        let target =
            FaultyStore::new(open(&target, Purpose::Target(source.epoch())), Plan::healthy());
        target.follow(Plan::seeded(seed, 25).only(&[
            "insert_account",
            "append",
            "claim",
            "apply_effects",
        ]));
        let report = copy(&source, &target).await.expect("copied");
        target.land().await;
        let expected = contents_of(&source).await.expect("the store works");
        assert_eq!(contents_of(target.inner()).await, Ok(expected), "seed {seed}");
        assert_eq!(report.inventory.entries, entries_in_all(), "seed {seed}");
    }
}

impl<S: Walk> Walk for FaultyStore<S> {
    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        self.inner().conversations_after(after, limit).await
    }

    async fn accounts_after(
        &self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.inner().accounts_after(after, limit).await
    }
}

impl<S: Target> Target for FaultyStore<S> {
    async fn progress(&self) -> Result<Option<Progress>, StoreError> {
        self.inner().progress().await
    }

    async fn record_progress(&self, progress: Progress) -> Result<(), StoreError> {
        self.inner().record_progress(progress).await
    }

    async fn finish(&self) -> Result<(), StoreError> {
        self.inner().finish().await
    }
}
