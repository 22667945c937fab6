//! What is done every second: cursors that moved are written, and the time is kept.

use crate::chat::Chat;
use crate::clock::Clock;
use crate::store::Store;
use std::time::Duration;

/// How long a cursor that moved waits to be written. SYNC tokens reach back further than this and
/// [`SYNC_EVERY`] together.
const PERIOD: Duration = Duration::from_secs(1);

/// How many periods pass between syncs of what was written.
const SYNC_EVERY: u32 = 4;

/// Runs for as long as it is polled.
pub(super) async fn run<S: Store>(chat: Chat<S>, clock: Clock) {
    let mut interval = tokio::time::interval(PERIOD);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut round, mut written) = (0_u32, 0);
    loop {
        interval.tick().await;
        written += write_cursors(&chat, &clock).await;
        round = round.wrapping_add(1);
        if round.is_multiple_of(SYNC_EVERY) && written > 0 {
            match chat.store().sync_cursors().await {
                Ok(()) => written = 0,
                Err(error) => tracing::warn!(%error, "cursors not synced yet"),
            }
        }
    }
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
