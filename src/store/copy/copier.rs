//! The pages of a copy, one after the other, and the comparison at its end.

use super::inventory::keeps_members;
use super::units::{Failed, copy_unit, persist};
use super::{CopyError, Inventory, Progress, StoreError, Target, Unit, Walk};
use crate::model::Timestamp;
use std::future::Future;
use tokio::task::JoinSet;

/// How many units make a page, and are worked on at the same time.
const UNITS_MAX: usize = 64;

/// How many units that differ are named.
const NAMED_MAX: usize = 10;

/// Copies page by page.
pub(super) struct Copier<'a, S, T> {
    source: &'a S,
    target: &'a T,
    /// The source's latest time: it moves once a second while a server uses the store.
    time: Timestamp,
}

impl<'a, S: Walk, T: Target> Copier<'a, S, T> {
    pub(super) async fn new(source: &'a S, target: &'a T) -> Result<Self, CopyError> {
        Ok(Self { source, target, time: source.latest_time().await? })
    }

    /// Where to begin, or to go on.
    pub(super) async fn begin(&self) -> Result<Progress, CopyError> {
        if let Some(progress) = self.target.progress().await? {
            return Ok(progress);
        }
        let progress = Progress::Through(None);
        self.target.record_progress(progress).await?;
        Ok(progress)
    }

    /// Copies what comes after a unit, one page of it, and records that.
    pub(super) async fn step(&self, after: Option<Unit>) -> Result<Progress, CopyError> {
        self.check_unused().await?;
        let page = page(self.source, after).await?;
        let progress = match page.last() {
            Some(&last) => Progress::Through(Some(last)),
            None => Progress::Whole,
        };
        each(&page, |unit| {
            let (source, target) = (self.source.clone(), self.target.clone());
            persist(unit, move || copy_unit(source.clone(), target.clone(), unit))
        })
        .await?;
        if progress == Progress::Whole {
            self.target.keep_time(self.time).await?;
        }
        self.target.record_progress(progress).await?;
        Ok(progress)
    }

    /// Reads both stores whole. What they hold, if it is the same.
    pub(super) async fn compare(&self) -> Result<Inventory, CopyError> {
        let (mut held, mut different) = (Inventory::default(), Vec::new());
        let mut after = None;
        loop {
            let page = page(self.source, after).await?;
            let Some(&last) = page.last() else { break };
            after = Some(last);
            let found = each(&page, |unit| {
                let (source, target) = (self.source.clone(), self.target.clone());
                persist(unit, move || both(source.clone(), target.clone(), unit))
            });
            for (unit, inventory, same) in found.await? {
                held += inventory;
                different.extend((!same).then_some(unit));
            }
        }
        self.check_unused().await?;
        if !different.is_empty() {
            return Err(differs(&different));
        }
        let surplus = self.count_target().await?.saturating_sub(held.conversations + held.accounts);
        if surplus == 0 { Ok(held) } else { Err(CopyError::Surplus(surplus)) }
    }

    async fn count_target(&self) -> Result<u64, StoreError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = page(self.target, after).await?;
            let Some(&last) = page.last() else { return Ok(count) };
            after = Some(last);
            count += u64::try_from(page.len()).unwrap_or(u64::MAX);
        }
    }

    async fn check_unused(&self) -> Result<(), CopyError> {
        let unused = self.source.latest_time().await? == self.time;
        if unused { Ok(()) } else { Err(CopyError::InUse) }
    }
}

/// The units of a store that come after one, at most a page: first the conversations, then the
/// accounts.
async fn page<S: Walk>(store: &S, after: Option<Unit>) -> Result<Vec<Unit>, StoreError> {
    let (conversation, user) = match after {
        None => (Some(None), None),
        Some(Unit::Conversation(id)) => (Some(Some(id)), None),
        Some(Unit::Account(user)) => (None, Some(user)),
    };
    if let Some(after) = conversation {
        let page = store.conversations_after(after, UNITS_MAX).await?;
        if !page.is_empty() {
            return Ok(page.into_iter().map(Unit::Conversation).collect());
        }
    }
    let page = store.accounts_after(user, UNITS_MAX).await?;
    Ok(page.into_iter().map(Unit::Account).collect())
}

/// Works on units at the same time.
async fn each<D, W>(units: &[Unit], work: impl Fn(Unit) -> W) -> Result<Vec<D>, CopyError>
where
    D: Send + 'static,
    W: Future<Output = Result<D, CopyError>> + Send + 'static,
{
    let mut tasks: JoinSet<_> = units.iter().map(|unit| work(*unit)).collect();
    let mut done = Vec::with_capacity(units.len());
    while let Some(ended) = tasks.join_next().await {
        done.push(ended.map_err(|_panicked| CopyError::Interrupted)??);
    }
    Ok(done)
}

/// What the source holds of a unit, and whether the target holds the same.
async fn both<S: Walk, T: Walk>(
    source: S,
    target: T,
    unit: Unit,
) -> Result<(Unit, Inventory, bool), Failed> {
    let held = Inventory::of(&source, unit);
    let (held, copied) = tokio::try_join!(held, Inventory::of(&target, unit))?;
    let same = held == copied
        && match unit {
            Unit::Conversation(id) => keeps_members(&source, &target, id).await?,
            Unit::Account(_) => true,
        };
    Ok((unit, held, same))
}

fn differs(units: &[Unit]) -> CopyError {
    let named: Vec<String> = units.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    CopyError::Differs { count: units.len(), named: named.join(", ") }
}
