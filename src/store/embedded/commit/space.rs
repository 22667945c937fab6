//! Whether the disk has room for more.

use std::io;

/// Watches the free space. It is asked for at most once in a batch, and only by a change that needs
/// space; so refusals begin and end by themselves.
pub(in crate::store::embedded) struct Space {
    free_bytes: Box<dyn Fn() -> io::Result<u64> + Send + Sync>,
    reserve_bytes: u64,
    is_short: Option<bool>,
    was_short: bool,
}

impl Space {
    /// Keeps `reserve_bytes` free.
    pub(in crate::store::embedded) fn new(
        free_bytes: Box<dyn Fn() -> io::Result<u64> + Send + Sync>,
        reserve_bytes: u64,
    ) -> Self {
        Self { free_bytes, reserve_bytes, is_short: None, was_short: false }
    }

    /// Has the next question asked of the disk again.
    pub(super) fn forget(&mut self) {
        self.is_short = None;
    }

    /// Whether less than the reserve is free. A file system that does not tell counts as having
    /// room: a write that fails all the same is noticed.
    pub(super) fn is_short(&mut self) -> bool {
        if let Some(known) = self.is_short {
            return known;
        }
        let is_short = match (self.free_bytes)() {
            Ok(free) => free < self.reserve_bytes,
            Err(error) => {
                tracing::warn!(%error, "cannot tell the free space");
                false
            }
        };
        if is_short != self.was_short {
            self.was_short = is_short;
            if is_short {
                tracing::error!(reserve_bytes = self.reserve_bytes, "too little free space");
            } else {
                tracing::info!("enough free space again");
            }
        }
        self.is_short = Some(is_short);
        is_short
    }
}
