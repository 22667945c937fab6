//! What is done every second: cursors that moved are written, and the time is kept. And what is done
//! more rarely: memory that is free goes back to the system.

use crate::chat::Chat;
use crate::clock::Clock;
use crate::store::Store;
use std::time::Duration;

/// How long a cursor that moved waits to be written. SYNC tokens reach back further than this and
/// [`SYNC_EVERY`] together.
const PERIOD: Duration = Duration::from_secs(1);

/// How many periods pass between syncs of what was written.
const SYNC_EVERY: u32 = 4;

/// How many periods pass between two times that free memory is given back.
const GIVE_BACK_EVERY: u32 = 8;

/// A block so large that the allocator keeps it apart from all others.
const LARGE_BYTES: usize = 1 << 20;

/// Runs for as long as it is polled.
pub(super) async fn run<S: Store>(chat: Chat<S>, clock: Clock) {
    let mut interval = tokio::time::interval(PERIOD);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut round, mut written) = (0_u32, 0);
    loop {
        interval.tick().await;
        written += write_cursors(&chat, &clock).await;
        round = round.wrapping_add(1);
        if round.is_multiple_of(GIVE_BACK_EVERY) {
            give_memory_back();
        }
        if round.is_multiple_of(SYNC_EVERY) && written > 0 {
            match chat.store().sync_cursors().await {
                Ok(()) => written = 0,
                Err(error) => tracing::warn!(%error, "cursors not synced yet"),
            }
        }
    }
}

/// Has the allocator give back to the system what was freed a second or more ago. It looks for that
/// only when a run of its pages becomes free, so a server that comes to rest would keep for good what
/// its last rush took: 700 bytes for each of 4,000 connections that had exchanged a message. A large
/// block is a run of its own; it is never written to, so it takes no memory while it lives.
fn give_memory_back() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_BYTES)));
}

/// Writes the cursors that moved and the time; how many moved.
pub(super) async fn write_cursors<S: Store>(chat: &Chat<S>, clock: &Clock) -> usize {
    if let Err(error) = chat.store().keep_time(clock.now()).await {
        tracing::warn!(%error, "time not kept");
    }
    chat.flush_cursors().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "cursors not written yet");
        0
    })
}
