//! SYNC and FETCH: how a client comes to have what it has missed.

use super::{Alarm, Client, Context, State};
use crate::clock::MILLISECOND;
use chasqui::model::{ErrorCode, Sequence};
use chasqui::protocol::constants::synced_flag;
use chasqui::protocol::{ClientFrame, Records, Refusal};

/// What is asked for, and up to where everything was told.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    /// Where the next SYNC begins.
    token: Box<[u8]>,
    /// Where the one under way goes on.
    page: Box<[u8]>,
    /// The SYNC under way, and the FETCH; 0 for none.
    sync: u64,
    fetch: u64,
    /// Whether it has to be done once more.
    again: bool,
    /// Whether the first has been answered.
    synced: bool,
}

impl CatchUp {
    /// The connection is gone and its requests with it.
    pub(super) fn forget_requests(&mut self) {
        (self.sync, self.fetch, self.again, self.synced) = (0, 0, false, false);
        self.page = Box::default();
    }
}

impl Client {
    /// Asks what has changed.
    pub(super) fn start_sync(&mut self) {
        let rid = self.next_rid();
        (self.catch_up.sync, self.catch_up.again) = (rid, false);
        // Only the last page's token is a place to begin at; those before it go on from page to page.
        let page = std::mem::take(&mut self.catch_up.page);
        let token = std::mem::take(&mut self.catch_up.token);
        let from = if page.is_empty() { &token } else { &page };
        self.write(&ClientFrame::Sync { rid, limit: 0, token: from });
        self.catch_up.token = token;
    }

    /// Asks once more, now or after the answer that is awaited.
    pub(super) fn resync(&mut self) {
        self.catch_up.again = true;
    }

    /// Does what is next: another SYNC, a FETCH, or nothing, in which case the client is live.
    pub(super) fn go_on(&mut self, ctx: &mut Context<'_>) {
        if self.state < State::CatchingUp || self.catch_up.sync > 0 {
            return;
        }
        if self.catch_up.again || (ctx.sync && !self.catch_up.synced) {
            return self.start_sync();
        }
        if !self.fetch(ctx) && self.catch_up.fetch == 0 {
            self.state = State::Live;
        }
    }

    /// Fetches what is missing, if something is and nobody does; whether it has begun to.
    pub(super) fn fetch(&mut self, ctx: &mut Context<'_>) -> bool {
        let (have, told) = (self.log.have, self.log.told);
        let missing = self.log.begun && told > have;
        if !missing || self.catch_up.fetch > 0 || self.state < State::CatchingUp {
            return false;
        }
        let (Some(conversation), Some(from)) = (ctx.member.conversation(), Sequence::new(have + 1))
        else {
            return false;
        };
        let rid = self.next_rid();
        self.catch_up.fetch = rid;
        self.write(&ClientFrame::Fetch { rid, conversation, from, to: Sequence::ZERO });
        true
    }

    pub(super) fn take_synced(
        &mut self,
        flags: u8,
        token: &[u8],
        records: Records<'_>,
        ctx: &mut Context<'_>,
    ) {
        let own = ctx.member.conversation();
        for record in records.iter().filter(|record| Some(record.conversation) == own) {
            let head = record.last_sequence.get();
            self.log.told = self.log.told.max(head);
            if !self.log.begun {
                (self.log.begun, self.log.have) = (true, head);
            }
        }
        self.catch_up.sync = 0;
        if u64::from(flags) & synced_flag::MORE > 0 {
            self.catch_up.page = token.into();
            return self.start_sync();
        }
        // A conversation in which nothing has happened need not be listed.
        self.log.begun = true;
        (self.catch_up.token, self.catch_up.synced) = (token.into(), true);
        self.go_on(ctx);
    }

    pub(super) fn take_fetched(&mut self, to: Sequence, next: Sequence, ctx: &mut Context<'_>) {
        self.catch_up.fetch = 0;
        let reached = if next > Sequence::ZERO { next.get() - 1 } else { to.get() };
        self.log.reach(reached, ctx);
        self.go_on(ctx);
    }

    pub(super) fn take_refusal(&mut self, refusal: &Refusal<'_>, ctx: &mut Context<'_>) {
        let rid = refusal.rid;
        if rid == 0 {
            // The close that follows says it again.
        } else if rid == self.catch_up.sync || rid == self.catch_up.fetch {
            (self.catch_up.again, self.catch_up.synced) = (rid == self.catch_up.sync, false);
            if rid == self.catch_up.sync {
                self.catch_up.sync = 0;
            } else {
                self.catch_up.fetch = 0;
            }
            if refusal.retry() {
                ctx.wake_at(ctx.now + refusal.retry_ms * MILLISECOND, Alarm::Wake);
            } else {
                ctx.tally.counts.faults += 1;
            }
        } else {
            if refusal.known() == Some(ErrorCode::FloorOutOfRange) {
                self.catch_up.again = true;
            }
            self.outbox.refused(refusal, ctx);
        }
    }

    /// Whether nothing is asked for and nothing has to be.
    pub(super) fn is_caught_up(&self) -> bool {
        let CatchUp { sync, fetch, again, .. } = &self.catch_up;
        self.state == State::Live && *sync == 0 && *fetch == 0 && !*again
    }
}
