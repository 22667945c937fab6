//! The long poll: waits for what a device has not acknowledged.

use super::core::Core;
use super::registry::Poll;
use crate::model::{Actor, CommandError, ConversationId, Outcome, Received, Sequence, UserId};
use crate::store::Store;
use std::sync::Arc;
use std::time::Duration;

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(25);

/// Stands in the registry while a poll waits, and leaves it however the wait ends: a client that
/// goes away ends its request, and with it this.
struct Waiting<'a, S> {
    core: &'a Core<S>,
    user: UserId,
    poll: Arc<Poll>,
}

impl<S> Drop for Waiting<'_, S> {
    fn drop(&mut self) {
        self.core.registry.end_poll(self.user, &self.poll);
    }
}

/// Acknowledges, then answers with what is not acknowledged, as soon as there is something. A
/// second poll of the same device ends the first, which answers with nothing.
pub(super) async fn receive<S: Store>(
    core: &Core<S>,
    actor: Actor,
    acks: &[(ConversationId, Sequence)],
    wait: Duration,
    limit: usize,
) -> Result<Outcome, CommandError> {
    // In the registry before the look, so that what comes after the look wakes it.
    let poll = core.registry.begin_poll(actor);
    let waiting = Waiting { core, user: actor.user, poll };
    core.chat.acknowledge(actor, core.clock.now(), acks).await?;
    let until = tokio::time::sleep(wait.min(WAIT_MAX));
    tokio::pin!(until);
    loop {
        let received = core.chat.unacknowledged(actor, limit).await?;
        if !received.entries.is_empty() {
            return Ok(Outcome::Received(received));
        }
        tokio::select! {
            () = waiting.poll.woken() => {}
            () = &mut until => return Ok(Outcome::Received(Received::default())),
        }
        if waiting.poll.is_ended() {
            return Ok(Outcome::Received(Received::default()));
        }
    }
}
