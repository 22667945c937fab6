//! Copying one embedded store into another: everything arrives, a copy that was broken off goes on, and
//! one that is not the same is found out.

mod faults;
mod inventory;
pub(in crate::store) mod sample;

use super::copier::Copier;
use super::*;
use crate::store::conformance::samples::{account, append, at, direct, log, profile, time, user};
use crate::store::embedded::{Embedded, Hooks, OpenError, Options};
use crate::store::{Directory, Log, Pending};
use sample::{ACCOUNTS, CONVERSATIONS, contents_of, entries_in_all, fill};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn try_open(folder: &Path, purpose: Purpose) -> Result<Embedded, OpenError> {
    let options = Options { purpose, reserve_bytes: 0, ..Options::new(folder) };
    let hooks = Hooks::new(&options, |failure| panic!("{failure}"));
    Embedded::open(&options, hooks)
}

fn open(folder: &Path, purpose: Purpose) -> Embedded {
    try_open(folder, purpose).expect("opens")
}

/// Two folders, the first with a store that holds one of everything.
pub(in crate::store) struct Scene {
    folder: TempDir,
}

impl Scene {
    pub(in crate::store) async fn set() -> Self {
        let scene = Self::empty();
        let store = open(&scene.from(), Purpose::Use);
        fill(&store).await.expect("the store works");
        store.close().await;
        scene
    }

    /// Both folders absent.
    pub(in crate::store) fn empty() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn from(&self) -> PathBuf {
        self.folder.path().join("from")
    }

    fn to(&self) -> PathBuf {
        self.folder.path().join("to")
    }

    pub(in crate::store) fn source(&self) -> Embedded {
        open(&self.from(), Purpose::Source)
    }

    pub(in crate::store) fn target(&self, source: &impl Store) -> Embedded {
        open(&self.to(), Purpose::Target(source.epoch()))
    }
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
