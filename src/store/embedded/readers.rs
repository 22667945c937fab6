//! Reads, away from the threads that must not block.

use super::tables::{Tables, View};
use crate::store::StoreError;
use std::sync::Arc;
use tokio::sync::{Semaphore, TryAcquireError};

/// A bounded number of reads on the blocking threads of whatever runtime asks.
pub(super) struct Readers {
    tables: Arc<Tables>,
    /// One permit for each read that runs or waits.
    admitted: Arc<Semaphore>,
    /// One permit for each read that runs.
    running: Arc<Semaphore>,
}

impl Readers {
    /// Runs up to `running_max` reads at once and lets `waiting_max` wait.
    pub(super) fn new(tables: Arc<Tables>, running_max: usize, waiting_max: usize) -> Self {
        let running_max = running_max.clamp(1, Semaphore::MAX_PERMITS);
        let admitted_max = running_max.saturating_add(waiting_max).min(Semaphore::MAX_PERMITS);
        Self {
            tables,
            admitted: Arc::new(Semaphore::new(admitted_max)),
            running: Arc::new(Semaphore::new(running_max)),
        }
    }

    /// Runs a read; unavailable when too many wait.
    pub(super) async fn run<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&View<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let _admitted = self.admitted.try_acquire().map_err(|error| match error {
            TryAcquireError::NoPermits | TryAcquireError::Closed => StoreError::Unavailable,
        })?;
        let running = Arc::clone(&self.running).acquire_owned().await;
        let Ok(running) = running else { return Err(StoreError::Unavailable) };
        let tables = Arc::clone(&self.tables);
        let task = tokio::task::spawn_blocking(move || {
            let result = read(&tables.view());
            // Held by the thread itself: a caller that gives up does not free its place early.
            drop(running);
            result
        });
        task.await.unwrap_or(Err(StoreError::Unavailable))
    }
}
