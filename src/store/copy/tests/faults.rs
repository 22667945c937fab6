//! A target that refuses, loses answers and writes late.

use super::sample::{contents_of, entries_in_all};
use super::{Scene, open};
use crate::model::{ConversationId, UserId};
use crate::store::copy::{Progress, Purpose, Target, Walk, copy};
use crate::store::faulty::{FaultyStore, Plan};
use crate::store::{Store, StoreError};

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
