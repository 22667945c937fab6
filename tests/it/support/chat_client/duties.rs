//! What the client does unasked: after a WELCOME, on time, and when a hold may end.

use super::link::{Link, Request};
use super::{ChatClient, Lost};
use chasqui::model::{ConversationId, Epoch, Sequence};
use chasqui::protocol::{ClientFrame, SendFrame, Tlvs};
use std::time::{Duration, Instant};

/// How long a request may stay unanswered before the server counts as dead.
const REQUEST_PATIENCE: Duration = Duration::from_secs(30);

impl ChatClient {
    /// What follows a WELCOME: cursors again, SYNC, holes, the outbox.
    pub(super) fn welcomed(&mut self, epoch: Epoch) {
        self.epoch = Some(epoch);
        let link = self.link.as_ref().expect("it is connected");
        if link.is_restored {
            self.sync_token.clear();
            for log in self.logs.values_mut() {
                log.forget(Sequence::ZERO);
            }
        }
        let cursors: Vec<(ConversationId, Sequence)> = self
            .logs
            .iter()
            .filter(|(_, log)| log.acknowledged > Sequence::ZERO)
            .map(|(conversation, log)| (*conversation, log.acknowledged))
            .collect();
        if !cursors.is_empty() {
            self.put(&ClientFrame::Ack(cursors.as_slice().into()));
        }
        let read: Vec<(ConversationId, Sequence)> =
            self.logs.iter().map(|(conversation, log)| (*conversation, log.read)).collect();
        for (conversation, read) in read.into_iter().filter(|(_, read)| *read > Sequence::ZERO) {
            self.put(&ClientFrame::Read { conversation, read });
        }
        self.begin_sync();
        self.want_holes(Duration::ZERO);
        self.send_outbox();
    }

    pub(super) fn do_what_is_due(&mut self) -> Result<(), Lost> {
        let now = Instant::now();
        let Some(link) = self.link.as_mut() else { return Err(Lost(None)) };
        let dead = link.ping.mul_f32(1.5) + Duration::from_secs(10);
        let overdue = link.requests.values().any(|(_, at)| now - *at > REQUEST_PATIENCE);
        if overdue || now - link.heard_at > dead {
            self.disconnect();
            return Err(Lost(None));
        }
        if now - link.said_at > link.ping || now - link.heard_at > link.ping {
            link.said_at = now;
            ClientFrame::Ping { nonce: 1 }.encode(&mut link.out);
        }
        let is_syncing = link.requests.values().any(|(r, _)| matches!(r, Request::Sync(_)));
        if link.sync_again && !is_syncing && now >= link.resume_at {
            self.begin_sync();
        }
        self.send_acks(now);
        self.fetch_holes(now);
        self.end_hold(now);
        self.send_outbox();
        Ok(())
    }

    fn send_acks(&mut self, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        if link.ack_at.is_none_or(|at| now < at) {
            return;
        }
        link.ack_at = None;
        let mut acks = Vec::new();
        for (conversation, log) in &mut self.logs {
            if log.have() > log.acknowledged {
                log.acknowledged = log.have();
                acks.push((*conversation, log.acknowledged));
            }
        }
        if !acks.is_empty() {
            self.put(&ClientFrame::Ack(acks.as_slice().into()));
        }
    }

    /// Notes every known hole, to be fetched after `delay`.
    pub(super) fn want_holes(&mut self, delay: Duration) {
        let Some(link) = self.link.as_mut() else { return };
        let at = Instant::now() + delay;
        for (conversation, _) in self.logs.iter().filter(|(_, log)| log.has_gap()) {
            let due = link.wanted.entry(*conversation).or_insert(at);
            *due = at.min(*due);
        }
    }

    fn fetch_holes(&mut self, now: Instant) {
        /// Leaves one of the four reads that may be unanswered to SYNC.
        const FETCHES_MAX: usize = 3;
        let Some(link) = self.link.as_mut() else { return };
        let mut out = Vec::new();
        let fetching = |link: &Link, wanted| {
            let is_it = |request: &Request| matches!(request, Request::Fetch { conversation, .. } if *conversation == wanted);
            link.requests.values().any(|(request, _)| is_it(request))
        };
        for (conversation, due) in link.wanted.clone() {
            let fetches =
                link.requests.values().filter(|(r, _)| matches!(r, Request::Fetch { .. })).count();
            if due > now || fetches >= FETCHES_MAX || fetching(link, conversation) {
                continue;
            }
            link.wanted.remove(&conversation);
            let Some(log) = self.logs.get(&conversation).filter(|log| log.has_gap()) else {
                continue;
            };
            let from = log.have().next();
            let rid = link.request(Request::Fetch { conversation, from });
            out.push(ClientFrame::Fetch { rid, conversation, from, to: Sequence::ZERO });
        }
        for frame in out {
            self.put(&frame);
        }
    }

    /// RESUME once every SEND is answered, the wait is over and nothing stands in the way.
    fn end_hold(&mut self, now: Instant) {
        let Some(link) = self.link.as_mut() else { return };
        let catching_up = !link.requests.is_empty() || !link.wanted.is_empty() || link.sync_again;
        if !link.is_held || catching_up || self.outbox.in_flight() > 0 || now < link.resume_at {
            return;
        }
        let is_restored = std::mem::take(&mut link.is_restored);
        link.is_held = false;
        for row in self.outbox.rows_mut() {
            let Some(log) = self.logs.get(&row.conversation) else { continue };
            if is_restored {
                row.floor = row.floor.min(log.told.next());
            } else if log.holds_all(row.floor, log.have()) {
                // None of these entries is this message, or it would be settled.
                row.floor = row.floor.max(log.have().next());
            }
        }
        self.put(&ClientFrame::Resume);
    }

    pub(super) fn begin_sync(&mut self) {
        let Some(link) = self.link.as_mut() else { return };
        if link.requests.values().any(|(request, _)| matches!(request, Request::Sync(_))) {
            link.sync_again = true;
            return;
        }
        link.sync_again = false;
        link.listed.clear();
        let have =
            self.logs.iter().map(|(conversation, log)| (*conversation, log.have())).collect();
        let rid = link.request(Request::Sync(have));
        let token = self.sync_token.clone();
        self.put(&ClientFrame::Sync { rid, limit: 0, token: &token });
    }

    pub(super) fn send_outbox(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| !link.is_held) else { return };
        let mut room = link.sends_max.saturating_sub(self.outbox.in_flight());
        for row in self.outbox.rows_mut().filter(|row| row.rid.is_none()) {
            if room == 0 {
                break;
            }
            room -= 1;
            let rid = link.next_rid;
            link.next_rid += 1;
            row.rid = Some(rid);
            self.history.attempts += 1;
            let send = SendFrame {
                rid,
                conversation: row.conversation,
                client_message: row.client_message,
                floor: row.floor,
                kind: 1,
                body: &row.body,
                tlvs: Tlvs::EMPTY,
            };
            ClientFrame::Send(send).encode(&mut link.out);
        }
    }
}
