//! The commit thread: the only writer.
//!
//! It takes everything that is queued, checks each change against the rows and against the changes
//! before it, writes one atomic batch, syncs once if anything in it has to be durable, and answers
//! all. What arrives meanwhile is the next batch; while little arrives, the next commit may wait for
//! more (`pace`).
//!
//! - What gives way is refused at the queue while it would wait for too long (`backlog`). Everything
//!   else waits: a change that follows from a stored one must not be starved by new ones.
//! - Nothing is answered before the batch it depends on is written: neither a change that was made
//!   nor one that was refused because of another one in the same batch.
//! - A failed write or sync is the end. What was in the batch is answered as unknown, what waits as
//!   unavailable, and no later write can make the failed one look like it never happened: the
//!   state in memory, which is ahead of the disk by then, is never used again.

mod backlog;
mod draft;
mod pace;
mod queue;
mod space;

pub(super) use draft::Draft;
pub(super) use queue::Queue;
pub(super) use space::Space;

use super::options::WriteFailure;
use super::stats::Counters;
use super::tables::Tables;
use crate::clock::Stopwatch;
use crate::deferral::Deferral;
use crate::model::Head;
use crate::store::StoreError;
use crate::store::generations::Generations;
use fjall::PersistMode;
use queue::Job;
use std::sync::Arc;

/// How many heads are remembered at least; twice as many take about 8 MiB.
const HEADS_MAX: usize = 65_536;

/// A change of the stored rows.
pub(super) trait Change: Send + 'static {
    /// What came of it.
    type Outcome: Send + 'static;

    /// Whether what it writes has to survive a power cut once it is answered.
    const DURABLE: bool;

    /// Whether it takes space for good, and so is refused when space is short.
    const GROWS: bool = true;

    /// About how much memory it takes while it waits; more than its own size where it points to more.
    fn bytes(&self) -> usize {
        size_of_val(self)
    }

    /// Whether it can come later as well, and so is refused while it would wait for too long.
    fn gives_way(&self) -> bool {
        false
    }

    /// Checks it against the draft and adds its rows.
    fn stage(self, draft: &mut Draft<'_>) -> Result<Self::Outcome, StoreError>;
}

/// What the commit thread works with.
pub(super) struct Committer {
    pub(super) tables: Arc<Tables>,
    pub(super) queue: Arc<Queue>,
    pub(super) counters: Arc<Counters>,
    pub(super) space: Space,
    pub(super) fatal: Box<dyn Fn(&WriteFailure) + Send + Sync>,
}

impl Committer {
    /// Commits what is queued until the queue is closed and empty, or a write fails.
    pub(super) fn run(mut self) {
        // However this thread ends, nobody waits for it any more.
        let _closing = Closing(Arc::clone(&self.queue));
        let mut heads = Generations::new(HEADS_MAX);
        let mut jobs = Vec::new();
        let mut is_synced = true;
        let mut result = Ok(());
        while result.is_ok() && self.queue.take(&mut jobs, is_synced) {
            result = self.commit(&mut heads, &mut jobs, &mut is_synced);
        }
        if result.is_ok() && !is_synced {
            result = self.tables.database().persist(PersistMode::SyncData);
        }
        if let Err(error) = result {
            self.stop(&error);
        }
    }

    fn commit(
        &mut self,
        heads: &mut Generations<Head>,
        jobs: &mut Vec<Box<dyn Job>>,
        is_synced: &mut bool,
    ) -> Result<(), fjall::Error> {
        self.space.forget();
        let mut draft = Draft::new(&self.tables, heads, &mut self.space);
        for job in jobs.iter_mut() {
            job.stage(&mut draft);
        }
        let written = write(&self.tables, &self.counters, draft, is_synced);
        if written.is_ok() {
            self.tables.publish();
        }
        // A shard is woken once for all that it waits for.
        let _deferral = Deferral::begin();
        for job in jobs.drain(..) {
            match written {
                Ok(()) => job.committed(),
                Err(_) => job.refuse(StoreError::Unknown),
            }
        }
        written
    }

    /// Refuses everything from now on and reports why.
    fn stop(&self, error: &fjall::Error) {
        self.queue.close();
        let mut jobs = Vec::new();
        self.queue.take(&mut jobs, false);
        for job in jobs {
            job.refuse(StoreError::Unavailable);
        }
        tracing::error!(%error, "a write failed; the store stops");
        (self.fatal)(&WriteFailure { reason: error.to_string() });
    }
}

fn write(
    tables: &Tables,
    counters: &Counters,
    draft: Draft<'_>,
    is_synced: &mut bool,
) -> Result<(), fjall::Error> {
    let is_durable = draft.is_durable();
    let written = draft.written();
    let batch = draft.into_batch();
    let is_empty = batch.is_empty();
    let mode = if is_durable { PersistMode::SyncData } else { PersistMode::Buffer };
    let commit = Stopwatch::start();
    if !is_empty {
        batch.durability(Some(mode)).commit()?;
    } else if is_durable && !*is_synced {
        tables.database().persist(mode)?;
    } else {
        return Ok(());
    }
    *is_synced = is_durable;
    counters.count_commit(is_durable, &written, commit.elapsed());
    Ok(())
}

/// Closes the queue when it is dropped.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}
