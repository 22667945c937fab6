//! What the client does with each frame that it receives.

use super::link::{Link, Request};
use super::{ACK_DELAY, ChatClient, HeldLog, REPAIR_DELAY};
use crate::support::history::{Doubt, Event, Line};
use bytes::Bytes;
use chasqui::model::{ConversationId, ErrorCode, Sequence};
use chasqui::protocol::constants::synced_flag;
use chasqui::protocol::{ClientFrame, EntryFrame, Records, Refusal, ServerFrame, frames};
use std::time::{Duration, Instant};

impl ChatClient {
    /// Handles the frames of one message.
    ///
    /// # Panics
    /// If the server breaks the protocol.
    pub(super) fn receive(&mut self, message: &[u8]) {
        if message.is_empty() {
            return;
        }
        for frame in frames(message) {
            let frame = frame.expect("the server sends whole frames");
            if let Some(frame) = ServerFrame::decode(&frame).expect("the server keeps the layout") {
                self.handle(&frame);
            }
        }
    }

    fn handle(&mut self, frame: &ServerFrame<'_>) {
        match frame {
            ServerFrame::Welcome(_) => panic!("a second WELCOME"),
            // With rid 0 the connection is refused; the close that follows has its code.
            ServerFrame::Error(refusal) if refusal.rid == 0 => {}
            ServerFrame::Error(refusal) => self.refused(refusal),
            ServerFrame::Ping { nonce } => self.put(&ClientFrame::Pong { nonce: *nonce }),
            ServerFrame::Sent { rid, sequence, duplicate, .. } => {
                self.sent(*rid, *sequence, *duplicate);
            }
            ServerFrame::Entry(entry) => self.shown(entry),
            ServerFrame::Synced { rid, flags, token, records } => {
                self.synced(*rid, u64::from(*flags), token, *records);
            }
            ServerFrame::Fetched { rid, conversation, to, next } => {
                self.fetched(*rid, *conversation, *to, *next);
            }
            ServerFrame::Resync { .. } => self.begin_sync(),
            ServerFrame::Pong { .. }
            | ServerFrame::Goaway(_)
            | ServerFrame::Cursor(_)
            | ServerFrame::Ephemeral(_)
            | ServerFrame::Presence { .. } => {}
        }
    }

    fn sent(&mut self, rid: u64, sequence: Sequence, duplicate: bool) {
        // An ENTRY may have settled it already.
        let Some(row) = self.outbox.take_rid(rid) else { return };
        let (conversation, client_message) = (row.conversation, row.client_message);
        let duplicate = Some(duplicate);
        self.history.events.push(Event::Sent { conversation, client_message, sequence, duplicate });
        let line = Line {
            sequence,
            sender: Some(self.history.user),
            client_message: Some(client_message),
            kind: 1,
            body: row.body,
        };
        self.keep(conversation, line);
    }

    fn shown(&mut self, entry: &EntryFrame<'_>) {
        let conversation = entry.conversation;
        let line = Line::of(entry);
        self.history.events.push(Event::Shown { conversation, line: line.clone() });
        let own = entry.client_message.filter(|_| entry.sender == Some(self.history.user));
        if let Some(row) = own.and_then(|id| self.outbox.take(conversation, id)) {
            self.history.events.push(Event::Sent {
                conversation,
                client_message: row.client_message,
                sequence: entry.sequence,
                duplicate: None,
            });
        }
        self.keep(conversation, line);
    }

    fn keep(&mut self, conversation: ConversationId, line: Line) {
        let now = Instant::now();
        let Some(log) = self.logs.get_mut(&conversation) else {
            // Added to it just now: SYNC tells from where on it is visible.
            self.begin_sync();
            return;
        };
        log.keep(line);
        let has_gap = log.has_gap();
        let Some(link) = self.link.as_mut() else { return };
        link.ack_at.get_or_insert(now + ACK_DELAY);
        if has_gap {
            let spread = getrandom::u32().unwrap_or_default() % 250;
            let due = now + REPAIR_DELAY + Duration::from_millis(u64::from(spread));
            link.wanted.entry(conversation).or_insert(due);
        }
    }

