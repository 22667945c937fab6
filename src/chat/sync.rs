//! SYNC: which conversations changed for a user since a token, page by page.
//!
//! A token names a moment. Everything that changed from it on is listed, and a little more: the
//! moment lies [`MARGIN`] before the SYNC that gave it out, and before the oldest append then under
//! way, so that it covers no change that was not yet visible or that a crash can undo. What changed
//! after that moment is also looked at once more after the last of several pages.

use super::list::{Listed, SHOWN_AT_ONCE};
use super::token::{Step, SyncToken, Walk};
use super::{Chat, fetch};
use crate::model::{self, Actor, CommandError, Outcome, Synced, Timestamp};
use crate::store::{Store, StoreError};
use futures_util::stream::{self, StreamExt};
use std::pin::pin;
use std::time::Duration;

/// More than cursors wait for being written and synced, with room for clocks of several servers and for
/// entries that carry the time at which a shard began its round.
const MARGIN: Duration = Duration::from_secs(10);

/// About what a record takes besides its title and preview.
const RECORD_OVERHEAD_BYTES: usize = 96;

/// What a page is made from: the conversations still to be listed, in order, in each step.
struct Queue {
    walk: Walk,
    newest: Vec<Listed>,
    moved: Vec<Listed>,
}

impl<S: Store> Chat<S> {
    /// A page of what changed since `token`. An empty or unknown token: everything.
    pub async fn sync(
        &self,
        actor: Actor,
        now: Timestamp,
        token: &[u8],
        limit: usize,
    ) -> Result<Outcome, CommandError> {
        // Before anything is read: what becomes visible later is later than this.
        let started = self.in_flight.oldest().map_or(now, |oldest| oldest.min(now)).minus(MARGIN);
        let token = SyncToken::decode(token).filter(|token| token.epoch == self.store.epoch());
        if token.is_none() {
            // Accounts made while no server ran, and those of a crash, have none yet.
            self.journal(actor.user, now).await?;
        }
        let synced = self.sync_page(actor, started, token, limit);
        Ok(Outcome::Synced(synced.await?))
    }

    async fn sync_page(
        &self,
        actor: Actor,
        started: Timestamp,
        token: Option<SyncToken>,
        limit: usize,
    ) -> Result<Synced, StoreError> {
        let queue = self.queue(actor, started, token).await?;
        let limit = if limit == 0 { usize::MAX } else { limit };
        let mut page = Vec::new();
        let mut bytes_left = self.settings.page_bytes_max;
        let mut step = queue.walk.step;
        let newest = queue.newest.iter().map(|l| (l, Step::Newest(l.active_at(), l.id())));
        let moved = queue.moved.iter().map(|l| (l, Step::Moved(Some(l.id()))));
        let all = stream::iter(newest.chain(moved));
        let show = async |(listed, reached)| (self.show(listed).await, reached);
        let mut shown = pin!(all.map(show).buffered(SHOWN_AT_ONCE));
        let mut more = false;
        while let Some((shown, reached)) = shown.next().await {
            let shown = shown?;
            let bytes = shown.as_ref().map_or(0, record_bytes);
            if page.len() == limit || (bytes > bytes_left && !page.is_empty()) {
                more = true;
                break;
            }
            bytes_left = bytes_left.saturating_sub(bytes);
            page.extend(shown);
            step = reached;
        }
        let Walk { started, everything, .. } = queue.walk;
        let since = token.map_or(Timestamp::ZERO, |token| token.since);
        let next = if more {
            let walk = Some(Walk { started, everything, step });
            SyncToken { epoch: self.store.epoch(), since, walk }
        } else {
            SyncToken { epoch: self.store.epoch(), since: started, walk: None }
        };
        Ok(Synced { chats: page, more, everything, token: next.encode() })
    }

    async fn queue(
        &self,
        actor: Actor,
        started: Timestamp,
        token: Option<SyncToken>,
    ) -> Result<Queue, StoreError> {
        let since = token.map_or(Timestamp::ZERO, |token| token.since);
        let walk = token.and_then(|token| token.walk);
        let everything = walk.map_or(token.is_none(), |walk| walk.everything);
        let mut listed = self.survey(actor.user).await?;
        listed.retain(
            |l| {
                if everything { l.membership.is_current() } else { l.changed_at() >= since }
            },
        );
        listed.sort_unstable_by_key(|l| std::cmp::Reverse(l.rank()));
        let Some(walk) = walk else {
            // The first page is evaluated at once: nothing can have moved meanwhile.
            let first = listed.first().map(Listed::rank);
            let step = first.map_or(Step::Moved(None), |(time, id)| Step::Newest(time, id));
            let walk = Walk { started, everything, step };
            return Ok(Queue { walk, newest: listed, moved: Vec::new() });
        };
        let mut moved: Vec<Listed> = listed
            .iter()
            .filter(|l| l.active_at() >= walk.started)
            .filter(|l| match walk.step {
                Step::Newest(..) | Step::Moved(None) => true,
                Step::Moved(Some(reached)) => l.id() > reached,
            })
            .cloned()
            .collect();
        moved.sort_unstable_by_key(Listed::id);
        match walk.step {
            Step::Newest(time, id) => listed.retain(|l| l.rank() < (time, id)),
            Step::Moved(_) => listed.clear(),
        }
        Ok(Queue { walk, newest: listed, moved })
    }
}

/// About how many bytes a conversation takes in a page.
fn record_bytes(chat: &model::Chat) -> usize {
    let title = chat.settings.title.as_ref().map_or(0, |title| title.as_str().len());
    RECORD_OVERHEAD_BYTES + title + chat.last_entry.as_ref().map_or(0, fetch::wire_bytes)
}
