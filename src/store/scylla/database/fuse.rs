//! A process that is killed between two statements, for tests: from a moment on nothing is sent.

use std::sync::atomic::{AtomicU64, Ordering};

/// Blows after so many statements; never unless it is set.
#[derive(Debug)]
pub(super) struct Fuse(AtomicU64);

impl Default for Fuse {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl Fuse {
    /// Lets so many statements more through.
    pub(super) fn set(&self, statements: u64) {
        self.0.store(statements, Ordering::Relaxed);
    }

    /// Lets a statement through, or tells that it is one too many.
    pub(super) fn is_blown(&self) -> bool {
        let left = self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| match left {
            u64::MAX => Some(u64::MAX),
            _ => left.checked_sub(1),
        });
        left.is_err()
    }
}