    fn refused(&mut self, refusal: &Refusal<'_>) {
        let now = Instant::now();
        let Some(link) = self.link.as_mut() else { return };
        if let Some((request, _)) = link.requests.remove(&refusal.rid) {
            self.read_refused(&request, refusal);
            return;
        }
        let Some(row) = self.outbox.by_rid(refusal.rid) else { return };
        row.is_uncertain |= refusal.outcome_unknown();
        row.rid = None;
        let (conversation, id, floor) = (row.conversation, row.client_message, row.floor);
        let is_certain = !row.is_uncertain;
        if refusal.retry() && !refusal.outcome_unknown() {
            self.history.put_off += 1;
        }
        if refusal.outcome_unknown() {
            let (client_message, by) = (id, Doubt::Answered);
            self.history.events.push(Event::Doubted { conversation, client_message, by });
        }
        let out_of_range = refusal.known() == Some(ErrorCode::FloorOutOfRange);
        if !(refusal.retry() || refusal.outcome_unknown() || out_of_range) {
            self.outbox.take(conversation, id);
            if is_certain {
                self.history.events.push(Event::Refused { conversation, client_message: id });
            }
            return;
        }
        link.is_held = true;
        link.resume_at = link.resume_at.max(now + Duration::from_millis(refusal.retry_ms));
        if out_of_range {
            self.begin_sync();
            let told = self.logs.get(&conversation).map_or(Sequence::ZERO, |log| log.told);
            let link = self.link.as_mut().expect("it was there above");
            link.is_restored |= told < floor.minus(1);
        }
    }

    /// A SYNC or FETCH was refused: it is tried again, or the conversation is not ours any more.
    fn read_refused(&mut self, request: &Request, refusal: &Refusal<'_>) {
        let retry_at = Instant::now() + Duration::from_millis(refusal.retry_ms);
        let link = self.link.as_mut().expect("it sent the request");
        match request {
            Request::Sync(_) => {
                link.sync_again = true;
                link.resume_at = link.resume_at.max(retry_at);
            }
            Request::Fetch { conversation, .. } if refusal.retry() => {
                link.wanted.insert(*conversation, retry_at);
            }
            Request::Fetch { conversation, .. } => {
                self.logs.remove(conversation);
            }
        }
    }

    fn synced(&mut self, rid: u64, flags: u64, token: &[u8], records: Records<'_>) {
        let Some(Link { requests, .. }) = self.link.as_mut() else { return };
        let Some((Request::Sync(had), _)) = requests.remove(&rid) else {
            panic!("a SYNCED that nothing asked for");
        };
        for record in records.iter() {
            let conversation = record.conversation;
            let link = self.link.as_mut().expect("it was there above");
            link.listed.insert(conversation);
            let log =
                self.logs.entry(conversation).or_insert_with(|| HeldLog::new(record.first_visible));
            if had.get(&conversation).is_some_and(|had| record.last_sequence < *had) {
                log.forget(record.last_sequence);
                link.is_restored = true;
                link.is_held = true;
            }
            log.told = log.told.max(record.last_sequence);
            log.named = log.named.max(record.last_sequence);
            log.read = log.read.max(record.read);
            if record.delivered < log.acknowledged {
                // The server forgot; it is repeated with the next ACK.
                log.acknowledged = record.delivered;
                link.ack_at.get_or_insert(Instant::now());
            }
        }
        self.sync_token = Bytes::copy_from_slice(token);
        if flags & synced_flag::MORE != 0 {
            let link = self.link.as_mut().expect("it was there above");
            let rid = link.request(Request::Sync(had));
            self.put(&ClientFrame::Sync { rid, limit: 0, token });
        } else {
            self.sync_ended(flags & synced_flag::EVERYTHING != 0);
        }
        self.want_holes(Duration::ZERO);
    }

    fn sync_ended(&mut self, is_everything: bool) {
        let link = self.link.as_mut().expect("it was synced");
        let listed = std::mem::take(&mut link.listed);
        if is_everything {
            self.logs.retain(|conversation, _| listed.contains(conversation));
        }
        if link.sync_again {
            self.begin_sync();
        }
    }

    fn fetched(&mut self, rid: u64, conversation: ConversationId, to: Sequence, next: Sequence) {
        let Some(link) = self.link.as_mut() else { return };
        let Some((Request::Fetch { from, .. }, _)) = link.requests.remove(&rid) else {
            panic!("a FETCHED that nothing asked for");
        };
        let is_complete = next == Sequence::ZERO;
        let last = if is_complete { to } else { next.minus(1) };
        if let Some(log) = self.logs.get_mut(&conversation) {
            log.hold(from, last);
            if is_complete {
                // Whatever was named above the evaluated end is not visible any more, or will come.
                log.told = log.told.min(to.max(log.have()));
            }
            link.ack_at.get_or_insert(Instant::now() + ACK_DELAY);
        }
        self.want_holes(if is_complete { REPAIR_DELAY } else { Duration::ZERO });
    }
}
